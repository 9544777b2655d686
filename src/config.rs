//! Every setting, read once at start and checked as a whole: the environment first, then `.env`, then the
//! default. Whatever is wrong is reported together, each with its name, its form and the reason.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng as _;

/// What is known of one setting beside its value.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The name of the environment variable.
    pub name: &'static str,
    /// The default as it would be written; empty for none.
    pub default: &'static str,
    /// What a value looks like.
    pub form: &'static str,
    /// What it is for.
    pub purpose: &'static str,
}

const fn setting(name: &'static str, default: &'static str, form: &'static str, purpose: &'static str) -> Setting {
    Setting { name, default, form, purpose }
}

/// All settings, in the order in which they are shown.
pub const SETTINGS: &[Setting] = &[
    setting("APP_NAME", "Stockroom", "1 to 60 characters", "The name that the pages and tokens carry"),
    setting("HOST", "127.0.0.1", "an IP address", "The address to listen on"),
    setting("PORT", "8080", "0 to 65535; 0 takes a free one", "The port to listen on"),
    setting(
        "BASE_URL",
        "",
        "an http or https URL without a path",
        "Where the world finds this server; https makes cookies Secure",
    ),
    setting(
        "DATABASE_URL",
        "",
        "sqlite://path or postgres://user:password@host/name",
        "The database; by default stockroom.db in DATA_DIR",
    ),
    setting("DATABASE_POOL_SIZE", "16", "1 to 200", "Connections to PostgreSQL"),
    setting("DATA_DIR", "data", "a folder", "Where the SQLite file and the secret key lie"),
    setting(
        "SECRET_KEY",
        "",
        "at least 32 characters",
        "Signs tokens and cursors; made and kept in DATA_DIR when absent",
    ),
    setting("ACCESS_TOKEN_EXPIRE_MINUTES", "30", "1 to 1440", "How long an access token is good"),
    setting("SESSION_IDLE_MINUTES", "30", "1 to 1440", "After how long without use a browser session ends"),
    setting("SESSION_MAX_HOURS", "12", "1 to 720", "After how long a browser session ends in any case"),
    setting("BCRYPT_COST", "12", "4 to 15", "The work for hashing a password; each step doubles it"),
    setting("PUBLIC_READ", "true", "true or false", "Whether anonymous callers may read active items and categories"),
    setting(
        "REQUIRE_IF_MATCH",
        "false",
        "true or false",
        "Whether a write to what has a version needs If-Match (428 without)",
    ),
    setting("CORS_ORIGINS", "", "origins, separated by commas", "Which other sites' scripts may use the API"),
    setting("WORKERS", "", "1 to 256", "Threads that answer requests; by default one a core"),
    setting("RUST_LOG", "info", "a filter of env_logger", "What is logged"),
    setting("LOG_FORMAT", "text", "text or json", "How a log line looks"),
];

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The process's environment.
    Environment,
    /// The file `.env` in the current folder.
    DotEnv,
    /// Nothing was set.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "environment",
            Self::DotEnv => ".env",
            Self::Default => "default",
        })
    }
}

/// What was set, before it is understood.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    environment: HashMap<String, String>,
    dot_env: HashMap<String, String>,
}

impl Sources {
    /// The process's environment and the `.env` of the current folder.
    ///
    /// # Errors
    /// When there is a `.env` that cannot be read.
    pub fn from_process() -> Result<Self, Problems> {
        let mut sources = Self { environment: std::env::vars().collect(), dot_env: HashMap::new() };
        match dotenvy::from_path_iter(".env") {
            Ok(entries) => {
                for entry in entries {
                    let (name, value) = entry.map_err(|e| Problems(vec![format!(".env: {e}")]))?;
                    sources.dot_env.insert(name, value);
                }
            }
            Err(error) if error.not_found() => {}
            Err(error) => return Err(Problems(vec![format!(".env: {error}")])),
        }
        Ok(sources)
    }

    /// The value of a setting as it was written, and where. Set but empty counts as not set.
    pub fn get(&self, setting: &Setting) -> (String, Origin) {
        let set = |from: &HashMap<String, String>| {
            from.get(setting.name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
        };
        if let Some(value) = set(&self.environment) {
            (value, Origin::Environment)
        } else if let Some(value) = set(&self.dot_env) {
            (value, Origin::DotEnv)
        } else {
            (setting.default.to_owned(), Origin::Default)
        }
    }
}

/// All that is wrong with the settings, a line each.
#[derive(Debug)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

/// Which database.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A server: the whole URL, with its password.
    Postgres(String),
}

impl DatabaseUrl {
    /// The URL's scheme decides.
    ///
    /// # Errors
    /// Says which schemes there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")) {
            return if path.is_empty() || path.contains(":memory:") || path.contains('?') {
                Err("names no file".to_owned())
            } else {
                Ok(Self::Sqlite(PathBuf::from(path)))
            };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let url = url::Url::parse(text).map_err(|e| e.to_string())?;
            let tls = url.query_pairs().any(|(k, v)| k == "sslmode" && (v.starts_with("verify") || v == "require"));
            if tls && !cfg!(feature = "postgres-tls") {
                return Err("asks for TLS, which this binary was built without (feature postgres-tls)".to_owned());
            }
            return Ok(Self::Postgres(text.to_owned()));
        }
        Err("has a scheme that is not known; there are sqlite and postgres".to_owned())
    }

    /// For people: without the password.
    pub fn masked(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(text) => mask_password(text),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

fn mask_password(text: &str) -> String {
    match url::Url::parse(text) {
        Ok(mut url) => {
            if url.password().is_some() && url.set_password(Some("***")).is_err() {
                return "***".to_owned();
            }
            let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
            if pairs.iter().any(|(name, _)| name == "password") {
                url.query_pairs_mut()
                    .clear()
                    .extend_pairs(pairs.iter().map(|(k, v)| (k, if k == "password" { "***" } else { v })));
            }
            url.to_string()
        }
        Err(_) => "***".to_owned(),
    }
}

/// A secret that neither `Debug` nor a log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object a line.
    Json,
}

/// Every setting, understood.
#[derive(Debug, Clone)]
pub struct Config {
    /// `APP_NAME`
    pub app_name: String,
    /// `HOST`
    pub host: IpAddr,
    /// `PORT`
    pub port: u16,
    /// `BASE_URL`, without a slash at the end
    pub base_url: Option<String>,
    /// `DATABASE_URL`
    pub database: DatabaseUrl,
    /// `DATABASE_POOL_SIZE`
    pub pool_size: u32,
    /// `DATA_DIR`
    pub data_dir: PathBuf,
    /// `SECRET_KEY`; absent until [`Config::secret`] made one
    pub secret_key: Option<Secret>,
    /// `ACCESS_TOKEN_EXPIRE_MINUTES`
    pub access_token_minutes: u32,
    /// `SESSION_IDLE_MINUTES`
    pub session_idle_minutes: u32,
    /// `SESSION_MAX_HOURS`
    pub session_max_hours: u32,
    /// `BCRYPT_COST`
    pub bcrypt_cost: u32,
    /// `PUBLIC_READ`
    pub public_read: bool,
    /// `REQUIRE_IF_MATCH`
    pub require_if_match: bool,
    /// `CORS_ORIGINS`
    pub cors_origins: Vec<String>,
    /// `WORKERS`
    pub workers: usize,
    /// `RUST_LOG`
    pub log_filter: String,
    /// `LOG_FORMAT`
    pub log_format: LogFormat,
}

/// Reads settings one by one and collects what is wrong.
struct Reader<'s> {
    sources: &'s Sources,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn read<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let Some(setting) = SETTINGS.iter().find(|s| s.name == name) else {
            self.problems.push(format!("{name}: is not a setting"));
            return None;
        };
        let (text, origin) = self.sources.get(setting);
        match parse(&text) {
            Ok(value) => Some(value),
            Err(reason) => {
                let shown = shown_value(setting, &text);
                self.problems.push(format!("{name}: {shown} (from {origin}) {reason}; it must be {}", setting.form));
                None
            }
        }
    }

    fn number<T: TryFrom<u64>>(&mut self, name: &str, min: u64, max: u64) -> Option<T> {
        self.read(name, |text| {
            let number: u64 = text.parse().map_err(|_| "is not a whole number".to_owned())?;
            if number < min || number > max {
                return Err("is out of range".to_owned());
            }
            T::try_from(number).map_err(|_| "is out of range".to_owned())
        })
    }

    fn boolean(&mut self, name: &str) -> Option<bool> {
        self.read(name, |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err("is neither true nor false".to_owned()),
        })
    }
}

impl Config {
    /// Understands what was set.
    ///
    /// # Errors
    /// All that is wrong, at once.
    pub fn load(sources: &Sources) -> Result<Self, Problems> {
        let mut r = Reader { sources, problems: Vec::new() };
        let app_name = r.read("APP_NAME", |text| {
            let length = text.chars().count();
            let fits = (1..=60).contains(&length) && !text.chars().any(char::is_control);
            if fits { Ok(text.to_owned()) } else { Err("does not fit".to_owned()) }
        });
        let host = r.read("HOST", |text| text.parse::<IpAddr>().map_err(|_| "is not an IP address".to_owned()));
        let port = r.number("PORT", 0, 65_535);
        let base_url = r.read("BASE_URL", parse_base_url);
        let data_dir = r.read("DATA_DIR", |text| Ok(PathBuf::from(text)));
        let database = r.read("DATABASE_URL", |text| match (text, &data_dir) {
            ("", Some(folder)) => Ok(DatabaseUrl::Sqlite(folder.join("stockroom.db"))),
            (text, _) => DatabaseUrl::parse(text),
        });
        let pool_size = r.number("DATABASE_POOL_SIZE", 1, 200);
        let secret_key = r.read("SECRET_KEY", |text| match text.len() {
            0 => Ok(None),
            1..32 => Err("is too short".to_owned()),
            _ => Ok(Some(Secret(text.as_bytes().to_vec()))),
        });
        let access_token_minutes = r.number("ACCESS_TOKEN_EXPIRE_MINUTES", 1, 1440);
        let session_idle_minutes = r.number("SESSION_IDLE_MINUTES", 1, 1440);
        let session_max_hours = r.number("SESSION_MAX_HOURS", 1, 720);
        let bcrypt_cost = r.number("BCRYPT_COST", 4, 15);
        let public_read = r.boolean("PUBLIC_READ");
        let require_if_match = r.boolean("REQUIRE_IF_MATCH");
        let cors_origins = r.read("CORS_ORIGINS", parse_origins);
        let workers = r.read("WORKERS", |text| match text {
            "" => Ok(std::thread::available_parallelism().map_or(1, std::num::NonZero::get)),
            text => match text.parse::<usize>() {
                Ok(n @ 1..=256) => Ok(n),
                Ok(_) => Err("is out of range".to_owned()),
                Err(_) => Err("is not a whole number".to_owned()),
            },
        });
        let log_filter = r.read("RUST_LOG", |text| Ok(text.to_owned()));
        let log_format = r.read("LOG_FORMAT", |text| match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err("is not known".to_owned()),
        });
        let problems = r.problems;
        let whole = move || {
            Some(Self {
                app_name: app_name?,
                host: host?,
                port: port?,
                base_url: base_url?,
                database: database?,
                pool_size: pool_size?,
                data_dir: data_dir?,
                secret_key: secret_key?,
                access_token_minutes: access_token_minutes?,
                session_idle_minutes: session_idle_minutes?,
                session_max_hours: session_max_hours?,
                bcrypt_cost: bcrypt_cost?,
                public_read: public_read?,
                require_if_match: require_if_match?,
                cors_origins: cors_origins?,
                workers: workers?,
                log_filter: log_filter?,
                log_format: log_format?,
            })
        };
        if problems.is_empty() { whole().ok_or(Problems(problems)) } else { Err(Problems(problems)) }
    }

    /// Whether the world reaches this server by https.
    pub fn is_https(&self) -> bool {
        self.base_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }

    /// The secret key: the one that is set, or the one kept in the data folder, made at the first start.
    ///
    /// # Errors
    /// When the file can be neither read nor made.
    pub fn secret(&self) -> Result<Secret, Problems> {
        if let Some(secret) = &self.secret_key {
            return Ok(secret.clone());
        }
        let path = self.data_dir.join("secret.key");
        kept_secret(&self.data_dir, &path)
            .map_err(|error| Problems(vec![format!("SECRET_KEY: {} cannot be used: {error}", path.display())]))
    }
}

fn kept_secret(folder: &Path, path: &Path) -> std::io::Result<Secret> {
    fs::create_dir_all(folder)?;
    let mut bytes = [0_u8; 48];
    rand::rng().fill_bytes(&mut bytes);
    // Two processes that start at once must end with the same key: each writes a file of its own, and the
    // link of the first one wins.
    let own = folder.join(format!("secret.key.{}", std::process::id()));
    if !path.exists() {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&own)?;
        file.write_all(URL_SAFE_NO_PAD.encode(bytes).as_bytes())?;
        file.sync_all()?;
        let linked = fs::hard_link(&own, path);
        fs::remove_file(&own)?;
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
            _ => fs::File::open(folder)?.sync_all()?,
        }
    }
    let text = fs::read_to_string(path)?;
    let text = text.trim();
    if text.len() < 32 {
        return Err(std::io::Error::other("it holds fewer than 32 characters"));
    }
    Ok(Secret(text.as_bytes().to_vec()))
}

fn parse_base_url(text: &str) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let url = url::Url::parse(text).map_err(|e| e.to_string())?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.host_str().is_some()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if plain { Ok(Some(url.origin().ascii_serialization())) } else { Err("does not fit".to_owned()) }
}

fn parse_origins(text: &str) -> Result<Vec<String>, String> {
    let origins = text.split(',').map(str::trim).filter(|o| !o.is_empty());
    origins
        .map(|origin| match parse_base_url(origin) {
            Ok(Some(origin)) => Ok(origin),
            _ => Err(format!("names {origin:?}, which is not an origin such as https://shop.example")),
        })
        .collect()
}

/// A value as a person may see it: secrets masked.
pub fn shown_value(setting: &Setting, text: &str) -> String {
    match setting.name {
        _ if text.is_empty() => "(not set)".to_owned(),
        "SECRET_KEY" => "***".to_owned(),
        name if name.ends_with("_URL") && name != "BASE_URL" => match DatabaseUrl::parse(text) {
            Ok(url) => url.masked(),
            Err(_) => mask_password(text),
        },
        _ => text.to_owned(),
    }
}
