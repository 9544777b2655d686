//! Access tokens: JWT (RFC 7519), signed with HMAC-SHA-256 and nothing else.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::app::hmac_sha256;
use crate::error::Error;
use crate::time::Timestamp;
use crate::users::model::User;

/// Clocks may differ by so many seconds.
const LEEWAY: u64 = 5;
/// A longer one is not ours.
const LONGEST: usize = 2_048;
/// What an access token says it is; refresh, reset and invitation say something else.
const ACCESS: &str = "access";

/// What a token says. All of it is required.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    aud: String,
    /// The user's id.
    pub sub: String,
    /// Seconds since 1970.
    pub exp: i64,
    iat: i64,
    nbf: i64,
    jti: String,
    typ: String,
    /// The user's `credentials_version` when it was made.
    pub cv: i64,
}

/// Makes and reads tokens.
#[derive(Clone)]
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    issuer: String,
    minutes: u32,
}

impl Tokens {
    /// With this key; the issuer is also the audience.
    pub fn new(key: &[u8; 32], issuer: &str, minutes: u32) -> Self {
        // Whoever is first; the provider is the same.
        // It can be installed once in a process; a second time it is there already.
        HS256.install_default().ok();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[issuer]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp", "nbf"]);
        Self {
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
            validation,
            issuer: issuer.to_owned(),
            minutes,
        }
    }

    /// How long a token is good, in seconds.
    pub fn seconds(&self) -> i64 {
        i64::from(self.minutes) * 60
    }

    /// An access token for a user.
    ///
    /// # Errors
    /// Only when it cannot be written.
    pub fn issue(&self, user: &User) -> Result<String, Error> {
        let now = Timestamp::now().0 / 1_000_000;
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.issuer.clone(),
            sub: user.id.to_string(),
            exp: now + self.seconds(),
            iat: now,
            nbf: now,
            jti: crate::web::request_id::made(),
            typ: ACCESS.to_owned(),
            cv: user.credentials_version,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(|e| Error::Internal(format!("a token cannot be made: {e}")))
    }

    /// What a token says, if it is ours, whole and in time.
    pub fn read(&self, token: &str) -> Option<Claims> {
        if token.len() > LONGEST {
            return None;
        }
        let data = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?;
        let claims = data.claims;
        (claims.typ == ACCESS && data.header.typ.as_deref() == Some("JWT")).then_some(claims)
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
