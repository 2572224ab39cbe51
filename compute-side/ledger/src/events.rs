//! The events of a block, for histories.

use crate::{
    State,
    chain::{ChainError, no_state},
};
use codec::Decode as _;
use quern_audit::{Entry, Event, read};
use quern_primitives::{AccountId, Amount, JobId, ids::BatchSequence};
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

    /// What the transaction of this block that settled a batch paid out of escrows: to whom, and how
    /// much, payment by payment. `None` if no transaction of this block settled the batch.
    pub async fn payments_of(
        &self,
        job: JobId,
        sequence: BatchSequence,
    ) -> Result<Option<Vec<(AccountId, Amount)>>, ChainError> {
        Ok(payments(&self.events().await?, job, sequence))
    }

    /// The events of this block, in order.
    pub async fn events(&self) -> Result<Vec<ChainEvent>, ChainError> {
        let (what, block) = ("the block's events", self.block().number);
        let events = self
            .at
            .events()
            .fetch()
            .await
            .map_err(no_state(what, block))?;
        events
            .iter()
            .map(|event| {
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
            })
            .collect()
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
    let settled = events.iter().find(|event| event.settles(job, sequence))?;
    let transaction = settled.transaction?;
    let of_it = events
        .iter()
        .filter(|event| event.transaction == Some(transaction));
    Some(of_it.filter_map(ChainEvent::payment).collect())
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

    /// Who was paid out of an escrow, and how much, if this tells of that.
    fn payment(&self) -> Option<(AccountId, Amount)> {
        let is_payment = self.pallet == "Balances"
            && self.name == "TransferOnHold"
            && self.held_for.as_deref() == Some("Jobs");
        // Reason, from whom, to whom, how much.
        let (_, _, payee, amount) =
            <([u8; 2], AccountId, AccountId, Amount)>::decode(&mut &self.bytes[..]).ok()?;
        is_payment.then_some((payee, amount))
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
    fn only_the_event_of_the_very_batch_tells_of_its_settlement() {
        let (job, other) = (JobId([1; 32]), JobId([2; 32]));
        let settled = |name: &str, job: JobId, sequence: BatchSequence| {
            event("Jobs", name, (job, sequence, 5_u32))
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

    #[test]
    fn a_batch_s_payments_are_those_out_of_escrows_in_its_own_transaction() {
        let (job, [owner, worker]) = (
            JobId([1; 32]),
            [1, 2].map(|byte| AccountId::new([byte; 32])),
        );
        let paid = |transaction, pallet: &str, amount: Amount| ChainEvent {
            transaction: Some(transaction),
            held_for: Some(pallet.into()),
            ..event(
                "Balances",
                "TransferOnHold",
                ([16_u8, 0], &owner, &worker, amount),
            )
        };
        let free = event("Balances", "Transfer", (&owner, &worker, 9 as Amount));
        let events = [
            paid(0, "Jobs", 1),
            paid(1, "Jobs", 2),
            free,
            event("Jobs", "BatchSettled", (job, 3_u32)),
            paid(1, "Jobs", 3),
            paid(1, "Bytechip", 4),
            paid(2, "Jobs", 5),
        ];
        let expected = vec![(worker.clone(), 2), (worker.clone(), 3)];
        assert_eq!(payments(&events, job, 3), Some(expected));
        assert_eq!(payments(&events, job, 4), None);
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
