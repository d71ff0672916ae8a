//! `weir user` and `weir token`

use std::io::BufRead;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use serde_json::{Value as Json, json};
use weir_model::Timestamp;

use crate::args::{Global, Token, User};
use crate::client::{Client, encode};
use crate::output;

const USERS: &[(&str, &str)] = &[
    ("IDENTIFIER", "/id"),
    ("SIGNS IN AS", "/sign_in"),
    ("ROLES", "/roles"),
    ("CEILING", "/ceiling"),
    ("DISABLED", "/disabled"),
];

const TOKENS: &[(&str, &str)] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("SCOPES", "/scopes"),
    ("EXPIRES", "/expires"),
    ("LAST USED", "/last_used"),
];

/// Runs a command about users.
pub(crate) fn user(command: User, client: &Client, global: &Global) -> anyhow::Result<()> {
    match command {
        User::List => output::table(&client.list("/users", usize::MAX)?, global.json, USERS),
        User::Create { name, roles, ceiling, organisation, password_stdin } => {
            let mut body = json!({ "name": name, "roles": roles, "ceiling": ceiling });
            if let Some(prefix) = organisation {
                body["organisation"] = prefix.into();
            }
            let (password, generated) = new_password(password_stdin)?;
            body["password"] = password.clone().into();
            let user = client.post("/users", &body)?;
            show_user(&user, generated.then_some(password.as_str()), global)
        }
        User::Password { id, password_stdin } => {
            let (password, generated) = new_password(password_stdin)?;
            let user = client.patch(&path(&id), &json!({ "password": password }))?;
            show_user(&user, generated.then_some(password.as_str()), global)
        }
        User::Disable { id } => {
            show_user(&client.patch(&path(&id), &json!({ "disabled": true }))?, None, global)
        }
        User::Enable { id } => {
            show_user(&client.patch(&path(&id), &json!({ "disabled": false }))?, None, global)
        }
    }
}

fn path(id: &str) -> String {
    format!("/users/{}", encode(id))
}

/// Prints a user, and the password where it was generated.
fn show_user(user: &Json, generated: Option<&str>, global: &Global) -> anyhow::Result<()> {
    if global.json {
        let mut user = user.clone();
        if let Some(password) = generated {
            user["password"] = password.into();
        }
        return output::json(&user);
    }
    output::table(std::slice::from_ref(user), false, USERS)?;
    match generated {
        Some(password) => output::line(&format!("\nPassword, shown this once: {password}")),
        None => Ok(()),
    }
}

/// A password, and whether it was made here.
fn new_password(from_stdin: bool) -> anyhow::Result<(String, bool)> {
    if from_stdin {
        return Ok((password_from_stdin()?, false));
    }
    Ok((weir_node::generate_password()?, true))
}

fn password_from_stdin() -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("could not read the password")?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("the first line of standard input is the password, and it is empty");
    }
    Ok(password.to_owned())
}

/// Runs a command about API tokens.
pub(crate) fn token(command: Token, client: &Client, global: &Global) -> anyhow::Result<()> {
    match command {
        Token::List => output::table(&client.list("/tokens", usize::MAX)?, global.json, TOKENS),
        Token::Create { name, user, scopes, days } => {
            let life = Duration::from_secs(u64::from(days) * 24 * 3600);
            let expires = Timestamp::from_system(SystemTime::now() + life);
            let mut body = json!({ "name": name, "scopes": scopes, "expires": expires });
            if let Some(user) = user {
                body["user"] = user.into();
            }
            let made = client.post("/tokens", &body)?;
            if global.json {
                output::json(&made)
            } else {
                output::line(&output::cell(&made, "/token"))
            }
        }
        Token::Revoke { id } => {
            client.delete(&format!("/tokens/{}", encode(&id)))?;
            if global.quiet { Ok(()) } else { output::line(&format!("revoked {id}")) }
        }
    }
}
