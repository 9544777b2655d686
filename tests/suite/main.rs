//! The whole suite, through the front door: the real binary, its own database for every test, HTTP, command line
//! and a real browser. One module a slice; `support` holds what they share.
//!
//! `cargo test` alone runs everything that needs nothing installed (SQLite). What needs PostgreSQL, Redis or
//! Chromium is listed as `ignored` with the reason; `tests/run` starts them and runs all of it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics says what is wrong; the product may not"
)]

mod support;

mod admin;
mod api_keys;
mod auth;
mod browser;
mod bulk;
mod categories;
mod config;
mod credentials;
mod database;
mod durability;
mod edges;
mod errors;
mod house;
mod idempotency;
mod import;
mod item_images;
mod items;
mod limits;
mod lists;
mod live;
mod log;
mod logs;
mod mail;
mod migrations;
mod people;
mod posts;
mod queue;
mod readme;
mod refresh;
mod rights;
mod search;
mod sessions;
mod setup;
mod shapes;
mod stats;
mod tokens;
mod transfer;
mod transport;
mod two_factor;
mod undo;
mod unit_of_work;
mod uploads;
mod users;
mod visibility;
mod webhooks;
