#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    chunks::chunk_root,
    keys::{ShardKey, wrap},
    testing::SeededRng,
};
use proptest::prelude::*;
use quern_primitives::{
    SealingKey,
    device::Class,
    job::{Agreement, ByteLevel, Preferences, Referees},
    limits::{ARGUMENT_BYTES_MAX, ARGUMENTS_MAX, SHARD_BYTES_MAX, TASKS_PER_JOB_MAX},
};

const GENESIS: GenesisHash = GenesisHash([0x11; 32]);
const JOB: JobId = JobId([0x22; 32]);
const PROGRAM: ProgramHash = ProgramHash([0x33; 32]);

fn job_key() -> JobKey {
    JobKey::from_bytes([0x66; 32])
}

fn shards(count: u32) -> Vec<ShardEntry> {
    let mut rng = SeededRng::new(1);
    let mut shard = |index: u32| {
        let key = ShardKey::random(&mut rng);
        ShardEntry {
            plaintext_bytes: 100 + index,
            chunk_root: chunk_root(&index.to_le_bytes()),
            key: wrap(&job_key(), &JOB, index, &key, &mut rng),
        }
    };
    (0..count).map(&mut shard).collect()
}

fn manifest() -> Manifest {
    let mut manifest = Manifest::new(JOB, PROGRAM, shards(3));
    manifest.arguments = vec![b"--quality".to_vec(), b"high".to_vec()];
    manifest.task_arguments = vec![
        vec![b"left".to_vec()],
        vec![],
        vec![b"right".to_vec(), b"".to_vec()],
    ];
    manifest
}

/// A submission that fits a manifest; its manifest's digest is left to be set.
fn submission(manifest: &Manifest) -> Submission {
    Submission {
        salt: [0; 16],
        program: manifest.program,
        manifest: Digest::default(),
        shards_root: manifest.shards_root(),
        key_commitment: job_key().commitment(&JOB),
        tasks: u32::try_from(manifest.shards.len()).unwrap(),
        input_bytes: manifest.input_bytes(),
        fuel_per_task_max: 1,
        memory_bytes_max: 1,
        result_bytes_max: 1,
        agreement: Agreement::Single,
        referees: Referees::One,
        class: Class::Pinned,
        preferences: Preferences::default(),
        level: ByteLevel::Balanced,
        deadline: 1,
        price_max: 1,
        owner_sealing_key: SealingKey::default(),
    }
}

fn seal(manifest: &Manifest) -> (SealedManifest, Submission) {
    let sealed = manifest
        .seal(GENESIS, &job_key(), SealSalt([7; 16]))
        .unwrap();
    let submission = Submission {
        manifest: sealed.digest,
        ..submission(manifest)
    };
    (sealed, submission)
}

/// What checking says of a manifest after a change that the submission does not know of.
fn refusal(change: impl FnOnce(&mut Manifest)) -> ManifestError {
    let mut manifest = manifest();
    let submission = submission(&manifest);
    change(&mut manifest);
    ValidatedManifest::check(manifest, GENESIS, JOB, &submission).unwrap_err()
}

/// Seals bytes that need not be a manifest, and opens them as one.
fn open_sealed(encoded: &[u8]) -> OpenManifestError {
    let subject = Subject::manifest(GENESIS, JOB, PROGRAM);
    let secret = job_key().manifest_key(&JOB);
    let sealed = seal_subject(&secret, SealSalt([7; 16]), subject, encoded).unwrap();
    let manifest = Digest(Sha256::digest(&sealed.bytes).into());
    let submission = Submission {
        manifest,
        ..submission(&self::manifest())
    };
    open(GENESIS, JOB, &submission, &job_key(), &sealed.bytes).unwrap_err()
}

#[test]
fn a_sealed_manifest_opens_with_the_job_key_and_says_what_was_put_in() {
    let (sealed, submission) = seal(&manifest());
    let opened = open(GENESIS, JOB, &submission, &job_key(), &sealed.bytes).unwrap();
    assert_eq!(opened.shards(), manifest().shards);
    assert_eq!(
        (opened.tasks(), opened.job(), opened.program()),
        (3, JOB, PROGRAM)
    );
    assert_eq!(opened.assembly(), &Assembly::Concatenate);
    let arguments = |task| opened.arguments(task).collect::<Vec<_>>();
    assert_eq!(arguments(0), [&b"--quality"[..], b"high", b"left"]);
    assert_eq!(arguments(1), [&b"--quality"[..], b"high"]);
    assert_eq!(arguments(2), [&b"--quality"[..], b"high", b"right", b""]);
    assert_eq!(arguments(3), Vec::<&[u8]>::new());
    let context = opened.shard_context(2).unwrap();
    assert_eq!(
        (context.index, context.count, context.plaintext_bytes),
        (2, 3, 102)
    );
    assert_eq!(opened.shard_context(3), None);
    assert!(opened.shard_key(&job_key(), 2).unwrap().is_ok());
    assert!(
        opened
            .shard_key(&JobKey::from_bytes([9; 32]), 2)
            .unwrap()
            .is_err()
    );
    assert!(opened.shard_key(&job_key(), 3).is_none());
}

#[test]
fn a_sealed_manifest_shows_none_of_its_arguments() {
    let (sealed, _) = seal(&manifest());
    for argument in manifest().arguments {
        assert!(
            !sealed
                .bytes
                .windows(argument.len())
                .any(|window| window == argument)
        );
        assert!(!format!("{:?}", manifest()).contains(&format!("{argument:?}")));
    }
}

#[test]
fn another_manifest_than_the_submitted_is_refused_by_its_digest() {
    let (mut sealed, submission) = seal(&manifest());
    let last = sealed.bytes.len() - 1;
    sealed.bytes[last] ^= 1;
    let refused = open(GENESIS, JOB, &submission, &job_key(), &sealed.bytes);
    assert!(matches!(
        refused,
        Err(OpenManifestError::OtherDigest { .. })
    ));
}

#[test]
fn another_key_than_the_committed_is_refused() {
    let (sealed, submission) = seal(&manifest());
    let other = JobKey::from_bytes([9; 32]);
    let refused = open(GENESIS, JOB, &submission, &other, &sealed.bytes);
    assert!(matches!(refused, Err(OpenManifestError::OtherKey)));
}

#[test]
fn a_manifest_sealed_for_another_chain_is_refused() {
    let (sealed, submission) = seal(&manifest());
    let refused = open(
        GenesisHash([9; 32]),
        JOB,
        &submission,
        &job_key(),
        &sealed.bytes,
    );
    assert!(matches!(
        refused,
        Err(OpenManifestError::Open(OpenError::OtherChain { .. }))
    ));
}

#[test]
fn a_manifest_over_its_limit_is_neither_sealed_nor_opened() {
    let mut manifest = manifest();
    manifest.arguments = vec![vec![b'x'; usize::try_from(MANIFEST_BYTES_MAX).unwrap()]];
    let refused = manifest.seal(GENESIS, &job_key(), SealSalt([7; 16]));
    assert!(matches!(refused, Err(SealError::TooLong { .. })));
    let sealed = vec![0; usize::try_from(SEALED_MANIFEST_BYTES_MAX).unwrap() + 1];
    let refused = check_digest(&submission(&manifest), &sealed);
    assert!(matches!(refused, Err(OpenManifestError::TooLong { .. })));
}

#[test]
fn what_is_sealed_but_no_manifest_is_refused() {
    assert!(matches!(
        open_sealed(b""),
        OpenManifestError::Encoding { .. }
    ));
    assert!(matches!(
        open_sealed(&[VERSION, 1, 2, 3]),
        OpenManifestError::Encoding { .. }
    ));
    let mut encoded = manifest().encode();
    encoded.extend([0, 0]);
    assert!(matches!(
        open_sealed(&encoded),
        OpenManifestError::TrailingBytes { count: 2 }
    ));
    encoded[0] = 2;
    assert!(matches!(
        open_sealed(&encoded),
        OpenManifestError::Invalid(ManifestError::UnknownVersion { found: 2 })
    ));
}

#[test]
fn a_manifest_that_would_fill_the_memory_when_decoded_is_refused() {
    // Eight million empty arguments take 8 MB encoded and 200 MB decoded.
    let mut hostile = manifest();
    hostile.arguments = vec![Vec::new(); 8_000_000];
    assert!(matches!(
        open_sealed(&hostile.encode()),
        OpenManifestError::Encoding { .. }
    ));
}

#[test]
fn every_contradiction_to_the_submission_is_named() {
    let found = JobId([9; 32]);
    let other_job = ManifestError::OtherJob {
        expected: JOB,
        found,
    };
    assert_eq!(refusal(|manifest| manifest.job = found), other_job);
    let found = ProgramHash([9; 32]);
    let other_program = ManifestError::OtherProgram {
        expected: PROGRAM,
        found,
    };
    assert_eq!(refusal(|manifest| manifest.program = found), other_program);
    let count = ManifestError::ShardCount {
        expected: 3,
        found: 2,
    };
    assert_eq!(refusal(|manifest| manifest.shards.truncate(2)), count);
    let input_bytes = ManifestError::InputBytes {
        expected: 303,
        found: 304,
    };
    assert_eq!(
        refusal(|manifest| manifest.shards[0].plaintext_bytes += 1),
        input_bytes
    );
    let swapped = refusal(|manifest| manifest.shards.swap(0, 1));
    assert!(matches!(swapped, ManifestError::ShardsRoot { .. }));
    let too_long = refusal(|manifest| manifest.shards[1].plaintext_bytes = SHARD_BYTES_MAX + 1);
    assert!(matches!(
        too_long,
        ManifestError::ShardTooLong { index: 1, .. }
    ));
    let version = refusal(|manifest| manifest.version = 2);
    assert_eq!(version, ManifestError::UnknownVersion { found: 2 });
}

#[test]
fn a_submission_without_tasks_or_with_too_many_is_refused() {
    for found in [0, TASKS_PER_JOB_MAX + 1] {
        let manifest = Manifest::new(JOB, PROGRAM, Vec::new());
        let submission = Submission {
            tasks: found,
            ..submission(&manifest)
        };
        let refused = ValidatedManifest::check(manifest, GENESIS, JOB, &submission);
        assert_eq!(
            refused,
            Err(ManifestError::TaskCount {
                found,
                max: TASKS_PER_JOB_MAX
            })
        );
    }
}

#[test]
fn arguments_over_their_limits_are_named_with_their_task() {
    let many = ARGUMENTS_MAX as usize;
    let refused = refusal(|manifest| manifest.task_arguments[1] = vec![vec![b'x']; many - 1]);
    let max = ARGUMENTS_MAX;
    assert_eq!(
        refused,
        ManifestError::TooManyArguments {
            task: 1,
            found: many + 1,
            max
        }
    );
    let long = ARGUMENT_BYTES_MAX as usize;
    let refused = refusal(|manifest| manifest.task_arguments[2] = vec![vec![b'x'; long]]);
    let max = ARGUMENT_BYTES_MAX;
    assert_eq!(
        refused,
        ManifestError::ArgumentsTooLong {
            task: 2,
            found: long + 13,
            max
        }
    );
    let refused = refusal(|manifest| manifest.task_arguments[2] = vec![b"a\0b".to_vec()]);
    assert_eq!(refused, ManifestError::ZeroByteInArgument { task: 2 });
    let refused = refusal(|manifest| manifest.arguments = vec![b"a\0b".to_vec()]);
    assert_eq!(refused, ManifestError::ZeroByteInArgument { task: 0 });
    let refused = refusal(|manifest| manifest.task_arguments.truncate(2));
    assert_eq!(
        refused,
        ManifestError::TaskArguments {
            expected: 3,
            found: 2
        }
    );
    let refused = refusal(|manifest| {
        manifest.task_arguments.clear();
        manifest.arguments = vec![b"x".to_vec(); many + 1];
    });
    assert!(matches!(
        refused,
        ManifestError::TooManyArguments { task: 0, .. }
    ));
}

#[test]
fn an_application_is_named_plainly() {
    for name in [
        "",
        "Video",
        "a b",
        "../x",
        &"x".repeat(APPLICATION_NAME_BYTES_MAX + 1),
    ] {
        let refused = refusal(|manifest| manifest.assembly = Assembly::Application(name.into()));
        assert_eq!(refused, ManifestError::ApplicationName, "{name}");
    }
    let mut manifest = manifest();
    manifest.assembly = Assembly::Application("path-tracer".into());
    let submission = submission(&manifest);
    assert!(ValidatedManifest::check(manifest, GENESIS, JOB, &submission).is_ok());
}

proptest! {
    #[test]
    fn random_bytes_are_refused_and_do_not_panic(
        encoded in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut versioned = vec![VERSION];
        versioned.extend(&encoded);
        let refused = open_sealed(&versioned);
        let is_named = matches!(
            refused,
            OpenManifestError::Encoding { .. }
                | OpenManifestError::TrailingBytes { .. }
                | OpenManifestError::Invalid(_)
        );
        prop_assert!(is_named, "{}", refused);
    }
}
