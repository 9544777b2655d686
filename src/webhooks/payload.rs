//! What a receiver is sent: the event's name, when it was, and the thing as the API shows it to an admin, as it was
//! right after the change; of what was deleted, as it was last.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::model::{Webhook, event_name};
use super::store::queue::{FanOut, NewDelivery, ToldChange};
use crate::categories::store::items_in;
use crate::changes::{Action, Entity, Recorded, history};
use crate::db::Conn;
use crate::db::effects::counter;
use crate::error::Error;
use crate::time::Timestamp;
use crate::{categories, items, posts, users};

/// A thing as it is now: its version and its fields.
type Present = (i64, Map<String, Value>);

/// What is sent, after Standard Webhooks.
#[derive(Serialize)]
struct Payload<'p, T> {
    #[serde(rename = "type")]
    event: &'p str,
    timestamp: Timestamp,
    data: &'p T,
}

/// A payload as JSON.
///
/// # Errors
/// Never in practice: when it cannot be written as JSON.
pub fn written<T: Serialize>(event: &str, timestamp: Timestamp, data: &T) -> Result<String, Error> {
    serde_json::to_string(&Payload { event, timestamp, data })
        .map_err(|e| Error::Internal(format!("a payload cannot be written: {e}")))
}

/// The deliveries that come of some changes, for each webhook that wants them.
///
/// # Errors
/// Only the database's.
pub fn of(
    conn: &mut Conn,
    fan_out: &FanOut,
    list: &[ToldChange],
    webhooks: &[Webhook],
) -> Result<Vec<NewDelivery>, Error> {
    let wanted: Vec<(&ToldChange, Entity, Action, String)> = list
        .iter()
        .filter_map(|change| {
            let entity = Entity::parse(&change.entity).filter(|entity| entity.is_told_of())?;
            let action = Action::parse(&change.action)?;
            let event = event_name(entity, action);
            webhooks.iter().any(|webhook| webhook.events.has(&event)).then_some((change, entity, action, event))
        })
        .collect();
    let updated = |of: Entity| {
        let updates = wanted.iter().filter(|(_, entity, action, _)| *entity == of && *action == Action::Updated);
        updates.map(|(change, ..)| change.entity_id).collect::<Vec<_>>()
    };
    let mut present: HashMap<(&str, i64), Present> = HashMap::new();
    for entity in Entity::ALL {
        let ids = updated(entity);
        if !ids.is_empty() {
            present.extend(load(conn, entity, &ids)?.into_iter().map(|(id, state)| ((entity.as_str(), id), state)));
        }
    }
    let mut deliveries = Vec::new();
    for (change, entity, action, event) in wanted {
        let read = |text: &Option<String>| text.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let state = match action {
            Action::Created => read(&change.after),
            Action::Deleted => read(&change.before),
            Action::Updated => {
                let now = present.get(&(entity.as_str(), change.entity_id)).cloned();
                match now {
                    Some((version, state)) if version == change.version => Some(state),
                    now => {
                        let place = (fan_out.changeset_id, change.seq);
                        let now = now.map(|(_, state)| state);
                        let state = history::state_after(conn, (entity, change.entity_id), place, now)?;
                        state.map(|state| with_version(state, change.version))
                    }
                }
            }
        };
        // Not even its history is there: nothing could be told of it.
        let Some(mut state) = state else { continue };
        if entity == Entity::Category {
            let count = if action == Action::Deleted { 0 } else { counter(conn, &items_in(change.entity_id))? };
            state.insert("item_count".to_owned(), count.into());
        }
        let payload = written(&event, fan_out.at, &state)?;
        let event_id = format!("evt_{:x}_{}_{}", fan_out.at.0, fan_out.changeset_id, change.seq);
        for webhook in webhooks.iter().filter(|webhook| webhook.events.has(&event)) {
            deliveries.push(NewDelivery {
                webhook_id: webhook.id,
                event_id: event_id.clone(),
                event: event.clone(),
                payload: payload.clone(),
            });
        }
    }
    Ok(deliveries)
}

fn with_version(mut state: Map<String, Value>, version: i64) -> Map<String, Value> {
    if let Some(slot) = state.get_mut("version") {
        *slot = version.into();
    }
    state
}

/// Things as they are now, with their versions.
fn load(conn: &mut Conn, entity: Entity, ids: &[i64]) -> Result<HashMap<i64, Present>, Error> {
    Ok(match entity {
        Entity::Item => fields_of(items::store::batch::find_all(conn, ids)?),
        Entity::Category => fields_of(categories::store::find_all(conn, ids)?),
        Entity::User => fields_of(users::store::find_all(conn, ids)?),
        Entity::Post => fields_of(posts::store::find_all(conn, ids, false)?),
        Entity::Upload | Entity::ApiKey | Entity::Webhook | Entity::Job => HashMap::new(),
    })
}

fn fields_of<T: Recorded>(list: Vec<T>) -> HashMap<i64, Present> {
    let fields = |thing: T| match serde_json::to_value(&thing) {
        Ok(Value::Object(fields)) => Some((thing.id(), (thing.version(), fields))),
        _ => None,
    };
    list.into_iter().filter_map(fields).collect()
}
