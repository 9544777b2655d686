//! Items: what the product is about.

pub mod api;
pub mod export;
pub mod import;
pub mod list;
pub mod model;
pub mod pages;
pub mod service;
pub mod shown;
pub mod store;
mod undo;
