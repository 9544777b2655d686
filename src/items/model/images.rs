//! The images of an item, in their order. An item's own row keeps what is shown of each, which of an upload never
//! changes, so that reading items reads nothing else.

use std::borrow::Cow;

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Text;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Error;
use crate::fields::Raw;

/// So many images an item may have.
pub const MOST: usize = 20;
/// No images, as they are stored.
const NONE: &str = "[]";

/// An upload that is an image of an item.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Image {
    /// The upload's id.
    pub id: i64,
    /// As its sender called it.
    pub filename: String,
    /// Its media type.
    pub content_type: String,
    /// In bytes.
    pub size: i64,
}

/// An image as it is stored.
#[derive(Serialize)]
struct Kept<'i> {
    id: i64,
    filename: &'i str,
    content_type: &'i str,
    size: i64,
}

/// Where the file of an upload is.
pub fn content_path(upload_id: i64) -> String {
    format!("/api/v1/uploads/{upload_id}/content")
}

/// Where the small picture of an upload is.
pub fn thumbnail_path(upload_id: i64) -> String {
    format!("/api/v1/uploads/{upload_id}/thumbnail")
}

impl Serialize for Image {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_struct("Image", 6)?;
        members.serialize_field("id", &self.id)?;
        members.serialize_field("filename", &self.filename)?;
        members.serialize_field("content_type", &self.content_type)?;
        members.serialize_field("size", &self.size)?;
        members.serialize_field("url", &content_path(self.id))?;
        members.serialize_field("thumbnail_url", &thumbnail_path(self.id))?;
        members.end()
    }
}

impl Image {
    /// Whether what was sent says nothing else of it.
    fn is(&self, sent: &Raw) -> bool {
        let Raw::Object(members) = sent else { return false };
        let says = |(name, raw): &(String, Raw)| {
            let own = match name.as_str() {
                "id" => self.id.to_string(),
                "filename" => self.filename.clone(),
                "content_type" => self.content_type.clone(),
                "size" => self.size.to_string(),
                "url" => content_path(self.id),
                "thumbnail_url" => thumbnail_path(self.id),
                _ => return true,
            };
            raw.written() == Some(own.as_str())
        };
        members.iter().any(|(name, _)| name == "id") && members.iter().all(says)
    }
}

/// The images of one item, the first being the one that stands for it.
#[derive(Debug, Clone, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub struct Images {
    list: Vec<Image>,
    /// As they are stored.
    text: Cow<'static, str>,
}

impl Default for Images {
    fn default() -> Self {
        Self { list: Vec::new(), text: Cow::Borrowed(NONE) }
    }
}

impl From<Vec<Image>> for Images {
    fn from(list: Vec<Image>) -> Self {
        if list.is_empty() {
            return Self::default();
        }
        let kept = |image: &'_ Image| {
            let Image { id, filename, content_type, size } = image;
            serde_json::json!(Kept { id: *id, filename, content_type, size: *size })
        };
        let text = serde_json::Value::from(list.iter().map(kept).collect::<Vec<_>>()).to_string();
        Self { list, text: Cow::Owned(text) }
    }
}

impl Images {
    /// Each, in its order.
    pub fn iter(&self) -> std::slice::Iter<'_, Image> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The one that is this upload.
    pub fn find(&self, upload_id: i64) -> Option<&Image> {
        self.list.iter().find(|image| image.id == upload_id)
    }

    /// With this one at a place, counted from 1, or behind the last; without a place where it is already, or last.
    ///
    /// # Errors
    /// 409 when there is no room for it.
    pub fn with(&self, image: Image, position: Option<usize>) -> Result<Self, Error> {
        let mut list = self.list.clone();
        let at = list.iter().position(|other| other.id == image.id);
        if let Some(at) = at {
            list.remove(at);
        } else if list.len() >= MOST {
            let detail = format!("An item has at most {MOST} images. Take one off this item first.");
            return Err(Error::Conflict { detail, field: None });
        }
        let wanted = position.map(|position| position.saturating_sub(1)).or(at);
        list.insert(wanted.unwrap_or(list.len()).min(list.len()), image);
        Ok(list.into())
    }

    /// Those of which this holds.
    #[must_use]
    pub fn only(&self, holds: impl Fn(&Image) -> bool) -> Self {
        self.list.iter().filter(|image| holds(image)).cloned().collect::<Vec<_>>().into()
    }

    /// Whether what was sent says that these are the images, in this order.
    pub fn are(&self, sent: &Raw) -> bool {
        let Raw::List(sent) = sent else { return false };
        sent.len() == self.list.len() && self.list.iter().zip(sent).all(|(image, sent)| image.is(sent))
    }
}

impl Serialize for Images {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Images {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Image>::deserialize(deserializer).map(Self::from)
    }
}

impl<DB> ToSql<Text, DB> for Images
where
    DB: Backend,
    str: ToSql<Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        let text: &str = &self.text;
        text.to_sql(out)
    }
}

impl<DB> FromSql<Text, DB> for Images
where
    DB: Backend,
    String: FromSql<Text, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        let text = String::from_sql(value)?;
        // Most items have none, and lists are hot.
        if text == NONE {
            return Ok(Self::default());
        }
        let list = serde_json::from_str(&text)?;
        Ok(Self { list, text: Cow::Owned(text) })
    }
}
