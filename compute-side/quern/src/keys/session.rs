//! `quern keys session`: the keys of a validator.

use crate::{
    context::Context,
    output::{Output, fields, patiently, submit},
};
use quern_ledger::Call;
use quern_primitives::{AccountId, BlockNumber};
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Set {
    account: AccountId,
    /// The public keys, as the chain encodes them.
    keys: String,
    block: BlockNumber,
    transaction: String,
}

/// Has the node make session keys for the account that signs, and puts them on the chain.
pub(super) async fn session(context: &Context) -> anyhow::Result<()> {
    let account = context.account()?;
    let chain = context.chain().await?;
    let id = account.id();
    let made = patiently("asking the node for keys", chain.new_session_keys(&id)).await?;
    let keys = format!("0x{}", hex::encode(&made.keys));
    let call = Call::SetSessionKeys(made);
    let settled = submit(&chain, &account, &call, "putting the keys on the chain").await?;
    context.show(&Set {
        account: id,
        keys,
        block: settled.block.number,
        transaction: format!("0x{}", hex::encode(settled.transaction)),
    })
}

impl Output for Set {
    fn people(&self) -> String {
        fields(&[
            ("account", self.account.to_string()),
            ("session keys", self.keys.clone()),
            ("block", self.block.to_string()),
        ])
    }
}
