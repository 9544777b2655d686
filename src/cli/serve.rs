//! `stockroom serve`

use std::io::Write as _;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;
use crate::server::Server;

/// Serves until it is told to stop.
pub fn run(config: Config) -> Result<ExitCode, String> {
    allow_many_connections();
    let base = config.base_url.clone();
    actix_web::rt::System::new().block_on(async move {
        let server = Server::build(config)?;
        let here = base.unwrap_or_else(|| format!("http://{}", server.address()));
        let mut out = std::io::stdout().lock();
        let mut say = |line: String| writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|e| e.to_string());
        say(format!("Listening on http://{}", server.address()))?;
        if let Some(token) = server.setup_token() {
            say(format!("First run: make the first admin at {here}/admin/setup?token={token}"))?;
        }
        server.run().await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Each connection is an open file, and the usual limit is 1,024 of them: as many as the system lets us have.
fn allow_many_connections() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        log::warn!("the limit of open files stays as it is: {error}");
    }
}
