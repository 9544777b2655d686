//! The words: what somebody sends to sign in; API keys are in `model/api_key.rs`.

pub mod api_key;

use crate::error::Error;
use crate::fields::{FieldErrors, Input};

/// A name and a password, as typed.
#[derive(Clone)]
pub struct SignIn {
    /// An e-mail address or a username, in any case.
    pub login: String,
    /// Exactly as typed.
    pub password: String,
}

impl SignIn {
    /// Reads `username` (or `email`) and `password`.
    ///
    /// # Errors
    /// 422 for what is missing.
    pub fn read(input: &Input) -> Result<Self, Error> {
        let mut errors = FieldErrors::default();
        let email = input.verbatim("email", &mut errors).value();
        let login = input.verbatim("username", &mut errors).value().or(email).filter(|l| !l.trim().is_empty());
        let password = input.verbatim("password", &mut errors).value().filter(|p| !p.is_empty());
        if login.is_none() {
            errors.add("username", "required", "is required: an e-mail address or a username");
        }
        if password.is_none() {
            errors.add("password", "required", "is required");
        }
        errors.into_result(|| Some(Self { login: login?, password: password? }))
    }
}
