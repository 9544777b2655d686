//! Points in time: microseconds since 1970 in UTC, RFC 3339 with a `Z` outside. PostgreSQL and SQLite keep
//! different precisions of their own types, so both keep this number.

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::BigInt)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Now.
    pub fn now() -> Self {
        Self(Utc::now().timestamp_micros())
    }

    /// So many seconds later, or earlier.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// `2026-11-21T13:05:00.123456Z`.
    pub fn rfc3339(self) -> String {
        self.utc().to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    /// [`Timestamp::rfc3339`] without chrono and without an allocation: a list has forty of them, and they took
    /// a fifth of its time. `None` outside the years 0 to 9999.
    fn write(self, text: &mut [u8; 27]) -> Option<&str> {
        const DAY: i64 = 86_400_000_000;
        let (days, micros) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        // Days since 0000-03-01, in eras of 400 years (<https://howardhinnant.github.io/date_algorithms.html>).
        let shifted = days + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let of_era_year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * of_era_year + of_era_year / 4 - of_era_year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = of_era_year + era * 400 + i64::from(month <= 2);
        if !(0..=9_999).contains(&year) {
            return None;
        }
        *text = *b"0000-00-00T00:00:00.000000Z";
        let seconds = micros / 1_000_000;
        let parts = [
            (0..4, year),
            (5..7, month),
            (8..10, day),
            (11..13, seconds / 3_600),
            (14..16, seconds / 60 % 60),
            (17..19, seconds % 60),
            (20..26, micros % 1_000_000),
        ];
        for (place, mut number) in parts {
            for digit in text.get_mut(place)?.iter_mut().rev() {
                *digit = b'0' + u8::try_from(number % 10).ok()?;
                number /= 10;
            }
        }
        std::str::from_utf8(text).ok()
    }

    /// Reads a moment of RFC 3339, in any zone.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|moment| Self(moment.timestamp_micros()))
    }

    /// `2026-11-21 13:05 UTC`, for people.
    pub fn human(self) -> String {
        self.utc().format("%Y-%m-%d %H:%M UTC").to_string()
    }

    /// `5 min ago`; beyond a week the date.
    pub fn ago(self, now: Self) -> String {
        let seconds = now.0.saturating_sub(self.0) / 1_000_000;
        match seconds {
            ..5 => "just now".to_owned(),
            5..60 => format!("{seconds} s ago"),
            60..3_600 => format!("{} min ago", seconds / 60),
            3_600..86_400 => format!("{} h ago", seconds / 3_600),
            86_400..172_800 => "yesterday".to_owned(),
            172_800..604_800 => format!("{} days ago", seconds / 86_400),
            _ => self.utc().format("%Y-%m-%d").to_string(),
        }
    }

    /// `in 5 min`; beyond a day the moment itself.
    pub fn until(self, now: Self) -> String {
        let seconds = self.0.saturating_sub(now.0) / 1_000_000;
        match seconds {
            ..1 => "now".to_owned(),
            1..60 => format!("in {seconds} s"),
            60..3_600 => format!("in {} min", seconds / 60),
            3_600..86_400 => format!("in {} h", seconds / 3_600),
            _ => self.human(),
        }
    }

    fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; 27];
        match self.write(&mut text) {
            Some(text) => serializer.serialize_str(text),
            None => serializer.serialize_str(&self.rfc3339()),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("is no moment of RFC 3339"))
    }
}

impl<DB> diesel::serialize::ToSql<diesel::sql_types::BigInt, DB> for Timestamp
where
    DB: diesel::backend::Backend,
    i64: diesel::serialize::ToSql<diesel::sql_types::BigInt, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, DB>) -> diesel::serialize::Result {
        self.0.to_sql(out)
    }
}

impl<DB> diesel::deserialize::FromSql<diesel::sql_types::BigInt, DB> for Timestamp
where
    DB: diesel::backend::Backend,
    i64: diesel::deserialize::FromSql<diesel::sql_types::BigInt, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
        i64::from_sql(bytes).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn a_time_is_written_as_chrono_writes_it() {
        let day = 86_400_000_000_i64;
        let leap = [951_782_399_999_999, 951_868_800_000_000, 4_107_542_400_000_000];
        let spread = (-700_000_i64..2_900_000).step_by(997).map(|n| n * day + n.rem_euclid(day) * 7 % day);
        for micros in spread.chain(leap).chain([0, -1, 1]) {
            let time = Timestamp(micros);
            let mut text = [0; 27];
            assert_eq!(time.write(&mut text), Some(time.rfc3339().as_str()), "{micros}");
        }
        assert_eq!(Timestamp(i64::MIN).write(&mut [0; 27]), None);
        assert_eq!(Timestamp(i64::MAX).write(&mut [0; 27]), None);
    }
}
