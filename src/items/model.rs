//! The words: an item, what may be typed for one, and who may do what with it.

pub mod images;
mod input;

use diesel::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::caller::{Caller, Role, Who};
use crate::changes::{Entity, Recorded};
use crate::db::schema::items;
use crate::decimal::Amount;
use crate::error::Error;
use crate::time::Timestamp;

pub use images::Images;
pub use input::{ItemInput, parse_price};

/// 999 999 999.9999
pub const MAX_PRICE: Amount = Amount(9_999_999_999_999);

/// The fields that a person fills in: as they are called, and as people call them; in the order of the form.
pub const FIELDS: [(&str, &str); 8] = [
    ("name", "Name"),
    ("sku", "SKU"),
    ("description", "Description"),
    ("price", "Price"),
    ("currency", "Currency"),
    ("tax_rate", "Tax rate"),
    ("category_id", "Category"),
    ("is_active", "Active"),
];

/// The members of an item in version 1 of the API.
pub const SHOWN: [&str; 14] = [
    "id",
    "sku",
    "name",
    "description",
    "price",
    "currency",
    "tax_rate",
    "is_active",
    "category_id",
    "owner_id",
    "version",
    "created_at",
    "updated_at",
    "images",
];

/// Whose an item is, shown beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// Their id.
    pub id: i64,
    /// The name that everybody knows them by.
    pub username: String,
    /// The rest, for who may read that user.
    #[serde(flatten)]
    pub known: Option<Known>,
}

/// What only admins and the user themselves read.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Serialize)]
pub struct Known {
    /// Their e-mail address.
    pub email: String,
    /// Their full name.
    pub full_name: Option<String>,
    /// `admin`, `user` or `guest`.
    pub role: String,
    /// Whether they may come in.
    pub is_active: bool,
}

/// An item as the database has it, and as version 1 of the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, Serialize, Deserialize)]
#[diesel(table_name = items)]
pub struct Item {
    /// Its id.
    pub id: i64,
    /// The seller's own code, unique if there is one.
    pub sku: Option<String>,
    /// 1 to 100 characters.
    pub name: String,
    /// At most 500 characters.
    pub description: Option<String>,
    /// In ten-thousandths of the currency, above 0.
    #[serde(serialize_with = "as_amount", deserialize_with = "from_amount")]
    pub price: i64,
    /// ISO 4217.
    pub currency: String,
    /// In ten-thousandths, 0 to 1.
    #[serde(serialize_with = "as_amount", deserialize_with = "from_amount")]
    pub tax_rate: i64,
    /// Whether everybody may see it.
    pub is_active: bool,
    /// The category that it is in.
    pub category_id: i64,
    /// Who made it.
    pub owner_id: i64,
    /// Grows with each write.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its images, in their order. What was recorded before there were any has none.
    #[serde(default)]
    pub images: Images,
}

fn as_amount<S: Serializer>(units: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    Amount(*units).serialize(serializer)
}

fn from_amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let amount = Amount::parse(&number.to_string());
    amount.map(|amount| amount.0).map_err(|_| serde::de::Error::custom("is no amount"))
}

impl Item {
    /// This state as the next version of an item.
    #[must_use]
    pub fn as_next(self, before: &Self, now: Timestamp) -> Self {
        Self { version: before.version + 1, updated_at: now, ..self }
    }
}

impl Recorded for Item {
    const ENTITY: Entity = Entity::Item;
    fn id(&self) -> i64 {
        self.id
    }
    fn version(&self) -> i64 {
        self.version
    }
}

/// What somebody wants to do with items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Make one.
    Create,
    /// Change one.
    Edit,
    /// Remove one.
    Delete,
}

/// The policy of items (contract 3), the only one: every door asks here. Without an item it says whether the
/// caller may do so with any.
///
/// # Errors
/// 401 for who is not known, 403 for who is.
pub fn may(caller: &Caller, act: Act, item: Option<&Item>) -> Result<(), Error> {
    let (allowed, what) = match (&caller.who, act) {
        (Who::System, _) => (true, ""),
        (Who::Anonymous, Act::Create) => (false, "create items"),
        (Who::Anonymous, Act::Edit) => (false, "edit this item"),
        (Who::Anonymous, Act::Delete) => (false, "delete items"),
        (Who::User(user), Act::Create) => (user.role != Role::Guest, "create items"),
        (Who::User(user), Act::Edit) => {
            let own = item.is_none_or(|item| item.owner_id == user.id);
            (user.role == Role::Admin || user.role == Role::User && own, "edit this item")
        }
        (Who::User(user), Act::Delete) => (user.role == Role::Admin, "delete items"),
    };
    if allowed { Ok(()) } else { Err(caller.refusal(what)) }
}

/// Which items somebody may know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visible {
    /// All.
    All,
    /// The active ones, and this owner's.
    ActiveOrOf(i64),
    /// The active ones.
    Active,
}

impl Visible {
    /// To this caller.
    pub fn to(caller: &Caller) -> Self {
        match &caller.who {
            Who::System => Self::All,
            Who::Anonymous => Self::Active,
            Who::User(user) => match user.role {
                Role::Admin => Self::All,
                Role::User => Self::ActiveOrOf(user.id),
                Role::Guest => Self::Active,
            },
        }
    }

    /// Whether that one is among them.
    pub fn has(self, item: &Item) -> bool {
        match self {
            Self::All => true,
            Self::ActiveOrOf(owner) => item.is_active || item.owner_id == owner,
            Self::Active => item.is_active,
        }
    }
}

/// What an item is: everything that a person may set, within its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemFields {
    /// At most 64 characters.
    pub sku: Option<String>,
    /// 1 to 100 characters.
    pub name: String,
    /// At most 500 characters.
    pub description: Option<String>,
    /// Above 0, at most [`MAX_PRICE`].
    pub price: Amount,
    /// ISO 4217.
    pub currency: String,
    /// 0 to 1.
    pub tax_rate: Amount,
    /// Whether everybody may see it.
    pub is_active: bool,
    /// The category; whether it exists is for the transaction to see.
    pub category_id: i64,
}

impl From<Item> for ItemFields {
    fn from(item: Item) -> Self {
        Self {
            sku: item.sku,
            name: item.name,
            description: item.description,
            price: Amount(item.price),
            currency: item.currency,
            tax_rate: Amount(item.tax_rate),
            is_active: item.is_active,
            category_id: item.category_id,
        }
    }
}

impl ItemFields {
    /// These fields as the next version of an item.
    pub fn onto(self, before: &Item, now: Timestamp) -> Item {
        Item {
            id: before.id,
            sku: self.sku,
            name: self.name,
            description: self.description,
            price: self.price.0,
            currency: self.currency,
            tax_rate: self.tax_rate.0,
            is_active: self.is_active,
            category_id: self.category_id,
            owner_id: before.owner_id,
            version: before.version + 1,
            created_at: before.created_at,
            updated_at: now,
            images: before.images.clone(),
        }
    }
}
