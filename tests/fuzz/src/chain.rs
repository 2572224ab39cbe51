//! What anybody may hand in at the chain, and what a node answers: nobody has to believe a node.

use crate::{Decoder, events, honest, oracle};
use codec::Encode;
use quern_job_rules::{
    group, life,
    pay::{PRICES_AT_GENESIS, bounty},
    quote::{QuoteError, accept, quote},
    settlement,
    tasks::{self, TaskSetError},
};
use quern_primitives::{
    Amount, BlockNumber, Digest, SealingKey,
    batch::{
        Batch, BatchRecord, Certified, DeviceChange, LogRange, Payout, PendingBatch, Places,
        TaskSet,
    },
    device::{Device, Hardware, RecordChange, Region},
    group::{Group, Member},
    ids::BatchSequence,
    job::{Agreement, Job, JobState, Referees, Submission},
    limits,
    params::{Params, Terms},
    payload::{NodeSecret, Signature as _, SignedPayload as _},
    view::{
        DeviceView, FinalityView, MasternodeBondView, MasternodeView, Quote, Totals, UnbondingView,
        WalletView,
    },
};
use std::sync::LazyLock;

pub(crate) const DECODERS: &[Decoder] = &[
    Decoder {
        name: "submission",
        check: submission,
        seeds: submissions,
    },
    Decoder {
        name: "batch",
        check: batch,
        seeds: || vec![honest_batch().encode()],
    },
    Decoder {
        name: "certified batch",
        check: certified,
        seeds: || vec![CERTIFIED.encode()],
    },
    Decoder {
        name: "group",
        check: group_of_a_job,
        seeds: || vec![Some(GROUP.clone()).encode()],
    },
    Decoder {
        name: "task set",
        check: task_set,
        seeds: task_sets,
    },
    Decoder {
        name: "job",
        check: oracle::scale_alone::<Option<Job>>,
        seeds: || vec![Some(RUNNING.clone()).encode()],
    },
    Decoder {
        name: "batch record",
        check: oracle::scale_alone::<BatchRecord>,
        seeds: batch_records,
    },
    Decoder {
        name: "device",
        check: device,
        seeds: || vec![honest_device().encode()],
    },
    Decoder {
        name: "devices",
        check: oracle::scale_alone::<Vec<DeviceView>>,
        seeds: || vec![vec![device_view(), device_view()].encode()],
    },
    Decoder {
        name: "masternode bond",
        check: oracle::scale_alone::<MasternodeBondView>,
        seeds: || vec![masternode_bond().encode()],
    },
    Decoder {
        name: "masternodes",
        check: oracle::scale_alone::<Vec<MasternodeView>>,
        seeds: masternodes,
    },
    Decoder {
        name: "wallet",
        check: wallet,
        seeds: wallets,
    },
    Decoder {
        name: "quote",
        check: oracle::scale_alone::<Result<Quote, QuoteError>>,
        seeds: || vec![quoted(&honest::submission()).encode()],
    },
    Decoder {
        name: "totals",
        check: totals,
        seeds: || vec![Totals::default().encode()],
    },
    Decoder {
        name: "pending batch",
        check: oracle::scale_alone::<Option<PendingBatch>>,
        seeds: pending_batches,
    },
    Decoder {
        name: "pending batches",
        check: oracle::scale_alone::<Vec<(BatchSequence, BlockNumber)>>,
        seeds: pending_lists,
    },
    Decoder {
        name: "clock of finality",
        check: oracle::scale_alone::<FinalityView>,
        seeds: finality,
    },
    Decoder {
        name: "parameters",
        check: oracle::scale_alone::<Params>,
        seeds: || vec![Params::FIRST.encode()],
    },
    Decoder {
        name: "events of a block",
        check: events::events,
        seeds: events::honest,
    },
];

/// When a batch is due that is settled now.
const DUE: BlockNumber = honest::NOW + 300;

/// The last block of the log that the batch rests on.
const HEAD: (u64, Digest) = (2, Digest([12; 32]));

/// What the chain says that a job costs.
fn quoted(submission: &Submission) -> Result<Quote, QuoteError> {
    quote(submission, &PRICES_AT_GENESIS, &Params::FIRST, honest::NOW)
}

/// A submission that the chain takes keeps every limit, and its quote adds up.
fn submission(bytes: &[u8]) {
    let Some(submission) = oracle::scale::<Submission>(bytes) else {
        return;
    };
    let Ok(quoted) = quoted(&submission) else {
        return;
    };
    assert!((1..=limits::TASKS_PER_JOB_MAX).contains(&submission.tasks));
    assert!(submission.fuel_per_task_max <= limits::TASK_FUEL_MAX);
    assert!(submission.memory_bytes_max <= limits::TASK_MEMORY_BYTES_MAX);
    assert!(submission.result_bytes_max <= limits::RESULT_BYTES_MAX);
    assert!(submission.deadline > honest::NOW);
    let tasks = Amount::from(submission.tasks);
    assert_eq!(quoted.task.checked_mul(tasks), Some(quoted.total));
    let parts = quoted.workers.checked_add(quoted.network);
    assert_eq!(parts, Some(quoted.total));
    let accepted = accept(&submission, &PRICES_AT_GENESIS, &Params::FIRST, honest::NOW);
    assert_eq!(accepted.is_ok(), quoted.total <= submission.price_max);
    // In JSON a set of kinds has names, and those of a valid one are all it has.
    oracle::told(&submission);
}

fn submissions() -> Vec<Vec<u8>> {
    let agreements = [
        Agreement::Single,
        Agreement::Majority { replicas: 3 },
        Agreement::Unanimous,
        Agreement::Adaptive,
    ];
    let submissions = agreements.map(|agreement| Submission {
        agreement,
        ..honest::submission()
    });
    let asking = Submission {
        referees: Referees::Three,
        ..honest::submission()
    };
    let submissions = submissions.iter().chain([&asking]);
    submissions.map(Encode::encode).collect()
}

/// The honest job, drawn and running. Its first task is settled.
pub(crate) static RUNNING: LazyLock<Job> = LazyLock::new(|| {
    let (prices, now) = (PRICES_AT_GENESIS, honest::NOW);
    let submission = honest::submission();
    let nothing = Quote {
        total: 0,
        task: 0,
        workers: 0,
        network: 0,
    };
    let quoted = quoted(&submission).unwrap_or(nothing);
    let job = life::open(
        honest::OWNER,
        submission,
        prices,
        Terms::FIRST,
        &quoted,
        now,
    );
    Job {
        state: JobState::Running {
            coordinator: honest::COORDINATOR,
        },
        ..job
    }
});

const SETTLED: [u8; 1] = [1];

pub(crate) fn honest_batch() -> Batch {
    let nothing = TaskSet {
        first: 0,
        bits: Default::default(),
    };
    let payout = Payout {
        account: honest::OWNER,
        amount: 21_000_000,
    };
    let change = DeviceChange {
        device: honest::DEVICE.id(),
        change: RecordChange {
            accepted: 3,
            ..RecordChange::default()
        },
    };
    Batch {
        job: honest::JOB,
        sequence: 0,
        log: LogRange { first: 0, last: 9 },
        verdicts_root: Digest([4; 32]),
        tasks: tasks::collect([8, 9, 10]).unwrap_or(nothing),
        spent: 30_000_000,
        payouts: vec![payout].try_into().unwrap_or_default(),
        devices: vec![change].try_into().unwrap_or_default(),
    }
}

/// A batch that fits the running job moves no more than is there, to the last unit, and settles tasks
/// of the job that were not settled.
fn batch(bytes: &[u8]) {
    let Some(batch) = oracle::scale::<Batch>(bytes) else {
        return;
    };
    assert!(batch.payouts.len() <= limits::PAYEES_PER_BATCH_MAX as usize);
    assert!(batch.devices.len() <= limits::DEVICES_PER_BATCH_MAX as usize);
    let by = honest::COORDINATOR;
    let Ok(valid) = settlement::validate(&RUNNING, &SETTLED, &batch, &by, honest::NOW) else {
        return;
    };
    let split = valid.split();
    let mut amounts = batch.payouts.iter().map(|payout| payout.amount);
    let paid = amounts.try_fold(0, Amount::checked_add);
    assert_eq!(paid, Some(split.workers()));
    assert!(split.workers() <= bounty(batch.spent, Terms::FIRST));
    let parts = [split.workers(), split.operators(), split.treasury()];
    let parts = parts.into_iter().try_fold(0, Amount::checked_add);
    assert_eq!(parts, Some(batch.spent));
    assert!(batch.spent <= RUNNING.escrow.held);
    assert!(
        valid
            .tasks()
            .iter()
            .all(|task| !tasks::is_settled(&SETTLED, task))
    );
    let record = valid.record(HEAD, honest::NOW, DUE);
    assert_eq!((record.spent, record.paid), (batch.spent, split.workers()));
    assert_eq!(record.tasks, valid.tasks().count());
    let stranger = honest::OWNER;
    let by_stranger = settlement::validate(&RUNNING, &SETTLED, &batch, &stranger, honest::NOW);
    assert!(by_stranger.is_err(), "a stranger settles");
}

/// The network key of the job's only masternode.
static NODE: LazyLock<NodeSecret> = LazyLock::new(|| NodeSecret::from_seed(&[9; 32]));

pub(crate) static GROUP: LazyLock<Group> = LazyLock::new(|| {
    let member = Member {
        account: honest::COORDINATOR,
        node: NODE.public(),
        is_out: false,
    };
    Group {
        members: vec![member].try_into().unwrap_or_default(),
        turn: 0,
        since: honest::NOW,
        lane_seed: None,
    }
});

static CERTIFIED: LazyLock<Certified> = LazyLock::new(|| {
    let (index, head) = HEAD;
    let mut certified = Certified {
        batch: honest_batch(),
        index,
        head,
        certificates: Default::default(),
    };
    let signed = NODE.sign(certified.certificate(), &honest::GENESIS);
    let certificates = vec![(0, signed.signature)].try_into();
    certified.certificates = certificates.unwrap_or_default();
    certified
});

/// A batch settles only with the words of the job's group over this very batch and log.
fn certified(bytes: &[u8]) {
    let Some(found) = oracle::scale::<Certified>(bytes) else {
        return;
    };
    assert!(found.certificates.len() <= limits::GROUP_MEMBERS_MAX as usize);
    assert_eq!(found.places().len(), found.certificates.len());
    let digest = found.certificate().signing_digest(&honest::GENESIS);
    let checked = group::check_certificates(&GROUP, &found.certificates, |member, signature| {
        signature.holds(&digest, &member.node)
    });
    let is_honest = found.certificate() == CERTIFIED.certificate();
    assert!(checked.is_err() || is_honest, "{found:?}");
}

/// A group has one member a place, needs more than half of those who have a say, and has at most one turn
/// after the present one to give.
fn group_of_a_job(bytes: &[u8]) {
    let Some(Some(found)) = oracle::scale::<Option<Group>>(bytes) else {
        return;
    };
    assert!(found.members.len() <= limits::GROUP_MEMBERS_MAX as usize);
    assert!(2 * found.needed() > found.voices());
    let next = group::next_turn(&found, |_| true);
    assert!(next.is_none_or(|place| place > found.turn));
    assert!(next.is_none_or(|place| found.member(place).is_some_and(|it| !it.is_out)));
}

/// The number of the job's tasks, in two bytes, and a set of them.
fn task_set(bytes: &[u8]) {
    let [low, high, set @ ..] = bytes else {
        return;
    };
    let job_tasks = u32::from(u16::from_le_bytes([*low, *high]));
    let Some(set) = oracle::scale::<TaskSet>(set) else {
        return;
    };
    match tasks::validate(&set, job_tasks) {
        Ok(valid) => {
            let named: Vec<u32> = valid.iter().collect();
            assert_eq!(named.len(), valid.count() as usize);
            assert!(valid.count() <= limits::VERDICTS_PER_BATCH_MAX);
            assert!(named.iter().all(|task| *task < job_tasks));
            assert_eq!(tasks::collect(named), Ok(set.clone()));
        }
        Err(TaskSetError::NotInJob { task }) => assert!(task >= job_tasks.into()),
        Err(_) => (),
    }
}

fn task_sets() -> Vec<Vec<u8>> {
    let wanted = [vec![0], vec![8, 9, 23], (0..64).collect()];
    let sets = wanted.into_iter().filter_map(|it| tasks::collect(it).ok());
    sets.map(|set| [&[60u8, 0][..], &set.encode()].concat())
        .collect()
}

fn batch_records() -> Vec<Vec<u8>> {
    let batch = honest_batch();
    let by = honest::COORDINATOR;
    let valid = settlement::validate(&RUNNING, &SETTLED, &batch, &by, honest::NOW);
    let record = valid
        .ok()
        .map(|valid| valid.record(HEAD, honest::NOW, DUE).encode());
    record.into_iter().collect()
}

fn pending_batches() -> Vec<Vec<u8>> {
    let batch = honest_batch();
    let by = honest::COORDINATOR;
    let valid = settlement::validate(&RUNNING, &SETTLED, &batch, &by, honest::NOW);
    let pending = valid
        .ok()
        .map(|valid| valid.pending(&by, Places::truncate_from(vec![0]), DUE));
    pending.map(|it| Some(it).encode()).into_iter().collect()
}

fn masternode_bond() -> MasternodeBondView {
    MasternodeBondView {
        active: 7,
        unbonding: vec![UnbondingView {
            amount: 5,
            withdrawable_at: DUE,
        }],
        least: 6,
        open: 4,
        per_exposure_permille: 1_500,
        is_masternode: true,
        is_reachable: true,
    }
}

fn pending_lists() -> Vec<Vec<u8>> {
    let list: Vec<(BatchSequence, BlockNumber)> = vec![(0, DUE), (1, DUE)];
    vec![list.encode()]
}

fn finality() -> Vec<Vec<u8>> {
    let finality = FinalityView {
        clock: honest::NOW,
        window: Params::FIRST.window_blocks,
    };
    vec![finality.encode()]
}

fn honest_device() -> Device {
    let mut device = Device::new(
        honest::OWNER,
        SealingKey([8; 32]),
        Region::Europe,
        Hardware::Desktop,
    );
    device.record.accepted = 12;
    device.last_task = honest::NOW;
    device
}

/// Whatever its history says, it is a rate, and no history of no task. A review ends every quarantine but
/// that of a proved lie.
fn device(bytes: &[u8]) {
    let Some(mut device) = oracle::scale::<Device>(bytes) else {
        return;
    };
    oracle::told(&device);
    assert!(device.history.rate_sixtieths() <= 60);
    assert!(device.history.faulty_tasks() <= 20);
    device.review(honest::NOW);
    assert_eq!(device.is_quarantined(), device.is_convicted());
}

fn device_view() -> DeviceView {
    DeviceView {
        id: honest::DEVICE.id(),
        device: honest_device(),
        bonded: true,
        banned: false,
        verified: true,
        quarantined: false,
    }
}

fn masternodes() -> Vec<Vec<u8>> {
    let masternode = MasternodeView {
        account: honest::COORDINATOR,
        network_key: honest::STRANGER,
        sealing_key: SealingKey([8; 32]),
        device_addresses: vec![b"/ip4/127.0.0.1/tcp/4001".to_vec()],
        jobs_api: b"http://127.0.0.1:4002".to_vec(),
    };
    vec![vec![masternode].encode()]
}

fn wallet(bytes: &[u8]) {
    if let Some(wallet) = oracle::scale::<WalletView>(bytes) {
        oracle::told(&wallet);
        let parts = wallet.unbonding.iter().map(|part| part.amount);
        let total = wallet.unbonding_total();
        assert!(parts.max().is_none_or(|most| most <= total));
    }
}

fn wallets() -> Vec<Vec<u8>> {
    let wallet = WalletView {
        free: 7,
        unbonding: vec![UnbondingView {
            amount: 5,
            withdrawable_at: 9,
        }],
        ..WalletView::default()
    };
    vec![wallet.encode()]
}

fn totals(bytes: &[u8]) {
    if let Some(totals) = oracle::scale::<Totals>(bytes) {
        oracle::told(&totals);
        let more = Totals {
            issuance: totals.issuance ^ 1,
            ..totals
        };
        assert!(!(totals.conserves_money() && more.conserves_money()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::Decode;

    #[test]
    fn the_honest_job_batch_and_device_are_what_the_rules_accept() {
        let by = honest::COORDINATOR;
        let batch = honest_batch();
        let valid = settlement::validate(&RUNNING, &SETTLED, &batch, &by, honest::NOW);
        assert!(valid.is_ok(), "{valid:?}");
        let digest = CERTIFIED.certificate().signing_digest(&honest::GENESIS);
        let checked =
            group::check_certificates(&GROUP, &CERTIFIED.certificates, |it, signature| {
                signature.holds(&digest, &it.node)
            });
        assert_eq!(checked, Ok(()));
        assert!(<Option<Job>>::decode(&mut &Some(RUNNING.clone()).encode()[..]).is_ok());
        assert!(!honest_device().is_quarantined());
    }
}
