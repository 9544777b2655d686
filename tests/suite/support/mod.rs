//! What the tests share: a place with its own database, a server in it, a client, a page reader.

pub mod browser;
pub mod data;
pub mod db;
pub mod html;
pub mod http;
pub mod mail;
pub mod postgres;
pub mod proxy;
pub mod receiver;
pub mod redis;
pub mod server;
pub mod visitor;
pub mod wire;

pub use data::Item;
pub use db::Db;
pub use http::Answer;
pub use server::{Place, Ran, Server, Who};
pub use visitor::Visitor;

use std::time::{Duration, Instant};

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// Makes `name::sqlite` and `name::postgres` of each `fn name(server: &Server)`: a server of its own, on a database
/// of its own, in which four users live (`Who`).
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            #[test]
            fn sqlite() {
                super::$name(&$crate::support::Place::furnished($crate::support::Kind::Sqlite).serve());
            }
            #[test]
            #[ignore = "needs PostgreSQL: tests/run"]
            fn postgres() {
                super::$name(&$crate::support::Place::furnished($crate::support::Kind::Postgres).serve());
            }
        }
    )+ };
}

/// The same for a `fn name(kind: Kind)` that makes its own place.
macro_rules! on_each_database {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            #[test]
            fn sqlite() {
                super::$name($crate::support::Kind::Sqlite);
            }
            #[test]
            #[ignore = "needs PostgreSQL: tests/run"]
            fn postgres() {
                super::$name($crate::support::Kind::Postgres);
            }
        }
    )+ };
}

pub(crate) use {on_both, on_each_database};

/// Asks until there is an answer; fails with what was waited for after `within`.
pub fn wait_for<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(start.elapsed() < within, "waited {within:?} in vain for: {what}");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
