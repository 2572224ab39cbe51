//! A job's manifest, as its owner uploads it.

use crate::{Decoder, honest, memory, oracle};
use codec::Encode;
use quern_primitives::{
    Digest,
    job::Submission,
    limits::{ARGUMENT_BYTES_MAX, ARGUMENTS_MAX, SHARD_BYTES_MAX, TASKS_PER_JOB_MAX},
};
use quern_shards::{
    chunks::chunk_root,
    keys::{JobKey, ShardKey, wrap},
    manifest::{Assembly, Manifest, ShardEntry, ValidatedManifest, decode, open},
    seal::SealSalt,
    stored::{Layout, PieceList, Plan},
};
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

pub(crate) const DECODERS: &[Decoder] = &[
    Decoder {
        name: "manifest",
        check: manifest,
        seeds: || MANIFESTS.iter().map(Encode::encode).collect(),
    },
    Decoder {
        name: "sealed manifest",
        check: sealed_manifest,
        seeds: || vec![SEALED.clone()],
    },
    Decoder {
        name: "list of pieces",
        check: list_of_pieces,
        seeds: lists_of_pieces,
    },
];

/// A list that is taken has one form, and each of its pieces one place.
fn list_of_pieces(bytes: &[u8]) {
    let (decoded, held) = memory::most(|| PieceList::decode(bytes));
    oracle::held_no_more_than_given(held, bytes);
    let Ok(list) = decoded else {
        return;
    };
    assert_eq!(list.encode(), bytes);
    let (plan, entries) = (list.plan(), list.entries());
    assert_eq!(entries.len() as u64, u64::from(plan.pieces()));
    for (piece, entry) in (0..).zip(entries) {
        assert_eq!(Some(entry.bytes), plan.piece_bytes(piece));
        let spot = plan.spot(piece);
        assert!(spot.is_some_and(|spot| plan.pieces_of(spot.stripe).contains(&piece)));
    }
    let offer = list.offer([0; 16], 1);
    assert!(list.check_root(&offer.pieces_root).is_ok());
}

fn lists_of_pieces() -> Vec<Vec<u8>> {
    let coded = Layout::Coded {
        shards: 2,
        parity: 1,
    };
    let plans = [(coded, 9_000), (Layout::Mirrored { copies: 2 }, 5)];
    let lists = plans.into_iter().filter_map(|(layout, bytes)| {
        let plan = Plan::of(layout, bytes).ok()?;
        let roots: Vec<_> = (0..plan.pieces()).map(|_| Digest([8; 32])).collect();
        Some(PieceList::new(plan, &roots).ok()?.encode())
    });
    lists.collect()
}

fn job_key() -> JobKey {
    JobKey::from_bytes([0x13; 32])
}

/// What was sealed is as much a stranger's as the seal: the owner has the key.
fn manifest(bytes: &[u8]) {
    let (decoded, held) = memory::most(|| decode(bytes));
    oracle::held_no_more_than_given(held, bytes);
    let Ok(manifest) = decoded else {
        return;
    };
    assert_eq!(manifest.encode(), bytes, "a second encoding");
    oracle::one_encoding(bytes, |other| decode(other).is_ok());
    let submission = submission(&manifest);
    let check = |manifest: &Manifest, submission: &Submission| {
        ValidatedManifest::check(manifest.clone(), honest::GENESIS, manifest.job, submission)
    };
    let Ok(valid) = check(&manifest, &submission) else {
        return;
    };
    keeps_limits(&valid);
    for other in others(&submission) {
        assert!(check(&manifest, &other).is_err(), "it fits {other:?} too");
    }
    travels(&manifest, &submission, &valid);
}

/// A submission that this manifest fits.
fn submission(manifest: &Manifest) -> Submission {
    Submission {
        program: manifest.program,
        shards_root: manifest.shards_root(),
        key_commitment: job_key().commitment(&manifest.job),
        tasks: u32::try_from(manifest.shards.len()).unwrap_or(u32::MAX),
        input_bytes: manifest.input_bytes(),
        ..honest::submission()
    }
}

/// Submissions that it must not fit as well.
fn others(submission: &Submission) -> [Submission; 4] {
    let mut others = [(); 4].map(|()| submission.clone());
    others[0].program.0[0] ^= 1;
    others[1].shards_root.0[0] ^= 1;
    others[2].tasks = submission.tasks.wrapping_add(1);
    others[3].input_bytes = submission.input_bytes.wrapping_add(1);
    others
}

fn keeps_limits(valid: &ValidatedManifest) {
    assert!((1..=TASKS_PER_JOB_MAX).contains(&valid.tasks()));
    assert_eq!(valid.shards().len(), valid.tasks() as usize);
    for (task, shard) in (0..).zip(valid.shards()) {
        assert!(shard.plaintext_bytes <= SHARD_BYTES_MAX);
        let (count, length) = valid
            .arguments(task)
            .fold((0, 0), |(count, length), it| (count + 1, length + it.len()));
        assert!(count <= ARGUMENTS_MAX && length <= ARGUMENT_BYTES_MAX as usize);
        assert!(valid.arguments(task).all(|it| !it.contains(&0)));
    }
    if let Assembly::Application(name) = valid.assembly() {
        assert!(!name.is_empty() && name.is_ascii());
    }
}

/// Sealed it opens as itself, for its job and under its key only.
fn travels(manifest: &Manifest, submission: &Submission, valid: &ValidatedManifest) {
    let sealed = manifest.seal(honest::GENESIS, &job_key(), SealSalt([7; 16]));
    let Ok(sealed) = sealed else {
        return;
    };
    let submission = Submission {
        manifest: sealed.digest,
        ..submission.clone()
    };
    let job = manifest.job;
    let opened = open(honest::GENESIS, job, &submission, &job_key(), &sealed.bytes);
    assert_eq!(opened.ok().as_ref(), Some(valid));
    let other_key = JobKey::from_bytes([0x14; 32]);
    let opened = open(honest::GENESIS, job, &submission, &other_key, &sealed.bytes);
    assert!(opened.is_err());
}

/// Bytes whose digest is on the chain: nobody but who has the job's key sealed what opens.
fn sealed_manifest(bytes: &[u8]) {
    let Some(manifest) = MANIFESTS.first() else {
        return;
    };
    let submission = Submission {
        manifest: Digest(Sha256::digest(bytes).into()),
        ..submission(manifest)
    };
    let (opened, held) = memory::most(|| {
        let (genesis, job) = (honest::GENESIS, manifest.job);
        open(genesis, job, &submission, &job_key(), bytes)
    });
    oracle::held_no_more_than_given(held, bytes);
    assert_eq!(opened.is_ok(), bytes == *SEALED);
}

/// One that says only what it must, and one that says all it may.
static MANIFESTS: LazyLock<[Manifest; 2]> = LazyLock::new(|| {
    let mut rng = honest::Counter::default();
    let shard_key = ShardKey::from_bytes([0x44; 32]);
    let shards: Vec<ShardEntry> = (0..3u32)
        .map(|index| ShardEntry {
            plaintext_bytes: 100 + index,
            chunk_root: chunk_root(&index.to_le_bytes()),
            key: wrap(&job_key(), &honest::JOB, index, &shard_key, &mut rng),
        })
        .collect();
    let plain = Manifest::new(honest::JOB, honest::PROGRAM, shards);
    let mut full = plain.clone();
    full.arguments = vec![b"--quality".to_vec(), b"high".to_vec()];
    full.task_arguments = vec![vec![b"left".to_vec()], vec![], vec![b"".to_vec()]];
    full.assembly = Assembly::Application("path-tracer".to_owned());
    [plain, full]
});

/// The first of them as it travels.
static SEALED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let [plain, _] = &*MANIFESTS;
    let sealed = plain.seal(honest::GENESIS, &job_key(), SealSalt([7; 16]));
    sealed.map_or_else(|_| Vec::new(), |sealed| sealed.bytes)
});
