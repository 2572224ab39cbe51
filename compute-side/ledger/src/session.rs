//! The keys by which a validator makes blocks and makes them final.

use crate::{
    Chain,
    chain::{ChainError, no_answer},
};
use quern_primitives::AccountId;
use std::collections::BTreeMap;
use subxt::rpcs::{client::RpcParams, methods::legacy::Bytes};

/// Keys of which a node keeps the secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKeys {
    /// The public keys, as the chain encodes them: BABE's, then GRANDPA's.
    pub keys: Vec<u8>,
    /// What shows that the node has the secrets, for the account of the operator alone.
    pub proof: Vec<u8>,
}

impl Chain {
    /// Has the node that answers make session keys for an account, and keep their secrets beside those
    /// that it has. It does so only for whom it trusts: who comes from its own machine, unless it was
    /// told otherwise.
    pub async fn new_session_keys(&self, account: &AccountId) -> Result<SessionKeys, ChainError> {
        let what = "the request for session keys";
        let owner: &[u8] = account.as_ref();
        let mut params = RpcParams::new();
        params
            .push(Bytes(owner.to_vec()))
            .map_err(no_answer(what))?;
        let made = self
            .client_rpc
            .request("author_rotateKeysWithOwner", params)
            .await
            .map_err(no_answer(what))?;
        read(made).ok_or_else(|| ChainError::Foreign {
            what,
            source: "it has no keys with a proof".into(),
        })
    }
}

fn read(mut made: BTreeMap<String, Bytes>) -> Option<SessionKeys> {
    let (keys, proof) = made.remove("keys").zip(made.remove("proof"))?;
    Some(SessionKeys {
        keys: keys.0,
        proof: proof.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_without_a_proof_are_none() {
        let made = |names: &[&str]| {
            let parts = names.iter().zip(1..);
            parts
                .map(|(name, byte)| (name.to_string(), Bytes(vec![byte])))
                .collect()
        };
        let keys = SessionKeys {
            keys: vec![1],
            proof: vec![2],
        };
        assert_eq!(read(made(&["keys", "proof"])), Some(keys));
        assert_eq!(read(made(&["keys"])), None);
    }
}
