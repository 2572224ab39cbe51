//! The events of a block, for histories.

use crate::{
    Proven, State,
    blocks::prove_events,
    chain::{ChainError, no_state},
};
use codec::Decode as _;
use quern_audit::{Entry, Event, Kind, read};
use quern_primitives::{AccountId, Amount, BlockNumber, JobId, ids::BatchSequence};
use subxt::{
    dynamic::{At as _, Value},
    events::Phase,
    ext::scale_value::ValueDef,
};

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
    /// Of an event about held money, the pallet for which it is or was held.
    pub held_for: Option<String>,
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
        let (what, block) = ("the block's transactions", self.block().number);
        let fetched = self
            .at
            .extrinsics()
            .fetch()
            .await
            .map_err(no_state(what, block))?;
        fetched
            .iter()
            .map(|transaction| {
                let transaction = transaction.map_err(no_state(what, block))?;
                Ok(Transaction {
                    hash: transaction.hash().0,
                    pallet: transaction.pallet_name().to_owned(),
                    call: transaction.call_name().to_owned(),
                })
            })
            .collect()
    }

    /// The bytes of a transaction of this block, as the block holds it; `None` if it holds no such one.
    pub async fn bytes_of(&self, transaction: [u8; 32]) -> Result<Option<usize>, ChainError> {
        let (what, block) = ("the block's transactions", self.block().number);
        let fetched = self
            .at
            .extrinsics()
            .fetch()
            .await
            .map_err(no_state(what, block))?;
        for held in fetched.iter() {
            let held = held.map_err(no_state(what, block))?;
            if held.hash().0 == transaction {
                return Ok(Some(held.bytes().len()));
            }
        }
        Ok(None)
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

    /// What a batch paid that this block made final: to which workers and operators, and how much,
    /// payment by payment. `None` if this block made no such batch final.
    pub async fn payments_of(
        &self,
        job: JobId,
        sequence: BatchSequence,
    ) -> Result<Option<Vec<(AccountId, Amount)>>, ChainError> {
        Ok(payments(&self.events().await?, job, sequence))
    }

    /// The events of this block, in order.
    pub async fn events(&self) -> Result<Vec<ChainEvent>, ChainError> {
        Ok(self.events_and_bytes().await?.0)
    }

    /// The same, and their bytes as the state has them.
    pub(crate) async fn events_and_bytes(&self) -> Result<(Vec<ChainEvent>, Vec<u8>), ChainError> {
        let (what, block) = ("the block's events", self.block().number);
        let events = self
            .at
            .events()
            .fetch()
            .await
            .map_err(no_state(what, block))?;
        let read = events.iter().map(|event| {
            let event = event.map_err(no_state(what, block))?;
            let fields = event
                .decode_fields_unchecked_as::<Value>()
                .map_err(no_state(what, block))?;
            Ok(ChainEvent {
                pallet: event.pallet_name().to_owned(),
                name: event.event_name().to_owned(),
                transaction: match event.phase() {
                    Phase::ApplyExtrinsic(place) => usize::try_from(place).ok(),
                    Phase::Finalization | Phase::Initialization => None,
                },
                bytes: event.field_bytes().to_vec(),
                held_for: held_for(&fields),
                text: fields.to_string(),
            })
        });
        let read = read.collect::<Result<Vec<_>, ChainError>>()?;
        Ok((read, events.bytes().to_vec()))
    }
}

impl Proven {
    /// What [`State::payments_of`] tells of the block at a height, by events of which the node proves that
    /// they are in the state after it. How they are read is its word still: its runtime's description
    /// tells.
    pub async fn payments_of(
        &self,
        block: BlockNumber,
        job: JobId,
        sequence: BatchSequence,
    ) -> Result<Option<Vec<(AccountId, Amount)>>, ChainError> {
        let state = self.chain.at_height(block).await?;
        let (events, bytes) = state.events_and_bytes().await?;
        prove_events(self, state.block(), &bytes).await?;
        Ok(payments(&events, job, sequence))
    }
}

/// What a block's events tell of money, in their order.
pub fn movements(events: &[ChainEvent]) -> Vec<Entry> {
    let of_money: Vec<_> = events.iter().map(ChainEvent::of_money).collect();
    read(&of_money)
}

/// The pallet that a reason for holding money names: the reasons of all pallets are one enumeration,
/// with a variant for each pallet.
fn held_for(fields: &Value) -> Option<String> {
    match &fields.at("reason")?.value {
        ValueDef::Variant(reason) => Some(reason.name.clone()),
        _ => None,
    }
}

fn payments(
    events: &[ChainEvent],
    job: JobId,
    sequence: BatchSequence,
) -> Option<Vec<(AccountId, Amount)>> {
    events.iter().find(|event| event.finalises(job, sequence))?;
    let told = movements(events);
    let paid = told
        .iter()
        .filter_map(Entry::movement)
        .filter(|movement| {
            matches!(movement.kind, Kind::WorkerPay | Kind::OperatorPay)
                && (movement.job, movement.batch) == (Some(job), Some(sequence))
        })
        .filter_map(|movement| Some((movement.to.account()?.clone(), movement.amount)));
    Some(paid.collect())
}

impl ChainEvent {
    /// The event as it is read for what it tells of money.
    fn of_money(&self) -> Event<'_> {
        Event {
            transaction: self.transaction.and_then(|place| u32::try_from(place).ok()),
            pallet: &self.pallet,
            name: &self.name,
            fields: &self.bytes,
            held_for: self.held_for.as_deref(),
        }
    }

    /// Whether it tells that this batch was settled.
    fn settles(&self, job: JobId, sequence: BatchSequence) -> bool {
        self.pallet == "Jobs"
            && self.name == "BatchSettled"
            && <(JobId, BatchSequence)>::decode(&mut &self.bytes[..]) == Ok((job, sequence))
    }

    /// Whether it tells that this batch is final.
    fn finalises(&self, job: JobId, sequence: BatchSequence) -> bool {
        self.pallet == "Jobs"
            && self.name == "BatchFinalised"
            && <(JobId, BatchSequence)>::decode(&mut &self.bytes[..]) == Ok((job, sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::Encode;

    fn event(pallet: &str, name: &str, fields: impl Encode) -> ChainEvent {
        ChainEvent {
            pallet: pallet.into(),
            name: name.into(),
            transaction: Some(1),
            bytes: fields.encode(),
            text: String::new(),
            held_for: None,
        }
    }

    #[test]
    fn only_the_events_of_the_very_batch_tell_of_its_settlement_and_finality() {
        let (job, other) = (JobId([1; 32]), JobId([2; 32]));
        let of_batch = |name: &str, job: JobId, sequence: BatchSequence| {
            event("Jobs", name, (job, sequence, 5_u32))
        };
        assert!(of_batch("BatchFinalised", job, 3).finalises(job, 3));
        assert!(!of_batch("BatchFinalised", job, 4).finalises(job, 3));
        assert!(!of_batch("BatchFinalised", other, 3).finalises(job, 3));
        assert!(!of_batch("BatchSettled", job, 3).finalises(job, 3));
        assert!(of_batch("BatchSettled", job, 3).settles(job, 3));
        assert!(!of_batch("BatchFinalised", job, 3).settles(job, 3));
        let cut = ChainEvent {
            bytes: vec![1; 7],
            ..of_batch("BatchFinalised", job, 3)
        };
        assert!(!cut.finalises(job, 3));
    }

    #[test]
    fn a_batch_s_payments_are_those_to_its_workers_and_its_operators() {
        let (job, [owner, worker]) = (
            JobId([1; 32]),
            [1, 2].map(|byte| AccountId::new([byte; 32])),
        );
        let paid = |amount: Amount| ChainEvent {
            held_for: Some("Jobs".into()),
            ..event(
                "Balances",
                "TransferOnHold",
                ([16_u8, 0], &owner, &worker, amount),
            )
        };
        // The treasury gets the last part.
        let final_one = |sequence: BatchSequence, parts: [Amount; 3]| {
            let [workers, operators, treasury] = parts;
            let fields = (job, sequence, 1_u32, workers, operators, treasury);
            event("Jobs", "BatchFinalised", fields)
        };
        // The block itself makes batches final, one behind the other.
        let mut events = [
            paid(2),
            paid(1),
            final_one(3, [3, 4, 5]),
            paid(4),
            paid(5),
            paid(7),
            final_one(4, [7, 0, 1]),
            paid(1),
        ];
        for transaction in [Some(1), None] {
            for event in &mut events {
                event.transaction = transaction;
            }
            let of = |sequence| {
                let paid = payments(&events, job, sequence)?;
                Some(
                    paid.into_iter()
                        .map(|(_, amount)| amount)
                        .collect::<Vec<_>>(),
                )
            };
            assert_eq!(of(3), Some(vec![2, 1, 4]));
            assert_eq!(of(4), Some(vec![7]));
            assert_eq!(of(5), None);
        }
    }

    #[test]
    fn a_hold_is_told_by_the_pallet_that_its_reason_names() {
        let reason = Value::unnamed_variant("Jobs", [Value::unnamed_variant("Escrow", [])]);
        let fields = [("reason", reason), ("amount", Value::u128(7))];
        let held = Value::named_composite(fields);
        assert_eq!(held_for(&held).as_deref(), Some("Jobs"));
        let other = Value::named_composite([("amount", Value::u128(7))]);
        assert_eq!(held_for(&other), None);
    }
}
