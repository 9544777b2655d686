//! PostgreSQL: one item, against pgbench with the same statement on the same server.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use super::load::{Load, Request, Sample};
use super::reads::CLIENTS;
use super::report::{Report, Target};
use super::server::{self, Home};
use super::turns::{self, subject};
use super::writes;

/// A database on somebody's server, dropped with this value.
#[derive(Debug)]
pub struct OwnDatabase {
    server: String,
    name: String,
    url: String,
}

impl OwnDatabase {
    /// Makes one.
    pub fn make(server: &str) -> anyhow::Result<Self> {
        let name = format!("ratios_{}", std::process::id());
        let mut url = url::Url::parse(server).context("--database is no URL")?;
        url.set_path(&name);
        let own = Self { server: server.to_owned(), name, url: url.into() };
        own.psql(&format!("CREATE DATABASE {}", own.name))?;
        Ok(own)
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn psql(&self, statement: &str) -> anyhow::Result<()> {
        let done = Command::new("psql").args(["-X", "-q", "-d", &self.server, "-c", statement]).output()?;
        anyhow::ensure!(done.status.success(), "{statement}: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        if let Err(error) = self.psql(&format!("DROP DATABASE {} WITH (FORCE)", self.name)) {
            eprintln!("{error}");
        }
    }
}

/// Measures reads and, for comparison, creation.
pub fn measure(folder: &Path, url: &str, items: u64, time: Duration, report: &mut Report) -> anyhow::Result<()> {
    let own = OwnDatabase::make(url)?;
    let home = Home::new(folder.join("postgres"), Some(own.url()))?;
    let rows = folder.join("items.csv");
    if !rows.is_file() {
        server::write_items(&rows, items)?;
    }
    let took = home.load(&rows)?;
    eprintln!("{items} items in {:.1} s", took.as_secs_f64());
    own.vacuum()?;
    let script = script(folder, items)?;
    let server = home.start(None)?;
    let token = server.sign_in("keeper")?;
    let point = Load { request: Request::get_any("/api/v1/items", items, &token), clients: CLIENTS };
    let post = Load { request: writes::create("W", &token), clients: CLIENTS };
    let [bare, point, post] = turns::take(
        time,
        [Box::new(|time| pgbench(own.url(), &script, time)), subject(&point, &server), subject(&post, &server)],
    )?;
    report.load("pgbench, the same statement", &bare, None, Target::None);
    report.load(
        &format!("GET item, PostgreSQL, {items} items"),
        &point,
        Some(point.ratio_to(&bare)),
        Target::AtLeast(0.4),
    );
    report.load("POST item, PostgreSQL, 32 clients", &post, None, Target::None);
    server.stop()
}

impl OwnDatabase {
    fn vacuum(&self) -> anyhow::Result<()> {
        let done = Command::new("psql").args(["-X", "-q", "-d", &self.url, "-c", "VACUUM ANALYZE items"]).output()?;
        anyhow::ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }
}

fn script(folder: &Path, items: u64) -> anyhow::Result<PathBuf> {
    let file = folder.join("point.sql");
    let text = format!(
        "\\set id random(1, {items})\n\
         SELECT id, sku, name, description, price, currency, tax_rate, is_active, category_id, owner_id, version, \
         created_at, updated_at FROM items WHERE id = :id;\n"
    );
    std::fs::write(&file, text)?;
    Ok(file)
}

/// `pgbench` for whole seconds; its rate without the time to connect.
fn pgbench(url: &str, script: &Path, time: Duration) -> anyhow::Result<Sample> {
    let seconds = time.as_secs().max(1);
    let done = Command::new("pgbench")
        .args(["-n", "-c", "32", "-j", "1", "-M", "prepared", "-T", &seconds.to_string(), "-f"])
        .arg(script)
        .arg(url)
        .output()
        .context("pgbench cannot be started")?;
    let out = String::from_utf8_lossy(&done.stdout);
    let rate = out.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate: f64 = rate
        .and_then(|rest| rest.split(' ').next())
        .and_then(|rate| rate.parse().ok())
        .with_context(|| format!("pgbench: {out}{}", String::from_utf8_lossy(&done.stderr)))?;
    let elapsed = Duration::from_secs(seconds);
    Ok(Sample { answers: (rate * elapsed.as_secs_f64()) as u64, elapsed, ..Sample::default() })
}
