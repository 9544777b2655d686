//! Cursors: where a list goes on. Opaque to clients, authenticated, and bound to the sort and filters that
//! they were made for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use crate::app::hmac_sha256;
use crate::error::Error;

/// 128 bits of the HMAC.
const MAC: usize = 16;
/// No list makes a longer one.
const LONGEST: usize = 2_048;

/// Seals the keys of the last row for a list of this context (its path, sort and filters).
pub fn seal(key: &[u8; 32], context: &str, keys: &[Value]) -> String {
    let payload = Value::from(keys.to_vec()).to_string();
    let mac = mac(key, context, &payload);
    let mut bytes = mac.get(..MAC).unwrap_or_default().to_vec();
    bytes.extend_from_slice(payload.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The keys again.
///
/// # Errors
/// 400 for one that was not made here, or for another list.
pub fn open(key: &[u8; 32], context: &str, cursor: &str) -> Result<Vec<Value>, Error> {
    let wrong = || {
        Error::Malformed(
            "cursor: it is not one of this list; start again without it, and keep sort and filters as they were"
                .to_owned(),
        )
    };
    if cursor.len() > LONGEST {
        return Err(wrong());
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
    let (sent, payload) = bytes.split_at_checked(MAC).ok_or_else(wrong)?;
    let payload = std::str::from_utf8(payload).map_err(|_| wrong())?;
    let made = mac(key, context, payload);
    if !bool::from(made.get(..MAC).unwrap_or_default().ct_eq(sent)) {
        return Err(wrong());
    }
    serde_json::from_str(payload).map_err(|_| wrong())
}

/// The keys of a list that is sorted by one column: the column's value as text, and the id.
///
/// # Errors
/// 400 for the keys of another kind of list.
pub fn place(keys: &[Value]) -> Result<(String, i64), Error> {
    match keys {
        [Value::String(key), id] if id.is_i64() => Ok((key.clone(), id.as_i64().unwrap_or_default())),
        _ => Err(Error::Malformed("cursor: it is not one of this list; start again without it".to_owned())),
    }
}

fn mac(key: &[u8; 32], context: &str, payload: &str) -> [u8; 32] {
    hmac_sha256(key, format!("{}:{context}{payload}", context.len()).as_bytes())
}
