//! `stockroom`: see the README, or `stockroom --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    stockroom::cli::run()
}
