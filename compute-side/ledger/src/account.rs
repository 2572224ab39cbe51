//! Accounts that sign.

use quern_primitives::AccountId;
use std::{str::FromStr, sync::Arc};
use subxt_signer::{SecretUri, sr25519::Keypair};
use tokio::sync::Mutex;

/// A text is no secret.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Neither a phrase, nor 32 bytes in hexadecimal, nor a development name.
    #[error(
        "not a secret: expected a phrase of 12 to 24 words, 0x and 64 hexadecimal digits, or a development name such as //Alice"
    )]
    NotASecret(#[source] subxt_signer::SecretUriError),
    /// The words are not a phrase.
    #[error("the secret makes no key; check every word of the phrase")]
    NoKey(#[source] subxt_signer::sr25519::Error),
}

/// An account and the key that signs for it. What clones of one send at the same time is sent one after the other.
#[derive(Clone)]
pub struct Account {
    pub(crate) key: Keypair,
    /// Held from asking for the next transaction's number until the node has that transaction.
    pub(crate) turn: Arc<Mutex<()>>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({})", self.id())
    }
}

impl Account {
    /// From a phrase, `0x` and 64 hexadecimal digits, or a development name such as `//Alice`.
    pub fn from_secret(secret: &str) -> Result<Self, AccountError> {
        let uri = SecretUri::from_str(secret.trim()).map_err(AccountError::NotASecret)?;
        Keypair::from_uri(&uri)
            .map(|key| Self {
                key,
                turn: Arc::default(),
            })
            .map_err(AccountError::NoKey)
    }

    /// The account's public name.
    pub fn id(&self) -> AccountId {
        AccountId::new(self.key.public_key().0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_development_name_is_the_well_known_account() {
        let alice = Account::from_secret("//Alice").unwrap().id();
        assert_eq!(
            alice.to_string(),
            "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
        );
    }

    #[test]
    fn a_text_that_is_no_secret_is_refused() {
        assert!(Account::from_secret("three wrong words").is_err());
        assert!(Account::from_secret("0x12").is_err());
    }
}
