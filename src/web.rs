//! What the HTTP side of all features shares, one idea a file.

pub mod assets;
pub mod caller;
pub mod client_address;
pub mod compress;
pub mod conflict;
pub mod cursor;
pub mod cut;
pub mod etag;
pub mod form;
pub mod front;
pub mod headers;
pub mod health;
pub mod history;
pub mod host;
pub mod idempotency;
pub mod json;
pub mod list;
pub mod page;
pub mod rate_limit;
pub mod request_id;
pub mod sorted;
pub mod spool;
pub mod upload;
pub mod view;
pub mod wire;
