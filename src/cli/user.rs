//! `stockroom user create|list|passwd|role|deactivate|activate|two-factor-off`

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use clap::Subcommand;
use comfy_table::{Table, presets};

use super::session::Session;
use crate::auth::second_factor;
use crate::caller::Role;
use crate::config::Config;
use crate::error::Error;
use crate::fields::{FieldErrors, Input, Raw, Source};
use crate::users::model::{NewUser, Password, UserInput};
use crate::users::{password, service, store};

/// What to do with users.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a user; prints the id
    Create {
        /// The e-mail address
        #[arg(long)]
        email: String,
        /// 3 to 50 letters, digits and underscores
        #[arg(long)]
        username: String,
        /// admin, user or guest
        #[arg(long, default_value = "user")]
        role: Role,
        /// Read the password from the first line of the standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Print all users
    List,
    /// Give a user another password; ends all their sessions and tokens
    Passwd {
        /// E-mail address, name or id
        user: String,
        /// Read the password from the first line of the standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Give a user another role
    Role {
        /// E-mail address, name or id
        user: String,
        /// admin, user or guest
        role: Role,
    },
    /// Let a user in no longer
    Deactivate {
        /// E-mail address, name or id
        user: String,
    },
    /// Let a user in again
    Activate {
        /// E-mail address, name or id
        user: String,
    },
    /// Let a user in with the password alone, who has lost the authenticator app and the recovery codes
    TwoFactorOff {
        /// E-mail address, name or id
        user: String,
    },
}

/// Does it.
pub fn run(config: &Config, command: Command) -> Result<ExitCode, String> {
    let mut session = Session::open(config)?;
    match command {
        Command::Create { email, username, role, password_stdin } => {
            let password = read_password(password_stdin)?;
            let fields = [("email", email), ("username", username), ("password", password), ("role", role.to_string())];
            let fields = fields.map(|(name, value)| (name.to_owned(), Raw::Text(value)));
            let input = UserInput::read(&Input::new(Source::Text, fields.to_vec()));
            let password = input.password().cloned();
            let fields = input.onto(None).map_err(|e| told(&e))?;
            let password_hash = password.map(|password| hashed(config, &password)).transpose()?;
            let new = NewUser { fields, password_hash };
            let user = session.write(move |tx| service::create(tx, &new)).map_err(|e| told(&e))?;
            println!("{}", user.id);
        }
        Command::List => {
            let mut table = Table::new();
            table.load_style(presets::NOTHING).set_header([
                "ID",
                "USERNAME",
                "E-MAIL",
                "ROLE",
                "ACTIVE",
                "LAST SIGN-IN",
            ]);
            for user in store::all(&mut session.conn).map_err(|e| e.to_string())? {
                let last = user.last_login_at.map_or_else(|| "never".to_owned(), crate::time::Timestamp::human);
                let active = if user.is_active { "yes" } else { "no" };
                table.add_row([user.id.to_string(), user.username, user.email, user.role, active.to_owned(), last]);
            }
            println!("{table}");
        }
        Command::Passwd { user, password_stdin } => {
            let user = session.user(&user)?;
            let text = read_password(password_stdin)?;
            let mut errors = FieldErrors::default();
            let password = Password::parse(&text, "password", &mut errors).ok_or_else(|| errors.to_string())?;
            let hash = hashed(config, &password)?;
            session.write(move |tx| service::set_password(tx, user.id, &hash)).map_err(|e| told(&e))?;
            println!("{} has a new password; all their sessions and tokens have ended.", user.username);
        }
        Command::Role { user, role } => {
            let user = session.user(&user)?;
            session.write(move |tx| service::set_role(tx, user.id, role)).map_err(|e| told(&e))?;
            println!("{} is {role} now.", user.username);
        }
        Command::Deactivate { user } => {
            let user = session.user(&user)?;
            session.write(move |tx| service::set_active(tx, user.id, false)).map_err(|e| told(&e))?;
            println!("{} may come in no longer.", user.username);
        }
        Command::Activate { user } => {
            let user = session.user(&user)?;
            session.write(move |tx| service::set_active(tx, user.id, true)).map_err(|e| told(&e))?;
            println!("{} may come in again.", user.username);
        }
        Command::TwoFactorOff { user } => {
            let user = session.user(&user)?;
            let was_on = session.write(move |tx| second_factor::turn_off(tx, user.id)).map_err(|e| told(&e))?;
            if was_on {
                println!("{} signs in with the password alone now.", user.username);
            } else {
                println!("{} has no two-factor sign-in; nothing was changed.", user.username);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn told(error: &Error) -> String {
    match error {
        Error::Invalid(errors) => {
            errors.list().iter().map(|e| format!("{}: {}", e.field, e.message)).collect::<Vec<_>>().join("\n")
        }
        other => other.to_string(),
    }
}

fn hashed(config: &Config, password: &Password) -> Result<String, String> {
    password::hash(password.expose(), config.bcrypt_cost).map_err(|e| e.to_string())
}

fn read_password(from_stdin: bool) -> Result<String, String> {
    if from_stdin {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map_err(|e| format!("the password cannot be read: {e}"))?;
        let line = line.strip_suffix('\n').unwrap_or(&line);
        return Ok(line.strip_suffix('\r').unwrap_or(line).to_owned());
    }
    if !std::io::stdin().is_terminal() {
        return Err("there is no terminal to ask for the password; use --password-stdin".to_owned());
    }
    dialoguer::Password::new()
        .with_prompt("Password")
        .with_confirmation("Once more", "They differ.")
        .interact()
        .map_err(|e| format!("the password cannot be read: {e}"))
}
