//! The words: a post, what may be typed for one, and who may do what with it.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::markdown;
use crate::caller::{Caller, Role, Who};
use crate::changes::{Entity, Recorded};
use crate::db::schema::posts;
use crate::error::Error;
use crate::fields::{FieldErrors, Given, Input, Raw};
use crate::time::Timestamp;

/// A post as the database has it, and as lists and the audit log show it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, Serialize, Deserialize)]
#[diesel(table_name = posts)]
pub struct Post {
    /// Its id.
    pub id: i64,
    /// 1 to 255 characters.
    pub title: String,
    /// Without regard to case, for sorting and finding.
    #[serde(skip)]
    pub title_key: String,
    /// Markdown, 1 to 100 000 characters.
    pub content: String,
    /// Whether everybody may read it.
    pub published: bool,
    /// When it was published for the first time. It stays when the post is taken back, so that one that is
    /// published again keeps its date.
    pub published_at: Option<Timestamp>,
    /// Who wrote it.
    pub author_id: i64,
    /// Grows with each write.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Recorded for Post {
    const ENTITY: Entity = Entity::Post;
    fn id(&self) -> i64 {
        self.id
    }
    fn version(&self) -> i64 {
        self.version
    }
}

/// A single post, with its text as HTML. Lists leave that out: drawing a hundred texts that nobody reads yet would
/// cost more than finding them.
#[derive(Debug, Clone, Serialize)]
pub struct Rendered {
    /// The post.
    #[serde(flatten)]
    pub post: Post,
    /// Its content as HTML that is safe to show.
    pub content_html: String,
}

impl From<Post> for Rendered {
    fn from(post: Post) -> Self {
        Self { content_html: markdown::to_html(&post.content), post }
    }
}

/// What somebody wants to do with posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Make one.
    Create,
    /// Change, publish or take back one.
    Edit,
    /// Remove one.
    Delete,
}

/// The policy of posts (contract 3), the only one: every door asks here.
///
/// # Errors
/// 401 for who is not known, 403 for who is.
pub fn may(caller: &Caller, act: Act, post: Option<&Post>) -> Result<(), Error> {
    let own = |id: i64| post.is_some_and(|post| post.author_id == id);
    let allowed = match &caller.who {
        Who::System => true,
        Who::Anonymous => false,
        Who::User(user) => match user.role {
            Role::Admin => true,
            Role::User => act == Act::Create || own(user.id),
            Role::Guest => false,
        },
    };
    let what = match act {
        Act::Create => "create posts",
        Act::Edit => "edit this post",
        Act::Delete => "delete this post",
    };
    if allowed { Ok(()) } else { Err(caller.refusal(what)) }
}

/// Which posts somebody may know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visible {
    /// All.
    All,
    /// The published ones, and this author's.
    PublishedOrOf(i64),
    /// The published ones.
    Published,
}

impl Visible {
    /// To this caller.
    pub fn to(caller: &Caller) -> Self {
        match &caller.who {
            Who::System => Self::All,
            Who::Anonymous => Self::Published,
            Who::User(user) => match user.role {
                Role::Admin => Self::All,
                Role::User => Self::PublishedOrOf(user.id),
                Role::Guest => Self::Published,
            },
        }
    }

    /// Whether that one is among them.
    pub fn has(self, post: &Post) -> bool {
        match self {
            Self::All => true,
            Self::PublishedOrOf(author) => post.published || post.author_id == author,
            Self::Published => post.published,
        }
    }
}

/// What a post is: everything that a person may set, within its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostFields {
    /// 1 to 255 characters.
    pub title: String,
    /// Markdown, 1 to 100 000 characters.
    pub content: String,
    /// Whether everybody may read it.
    pub published: bool,
}

impl From<Post> for PostFields {
    fn from(post: Post) -> Self {
        Self { title: post.title, content: post.content, published: post.published }
    }
}

impl PostFields {
    /// These fields as the next version of a post.
    pub fn onto(self, before: &Post, now: Timestamp) -> Post {
        Post {
            title_key: title_key(&self.title),
            title: self.title,
            content: self.content,
            published_at: before.published_at.or(self.published.then_some(now)),
            published: self.published,
            version: before.version + 1,
            updated_at: now,
            ..before.clone()
        }
    }
}

/// A title without regard to case.
pub fn title_key(title: &str) -> String {
    title.to_lowercase()
}

/// What only the server sets.
const RESERVED: [&str; 6] = ["id", "author_id", "published_at", "version", "created_at", "updated_at"];

/// What was typed, read field by field.
#[derive(Debug, Clone, Default)]
pub struct PostInput {
    title: Given<String>,
    content: Given<String>,
    published: Given<bool>,
    reserved: Vec<(&'static str, String)>,
    errors: FieldErrors,
}

#[derive(Debug, Validate)]
struct Bounds<'t> {
    #[validate(length(min = 1, max = 255))]
    title: Option<&'t str>,
    #[validate(length(min = 1, max = 100_000))]
    content: Option<&'t str>,
}

impl PostInput {
    /// Reads the fields and holds them to their bounds.
    pub fn read(input: &Input) -> Self {
        let mut errors = FieldErrors::default();
        let title = input.text("title", false, &mut errors);
        let content = input.text("content", true, &mut errors);
        let published = input.boolean("published", &mut errors);
        let bounds =
            Bounds { title: title.as_value().map(String::as_str), content: content.as_value().map(String::as_str) };
        if let Err(found) = bounds.validate() {
            errors.take(&found);
        }
        let sent = |name: &'static str| match input.get(name) {
            None | Some(Raw::Null) => None,
            Some(Raw::Number(text) | Raw::Text(text)) => Some((name, text.clone())),
            Some(_) => Some((name, String::new())),
        };
        let reserved = RESERVED.into_iter().filter_map(sent).collect();
        Self { title, content, published, reserved, errors }
    }

    /// Refuses what only the server sets, when it would change something (contract 3).
    ///
    /// # Errors
    /// 403 naming the field.
    pub fn check_reserved(&self, caller: &Caller, base: Option<&Post>) -> Result<(), Error> {
        let author = base.map(|b| b.author_id).or(caller.user_id());
        for (field, sent) in &self.reserved {
            let is = match (*field, base) {
                ("author_id", _) => author.map(|id| id.to_string()),
                ("id", Some(base)) => Some(base.id.to_string()),
                ("version", Some(base)) => Some(base.version.to_string()),
                ("published_at", Some(base)) => base.published_at.map(|at| at.rfc3339()),
                ("created_at", Some(base)) => Some(base.created_at.rfc3339()),
                ("updated_at", Some(base)) => Some(base.updated_at.rfc3339()),
                _ => None,
            };
            if is.as_ref() != Some(sent) {
                return Err(Error::Forbidden(format!("You may not set {field}: the server does.")));
            }
        }
        Ok(())
    }

    /// The fields that come of it: on what there was (PATCH), or on the defaults (POST, PUT).
    ///
    /// # Errors
    /// 422 with every mistake.
    pub fn onto(self, base: Option<&Post>) -> Result<PostFields, Error> {
        let mut errors = self.errors;
        let mut required = |field: &str, given: Given<String>, base: Option<&String>| {
            let value = if given == Given::Null { None } else { given.over(base.cloned()) };
            if value.is_none() {
                errors.add(field, "required", "is required");
            }
            value
        };
        let title = required("title", self.title, base.map(|b| &b.title));
        let content = required("content", self.content, base.map(|b| &b.content));
        let published = match self.published {
            Given::Value(published) => published,
            Given::Null => false,
            Given::Absent => base.is_some_and(|b| b.published),
        };
        errors.into_result(|| Some(PostFields { title: title?, content: content?, published }))
    }
}
