//! `stockroom import FILE.csv`

use std::fs::File;
use std::io::{IsTerminal as _, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::session::Session;
use crate::changes::Tx;
use crate::config::Config;
use crate::error::Error;
use crate::items::import::{Lines, OnKnown, Order, Report, Writer, distinct_lines, run as run_import};
use crate::users::store;

/// What to import, and how.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The file; - for the standard input
    file: PathBuf,
    /// What to do with a SKU that the catalogue has: refuse the line, or update the item
    #[arg(long, value_enum, default_value = "create")]
    mode: Mode,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Whose the new items are: e-mail address, name or id; by default the first admin
    #[arg(long)]
    owner: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    Create,
    Upsert,
}

/// How many bad lines are printed; all are counted.
const PRINTED: usize = 100;

/// Imports.
pub fn run(config: &Config, args: &Args) -> Result<ExitCode, String> {
    let (file, size, name) = open(args)?;
    let mut lines = Lines::open(file).map_err(|e| told(&name, &e))?;
    let mut session = Session::open(config)?;
    let owner = match &args.owner {
        Some(named) => session.user(named)?,
        None => store::first_admin(&mut session.conn)
            .map_err(|e| e.to_string())?
            .ok_or("there is no admin yet to own the items; make one with `stockroom user create --role admin`")?,
    };
    let on_known = match args.mode {
        Mode::Create => OnKnown::Refuse,
        Mode::Upsert => OnKnown::Update,
    };
    let order = Order { on_known, owner: owner.id, dry_run: args.dry_run, name: name.clone() };
    let bar = progress(size);
    let done = run_import(&mut lines, &mut session, &order, &(), |position| bar.set_position(position));
    bar.finish_and_clear();
    let (report, _) = done.map_err(|e| told(&name, &e))?;
    Ok(tell(&report, args.dry_run))
}

impl Writer for Session {
    fn write<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        Session::write(self, work)
    }
}

type Source = Box<dyn Read>;

fn open(args: &Args) -> Result<(Source, u64, String), String> {
    if args.file.as_os_str() == "-" {
        return Ok((Box::new(std::io::stdin()), 0, "the standard input".to_owned()));
    }
    let shown = args.file.display();
    let file = File::open(&args.file).map_err(|e| format!("{shown} cannot be opened: {e}"))?;
    let size = file.metadata().map_err(|e| format!("{shown} cannot be read: {e}"))?.len();
    let name = args.file.file_name().map_or_else(|| shown.to_string(), |n| n.to_string_lossy().into_owned());
    Ok((Box::new(file), size, name))
}

fn told(name: &str, error: &Error) -> String {
    match error {
        Error::Invalid(errors) => {
            errors.list().iter().map(|e| format!("{name} {}", e.message)).collect::<Vec<_>>().join("\n")
        }
        other => format!("{name}: {other}"),
    }
}

fn progress(size: u64) -> ProgressBar {
    if size == 0 || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(size);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3} %  {bytes_per_sec}  {eta} left") {
        bar.set_style(style);
    }
    bar
}

fn tell(report: &Report, dry_run: bool) -> ExitCode {
    for bad in report.errors.iter().take(PRINTED) {
        let field = if bad.field.is_empty() { String::new() } else { format!(" {}:", bad.field) };
        eprintln!("line {}:{field} {}", bad.line, bad.message);
    }
    if report.errors.len() > PRINTED {
        let printed = distinct_lines(report.errors.get(..PRINTED).unwrap_or_default());
        eprintln!("… and {} more bad lines", report.failed.saturating_sub(u64::try_from(printed).unwrap_or_default()));
    }
    let would = if dry_run { " (dry run: nothing was written)" } else { "" };
    println!("{} created, {} updated, {} failed{would}", report.created, report.updated, report.failed);
    if report.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
