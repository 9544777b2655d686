//! Every setting, read once at start and checked as a whole: the environment first, then `.env`, then the
//! default. Whatever is wrong is reported together, each with its name, its form and the reason.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

mod database_url;
mod redis_url;
mod smtp_url;
mod sources;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;
use lettre::message::Mailbox;
use rand::Rng as _;

pub use database_url::DatabaseUrl;
pub use redis_url::RedisUrl;
pub use smtp_url::SmtpUrl;
pub use sources::{Origin, SETTINGS, Setting, Sources, shown_value};

/// All that is wrong with the settings, a line each.
#[derive(Debug)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

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
    /// `SECRET_KEY_PREVIOUS`
    pub secret_key_previous: Option<Secret>,
    /// `ACCESS_TOKEN_EXPIRE_MINUTES`
    pub access_token_minutes: u32,
    /// `REFRESH_TOKEN_EXPIRE_DAYS`
    pub refresh_token_days: u32,
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
    /// `SMTP_URL`
    pub smtp_url: Option<SmtpUrl>,
    /// `MAIL_FROM`
    pub mail_from: Mailbox,
    /// `CORS_ORIGINS`
    pub cors_origins: Vec<String>,
    /// `TRUSTED_PROXIES`
    pub trusted_proxies: Vec<IpNet>,
    /// `RATE_LIMIT_PER_MINUTE`; 0 for no limit
    pub rate_limit_per_minute: u32,
    /// `REDIS_URL`
    pub redis_url: Option<RedisUrl>,
    /// `WEBHOOK_ALLOW_PRIVATE`
    pub webhook_allow_private: bool,
    /// `MAX_UPLOAD_BYTES`
    pub max_upload_bytes: usize,
    /// `UPLOAD_QUOTA_BYTES`; 0 for no limit
    pub upload_quota_bytes: i64,
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
        let secret_key = r.read("SECRET_KEY", parse_secret);
        let secret_key_previous = r.read("SECRET_KEY_PREVIOUS", parse_secret);
        let access_token_minutes = r.number("ACCESS_TOKEN_EXPIRE_MINUTES", 1, 1440);
        let refresh_token_days = r.number("REFRESH_TOKEN_EXPIRE_DAYS", 1, 365);
        let session_idle_minutes = r.number("SESSION_IDLE_MINUTES", 1, 1440);
        let session_max_hours = r.number("SESSION_MAX_HOURS", 1, 720);
        let bcrypt_cost = r.number("BCRYPT_COST", 4, 15);
        let public_read = r.boolean("PUBLIC_READ");
        let require_if_match = r.boolean("REQUIRE_IF_MATCH");
        let smtp_url =
            r.read("SMTP_URL", |text| if text.is_empty() { Ok(None) } else { SmtpUrl::parse(text).map(Some) });
        let mail_from =
            r.read("MAIL_FROM", |text| text.parse().map_err(|e: lettre::address::AddressError| e.to_string()));
        let cors_origins = r.read("CORS_ORIGINS", parse_origins);
        let trusted_proxies = r.read("TRUSTED_PROXIES", parse_networks);
        let rate_limit_per_minute = r.number("RATE_LIMIT_PER_MINUTE", 0, 1_000_000);
        let redis_url = r.read("REDIS_URL", RedisUrl::parse);
        let webhook_allow_private = r.boolean("WEBHOOK_ALLOW_PRIVATE");
        let max_upload_bytes = r.number("MAX_UPLOAD_BYTES", 1_024, 1 << 40);
        let upload_quota_bytes = r.number("UPLOAD_QUOTA_BYTES", 0, 1 << 50);
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
                secret_key_previous: secret_key_previous?,
                access_token_minutes: access_token_minutes?,
                refresh_token_days: refresh_token_days?,
                session_idle_minutes: session_idle_minutes?,
                session_max_hours: session_max_hours?,
                bcrypt_cost: bcrypt_cost?,
                public_read: public_read?,
                require_if_match: require_if_match?,
                smtp_url: smtp_url?,
                mail_from: mail_from?,
                cors_origins: cors_origins?,
                trusted_proxies: trusted_proxies?,
                rate_limit_per_minute: rate_limit_per_minute?,
                redis_url: redis_url?,
                webhook_allow_private: webhook_allow_private?,
                max_upload_bytes: max_upload_bytes?,
                upload_quota_bytes: upload_quota_bytes?,
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
            .map_err(|error| {
                let shown = path.display();
                Problems(vec![format!("DATA_DIR: the secret key {shown} can be neither read nor made: {error}; name a folder that can be written, or set SECRET_KEY")])
            })
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

fn parse_secret(text: &str) -> Result<Option<Secret>, String> {
    match text.len() {
        0 => Ok(None),
        1..32 => Err("is too short".to_owned()),
        _ => Ok(Some(Secret(text.as_bytes().to_vec()))),
    }
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

fn parse_networks(text: &str) -> Result<Vec<IpNet>, String> {
    let networks = text.split(',').map(str::trim).filter(|n| !n.is_empty());
    networks
        .map(|network| {
            let one = || network.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
            network
                .parse::<IpNet>()
                .or_else(|_| one())
                .map_err(|_| format!("names {network:?}, which is neither an address nor a network such as 10.0.0.0/8"))
        })
        .collect()
}
