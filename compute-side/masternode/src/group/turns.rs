//! Going on with a job whose coordinator is silent.
//!
//! Whose turn it is, the chain says, by rules that are computed here as well so that no call is sent in vain.
//! A masternode takes a job over only if it has what it needs to go on with it: the owner's key, the manifest
//! and the program. What batches have settled before is taken from the chain and not computed again; the
//! rest is, and stands in a log of its own.

use crate::{
    daemon::Shared,
    store::{Base, OWN, StoreError},
};
use quern_job_rules::group::take_over;
use quern_ledger::{Call, ChainError, State, SubmitError};
use quern_primitives::{
    AccountId, BlockNumber, JobId, TaskIndex, group::Group, job::Job, view::MasternodeBondView,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// Blocks between two looks: ten seconds. The shortest stall is three times as long.
const LOOK_BLOCKS: BlockNumber = 5;

/// Blocks after which a call is sent again that did not help.
const AGAIN_BLOCKS: BlockNumber = 15;

/// How long to wait before the chain is asked again after it did not answer.
const PAUSE: Duration = Duration::from_secs(2);

/// Why it cannot be said what was settled before.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettledError {
    /// The node does not answer.
    #[error("the chain does not tell what a job begins with")]
    Chain(#[from] ChainError),
    /// The disk does not.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The tasks of a job that this masternode coordinates which are settled, as far as its own log does not
/// tell. Where it has no log of the job yet, they are remembered as what was settled before that began.
pub(crate) async fn settled_before(
    shared: &Shared,
    id: JobId,
    job: &Job,
) -> Result<BTreeSet<TaskIndex>, SettledError> {
    if job.next_batch == 0 {
        return Ok(BTreeSet::new());
    }
    let state = shared.chain.at_finalised().await?;
    let settled = state.settled_tasks(id).await?;
    let first = state.job(id).await?.map_or(0, |job| job.next_batch);
    let has_log = shared.store.read_log(id)?.length()? > 0;
    if !has_log && shared.store.base(id, OWN)?.is_none() {
        let base = Base {
            first,
            settled: settled.clone(),
        };
        shared.store.remember_base((id, OWN), &base)?;
    }
    Ok(settled)
}

/// Takes jobs over when it is this masternode's turn, until it stops.
pub(crate) async fn take_turns(shared: Arc<Shared>) {
    let mut tried = BTreeMap::new();
    loop {
        if let Err(error) = follow(&shared, &mut tried).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                error,
                "the chain does not tell whose turn it is; trying again"
            );
        }
        if shared.commands.is_closed() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow(
    shared: &Arc<Shared>,
    tried: &mut BTreeMap<JobId, BlockNumber>,
) -> Result<(), ChainError> {
    let mut blocks = shared.chain.finalised().await?;
    let mut looked: Option<BlockNumber> = None;
    loop {
        if shared.commands.is_closed() {
            return Ok(());
        }
        let block = blocks.next().await?;
        if looked.is_some_and(|last| block.number < last.saturating_add(LOOK_BLOCKS)) {
            continue;
        }
        looked = Some(block.number);
        let others = shared.others_jobs();
        tried.retain(|job, _| others.contains(job));
        if !others.is_empty() {
            let state = shared.chain.at(block).await?;
            look(shared, tried, &state, others).await?;
        }
    }
}

async fn look(
    shared: &Arc<Shared>,
    tried: &mut BTreeMap<JobId, BlockNumber>,
    state: &State,
    jobs: BTreeSet<JobId>,
) -> Result<(), ChainError> {
    let (clock, stall) = (
        state.finality().await?.clock,
        state.params().await?.stall_blocks,
    );
    let block = state.block().number;
    for id in jobs {
        let is_tried = tried.get(&id);
        if is_tried.is_some_and(|last| block < last.saturating_add(AGAIN_BLOCKS))
            || !can_go_on(shared, id).await
        {
            continue;
        }
        let Some(group) = state.group(id).await? else {
            continue;
        };
        let Some(job) = state.job(id).await?.filter(|job| job.state.goes_on()) else {
            continue;
        };
        let mut bonds = BTreeMap::new();
        for member in &group.members {
            let bond = state.masternode_bond(&member.account).await?;
            bonds.insert(member.account.clone(), bond);
        }
        let me = shared.account.id();
        if !is_due(&group, &me, (clock, stall), &bonds) {
            continue;
        }
        tried.insert(id, block);
        let from = job.state.coordinator().map(ToString::to_string);
        tracing::warn!(
            job = %id,
            from,
            "nothing was settled for too long, or who coordinates the job is no masternode any more; taking it over"
        );
        let shared = shared.clone();
        tokio::spawn(async move {
            match send(&shared, id).await {
                Ok(block) => tracing::info!(job = %id, block, "took a job over"),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(job = %id, error, "could not take a job over; trying again");
                }
            }
        });
    }
    Ok(())
}

/// Whether what every task of a job needs is here.
async fn can_go_on(shared: &Shared, id: JobId) -> bool {
    let Some(context) = shared.context(id) else {
        return false;
    };
    let program = context.program_bytes(&shared.vault).await;
    program
        .unwrap_or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(job = %id, error, "cannot look for a job's program; trying again");
            None
        })
        .is_some()
}

/// Whether the chain would let an account take a job over now.
fn is_due(
    group: &Group,
    by: &AccountId,
    times: (BlockNumber, BlockNumber),
    bonds: &BTreeMap<AccountId, MasternodeBondView>,
) -> bool {
    let is_there = |account: &AccountId| bonds.get(account).is_some_and(|bond| bond.is_masternode);
    let may_begin = |account: &AccountId| {
        let bond = bonds.get(account);
        bond.is_some_and(|bond| bond.is_masternode && bond.active >= bond.least)
    };
    may_begin(by) && take_over(group, by, times, is_there, may_begin).is_ok()
}

async fn send(shared: &Shared, id: JobId) -> Result<BlockNumber, SubmitError> {
    let sent = {
        let _turn = shared.sending.lock().await;
        shared
            .chain
            .send(&shared.account, &Call::TakeOver(id))
            .await?
    };
    Ok(sent.settled().await?.block.number)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::{group::Member, ids::NodeKey};

    fn account(number: u8) -> AccountId {
        AccountId::new([number; 32])
    }

    fn group(members: u8) -> Group {
        let members = (0..members).map(|number| Member {
            account: account(number),
            node: NodeKey([number; 32]),
            is_out: false,
        });
        Group {
            members: members.collect::<Vec<_>>().try_into().unwrap(),
            turn: 0,
            since: 100,
            lane_seed: None,
        }
    }

    fn bond(active: u128, is_masternode: bool) -> MasternodeBondView {
        MasternodeBondView {
            active,
            unbonding: vec![],
            least: 10,
            open: 0,
            per_exposure_permille: 1_000,
            is_masternode,
            is_reachable: true,
        }
    }

    fn bonds(of: &[(u128, bool)]) -> BTreeMap<AccountId, MasternodeBondView> {
        let bonds = (0..).zip(of);
        bonds
            .map(|(number, (active, is_masternode))| {
                (account(number), bond(*active, *is_masternode))
            })
            .collect()
    }

    #[test]
    fn the_next_member_goes_on_after_the_stall_and_the_one_behind_it_later() {
        let (group, bonds) = (group(3), bonds(&[(10, true); 3]));
        let due = |place, clock| is_due(&group, &account(place), (clock, 15), &bonds);
        assert_eq!([114, 115].map(|clock| due(1, clock)), [false, true]);
        assert_eq!([129, 130].map(|clock| due(2, clock)), [false, true]);
        assert!(!due(0, 1_000), "who coordinates has its turn");
    }

    #[test]
    fn nobody_waits_for_who_is_no_masternode_any_more() {
        let (group, bonds) = (group(2), bonds(&[(10, false), (10, true)]));
        assert!(is_due(&group, &account(1), (100, 15), &bonds));
    }

    #[test]
    fn who_has_not_the_bond_sends_nothing_in_vain() {
        let (group, bonds) = (group(2), bonds(&[(10, true), (9, true)]));
        assert!(!is_due(&group, &account(1), (1_000, 15), &bonds));
    }
}
