//! The audit log: what the changesets say, and taking back what one did.

pub mod api;
pub mod list;
pub mod log;
pub mod model;
pub mod names;
pub mod pages;
pub mod service;
pub mod store;
