//! What somebody typed or sent, field by field, before it is parsed: one form for JSON bodies, HTML forms and
//! CSV lines, so that all three doors share their rules. A reader notes what is wrong and goes on, so that
//! the sender learns of every mistake at once.

use std::fmt;

use serde::Serialize;

/// One mistake in one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field as the sender named it; nested ones as `items[3].price`.
    pub field: String,
    /// What is wrong and which bound holds.
    pub message: String,
    /// The kind of mistake, for programs: `required`, `type`, `length`, `range`, `format`, …
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// All mistakes found, in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// Notes a mistake. Of one field only the first is kept: what follows from it is noise.
    pub fn add(&mut self, field: &str, kind: &'static str, message: impl Into<String>) {
        if !self.has(field) {
            self.0.push(FieldError { field: field.to_owned(), message: message.into(), kind });
        }
    }

    /// Whether this field has a mistake already.
    pub fn has(&self, field: &str) -> bool {
        self.0.iter().any(|e| e.field == field)
    }

    /// The mistakes.
    pub fn list(&self) -> &[FieldError] {
        &self.0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes over what `validator`'s derive found. Its own messages and above all its `params`, which hold
    /// the rejected value, stay inside.
    pub fn take(&mut self, found: &validator::ValidationErrors) {
        let mut fields: Vec<_> = found.field_errors().into_iter().collect();
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        for (field, errors) in fields {
            if let Some(error) = errors.first() {
                let bound = |name: &str| error.params.get(name).map(ToString::to_string);
                let kind = match error.code.as_ref() {
                    "length" => "length",
                    "range" => "range",
                    _ => "format",
                };
                let message = match (&error.message, bound("min"), bound("max")) {
                    (Some(message), _, _) => message.to_string(),
                    (None, Some(min), Some(max)) => format!("must have {min} to {max} characters"),
                    (None, None, Some(max)) => format!("must have at most {max} characters"),
                    (None, Some(min), None) => format!("must have at least {min} characters"),
                    (None, None, None) => "is not valid".to_owned(),
                };
                self.add(field.as_ref(), kind, message);
            }
        }
    }
}

impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { "; " };
            write!(f, "{comma}{}: {}", error.field, error.message)?;
        }
        Ok(())
    }
}

/// One value as it came in.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw {
    /// JSON `null`, or an empty form field or CSV cell.
    Null,
    /// JSON `true` or `false`.
    Bool(bool),
    /// A JSON number, as it was written.
    Number(String),
    /// A JSON string, a form field, a CSV cell.
    Text(String),
    /// A JSON array, or a form field that came often.
    List(Vec<Raw>),
    /// A JSON object: its members in their order.
    Object(Vec<(String, Raw)>),
}

impl Raw {
    /// A number or a text, as it was written.
    pub fn written(&self) -> Option<&str> {
        match self {
            Self::Number(text) | Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::List(_) | Self::Object(_) => None,
        }
    }
}

/// What a field holds after reading: PATCH tells "absent" from "cleared".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Given<T> {
    /// Not sent: unchanged in a PATCH, the default otherwise.
    #[default]
    Absent,
    /// Sent as `null`: cleared.
    Null,
    /// Sent.
    Value(T),
}

impl<T> Given<T> {
    /// The value, if there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// The value, if there is one.
    pub fn as_value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// What an optional field becomes when this is laid over `old`.
    pub fn over(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Absent => old,
            Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }

    /// The same state with the value parsed; a mistake counts as absent.
    pub fn try_map<U>(self, parse: impl FnOnce(T) -> Option<U>) -> Given<U> {
        match self {
            Self::Absent => Given::Absent,
            Self::Null => Given::Null,
            Self::Value(value) => parse(value).map_or(Given::Absent, Given::Value),
        }
    }
}

/// How strictly types are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Types count: `"5"` is no number.
    Json,
    /// Everything is text: `5` is one, and an empty field is `null`.
    Text,
}

/// The fields that came in, by name.
#[derive(Debug, Clone)]
pub struct Input {
    source: Source,
    fields: Vec<(String, Raw)>,
}

impl Input {
    /// Fields from a source. Of a name that comes twice the last counts; JSON bodies with such are refused
    /// before they come here.
    pub fn new(source: Source, fields: Vec<(String, Raw)>) -> Self {
        Self { source, fields }
    }

    /// Fields of a form or a CSV line: text is trimmed, empty is `null`.
    pub fn from_text<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let raw = |value: &str| {
            let value = value.trim();
            if value.is_empty() { Raw::Null } else { Raw::Text(value.to_owned()) }
        };
        Self::new(Source::Text, fields.into_iter().map(|(name, value)| (name.to_owned(), raw(value))).collect())
    }

    /// The raw value of a field.
    pub fn get(&self, name: &str) -> Option<&Raw> {
        self.fields.iter().rev().find(|(field, _)| field == name).map(|(_, raw)| raw)
    }

    /// What was typed, for showing it again.
    pub fn typed(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Raw::Text(text) | Raw::Number(text)) => text,
            Some(Raw::Bool(true)) => "true",
            _ => "",
        }
    }

    /// Puts a value in, or another in its place.
    pub fn set(&mut self, name: &str, raw: Raw) {
        self.fields.retain(|(field, _)| field != name);
        self.fields.push((name.to_owned(), raw));
    }

    /// A text, trimmed. Long texts may have newlines and tabs; other control characters are refused.
    pub fn text(&self, name: &str, long: bool, errors: &mut FieldErrors) -> Given<String> {
        match self.get(name) {
            None => Given::Absent,
            Some(Raw::Null) => Given::Null,
            Some(Raw::Text(text)) => {
                // A browser sends the ends of lines as CRLF, a program as it likes.
                let text = text.trim().replace("\r\n", "\n");
                // With overrides of direction a text can look like another one.
                let turns = |c: char| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
                if text.chars().any(|c| turns(c) || c.is_control() && !(long && matches!(c, '\n' | '\t'))) {
                    errors.add(name, "format", "must not have control characters");
                    return Given::Absent;
                }
                Given::Value(text)
            }
            Some(_) => {
                errors.add(name, "type", "must be a string");
                Given::Absent
            }
        }
    }

    /// A list of texts.
    pub fn texts(&self, name: &str, errors: &mut FieldErrors) -> Given<Vec<String>> {
        let wrong = |errors: &mut FieldErrors| {
            errors.add(name, "type", "must be an array of strings");
            Given::Absent
        };
        match self.get(name) {
            None => Given::Absent,
            Some(Raw::Null) => Given::Null,
            Some(Raw::List(list)) => {
                let texts = list.iter().map(|raw| if let Raw::Text(text) = raw { Some(text.clone()) } else { None });
                texts.collect::<Option<Vec<String>>>().map_or_else(|| wrong(errors), Given::Value)
            }
            Some(_) => wrong(errors),
        }
    }

    /// A text exactly as it was sent: a password.
    pub fn verbatim(&self, name: &str, errors: &mut FieldErrors) -> Given<String> {
        match self.get(name) {
            None => Given::Absent,
            Some(Raw::Null) => Given::Null,
            Some(Raw::Text(text)) => Given::Value(text.clone()),
            Some(_) => {
                errors.add(name, "type", "must be a string");
                Given::Absent
            }
        }
    }

    /// A decimal number as it was written: a JSON number, or a decimal string.
    pub fn decimal(&self, name: &str, errors: &mut FieldErrors) -> Given<String> {
        match self.get(name) {
            None => Given::Absent,
            Some(Raw::Null) => Given::Null,
            Some(Raw::Number(text)) => Given::Value(text.clone()),
            Some(Raw::Text(text)) => Given::Value(text.trim().to_owned()),
            Some(_) => {
                errors.add(name, "type", "must be a number");
                Given::Absent
            }
        }
    }

    /// A whole number.
    pub fn integer(&self, name: &str, errors: &mut FieldErrors) -> Given<i64> {
        let text = match (self.get(name), self.source) {
            (None, _) => return Given::Absent,
            (Some(Raw::Null), _) => return Given::Null,
            (Some(Raw::Number(text)), _) | (Some(Raw::Text(text)), Source::Text) => text,
            (Some(_), _) => {
                errors.add(name, "type", "must be a whole number");
                return Given::Absent;
            }
        };
        match text.parse() {
            Ok(number) => Given::Value(number),
            Err(_) => {
                let digits = text.strip_prefix('-').unwrap_or(text);
                if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
                    errors.add(name, "range", "is out of range");
                } else {
                    errors.add(name, "type", "must be a whole number");
                }
                Given::Absent
            }
        }
    }

    /// True or false. Forms and CSV also say `true`, `1`, `yes`, `on` and their opposites.
    pub fn boolean(&self, name: &str, errors: &mut FieldErrors) -> Given<bool> {
        match (self.get(name), self.source) {
            (None, _) => Given::Absent,
            (Some(Raw::Null), _) => Given::Null,
            (Some(Raw::Bool(value)), _) => Given::Value(*value),
            (Some(Raw::Text(text)), Source::Text) => match text.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Given::Value(true),
                "false" | "0" | "no" | "off" => Given::Value(false),
                _ => {
                    errors.add(name, "type", "must be true or false");
                    Given::Absent
                }
            },
            (Some(_), _) => {
                errors.add(name, "type", "must be true or false");
                Given::Absent
            }
        }
    }
}

/// What an input is laid over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// PUT: what is absent takes its default.
    Replace,
    /// PATCH: what is absent stays.
    Patch,
}
