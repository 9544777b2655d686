//! Proving who one is: passwords, access tokens, browser sessions. `identify` is the middleware that turns a
//! credential into a [`crate::caller::Caller`].

pub mod api;
pub mod api_keys;
pub mod device;
pub mod identify;
pub mod links;
pub mod mails;
pub mod model;
pub mod pages;
pub mod refresh;
pub mod second_factor;
pub mod service;
pub mod sessions;
pub mod store;
pub mod token;
