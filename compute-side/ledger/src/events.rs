//! The events of a block, for histories.

use crate::{
    State,
    chain::{ChainError, no_answer},
};
use codec::Decode as _;
use quern_primitives::{JobId, ids::BatchSequence};
use subxt::{dynamic::Value, events::Phase};

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainEvent {
    /// The pallet.
    pub pallet: String,
    /// The event's name.
    pub name: String,
    /// The place in the block of the transaction that caused it, unless the block itself did.
    pub transaction: Option<usize>,
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

    /// The transaction of this block that settled a batch; `None` if none did. A batch may be sent
    /// twice, and then only one of the two transactions settles it.
    pub async fn settlement_of(
        &self,
        job: JobId,
        sequence: BatchSequence,
    ) -> Result<Option<Transaction>, ChainError> {
        let events = self.events().await?;
        let Some(place) = events
            .iter()
            .find(|event| event.settles(job, sequence))
            .and_then(|event| event.transaction)
        else {
            return Ok(None);
        };
        Ok(self.transactions().await?.into_iter().nth(place))
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
                    transaction: match event.phase() {
                        Phase::ApplyExtrinsic(place) => usize::try_from(place).ok(),
                        Phase::Finalization | Phase::Initialization => None,
                    },
                    bytes: event.field_bytes().to_vec(),
                    text: fields.to_string(),
                })
            })
            .collect()
    }
}

impl ChainEvent {
    /// Whether it tells that this batch was settled.
    fn settles(&self, job: JobId, sequence: BatchSequence) -> bool {
        self.pallet == "Jobs"
            && self.name == "BatchSettled"
            && <(JobId, BatchSequence)>::decode(&mut &self.bytes[..]) == Ok((job, sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::Encode as _;

    #[test]
    fn only_the_event_of_the_very_batch_tells_of_its_settlement() {
        let (job, other) = (JobId([1; 32]), JobId([2; 32]));
        let settled = |name: &str, job: JobId, sequence: BatchSequence| ChainEvent {
            pallet: "Jobs".into(),
            name: name.into(),
            transaction: Some(1),
            bytes: (job, sequence, 5_u32).encode(),
            text: String::new(),
        };
        assert!(settled("BatchSettled", job, 3).settles(job, 3));
        assert!(!settled("BatchSettled", job, 4).settles(job, 3));
        assert!(!settled("BatchSettled", other, 3).settles(job, 3));
        assert!(!settled("JobEnded", job, 3).settles(job, 3));
        let cut = ChainEvent {
            bytes: vec![1; 7],
            ..settled("BatchSettled", job, 3)
        };
        assert!(!cut.settles(job, 3));
    }
}
