//! `stockroom routes`

use std::process::ExitCode;

/// Prints the map.
pub fn run() -> Result<ExitCode, String> {
    for route in crate::routes::table() {
        println!("{:6} {} {}", route.method, route.path, route.handler);
    }
    Ok(ExitCode::SUCCESS)
}
