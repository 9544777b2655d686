//! Posts: what the shop tells its readers, written in Markdown.

pub mod api;
pub mod list;
mod markdown;
pub mod model;
pub mod service;
pub mod store;
mod undo;
