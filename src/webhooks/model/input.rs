//! What was sent for a webhook: read field by field, held to its bounds, laid over what there was.

use validator::Validate;

use super::{ALL, Events, TOLD, Webhook, WebhookFields};
use crate::changes::Action;
use crate::error::Error;
use crate::fields::{FieldErrors, Given, Input, Raw};
use crate::webhooks::guard;

/// What only the product sets.
const RESERVED: [&str; 6] = ["id", "version", "created_at", "updated_at", "disabled_reason", "secret"];

/// The bounds of texts, for `validator`.
#[derive(Debug, Validate)]
struct Bounds<'t> {
    #[validate(length(min = 1, max = 2000))]
    url: Option<&'t str>,
    #[validate(length(max = 500))]
    description: Option<&'t str>,
}

/// What was sent.
#[derive(Debug, Clone, Default)]
pub struct WebhookInput {
    url: Given<String>,
    events: Given<Events>,
    description: Given<String>,
    is_active: Given<bool>,
    /// Of [`RESERVED`], what was sent along, as it was written.
    reserved: Vec<(&'static str, String)>,
    errors: FieldErrors,
}

impl WebhookInput {
    /// Reads the fields and holds them to their bounds; mistakes wait for [`WebhookInput::onto`].
    /// `allow_private` says that an address may be a private one.
    pub fn read(input: &Input, allow_private: bool) -> Self {
        let mut errors = FieldErrors::default();
        let url = input.text("url", false, &mut errors);
        let description = match input.text("description", true, &mut errors) {
            Given::Value(text) if text.is_empty() => Given::Null,
            other => other,
        };
        let bounds =
            Bounds { url: url.as_value().map(String::as_str), description: description.as_value().map(String::as_str) };
        if let Err(found) = bounds.validate() {
            errors.take(&found);
        }
        if let Some(url) = url.as_value()
            && let Err(reason) = guard::check_url(url, allow_private)
        {
            errors.add("url", "format", reason);
        }
        let events = read_events(input, &mut errors);
        let is_active = input.boolean("is_active", &mut errors);
        let sent = |name: &'static str| match input.get(name) {
            None | Some(Raw::Null) => None,
            Some(Raw::Number(text) | Raw::Text(text)) => Some((name, text.clone())),
            Some(Raw::Bool(_) | Raw::List(_) | Raw::Object(_)) => Some((name, String::new())),
        };
        let reserved = RESERVED.into_iter().filter_map(sent).collect();
        Self { url, events, description, is_active, reserved, errors }
    }

    /// Refuses what only the product sets, when it would change something.
    ///
    /// # Errors
    /// 403 naming the field.
    pub fn check_reserved(&self, base: Option<&Webhook>) -> Result<(), Error> {
        for (field, sent) in &self.reserved {
            let is = base.and_then(|base| match *field {
                "id" => Some(base.id.to_string()),
                "version" => Some(base.version.to_string()),
                "created_at" => Some(base.created_at.rfc3339()),
                "updated_at" => Some(base.updated_at.rfc3339()),
                "disabled_reason" => base.disabled_reason.clone(),
                _ => None,
            });
            if is.as_ref() != Some(sent) {
                return Err(Error::Forbidden(format!("You may not set {field}: the server does.")));
            }
        }
        Ok(())
    }

    /// The fields that come of it: on what there was (PATCH), or on the defaults.
    ///
    /// # Errors
    /// 422 with every mistake.
    pub fn onto(self, base: Option<&Webhook>) -> Result<WebhookFields, Error> {
        let mut errors = self.errors;
        let url = match self.url {
            Given::Value(url) => Some(url),
            Given::Null => None,
            Given::Absent => base.map(|b| b.url.clone()),
        };
        if url.is_none() {
            errors.add("url", "required", "is required");
        }
        let events = match self.events {
            Given::Value(events) => Some(events),
            Given::Null => None,
            Given::Absent => base.map(|b| b.events.clone()),
        };
        if events.is_none() {
            errors.add("events", "required", "is required");
        }
        let description = self.description.over(base.and_then(|b| b.description.clone()));
        let is_active = self.is_active.value().or(base.map(|b| b.is_active)).unwrap_or(true);
        errors.into_result(|| Some(WebhookFields { url: url?, events: events?, description, is_active }))
    }
}

/// All names of events, in the order in which they are kept.
fn names() -> impl Iterator<Item = String> {
    let actions = [Action::Created, Action::Updated, Action::Deleted];
    let named = TOLD.into_iter().flat_map(move |entity| actions.map(|action| format!("{entity}.{action}")));
    std::iter::once(ALL.to_owned()).chain(named)
}

fn read_events(input: &Input, errors: &mut FieldErrors) -> Given<Events> {
    let given = input.texts("events", errors);
    given.try_map(|sent| {
        if sent.is_empty() {
            errors.add("events", "required", "must name at least one event, or * for all");
        }
        for (n, name) in sent.iter().enumerate() {
            if !names().any(|known| known == *name) {
                let of = TOLD.join(", ");
                let message =
                    format!("must be * or one of {of} with .created, .updated or .deleted, such as item.created");
                errors.add(&format!("events[{n}]"), "unknown", message);
            }
        }
        // Each once; what is beside * says nothing.
        let all = sent.iter().any(|name| name == ALL);
        let kept = names().filter(|name| sent.contains(name) && (!all || name == ALL));
        Some(Events(kept.collect()))
    })
}
