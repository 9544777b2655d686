//! What an operator meets before the first request: start, memory, import.

use std::path::Path;
use std::time::{Duration, Instant};

use super::cpu;
use super::report::{Report, Target};
use super::server::{Home, Running};

/// How often it is started; the middle one counts.
const STARTS: usize = 5;

/// From the start of the process to the first answer.
pub fn first_answer(home: &Home, report: &mut Report) -> anyhow::Result<()> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let begun = Instant::now();
        let server = home.start(None)?;
        server.ask("GET", "/health", "", None)?;
        times.push(begun.elapsed());
        server.stop()?;
    }
    times.sort();
    let middle = times.get(STARTS / 2).copied().unwrap_or(Duration::MAX);
    report.figure("start to first answer", middle.as_secs_f64() * 1e3, "ms", Target::AtMost(150.0));
    Ok(())
}

/// What a server holds now.
pub fn memory(server: &Running, when: &str, most: f64, report: &mut Report) -> anyhow::Result<()> {
    report.figure(&format!("memory {when}"), cpu::memory(server.pid())?, "MB", Target::AtMost(most));
    Ok(())
}

/// The import of a file into a new database.
pub fn import(folder: &Path, database: Option<&str>, rows: &Path, report: &mut Report) -> anyhow::Result<()> {
    let home = Home::new(folder.to_owned(), database)?;
    let took = home.load(rows)?;
    let on = if database.is_some() { "PostgreSQL" } else { "SQLite" };
    report.figure(&format!("import of the diamonds, {on}"), took.as_secs_f64(), "s", Target::AtMost(8.0));
    Ok(())
}
