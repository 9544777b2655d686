//! The strict reader: duplicate names, depth over 32 and lone surrogates are refused, numbers keep every digit.

use std::collections::HashSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use crate::error::Error;
use crate::fields::{Input, Raw, Source};

/// How deep arrays and objects may lie in each other.
const DEEPEST: usize = 32;
/// The name under which `serde_json` hands a number's digits over (its feature `arbitrary_precision`).
const NUMBER: &str = "$serde_json::private::Number";
/// Among so few names a repeated one is found quickest by looking at each.
const FEW: usize = 32;

/// What was read.
#[derive(Debug)]
pub enum Tree {
    /// A value that has no others in it.
    Leaf(Raw),
    /// An array.
    Array(Vec<Tree>),
    /// An object: its members in their order, no name twice.
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Reads one JSON text.
    ///
    /// # Errors
    /// 400 with the position for what is malformed.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let malformed = |e: &serde_json::Error| {
            let reason = e.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            Error::Malformed(format!("Malformed JSON at line {}, column {}: {reason}", e.line(), e.column()))
        };
        let mut reader = serde_json::Deserializer::from_slice(body);
        let tree = Strict { depth: 0 }.deserialize(&mut reader).map_err(|e| malformed(&e))?;
        reader.end().map_err(|e| malformed(&e))?;
        Ok(tree)
    }

    /// The fields of an object; none when it is no object.
    pub fn into_input(self) -> Option<Input> {
        let Self::Object(fields) = self else { return None };
        let raw = fields.into_iter().map(|(name, tree)| (name, tree.into_raw())).collect();
        Some(Input::new(Source::Json, raw))
    }

    fn into_raw(self) -> Raw {
        match self {
            Self::Leaf(raw) => raw,
            Self::Array(items) => Raw::List(items.into_iter().map(Self::into_raw).collect()),
            Self::Object(members) => {
                Raw::Object(members.into_iter().map(|(name, tree)| (name, tree.into_raw())).collect())
            }
        }
    }
}

struct Strict {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Tree;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Strict {
    fn deeper<E: serde::de::Error>(&self) -> Result<Self, E> {
        if self.depth >= DEEPEST {
            return Err(E::custom(format!("it is nested deeper than {DEEPEST}")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Raw::Null))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf(Raw::Bool(value)))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf(Raw::Number(value.to_string())))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf(Raw::Number(value.to_string())))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf(Raw::Number(value.to_string())))
    }
    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf(Raw::Text(value.to_owned())))
    }
    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Leaf(Raw::Text(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(self.deeper()?)? {
            all.push(item);
        }
        Ok(Tree::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut fields: Vec<(String, Tree)> = Vec::new();
        let mut names = HashSet::new();
        while let Some(name) = entries.next_key::<String>()? {
            if name == NUMBER && fields.is_empty() {
                return Ok(Tree::Leaf(Raw::Number(entries.next_value()?)));
            }
            if fields.len() == FEW {
                names.extend(fields.iter().map(|(n, _)| n.clone()));
            }
            let again =
                if fields.len() < FEW { fields.iter().any(|(n, _)| *n == name) } else { !names.insert(name.clone()) };
            if again {
                return Err(serde::de::Error::custom(format!("the name {name:?} comes twice")));
            }
            let value = entries.next_value_seed(self.deeper()?)?;
            fields.push((name, value));
        }
        Ok(Tree::Object(fields))
    }
}
