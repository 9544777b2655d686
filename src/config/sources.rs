//! What can be set, what each setting is for, and where its value comes from.

use std::collections::HashMap;
use std::fmt;

use super::Problems;
use super::database_url::{DatabaseUrl, mask_password};

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
    setting("DATA_DIR", "data", "a folder", "Where the SQLite file, the secret key and the uploads lie"),
    setting(
        "SECRET_KEY",
        "",
        "at least 32 characters",
        "Signs tokens and cursors; made and kept in DATA_DIR when absent",
    ),
    setting(
        "SECRET_KEY_PREVIOUS",
        "",
        "at least 32 characters",
        "The key before this one: tokens that it has signed are good until they expire",
    ),
    setting("ACCESS_TOKEN_EXPIRE_MINUTES", "30", "1 to 1440", "How long an access token is good"),
    setting("REFRESH_TOKEN_EXPIRE_DAYS", "30", "1 to 365", "How long a refresh token is good"),
    setting("SESSION_IDLE_MINUTES", "30", "1 to 1440", "After how long without use a browser session ends"),
    setting("SESSION_MAX_HOURS", "12", "1 to 720", "After how long a browser session ends in any case"),
    setting("BCRYPT_COST", "12", "4 to 15", "The work for hashing a password; each step doubles it"),
    setting(
        "PUBLIC_READ",
        "true",
        "true or false",
        "Whether anonymous callers may read active items, categories and published posts",
    ),
    setting(
        "REQUIRE_IF_MATCH",
        "false",
        "true or false",
        "Whether a write to what has a version needs If-Match (428 without)",
    ),
    setting(
        "SMTP_URL",
        "",
        "smtp://user:password@host:port?tls=required, or smtps://…",
        "The server that mail goes out by; without one it lies in DATA_DIR/mail",
    ),
    setting(
        "MAIL_FROM",
        "Stockroom <stockroom@localhost>",
        "an address, with or without a name",
        "Whom mail comes from",
    ),
    setting("CORS_ORIGINS", "", "origins, separated by commas", "Which other sites' scripts may use the API"),
    setting(
        "TRUSTED_PROXIES",
        "",
        "IP addresses and networks (10.0.0.0/8), separated by commas",
        "Whose X-Forwarded-For says where a request comes from",
    ),
    setting(
        "RATE_LIMIT_PER_MINUTE",
        "60",
        "0 to 1000000",
        "Requests a minute of an address that nobody signed in from; ten times as many of a user; 0 for no limit",
    ),
    setting(
        "REDIS_URL",
        "",
        "redis://[user:password@]host[:port][/number] or unix:///path",
        "Where several servers count limits together; without it each counts for itself",
    ),
    setting(
        "WEBHOOK_ALLOW_PRIVATE",
        "false",
        "true or false",
        "Whether webhooks may lead into private networks, and to ports below 1024 other than 80 and 443",
    ),
    setting("MAX_UPLOAD_BYTES", "10485760", "1024 to 1099511627776", "How large an upload may be; by default 10 MiB"),
    setting(
        "UPLOAD_QUOTA_BYTES",
        "1073741824",
        "0 to 1125899906842624",
        "How much a user's uploads may take; by default 1 GiB, 0 for no limit",
    ),
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
                    let (name, value) = entry.map_err(|e| unreadable(&e))?;
                    sources.dot_env.insert(name, value);
                }
            }
            Err(error) if error.not_found() => {}
            Err(error) => return Err(unreadable(&error)),
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

/// What is wrong with `.env`, without showing what it says: it holds secrets.
fn unreadable(error: &dotenvy::Error) -> Problems {
    let reason = match error {
        dotenvy::Error::LineParse(part, _) => {
            // The error has only a part of the line; its name is in the file.
            let file = std::fs::read_to_string(".env").unwrap_or_default();
            let part = part.lines().next().unwrap_or_default().trim();
            let line = file.lines().find(|line| !part.is_empty() && line.contains(part)).unwrap_or_default();
            let name = line.split('=').next().unwrap_or_default().trim_start_matches("export ").trim();
            let plain =
                !name.is_empty() && name.len() < 60 && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
            let which = if plain { format!("the value of {name}") } else { "a line".to_owned() };
            format!("{which} cannot be read; it must be NAME=value, in single quotes if it has spaces, # or $")
        }
        dotenvy::Error::Io(error) => format!("it cannot be read: {error}"),
        _ => "it cannot be read".to_owned(),
    };
    Problems(vec![format!(".env: {reason}")])
}

/// A value as a person may see it: secrets masked.
pub fn shown_value(setting: &Setting, text: &str) -> String {
    match setting.name {
        _ if text.is_empty() => "(not set)".to_owned(),
        "SECRET_KEY" | "SECRET_KEY_PREVIOUS" => "***".to_owned(),
        name if name.ends_with("_URL") && name != "BASE_URL" => match DatabaseUrl::parse(text) {
            Ok(url) => url.masked(),
            Err(_) => mask_password(text),
        },
        _ => text.to_owned(),
    }
}
