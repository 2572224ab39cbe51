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

impl State {
    /// The events of this block, in order.
    pub async fn events(&self) -> Result<Vec<ChainEvent>, ChainError> {
        let events = self.at.events().fetch().await.map_err(no_answer("the block's events"))?;
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
