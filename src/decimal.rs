//! Exact decimals (prices, rates) as whole ten-thousandths, read from and written to text without ever
//! being rounded.

use serde::{Serialize, Serializer};

/// Ten-thousandths in one.
pub const SCALE: i64 = 10_000;
/// A decimal with at most four places, in ten-thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub i64);

/// Why a text is no [`Amount`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAnAmount {
    /// It is no number at all.
    NotANumber,
    /// It has more than four places.
    TooFine,
    /// It does not fit.
    TooLarge,
}

impl Amount {
    /// Reads a decimal as JSON and people write it: `19.99`, `-0`, `1e3`.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NotAnAmount> {
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || mantissa.ends_with('.') {
            return Err(NotAnAmount::NotANumber);
        }
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let kept = significant.trim_end_matches('0');
        if kept.is_empty() {
            return Ok(Self(0));
        }
        // value = kept × 10^power; in ten-thousandths four more.
        let dropped = i64::try_from(significant.len() - kept.len()).unwrap_or(i64::MAX);
        let places = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
        let power = exponent.saturating_sub(places).saturating_add(dropped).saturating_add(4);
        if power < 0 {
            return Err(NotAnAmount::TooFine);
        }
        let power = u32::try_from(power).map_err(|_| NotAnAmount::TooLarge)?;
        let units = kept
            .parse::<i64>()
            .ok()
            .and_then(|n| 10_i64.checked_pow(power).and_then(|p| n.checked_mul(p)))
            .ok_or(NotAnAmount::TooLarge)?;
        Ok(Self(if negative { -units } else { units }))
    }
}

fn parse_exponent(text: &str) -> Result<i64, NotAnAmount> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NotAnAmount::NotANumber);
    }
    // Beyond any bound it does not matter by how much.
    let size = digits.parse::<i64>().unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    Ok(if negative { -size } else { size })
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (self.0.unsigned_abs() / 10_000, self.0.unsigned_abs() % 10_000);
        if part == 0 {
            write!(f, "{sign}{whole}")
        } else {
            let part = format!("{part:04}");
            write!(f, "{sign}{whole}.{}", part.trim_end_matches('0'))
        }
    }
}

impl Serialize for Amount {
    /// As a JSON number. A binary float is only the carrier: up to fifteen digits its shortest form is the
    /// decimal that it was made from, and a price has thirteen.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % SCALE == 0 {
            serializer.serialize_i64(self.0 / SCALE)
        } else {
            #[expect(clippy::cast_precision_loss, reason = "at most 13 digits, below the 15 that a float keeps")]
            serializer.serialize_f64(self.0 as f64 / SCALE as f64)
        }
    }
}

/// With thousands apart and at least so many places: `1,234.50`.
pub fn grouped(amount: Amount, places: usize) -> String {
    let whole = (amount.0.unsigned_abs() / 10_000).to_string();
    let mut out = String::new();
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    let part = format!("{:04}", amount.0.unsigned_abs() % 10_000);
    let shown = part.trim_end_matches('0');
    let shown = if shown.len() < places { part.get(..places).unwrap_or(shown) } else { shown };
    let sign = if amount.0 < 0 { "-" } else { "" };
    if shown.is_empty() { format!("{sign}{out}") } else { format!("{sign}{out}.{shown}") }
}
