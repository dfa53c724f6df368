//! `tidegate revocation …`

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use crate::adapters::cli::{CliError, Session, output::Field, request::Request};

/// What can be done with revocations.
#[derive(Debug, Subcommand)]
pub enum RevocationCommand {
    /// Refuse tokens of an identity provider that were issued up to now
    Add(AddRevocation),
    /// List the revocations that hold
    List,
    /// Lift a revocation: what it refused counts again
    Lift {
        /// Its id
        id: String,
    },
}

/// What is to be refused. (Service tokens: `tidegate token revoke`.)
#[derive(Debug, Args)]
pub struct AddRevocation {
    #[command(flatten)]
    whose: Whose,
    /// Also refuse the person's tokens to come, until the revocation is lifted
    #[arg(long, conflicts_with_all = ["session", "jti"])]
    ban: bool,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// A person: the issuer's configured name and the token's sub, such as `corp:ada`
    #[arg(long, value_name = "ISSUER:SUB", value_parser = of_issuer)]
    user: Option<(String, String)>,
    /// A session: the issuer's configured name and the token's sid
    #[arg(long, value_name = "ISSUER:SID", value_parser = of_issuer)]
    session: Option<(String, String)>,
    /// A token: the issuer's configured name and the token's jti
    #[arg(long, value_name = "ISSUER:JTI", value_parser = of_issuer)]
    jti: Option<(String, String)>,
}

fn of_issuer(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((issuer, value)) if !issuer.is_empty() && !value.is_empty() => Ok((issuer.to_owned(), value.to_owned())),
        _ => Err("must be an issuer's configured name, a colon and the claim, such as corp:ada".to_owned()),
    }
}

const REVOCATIONS: [&str; 3] = ["api", "admin", "revocations"];
const FIELDS: &[Field] = &[
    ("ID", "/id"),
    ("KIND", "/kind"),
    ("ISSUER", "/issuer"),
    ("VALUE", "/value"),
    ("BAN", "/ban"),
    ("SINCE", "/revoked_at"),
    ("ENDS", "/ends_at"),
    ("REASON", "/reason"),
    ("BY", "/created_by"),
];

pub(in crate::adapters::cli) async fn run(command: RevocationCommand, session: &Session) -> Result<(), CliError> {
    let Session { client, output } = session;
    match command {
        RevocationCommand::Add(wish) => {
            let answer = client.send(Request::post(&REVOCATIONS, wish.into_body()?)).await?;
            output.record(&answer.body, FIELDS)
        }
        RevocationCommand::List => {
            let items = client.list(Request::get(&REVOCATIONS)).await?.items;
            output.list(items, FIELDS, "nothing is revoked")
        }
        RevocationCommand::Lift { id } => {
            let [api, admin, revocations] = REVOCATIONS;
            client.send(Request::new(Method::DELETE, &[api, admin, revocations, &id])).await?;
            output.done(&format!("lifted {id}"))
        }
    }
}

impl AddRevocation {
    fn into_body(self) -> Result<Value, CliError> {
        let Whose { user, session, jti } = self.whose;
        let named = [("user", user), ("session", session), ("token", jti)];
        let named = named.into_iter().find_map(|(kind, named)| named.map(|named| (kind, named)));
        let Some((kind, (issuer, value))) = named else {
            return Err(CliError::Usage("say what is revoked: --user, --session or --jti".to_owned()));
        };
        let mut body = json!({"kind": kind, "issuer": issuer, "value": value});
        if let Some(members) = body.as_object_mut() {
            if self.ban {
                members.insert("ban".to_owned(), json!(true));
            }
            members.extend(self.reason.map(|reason| ("reason".to_owned(), json!(reason))));
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::adapters::cli::{Cli, Command};

    fn parse(arguments: &str) -> Result<RevocationCommand, clap::Error> {
        let cli = Cli::try_parse_from(["tidegate", "revocation"].into_iter().chain(arguments.split(' ')))?;
        match cli.command {
            Command::Revocation(command) => Ok(command),
            other => panic!("{other:?}"),
        }
    }

    fn body(arguments: &str) -> Value {
        match parse(arguments).unwrap() {
            RevocationCommand::Add(wish) => wish.into_body().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_of_three_is_revoked() {
        let whole = json!({"kind": "user", "issuer": "corp", "value": "a:b", "ban": true, "reason": "left"});
        assert_eq!(body("add --user corp:a:b --ban --reason left"), whole);
        assert_eq!(body("add --session corp:s1"), json!({"kind": "session", "issuer": "corp", "value": "s1"}));
        assert_eq!(body("add --jti corp:j1"), json!({"kind": "token", "issuer": "corp", "value": "j1"}));
        for bad in ["add", "add --user ada", "add --user corp:", "add --jti corp:j1 --ban", "add --jti a:b --user a:b"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
