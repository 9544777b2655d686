//! The secret that an authenticator app and the product share: how it is kept (`sealed`, bound to its user),
//! shown once, and which step of time a code belongs to (RFC 6238: SHA-1, 6 digits, 30 seconds).

use qrcodegen::{QrCode, QrCodeEcc};
use rand::Rng as _;
use totp_rs::{Builder, Totp};

use crate::error::Error;
use crate::sealed;
use crate::time::Timestamp;

/// Light modules around a QR code (ISO/IEC 18004, 6.3.8).
const QUIET: i32 = 4;

/// 160 bits, as long as RFC 4226 recommends.
pub struct Secret([u8; 20]);

/// What a page shows of a secret that waits for its first code.
pub struct Offer {
    /// `otpauth://totp/…`, which apps on the same device open.
    pub url: String,
    /// Base32 in groups of four, for typing.
    pub text: String,
    /// How many units a side of the picture has.
    pub side: i32,
    /// The dark modules as the path of an SVG.
    pub path: String,
}

impl Secret {
    /// A new one.
    pub fn generate() -> Self {
        let mut bytes = [0; 20];
        rand::rng().fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Encrypted for this user; a copy in another user's row opens nothing.
    ///
    /// # Errors
    /// Never in practice.
    pub fn seal(&self, key: &[u8; 32], user_id: i64) -> Result<String, Error> {
        sealed::seal(&self.0, key, &bound_to(user_id))
    }

    /// Decrypted, if this key made it for this user.
    pub fn open(sealed: &str, key: &[u8; 32], user_id: i64) -> Option<Self> {
        sealed::open(sealed, key, &bound_to(user_id))?.try_into().ok().map(Self)
    }

    /// The step of time that a code belongs to: the current one, the one before or the one after.
    ///
    /// # Errors
    /// Never in practice.
    pub fn step_of(&self, code: &str, now: Timestamp) -> Result<Option<i64>, Error> {
        let seconds = u64::try_from(now.0 / 1_000_000).unwrap_or_default();
        let step = self.totp("stockroom", "user")?.check(code, seconds);
        Ok(step.and_then(|step| i64::try_from(step).ok()))
    }

    /// What a page shows of it.
    ///
    /// # Errors
    /// Never in practice: a name that is too long for a QR code.
    pub fn offer(&self, app_name: &str, username: &str) -> Result<Offer, Error> {
        let unfit = |e: String| Error::Internal(format!("a QR code cannot be drawn: {e}"));
        // A colon parts the two in the URL.
        let totp = self.totp(&app_name.replace(':', " "), username)?;
        let url = totp.to_url().map_err(|e| unfit(e.to_string()))?;
        let code = QrCode::encode_text(&url, QrCodeEcc::Medium).map_err(|e| unfit(e.to_string()))?;
        let text: Vec<char> = totp.secret().to_base32().chars().collect();
        let groups: Vec<String> = text.chunks(4).map(|group| group.iter().collect()).collect();
        Ok(Offer { url, text: groups.join(" "), side: code.size() + 2 * QUIET, path: path(&code) })
    }

    fn totp(&self, issuer: &str, account: &str) -> Result<Totp, Error> {
        Builder::new()
            .with_secret(self.0.to_vec())
            .with_issuer(Some(issuer))
            .with_account_name(account)
            .build()
            .map_err(|e| Error::Internal(format!("two-factor sign-in: {e}")))
    }
}

fn bound_to(user_id: i64) -> String {
    format!("user {user_id}")
}

/// Each run of dark modules in a row as one bar.
fn path(code: &QrCode) -> String {
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let run = (x..code.size()).take_while(|x| code.get_module(*x, y)).count();
            let run = i32::try_from(run).unwrap_or_default();
            if run > 0 {
                path.push_str(&format!("M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET));
            }
            x += run + 1;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::Secret;
    use crate::time::Timestamp;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, SHA-1, the last six of its eight digits.
        let secret = Secret(*b"12345678901234567890");
        for (seconds, code) in [(1_234_567_890, "005924"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            let step = |at: i64| secret.step_of(code, Timestamp(at * 1_000_000)).ok().flatten();
            let own = Some(seconds / 30);
            assert_eq!([step(seconds - 60), step(seconds - 30), step(seconds)], [None, own, own], "{code}");
            assert_eq!([step(seconds + 30), step(seconds + 60)], [own, None], "{code}");
        }
        for wrong in ["", "28708", "2870820", "+87082", "28708a", "287 082"] {
            assert_eq!(secret.step_of(wrong, Timestamp(59_000_000)).ok().flatten(), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_sealed_secret_opens_with_its_key_for_its_user_alone() {
        let secret = Secret::generate();
        let key = [7; 32];
        let seal = || secret.seal(&key, 2).unwrap_or_default();
        let sealed = seal();
        assert_ne!(sealed, seal(), "each with a nonce of its own");
        assert_eq!(Secret::open(&sealed, &key, 2).map(|s| s.0), Some(secret.0));
        assert!(Secret::open(&sealed, &key, 3).is_none());
        assert!(Secret::open(&sealed, &[8; 32], 2).is_none());
        let mut broken = sealed.clone();
        broken.replace_range(20..21, if &sealed[20..21] == "A" { "B" } else { "A" });
        assert!(Secret::open(&broken, &key, 2).is_none());
        assert!(Secret::open("", &key, 2).is_none() && Secret::open("AAAA", &key, 2).is_none());
    }
}
