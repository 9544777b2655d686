//! Items by the file: the export of a list, and the import of CSV. Neither is ever in memory as a whole.
//!
//! An export is read at one moment, as fast as the database gives it, into a file of the moment; the client
//! takes it from there at its own pace. So a slow client holds neither a connection nor a snapshot, and what it
//! gets is one state of the catalogue all the same. One that goes away ends the reading.

use std::io::BufWriter;

use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::app::{App, KeyUse};
use crate::caller::Caller;
use crate::changes::Tx;
use crate::db::moment;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::items::export::{self, Format};
use crate::items::import::{self, Along, Lines, OnKnown, Order, Report, Writer};
use crate::items::list;
use crate::items::model::{Act, may};
use crate::items::store::page::{By, Column};
use crate::time::Timestamp;
use crate::web::caller::{Anyone, Member};
use crate::web::idempotency::{Claim, Claimed, Once};
use crate::web::json::Answer;
use crate::web::list::Params;
use crate::web::spool;
use crate::web::upload::{self, Wanted};

/// What an import takes: some two million lines of CSV.
const FILE: Wanted = Wanted {
    types: &["text/csv", "application/csv", "application/vnd.ms-excel"],
    bytes: 256 * 1024 * 1024,
    lines: 5_000_000,
};

/// `GET /api/v1/items/export`: what the list would show with the same filters and sort, all of it, as
/// `format=csv` (which an import takes back) or `jsonl`.
///
/// # Errors
/// 400, 401, 422, 503 when too many exports are under way.
pub async fn export(req: HttpRequest, caller: Anyone, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let (format, kind, ending) = match params.get("format").unwrap_or("csv") {
        "csv" => (Format::Csv, "text/csv; charset=utf-8; header=present", "csv"),
        "jsonl" => (Format::Jsonl, "application/jsonl", "jsonl"),
        _ => return Err(Error::field("format", "unknown", "must be csv or jsonl")),
    };
    let oldest = By { column: Column::Id, descending: false };
    let query = list::Query::parse(&params, req.path(), &caller, app.key(KeyUse::Cursors), oldest)?;
    let today: String = Timestamp::now().rfc3339().chars().take(10).collect();
    let mut response = HttpResponse::Ok();
    response
        .content_type(kind)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"items-{today}.{ending}\"")));
    if req.method() == Method::HEAD {
        return Ok(response.streaming(stream::empty::<Result<_, Error>>()));
    }
    let whole = query.whole();
    let (mut filling, pieces) = spool::answer(&app.config)?;
    app.db
        .aside(move |conn| {
            let mut out = BufWriter::with_capacity(64 * 1024, &mut filling);
            let done = moment(conn, |conn| match &whole {
                Some((filter, order)) => export::write(conn, filter, order, format, &mut out, |_| ()).map(drop),
                None => export::head(format, &mut out),
            });
            // What is left in the buffer after a failure is nobody's.
            let (_, _) = out.into_parts();
            filling.end(done);
        })
        .await?;
    Ok(response.streaming(pieces))
}

/// `POST /api/v1/items/import`: a CSV file, as the body or as the field `file` of a form. Every good line is
/// kept, every bad one told: `mode=create` (the default) refuses a SKU that is there already, `upsert` changes
/// its item; `dry_run=true` only says what would be done.
///
/// It comes in many transactions. With an `Idempotency-Key`, sent again it is answered again; cut off in the middle by
/// a crash, what was written stays, in its changeset, and the key can be used again after two minutes at most: then
/// the mode `create` tells the lines that are there already, and `upsert` does the rest.
///
/// # Errors
/// 400, 401, 403, 408, 409 while the same request is being served, 413, 415, 422 for a file that is no such CSV.
pub async fn import(
    req: HttpRequest,
    caller: Member,
    app: Data<App>,
    once: Once,
    body: Payload,
) -> Result<HttpResponse, Error> {
    may(&caller, Act::Create, None)?;
    let params = Params::parse(req.query_string())?;
    let mut errors = FieldErrors::default();
    let on_known = match params.get("mode") {
        None | Some("create") => OnKnown::Refuse,
        Some("upsert") => OnKnown::Update,
        Some(_) => {
            errors.add("mode", "unknown", "must be create or upsert");
            OnKnown::Refuse
        }
    };
    let dry_run = params.boolean("dry_run", &mut errors).unwrap_or(false);
    errors.into_result(|| Some(()))?;
    let taken = upload::take(&req, body.into_inner(), &app.config, FILE).await?;
    once.body_is(&taken.sha256);
    let claim = match once.claim(&app).await? {
        Claimed::Answered(answer) => return Ok(answer),
        Claimed::Mine(claim) => claim,
    };
    let name = taken.name.as_deref().and_then(shown).unwrap_or_else(|| "a file".to_owned());
    let order = Order { on_known, owner: caller.id(), dry_run, name };
    let turn = app.imports.clone().acquire_owned().await.map_err(|e| Error::Internal(e.to_string()))?;
    let mut writer = Door { app, caller: (*caller).clone(), handle: Handle::current() };
    let (reply, answer) = oneshot::channel();
    let thread = std::thread::Builder::new().name("import".to_owned()).spawn(move || {
        let _held = turn;
        let keyed = Keyed { claim, dry_run };
        let lines = Lines::open(taken.file);
        let done = lines.and_then(|mut lines| import::run(&mut lines, &mut writer, &order, &keyed, |_| ()));
        if done.is_err() {
            writer.handle.block_on(keyed.claim.let_go(&writer.app));
        }
        // A client that has gone gets no answer; its import is done all the same.
        reply.send(done).ok();
    });
    thread.map_err(|e| Error::Internal(format!("no thread for an import: {e}")))?;
    let done = answer.await.unwrap_or_else(|_| Err(Error::Internal("an import ended without an answer".to_owned())));
    let (report, changeset_id) = done?;
    Ok(Imported { report: &report, dry_run, changeset_id }.answer()?.into())
}

/// The answer to an import.
#[derive(Serialize)]
struct Imported<'r> {
    #[serde(flatten)]
    report: &'r Report,
    dry_run: bool,
    /// Where to undo it: `POST /api/v1/audit/{id}/revert`.
    changeset_id: Option<i64>,
}

impl Imported<'_> {
    fn answer(&self) -> Result<Answer, Error> {
        let Report { created, updated, failed, .. } = self.report;
        let but = if self.dry_run { " (dry run: nothing was written)" } else { "" };
        let message = format!("{created} created, {updated} updated, {failed} failed{but}");
        Answer::one(StatusCode::OK, &message, self)
    }
}

/// The claim to import once, which goes along in the import's transactions.
#[derive(Clone)]
struct Keyed {
    claim: Claim,
    dry_run: bool,
}

impl Along for Keyed {
    fn begin(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        self.claim.begin(tx)
    }

    fn go_on(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        self.claim.go_on(tx)
    }

    fn end(&self, tx: &mut Tx<'_>, report: &Report, changeset_id: Option<i64>) -> Result<(), Error> {
        self.claim.keep(tx, &Imported { report, dry_run: self.dry_run, changeset_id }.answer()?)
    }
}

/// A file's name as the changeset keeps it: without folders and control characters, and not endless.
fn shown(name: &str) -> Option<String> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Writes an import's chunks as the caller of a request, from a thread of the import's own.
struct Door {
    app: Data<App>,
    caller: Caller,
    handle: Handle,
}

impl Writer for Door {
    fn write<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.handle.block_on(self.app.write(&self.caller, work))
    }
}
