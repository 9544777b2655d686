//! What happens, told to those who listen: server-sent events and WebSockets, from the same changes that the
//! audit log has.

pub mod api;
pub mod feed;
mod listener;
mod socket;
mod store;
