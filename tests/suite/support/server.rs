//! A place (temporary folder, database, environment) and the real binary run in it.

use super::{Db, Kind, http::Call, postgres, wait_for};
use serde_json::json;
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_stockroom");
pub const PASSWORD: &str = "Correct1horse";
pub const SECRET: &str = "5f0c1e6e0b7d4c2f9a8b7c6d5e4f30215f0c1e6e0b7d4c2f9a8b7c6d5e4f3021";

/// The users of a furnished place. Their ids are 1, 2, 3, 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    Admin,
    User,
    Other,
    Guest,
}

impl Who {
    pub const ALL: [Who; 4] = [Who::Admin, Who::User, Who::Other, Who::Guest];

    pub fn username(self) -> &'static str {
        match self {
            Who::Admin => "ada_admin",
            Who::User => "uma_user",
            Who::Other => "otto_other",
            Who::Guest => "gil_guest",
        }
    }

    pub fn email(self) -> String {
        format!("{}@example.com", self.username())
    }

    pub fn role(self) -> &'static str {
        match self {
            Who::Admin => "admin",
            Who::User | Who::Other => "user",
            Who::Guest => "guest",
        }
    }

    pub fn id(self) -> i64 {
        1 + Who::ALL.iter().position(|w| *w == self).unwrap() as i64
    }
}

/// What a command of the binary left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    #[track_caller]
    pub fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "exit code; stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The lines on stderr that are not log lines of a lower level.
    pub fn complaints(&self) -> Vec<&str> {
        self.stderr.lines().filter(|l| !l.trim().is_empty()).collect()
    }

    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// A folder, a database and an environment; dropped, all of it is gone.
pub struct Place {
    pub kind: Kind,
    pub dir: TempDir,
    pub database_url: String,
    env: Vec<(String, String)>,
    postgres_name: Option<String>,
}

impl Place {
    /// A database without a schema, no user.
    pub fn empty(kind: Kind) -> Place {
        let dir = tempfile::Builder::new().prefix("stockroom-test-").tempdir().unwrap();
        std::fs::create_dir(dir.path().join("data")).unwrap();
        let (database_url, postgres_name) = match kind {
            Kind::Sqlite => (format!("sqlite://{}", dir.path().join("data/stockroom.db").display()), None),
            Kind::Postgres => {
                let name = postgres::create_database(None);
                (postgres::url_of(&name), Some(name))
            }
        };
        Place { kind, dir, database_url, env: Vec::new(), postgres_name }
    }

    /// A migrated database with the four users of [`Who`], copied from a template that the binary made.
    pub fn furnished(kind: Kind) -> Place {
        match kind {
            Kind::Sqlite => {
                let place = Place::empty(kind);
                std::fs::copy(sqlite_template(), place.database_file()).unwrap();
                place
            }
            Kind::Postgres => {
                let name = postgres::create_database(Some(postgres::template(furnish)));
                let dir = tempfile::Builder::new().prefix("stockroom-test-").tempdir().unwrap();
                std::fs::create_dir(dir.path().join("data")).unwrap();
                Place { kind, dir, database_url: postgres::url_of(&name), env: Vec::new(), postgres_name: Some(name) }
            }
        }
    }

    /// A folder of its own on the same database, which the first one drops: for a second server.
    pub fn beside(&self) -> Place {
        let dir = tempfile::Builder::new().prefix("stockroom-test-").tempdir().unwrap();
        std::fs::create_dir(dir.path().join("data")).unwrap();
        Place {
            kind: self.kind,
            dir,
            database_url: self.database_url.clone(),
            env: self.env.clone(),
            postgres_name: None,
        }
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Place {
        self.set(name, value);
        self
    }

    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.env.retain(|(n, _)| n != name);
        self.env.push((name.into(), value.into()));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn database_file(&self) -> PathBuf {
        self.path("data/stockroom.db")
    }

    pub fn db(&self) -> Db {
        Db::open(&self.database_url)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(args).current_dir(self.dir.path()).env_clear();
        for name in ["PATH", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("HOME", self.dir.path())
            .env("DATABASE_URL", &self.database_url)
            .env("DATA_DIR", self.path("data"))
            .env("HOST", "127.0.0.1")
            .env("PORT", "0")
            .env("SECRET_KEY", SECRET)
            .env("BCRYPT_COST", "4")
            .env("RATE_LIMIT_PER_MINUTE", "0");
        for (name, value) in &self.env {
            if value == "(unset)" {
                command.env_remove(name);
            } else {
                command.env(name, value);
            }
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_with_input(args, b"")
    }

    pub fn run_with_input(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut child =
            self.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let feeder = std::thread::spawn(move || {
            let _ = stdin.write_all(&input); // the command may end without reading all
        });
        let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            err.read_to_end(&mut text).unwrap();
            text
        });
        // A server that starts where it should have refused must not hang the suite.
        let deadline = Instant::now() + Duration::from_secs(300);
        let (done, watched) = std::sync::mpsc::channel::<()>();
        let pid = rustix::process::Pid::from_child(&child);
        let watch = std::thread::spawn(move || {
            if watched
                .recv_timeout(deadline - Instant::now())
                .is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        });
        let mut stdout = Vec::new();
        out.read_to_end(&mut stdout).unwrap();
        let status = child.wait().unwrap();
        drop(done);
        watch.join().unwrap();
        feeder.join().unwrap();
        Ran {
            code: status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&errors.join().unwrap()).into_owned(),
        }
    }

    pub fn user(&self, email: &str, username: &str, role: &str) -> i64 {
        let args = ["user", "create", "--email", email, "--username", username, "--role", role, "--password-stdin"];
        let ran = self.run_with_input(&args, format!("{PASSWORD}\n").as_bytes()).expect(0);
        ran.stdout.trim().parse().unwrap_or_else(|_| panic!("`user create` prints the id, not {:?}", ran.stdout))
    }

    /// A server that must refuse to start.
    pub fn refuses(&self) -> Ran {
        self.run(&["serve"])
    }

    pub fn serve(self) -> Server {
        Server::start(self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(name) = &self.postgres_name {
            postgres::drop_database(name);
        }
    }
}

fn furnish(database_url: &str) {
    let mut place = Place::empty(Kind::Sqlite);
    place.database_url = database_url.to_owned();
    place.run(&["migrate", "run"]).expect(0);
    for who in Who::ALL {
        assert_eq!(place.user(&who.email(), who.username(), who.role()), who.id());
    }
}

fn sqlite_template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        // One file a build of the binary, shared by all test processes, put in place by a rename.
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("furnished-{}.db", binary_stamp()));
        if !file.exists() {
            let mut place = Place::empty(Kind::Sqlite);
            place.database_url = format!("sqlite://{}", place.database_file().display());
            furnish(&place.database_url);
            let mut db = place.db();
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)");
            drop(db);
            let draft = file.with_extension(format!("{}.draft", std::process::id()));
            std::fs::copy(place.database_file(), &draft).unwrap();
            std::fs::rename(draft, &file).unwrap();
        }
        file
    })
}

/// Names a build of the binary.
pub fn binary_stamp() -> String {
    let meta = std::fs::metadata(BINARY).unwrap();
    let made = meta.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{:x}_{:x}", made.as_nanos(), meta.len())
}

/// The binary, serving.
pub struct Server {
    pub place: Option<Place>,
    pub url: String,
    pub port: u16,
    child: Mutex<Child>,
    lines: Arc<Mutex<Vec<String>>>,
    client: reqwest::blocking::Client,
    tokens: Mutex<HashMap<Who, String>>,
}

impl Server {
    pub fn start(place: Place) -> Server {
        // The client of the tests is built with the product's, which brings TLS without saying whose.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let mut child = place
            .command(&["serve"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let out = listen(child.stdout.take().unwrap(), lines.clone());
        listen(child.stderr.take().unwrap(), lines.clone());
        let url = wait_for("the line `Listening on …`", Duration::from_secs(60), || {
            let seen = lines.lock().unwrap();
            let found = seen.iter().find_map(|l| l.split("Listening on ").nth(1).map(|u| u.trim().to_owned()));
            if found.is_none() && out.is_finished() {
                panic!("the server ended instead of listening:\n{}", seen.join("\n"));
            }
            found
        });
        let port = url.rsplit(':').next().unwrap().trim_end_matches('/').parse().unwrap();
        let client = reqwest::blocking::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            // The server closes what is idle for 5 s; a request must not meet that.
            .pool_idle_timeout(Duration::from_secs(2))
            .timeout(Duration::from_secs(30))
            .no_proxy()
            .build()
            .unwrap();
        let tokens = Mutex::new(HashMap::new());
        Server {
            place: Some(place),
            url: url.trim_end_matches('/').to_owned(),
            port,
            child: Mutex::new(child),
            lines,
            client,
            tokens,
        }
    }

    pub fn place(&self) -> &Place {
        self.place.as_ref().unwrap()
    }

    pub fn db(&self) -> Db {
        self.place().db()
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.place().run(args)
    }

    /// All that the server has printed so far.
    pub fn printed(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// With `BASE_URL`, to the host that it names: for others the server is not.
    pub fn call(&self, method: &str, path: &str) -> Call<'_> {
        let call = Call::new(&self.client, method, format!("{}{path}", self.url));
        let base_url = self.place().env.iter().find(|(name, _)| name == "BASE_URL");
        match base_url.and_then(|(_, url)| url.split_once("://")) {
            Some((_, host)) => call.header("host", host),
            None => call,
        }
    }

    pub fn get(&self, path: &str) -> Call<'_> {
        self.call("GET", path)
    }

    pub fn post(&self, path: &str) -> Call<'_> {
        self.call("POST", path)
    }

    /// A token of one of the four users.
    pub fn token(&self, who: Who) -> String {
        if let Some(token) = self.tokens.lock().unwrap().get(&who) {
            return token.clone();
        }
        let token = self.login(who.username(), PASSWORD);
        self.tokens.lock().unwrap().insert(who, token.clone());
        token
    }

    pub fn login(&self, username: &str, password: &str) -> String {
        let body = json!({"username": username, "password": password});
        let answer = self.post("/api/v1/auth/login").json(&body).send().expect(200);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub fn as_who(&self, who: Who) -> As<'_> {
        As { server: self, token: self.token(who) }
    }

    pub fn admin(&self) -> As<'_> {
        self.as_who(Who::Admin)
    }

    pub fn user(&self) -> As<'_> {
        self.as_who(Who::User)
    }

    /// Sends these bytes and reads until the other side closes (ask for `Connection: close`).
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub fn pid(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    /// `kill -9`, while others hold the server.
    pub fn strike_dead(&self) {
        self.child.lock().unwrap().kill().unwrap();
    }

    /// `kill -9`; the place stays.
    pub fn kill(mut self) -> Place {
        let child = self.child.get_mut().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        self.place.take().unwrap()
    }

    /// SIGTERM; answers the exit code and the place.
    pub fn stop(mut self) -> (i32, Place) {
        let child = self.child.get_mut().unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::TERM).unwrap();
        let status = wait_for("the end after SIGTERM", Duration::from_secs(20), || child.try_wait().unwrap());
        (status.code().unwrap_or(-1), self.place.take().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        let _ = child.kill();
        let _ = child.wait();
        if std::thread::panicking() {
            let lines = self.lines.lock().unwrap();
            let from = lines.len().saturating_sub(40);
            eprintln!("--- the server's last lines ---\n{}\n---", lines[from..].join("\n"));
        }
    }
}

fn listen(from: impl Read + Send + 'static, to: Arc<Mutex<Vec<String>>>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { return };
            to.lock().unwrap().push(line);
        }
    })
}

/// A server, seen with somebody's token.
pub struct As<'a> {
    pub server: &'a Server,
    pub token: String,
}

impl<'a> As<'a> {
    pub fn call(&self, method: &str, path: &str) -> Call<'a> {
        self.server.call(method, path).bearer(&self.token)
    }

    pub fn get(&self, path: &str) -> Call<'a> {
        self.call("GET", path)
    }

    pub fn post(&self, path: &str, body: &serde_json::Value) -> Call<'a> {
        self.call("POST", path).json(body)
    }

    pub fn put(&self, path: &str, body: &serde_json::Value) -> Call<'a> {
        self.call("PUT", path).json(body)
    }

    pub fn patch(&self, path: &str, body: &serde_json::Value) -> Call<'a> {
        self.call("PATCH", path).json(body)
    }

    pub fn delete(&self, path: &str) -> Call<'a> {
        self.call("DELETE", path)
    }
}
