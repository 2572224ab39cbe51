//! The tasks that a block's transactions settle. A call may stand within others, which make several of
//! one, or make it for another account.

use crate::{
    State, Transaction,
    chain::{ChainError, no_state},
};
use codec::DecodeAll as _;
use quern_audit::{Settlement, Tasks};
use quern_light::body::extrinsics_root;
use quern_primitives::{
    JobId,
    batch::{Batch, Certified},
};
use subxt::{
    dynamic::{At as _, Value},
    ext::scale_value::{Composite, Primitive, ValueDef},
};

/// Calls within calls that are looked into. The runtime itself decodes no deeper.
const DEPTH_MAX: usize = 256;

/// What cannot be read.
const WHAT: &str = "the block's transactions";

/// A block's transactions.
pub(crate) struct Body {
    /// All of them, in order.
    pub(crate) transactions: Vec<Transaction>,
    /// What some of them want to settle.
    pub(crate) settlements: Vec<Settlement>,
    /// The root over them, which the block's header has.
    pub(crate) root: [u8; 32],
}

impl State {
    /// The transactions of this block in order, and what those at some places want to settle.
    pub(crate) async fn body(&self, settling: &[usize]) -> Result<Body, ChainError> {
        let block = self.block().number;
        let fetched = self.at.extrinsics().fetch().await;
        let fetched = fetched.map_err(no_state(WHAT, block))?;
        let (mut transactions, mut settlements) = (Vec::new(), Vec::new());
        let mut held = Vec::new();
        for (place, transaction) in fetched.iter().enumerate() {
            let transaction = transaction.map_err(no_state(WHAT, block))?;
            held.push(transaction.bytes().to_vec());
            let (pallet, call) = (transaction.pallet_name(), transaction.call_name());
            let at = u32::try_from(place).unwrap_or(u32::MAX);
            if settling.contains(&place) {
                if (pallet, call) == ("Jobs", "settle") {
                    let mut fields = transaction.call_data_field_bytes();
                    let certified = Certified::decode_all(&mut fields);
                    let certified =
                        certified.map_err(|source| ChainError::Foreign { what: WHAT, source })?;
                    settlements.extend(of_batch(at, &certified.batch));
                } else {
                    let fields = transaction
                        .decode_call_data_fields_unchecked_as::<Value>()
                        .map_err(no_state(WHAT, block))?;
                    find(&fields, at, DEPTH_MAX, &mut settlements);
                }
            }
            transactions.push(Transaction {
                hash: transaction.hash().0,
                pallet: pallet.to_owned(),
                call: call.to_owned(),
            });
        }
        Ok(Body {
            transactions,
            settlements,
            root: extrinsics_root(held.iter().map(Vec::as_slice)),
        })
    }
}

/// What a batch wants to settle; none if no job can have such tasks, and then the chain did not settle
/// it.
fn of_batch(transaction: u32, batch: &Batch) -> Option<Settlement> {
    let tasks = Tasks::new(batch.tasks.first, batch.tasks.bits.to_vec()).ok()?;
    Some(Settlement {
        transaction,
        job: batch.job,
        sequence: batch.sequence,
        tasks,
    })
}

/// Finds all calls that settle a batch within a call.
fn find(value: &Value, transaction: u32, depth: usize, found: &mut Vec<Settlement>) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    let fields = match &value.value {
        ValueDef::Variant(variant) => {
            if variant.name == "settle"
                && let Some(certified) = value.at("certified")
                && let Some(settlement) = read(certified.at("batch"), transaction)
            {
                found.push(settlement);
                return;
            }
            &variant.values
        }
        ValueDef::Composite(fields) => fields,
        ValueDef::BitSequence(_) | ValueDef::Primitive(_) => return,
    };
    for value in values(fields) {
        find(value, transaction, depth, found);
    }
}

/// Reads a batch by the names of its fields.
fn read(batch: Option<&Value>, transaction: u32) -> Option<Settlement> {
    let batch = batch?;
    let number = |value: &Value| u32::try_from(value.as_u128()?).ok();
    let tasks = batch.at("tasks")?;
    let job: [u8; 32] = bytes(batch.at("job")?)?.try_into().ok()?;
    Some(Settlement {
        transaction,
        job: JobId(job),
        sequence: number(batch.at("sequence")?)?,
        tasks: Tasks::new(number(tasks.at("first")?)?, bytes(tasks.at("bits")?)?).ok()?,
    })
}

/// The bytes that a value consists of, in however many wrappings.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    match &value.value {
        ValueDef::Primitive(Primitive::U128(byte)) => Some(vec![u8::try_from(*byte).ok()?]),
        ValueDef::Composite(fields) => {
            let parts: Option<Vec<_>> = values(fields).map(bytes).collect();
            Some(parts?.concat())
        }
        _ => None,
    }
}

fn values(fields: &Composite<()>) -> Box<dyn Iterator<Item = &Value> + '_> {
    match fields {
        Composite::Named(fields) => Box::new(fields.iter().map(|(_, value)| value)),
        Composite::Unnamed(fields) => Box::new(fields.iter()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn wrapped(bytes: &[u8]) -> Value {
        let bytes = bytes.iter().map(|byte| Value::u128((*byte).into()));
        Value::unnamed_composite([Value::unnamed_composite(bytes)])
    }

    fn settle(job: u8, first: u128, bits: &[u8]) -> Value {
        let tasks =
            Value::named_composite([("first", Value::u128(first)), ("bits", wrapped(bits))]);
        let batch = [
            ("job", wrapped(&[job; 32])),
            ("sequence", Value::u128(3)),
            ("tasks", tasks),
        ];
        let certified = [
            ("index", Value::u128(4)),
            ("batch", Value::named_composite(batch)),
        ];
        let certified = Value::named_composite(certified);
        let settle = Value::named_variant("settle", [("certified", certified)]);
        Value::unnamed_variant("Jobs", [settle])
    }

    fn found(call: &Value) -> Vec<Settlement> {
        let mut found = Vec::new();
        find(call, 7, DEPTH_MAX, &mut found);
        found
    }

    #[test]
    fn a_call_that_settles_is_found_within_others() {
        let several = Value::unnamed_composite([settle(1, 8, &[5]), settle(2, 0, &[1, 1])]);
        let batch = Value::named_variant("batch_all", [("calls", several)]);
        let proxy = Value::named_variant("proxy", [("call", batch)]);
        let fields = Value::named_composite([("real", wrapped(&[4; 32])), ("call", proxy)]);
        let expected = |job, first, bits: &[u8]| Settlement {
            transaction: 7,
            job: JobId([job; 32]),
            sequence: 3,
            tasks: Tasks::new(first, bits.to_vec()).unwrap(),
        };
        assert_eq!(
            found(&fields),
            [expected(1, 8, &[5]), expected(2, 0, &[1, 1])]
        );
    }

    #[test]
    fn what_no_job_can_have_is_settled_by_no_call() {
        assert!(found(&settle(1, 3, &[1])).is_empty());
        assert!(found(&Value::u128(1)).is_empty());
        let bare = Value::named_composite([("batch", Value::u128(1))]);
        for cut in [Value::u128(1), bare] {
            let cut = Value::named_variant("settle", [("certified", cut)]);
            assert!(found(&cut).is_empty());
        }
    }
}
