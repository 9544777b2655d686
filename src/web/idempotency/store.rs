//! All SQL of kept answers, and how they are encrypted where they lie (`sealed`, bound to their key).

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::idempotency_keys;
use crate::error::Error;
use crate::sealed;
use crate::time::Timestamp;
use crate::web::json::Answer;

/// What is kept of a request.
#[derive(Debug, Queryable)]
pub struct Row {
    id: String,
    /// The keyed hash of its query and body.
    pub request: String,
    /// Of its answer; none while it is under way.
    pub status: Option<i32>,
    headers: String,
    body: String,
}

/// An answer as it is kept.
#[derive(Debug)]
pub struct Sealed {
    status: i32,
    headers: String,
    body: String,
}

/// What is kept.
#[derive(Debug)]
pub enum Kept<'l> {
    /// That there will be an answer: whoever holds this lease works on it.
    UnderWay(&'l str),
    /// The answer.
    Answer(Sealed),
}

impl Row {
    /// The answer again.
    ///
    /// # Errors
    /// 500 when it cannot be read.
    pub fn answer(self, key: &[u8; 32]) -> Result<Answer, Error> {
        let unreadable = || Error::Internal("a kept answer cannot be read".to_owned());
        let status = self.status.and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
        let headers: Vec<(String, String)> = serde_json::from_str(&self.headers).map_err(|_| unreadable())?;
        let header = |(name, value): (String, String)| Some((HeaderName::try_from(name).ok()?, value));
        let body = sealed::open(&self.body, key, &self.id).ok_or_else(unreadable)?;
        Ok(Answer {
            status: status.ok_or_else(unreadable)?,
            headers: headers.into_iter().filter_map(header).collect(),
            body,
        })
    }
}

/// An answer as it will be kept under this id.
///
/// # Errors
/// Never in practice.
pub fn seal(key: &[u8; 32], id: &str, answer: &Answer) -> Result<Sealed, Error> {
    let failed = || Error::Internal("an answer cannot be kept".to_owned());
    let headers: Vec<(&str, &str)> = answer.headers.iter().map(|(name, value)| (name.as_str(), &**value)).collect();
    Ok(Sealed {
        status: answer.status.as_u16().into(),
        headers: serde_json::to_string(&headers).map_err(|_| failed())?,
        body: sealed::seal(&answer.body, key, id)?,
    })
}

#[derive(Debug, QueryableByName)]
struct Locked {
    #[diesel(sql_type = diesel::sql_types::Bool)]
    locked: bool,
}

/// Holds this id until the end of the transaction. SQLite has one writer, which is enough.
///
/// # Errors
/// 409 while another transaction holds it.
pub fn lock(conn: &mut Conn, id: &str) -> Result<(), Error> {
    let Conn::Postgres(conn) = conn else { return Ok(()) };
    let number = id.get(..16).and_then(|start| u64::from_str_radix(start, 16).ok()).unwrap_or_default();
    let query = diesel::sql_query("SELECT pg_try_advisory_xact_lock($1) AS locked");
    let row: Locked = query.bind::<diesel::sql_types::BigInt, _>(number.cast_signed()).get_result(conn)?;
    if row.locked { Ok(()) } else { Err(Error::InFlight) }
}

/// What is kept under this id, unless its time is over.
///
/// # Errors
/// Only the database's.
pub fn find(conn: &mut Conn, id: &str, now: Timestamp) -> QueryResult<Option<Row>> {
    use idempotency_keys::dsl;
    dsl::idempotency_keys
        .filter(dsl::id.eq(id))
        .filter(dsl::expires_at.gt(now.0))
        .select((dsl::id, dsl::request, dsl::status, dsl::headers, dsl::body))
        .get_result(conn)
        .optional()
}

/// Keeps an answer, or that there will be one, in place of whatever was there.
///
/// # Errors
/// Only the database's.
pub fn put(conn: &mut Conn, id: &str, request: &str, kept: Kept<'_>, until: Timestamp) -> QueryResult<()> {
    use idempotency_keys::dsl;
    delete(conn, id)?;
    let (status, headers, body) = match kept {
        Kept::Answer(sealed) => (Some(sealed.status), sealed.headers, sealed.body),
        // An answer that there is not yet has no headers.
        Kept::UnderWay(lease) => (None, lease.to_owned(), String::new()),
    };
    diesel::insert_into(dsl::idempotency_keys)
        .values((
            dsl::id.eq(id),
            dsl::request.eq(request),
            dsl::status.eq(status),
            dsl::headers.eq(headers),
            dsl::body.eq(body),
            dsl::expires_at.eq(until.0),
        ))
        .execute(conn)
        .map(drop)
}

/// Moves the end of a lease; whether it is still held.
///
/// # Errors
/// Only the database's.
pub fn hold_on(conn: &mut Conn, id: &str, lease: &str, until: Timestamp) -> QueryResult<bool> {
    use idempotency_keys::dsl;
    let held = dsl::idempotency_keys.find(id).filter(dsl::status.is_null()).filter(dsl::headers.eq(lease));
    Ok(diesel::update(held).set(dsl::expires_at.eq(until.0)).execute(conn)? > 0)
}

/// Forgets an id that is held under this lease.
///
/// # Errors
/// Only the database's.
pub fn let_go(conn: &mut Conn, id: &str, lease: &str) -> QueryResult<()> {
    use idempotency_keys::dsl;
    let held = dsl::idempotency_keys.find(id).filter(dsl::status.is_null()).filter(dsl::headers.eq(lease));
    diesel::delete(held).execute(conn).map(drop)
}

/// Forgets what anybody had under way: for the only server of a SQLite file, whose forerunner was killed.
///
/// # Errors
/// Only the database's.
pub fn let_go_all(conn: &mut Conn) -> QueryResult<usize> {
    diesel::delete(idempotency_keys::table.filter(idempotency_keys::status.is_null())).execute(conn)
}

/// Forgets an id.
///
/// # Errors
/// Only the database's.
pub fn delete(conn: &mut Conn, id: &str) -> QueryResult<()> {
    diesel::delete(idempotency_keys::table.find(id)).execute(conn).map(drop)
}

/// Forgets what has been kept long enough.
///
/// # Errors
/// Only the database's.
pub fn delete_expired(conn: &mut Conn, now: Timestamp) -> QueryResult<usize> {
    diesel::delete(idempotency_keys::table.filter(idempotency_keys::expires_at.le(now.0))).execute(conn)
}
