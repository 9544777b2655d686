//! `fields=id,name`: of each object only these members, in their own order.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::list::Params;
use crate::error::Error;
use crate::fields::FieldErrors;

/// Which members of each object are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Option<Vec<String>>);

impl Fields {
    /// Reads `fields`: names out of those that there are, with commas between them; all without it.
    pub fn parse<'n>(params: &Params, known: impl Iterator<Item = &'n str> + Clone, errors: &mut FieldErrors) -> Self {
        let Some(text) = params.get("fields") else { return Self(None) };
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        if names.iter().any(|name| !known.clone().any(|known| known == name)) {
            let known: Vec<&str> = known.collect();
            errors.add("fields", "unknown", format!("must name fields of {}", known.join(", ")));
        }
        Self(Some(names))
    }

    /// The same of a query string that says nothing else.
    ///
    /// # Errors
    /// 400, 422.
    pub fn of(query: &str, known: &[&str]) -> Result<Self, Error> {
        if query.is_empty() {
            return Ok(Self(None));
        }
        let mut errors = FieldErrors::default();
        let fields = Self::parse(&Params::parse(query)?, known.iter().copied(), &mut errors);
        errors.into_result(|| Some(fields))
    }

    /// Whether every member is shown.
    pub fn is_all(&self) -> bool {
        self.0.is_none()
    }

    /// Whether this one was asked for by its name.
    pub fn names(&self, name: &str) -> bool {
        self.0.iter().flatten().any(|named| named == name)
    }

    /// Shows this member too, if not all are shown.
    pub fn and(&mut self, name: &str) {
        if let Some(names) = &mut self.0 {
            names.push(name.to_owned());
        }
    }

    /// A thing with only these members.
    pub fn cut<T>(&self, whole: T) -> Cut<'_, T> {
        Cut { whole, fields: self }
    }
}

/// A thing of which only some members are shown.
#[derive(Debug, Clone, Copy)]
pub struct Cut<'f, T> {
    whole: T,
    fields: &'f Fields,
}

impl<T: Serialize> Serialize for Cut<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(names) = &self.fields.0 else { return self.whole.serialize(serializer) };
        let mut whole = serde_json::to_value(&self.whole).map_err(serde::ser::Error::custom)?;
        if let Value::Object(members) = &mut whole {
            members.retain(|member, _| names.contains(member));
        }
        whole.serialize(serializer)
    }
}
