//! Categories: what kinds of items there are.

pub mod api;
pub mod list;
pub mod model;
pub mod pages;
pub mod service;
pub mod store;
mod undo;
