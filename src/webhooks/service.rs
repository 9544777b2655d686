//! What can be done with webhooks and their deliveries.

use super::model::{Delivery, TEST, Webhook, WebhookInput, WithSecret};
use super::payload;
use super::signature::{Keys, Secret};
use super::store::{self, queue};
use crate::caller::Caller;
use crate::changes::{Expected, Tx};
use crate::db::Conn;
use crate::error::Error;
use crate::time::Timestamp;

/// So many webhooks there may be: each active one is looked at whenever something changes.
const MOST: i64 = 100;
/// How long the secret before a rotation signs too, in seconds.
const OVERLAP: i64 = 24 * 3_600;
/// An endpoint that has failed for so long is no longer told, in seconds.
const FAILS_AT_MOST: i64 = 5 * 24 * 3_600;
/// So many deliveries are made in one transaction.
const MADE_AT_ONCE: usize = 500;

fn may(caller: &Caller) -> Result<(), Error> {
    if caller.is_admin() { Ok(()) } else { Err(caller.refusal("manage webhooks")) }
}

/// One webhook.
///
/// # Errors
/// 403, 404.
pub fn get(conn: &mut Conn, caller: &Caller, id: i64) -> Result<Webhook, Error> {
    may(caller)?;
    store::find(conn, id)?.ok_or_else(|| Error::missing("Webhook", id))
}

/// Adds a webhook with a secret of its own.
///
/// # Errors
/// 403, 409 when there are too many, 422.
pub fn create(tx: &mut Tx<'_>, input: WebhookInput, keys: &Keys) -> Result<WithSecret, Error> {
    may(tx.caller)?;
    input.check_reserved(None)?;
    let fields = input.onto(None)?;
    if store::count(tx.conn, None)? >= MOST {
        let detail = format!("There are {MOST} webhooks, which is all there may be. Delete one first.");
        return Err(Error::Conflict { detail, field: None });
    }
    let mut webhook = store::insert(tx.conn, &fields, tx.now)?;
    let secret = Secret::generate();
    webhook.secret = secret.seal(&keys.now, webhook.id)?;
    store::set_secrets(tx.conn, &webhook)?;
    tx.created(&webhook)?;
    Ok(WithSecret { webhook, secret: secret.shown() })
}

fn locked(tx: &mut Tx<'_>, id: i64) -> Result<Webhook, Error> {
    may(tx.caller)?;
    store::find_to_change(tx.conn, id)?.ok_or_else(|| Error::missing("Webhook", id))
}

/// Changes a webhook. Activated again, it begins with a clean slate.
///
/// # Errors
/// 403, 404, 412, 422.
pub fn update(tx: &mut Tx<'_>, id: i64, input: WebhookInput, expected: &Expected) -> Result<Webhook, Error> {
    let before = locked(tx, id)?;
    expected.check(before.version)?;
    input.check_reserved(Some(&before))?;
    let fields = input.onto(Some(&before))?;
    let anew = fields.is_active && !before.is_active || fields.url != before.url;
    let after = Webhook {
        url: fields.url,
        events: fields.events,
        description: fields.description,
        is_active: fields.is_active,
        disabled_reason: before.disabled_reason.clone().filter(|_| !fields.is_active),
        failing_since: before.failing_since.filter(|_| !anew),
        ..next(&before, tx.now)
    };
    write(tx, &before, after)
}

fn next(before: &Webhook, now: Timestamp) -> Webhook {
    Webhook { version: before.version + 1, updated_at: now, ..before.clone() }
}

/// Writes a state over the present one.
///
/// # Errors
/// Only the database's.
pub(super) fn write(tx: &mut Tx<'_>, before: &Webhook, after: Webhook) -> Result<Webhook, Error> {
    if store::update(tx.conn, &after)? == 0 {
        return Err(Error::Internal(format!("webhook {} changed under its lock", before.id)));
    }
    tx.updated(before, &after)?;
    Ok(after)
}

/// Gives a webhook a new secret; the present one signs too for a day.
///
/// # Errors
/// 403, 404, 412.
pub fn rotate_secret(tx: &mut Tx<'_>, id: i64, expected: &Expected, keys: &Keys) -> Result<WithSecret, Error> {
    let before = locked(tx, id)?;
    expected.check(before.version)?;
    let secret = Secret::generate();
    let after = Webhook {
        secret: secret.seal(&keys.now, id)?,
        previous_secret: Some(before.secret.clone()),
        previous_until: Some(tx.now.plus_seconds(OVERLAP)),
        ..next(&before, tx.now)
    };
    let webhook = write(tx, &before, after)?;
    tx.summarise(format!("Rotated the secret of webhook {id}"));
    Ok(WithSecret { webhook, secret: secret.shown() })
}

/// Removes a webhook with its deliveries.
///
/// # Errors
/// 403, 404, 412.
pub fn delete(tx: &mut Tx<'_>, id: i64, expected: &Expected) -> Result<(), Error> {
    let before = locked(tx, id)?;
    expected.check(before.version)?;
    remove(tx, &before)
}

/// Removes a webhook that is locked for it.
///
/// # Errors
/// Only the database's.
pub(super) fn remove(tx: &mut Tx<'_>, before: &Webhook) -> Result<(), Error> {
    store::delete(tx.conn, before.id)?;
    tx.deleted(before)
}

fn active(webhook: Webhook) -> Result<Webhook, Error> {
    if webhook.is_active {
        return Ok(webhook);
    }
    let detail = format!("Webhook {} is not active. Activate it first.", webhook.id);
    Err(Error::Conflict { detail, field: None })
}

/// Sends a `webhook.test` event, whatever it is told of.
///
/// # Errors
/// 403, 404, 409 for one that is not active.
pub fn test(tx: &mut Tx<'_>, id: i64) -> Result<Delivery, Error> {
    let webhook = active(locked(tx, id)?)?;
    let new = queue::NewDelivery {
        webhook_id: id,
        event_id: format!("evt_{:x}_test_{id}", tx.now.0),
        event: TEST.to_owned(),
        payload: payload::written(TEST, tx.now, &webhook)?,
    };
    tx.wake();
    Ok(queue::insert_one(tx.conn, &new, tx.now)?)
}

/// Sends an event once more, under the same id.
///
/// # Errors
/// 403, 404, 409 for a webhook that is not active and for what is still being tried.
pub fn replay(tx: &mut Tx<'_>, id: i64, delivery_id: i64) -> Result<Delivery, Error> {
    active(locked(tx, id)?)?;
    let delivery = queue::find(tx.conn, id, delivery_id)?.ok_or_else(|| Error::missing("Delivery", delivery_id))?;
    if delivery.next_at.is_some() {
        let detail = format!("Delivery {delivery_id} is still being tried.");
        return Err(Error::Conflict { detail, field: None });
    }
    let again = queue::NewDelivery {
        webhook_id: id,
        event_id: delivery.event_id,
        event: delivery.event,
        payload: delivery.payload,
    };
    tx.wake();
    Ok(queue::insert_one(tx.conn, &again, tx.now)?)
}

/// Makes deliveries of the oldest changes that nobody was told of yet; whether there were any.
///
/// # Errors
/// Only the database's.
pub fn fan_out(conn: &mut Conn) -> Result<bool, Error> {
    let Some(fan_out) = queue::next_fan_out(conn)? else { return Ok(false) };
    // Who was not there yet is told nothing of it.
    let webhooks: Vec<Webhook> =
        store::active(conn)?.into_iter().filter(|webhook| webhook.created_at <= fan_out.at).collect();
    if webhooks.is_empty() {
        queue::told(conn, &fan_out, fan_out.to_seq)?;
        return Ok(true);
    }
    let at_once = i32::try_from(MADE_AT_ONCE.div_ceil(webhooks.len())).unwrap_or(1);
    let up_to = fan_out.to_seq.min(fan_out.from_seq.saturating_add(at_once - 1));
    let changes = queue::changes_between(conn, fan_out.changeset_id, fan_out.from_seq, up_to)?;
    let deliveries = payload::of(conn, &fan_out, &changes, &webhooks)?;
    queue::insert(conn, &deliveries, Timestamp::now())?;
    queue::told(conn, &fan_out, up_to)?;
    Ok(true)
}

/// Notes what came of deliveries of one webhook, gives the others of the lease back, and deactivates a webhook that
/// wants no more (410 Gone) or has failed for days.
///
/// # Errors
/// Only the database's.
pub fn settle(tx: &mut Tx<'_>, id: i64, outcomes: &[queue::Outcome], lease: &str) -> Result<(), Error> {
    let Some(webhook) = store::find_to_change(tx.conn, id)? else { return Ok(()) };
    for outcome in outcomes {
        queue::settle(tx.conn, outcome, lease)?;
    }
    queue::release(tx.conn, Some(id), lease, tx.now)?;
    let Some(last) = outcomes.last() else { return Ok(()) };
    let (now, well) = (tx.now, last.error.is_none());
    match webhook.failing_since {
        _ if last.status == Some(410) => disable(tx, &webhook, "The endpoint answered 410 Gone.".to_owned()),
        Some(_) if well => Ok(store::set_failing(tx.conn, id, None).map(drop)?),
        None if !well => Ok(store::set_failing(tx.conn, id, Some(now)).map(drop)?),
        Some(since) if since.plus_seconds(FAILS_AT_MOST) < now => {
            disable(tx, &webhook, format!("Every attempt has failed since {}.", since.human()))
        }
        _ => Ok(()),
    }
}

fn disable(tx: &mut Tx<'_>, webhook: &Webhook, reason: String) -> Result<(), Error> {
    if !webhook.is_active {
        return Ok(());
    }
    log::warn!("webhook {} is deactivated: {reason}", webhook.id);
    let after = Webhook { is_active: false, disabled_reason: Some(reason), ..next(webhook, tx.now) };
    write(tx, webhook, after)?;
    tx.summarise(format!("Deactivated webhook {}, which fails", webhook.id));
    Ok(())
}

/// Puts secrets that lie under the key before today's under today's.
///
/// # Errors
/// Only the database's.
pub fn reseal(conn: &mut Conn, keys: &Keys) -> Result<(), Error> {
    for mut webhook in store::all(conn)? {
        let secret = keys.reseal(&webhook.secret, webhook.id)?;
        let previous = match &webhook.previous_secret {
            Some(sealed) => keys.reseal(sealed, webhook.id)?,
            None => None,
        };
        if secret.is_some() || previous.is_some() {
            webhook.secret = secret.unwrap_or(webhook.secret);
            webhook.previous_secret = previous.or(webhook.previous_secret);
            store::set_secrets(conn, &webhook)?;
        }
    }
    Ok(())
}
