//! `stockroom export`

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, ValueEnum};

use super::session::Session;
use crate::config::Config;
use crate::db::moment;
use crate::items::export::{self, Format};
use crate::items::model::Visible;
use crate::items::store::page::{By, Column, Filter, complete};

/// How to export.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// CSV, which an import takes back unchanged, or JSON lines
    #[arg(long, value_enum, default_value = "csv")]
    format: Kind,
    /// The file to write; by default the standard output
    #[arg(short, long)]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Csv,
    Jsonl,
}

/// Exports all items.
pub fn run(config: &Config, args: &Args) -> Result<ExitCode, String> {
    let mut session = Session::open(config)?;
    let format = match args.format {
        Kind::Csv => Format::Csv,
        Kind::Jsonl => Format::Jsonl,
    };
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(File::create(path).map_err(|e| format!("{} cannot be written: {e}", path.display()))?),
        None => Box::new(std::io::stdout().lock()),
    };
    let mut buffered = BufWriter::new(&mut out);
    let order = complete(&[By { column: Column::Id, descending: false }]);
    let all = Filter::all(Visible::All);
    let count = moment(&mut session.conn, |conn| export::write(conn, &all, &order, format, &mut buffered, |_| ()))
        .map_err(|e| e.to_string())?;
    if let Some(path) = &args.output {
        println!("{count} items written to {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}
