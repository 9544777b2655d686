//! Durable creation: over HTTP against the ceiling, its syncs, and the same work on a plain pool.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use stockroom::caller::{Caller, Door, Principal, Role, Who};
use stockroom::changes::Tx;
use stockroom::config::DatabaseUrl;
use stockroom::db::{Conn, pool, write_now};
use stockroom::fields::{Input, Raw, Source};
use stockroom::items::model::ItemInput;
use stockroom::items::service;

use super::load::{Load, Request, Sample};
use super::reads::CLIENTS;
use super::report::{Report, Target};
use super::server::{Home, Running};
use super::turns::{self, subject};

/// What else an item has; the same by HTTP and on the pool.
const NAME: &str = "0.23 ct Ideal diamond, colour E";
const DESCRIPTION: &str = "Clarity SI2; depth 61.5%, table 55%; 3.95 x 3.98 x 2.43 mm";

/// A request that makes an item; the prefix keeps its codes apart from other requests'.
pub fn create(prefix: &str, token: &str) -> std::sync::Arc<Request> {
    let before = format!("{{\"sku\":\"{prefix}-");
    let after = format!(
        "\",\"name\":\"{NAME}\",\"description\":\"{DESCRIPTION}\",\"price\":326.5,\"currency\":\"USD\",\"category_id\":1}}"
    );
    Request::post("/api/v1/items", &before, &after, token)
}

/// Measures creation against the ceiling and against a pool on the file `plain`.
pub fn measure(
    ceiling: &Running,
    server: &Running,
    plain: &Path,
    time: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    let token = server.sign_in("member")?;
    let bare = Load { request: Request::get_any("", 100_000, ""), clients: CLIENTS };
    let few = Load { request: create("W", &token), clients: CLIENTS };
    let many = Load { request: create("X", &token), clients: 256 };
    let mut turn = 0;
    let [bare, few, many, pool] = turns::take(
        time,
        [
            subject(&bare, ceiling),
            subject(&few, server),
            subject(&many, server),
            Box::new(|time| {
                turn += 1;
                on_plain_pool(plain, turn, time)
            }),
        ],
    )?;
    let to = |sample: &Sample| Some(sample.ratio_to(&bare));
    report.load("ceiling: bare handler", &bare, None, Target::None);
    report.load("POST item, 32 clients", &few, to(&few), Target::AtLeast(0.15));
    report.load("POST item, 256 clients", &many, to(&many), Target::AtLeast(0.20));
    report.load("the same work on a plain pool of 32", &pool, to(&pool), Target::None);
    report.ratio("  POST at 32 clients to the pool", few.ratio_to(&pool), Target::AtLeast(4.0));
    Ok(())
}

/// The work of a `POST` without HTTP and without the writer: threads, each with a connection and
/// transactions of its own.
fn on_plain_pool(file: &Path, turn: u32, time: Duration) -> anyhow::Result<Sample> {
    let url = DatabaseUrl::Sqlite(file.to_owned());
    let until = Instant::now() + time;
    let begun = Instant::now();
    let tallies: Vec<anyhow::Result<Sample>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS)
            .map(|thread| {
                scope.spawn({
                    let url = &url;
                    move || one_of_pool(url, turn, thread, until)
                })
            })
            .collect();
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked"))));
        ended.collect()
    });
    let mut sample = Sample::default();
    for tally in tallies {
        sample.add(tally?);
    }
    // A thread that waits for its turn ends late, and what it did then counts for as much.
    sample.elapsed = begun.elapsed();
    Ok(sample)
}

fn one_of_pool(url: &DatabaseUrl, turn: u32, thread: usize, until: Instant) -> anyhow::Result<Sample> {
    let mut conn = pool::open(url, pool::Access::Write)?;
    let mut sample = Sample::default();
    let mut number = 0_u64;
    while Instant::now() < until {
        number += 1;
        let begun = Instant::now();
        match create_on(&mut conn, format!("P{turn}-{thread}-{number}")) {
            Ok(()) => sample.answers += 1,
            Err(_) => sample.failures += 1,
        }
        sample.latencies.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(sample)
}

fn create_on(conn: &mut Conn, sku: String) -> Result<(), stockroom::error::Error> {
    let text = |name: &str, value: &str| (name.to_owned(), Raw::Text(value.to_owned()));
    let number = |name: &str, value: &str| (name.to_owned(), Raw::Number(value.to_owned()));
    let input = ItemInput::read(&Input::new(
        Source::Json,
        vec![
            text("sku", &sku),
            text("name", NAME),
            text("description", DESCRIPTION),
            number("price", "326.5"),
            text("currency", "USD"),
            number("category_id", "1"),
        ],
    ));
    // The second user, who is the one that signs in over HTTP.
    let who = Who::User(Principal {
        id: 2,
        username: "member".into(),
        role: Role::User,
        api_key_id: None,
        credentials_version: 1,
        may_write: true,
    });
    let caller = Caller { who, door: Door::Api, request_id: "0123456789abcdef01234567".into(), address: None };
    write_now(conn, Box::new(move |conn| Tx::run(conn, &caller, |tx| service::create(tx, input).map(drop))))
}

/// Counts the syncs of a short load: in a run of its own, since who is watched is slower.
pub fn syncs(home: &Home, report: &mut Report) -> anyhow::Result<()> {
    if !Path::new("/usr/bin/strace").exists() {
        eprintln!("no strace, no count of syncs");
        return Ok(());
    }
    let log = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR"))?;
    let server = home.start(Some(log.path()))?;
    let token = server.sign_in("member")?;
    for (clients, prefix, target) in [(CLIENTS, "S", Target::AtMost(1.0 / 8.0)), (256, "T", Target::None)] {
        let load = Load { request: create(prefix, &token), clients };
        let before = count(log.path())?;
        let (sample, _) = load.run_beside(&server, Duration::from_secs(3), None)?;
        let syncs = count(log.path())? - before;
        // The warm-up's answers are synced too, and not counted: so this is a little too much, never too little.
        let each = syncs as f64 / sample.answers.max(1) as f64;
        report.figure(&format!("syncs for an answer, {clients} clients"), each, "", target);
    }
    server.stop()
}

fn count(log: &Path) -> anyhow::Result<usize> {
    let text = fs::read_to_string(log).context("strace wrote nothing")?;
    Ok(text.matches("sync(").count())
}
