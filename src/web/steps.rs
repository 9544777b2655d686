//! Lists by id, newest first, whose pages go by "older" and "newer": a step costs the same at any depth and in both
//! directions, and nobody counts a million rows for it.

use super::list::Params;
use super::sorted::Span;
use super::view::url;
use crate::error::Error;
use crate::fields::FieldErrors;

/// The parameter that holds the id before which a page begins.
const OLDER: &str = "older";
/// The parameter that holds the id after which a page ends.
const NEWER: &str = "newer";
/// The parameters that say where in its list a page is: a link that changes anything else leaves them out.
pub const PARAMS: [&str; 2] = [OLDER, NEWER];

/// Which page of such a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The newest rows.
    Newest,
    /// The rows older than this id.
    Older(i64),
    /// The rows newer than this id, those next to it.
    Newer(i64),
}

/// A page that somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// Where it is.
    pub place: Place,
    /// Rows on it: 1 to 100.
    pub size: i64,
}

/// The ways from a page to its neighbours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ways {
    pub newer_url: Option<String>,
    pub older_url: Option<String>,
}

impl Ways {
    /// Whether there is any.
    pub fn any(&self) -> bool {
        self.newer_url.is_some() || self.older_url.is_some()
    }
}

impl Steps {
    /// Reads `older` or `newer`, an id each, and `page_size`; 20 rows without one.
    ///
    /// # Errors
    /// 400 for both at once or something that is no number.
    pub fn parse(params: &Params) -> Result<Self, Error> {
        let mut errors = FieldErrors::default();
        let (older, newer) = (params.integer(OLDER, &mut errors), params.integer(NEWER, &mut errors));
        let size = params.integer("page_size", &mut errors).unwrap_or(20);
        let place = match (older, newer) {
            (None, None) => Place::Newest,
            (Some(id), None) => Place::Older(id),
            (None, Some(id)) => Place::Newer(id),
            (Some(_), Some(_)) => return Err(Error::Malformed("Use one of older and newer.".to_owned())),
        };
        if !errors.is_empty() || !(1..=100).contains(&size) {
            return Err(Error::Malformed("older, newer and page_size (1 to 100) must be whole numbers.".to_owned()));
        }
        Ok(Self { place, size })
    }

    /// The same list from its newest row on.
    pub fn newest(self) -> Self {
        Self { place: Place::Newest, ..self }
    }

    /// What a store is asked for: one row more than the page has, which tells that there are more.
    pub fn span(&self) -> Span<()> {
        let (descending, after) = match self.place {
            Place::Newest => (true, None),
            Place::Older(id) => (true, Some((id.to_string(), id))),
            Place::Newer(id) => (false, Some((id.to_string(), id))),
        };
        Span { order: (), descending, after, skip: 0, limit: self.size + 1 }
    }

    /// Whether these rows are all that is newer: then the newest page is shown rather than a part of one.
    pub fn is_short<T>(&self, rows: &[T]) -> bool {
        matches!(self.place, Place::Newer(_)) && i64::try_from(rows.len()).is_ok_and(|count| count <= self.size)
    }

    /// The page of the rows that were found, newest first, and the ways to its neighbours.
    pub fn page<T>(&self, path: &str, params: &Params, mut rows: Vec<T>, id: impl Fn(&T) -> i64) -> (Vec<T>, Ways) {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        let backwards = matches!(self.place, Place::Newer(_));
        if backwards {
            rows.reverse();
        }
        let to = |name: &str, id: i64| url(path, &params.with(name, &id.to_string()));
        let (first, last) = (rows.first().map(&id), rows.last().map(&id));
        let newer_url = match self.place {
            Place::Newest => None,
            Place::Older(_) => Some(first.map_or_else(|| url(path, &params.with(OLDER, "")), |id| to(NEWER, id))),
            Place::Newer(_) => first.filter(|_| more).map(|id| to(NEWER, id)),
        };
        let older_url = last.filter(|_| more || backwards).map(|id| to(OLDER, id));
        (rows, Ways { newer_url, older_url })
    }
}
