//! The honest log, and all that was honestly signed about it.

use crate::{chain, evidence, honest};
use quern_dispute_rules::evidence::{Certified, Logged};
use quern_joblog::{
    End, Entry, EntryProof, Fork, LogBuilder, OutputPlace, RefereeWord, ReleaseCause, SignedBlock,
    Way, file,
};
use quern_primitives::{
    Digest,
    log::{
        Acknowledgement, Certificate, Commitment, RefereeReport, RefereeStatement,
        RefereeStatements, SignedAcknowledgement, SignedCertificate, SignedCommitment,
        SignedRefereeReport,
    },
    payload::NodeSecret,
};
use std::sync::LazyLock;

/// The coordinator's network key.
pub(super) static NODE: LazyLock<NodeSecret> = LazyLock::new(|| NodeSecret::from_seed(&[9; 32]));

/// The network key of one who signs two blocks for one place.
pub(super) static TRAITOR: LazyLock<NodeSecret> =
    LazyLock::new(|| NodeSecret::from_seed(&[10; 32]));

/// What is signed about a log, beside its blocks.
pub(super) struct Words {
    pub(super) certificate: SignedCertificate,
    pub(super) acknowledgement: SignedAcknowledgement,
    pub(super) commitment: SignedCommitment,
    pub(super) report: SignedRefereeReport,
}

/// All that the honest masternode and device ever signed about the log.
pub(super) static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let acknowledgement = Acknowledgement {
        job: honest::JOB,
        task: 4,
        replica: 0,
        device: honest::DEVICE.id(),
        receipt: Digest([13; 32]),
        position: 4,
    };
    Words {
        certificate: NODE.sign(*HEAD, &honest::GENESIS),
        acknowledgement: SignedAcknowledgement::alone(acknowledgement, &NODE, &honest::GENESIS),
        commitment: commitment(),
        report: report(),
    }
});

const SALT: [u8; 32] = [90; 32];

fn commitment() -> SignedCommitment {
    let device = honest::DEVICE.id();
    let commitment = Commitment {
        job: honest::JOB,
        task: 4,
        replica: 0,
        device,
        log_position: 2,
        commitment: Commitment::to(&evidence::answer().result_commitment, &SALT.into(), &device),
    };
    honest::DEVICE.sign(commitment, &honest::GENESIS)
}

fn report() -> SignedRefereeReport {
    let report = RefereeReport {
        job: honest::JOB,
        task: 4,
        question: Digest([46; 32]),
        answer: evidence::answer(),
    };
    NODE.sign(report, &honest::GENESIS)
}

/// What three referees say, of whom one differs.
fn statements() -> Vec<RefereeStatement> {
    let report = report();
    let mut unlike = report.payload;
    unlike.answer.fuel += 1;
    let others = [report.payload, unlike].map(|said| RefereeStatement {
        report: TRAITOR.sign(said, &honest::GENESIS),
        node: TRAITOR.public(),
    });
    let node = NODE.public();
    let mut statements = vec![RefereeStatement { report, node }];
    statements.extend(others);
    statements
}

/// The log's blocks: a job begins, a task is computed, it is decided and settled, and the job ends. The last
/// skips to the first.
pub(super) static BLOCKS: LazyLock<Vec<SignedBlock>> = LazyLock::new(|| blocks(&NODE, 60));

fn blocks(key: &NodeSecret, tasks: u32) -> Vec<SignedBlock> {
    let mut log = LogBuilder::new(honest::GENESIS, honest::JOB, key.clone());
    let mut blocks = Vec::new();
    for (time_ms, entries) in (1_000..).zip([begun(key, tasks), computed(), decided(), ended()]) {
        for entry in entries {
            // Each fits into a block.
            let _ = log.append(entry, time_ms);
        }
        blocks.extend(log.cut(time_ms));
    }
    blocks
}

fn begun(key: &NodeSecret, tasks: u32) -> Vec<Entry> {
    let opened = Entry::Opened {
        coordinator: honest::COORDINATOR,
        node: key.public(),
        at: honest::NOW,
    };
    vec![opened, Entry::Queued { first: 0, tasks }]
}

fn computed() -> Vec<Entry> {
    let assigned = Entry::Assigned {
        task: 4,
        replica: 0,
        device: honest::DEVICE.id(),
        account: honest::OWNER,
        engine: Digest([6; 32]),
        at: honest::NOW,
        lanes: 1,
    };
    let commitment = commitment();
    let mut entries = vec![assigned, Entry::Committed { commitment }];
    entries.extend(honest::RECEIPTS.first().map(|receipt| Entry::Revealed {
        receipt: receipt.clone(),
        output: OutputPlace::Inline { bytes: 226 },
    }));
    entries
}

fn decided() -> Vec<Entry> {
    let released = Entry::Released {
        task: 4,
        replica: 1,
        device: honest::STRANGER,
        cause: ReleaseCause::BadInput { trusted: true },
    };
    let refereed = Entry::Refereed {
        task: 4,
        word: RefereeWord::Several {
            statements: RefereeStatements::truncate_from(statements()),
        },
    };
    let judged = honest::RECEIPTS.first().map(|receipt| Entry::Judged {
        verdict: evidence::verdict(receipt),
    });
    let batched = Entry::Batched {
        batch: chain::honest_batch(),
    };
    let mut entries = vec![
        released,
        Entry::Added {
            task: 4,
            replicas: 1,
        },
        refereed,
    ];
    entries.extend(judged);
    entries.push(batched);
    entries
}

fn ended() -> Vec<Entry> {
    vec![Entry::Ended { end: End::Closed }]
}

/// Each entry of the honest log with the way to it from the head that was certified.
pub(super) fn certified() -> Vec<Certified> {
    let certified = |proof: &EntryProof| {
        let mut way = Way::to(proof.header.payload.index);
        for block in BLOCKS.iter() {
            way.take(&block.header.payload);
        }
        Some(Certified {
            logged: Logged::new(proof.clone())?,
            links: way.headers().to_vec().try_into().ok()?,
        })
    };
    PROOFS.iter().filter_map(certified).collect()
}

/// What a member signs of the honest batch over the whole log.
pub(super) static HEAD: LazyLock<Certificate> = LazyLock::new(|| {
    let last = BLOCKS.last().map(|block| block.header.payload);
    let head = last
        .map(|last| last.hash(&honest::GENESIS))
        .unwrap_or_default();
    let index = last.map_or(0, |last| last.index);
    Certificate::of(&chain::honest_batch(), index, head)
});

/// The honest log as a file.
pub(super) fn written() -> Vec<u8> {
    file::write(&honest::GENESIS, &honest::JOB, BLOCKS.iter())
}

/// The proof of each entry of the honest log.
pub(super) static PROOFS: LazyLock<Vec<EntryProof>> = LazyLock::new(|| {
    let proofs = BLOCKS.iter().flat_map(|block| {
        let positions = block.positions();
        positions.filter_map(|(position, _)| block.prove(position))
    });
    proofs.collect()
});

/// Two first blocks of one masternode.
pub(super) fn forks() -> Vec<Fork> {
    let [one, other] = [60, 59].map(|tasks| blocks(&TRAITOR, tasks));
    let both = one.first().zip(other.first());
    both.map(|(one, other)| Fork {
        place: 0,
        first: one.header,
        second: other.header,
    })
    .into_iter()
    .collect()
}
