//! Users: who they are. Proving it is `auth`'s.

pub mod api;
pub mod hashing;
pub mod list;
pub mod mails;
pub mod model;
pub mod pages;
pub mod password;
pub mod service;
pub mod store;
mod undo;
