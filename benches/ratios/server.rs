//! The product as a process: its folder, its data, starting and stopping it, and single requests to it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::load::Head;

/// The binary, as it is shipped.
const STOCKROOM: &str = env!("CARGO_BIN_EXE_stockroom");
/// Longer than this nothing takes, or it hangs.
const PATIENCE: Duration = Duration::from_secs(20);
/// The password of all users.
const PASSWORD: &str = "Correct-horse-1";

/// The threads that answer requests, here and there.
pub fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// A server that runs; it ends with this value.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Running {
    /// Starts a command that says `Listening on http://…` first.
    pub fn start(mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{command:?} cannot be started"))?;
        let out = child.stdout.take().context("it has no output")?;
        let (found, address) = mpsc::channel();
        std::thread::spawn(move || {
            let mut out = BufReader::new(out);
            let mut line = String::new();
            if out.read_line(&mut line).is_ok() && found.send(line).is_ok() {
                // What else it says must not fill the pipe.
                std::io::copy(&mut out, &mut std::io::sink()).ok();
            }
        });
        let line = address.recv_timeout(PATIENCE).unwrap_or_default();
        match line.trim().strip_prefix("Listening on http://").map(str::parse) {
            Some(Ok(address)) => Ok(Self { child, address }),
            _ => {
                child.kill()?;
                child.wait()?;
                anyhow::bail!("the server does not say where it listens, but {line:?}")
            }
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as an operator would.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id())?;
        let pid = rustix::process::Pid::from_raw(pid).context("a process has no number")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            anyhow::ensure!(begun.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// One request and its JSON.
    pub fn ask(&self, method: &str, target: &str, token: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let body = body.map_or_else(String::new, Value::to_string);
        write!(
            stream,
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let head = Head::parse(&answer).context("that is no answer")?;
        let body = answer.get(head.body..).unwrap_or_default();
        anyhow::ensure!(head.status < 300, "{method} {target}: {}", String::from_utf8_lossy(body));
        serde_json::from_slice(body).with_context(|| format!("{method} {target} gives no JSON"))
    }

    /// A token of this user's.
    pub fn sign_in(&self, username: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let body = sign_in_body(username).to_string();
        write!(
            stream,
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let head = Head::parse(&answer).context("that is no answer")?;
        let token: Value = serde_json::from_slice(answer.get(head.body..).unwrap_or_default())?;
        token.get("access_token").and_then(Value::as_str).map(str::to_owned).context("nobody can sign in")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What signs this user in.
pub fn sign_in_body(username: &str) -> Value {
    json!({ "username": username, "password": PASSWORD })
}

/// A folder for a product of its own.
#[derive(Debug)]
pub struct Home {
    folder: PathBuf,
    database: String,
}

impl Home {
    /// An empty one, on SQLite without a database.
    pub fn new(folder: PathBuf, database: Option<&str>) -> anyhow::Result<Self> {
        fs::create_dir_all(&folder)?;
        let file = folder.join("stockroom.db");
        let database = database.map_or_else(|| format!("sqlite://{}", file.display()), str::to_owned);
        let home = Self { folder, database };
        for (username, role) in [("keeper", "admin"), ("member", "user")] {
            let email = format!("{username}@example.com");
            let mut command = home.command(&["user", "create", "--password-stdin", "--email", &email]);
            command.args(["--username", username, "--role", role]);
            home.finish(command, PASSWORD)?;
        }
        Ok(home)
    }

    /// The product with nothing of the surroundings' own settings.
    fn command(&self, args: &[&str]) -> Command {
        self.dressed(Command::new(STOCKROOM), args)
    }

    fn dressed(&self, mut command: Command, args: &[&str]) -> Command {
        command.args(args).current_dir(&self.folder).env_clear();
        for (name, value) in [("DATABASE_URL", self.database.as_str()), ("DATA_DIR", "."), ("PORT", "0")] {
            command.env(name, value);
        }
        command.env("WORKERS", workers().to_string());
        for (name, value) in
            [("BCRYPT_COST", "12"), ("ACCESS_TOKEN_EXPIRE_MINUTES", "1440"), ("RATE_LIMIT_PER_MINUTE", "0")]
        {
            command.env(name, value);
        }
        command
    }

    fn finish(&self, mut command: Command, input: &str) -> anyhow::Result<()> {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{STOCKROOM} cannot be started"))?;
        if let Some(mut stdin) = child.stdin.take() {
            writeln!(stdin, "{input}")?;
        }
        let done = child.wait_with_output()?;
        anyhow::ensure!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    /// Imports a file; how long it took.
    pub fn load(&self, rows: &Path) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let mut command = self.command(&["import"]);
        command.arg(rows);
        self.finish(command, "")?;
        Ok(begun.elapsed())
    }

    /// A copy of the SQLite file; no server may run.
    pub fn copy_database(&self) -> anyhow::Result<PathBuf> {
        let copy = self.folder.join("plain.db");
        fs::copy(self.folder.join("stockroom.db"), &copy)?;
        // Its dirty pages are not to be the first sync's burden.
        File::open(&copy)?.sync_all()?;
        Ok(copy)
    }

    /// Starts the server; with a file, under strace, which writes each sync into it.
    pub fn start(&self, traced: Option<&Path>) -> anyhow::Result<Running> {
        let mut command = match traced {
            None => self.command(&["serve"]),
            Some(log) => {
                // The filter is the kernel's, so that nothing but the syncs is slowed down; the tracer is
                // not between the server and us (-D).
                let mut strace = Command::new("/usr/bin/strace");
                strace.args(["-D", "-f", "--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o"]);
                strace.arg(log).arg(STOCKROOM);
                self.dressed(strace, &["serve"])
            }
        };
        command.stderr(File::create(self.folder.join("server.log"))?);
        Running::start(command).with_context(|| fs::read_to_string(self.folder.join("server.log")).unwrap_or_default())
    }
}

/// Writes rows like those of the diamonds.
pub fn write_items(file: &Path, count: u64) -> anyhow::Result<()> {
    const CUTS: [&str; 5] = ["Ideal", "Premium", "Good", "Very Good", "Fair"];
    let mut rows = csv::Writer::from_path(file)?;
    rows.write_record(["sku", "name", "description", "price", "currency", "category", "is_active"])?;
    for (n, cut) in (1..=count).zip(CUTS.iter().cycle()) {
        let (carat, colour) = (20 + n % 300, char::from(b'D' + u8::try_from(n % 7)?));
        rows.write_record([
            format!("L-{n:07}").as_str(),
            &format!("{}.{:02} ct {cut} diamond, colour {colour}", carat / 100, carat % 100),
            &format!("Clarity VS{}; depth 6{}.5%, table 5{}%; 3.95 x 3.98 x 2.43 mm", n % 2 + 1, n % 4, n % 9),
            &(300 + n * 7_919 % 18_000).to_string(),
            "USD",
            cut,
            // A few are hidden, as in any catalogue.
            if n % 100 == 0 { "false" } else { "true" },
        ])?;
    }
    rows.flush()?;
    Ok(())
}
