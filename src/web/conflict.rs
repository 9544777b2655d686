//! Two people edited one thing: the second sees both versions, field by field, and chooses. Nothing is lost.

use serde::Serialize;
use serde_json::{Map, Value};

use super::view::When;
use crate::fields::{Input, Raw, Source};

/// The fields of a thing, as clients see them.
pub type Fields = Map<String, Value>;

/// Both versions, as `parts/versus.html` shows them.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// Where the choice is sent.
    pub action: String,
    /// Where it leads who leaves it as the other saved it.
    pub back: String,
    /// The version that is there now.
    pub version: i64,
    /// Who saved it.
    pub theirs_by: String,
    /// When.
    pub theirs_at: When,
    /// What is different.
    pub differing: Vec<ConflictField>,
    /// What is the same in both.
    pub equal: Vec<ConflictField>,
}

/// One field in both versions.
#[derive(Clone, Debug)]
pub struct ConflictField {
    /// The form's name: `category_id`.
    pub name: &'static str,
    pub label: &'static str,
    /// As it is posted.
    pub mine_raw: String,
    /// As they are read; empty shows as "empty".
    pub mine: String,
    pub theirs: String,
    /// Which is chosen at first: mine where I changed it, theirs where only they did.
    pub pick_mine: bool,
}

/// What is different in two versions, and what is the same. `mine`, `theirs` and `before` say what a field is
/// posted as, `shown` how that is read.
pub fn compare(
    fields: &[(&'static str, &'static str)],
    mine: impl Fn(&str) -> String,
    theirs: impl Fn(&str) -> String,
    before: impl Fn(&str) -> String,
    shown: impl Fn(&str, &str) -> String,
) -> (Vec<ConflictField>, Vec<ConflictField>) {
    let (mut differing, mut equal) = (Vec::new(), Vec::new());
    for (name, label) in fields {
        let (mine_raw, theirs_raw) = (mine(name), theirs(name));
        let field = ConflictField {
            name,
            label,
            mine: shown(name, &mine_raw),
            theirs: shown(name, &theirs_raw),
            pick_mine: mine_raw != before(name),
            mine_raw,
        };
        if field.mine_raw == theirs_raw { equal.push(field) } else { differing.push(field) }
    }
    (differing, equal)
}

/// The fields that somebody chose: of each, mine or theirs.
pub fn chosen(form: &Input, fields: &[(&'static str, &'static str)], theirs: impl Fn(&str) -> String) -> Input {
    let mut picked = vec![("version".to_owned(), Raw::Text(form.typed("version").to_owned()))];
    for (name, _) in fields {
        let take_theirs = form.typed(&format!("pick_{name}")) == "theirs";
        let value = if take_theirs { theirs(name) } else { form.typed(&format!("mine_{name}")).to_owned() };
        let raw = if value.is_empty() { Raw::Null } else { Raw::Text(value) };
        picked.push(((*name).to_owned(), raw));
    }
    Input::new(Source::Text, picked)
}

/// The fields of a thing, as clients see them.
pub fn fields(of: &impl Serialize) -> Fields {
    match serde_json::to_value(of) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// A field as it is typed into a form.
pub fn text(fields: &Fields, name: &str) -> String {
    match fields.get(name) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}
