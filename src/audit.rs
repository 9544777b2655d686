//! The audit log: what the changesets say. For now each item's history.

pub mod pages;
pub mod service;
