//! The unit of work. Everything that writes goes through [`Tx`]: it carries the connection, the caller and
//! the list of what was changed, and closes with one changeset: who, by which door, when, and each entity
//! before and after. Audit, history, undo, webhooks and live pages all read from there.

mod expected;
pub mod history;
mod open;
mod record;
mod store;
mod tx;
pub mod undo;

pub use expected::Expected;
pub use open::Open;
pub use record::{Action, Change, Entity, Recorded};
pub use tx::Tx;
