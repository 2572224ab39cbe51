//! What is sealed: shards on devices, results at owners, keys on their way.

use crate::{Decoder, honest, memory, oracle};
use codec::Encode;
use quern_primitives::{DeviceId, Digest};
use quern_shards::{
    context::{ResultContext, ShardContext},
    keys::{
        Delegation, HandOver, JobKey, OwnerToken, SealedKey, SealingSecret, ShardKey, TrustSeed,
        WrappedKey, accept_delegation, delegate, hand_over, receive,
        split::{
            ExpectedPackage, HeldShares, KeyShare, PACKAGE_BYTES_MAX, SharePackage, SharedPlace,
            Threshold, member_root, shares_root,
        },
        unwrap, wrap,
    },
    result::{SealedResult, open_result, seal_result},
    seal::{HEADER_BYTES, OpenError, Opener, SEGMENT_BYTES, SealSalt, TAG_BYTES, open, seal},
};
use std::sync::LazyLock;

pub(crate) const DECODERS: &[Decoder] = &[
    Decoder {
        name: "shard",
        check: shard,
        seeds: || {
            SEALED
                .first()
                .map(|it| it.bytes.clone())
                .into_iter()
                .collect()
        },
    },
    Decoder {
        name: "altered shard",
        check: altered_shard,
        seeds: alterations,
    },
    Decoder {
        name: "result",
        check: result,
        seeds: || vec![RESULT.bytes.clone()],
    },
    Decoder {
        name: "key handed over",
        check: handed_over,
        seeds: || vec![KEYS.handed_over.encode()],
    },
    Decoder {
        name: "key delegated",
        check: delegated,
        seeds: || vec![KEYS.delegated.encode()],
    },
    Decoder {
        name: "key wrapped",
        check: wrapped,
        seeds: || vec![KEYS.wrapped.encode()],
    },
    Decoder {
        name: "share package",
        check: share_package,
        seeds: || vec![PACKAGE.encode().to_vec()],
    },
];

/// Bytes that opening may hold beside the plaintext: the header, the cipher, a segment or two.
const HELD_BESIDE: usize = 3 * SEGMENT_BYTES;

fn shard_key() -> ShardKey {
    ShardKey::from_bytes([0x44; 32])
}

/// A shard as its owner sealed it.
struct Shard {
    context: ShardContext,
    bytes: Vec<u8>,
}

/// Shards of one segment and of several, with a last one that is short, full or empty. The first is
/// short enough for the corpus.
static SEALED: LazyLock<Vec<Shard>> = LazyLock::new(|| {
    let lengths = [
        40,
        0,
        SEGMENT_BYTES - 1,
        SEGMENT_BYTES,
        SEGMENT_BYTES + 1,
        2 * SEGMENT_BYTES + 1_000,
    ];
    let shards = (0..).zip(lengths).filter_map(|(index, length)| {
        let context = ShardContext {
            genesis: honest::GENESIS,
            job: honest::JOB,
            program: honest::PROGRAM,
            index,
            count: 60,
            plaintext_bytes: length as u64,
        };
        let plaintext: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let sealed = seal(&shard_key(), SealSalt([5; 16]), &context, &plaintext).ok()?;
        let bytes = sealed.bytes;
        Some(Shard { context, bytes })
    });
    shards.collect()
});

fn shard(bytes: &[u8]) {
    if let Some(honest) = SEALED.first() {
        opens_only_if_honest(honest, bytes);
    }
}

/// Whole and by streams, in no more memory than the sealed bytes have.
fn opens_only_if_honest(honest: &Shard, bytes: &[u8]) {
    let (whole, held) = memory::most(|| open(&shard_key(), &honest.context, bytes));
    assert!(held <= bytes.len() + HELD_BESIDE, "{held} bytes were held");
    let by_streams = open_by_streams(&honest.context, bytes);
    let is_honest = bytes == honest.bytes;
    match (whole, by_streams) {
        (Ok(whole), Ok(by_streams)) => {
            assert!(is_honest, "what nobody sealed opens");
            assert!(whole == by_streams, "by streams it is another shard");
        }
        (whole, by_streams) => {
            assert!(!is_honest, "what was sealed does not open: {whole:?}");
            assert!(by_streams.is_err() && whole.is_err(), "it opens one way");
        }
    }
    let elsewhere = ShardContext {
        index: honest.context.index + 1,
        ..honest.context
    };
    assert!(open(&shard_key(), &elsewhere, bytes).is_err());
}

fn open_by_streams(context: &ShardContext, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let mut opener = Opener::new(sealed, &shard_key(), context)?;
    let mut plaintext = Vec::new();
    while let Some(segment) = opener.next_segment()? {
        plaintext.extend_from_slice(segment);
    }
    Ok(plaintext)
}

/// The first byte says which honest shard, and each four behind it what is done to it: a bit is turned
/// over, it is cut off, bytes are put behind it, or its segments are swapped, left out or repeated.
fn altered_shard(bytes: &[u8]) {
    let [which, alterations @ ..] = bytes else {
        return;
    };
    let Some(honest) = SEALED.get(usize::from(*which) % SEALED.len()) else {
        return;
    };
    let mut altered = honest.bytes.clone();
    let (alterations, _) = alterations.as_chunks::<4>();
    for alteration in alterations.iter().take(4) {
        alter(&mut altered, *alteration);
    }
    opens_only_if_honest(honest, &altered);
}

fn alter(bytes: &mut Vec<u8>, [kind, low, middle, high]: [u8; 4]) {
    let place = u32::from_le_bytes([low, middle, high, 0]) as usize;
    let at = place % bytes.len().max(1);
    match kind % 6 {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << (place % 8);
            }
        }
        1 => bytes.truncate(at),
        2 => bytes.extend(std::iter::repeat_n(low, usize::from(middle) + 1)),
        kind => alter_segments(bytes, kind, usize::from(low), usize::from(middle)),
    }
}

fn alter_segments(bytes: &mut Vec<u8>, kind: u8, one: usize, other: usize) {
    let Some((header, segments)) = bytes.split_at_checked(HEADER_BYTES) else {
        return;
    };
    let segments = segments.chunks(SEGMENT_BYTES + TAG_BYTES);
    let mut segments: Vec<&[u8]> = segments.collect();
    if segments.is_empty() {
        return;
    }
    let (one, other) = (one % segments.len(), other % segments.len());
    match kind {
        3 => segments.swap(one, other),
        4 => {
            let _ = segments.remove(one);
        }
        _ => segments.insert(other, segments[one]),
    }
    *bytes = [header, &segments.concat()].concat();
}

fn alterations() -> Vec<Vec<u8>> {
    vec![
        vec![0],
        vec![5],
        vec![5, 3, 0, 1, 0],
        vec![5, 4, 2, 0, 0],
        vec![5, 5, 0, 1, 0],
        vec![4, 1, 0, 0, 1],
        vec![3, 2, 0, 15, 0],
        vec![2, 0, 200, 0, 0],
    ]
}

const RESULT_CONTEXT: ResultContext = ResultContext {
    genesis: honest::GENESIS,
    job: honest::JOB,
    program: honest::PROGRAM,
    task: 3,
    tasks: 60,
    replica: 1,
    device: DeviceId([0x99; 32]),
};

static RESULT: LazyLock<SealedResult> = LazyLock::new(|| {
    let nothing = SealedResult {
        bytes: Vec::new(),
        chunk_root: Digest::default(),
        commitment: Digest::default(),
    };
    seal_result(&shard_key(), &RESULT_CONTEXT, b"the result of a task").unwrap_or(nothing)
});

/// A device's sealed result, as its owner opens it.
fn result(bytes: &[u8]) {
    let commitment = RESULT.commitment;
    let (opened, held) =
        memory::most(|| open_result(&shard_key(), &RESULT_CONTEXT, &commitment, bytes));
    assert!(held <= bytes.len() + HELD_BESIDE, "{held} bytes were held");
    assert_eq!(opened.is_ok(), bytes == RESULT.bytes);
    let of_another = ResultContext {
        replica: 2,
        ..RESULT_CONTEXT
    };
    assert!(open_result(&shard_key(), &of_another, &commitment, bytes).is_err());
    let other = Digest([0; 32]);
    assert!(open_result(&shard_key(), &RESULT_CONTEXT, &other, bytes).is_err());
}

/// A receiver, and keys on their way to it.
struct Keys {
    receiver: SealingSecret,
    job_key: JobKey,
    handed_over: SealedKey,
    delegated: SealedKey,
    wrapped: WrappedKey,
}

const HAND_OVER: HandOver = HandOver {
    genesis: honest::GENESIS,
    job: honest::JOB,
    index: 3,
    device: DeviceId([0x99; 32]),
};

fn delegation() -> Delegation {
    Delegation {
        genesis: honest::GENESIS,
        job: honest::JOB,
        masternode: honest::COORDINATOR,
    }
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut rng = honest::Counter::default();
    let receiver = SealingSecret::from_bytes(&[0x12; 32]);
    let job_key = JobKey::from_bytes([0x13; 32]);
    let nothing = SealedKey {
        encapsulated: [0; 32],
        ciphertext: [0; 48],
    };
    let to = receiver.public();
    let handed_over = hand_over(&shard_key(), &to, &HAND_OVER, &mut rng).unwrap_or(nothing);
    let delegated = delegate(&job_key, &to, &delegation(), &mut rng).unwrap_or(nothing);
    let wrapped = wrap(&job_key, &honest::JOB, 3, &shard_key(), &mut rng);
    Keys {
        receiver,
        job_key,
        handed_over,
        delegated,
        wrapped,
    }
});

fn handed_over(bytes: &[u8]) {
    let Some(sealed) = oracle::scale::<SealedKey>(bytes) else {
        return;
    };
    let received = receive(&KEYS.receiver, &HAND_OVER, &sealed);
    assert_eq!(received.is_ok(), sealed == KEYS.handed_over);
    assert!(received.is_err() || received == Ok(shard_key()));
    let elsewhere = HandOver {
        index: 4,
        ..HAND_OVER
    };
    assert!(receive(&KEYS.receiver, &elsewhere, &sealed).is_err());
}

fn delegated(bytes: &[u8]) {
    let Some(sealed) = oracle::scale::<SealedKey>(bytes) else {
        return;
    };
    let commitment = KEYS.job_key.commitment(&honest::JOB);
    let accept =
        |commitment: &Digest| accept_delegation(&KEYS.receiver, &delegation(), commitment, &sealed);
    assert_eq!(accept(&commitment).is_ok(), sealed == KEYS.delegated);
    assert!(accept(&Digest::default()).is_err());
}

fn wrapped(bytes: &[u8]) {
    let Some(key) = oracle::scale::<WrappedKey>(bytes) else {
        return;
    };
    let unwrapped = unwrap(&KEYS.job_key, &honest::JOB, 3, &key);
    assert_eq!(unwrapped.is_ok(), key == KEYS.wrapped);
    assert!(unwrap(&KEYS.job_key, &honest::JOB, 4, &key).is_err());
}

/// The package of the second of three members, for a job of two shards.
static PACKAGE: LazyLock<SharePackage> = LazyLock::new(|| {
    let shares = [0x31, 0x32].map(|byte| KeyShare::from_bytes([byte; 32]));
    SharePackage {
        job: honest::JOB,
        member: 1,
        threshold: Threshold::new(2, 3).expect("two of three are a threshold"),
        owner_token: OwnerToken::from_bytes([0x51; 32]),
        trust_seed: TrustSeed::from_bytes([0x52; 32]),
        roots: vec![Digest([0x41; 32]), member_root(&shares), Digest([0x43; 32])],
        shares: shares.into(),
    }
});

/// A member's package, as it finds whether that is the one the chain names. Token, seed and how many are
/// needed are the owner's word alone.
fn share_package(bytes: &[u8]) {
    let (decoded, held) = memory::most(|| SharePackage::decode(bytes).ok());
    oracle::held_no_more_than_given(held, bytes);
    let Some(package) = decoded else {
        return;
    };
    assert!(bytes.len() <= PACKAGE_BYTES_MAX);
    assert!(package.encode().as_slice() == bytes, "a second encoding");
    oracle::one_encoding(bytes, |other| SharePackage::decode(other).is_ok());
    let root = shares_root(&PACKAGE.roots);
    let expected = ExpectedPackage {
        job: honest::JOB,
        member: 1,
        members: 3,
        shards: 2,
        shares_root: root,
    };
    let is_honest = (package.job, package.member) == (PACKAGE.job, PACKAGE.member)
        && package.threshold.members() == 3
        && package.roots == PACKAGE.roots
        && package.shares == PACKAGE.shares;
    let checked = HeldShares::check(package, &expected);
    assert_eq!(checked.is_ok(), is_honest);
    for index in 0..2 {
        let shown = checked.as_ref().ok().and_then(|held| held.share(index));
        assert_eq!(shown.is_some(), is_honest);
        let Some((share, proof)) = shown else {
            continue;
        };
        let holds_at = |index, member| {
            let place = SharedPlace {
                index,
                count: 2,
                member,
                members: 3,
            };
            proof.holds(&root, &place, share)
        };
        assert!(holds_at(index, 1));
        assert!(!holds_at(1 - index, 1) && !holds_at(index, 0));
    }
}
