//! `bartizan access`: principals, roles and keys.

use clap::Subcommand;
use serde_json::json;

use crate::call::{Format, Method, call, cell, change, print, rows, table};
use crate::exit::Ended;
use crate::place::Place;

/// Manage who may do what: principals, roles, keys.
///
/// Beside a running daemon changes have effect on the next request; without one they are made in
/// the state folder.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  bartizan access principals
  bartizan access add shop --role client
  bartizan access keys issue shop --days 90
  bartizan access keys revoke bz_3kd8…
  bartizan access block shop
  bartizan access tokens revoke corp --subject alice@example.org
  bartizan access policies > default.cedar")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    place: Place,
    /// How to print
    #[arg(long, value_enum, default_value = "table", global = true)]
    format: Format,
}

#[derive(Subcommand)]
enum Verb {
    /// List principals
    Principals,
    /// Add a principal
    Add {
        /// What people call it
        name: String,
        /// admin, operator, data-scientist, client or auditor; may be repeated
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
        /// Whose; tenants see nothing of each other
        #[arg(long, default_value = "default")]
        tenant: String,
        /// Automatic containment leaves it alone
        #[arg(long)]
        protected: bool,
        /// Its keys are bait: they never open the door, and whoever shows one raises an incident
        #[arg(long)]
        canary: bool,
    },
    /// Change a principal's roles
    Roles {
        /// Name or id
        principal: String,
        /// All roles it is to have; may be repeated
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
    },
    /// Remove a principal and its keys
    Remove {
        /// Name or id
        principal: String,
    },
    /// Give a principal a one-time password for the console
    Password {
        /// Name or id
        principal: String,
    },
    /// List, issue, rotate and revoke API keys
    Keys {
        #[command(subcommand)]
        verb: Option<KeyVerb>,
    },
    /// Refuse a principal from the next request on, until it is lifted
    Block {
        /// Name or id
        principal: String,
    },
    /// Find and refuse principals that come with access tokens of an issuer
    Tokens {
        #[command(subcommand)]
        verb: TokenVerb,
    },
    /// List what is held against keys, principals and models
    Restrictions,
    /// Lift a restriction
    Lift {
        /// Its id, from `bartizan access restrictions`
        id: String,
    },
    /// Print the default policies
    Policies,
    /// Make certificates for the door and for workloads
    Ca(crate::access_ca::Arguments),
}

#[derive(Subcommand)]
enum TokenVerb {
    /// Print the id under which a subject stands in ledger and restrictions
    Id {
        /// Name of the issuer in `access.issuers`
        issuer: String,
        /// What the issuer calls the principal
        subject: String,
    },
    /// Revoke one token, or all that a subject was issued until now
    Revoke {
        /// Name of the issuer in `access.issuers`
        issuer: String,
        /// `jti` of the token
        #[arg(long, value_name = "JTI", required_unless_present = "subject", conflicts_with = "subject")]
        token: Option<String>,
        /// What the issuer calls the principal
        #[arg(long)]
        subject: Option<String>,
    },
}

#[derive(Subcommand)]
enum KeyVerb {
    /// List keys (public prefixes only)
    List,
    /// Issue a key; it is shown once
    Issue {
        /// Name or id
        principal: String,
        /// Days until it ends by itself
        #[arg(long)]
        days: Option<u32>,
    },
    /// Issue another key; the old one lives on for the overlap
    Rotate {
        /// Public prefix
        prefix: String,
        /// Hours that the old key lives on
        #[arg(long, default_value_t = 24)]
        overlap_hours: u32,
    },
    /// Revoke a key from the next request on
    Revoke {
        /// Public prefix
        prefix: String,
    },
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Ended> {
    let (place, format) = (&arguments.place, arguments.format);
    let list = |path: &str, key: &str, headings: &[&str]| -> anyhow::Result<Ended> {
        let answer = call(place, Method::GET, path, None)?;
        print(&match format {
            Format::Json => format!("{answer:#}\n"),
            Format::Table => {
                let rows: Vec<_> = rows(&answer, key)
                    .iter()
                    .map(|row| headings.iter().map(|heading| cell(row, heading)).collect())
                    .collect();
                table(headings, &rows)
            }
        })?;
        Ok(Ended::Well)
    };
    let act = |method: Method,
               path: &str,
               body: Option<serde_json::Value>,
               said: &dyn Fn(&serde_json::Value) -> String|
     -> anyhow::Result<Ended> {
        match change(place, method, path, body.as_ref())? {
            Err(ended) => Ok(ended),
            Ok(answer) => {
                print(&match format {
                    Format::Json => format!("{answer:#}\n"),
                    Format::Table => format!("{}\n", said(&answer)),
                })?;
                Ok(Ended::Well)
            }
        }
    };
    let issued =
        |answer: &serde_json::Value| format!("{}\nshown once: keep it where secrets are kept", cell(answer, "key"));
    match &arguments.verb {
        Verb::Principals => list(
            "/api/v1/principals",
            "principals",
            &["id", "tenant", "name", "roles", "active", "protected", "canary", "created"],
        ),
        Verb::Restrictions => {
            list("/api/v1/restrictions", "restrictions", &["id", "kind", "target", "in_force", "since", "until"])
        }
        Verb::Keys { verb: None | Some(KeyVerb::List) } => {
            list("/api/v1/keys", "keys", &["prefix", "principal", "created", "expires", "revoked"])
        }
        Verb::Add { name, roles, tenant, protected, canary } => {
            let body =
                json!({ "tenant": tenant, "name": name, "roles": roles, "protected": protected, "canary": canary });
            act(Method::POST, "/api/v1/principals", Some(body), &|answer| format!("added {}", cell(answer, "id")))
        }
        Verb::Roles { principal, roles } => {
            let path = format!("/api/v1/principals/{}", segment(principal)?);
            act(Method::PATCH, &path, Some(json!({ "roles": roles })), &|_| "changed".to_owned())
        }
        Verb::Remove { principal } => {
            let path = format!("/api/v1/principals/{}", segment(principal)?);
            act(Method::DELETE, &path, None, &|_| "removed".to_owned())
        }
        Verb::Password { principal } => {
            let path = format!("/api/v1/principals/{}/password", segment(principal)?);
            act(Method::POST, &path, None, &|answer| {
                format!("{}\none-time: it must be changed at the first log-in", cell(answer, "one_time_password"))
            })
        }
        Verb::Keys { verb: Some(KeyVerb::Issue { principal, days }) } => {
            act(Method::POST, "/api/v1/keys", Some(json!({ "principal": principal, "days": days })), &issued)
        }
        Verb::Keys { verb: Some(KeyVerb::Rotate { prefix, overlap_hours }) } => {
            let path = format!("/api/v1/keys/{}/rotate", segment(public_part(prefix))?);
            act(Method::POST, &path, Some(json!({ "overlap_hours": overlap_hours })), &issued)
        }
        Verb::Keys { verb: Some(KeyVerb::Revoke { prefix }) } => {
            let path = format!("/api/v1/keys/{}", segment(public_part(prefix))?);
            act(Method::DELETE, &path, None, &|_| "revoked from the next request on".to_owned())
        }
        Verb::Block { principal } => {
            let path = format!("/api/v1/principals/{}/block", segment(principal)?);
            act(Method::POST, &path, None, &|answer| format!("blocked; lift it as {}", cell(answer, "restriction")))
        }
        Verb::Tokens { verb: TokenVerb::Id { issuer, subject } } => {
            let path = format!("/api/v1/issuers/{}/principals/{}", segment(issuer)?, segment(subject)?);
            act(Method::GET, &path, None, &|answer| cell(answer, "id"))
        }
        Verb::Tokens { verb: TokenVerb::Revoke { issuer, token, subject } } => {
            let path = format!("/api/v1/issuers/{}/revocations", segment(issuer)?);
            let body = token.as_ref().map_or_else(|| json!({ "subject": subject }), |token| json!({ "token": token }));
            act(Method::POST, &path, Some(body), &|answer| {
                format!("revoked from the next request on; lift it as {}", cell(answer, "restriction"))
            })
        }
        Verb::Lift { id } => {
            let path = format!("/api/v1/restrictions/{}", segment(id)?);
            act(Method::DELETE, &path, None, &|answer| {
                if cell(answer, "lifted") == "true" { "lifted".to_owned() } else { "it was not in force".to_owned() }
            })
        }
        Verb::Ca(arguments) => crate::access_ca::run(arguments),
        Verb::Policies => {
            for (name, text) in bartizan_access::Policies::defaults() {
                print(&format!("// {name}\n{text}\n"))?;
            }
            Ok(Ended::Well)
        }
    }
}

/// The public part of a key, also when the whole key was pasted in haste.
fn public_part(key: &str) -> &str {
    key.get(..15).filter(|part| part.starts_with("bz_")).unwrap_or(key)
}

/// A path segment that needs no encoding.
fn segment(text: &str) -> anyhow::Result<String> {
    let encoded: String = text
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._~:".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    anyhow::ensure!(!encoded.is_empty(), "an empty name or id; list them with `bartizan access principals`");
    Ok(encoded)
}
