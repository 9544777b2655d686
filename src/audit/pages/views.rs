//! What happened, and who did it.

use askama::Template;

use crate::web::history::History;
use crate::web::page::Frame;

/// `GET /admin/items/{id}/history`, newest first.
#[derive(Template)]
#[template(path = "items/history.html")]
pub struct ItemHistoryPage {
    pub frame: Frame,
    pub item_id: i64,
    pub item_name: String,
    pub history: History,
}
