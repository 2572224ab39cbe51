//! `quern keys`: the keys of accounts.

mod session;

use crate::{
    context::Context,
    keystore::KeystoreError,
    output::{Output, fields, table},
};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use quern_primitives::AccountId;
use serde::Serialize;
use std::{
    io::{self, Read as _},
    path::PathBuf,
};
use zeroize::Zeroizing;

/// Bytes of a secret that is read from a file or from standard input.
const SECRET_BYTES_MAX: u64 = 1_024;

/// What can be done with keys.
#[derive(Subcommand, Debug)]
pub(crate) enum KeysCommand {
    /// Make a key; shows its phrase once
    New(NewArgs),
    /// Keep a key one has: a phrase, or 0x and 64 hexadecimal digits
    Import(ImportArgs),
    /// List the keys
    List,
    /// Show a key's account
    Show(ShowArgs),
    /// Have the node make a validator's keys, and put them on the chain for the account that signs
    Session,
}

#[derive(Args, Debug)]
pub(crate) struct NewArgs {
    /// Its name
    name: String,
    /// Words of its phrase
    #[arg(long, default_value = "12", value_parser = ["12", "24"])]
    words: String,
}

#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// Its name
    name: String,
    /// The file with the secret [default: standard input]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// Its name
    name: String,
    /// Show the secret as well
    #[arg(long)]
    secret: bool,
}

#[derive(Debug, Serialize)]
struct Key {
    name: String,
    account: AccountId,
    file: Option<PathBuf>,
    /// The phrase or seed, if it is to be shown.
    secret: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Keys(Vec<Key>);

/// Does what is asked.
pub(crate) async fn run(context: &Context, command: &KeysCommand) -> anyhow::Result<()> {
    let keys = context.keystore();
    match command {
        KeysCommand::New(args) => {
            let phrase = phrase(if args.words == "24" { 32 } else { 16 })?;
            let file = keys.add(&args.name, &phrase)?;
            let account = keys.account(&args.name)?.id();
            let secret = Some(phrase.to_string());
            context.show(&Key {
                name: args.name.clone(),
                account,
                file: Some(file),
                secret,
            })
        }
        KeysCommand::Import(args) => {
            let secret = read_secret(args)?;
            let file = keys.add(&args.name, &secret)?;
            let account = keys.account(&args.name)?.id();
            context.show(&Key {
                name: args.name.clone(),
                account,
                file: Some(file),
                secret: None,
            })
        }
        KeysCommand::List => {
            let key = |name: String| {
                let account = keys.account(&name)?.id();
                Ok(Key {
                    name,
                    account,
                    file: None,
                    secret: None,
                })
            };
            let keys: Result<_, KeystoreError> = keys.names()?.into_iter().map(key).collect();
            context.show(&Keys(keys?))
        }
        KeysCommand::Show(args) => {
            let account = keys.account(&args.name)?.id();
            let secret = args.secret.then(|| keys.secret(&args.name)).transpose()?;
            let secret = secret.map(|secret| secret.to_string());
            context.show(&Key {
                name: args.name.clone(),
                account,
                file: None,
                secret,
            })
        }
        KeysCommand::Session => session::session(context).await,
    }
}

/// A phrase with so many bytes of the system's randomness.
fn phrase(entropy_bytes: usize) -> anyhow::Result<Zeroizing<String>> {
    let random = Zeroizing::new(rand::random::<[u8; 32]>());
    let mnemonic = bip39::Mnemonic::from_entropy(&random[..entropy_bytes])
        .map_err(|error| anyhow::anyhow!("cannot make a phrase: {error}"))?;
    Ok(Zeroizing::new(mnemonic.to_string()))
}

fn read_secret(args: &ImportArgs) -> anyhow::Result<Zeroizing<String>> {
    let mut secret = Zeroizing::new(String::new());
    match &args.file {
        Some(path) => std::fs::File::open(path)
            .and_then(|file| file.take(SECRET_BYTES_MAX).read_to_string(&mut secret))
            .with_context(|| format!("cannot read the secret in {}", path.display()))?,
        None => io::stdin()
            .take(SECRET_BYTES_MAX)
            .read_to_string(&mut secret)
            .context("cannot read the secret from standard input")?,
    };
    Ok(Zeroizing::new(secret.trim().to_owned()))
}

impl Output for Key {
    fn people(&self) -> String {
        let mut pairs = vec![
            ("name", self.name.clone()),
            ("account", self.account.to_string()),
        ];
        if let Some(file) = &self.file {
            pairs.push(("file", file.display().to_string()));
        }
        if let Some(secret) = &self.secret {
            pairs.push(("secret", secret.clone()));
        }
        let mut text = fields(&pairs);
        if self.secret.is_some() {
            text.push_str(
                "\nWrite the secret down and show it to nobody: whoever has it has the account.",
            );
        }
        text
    }
}

impl Output for Keys {
    fn people(&self) -> String {
        if self.0.is_empty() {
            return "no keys; make one with  quern keys new NAME".into();
        }
        let row = |key: &Key| vec![key.name.clone(), key.account.to_string()];
        table(
            &["name", "account"],
            &self.0.iter().map(row).collect::<Vec<_>>(),
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_ledger::Account;

    #[test]
    fn a_new_phrase_makes_an_account_and_is_never_the_same() {
        for (bytes, words) in [(16, 12), (32, 24)] {
            let (one, other) = (phrase(bytes).unwrap(), phrase(bytes).unwrap());
            assert_eq!(one.split(' ').count(), words);
            assert_ne!(one, other);
            assert!(Account::from_secret(&one).is_ok());
        }
    }
}
