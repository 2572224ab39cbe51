//! All money at one block, with proofs that nothing was made up and nothing left out: what
//! [`crate::State::snapshot`] believes.

use crate::{
    Proven, ProvenError,
    chain::ChainError,
    snapshot::{SHAPE, pending_account},
};
use codec::DecodeAll as _;
use quern_audit::{Account, JobAccount, Reason, Snapshot};
use quern_light::{BlockHash, ValueFault, keys, money};
use quern_primitives::{
    AccountId, Amount, BlockNumber, JobId,
    batch::PendingBatch,
    custody,
    ids::BatchSequence,
    job::{Escrow, Job},
    limits::TASK_BITMAP_BYTES_MAX,
    view::Totals,
};
use std::collections::BTreeMap;

/// Entries of one kind that are read at most.
const ENTRIES_MAX: usize = 1 << 22;

impl Proven {
    /// The sums that the chain keeps, as of the block at a height.
    pub async fn totals(&self, number: BlockNumber) -> Result<Totals, ProvenError> {
        let at = self.at_height(number).await?.hash();
        self.totals_of(at).await
    }

    async fn totals_of(&self, at: BlockHash) -> Result<Totals, ProvenError> {
        let amounts = [
            keys::total_issuance(),
            keys::genesis_issuance(),
            keys::minted(),
            keys::burnt(),
            keys::total_bonded(),
            keys::held_for_payouts(),
            keys::total_bonded_by_masternodes(),
            keys::held_for_disputes(),
            keys::held_for_challenges(),
        ];
        let mut asked = amounts.to_vec();
        asked.push(keys::job_totals());
        asked.push(keys::custody_totals());
        let state = self.state(at, &asked).await?;
        let read = || -> Result<Totals, ValueFault> {
            // What was never written is nothing.
            let amount =
                |key: &[u8]| -> Result<Amount, ValueFault> { Ok(state.value(key)?.unwrap_or(0)) };
            let [
                issuance,
                genesis,
                minted,
                burnt,
                bonds,
                payouts,
                masternode_bonds,
                disputes,
                challenges,
            ] = &amounts;
            let custody: Option<custody::Escrow> = state.value(&keys::custody_totals())?;
            let jobs: Escrow = state.value(&keys::job_totals())?.unwrap_or_default();
            Ok(Totals {
                issuance: amount(issuance)?,
                genesis: amount(genesis)?,
                minted: amount(minted)?,
                burnt: amount(burnt)?,
                // Neither part is more than all there is.
                escrow: jobs.held.saturating_add(jobs.pending),
                pending: jobs.pending,
                bonds: amount(bonds)?,
                payouts: amount(payouts)?,
                masternode_bonds: amount(masternode_bonds)?,
                disputes: amount(disputes)?,
                contracts: custody.unwrap_or_default().held,
                challenges: amount(challenges)?,
            })
        };
        read().map_err(|source| ProvenError::Value { at, source })
    }

    /// All money at the end of the block at a height: every account, and every job there ever was. It is
    /// proven that there are no others, so that what they have together is all there is.
    pub async fn snapshot(&self, number: BlockNumber) -> Result<Snapshot, ProvenError> {
        let at = self.at_height(number).await?.hash();
        Ok(Snapshot {
            block: number,
            totals: self.totals_of(at).await?,
            accounts: self.accounts(at).await?,
            jobs: self.jobs(at).await?,
        })
    }

    async fn accounts(&self, at: BlockHash) -> Result<BTreeMap<AccountId, Account>, ProvenError> {
        let mut accounts: BTreeMap<AccountId, Account> = BTreeMap::new();
        // What is held for named reasons is a part of what is reserved; the rest has none.
        let mut reserved: BTreeMap<AccountId, Amount> = BTreeMap::new();
        self.each(at, &keys::accounts(), "the accounts", |key, value| {
            let account = AccountId::new(key);
            let known = money::account(value).map_err(ValueFault::from)?;
            reserved.insert(account.clone(), known.reserved);
            let free = known.free;
            let held = BTreeMap::new();
            accounts.insert(account, Account { free, held });
            Ok(())
        })
        .await?;
        let what = "what is held on accounts";
        self.each(at, &keys::all_holds(), what, |key, value| {
            let account = AccountId::new(key);
            let known = accounts.entry(account.clone()).or_default();
            let reserved = reserved.entry(account).or_default();
            for held in money::holds(value).map_err(ValueFault::from)? {
                let left = reserved.checked_sub(held.amount);
                *reserved = left.ok_or(ENTRY_DOES_NOT_FIT)?;
                let reason = Reason::of_pallet(&held.pallet());
                let sum = known.held.entry(reason).or_default();
                *sum = sum.checked_add(held.amount).ok_or(ENTRY_DOES_NOT_FIT)?;
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

    async fn jobs(&self, at: BlockHash) -> Result<BTreeMap<JobId, JobAccount>, ProvenError> {
        let mut jobs = BTreeMap::new();
        self.each(at, &keys::jobs(), "the jobs", |key, mut value| {
            let job = Job::decode_all(&mut value).map_err(|_| ENTRY_DOES_NOT_FIT)?;
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
        let what = "the settled tasks of jobs";
        self.each(at, &keys::settled_tasks(), what, |key, mut value| {
            let settled = Vec::<u8>::decode_all(&mut value);
            let settled = settled
                .ok()
                .filter(|it| it.len() <= TASK_BITMAP_BYTES_MAX as usize);
            if let Some(known) = jobs.get_mut(&JobId(key)) {
                known.settled = settled.ok_or(ENTRY_DOES_NOT_FIT)?;
            }
            Ok(())
        })
        .await?;
        let what = "the pending batches of jobs";
        let mut pending = Vec::new();
        self.each(at, &keys::pending_lists(), what, |key, mut value| {
            let list = Vec::<(BatchSequence, BlockNumber)>::decode_all(&mut value);
            let list = list.map_err(|_| ENTRY_DOES_NOT_FIT)?;
            let of_job = list.into_iter();
            pending.extend(of_job.map(|(sequence, _)| (JobId(key), sequence)));
            Ok(())
        })
        .await?;
        for (job, sequence) in pending {
            let key = keys::pending_batch(&job, sequence);
            let batch: Option<PendingBatch> = self.value(at, &key).await?;
            if let (Some(batch), Some(known)) = (batch, jobs.get_mut(&job)) {
                let account = pending_account(&batch)
                    .map_err(|source| ChainError::Foreign { what, source })?;
                known.pending.insert(sequence, account);
            }
        }
        Ok(jobs)
    }

    /// Reads all entries of a map that is keyed by 32 bytes, and proves that these are all.
    async fn each(
        &self,
        at: BlockHash,
        prefix: &[u8],
        what: &'static str,
        mut take: impl FnMut([u8; 32], &[u8]) -> Result<(), ValueFault>,
    ) -> Result<(), ProvenError> {
        let (mut after, mut read): (Option<Vec<u8>>, usize) = (None, 0);
        loop {
            let page = self.page(at, prefix, after.as_deref()).await?;
            read = read.saturating_add(page.entries.len());
            if read > ENTRIES_MAX {
                let most = ENTRIES_MAX;
                return Err(ChainError::TooMany { what, most }.into());
            }
            for (key, value) in &page.entries {
                // Behind its hash a key holds what was hashed.
                let key = key.last_chunk::<32>().ok_or(ENTRY_DOES_NOT_FIT);
                let taken = key.and_then(|key| take(*key, value));
                taken.map_err(|source| ProvenError::Value { at, source })?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

/// A value is proven, and is not what it should be: the chain's form is another one.
const ENTRY_DOES_NOT_FIT: ValueFault = ValueFault::Node { what: SHAPE };
