//! A catalogue as large as anybody's: lists that filter and sort, search, many at once, an export of all of it,
//! and ten thousand who listen while others read.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::cpu;
use super::load::{Load, Request, Sample};
use super::reads::CLIENTS;
use super::report::{Report, Target};
use super::server::Running;

/// So many listen and hear nothing.
const LISTENERS: u64 = 10_000;
/// So many items in one request.
const BULK: usize = 100;

/// Lists that filter and sort: what they are, and what is asked.
const LISTS: [(&str, &str); 5] = [
    ("by price in a category", "?category_id=2&sort=-price&limit=20"),
    ("by price in a category, with its total", "?category_id=2&sort=-price&page=1"),
    ("newest within prices", "?min_price=1000&max_price=1500&sort=-created_at&limit=20"),
    ("newest within prices, with its total", "?min_price=1000&max_price=1500&sort=-created_at&page=1"),
    ("by name, active ones", "?is_active=true&sort=name&limit=20"),
];

/// Searches: a rare word, a common one, and the beginning of one.
const SEARCHES: [(&str, &str); 3] = [
    ("one code", "?q=L-0400321&limit=20"),
    ("two common words", "?q=premium+colour&limit=20"),
    ("a beginning", "?q=dia&limit=20"),
];

/// Measures all of it on a server with so many items.
pub fn measure(server: &Running, items: u64, time: Duration, report: &mut Report) -> anyhow::Result<()> {
    let admin = server.sign_in("keeper")?;
    let within = |what: String, target: &str, most: f64, report: &mut Report| -> anyhow::Result<()> {
        let load = Load { request: Request::get(&format!("/api/v1/items{target}"), &admin), clients: CLIENTS };
        let sample = load.run(server, time)?;
        report.load(&what, &sample, None, Target::None);
        report.figure("  of them 95 % come within", sample.quantile(0.95), "ms", Target::AtMost(most));
        Ok(())
    };
    for (what, target) in LISTS {
        within(format!("list {what}, {items} items"), target, 15.0, report)?;
    }
    for (what, target) in SEARCHES {
        within(format!("search for {what}"), target, 50.0, report)?;
    }
    listeners(server, items, &admin, time, report)?;
    export(server, items, &admin, report)?;
    bulk(server, &admin, time, report)
}

/// Reads while very many wait for news.
fn listeners(server: &Running, items: u64, admin: &str, time: Duration, report: &mut Report) -> anyhow::Result<()> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, most)?;
    let before = cpu::memory(server.pid())?;
    let (address, token) = (server.address, admin.to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let held = runtime.block_on(async move {
        let mut held = Vec::new();
        for _ in 0..LISTENERS {
            held.push(listen(address, &token).await?);
        }
        anyhow::Ok(held)
    })?;
    let each = (cpu::memory(server.pid())? - before) * 1_024.0 / LISTENERS as f64;
    report.figure(&format!("memory of each of {LISTENERS} listeners"), each, "kB", Target::None);
    let reads = Load { request: Request::get_any("/api/v1/items", items, admin), clients: CLIENTS };
    let sample = reads.run(server, time)?;
    report.load(&format!("GET item beside {LISTENERS} listeners"), &sample, None, Target::None);
    report.figure("  of them 99 % come within", sample.quantile(0.99), "ms", Target::AtMost(50.0));
    drop(held);
    Ok(())
}

async fn listen(address: SocketAddr, token: &str) -> anyhow::Result<tokio::net::TcpStream> {
    let mut stream = tokio::net::TcpStream::connect(address).await.context("no further listener is taken")?;
    let head = format!(
        "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = [0_u8; 12];
    stream.read_exact(&mut answer).await?;
    anyhow::ensure!(answer.ends_with(b" 200"), "a listener is refused: {}", String::from_utf8_lossy(&answer));
    Ok(stream)
}

/// All items as CSV, and how much memory that takes.
fn export(server: &Running, items: u64, admin: &str, report: &mut Report) -> anyhow::Result<()> {
    let before = cpu::memory(server.pid())?;
    let mut most = before;
    let mut stream = TcpStream::connect(server.address)?;
    let begun = Instant::now();
    write!(
        stream,
        "GET /api/v1/items/export HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {admin}\r\n\r\n"
    )?;
    let mut piece = vec![0; 1 << 20];
    let (mut lines, mut looked) = (0, 0);
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            break;
        }
        lines += piece.iter().take(read).filter(|byte| **byte == b'\n').count();
        looked += 1;
        if looked % 20 == 0 {
            most = most.max(cpu::memory(server.pid())?);
        }
    }
    let took = begun.elapsed().as_secs_f64();
    anyhow::ensure!(lines as u64 > items, "the export ends after {lines} lines");
    report.figure("export: rows a second", items as f64 / took, "", Target::AtLeast(100_000.0));
    report.figure("  memory that it takes", most - before, "MB", Target::AtMost(30.0));
    Ok(())
}

/// A hundred items in each request, from a few clients.
fn bulk(server: &Running, admin: &str, time: Duration, report: &mut Report) -> anyhow::Result<()> {
    let item = json!({"name": "0.23 ct Ideal diamond, colour E", "price": 326.5, "category_id": 1,
        "description": "Clarity SI2; depth 61.5%, table 55%; 3.95 x 3.98 x 2.43 mm"});
    let rest = vec![item; BULK - 1];
    let all = Value::from(rest).to_string();
    let rest = all.strip_prefix('[').context("an array begins otherwise")?;
    let before = r#"[{"name":"One of a hundred","price":1,"category_id":1,"sku":"B-"#;
    let request: Arc<Request> = Request::post("/api/v1/items/bulk", before, &format!("\"}},{rest}"), admin);
    let sample: Sample = Load { request, clients: 8 }.run(server, time)?;
    report.load(&format!("POST {BULK} items at once, 8 clients"), &sample, None, Target::None);
    report.figure("  such requests a second", sample.rate(), "", Target::AtLeast(200.0));
    Ok(())
}
