//! What users are written to because of what was done with them: the jobs. `auth::mails` writes the mails,
//! since some carry a link that lets somebody in; none of that is in the queue.

use serde::{Deserialize, Serialize};

use crate::jobs::Job;

/// Somebody has registered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Welcome {
    /// Who.
    pub user_id: i64,
}

/// An admin has made a user who is to choose a password.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invitation {
    /// Who.
    pub user_id: i64,
    /// The admin's name.
    pub invited_by: String,
}

/// A password was replaced.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PasswordChanged {
    /// Whose.
    pub user_id: i64,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// By whom, if it was another.
    pub by: Option<String>,
    /// From which address.
    pub address: Option<String>,
}

impl Job for Welcome {
    const KIND: &'static str = "mail.welcome";
}

impl Job for Invitation {
    const KIND: &'static str = "mail.invitation";
}

impl Job for PasswordChanged {
    const KIND: &'static str = "mail.password_changed";
}
