//! Webhooks: programs elsewhere are told of what changes here, signed after the Standard Webhooks specification
//! (<https://www.standardwebhooks.com>). A write notes in its own transaction that there is something to tell;
//! [`deliver`] turns that into deliveries, one for each webhook and event, and sends each until it is answered
//! with 2xx or was tried for three days. A receiver tells repeats by `webhook-id`.

pub mod api;
pub mod deliver;
pub mod guard;
pub mod list;
pub mod model;
pub mod payload;
mod send;
pub mod service;
pub mod signature;
pub mod store;
mod undo;
