//! Uploads as images of items. Both slices are asked: the item's policy whether the caller may edit it, the upload's
//! whether they may use it.

use super::{store, visible};
use crate::changes::{Expected, Tx};
use crate::error::Error;
use crate::fields::{FieldErrors, Given, Input};
use crate::items::model::Item;
use crate::items::model::images::{Image, MOST};
use crate::items::service::images;
use crate::uploads::model::may_change;

/// Reads at which place, from 1, an image is wanted.
///
/// # Errors
/// 422 naming the field.
fn position(input: &Input) -> Result<Option<usize>, Error> {
    let mut errors = FieldErrors::default();
    let position = match input.integer("position", &mut errors) {
        Given::Absent | Given::Null => None,
        Given::Value(position) => match usize::try_from(position) {
            Ok(position) if (1..=MOST).contains(&position) => Some(position),
            _ => {
                errors.add("position", "range", format!("must be from 1 to {MOST}"));
                None
            }
        },
    };
    errors.into_result(|| Some(position))
}

/// Puts an upload on an item as its image, or an image that is there to another place, which is the item's affair
/// alone; `input` may name the `position`. Answers the item; where nothing changes, nothing is written.
///
/// # Errors
/// 401, 403, 404, 409 when the item has no room for it, 412, 422 for what is no image, 428.
pub fn attach(
    tx: &mut Tx<'_>,
    item_id: i64,
    upload_id: i64,
    input: &Input,
    expected: &Expected,
) -> Result<Item, Error> {
    let item = images::to_edit(tx, item_id)?;
    let image = match item.images.find(upload_id) {
        Some(image) => image.clone(),
        None => usable(tx, upload_id)?,
    };
    expected.check(item.version)?;
    images::put(tx, item, image, position(input)?)
}

/// An upload that the caller may make an image of.
fn usable(tx: &mut Tx<'_>, id: i64) -> Result<Image, Error> {
    let found = store::find_to_use(tx.conn, id)?;
    let upload = visible(tx.conn, found, tx.caller, id)?;
    may_change(tx.caller, &upload)?;
    if !upload.is_image() {
        let message = format!("must be the id of an image; {:?} is {}", upload.filename, upload.content_type);
        return Err(Error::field("upload_id", "type", message));
    }
    Ok(upload.as_image())
}
