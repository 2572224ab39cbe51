//! The events of a block, for histories.

use crate::{
    State,
    chain::{ChainError, no_answer},
};
use subxt::dynamic::Value;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainEvent {
    /// The pallet.
    pub pallet: String,
    /// The event's name.
    pub name: String,
    /// Its encoded fields, one after the other.
    pub bytes: Vec<u8>,
    /// Its fields, written out.
    pub text: String,
}

/// A transaction in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its hash.
    pub hash: [u8; 32],
    /// The pallet it calls.
    pub pallet: String,
    /// The call.
    pub call: String,
}

impl State {
    /// The transactions of this block, in order; those that the block itself carries are among them.
    pub async fn transactions(&self) -> Result<Vec<Transaction>, ChainError> {
        let what = "the block's transactions";
        let fetched = self
            .at
            .extrinsics()
            .fetch()
            .await
            .map_err(no_answer(what))?;
        fetched
            .iter()
            .map(|transaction| {
                let transaction = transaction.map_err(no_answer(what))?;
                Ok(Transaction {
                    hash: transaction.hash().0,
                    pallet: transaction.pallet_name().to_owned(),
                    call: transaction.call_name().to_owned(),
                })
            })
            .collect()
    }

    /// The events of this block, in order.
    pub async fn events(&self) -> Result<Vec<ChainEvent>, ChainError> {
        let events = self
            .at
            .events()
            .fetch()
            .await
            .map_err(no_answer("the block's events"))?;
        events
            .iter()
            .map(|event| {
                let event = event.map_err(no_answer("the block's events"))?;
                let fields = event
                    .decode_fields_unchecked_as::<Value>()
                    .map_err(no_answer("the block's events"))?;
                Ok(ChainEvent {
                    pallet: event.pallet_name().to_owned(),
                    name: event.event_name().to_owned(),
                    bytes: event.field_bytes().to_vec(),
                    text: fields.to_string(),
                })
            })
            .collect()
    }
}
