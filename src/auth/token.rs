//! Signed tokens: JWT (RFC 7519), with HMAC-SHA-256 and nothing else. Two keys can be live, so that
//! `SECRET_KEY` can be changed without ending anybody's work: the present one signs, the previous one is still
//! believed.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::app::hmac_sha256;
use crate::error::Error;
use crate::time::Timestamp;

/// Clocks may differ by so many seconds.
const LEEWAY: i64 = 5;
/// A longer one is not ours, in bytes.
const LONGEST: usize = 2_048;
/// None is good for longer, in seconds: 31 days.
const LONGEST_LIFE: i64 = 31 * 24 * 60 * 60;

/// What a token is good for: one of a kind is worth nothing as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Using the API.
    Access,
    /// Setting another password, by a link in a mail.
    Reset,
    /// Setting the first password, by a link in a mail.
    Invitation,
}

/// What a token hangs on: when this has changed since it was made, it is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// The user's `credentials_version`: the claim `cv`, which access tokens have.
    Version(i64),
    /// A text that the maker of a link compares: the claim `fp`, which all other kinds have.
    Fingerprint(String),
}

/// A token that was read: ours, whole, in time, and of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The user's id.
    pub user: i64,
    /// Seconds since 1970.
    pub expires: i64,
    /// To compare with what is the case now.
    pub mark: Mark,
}

/// The payload. All of it is required, but that a kind has either `cv` or `fp`.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    exp: i64,
    iat: i64,
    nbf: i64,
    jti: String,
    typ: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cv: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fp: Option<String>,
}

/// A key, and the header of what it has signed.
#[derive(Clone)]
struct SigningKey {
    header: Header,
    /// The header's part of a token, with the dot after it.
    prefix: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl SigningKey {
    fn new(key: &[u8; 32]) -> Result<Self, Error> {
        let digest = hex::encode(Sha256::digest(key));
        let mut header = Header::new(Algorithm::HS256);
        header.kid = digest.get(..8).map(str::to_owned);
        let encoding = EncodingKey::from_secret(key);
        let sample = encode(&header, &(), &encoding)?;
        let prefix = sample.split_once('.').map(|(header, _)| format!("{header}.")).unwrap_or_default();
        Ok(Self { header, prefix, encoding, decoding: DecodingKey::from_secret(key) })
    }
}

fn encode<C: Serialize>(header: &Header, claims: &C, key: &EncodingKey) -> Result<String, Error> {
    jsonwebtoken::encode(header, claims, key).map_err(|e| Error::Internal(format!("a token cannot be made: {e}")))
}

/// Makes and reads tokens.
#[derive(Clone)]
pub struct Tokens {
    present: SigningKey,
    previous: Option<SigningKey>,
    validation: Validation,
    issuer: String,
    minutes: u32,
}

impl Tokens {
    /// With the key that signs, the one that did before it, the issuer, which is also the audience, and the
    /// minutes for which an access token is good.
    ///
    /// # Errors
    /// Only when nothing can be signed.
    pub fn new(key: &[u8; 32], previous: Option<&[u8; 32]>, issuer: &str, minutes: u32) -> Result<Self, Error> {
        // It can be installed once in a process; a second time it is there already.
        HS256.install_default().ok();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY.unsigned_abs();
        validation.validate_nbf = true;
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[issuer]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp", "nbf"]);
        Ok(Self {
            present: SigningKey::new(key)?,
            previous: previous.map(SigningKey::new).transpose()?,
            validation,
            issuer: issuer.to_owned(),
            minutes,
        })
    }

    /// How long an access token is good, in seconds.
    pub fn seconds(&self) -> i64 {
        i64::from(self.minutes) * 60
    }

    /// A token for a user, good for so many seconds (at most 31 days).
    ///
    /// # Errors
    /// Only when it cannot be written.
    pub fn issue(&self, kind: Kind, user: i64, mark: Mark, seconds: i64) -> Result<String, Error> {
        let now = Timestamp::now().0 / 1_000_000;
        let (cv, fp) = match mark {
            Mark::Version(version) => (Some(version), None),
            Mark::Fingerprint(text) => (None, Some(text)),
        };
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.issuer.clone(),
            sub: user.to_string(),
            exp: now + seconds,
            iat: now,
            nbf: now,
            jti: crate::web::request_id::made(),
            typ: kind,
            cv,
            fp,
        };
        encode(&self.present.header, &claims, &self.present.encoding)
    }

    /// What a token says, if it is ours, whole, in time and of this kind.
    pub fn read(&self, kind: Kind, token: &str) -> Option<Token> {
        if token.len() > LONGEST {
            return None;
        }
        // Ours have one of two headers, byte for byte: no other algorithm, key, extension or spelling is looked at.
        let keys = [Some(&self.present), self.previous.as_ref()];
        let key = keys.into_iter().flatten().find(|key| token.starts_with(&key.prefix))?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &self.validation).ok()?.claims;
        let now = Timestamp::now().0 / 1_000_000;
        let life = claims.exp.checked_sub(claims.iat)?;
        let sane = (1..=LONGEST_LIFE).contains(&life) && claims.iat <= now + LEEWAY && !claims.jti.is_empty();
        if claims.typ != kind || !sane {
            return None;
        }
        let user = claims.sub.parse::<i64>().ok().filter(|id| *id > 0 && id.to_string() == claims.sub)?;
        let mark = match (kind, claims.cv, claims.fp) {
            (Kind::Access, Some(version), None) => Mark::Version(version),
            (Kind::Reset | Kind::Invitation, None, Some(text)) => Mark::Fingerprint(text),
            _ => return None,
        };
        Some(Token { user, expires: claims.exp, mark })
    }
}

/// `jsonwebtoken`'s own providers bring RSA and elliptic curves along; with this one, confusing algorithms is
/// impossible because there is only one.
static HS256: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256(key.as_bytes().to_vec()))),
        _ => Err(JwtError::from(ErrorKind::InvalidAlgorithm)),
    },
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256(key.try_get_as_bytes()?.to_vec()))),
        _ => Err(JwtError::from(ErrorKind::InvalidAlgorithm)),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(Vec<u8>);

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(hmac_sha256(&self.0, message).to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let made = hmac_sha256(&self.0, message);
        if bool::from(made.as_slice().ct_eq(signature)) { Ok(()) } else { Err(SignatureError::new()) }
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}
