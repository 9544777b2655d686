//! The queue of background work as admins see it: what waits, what is being done, what was given up; trying it again
//! and discarding it. The queue itself is [`crate::jobs`].

pub mod list;
pub mod model;
pub mod pages;
pub mod service;
pub mod store;
mod undo;
