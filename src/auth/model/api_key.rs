//! The words: an API key, what it may do, and its text.

use std::fmt;
use std::str::FromStr;

use chrono::DateTime;
use diesel::prelude::*;
use rand::Rng as _;
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::caller::{Caller, Role};
use crate::changes::{Entity, Recorded};
use crate::error::Error;
use crate::fields::{FieldErrors, Input, Raw};
use crate::time::Timestamp;

/// A key begins so, which tells it from every other kind of secret.
const PREFIX: &str = "sr_";
/// 256 random bits in hexadecimal.
const RANDOM_DIGITS: usize = 64;
/// A CRC-32 in hexadecimal.
const CHECK_DIGITS: usize = 8;
/// So many digits are shown, to tell one key from another.
const SHOWN_DIGITS: usize = 8;
/// How long a key is good that does not say, in days.
pub const USUAL_DAYS: i64 = 90;
/// How long a key may be good, in days.
pub const MOST_DAYS: i64 = 365;
/// What only the product sets.
const RESERVED: [&str; 6] = ["id", "key", "prefix", "last_used_at", "revoked_at", "created_at"];

/// What a key may do. Each holds those before it: `admin` also writes, `write` also reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// What `GET` answers to a user.
    Read,
    /// Every method, as a user at most.
    Write,
    /// All that its owner may, as an admin too.
    Admin,
}

impl Scope {
    /// All scopes, from least to most.
    pub const ALL: [Scope; 3] = [Scope::Read, Scope::Write, Scope::Admin];

    /// As it is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The most that keys of such a user may do.
    pub fn most_of(role: Role) -> Self {
        match role {
            Role::Admin => Self::Admin,
            Role::User => Self::Write,
            Role::Guest => Self::Read,
        }
    }

    /// The role that its owner acts in through such a key.
    pub fn role(self, owner: Role) -> Role {
        match (self, owner) {
            (Self::Read | Self::Write, Role::Admin) => Role::User,
            (_, role) => role,
        }
    }
}

impl FromStr for Scope {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(())
    }
}

/// The scopes of a key, each once, from least to most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// The scopes themselves.
    pub fn list(&self) -> &[Scope] {
        &self.0
    }

    /// What it comes to: the greatest holds the others.
    pub fn greatest(&self) -> Scope {
        self.0.iter().copied().max().unwrap_or(Scope::Read)
    }
}

/// As it is stored: `read,write`.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.0.iter().map(|scope| scope.as_str()).collect();
        f.write_str(&words.join(","))
    }
}

/// What the database holds is checked there; a word of a later version says nothing here.
impl From<String> for Scopes {
    fn from(text: String) -> Self {
        Self(text.split(',').filter_map(|word| word.parse().ok()).collect())
    }
}

/// A key as the database has it; what is written out is what clients and the audit log see: everything but
/// what opens the door.
#[derive(Debug, Clone, Queryable, Serialize)]
pub struct ApiKey {
    /// Its id.
    pub id: i64,
    /// Whose it is.
    pub user_id: i64,
    /// 1 to 100 characters.
    pub name: String,
    /// How it begins: enough to find it again, too little to guess the rest.
    pub prefix: String,
    /// What it may do.
    #[diesel(deserialize_as = String)]
    pub scopes: Scopes,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When somebody ended it.
    pub revoked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows when it is revoked.
    #[serde(skip)]
    pub version: i64,
}

impl Recorded for ApiKey {
    const ENTITY: Entity = Entity::ApiKey;
    fn id(&self) -> i64 {
        self.id
    }
    fn version(&self) -> i64 {
        self.version
    }
}

/// Who knows of a key: its owner, and admins.
pub fn may_see(caller: &Caller, key: &ApiKey) -> bool {
    caller.is_admin() || caller.user_id() == Some(key.user_id)
}

/// The text of a key: `sr_`, 256 random bits, and a CRC-32 of both, which finds typing mistakes, and secrets of
/// others, without asking the database.
#[derive(Clone)]
pub struct KeyText(String);

impl KeyText {
    /// A new one.
    pub fn random() -> Self {
        let mut bytes = [0_u8; RANDOM_DIGITS / 2];
        rand::rng().fill_bytes(&mut bytes);
        let text = format!("{PREFIX}{}", hex::encode(bytes));
        let check = checksum(&text);
        Self(text + &check)
    }

    /// What was sent, if it can be a key.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let hex = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let (body, check) = text.split_at_checked(PREFIX.len() + RANDOM_DIGITS)?;
        (hex && check.len() == CHECK_DIGITS && checksum(body) == check).then(|| Self(text.to_owned()))
    }

    /// Its beginning, to be shown.
    pub fn prefix(&self) -> &str {
        self.0.get(..PREFIX.len() + SHOWN_DIGITS).unwrap_or_default()
    }

    /// What the database knows it by.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }

    /// The text itself: for the answer that made it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.prefix())
    }
}

fn checksum(text: &str) -> String {
    let mut crc = flate2::Crc::new();
    crc.update(text.as_bytes());
    format!("{:08x}", crc.sum())
}

/// A key and its text, which is known only while it is made.
pub struct NewKey {
    /// The key.
    pub key: ApiKey,
    /// Its text.
    pub text: KeyText,
}

/// The key's fields, and its text behind its prefix.
impl Serialize for NewKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'k> {
            #[serde(flatten)]
            fields: &'k ApiKey,
            key: &'k str,
        }
        Shown { fields: &self.key, key: self.text.expose() }.serialize(serializer)
    }
}

/// What was typed or sent for a key.
#[derive(Debug, Clone)]
pub struct KeyInput {
    name: Option<String>,
    scopes: Option<Scopes>,
    expires_at: Option<Timestamp>,
    /// Whose it should be, if that was said.
    user_id: Option<i64>,
    /// Of [`RESERVED`], what was sent along.
    reserved: Option<&'static str>,
    errors: FieldErrors,
}

/// What a key is, within its bounds.
#[derive(Debug, Clone)]
pub struct KeyFields {
    /// 1 to 100 characters.
    pub name: String,
    /// At least one.
    pub scopes: Scopes,
    /// In the future, at most [`MOST_DAYS`] away.
    pub expires_at: Timestamp,
}

impl KeyInput {
    /// Reads the fields; mistakes wait for [`KeyInput::finish`].
    pub fn read(input: &Input) -> Self {
        let mut errors = FieldErrors::default();
        let name = input.text("name", false, &mut errors).value();
        match &name {
            Some(name) if (1..=100).contains(&name.chars().count()) => {}
            Some(_) => errors.add("name", "length", "must have 1 to 100 characters"),
            None => errors.add("name", "required", "is required"),
        }
        let scopes = input.texts("scopes", &mut errors).value();
        if scopes.is_none() {
            errors.add("scopes", "required", "is required: one or more of read, write, admin");
        }
        let scopes = scopes.and_then(|words| parse_scopes(&words, &mut errors));
        let expires_at = input.text("expires_at", false, &mut errors).value().and_then(|text| {
            let time = DateTime::parse_from_rfc3339(&text).ok().map(|time| Timestamp(time.timestamp_micros()));
            if time.is_none() {
                errors.add("expires_at", "format", "must be a time as in RFC 3339, such as 2027-02-19T13:05:00Z");
            }
            time
        });
        let user_id = input.integer("user_id", &mut errors).value();
        let sent = |field: &&str| input.get(field).is_some_and(|raw| *raw != Raw::Null);
        Self { name, scopes, expires_at, user_id, reserved: RESERVED.into_iter().find(sent), errors }
    }

    /// Refuses what the caller may not set: keys are one's own, and the product makes the rest of them.
    ///
    /// # Errors
    /// 403 naming the field.
    pub fn check_reserved(&self, caller: &Caller) -> Result<(), Error> {
        let other = self.user_id.is_some_and(|id| caller.user_id() != Some(id));
        match self.reserved.or(other.then_some("user_id")) {
            Some(field) => Err(Error::Forbidden(format!("You may not set {field}: the server does."))),
            None => Ok(()),
        }
    }

    /// The fields that come of it.
    ///
    /// # Errors
    /// 422 with every mistake.
    pub fn finish(self, now: Timestamp) -> Result<KeyFields, Error> {
        let mut errors = self.errors;
        let day = 86_400;
        let expires_at = self.expires_at.unwrap_or(now.plus_seconds(USUAL_DAYS * day));
        if expires_at <= now || expires_at > now.plus_seconds(MOST_DAYS * day) {
            errors.add("expires_at", "range", format!("must be in the future and at most {MOST_DAYS} days away"));
        }
        let (name, scopes) = (self.name, self.scopes);
        errors.into_result(|| Some(KeyFields { name: name?, scopes: scopes?, expires_at }))
    }
}

fn parse_scopes(words: &[String], errors: &mut FieldErrors) -> Option<Scopes> {
    let mut scopes = Vec::new();
    for word in words {
        match word.parse::<Scope>() {
            Ok(scope) if scopes.contains(&scope) => {
                errors.add("scopes", "format", format!("names {word} twice"));
            }
            Ok(scope) => scopes.push(scope),
            Err(()) => errors.add("scopes", "unknown", "must be of read, write, admin"),
        }
    }
    if words.is_empty() {
        errors.add("scopes", "length", "must have one or more of read, write, admin");
    }
    scopes.sort_unstable();
    (!errors.has("scopes")).then_some(Scopes(scopes))
}
