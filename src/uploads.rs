//! Uploads: files that people give us, images above all.

pub mod api;
pub mod jobs;
pub mod list;
pub mod model;
mod receive;
pub mod service;
pub mod store;
mod thumbnail;
mod undo;
