//! The product's speed as ratios to a ceiling: a bare actix-web handler that serialises a struct, in the same
//! run on the same machine. A figure alone says more about the machine and its mood than about the product.
//!
//! ```text
//! cargo bench --bench ratios -- [reads writes logins startup import catalogue postgres]
//!     [--seconds N] [--items N] [--database postgres://…]
//! ```
//!
//! Without names everything is measured, PostgreSQL only with `--database`; `catalogue` is meant for `--items 1000000`.
//! What is compared takes turns in
//! short slices, so that a change of the machine's mood meets all of them. The load is one thread of this
//! process, as `wrk -t1` would be; servers are processes of their own, so that their CPU time is theirs.

mod catalogue;
mod ceiling;
mod cpu;
mod load;
mod logins;
mod postgres;
mod reads;
mod report;
mod server;
mod startup;
mod turns;
mod writes;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};

use report::Report;
use server::Home;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// One item, a list, a page far down by cursor.
    Reads,
    /// Durable creation, its syncs, and the same work on a plain pool.
    Writes,
    /// Reads while sixteen people sign in.
    Logins,
    /// Start to first answer, and memory.
    Startup,
    /// The import of the diamonds.
    Import,
    /// Lists, search, bulk, export and listeners on a large catalogue.
    Catalogue,
    /// One item from PostgreSQL, against pgbench.
    Postgres,
}

/// Measures the product against a bare handler.
#[derive(Debug, Parser)]
struct Args {
    /// What to measure; everything without
    names: Vec<Measure>,
    /// How long each thing is measured, in seconds, over all its turns
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=120))]
    seconds: u64,
    /// How many items the catalogue has
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1_000..=5_000_000))]
    items: u64,
    /// A PostgreSQL server to measure on; a database of our own is made there, and dropped
    #[arg(long)]
    database: Option<String>,
    /// What `cargo bench` says to every bench
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the ceiling: used by the bench itself
    #[arg(long, hide = true)]
    be_the_ceiling: bool,
}

impl Args {
    fn wants(&self, measure: Measure) -> bool {
        self.names.is_empty() || self.names.contains(&measure)
    }

    fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if args.be_the_ceiling {
        return ceiling::serve();
    }
    if cfg!(debug_assertions) {
        println!("The ratios are measured in a release build: cargo bench --bench ratios");
        return Ok(());
    }
    let folder = tempfile::Builder::new()
        .prefix("ratios-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .context("no folder for the databases")?;
    let mut report = Report::default();
    let measured = measure(&args, folder.path(), &mut report);
    // What was measured before a failure is worth showing.
    println!("{report}");
    measured
}

fn measure(args: &Args, folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    let on_sqlite = [Measure::Reads, Measure::Writes, Measure::Logins, Measure::Startup, Measure::Catalogue];
    if on_sqlite.into_iter().any(|measure| args.wants(measure)) {
        let home = Home::new(folder.join("sqlite"), None)?;
        let rows = folder.join("items.csv");
        server::write_items(&rows, args.items)?;
        let took = home.load(&rows)?;
        eprintln!("{} items in {:.1} s", args.items, took.as_secs_f64());
        measure_sqlite(args, &home, report)?;
    }
    let diamonds = diamonds(folder)?;
    if args.wants(Measure::Import) {
        startup::import(&folder.join("import"), None, &diamonds, report)?;
    }
    if let Some(url) = args.database.as_deref().filter(|_| args.wants(Measure::Postgres)) {
        postgres::measure(folder, url, args.items, args.time(), report)?;
        if args.wants(Measure::Import) {
            let own = postgres::OwnDatabase::make(url)?;
            startup::import(&folder.join("import-postgres"), Some(own.url()), &diamonds, report)?;
        }
    }
    Ok(())
}

fn measure_sqlite(args: &Args, home: &Home, report: &mut Report) -> anyhow::Result<()> {
    if args.wants(Measure::Startup) {
        startup::first_answer(home, report)?;
    }
    let plain = home.copy_database()?;
    let ceiling = ceiling::start()?;
    {
        let server = home.start(None)?;
        if args.wants(Measure::Startup) {
            startup::memory(&server, "after start", 30.0, report)?;
        }
        if args.wants(Measure::Reads) {
            reads::measure(&ceiling, &server, args.items, args.time(), report)?;
        }
        if args.wants(Measure::Logins) {
            logins::measure(&server, args.items, args.time(), report)?;
        }
        if args.wants(Measure::Catalogue) {
            catalogue::measure(&server, args.items, args.time(), report)?;
        }
        if args.wants(Measure::Writes) {
            writes::measure(&ceiling, &server, &plain, args.time(), report)?;
        }
        if args.wants(Measure::Startup) {
            startup::memory(&server, "after the load", 120.0, report)?;
        }
        server.stop()?;
    }
    if args.wants(Measure::Writes) {
        writes::syncs(home, report)?;
    }
    Ok(())
}

/// The 53,940 diamonds, or as many rows like them.
fn diamonds(folder: &Path) -> anyhow::Result<PathBuf> {
    let given = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/diamonds.csv");
    if given.is_file() {
        return Ok(given);
    }
    let made = folder.join("diamonds.csv");
    server::write_items(&made, 53_940)?;
    Ok(made)
}
