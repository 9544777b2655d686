//! `stockroom migrate status|run|revert|redo`

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Config;
use crate::db::migrate::{self, Act};

/// What to do with the schema.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print every migration and whether the database has it
    Status,
    /// Run what is missing
    Run,
    /// Undo the last migration
    Revert,
    /// Undo the last migration and run it again
    Redo,
}

/// Does it.
pub fn run(config: &Config, command: &Command) -> Result<ExitCode, String> {
    let act = match command {
        Command::Status => {
            for step in migrate::status(&config.database)? {
                println!("[{}] {}", if step.applied { "x" } else { " " }, step.name);
            }
            return Ok(ExitCode::SUCCESS);
        }
        Command::Run => Act::Run,
        Command::Revert => Act::Revert,
        Command::Redo => Act::Redo,
    };
    let done = migrate::act(&config.database, act)?;
    if done.is_empty() {
        println!("Nothing to do.");
    }
    for name in done {
        println!("{} {name}", if act == Act::Revert { "Reverted" } else { "Ran" });
    }
    Ok(ExitCode::SUCCESS)
}
