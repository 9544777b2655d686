//! What was typed or sent for an item: read field by field, held to its bounds, laid over what there was.

use iso_currency::Currency;
use validator::Validate;

use super::{Images, Item, ItemFields, MAX_PRICE};
use crate::caller::Caller;
use crate::decimal::{Amount, NotAnAmount, SCALE};
use crate::error::Error;
use crate::fields::{FieldErrors, Given, Input, Raw};

/// What only the product sets.
const RESERVED: [&str; 6] = ["id", "owner_id", "version", "created_at", "updated_at", "images"];

/// What was typed or sent, read field by field.
#[derive(Debug, Clone, Default)]
pub struct ItemInput {
    sku: Given<String>,
    name: Given<String>,
    description: Given<String>,
    price: Given<Amount>,
    currency: Given<String>,
    tax_rate: Given<Amount>,
    is_active: Given<bool>,
    category_id: Given<i64>,
    /// Of [`RESERVED`], what was sent along.
    reserved: Vec<(&'static str, Raw)>,
    errors: FieldErrors,
}

/// The bounds of texts, for `validator`.
#[derive(Debug, Validate)]
struct Bounds<'t> {
    #[validate(length(max = 64))]
    sku: Option<&'t str>,
    #[validate(length(min = 1, max = 100))]
    name: Option<&'t str>,
    #[validate(length(max = 500))]
    description: Option<&'t str>,
    #[validate(custom(function = "is_currency", message = "must be a currency code of ISO 4217, such as USD"))]
    currency: Option<&'t str>,
}

fn is_currency(code: &str) -> Result<(), validator::ValidationError> {
    Currency::from_code(code).map(drop).ok_or_else(|| validator::ValidationError::new("currency"))
}

impl ItemInput {
    /// Reads the fields and holds them to their bounds; mistakes wait for [`ItemInput::onto`].
    pub fn read(input: &Input) -> Self {
        let mut errors = FieldErrors::default();
        let optional = |given: Given<String>| match given {
            Given::Value(text) if text.is_empty() => Given::Null,
            other => other,
        };
        let name = input.text("name", false, &mut errors);
        let sku = optional(input.text("sku", false, &mut errors));
        let description = optional(input.text("description", true, &mut errors));
        let currency = input.text("currency", false, &mut errors).try_map(|c| Some(c.to_uppercase()));
        let bounds = Bounds {
            sku: sku.as_value().map(String::as_str),
            name: name.as_value().map(String::as_str),
            description: description.as_value().map(String::as_str),
            currency: currency.as_value().map(String::as_str),
        };
        if let Err(found) = bounds.validate() {
            errors.take(&found);
        }
        let price = input.decimal("price", &mut errors).try_map(|text| parse_price(&text, &mut errors));
        let tax_rate = input.decimal("tax_rate", &mut errors).try_map(|text| parse_rate(&text, &mut errors));
        let is_active = input.boolean("is_active", &mut errors);
        let category_id = input.integer("category_id", &mut errors);
        let sent = |name: &'static str| Some((name, input.get(name).filter(|raw| **raw != Raw::Null)?.clone()));
        let reserved = RESERVED.into_iter().filter_map(sent).collect();
        Self { sku, name, description, price, currency, tax_rate, is_active, category_id, reserved, errors }
    }

    /// Notes a mistake that was found elsewhere: a CSV line's unknown category.
    pub fn refuse(&mut self, field: &str, kind: &'static str, message: impl Into<String>) {
        self.errors.add(field, kind, message);
    }

    /// Puts the category in: a CSV line names it.
    pub fn set_category(&mut self, id: i64) {
        self.category_id = Given::Value(id);
    }

    /// The category that was sent, if any.
    pub fn category_id(&self) -> Option<i64> {
        self.category_id.as_value().copied()
    }

    /// The code that the line has, if any.
    pub fn sku(&self) -> Option<&str> {
        self.sku.as_value().map(String::as_str)
    }

    /// Refuses what only the product sets, when it would change something (contract 3).
    ///
    /// # Errors
    /// 403 naming the field.
    pub fn check_reserved(&self, caller: &Caller, base: Option<&Item>) -> Result<(), Error> {
        match self.reserved(caller, base) {
            Some(field) => Err(Error::Forbidden(format!("You may not set {field}: the server does."))),
            None => Ok(()),
        }
    }

    /// What was sent that only the product sets, if it would change something.
    pub fn reserved(&self, caller: &Caller, base: Option<&Item>) -> Option<&'static str> {
        let owner = base.map(|b| b.owner_id).or(caller.user_id());
        for (field, sent) in &self.reserved {
            let is = match (*field, base) {
                ("images", base) if base.map_or(&Images::default(), |base| &base.images).are(sent) => continue,
                ("owner_id", _) => owner.map(|id| id.to_string()),
                ("id", Some(base)) => Some(base.id.to_string()),
                ("version", Some(base)) => Some(base.version.to_string()),
                ("created_at", Some(base)) => Some(base.created_at.rfc3339()),
                ("updated_at", Some(base)) => Some(base.updated_at.rfc3339()),
                _ => None,
            };
            if is.is_none() || is.as_deref() != sent.written() {
                return Some(*field);
            }
        }
        None
    }

    /// Passes over what only the product sets.
    pub fn forget_reserved(&mut self) {
        self.reserved.clear();
    }

    /// What is wrong with the fields that were sent, whatever they are laid over.
    pub fn mistakes(&self) -> &FieldErrors {
        &self.errors
    }

    /// The fields that come of it: on what there was (PATCH), or on the defaults (POST, PUT).
    ///
    /// # Errors
    /// 422 with every mistake.
    pub fn onto(self, base: Option<&Item>) -> Result<ItemFields, Error> {
        let mut errors = self.errors;
        let name = required("name", self.name, base.map(|b| b.name.clone()), &mut errors);
        let price = required("price", self.price, base.map(|b| Amount(b.price)), &mut errors);
        let category_id = required("category_id", self.category_id, base.map(|b| b.category_id), &mut errors);
        let currency = or_default(self.currency, base.map(|b| b.currency.clone()), "USD".to_owned());
        let tax_rate = or_default(self.tax_rate, base.map(|b| Amount(b.tax_rate)), Amount(0));
        let is_active = or_default(self.is_active, base.map(|b| b.is_active), true);
        let sku = self.sku.over(base.and_then(|b| b.sku.clone()));
        let description = self.description.over(base.and_then(|b| b.description.clone()));
        errors.into_result(|| {
            Some(ItemFields {
                sku,
                name: name?,
                description,
                price: price?,
                currency,
                tax_rate,
                is_active,
                category_id: category_id?,
            })
        })
    }
}

fn required<T>(field: &str, given: Given<T>, base: Option<T>, errors: &mut FieldErrors) -> Option<T> {
    match given {
        Given::Value(value) => Some(value),
        Given::Null => {
            errors.add(field, "required", "is required");
            None
        }
        Given::Absent => {
            if base.is_none() {
                errors.add(field, "required", "is required");
            }
            base
        }
    }
}

/// A field with a default: `null` asks for it.
fn or_default<T>(given: Given<T>, base: Option<T>, default: T) -> T {
    match given {
        Given::Value(value) => value,
        Given::Null => default,
        Given::Absent => base.unwrap_or(default),
    }
}

/// A price within its bounds, or a note of why not.
pub fn parse_price(text: &str, errors: &mut FieldErrors) -> Option<Amount> {
    match Amount::parse(text) {
        Ok(amount) if amount.0 <= 0 => errors.add("price", "range", "must be greater than 0"),
        Ok(amount) if amount > MAX_PRICE => errors.add("price", "range", "must be at most 999999999.9999"),
        Ok(amount) => return Some(amount),
        Err(NotAnAmount::NotANumber) => errors.add("price", "type", "must be a decimal number, such as 19.99"),
        Err(NotAnAmount::TooFine) => errors.add("price", "decimals", "must have at most 4 decimals"),
        Err(NotAnAmount::TooLarge) if text.starts_with('-') => errors.add("price", "range", "must be greater than 0"),
        Err(NotAnAmount::TooLarge) => errors.add("price", "range", "must be at most 999999999.9999"),
    }
    None
}

fn parse_rate(text: &str, errors: &mut FieldErrors) -> Option<Amount> {
    match Amount::parse(text) {
        Ok(amount) if (0..=SCALE).contains(&amount.0) => return Some(amount),
        Ok(_) | Err(NotAnAmount::TooLarge) => errors.add("tax_rate", "range", "must be from 0 to 1"),
        Err(NotAnAmount::NotANumber) => errors.add("tax_rate", "type", "must be a decimal number, such as 0.2"),
        Err(NotAnAmount::TooFine) => errors.add("tax_rate", "decimals", "must have at most 4 decimals"),
    }
    None
}
