//! The command line: one file a command. Exit codes: 0 done, 1 failed, 2 wrong usage.

mod config;
mod export;
mod import;
mod log_format;
mod migrate;
mod routes;
mod serve;
mod session;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, Sources};

/// A catalogue of items: an admin site for people, a JSON API for programs, on SQLite or PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "stockroom", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the site and the API (the default)
    Serve,
    /// Look at the database's schema, or change it
    #[command(subcommand)]
    Migrate(migrate::Command),
    /// Manage users
    #[command(subcommand)]
    User(user::Command),
    /// Import items from a CSV file
    Import(import::Args),
    /// Export all items
    Export(export::Args),
    /// Print every route: method, path, handler
    Routes,
    /// Print every setting that is in force and where it comes from
    Config,
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    // What is made here (database, keys, logs) is nobody else's to read.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let cli = Cli::parse();
    match dispatch(cli.command.unwrap_or(Command::Serve)) {
        Ok(code) => code,
        Err(reason) => {
            for line in reason.lines() {
                eprintln!("stockroom: {line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode, String> {
    if matches!(command, Command::Routes) {
        return routes::run();
    }
    let sources = Sources::from_process().map_err(|e| e.to_string())?;
    if matches!(command, Command::Config) {
        return config::run(&sources);
    }
    let config = Config::load(&sources).map_err(|e| e.to_string())?;
    log_format::start(&config)?;
    match command {
        Command::Serve => serve::run(config),
        Command::Migrate(command) => migrate::run(&config, &command),
        Command::User(command) => user::run(&config, command),
        Command::Import(args) => import::run(&config, &args),
        Command::Export(args) => export::run(&config, &args),
        Command::Routes | Command::Config => Ok(ExitCode::SUCCESS),
    }
}
