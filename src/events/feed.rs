//! From committed changes to events. Each change is read once, however many listen, and not at all when nobody
//! does. Servers on one PostgreSQL tell each other by LISTEN and NOTIFY, after the commit and gathered: inside a
//! transaction NOTIFY makes all commits wait for each other. What another process wrote without a word (the
//! command line) is found by looking, twice a second.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::store::{self, Happened};
use crate::app::App;
use crate::auth::store::api_keys;
use crate::categories;
use crate::changes::{Action, Entity};
use crate::config::DatabaseUrl;
use crate::db::{Conn, pool};
use crate::error::Error;
use crate::items;
use crate::live::{Audience, Batch, Event};
use crate::posts;
use crate::uploads;
use crate::uploads::model::Shown;
use crate::users;
use crate::webhooks;

/// How often the log is looked at for what nobody told.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(500);
/// So many changes are read at once.
const AT_ONCE: i32 = 500;
/// The pause between two parts of a large changeset.
const BREATH: Duration = Duration::from_millis(10);
/// What NOTIFY carries at most is 8,000 bytes.
const LONGEST_WORD: usize = 7_500;
/// How often the connection that listens is asked for news.
const LISTENED_EVERY: Duration = Duration::from_millis(25);
/// After a lost connection.
const PAUSE: Duration = Duration::from_secs(1);

/// Begins. Must be called inside an actix system.
pub fn start(app: &Arc<App>) {
    actix_web::rt::spawn(follow(Arc::clone(app)));
    if matches!(app.config.database, DatabaseUrl::Postgres(_)) {
        let app = Arc::clone(app);
        let listening = std::thread::Builder::new().name("listen".to_owned()).spawn(move || listen(&app));
        if let Err(error) = listening {
            log::error!("no thread for what other servers say: {error}");
        }
    }
}

async fn follow(app: Arc<App>) {
    let mut known = None;
    loop {
        tokio::select! {
            () = app.live.changed() => {}
            () = actix_web::rt::time::sleep(LOOKED_AT_EVERY) => {}
        }
        let (batches, said) = (app.live.take_batches(), app.live.take_said());
        let own: Vec<Batch> = batches.iter().filter(|(_, here)| *here).map(|(batch, _)| *batch).collect();
        if let Err(error) = tell_others(&app, &own, &said).await {
            log::warn!("other servers could not be told of changes: {error}");
        }
        if !app.live.is_heard() {
            // Whoever comes hears what happens from then on.
            known = None;
            continue;
        }
        let batches = batches.into_iter().map(|(batch, _)| batch).collect();
        if let Err(error) = pass_on(&app, batches, &mut known).await {
            log::warn!("events could not be read: {error}");
        }
    }
}

/// Sends what was committed here, and what the log has besides.
async fn pass_on(app: &Arc<App>, mut batches: Vec<Batch>, known: &mut Option<i64>) -> Result<(), Error> {
    let from = *known;
    let (newest, more) = app
        .look_up(move |conn| {
            let newest = store::newest(conn)?;
            let more = match from {
                Some(id) if id < newest => store::changesets_after(conn, id)?,
                _ => Vec::new(),
            };
            Ok((newest, more))
        })
        .await?;
    *known = Some(newest);
    batches.extend(more);
    batches.sort_by_key(|batch| (batch.changeset, batch.from));
    for batch in batches {
        let Some(batch) = app.live.unsent(batch) else { continue };
        let mut from = batch.from;
        while from <= batch.to {
            let part = Batch { from, to: batch.to.min(from + AT_ONCE - 1), ..batch };
            let events = app
                .read(move |conn| {
                    let happened = store::of(conn, part)?;
                    events(conn, happened)
                })
                .await?;
            events.into_iter().for_each(|event| app.live.send(event));
            from = part.to + 1;
            if from <= batch.to {
                // So that an import does not outrun those who read as fast as they can.
                actix_web::rt::time::sleep(BREATH).await;
            }
        }
    }
    Ok(())
}

/// Changes as events, with the objects as they are now.
///
/// # Errors
/// Only the database's.
pub fn events(conn: &mut Conn, happened: Vec<Happened>) -> Result<Vec<Event>, Error> {
    let ids = |entity: Entity| -> Vec<i64> {
        let of = happened.iter().filter(|h| h.entity == entity && h.action != Action::Deleted);
        of.map(|h| h.entity_id).collect()
    };
    let items = items::store::batch::find_all(conn, &ids(Entity::Item))?;
    let categories = categories::store::find_all(conn, &ids(Entity::Category))?;
    let users = users::store::find_all(conn, &ids(Entity::User))?;
    let posts = posts::store::find_all(conn, &ids(Entity::Post), false)?;
    let uploads = uploads::store::find_all(conn, &ids(Entity::Upload), false)?;
    let mut events = Vec::with_capacity(happened.len());
    for one in happened {
        let data = match (one.action, one.entity) {
            // What admins do with the queue is in the log, and nothing of the catalogue.
            (_, Entity::Job) => continue,
            (Action::Deleted, _) => {
                let data: Option<Value> = one.before.as_deref().and_then(|text| serde_json::from_str(text).ok());
                data.unwrap_or_else(|| json!({"id": one.entity_id}))
            }
            (_, Entity::Item) => match items.iter().find(|item| item.id == one.entity_id) {
                Some(item) => object(item)?,
                // Deleted by now, which is an event of its own.
                None => continue,
            },
            (_, Entity::Category) => match categories.iter().find(|category| category.id == one.entity_id) {
                Some(category) => object(category)?,
                None => continue,
            },
            (_, Entity::User) => match users.iter().find(|user| user.id == one.entity_id) {
                Some(user) => object(user)?,
                None => continue,
            },
            (_, Entity::Webhook) => match webhooks::store::find(conn, one.entity_id)? {
                Some(webhook) => object(&webhook)?,
                None => continue,
            },
            (_, Entity::Post) => match posts.iter().find(|post| post.id == one.entity_id) {
                Some(post) => object(post)?,
                None => continue,
            },
            (_, Entity::Upload) => match uploads.iter().find(|upload| upload.id == one.entity_id) {
                Some(upload) => object(&Shown::from(upload))?,
                None => continue,
            },
            (_, Entity::ApiKey) => match api_keys::find(conn, one.entity_id)? {
                Some(key) => object(&key)?,
                None => continue,
            },
        };
        events.push(Event {
            id: one.id,
            kind: format!("{}.{}", one.entity.as_str(), one.action.as_str()),
            audience: audience_of(one.entity, one.entity_id, &data),
            concerns: concerned(one.entity, one.entity_id, &data),
            data: Arc::from(data.to_string()),
        });
    }
    Ok(events)
}

fn object(of: &impl serde::Serialize) -> Result<Value, Error> {
    serde_json::to_value(of).map_err(|e| Error::Internal(format!("an event cannot be written: {e}")))
}

/// Who may know of the object (contract 3).
fn audience_of(entity: Entity, id: i64, data: &Value) -> Audience {
    let number = |field: &str| data.get(field).and_then(Value::as_i64);
    match entity {
        Entity::Category => Audience::All,
        Entity::Item if data.get("is_active") == Some(&Value::Bool(true)) => Audience::All,
        Entity::Item => number("owner_id").map_or(Audience::Admins, Audience::Of),
        Entity::Post if data.get("published") == Some(&Value::Bool(true)) => Audience::All,
        Entity::Post => number("author_id").map_or(Audience::Admins, Audience::Of),
        Entity::Upload => number("owner_id").map_or(Audience::Admins, Audience::Of),
        Entity::User => Audience::Of(id),
        Entity::Webhook | Entity::Job => Audience::Admins,
        Entity::ApiKey => number("user_id").map_or(Audience::Admins, Audience::Of),
    }
}

/// Whose rights an event may have changed.
fn concerned(entity: Entity, id: i64, data: &Value) -> Option<i64> {
    match entity {
        Entity::User => Some(id),
        _ => data.get("user_id").and_then(Value::as_i64),
    }
}

/// Tells the other servers what was committed and said here.
async fn tell_others(app: &Arc<App>, batches: &[Batch], said: &[Arc<str>]) -> Result<(), Error> {
    if !matches!(app.config.database, DatabaseUrl::Postgres(_)) || batches.is_empty() && said.is_empty() {
        return Ok(());
    }
    let me = app.instance();
    let mut words = Vec::new();
    let mut word = format!("{me} changed");
    for batch in batches {
        let part = format!(" {}:{}:{}", batch.changeset, batch.from, batch.to);
        if word.len() + part.len() > LONGEST_WORD {
            words.push(std::mem::replace(&mut word, format!("{me} changed")));
        }
        word.push_str(&part);
    }
    if !batches.is_empty() {
        words.push(word);
    }
    words.extend(said.iter().map(|frame| format!("{me} said {frame}")).filter(|word| word.len() <= LONGEST_WORD));
    app.read(move |conn| Ok(words.iter().try_for_each(|word| store::notify(conn, word))?)).await
}

/// Hears what the other servers tell, on a connection of its own.
fn listen(app: &App) {
    use diesel::connection::SimpleConnection as _;
    loop {
        let heard = pool::open(&app.config.database, pool::Access::Write).map_err(|e| e.to_string()).and_then(|conn| {
            let Conn::Postgres(mut conn) = conn else { return Err("it is not PostgreSQL".to_owned()) };
            conn.batch_execute("LISTEN stockroom").map_err(|e| e.to_string())?;
            loop {
                for word in conn.notifications_iter() {
                    hear(app, &word.map_err(|e| e.to_string())?.payload);
                }
                if app.live.is_closed() {
                    return Ok(());
                }
                std::thread::sleep(LISTENED_EVERY);
            }
        });
        match heard {
            Ok(()) => return,
            Err(error) => log::warn!("what other servers say is not heard for now: {error}"),
        }
        std::thread::sleep(PAUSE);
    }
}

fn hear(app: &App, word: &str) {
    let Some((from, rest)) = word.split_once(' ') else { return };
    if from == app.instance() {
        return;
    }
    if let Some(frame) = rest.strip_prefix("said ") {
        app.live.overheard(frame);
    } else if let Some(batches) = rest.strip_prefix("changed ") {
        for batch in batches.split(' ') {
            let mut parts = batch.split(':');
            let mut number = || parts.next().and_then(|part| part.parse::<i64>().ok());
            let place = |number: Option<i64>| number.and_then(|n| i32::try_from(n).ok());
            if let (Some(changeset), Some(from), Some(to)) = (number(), place(number()), place(number())) {
                app.live.heard(Batch { changeset, from, to });
            }
        }
    }
}
