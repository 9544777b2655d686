//! Stockroom keeps a catalogue of items and serves it by two doors: pages for people, JSON for programs.
//!
//! # The guided tour
//! Read in this order; an import only ever points to a floor below.
//!
//! 1. **Ground**: [`caller`] (who asks), [`config`] (every setting), [`error`] (every failure and its status),
//!    [`fields`] (what somebody typed, before it is parsed), [`decimal`] and [`time`] (exact numbers and
//!    moments), [`search`] (how text becomes words),
//!    [`sealed`] (how secrets lie).
//! 2. [`db`]: one connection type for SQLite and PostgreSQL, pools, the single writer with group commit.
//!    [`storage`]: where uploads lie; [`limits`]: how many requests and wrong passwords are too many, counted here or in Redis; [`cache`]:
//!    answers that may be a little old, kept likewise.
//! 3. [`jobs`]: the durable queue, [`changes`]: the unit of work. Everything that writes goes through
//!    [`changes::Tx`]. [`mail`]: how mail is sent.
//! 4. [`app`]: what a handler is given: `look_up`, `read`, `write`.
//! 5. [`web`]: what the HTTP side of all features shares.
//! 6. The slices, each with the same rooms (`model`, `store`, `service`, `api`, `pages`): [`users`],
//!    [`categories`], [`items`], [`posts`], [`uploads`], [`webhooks`], [`queue`], [`dashboard`]; above them [`auth`] and
//!    [`audit`], which know other slices.
//! 7. [`routes`]: the map of every URL. [`server`]: from settings to a socket. [`cli`]: the commands.
//!
//! The way of a request: route → caller → parse → `app.look_up | read | write` (store or service) → answer.

pub mod app;
pub mod audit;
pub mod auth;
pub mod cache;
pub mod caller;
pub mod categories;
pub mod changes;
pub mod cli;
pub mod config;
pub mod dashboard;
pub mod db;
pub mod decimal;
pub mod error;
pub mod events;
pub mod fields;
pub mod items;
pub mod jobs;
pub mod limits;
pub mod live;
pub mod mail;
pub mod posts;
pub mod queue;
pub mod routes;
pub mod sealed;
pub mod search;
pub mod server;
pub mod storage;
pub mod time;
pub mod uploads;
pub mod users;
pub mod web;
pub mod webhooks;
