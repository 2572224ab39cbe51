//! The court: what jobs, workforce, roster and parameters tell of what is disputed, and how a ruling is
//! carried out on them. The rules of disputes are in `quern-dispute-rules`; nothing is decided here.

use crate::{
    Bytechip, Finality, Jobs, Params, Roster, Runtime, System, Workforce, weights::ParityDbWeight,
};
use alloc::vec::Vec;
use frame_support::{
    pallet_prelude::{DispatchResult, Weight},
    weights::constants::WEIGHT_REF_TIME_PER_MICROS,
};
use quern_dispute_rules::{
    Subject,
    evidence::BatchName,
    facts::{BatchFacts, DeviceFacts, Facts, Member, Stakes},
    penalty::Penalty,
};
use quern_disputes::Court;
use quern_jobs::WeightInfo as _;
use quern_primitives::{
    AccountId, Amount, BlockNumber, DeviceId, Digest, GenesisHash, JobId,
    batch::BatchState,
    group::Group,
    ids::BatchSequence,
    limits::{GROUP_MEMBERS_MAX, PENDING_BATCHES_PER_JOB_MAX},
    params,
};
use quern_roster::WeightInfo as _;
use quern_workforce::WeightInfo as _;

/// Heads of earlier batches that evidence may end its way through the log at, beside the batch's own. A
/// receipt that a verdict names was mostly assigned within the same batch's stretch of the log or the one
/// before.
const EARLIER_HEADS_MAX: u32 = 16;

/// What the chain knows and does for disputes.
pub struct ChainCourt;

impl Court for ChainCourt {
    fn facts(subject: &Subject) -> Option<Facts> {
        let job = Jobs::job(&subject.job)?;
        if !job.state.is_open() {
            return None;
        }
        let group = Jobs::group(&subject.job);
        let batch = subject
            .batch
            .and_then(|sequence| batch_facts(&subject.job, sequence, group.as_ref()));
        let lane_seed = group.as_ref().and_then(|group| group.lane_seed);
        let members: Vec<_> = group.iter().flat_map(|group| &group.members).collect();
        let referees = members.iter().map(|member| member.node).collect();
        let group = members.into_iter().map(|member| Member {
            account: member.account.clone(),
            node: member.node,
            bond: Roster::bonded(&member.account),
        });
        let device = subject.device.as_ref().and_then(device_facts);
        let answers = device.as_ref().and_then(|device| device.answers.as_ref());
        let worker_bond = answers.map_or(Amount::MIN, Workforce::slashable);
        Some(Facts {
            genesis: GenesisHash(System::block_hash(BlockNumber::MIN).0),
            job_id: subject.job,
            job,
            batch,
            group: group.collect(),
            referees,
            device,
            worker_bond,
            lane_seed,
            seed: None,
            stakes: stakes(&Params::current()),
        })
    }

    fn now() -> BlockNumber {
        Finality::clock()
    }

    fn answer_blocks() -> BlockNumber {
        Params::current().answer_blocks
    }

    fn is_due(batch: &BatchName) -> bool {
        let pending = Jobs::pending_of(&batch.job);
        let due = pending.iter().find(|(it, _)| *it == batch.sequence);
        due.is_none_or(|(_, due)| *due <= Finality::clock())
    }

    fn keep_open(batch: &BatchName, is_disputed: bool) {
        Jobs::keep_open(&batch.job, batch.sequence, is_disputed);
    }

    fn strike(job: &JobId, sequence: BatchSequence) -> DispatchResult {
        Jobs::strike(*job, sequence)
    }

    fn turn_out(job: &JobId, account: &AccountId) -> DispatchResult {
        Jobs::turn_out_member(job, account)
    }

    fn slash_worker(
        account: &AccountId,
        device: &DeviceId,
        penalty: &Penalty,
        winner: &AccountId,
    ) -> DispatchResult {
        let Penalty {
            winner: paid,
            burnt,
        } = *penalty;
        Self::count_burnt(Workforce::slash(account, device, paid, burnt, winner)?)
    }

    fn slash_masternode(
        account: &AccountId,
        penalty: &Penalty,
        winner: &AccountId,
    ) -> DispatchResult {
        let Penalty {
            winner: paid,
            burnt,
        } = *penalty;
        let before = Roster::bonded(account);
        let burnt = Roster::slash_parts(account, paid, burnt, winner)?;
        let taken = before.saturating_sub(Roster::bonded(account));
        Jobs::note_slash(account, taken);
        Self::count_burnt(burnt)
    }

    fn count_burnt(amount: Amount) -> DispatchResult {
        match amount {
            Amount::MIN => Ok(()),
            amount => Bytechip::count_burnt(amount),
        }
    }

    // Job, group and its bonds, batch with its lists (46 kB to decode), heads, device and its account's bond,
    // parameters and clock are read; the batch is kept open or no longer; a worker is slashed, and what is
    // burnt is counted.
    fn weight_of_facts() -> Weight {
        type Jobs = <Runtime as quern_jobs::Config>::WeightInfo;
        type Workforce = <Runtime as quern_workforce::Config>::WeightInfo;
        let reads = 12u32
            .saturating_add(GROUP_MEMBERS_MAX)
            .saturating_add(EARLIER_HEADS_MAX);
        let decoding = WEIGHT_REF_TIME_PER_MICROS.saturating_mul(500);
        Weight::from_parts(decoding, 0)
            .saturating_add(ParityDbWeight::get().reads_writes(reads.into(), 1))
            .saturating_add(Jobs::keep_open())
            .saturating_add(Workforce::slash())
    }

    fn weight() -> Weight {
        type Jobs = <Runtime as quern_jobs::Config>::WeightInfo;
        type Roster = <Runtime as quern_roster::Config>::WeightInfo;
        Self::weight_of_facts()
            .saturating_add(Jobs::strike(PENDING_BATCHES_PER_JOB_MAX))
            .saturating_add(Roster::slash().saturating_mul(GROUP_MEMBERS_MAX.into()))
            // What each of them has open is kept in line.
            .saturating_add(
                ParityDbWeight::get()
                    .reads_writes(GROUP_MEMBERS_MAX.into(), GROUP_MEMBERS_MAX.into()),
            )
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn stage(facts: Facts) {
        crate::benchmarks::stage(facts);
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn enlist(device: DeviceId, account: AccountId) {
        crate::benchmarks::register(device, account, Amount::MIN);
    }
}

/// What the chain says about a batch, while it is pending.
fn batch_facts(job: &JobId, sequence: BatchSequence, group: Option<&Group>) -> Option<BatchFacts> {
    let pending = Jobs::pending_batch(job, sequence)?;
    let record = Jobs::batch(job, sequence)?;
    let certifiers = pending.certified_by.iter();
    let certifiers = certifiers.filter_map(|place| group?.member(*place));
    Some(BatchFacts {
        sequence,
        verdicts_root: record.verdicts_root,
        verdicts: record.tasks,
        spent: record.spent,
        log: record.log,
        settled_at: record.settled_at,
        coordinator: pending.coordinator,
        certifiers: certifiers.map(|it| it.account.clone()).collect(),
        heads: heads(job, sequence, record.head),
        tasks: pending.tasks,
        payouts: pending.payouts.into_inner(),
        devices: pending.devices.into_inner(),
    })
}

/// Heads of the log that were certified with a batch and those before it, the batch's own last. A batch
/// that was struck is in another branch of the log.
fn heads(job: &JobId, sequence: BatchSequence, own: Digest) -> Vec<Digest> {
    let first = sequence.saturating_sub(EARLIER_HEADS_MAX);
    let earlier = (first..sequence).filter_map(|earlier| Jobs::batch(job, earlier));
    let stands = earlier.filter(|record| !matches!(record.state, BatchState::Struck { .. }));
    stands.map(|record| record.head).chain([own]).collect()
}

/// What the chain says about a device that is or was registered.
fn device_facts(id: &DeviceId) -> Option<DeviceFacts> {
    if let Some(device) = Workforce::device(id) {
        let since = Workforce::registered_at(id)?;
        return Some(DeviceFacts {
            answers: Some(device.account.clone()),
            accepted: device.record.accepted,
            is_convicted: device.is_convicted(),
            registered: Some((device.account, since)),
        });
    }
    let past = Workforce::past_of(id)?;
    Some(DeviceFacts {
        registered: None,
        answers: Workforce::answers_for(id),
        accepted: past.record.accepted,
        is_convicted: past.record.convicted > 0,
    })
}

/// What is at stake in a dispute. A wrong answer costs what two answers do.
fn stakes(params: &params::Params) -> Stakes {
    Stakes {
        masternode_slash: params.bond_per_masternode,
        device_slash: params.bond_per_device,
        wrong_answer_slash: params.bond_per_device,
        dispute_bond: params.dispute_bond,
        winner_permille: params.winner_permille,
    }
}
