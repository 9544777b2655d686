//! Reads while sixteen people sign in: hashing a password holds a core for a third of a second, and must not
//! hold up those who read.

use std::sync::Arc;
use std::time::Duration;

use super::load::{Load, Request, Sample};
use super::reads::CLIENTS;
use super::report::{Report, Target};
use super::server::{Running, sign_in_body};

/// How many sign in at once, each again as soon as they are in.
const PEOPLE: usize = 16;

/// Measures reads without, with and again without sign-ins.
pub fn measure(server: &Running, items: u64, time: Duration, report: &mut Report) -> anyhow::Result<()> {
    let token = server.sign_in("keeper")?;
    let reads = Load { request: Request::get_any("/api/v1/items", items, &token), clients: CLIENTS };
    let logins = Load { request: sign_in(), clients: PEOPLE };
    // Who has begun to sign in is hashed to the end, so it cannot take turns as often as the rest.
    let (mut quiet, mut busy, mut signed_in) = (Sample::default(), Sample::default(), Sample::default());
    for _ in 0..2 {
        quiet.add_turn(reads.run(server, time / 2)?);
        let (reading, signing_in) = reads.run_beside(server, time / 2, Some(&logins))?;
        busy.add_turn(reading);
        signed_in.add_turn(signing_in);
    }
    report.load("GET item", &quiet, None, Target::None);
    report.load(
        &format!("GET item while {PEOPLE} sign in"),
        &busy,
        Some(busy.rate() / quiet.rate().max(1e-9)),
        Target::AtLeast(0.6),
    );
    let p99 = busy.quantile(0.99) / quiet.quantile(0.99).max(1e-9);
    report.ratio("  its p99 to the p99 without", p99, Target::AtMost(1.5));
    report.load("  the sign-ins", &signed_in, None, Target::None);
    Ok(())
}

fn sign_in() -> Arc<Request> {
    Request::repeat("/api/v1/auth/login", &sign_in_body("member").to_string())
}
