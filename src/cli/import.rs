//! `stockroom import FILE.csv`

use std::fs::File;
use std::io::{IsTerminal as _, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::session::Session;
use crate::changes::{Entity, Open};
use crate::config::Config;
use crate::error::Error;
use crate::items::import::{Import, Line, Lines, OnKnown, Report, distinct_lines};
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
    let mut import = Import::begin(&mut session.conn, on_known, owner.id, args.dry_run).map_err(|e| told(&name, &e))?;
    let mut act = Open::default();
    let mut report = Report::default();
    let bar = progress(size);
    loop {
        let chunk = lines.chunk().map_err(|e| told(&name, &e))?;
        if chunk.is_empty() {
            break;
        }
        let (next, done, open) = take(&mut session, &import, &chunk, &act, &name)?;
        (import, act) = (next, open);
        report.add(done);
        bar.set_position(lines.position());
    }
    bar.finish_and_clear();
    if !args.dry_run && (report.created > 0 || report.updated > 0) {
        let count = usize::try_from(report.created + report.updated).unwrap_or_default();
        act.summarise(&mut session.conn, &format!("Import of {name}: {}", Entity::Item.counted(count)))
            .map_err(|e| e.to_string())?;
    }
    Ok(tell(&report, args.dry_run))
}

/// One chunk. When somebody took a code at the same moment, the chunk is repeated and that line refused.
fn take(
    session: &mut Session,
    import: &Import,
    chunk: &[Line],
    act: &Open,
    name: &str,
) -> Result<(Import, Report, Open), String> {
    for _ in 0..5 {
        let (mut next, lines, mut open) = (import.clone(), chunk.to_vec(), *act);
        let done = session.write(move |tx| {
            tx.resume(&open);
            let report = next.take(tx, lines)?;
            tx.pause(&mut open, "Import")?;
            Ok((next, report, open))
        });
        match done {
            Ok(done) => return Ok(done),
            Err(Error::Conflict { .. }) => {}
            Err(error) => return Err(told(name, &error)),
        }
    }
    Err(format!("{name}: others keep writing the same items; try again"))
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
