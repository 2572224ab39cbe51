//! All money at one block: each account, what is held on it and why, each job.

use crate::{
    State,
    chain::{ChainError, no_state},
};
use codec::DecodeAll as _;
use quern_audit::{Account, JobAccount, PendingAccount, Reason, Snapshot, Tasks};
use quern_primitives::{
    AccountId, Amount, BlockNumber, JobId,
    batch::PendingBatch,
    ids::BatchSequence,
    job::Job,
    limits::{PENDING_BATCHES_PER_JOB_MAX, TASK_BITMAP_BYTES_MAX},
};
use std::collections::BTreeMap;
use subxt::{
    dynamic::{At as _, Value, storage},
    ext::scale_value::{Composite, ValueDef},
    storage::StorageValue,
};

/// Accounts that are read at most.
const ACCOUNTS_MAX: usize = 1 << 22;

/// Jobs that are read at most, those that are over among them.
const JOBS_MAX: usize = 1 << 22;

/// What is asked, for messages.
const ACCOUNTS: &str = "the accounts";
const HOLDS: &str = "what is held on accounts";
const JOBS: &str = "the jobs";
const SETTLED: &str = "the settled tasks of jobs";
const PENDING: &str = "the pending batches of jobs";

impl State {
    /// All money at the end of this block: every account, and every job there ever was. They are read
    /// page by page, so it takes a while on a chain with many.
    pub async fn snapshot(&self) -> Result<Snapshot, ChainError> {
        let totals = self.totals().await?;
        let (accounts, jobs) = (self.accounts().await?, self.jobs().await?);
        Ok(Snapshot {
            block: self.block().number,
            totals,
            accounts,
            jobs,
        })
    }

    async fn accounts(&self) -> Result<BTreeMap<AccountId, Account>, ChainError> {
        let mut accounts: BTreeMap<AccountId, Account> = BTreeMap::new();
        // What is held for named reasons is a part of what is reserved; the rest has none.
        let mut reserved: BTreeMap<AccountId, Amount> = BTreeMap::new();
        self.each("System", "Account", ACCOUNTS, ACCOUNTS_MAX, |key, value| {
            let value = value.decode().map_err(|_| SHAPE)?;
            let amount = |name: &str| value.at("data").at(name).and_then(Value::as_u128);
            let (free, held) = amount("free").zip(amount("reserved")).ok_or(SHAPE)?;
            let account = AccountId::new(key);
            let known = Account {
                free,
                held: BTreeMap::new(),
            };
            reserved.insert(account.clone(), held);
            accounts.insert(account, known);
            Ok(())
        })
        .await?;
        self.each("Balances", "Holds", HOLDS, ACCOUNTS_MAX, |key, value| {
            let account = AccountId::new(key);
            let known = accounts.entry(account.clone()).or_default();
            let reserved = reserved.entry(account).or_default();
            let mut holds = Vec::new();
            find_holds(&value.decode().map_err(|_| SHAPE)?, &mut holds);
            for (reason, amount) in holds {
                *reserved = reserved.checked_sub(amount).ok_or(SHAPE)?;
                let held = known.held.entry(reason).or_default();
                *held = held.checked_add(amount).ok_or(SHAPE)?;
            }
            Ok(())
        })
        .await?;
        for (account, amount) in reserved.into_iter().filter(|(_, amount)| *amount > 0) {
            let known = accounts.entry(account).or_default();
            known.held.insert(Reason::Deposit, amount);
        }
        accounts.retain(|_, known| {
            known.held.retain(|_, amount| *amount > 0);
            known.free > 0 || !known.held.is_empty()
        });
        Ok(accounts)
    }

    async fn jobs(&self) -> Result<BTreeMap<JobId, JobAccount>, ChainError> {
        let mut jobs = BTreeMap::new();
        self.each("Jobs", "Jobs", JOBS, JOBS_MAX, |key, value| {
            let job = Job::decode_all(&mut value.bytes())?;
            let known = JobAccount {
                open: job.state.is_open(),
                owner: job.owner,
                escrow: job.escrow,
                next_batch: job.next_batch,
                settled_tasks: job.settled_tasks,
                settled: vec![],
                pending: BTreeMap::new(),
            };
            jobs.insert(JobId(key), known);
            Ok(())
        })
        .await?;
        self.each("Jobs", "SettledTasks", SETTLED, JOBS_MAX, |key, value| {
            let settled = Vec::<u8>::decode_all(&mut value.bytes())?;
            if settled.len() > TASK_BITMAP_BYTES_MAX as usize {
                return Err(SHAPE.into());
            }
            if let Some(known) = jobs.get_mut(&JobId(key)) {
                known.settled = settled;
            }
            Ok(())
        })
        .await?;
        let mut pending = Vec::new();
        self.each("Jobs", "PendingOf", PENDING, JOBS_MAX, |key, value| {
            let list = Vec::<(BatchSequence, BlockNumber)>::decode_all(&mut value.bytes())?;
            if list.len() > PENDING_BATCHES_PER_JOB_MAX as usize {
                return Err(SHAPE.into());
            }
            let of_job = list.into_iter().map(|(sequence, _)| (JobId(key), sequence));
            pending.extend(of_job);
            Ok(())
        })
        .await?;
        for (job, sequence) in pending {
            let batch = self.pending_batch(job, sequence).await?;
            if let (Some(batch), Some(known)) = (batch, jobs.get_mut(&job)) {
                let account = pending_account(&batch).map_err(|source| ChainError::Foreign {
                    what: PENDING,
                    source,
                })?;
                known.pending.insert(sequence, account);
            }
        }
        Ok(jobs)
    }

    /// Reads all entries of a map that is keyed by 32 bytes.
    async fn each(
        &self,
        pallet: &str,
        entry: &str,
        what: &'static str,
        most: usize,
        mut take: impl FnMut([u8; 32], &Stored<'_>) -> Result<(), codec::Error>,
    ) -> Result<(), ChainError> {
        let block = self.block().number;
        let entries = storage::<([u8; 32],), Value>(pallet, entry);
        let entries = self.at.storage().iter(entries, ()).await;
        let mut entries = entries.map_err(no_state(what, block))?;
        let mut read: usize = 0;
        while let Some(entry) = entries.next().await {
            let entry = entry.map_err(no_state(what, block))?;
            if read >= most {
                return Err(ChainError::TooMany { what, most });
            }
            read = read.saturating_add(1);
            let foreign = |source| ChainError::Foreign { what, source };
            // Behind its hash a key holds what was hashed.
            let key = entry.key_bytes().last_chunk::<32>();
            let key = key.ok_or_else(|| foreign("its key is too short".into()))?;
            take(*key, entry.value()).map_err(foreign)?;
        }
        Ok(())
    }
}

/// What is said of a value that has not the fields that it should have.
pub(crate) const SHAPE: &str = "it has not the fields that it should have";

/// A value of the storage.
type Stored<'a> = StorageValue<'a, Value>;

/// A pending batch as the books keep it.
pub(crate) fn pending_account(batch: &PendingBatch) -> Result<PendingAccount, codec::Error> {
    let tasks = Tasks::new(batch.tasks.first, batch.tasks.bits.to_vec());
    let network = batch.split.operators.checked_add(batch.split.treasury);
    Ok(PendingAccount {
        tasks: tasks.map_err(|_| SHAPE)?,
        workers: batch.split.workers,
        network: network.ok_or(SHAPE)?,
    })
}

/// Finds what is held, and for which pallet: `id`, which names pallet and reason, and `amount`.
fn find_holds(value: &Value, found: &mut Vec<(Reason, Amount)>) {
    let ValueDef::Composite(fields) = &value.value else {
        return;
    };
    if let (Some(id), Some(amount)) = (value.at("id"), value.at("amount")) {
        if let (ValueDef::Variant(pallet), Some(amount)) = (&id.value, amount.as_u128()) {
            found.push((Reason::of_pallet(&pallet.name), amount));
        }
        return;
    }
    match fields {
        Composite::Named(fields) => fields.iter().for_each(|(_, it)| find_holds(it, found)),
        Composite::Unnamed(fields) => fields.iter().for_each(|it| find_holds(it, found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_are_found_by_the_names_of_their_fields() {
        let hold = |pallet, reason, amount| {
            let reason = Value::unnamed_variant(reason, []);
            let id = Value::unnamed_variant(pallet, [reason]);
            Value::named_composite([("id", id), ("amount", Value::u128(amount))])
        };
        let holds = [hold("Jobs", "Escrow", 7), hold("Workforce", "Bond", 9)];
        let value = Value::unnamed_composite([Value::unnamed_composite(holds)]);
        let mut found = Vec::new();
        find_holds(&value, &mut found);
        assert_eq!(found, [(Reason::Escrow, 7), (Reason::Bond, 9)]);
        find_holds(&Value::u128(1), &mut found);
        assert_eq!(found.len(), 2);
    }
}
