//! Version 2 of the JSON door of items: the price is an object of its amount, currency and tax rate, with exact
//! strings. All else, rules and versions too, is version 1's.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Serialize, Serializer};

use crate::app::{App, KeyUse};
use crate::changes::Tx;
use crate::decimal::{Amount, SCALE};
use crate::error::Error;
use crate::fields::{FieldErrors, Input, Mode, Raw};
use crate::items::model::{Images, Item, ItemInput};
use crate::items::shown::Shape;
use crate::items::store::page::{By, Column};
use crate::items::{list, service};
use crate::time::Timestamp;
use crate::web::caller::{Anyone, Member};
use crate::web::etag;
use crate::web::idempotency::Once;
use crate::web::json::{self, Answer, Json, Tree};
use crate::web::list::Params;

/// The members of an item in version 2.
pub const SHOWN: [&str; 12] = [
    "id",
    "sku",
    "name",
    "description",
    "price",
    "is_active",
    "category_id",
    "owner_id",
    "version",
    "created_at",
    "updated_at",
    "images",
];

/// The members of a price, and the fields of version 1 that they are.
const PRICE: [(&str, &str, &str); 3] = [
    ("amount", "price", "price.amount"),
    ("currency", "currency", "price.currency"),
    ("tax_rate", "tax_rate", "price.tax_rate"),
];

/// An item as version 2 shows it.
#[derive(Debug, Clone, Serialize)]
pub struct ItemV2<'i> {
    id: i64,
    sku: Option<&'i str>,
    name: &'i str,
    description: Option<&'i str>,
    price: Price<'i>,
    is_active: bool,
    category_id: i64,
    owner_id: i64,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    images: &'i Images,
}

/// A price with what it is in.
#[derive(Debug, Clone, Serialize)]
pub struct Price<'i> {
    #[serde(serialize_with = "exact")]
    amount: Amount,
    currency: &'i str,
    #[serde(serialize_with = "exact")]
    tax_rate: Amount,
}

/// With exactly four decimals.
fn exact<S: Serializer>(amount: &Amount, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{}.{:04}", amount.0 / SCALE, amount.0 % SCALE))
}

impl<'i> From<&'i Item> for ItemV2<'i> {
    fn from(item: &'i Item) -> Self {
        Self {
            id: item.id,
            sku: item.sku.as_deref(),
            name: &item.name,
            description: item.description.as_deref(),
            price: Price { amount: Amount(item.price), currency: &item.currency, tax_rate: Amount(item.tax_rate) },
            is_active: item.is_active,
            category_id: item.category_id,
            owner_id: item.owner_id,
            version: item.version,
            created_at: item.created_at,
            updated_at: item.updated_at,
            images: &item.images,
        }
    }
}

/// What was sent, as version 1 reads it.
#[derive(Debug)]
struct Sent {
    input: ItemInput,
    /// There was a price, so that what is wrong with it has a name of its own.
    priced: bool,
}

impl Sent {
    fn read(body: Json) -> Result<Self, Error> {
        let Tree::Object(mut members) = body.0 else { return Err(json::misplaced("an object")) };
        let price = members.iter().position(|(name, _)| name == "price").map(|at| members.swap_remove(at).1);
        members.retain(|(name, _)| !PRICE.iter().any(|(_, flat, _)| name == flat));
        let mut input = Tree::Object(members).into_input().ok_or_else(|| json::misplaced("an object"))?;
        let mut priced = false;
        let mut wrong = false;
        match price {
            None => {}
            Some(Tree::Leaf(Raw::Null)) => input.set("price", Raw::Null),
            Some(price) => match price.into_input() {
                Some(price) => {
                    priced = true;
                    put(&mut input, &price);
                }
                None => wrong = true,
            },
        }
        let mut input = ItemInput::read(&input);
        if wrong {
            input.refuse("price", "type", "must be an object with amount, currency and tax_rate");
        }
        Ok(Self { input, priced })
    }
}

fn put(input: &mut Input, price: &Input) {
    for (nested, flat, _) in PRICE {
        if let Some(raw) = price.get(nested) {
            input.set(flat, raw.clone());
        }
    }
}

/// What is wrong, under the names of version 2.
fn renamed(error: Error, priced: bool) -> Error {
    let Error::Invalid(errors) = error else { return error };
    let mut named = FieldErrors::default();
    for error in errors.list() {
        let nested = PRICE.iter().find(|(_, flat, _)| error.field == *flat && priced).map(|(_, _, nested)| *nested);
        named.add(nested.unwrap_or(&error.field), error.kind, error.message.clone());
    }
    Error::Invalid(named)
}

/// `GET /api/v2/items`: those that the caller may know of.
///
/// # Errors
/// 400, 401, 422.
pub async fn list(req: HttpRequest, caller: Anyone, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let default = By { column: Column::Id, descending: false };
    let key = app.key(KeyUse::Cursors);
    let query = list::Query::parse_of(&params, req.path(), &caller, key, default, &SHOWN)?;
    let (query, listing, related) = list::fetch(&app, query).await?;
    let rows = listing.map(|item| query.shape.show(item, ItemV2::from(item), &related));
    json::many("Items retrieved successfully", &rows)
}

/// `POST /api/v2/items`: makes an item that the caller owns.
///
/// # Errors
/// 400, 401, 403, 409, 415, 422.
pub async fn create(caller: Member, app: Data<App>, once: Once, body: Json) -> Result<HttpResponse, Error> {
    let Sent { input, priced } = Sent::read(body)?;
    let work = move |tx: &mut Tx<'_>| service::create(tx, input).map_err(|error| renamed(error, priced));
    let show = |item: &Item| {
        let location = format!("/api/v2/items/{}", item.id);
        Answer::created("Item created successfully", &ItemV2::from(item), location, item.version)
    };
    once.write(&app, &caller, work, show).await
}

/// `GET /api/v2/items/{id}`.
///
/// # Errors
/// 400, 401, 404, 422.
pub async fn get(req: HttpRequest, caller: Anyone, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    const MESSAGE: &str = "Item retrieved successfully";
    let id = id.into_inner();
    let shape = Shape::of(req.query_string(), &SHOWN, &caller)?;
    let (shape, item, related) = app.look_up(move |conn| service::get_shown(conn, &caller, id, shape)).await?;
    if shape.is_plain() {
        return Ok(json::versioned(MESSAGE, &ItemV2::from(&item), item.version));
    }
    json::shown(MESSAGE, &shape.show(&item, ItemV2::from(&item), &related), item.version)
}

/// `PUT /api/v2/items/{id}`: what is absent takes its default.
///
/// # Errors
/// 400, 401, 403, 404, 409, 412, 415, 422, 428.
pub async fn replace(
    req: HttpRequest,
    caller: Member,
    app: Data<App>,
    id: Path<i64>,
    body: Json,
) -> Result<HttpResponse, Error> {
    change(&req, &caller, &app, id.into_inner(), body, Mode::Replace).await
}

/// `PATCH /api/v2/items/{id}`: what is absent stays, in the price too; `null` clears.
///
/// # Errors
/// As [`replace`].
pub async fn patch(
    req: HttpRequest,
    caller: Member,
    app: Data<App>,
    id: Path<i64>,
    body: Json,
) -> Result<HttpResponse, Error> {
    change(&req, &caller, &app, id.into_inner(), body, Mode::Patch).await
}

async fn change(
    req: &HttpRequest,
    caller: &Member,
    app: &App,
    id: i64,
    body: Json,
    mode: Mode,
) -> Result<HttpResponse, Error> {
    let expected = etag::expected(req, app)?;
    let Sent { input, priced } = Sent::read(body)?;
    let work = move |tx: &mut Tx<'_>| service::update(tx, id, input, mode, &expected);
    let item = app.write(caller, work).await.map_err(|error| renamed(error, priced))?;
    Ok(json::versioned("Item updated successfully", &ItemV2::from(&item), item.version))
}

/// `DELETE /api/v2/items/{id}`.
///
/// # Errors
/// 401, 403, 404, 412, 428.
pub async fn delete(req: HttpRequest, caller: Member, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let expected = etag::expected(&req, &app)?;
    let id = id.into_inner();
    app.write(&caller, move |tx| service::delete(tx, id, &expected)).await?;
    Ok(HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}
