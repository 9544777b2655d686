//! What was typed or sent for a user: read field by field, held to its bounds, laid over what there was.

use validator::{Validate, ValidateEmail as _};

use super::{Password, User, UserFields};
use crate::caller::{Caller, Role};
use crate::error::Error;
use crate::fields::{FieldErrors, Given, Input, Raw};
use crate::time::Timestamp;

/// What only the product sets.
const RESERVED: [&str; 5] = ["id", "version", "created_at", "updated_at", "last_login_at"];
/// Names that nobody may take, since people would believe them.
const RESERVED_NAMES: [&str; 3] = ["admin", "root", "system"];
/// The oldest that anybody is.
const OLDEST: i64 = 150;

/// The bounds of texts, for `validator`.
#[derive(Debug, Validate)]
struct Bounds<'t> {
    #[validate(length(max = 254))]
    email: Option<&'t str>,
    #[validate(length(min = 3, max = 50))]
    username: Option<&'t str>,
    #[validate(length(max = 100))]
    full_name: Option<&'t str>,
    #[validate(length(max = 500))]
    website: Option<&'t str>,
}

/// What was typed or sent.
#[derive(Debug, Clone, Default)]
pub struct UserInput {
    email: Given<String>,
    username: Given<String>,
    full_name: Given<String>,
    age: Given<i32>,
    website: Given<String>,
    role: Given<Role>,
    is_active: Given<bool>,
    password: Given<Password>,
    /// Something was sent as one, be it none.
    says_password: bool,
    /// Of [`RESERVED`], what was sent along, as it was written.
    reserved: Vec<(&'static str, String)>,
    errors: FieldErrors,
}

impl UserInput {
    /// Reads the fields and holds them to their bounds; mistakes wait for [`UserInput::onto`].
    pub fn read(input: &Input) -> Self {
        let mut errors = FieldErrors::default();
        let optional = |given: Given<String>| match given {
            Given::Value(text) if text.is_empty() => Given::Null,
            other => other,
        };
        let email = input.text("email", false, &mut errors).try_map(|email| Some(email.to_lowercase()));
        let username = input.text("username", false, &mut errors);
        let full_name = optional(input.text("full_name", false, &mut errors));
        let website = optional(input.text("website", false, &mut errors));
        let bounds = Bounds {
            email: email.as_value().map(String::as_str),
            username: username.as_value().map(String::as_str),
            full_name: full_name.as_value().map(String::as_str),
            website: website.as_value().map(String::as_str),
        };
        if let Err(found) = bounds.validate() {
            errors.take(&found);
        }
        // What no mail can be sent to is no address, even if the grammar of HTML forms allows it.
        let reachable = |email: &str| email.parse::<lettre::Address>().is_ok() && !email.ends_with(']');
        if email.as_value().is_some_and(|email| !email.validate_email() || !reachable(email)) {
            errors.add("email", "format", "must be an e-mail address");
        }
        if let Some(name) = username.as_value() {
            check_username(name, &mut errors);
        }
        if website.as_value().is_some_and(|website| !is_web_address(website)) {
            errors.add("website", "format", "must be an address that begins with http:// or https://");
        }
        let age = input.integer("age", &mut errors).try_map(|age| {
            let fits = (0..=OLDEST).contains(&age);
            if !fits {
                errors.add("age", "range", format!("must be from 0 to {OLDEST}"));
            }
            i32::try_from(age).ok().filter(|_| fits)
        });
        let role = input
            .text("role", false, &mut errors)
            .try_map(|role| role.parse().map_err(|message: String| errors.add("role", "format", message)).ok());
        let is_active = input.boolean("is_active", &mut errors);
        for (field, cleared) in [("role", role == Given::Null), ("is_active", is_active == Given::Null)] {
            if cleared {
                errors.add(field, "required", "cannot be cleared");
            }
        }
        let password = input.verbatim("password", &mut errors);
        let password = password.try_map(|text| Password::parse(&text, "password", &mut errors));
        let says_password = !matches!(input.get("password"), None | Some(Raw::Null));
        let sent = |name: &'static str| match input.get(name) {
            None | Some(Raw::Null) => None,
            Some(Raw::Number(text) | Raw::Text(text)) => Some((name, text.clone())),
            Some(Raw::Bool(_) | Raw::List(_) | Raw::Object(_)) => Some((name, String::new())),
        };
        let reserved = RESERVED.into_iter().filter_map(sent).collect();
        Self { email, username, full_name, age, website, role, is_active, password, says_password, reserved, errors }
    }

    /// The password that was sent, if any.
    pub fn password(&self) -> Option<&Password> {
        self.password.as_value()
    }

    /// Whether it says who may do what, so that it could take away the last admin.
    pub fn says_access(&self) -> bool {
        self.role.as_value().is_some() || self.is_active.as_value().is_some()
    }

    /// Notes that a password is missing, where one is needed.
    pub fn require_password(&mut self) {
        if self.password.as_value().is_none() {
            self.errors.add("password", "required", "is required");
        }
    }

    /// The fields that come of it: on what there was (PATCH), or on the defaults.
    ///
    /// # Errors
    /// 422 with every mistake.
    pub fn onto(self, base: Option<&User>) -> Result<UserFields, Error> {
        let mut errors = self.errors;
        let mut required = |field: &str, given: Given<String>, base: Option<&String>| {
            let value = given.clone().value().or_else(|| base.filter(|_| given == Given::Absent).cloned());
            if value.is_none() {
                errors.add(field, "required", "is required");
            }
            value
        };
        let email = required("email", self.email, base.map(|b| &b.email));
        let username = required("username", self.username, base.map(|b| &b.username));
        let full_name = self.full_name.over(base.and_then(|b| b.full_name.clone()));
        let age = self.age.over(base.and_then(|b| b.age));
        let website = self.website.over(base.and_then(|b| b.website.clone()));
        let role = self.role.value().or(base.map(User::role)).unwrap_or(Role::User);
        let is_active = self.is_active.value().or(base.map(|b| b.is_active)).unwrap_or(true);
        errors.into_result(|| {
            Some(UserFields { email: email?, username: username?, full_name, age, website, role, is_active })
        })
    }
}

/// Refuses what the caller may not set, when it would change something (contract 3): only an admin sets
/// `email`, `role` and `is_active` of a user that exists, and nobody an `id` or what else only the product
/// sets. A password of somebody who exists has a door of its own, which asks for the present one.
///
/// # Errors
/// 403 naming the field.
pub fn may_set(caller: &Caller, input: &UserInput, base: Option<&User>) -> Result<(), Error> {
    let refused = |field: &str| Err(Error::Forbidden(format!("You may not set {field}.")));
    for (field, sent) in &input.reserved {
        let is = base.and_then(|base| match *field {
            "id" => Some(base.id.to_string()),
            "version" => Some(base.version.to_string()),
            "created_at" => Some(base.created_at.rfc3339()),
            "updated_at" => Some(base.updated_at.rfc3339()),
            "last_login_at" => base.last_login_at.map(Timestamp::rfc3339),
            _ => None,
        });
        if is.as_ref() != Some(sent) {
            return Err(Error::Forbidden(format!("You may not set {field}: the server does.")));
        }
    }
    if base.is_some() && input.says_password {
        return Err(Error::Forbidden(
            "A password is not changed here. Use POST /api/v1/auth/password/change, which asks for the present one."
                .to_owned(),
        ));
    }
    if caller.is_admin() {
        return Ok(());
    }
    let (role, active) = base.map_or((Role::User, true), |b| (b.role(), b.is_active));
    if base.is_some_and(|b| input.email.as_value().is_some_and(|email| *email != b.email)) {
        return refused("email");
    }
    if input.role.as_value().is_some_and(|sent| *sent != role) {
        return refused("role");
    }
    if input.is_active.as_value().is_some_and(|sent| *sent != active) {
        return refused("is_active");
    }
    Ok(())
}

fn is_web_address(text: &str) -> bool {
    // `Url` also takes `http:host` and backslashes, as browsers do.
    let begins = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    // It also escapes what no address has, silently.
    let plain = !text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '\\' | '`'));
    plain && (begins("http://") || begins("https://")) && url::Url::parse(text).is_ok_and(|url| url.has_host())
}

fn check_username(name: &str, errors: &mut FieldErrors) {
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        errors.add("username", "format", "may have only letters A to Z, digits and underscores");
    } else if RESERVED_NAMES.contains(&name.to_ascii_lowercase().as_str()) {
        errors.add("username", "reserved", "is reserved; choose another");
    }
}
