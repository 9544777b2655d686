//! Which database: the URL's scheme decides.

use std::fmt;
use std::path::PathBuf;

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

/// A URL without its password.
pub fn mask_password(text: &str) -> String {
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
