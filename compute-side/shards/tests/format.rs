//! The vectors of `docs/format.md`: what the document says is what the code does.
//!
//! A vector stands in the document as a line `name: hexadecimal digits` inside a code block.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../src/testing.rs"]
mod testing;

use quern_primitives::{AccountId, DeviceId, Digest, GenesisHash, JobId, ids::ContractId, merkle};
use quern_shards::{
    archive::{
        ArchivePath, Changed, Decoder, ENTRY_BYTES_MAX, Encoder, Entry, EntryKind, PATH_BYTES_MAX,
        PATH_PART_BYTES_MAX, PATH_PARTS_MAX,
    },
    chunks::{CHUNK_BYTES, chunk_root, shards_root},
    held::Showing,
    keys::{
        Delegation, HandOver, JobKey, OwnerToken, SealedKey, SealingSecret, ShardKey, StoreKey,
        TrustSeed, WRAPPED_KEY_BYTES, WrappedKey, accept_delegation, receive,
        split::{
            ExpectedPackage, HeldShares, KeyShare, PACKAGE_BYTES_MAX, SharePackage, SplitKeys,
            Threshold, combine,
        },
        unwrap,
    },
    parity::{Held, Lost, STRIPE_PIECES_MAX, Stripe, code_into, restore_into},
    rand_core::{TryCryptoRng, TryRng},
    result::{open_result, seal_result},
    seal::{HEADER_BYTES, SEGMENT_BYTES, SealSalt, TAG_BYTES, open, seal},
};
use std::convert::Infallible;
use testing::{patterned, result_context, shard_context};

const DOCUMENT: &str = include_str!("../../../docs/format.md");

/// The bytes of a vector in the document.
fn vector(name: &str) -> Vec<u8> {
    let prefix = format!("{name}: ");
    let mut lines = DOCUMENT
        .lines()
        .filter_map(|line| line.strip_prefix(&prefix));
    let digits = lines
        .next()
        .unwrap_or_else(|| panic!("docs/format.md has no vector `{name}`"));
    assert_eq!(lines.next(), None, "two vectors are called `{name}`");
    hex::decode(digits).unwrap()
}

/// Compares in hexadecimal, as the document has it.
fn assert_vector(name: &str, found: impl AsRef<[u8]>) {
    let (found, expected) = (hex::encode(found), hex::encode(vector(name)));
    assert_eq!(
        found, expected,
        "`{name}` in docs/format.md is not what the code makes"
    );
}

fn array<const N: usize>(name: &str) -> [u8; N] {
    vector(name).try_into().unwrap()
}

fn shard_key() -> ShardKey {
    ShardKey::from_bytes(array("shard key"))
}

fn job_key() -> JobKey {
    JobKey::from_bytes(array("job key"))
}

fn salt() -> SealSalt {
    SealSalt(array("salt"))
}

#[test]
fn the_sizes_are_as_written() {
    assert_eq!((HEADER_BYTES, SEGMENT_BYTES, TAG_BYTES), (200, 65_536, 16));
    assert_eq!((CHUNK_BYTES, WRAPPED_KEY_BYTES), (4_096, 60));
    assert_eq!((ENTRY_BYTES_MAX, PATH_BYTES_MAX), (4_186, 4_096));
    assert_eq!((PATH_PARTS_MAX, PATH_PART_BYTES_MAX), (64, 255));
    assert_eq!((STRIPE_PIECES_MAX, PACKAGE_BYTES_MAX), (64, 2_097_476));
}

#[test]
fn the_places_of_the_vectors_are_as_written() {
    let context = shard_context(5);
    assert_vector("genesis", context.genesis);
    assert_vector("job", context.job);
    assert_vector("program", context.program);
    assert_vector("device", result_context().device);
    assert_eq!(
        (context.index, context.count, result_context().replica),
        (3, 7, 1)
    );
}

#[test]
fn a_shard_is_shown_to_be_held_as_written() {
    let (shard, result) = (shard_context(5), result_context());
    let showing = |sealed: &[u8]| Showing {
        genesis: shard.genesis,
        job: shard.job,
        task: shard.index,
        replica: result.replica,
        device: result.device,
        log_position: 77,
        root: chunk_root(sealed),
        sealed_bytes: sealed.len() as u64,
    };
    let answer = |sealed: &[u8]| showing(sealed).answer_of(sealed).unwrap();
    assert_vector("held, hello", answer(b"hello"));
    let pattern = patterned(65_541);
    let chunks = showing(&pattern).chunks().into_iter();
    let chunks: Vec<u8> = chunks.flat_map(|(chunk, _)| chunk.to_le_bytes()).collect();
    assert_vector("chunks held of the pattern", chunks);
    assert_vector("held, the pattern", answer(&pattern));
}

#[test]
fn a_shard_is_sealed_as_written() {
    let plaintext = vector("plaintext");
    let sealed = seal(
        &shard_key(),
        salt(),
        &shard_context(plaintext.len()),
        &plaintext,
    )
    .unwrap();
    assert_vector("sealed shard", &sealed.bytes);
    assert_vector("chunk root of the sealed shard", sealed.chunk_root);
    let opened = open(
        &shard_key(),
        &shard_context(plaintext.len()),
        &vector("sealed shard"),
    )
    .unwrap();
    assert_eq!(opened, plaintext);
}

#[test]
fn an_empty_shard_is_sealed_as_written() {
    let sealed = seal(&shard_key(), salt(), &shard_context(0), b"").unwrap();
    assert_vector("sealed empty shard", &sealed.bytes);
}

#[test]
fn a_shard_of_two_segments_is_sealed_as_written() {
    let plaintext = patterned(65_541);
    let sealed = seal(&shard_key(), salt(), &shard_context(65_541), &plaintext).unwrap();
    assert_eq!(sealed.bytes.len(), 200 + 65_541 + 2 * 16);
    assert_vector(
        "end of the two segments",
        &sealed.bytes[sealed.bytes.len() - 37..],
    );
    assert_vector("chunk root of the two segments", sealed.chunk_root);
}

#[test]
fn a_shards_root_is_as_written() {
    let roots = [
        array("chunk root of the sealed shard"),
        array("chunk root of the two segments"),
    ];
    let roots = roots.map(Digest);
    assert_vector("shards root of both", shards_root(&roots));
    assert_eq!(shards_root(&roots), merkle::Tree::new(roots).root());
}

#[test]
fn a_result_is_sealed_as_written() {
    let plaintext = vector("result");
    let sealed = seal_result(&shard_key(), &result_context(), &plaintext).unwrap();
    assert_vector("result commitment", sealed.commitment);
    assert_vector("sealed result", &sealed.bytes);
    let opened = open_result(
        &shard_key(),
        &result_context(),
        &Digest(array("result commitment")),
        &vector("sealed result"),
    );
    assert_eq!(opened.unwrap(), plaintext);
}

#[test]
fn keys_are_wrapped_and_committed_to_as_written() {
    let job = JobId(array("job"));
    assert_vector("job key commitment", job_key().commitment(&job));
    let wrapped = WrappedKey(array("wrapped shard key"));
    assert_eq!(unwrap(&job_key(), &job, 3, &wrapped).unwrap(), shard_key());
}

#[test]
fn keys_of_stored_shards_follow_as_written() {
    let key = StoreKey::from_bytes(array("store key"));
    let contract = ContractId([0x44; 32]);
    for index in [0, 258] {
        let name = format!("key of stored shard {index}");
        assert_vector(&name, key.shard_key(&contract, index).expose());
    }
}

#[test]
fn keys_are_handed_over_as_written() {
    let secret = SealingSecret::from_bytes(&array("sealing secret"));
    assert_vector("sealing key", secret.public());
    let (genesis, job) = (GenesisHash(array("genesis")), JobId(array("job")));
    let sealed = |name: &str| {
        let bytes = array::<80>(name);
        let (encapsulated, ciphertext) = bytes.split_at(32);
        SealedKey {
            encapsulated: encapsulated.try_into().unwrap(),
            ciphertext: ciphertext.try_into().unwrap(),
        }
    };
    let purpose = HandOver {
        genesis,
        job,
        index: 3,
        device: DeviceId(array("device")),
    };
    let received = receive(&secret, &purpose, &sealed("shard key handed over"));
    assert_eq!(received.unwrap(), shard_key());

    let masternode = AccountId::new(array("masternode"));
    let delegation = Delegation {
        genesis,
        job,
        masternode,
    };
    let commitment = Digest(array("job key commitment"));
    let delegated = sealed("job key delegated");
    let accepted = accept_delegation(&secret, &delegation, &commitment, &delegated);
    assert_eq!(accepted.unwrap(), job_key());
}

#[test]
fn an_owners_token_is_as_written() {
    let purpose = Delegation {
        genesis: GenesisHash(array("genesis")),
        job: JobId(array("job")),
        masternode: AccountId::new(array("masternode")),
    };
    assert_vector("owner token", job_key().owner_token(&purpose).to_bytes());
}

/// Gives the bytes of these vectors, one after the other.
struct Drawn(Vec<u8>);

impl TryRng for Drawn {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("bytes are drawn, not numbers")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("bytes are drawn, not numbers")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.0.split_off(bytes.len());
        bytes.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}

impl TryCryptoRng for Drawn {}

#[test]
fn keys_are_split_as_written() {
    let threshold = Threshold::new(3, 5).unwrap();
    let second = ShardKey::from_bytes(std::array::from_fn(|byte| byte as u8));
    // The highest are drawn first.
    let coefficients = [
        vector("second coefficients"),
        vector("first coefficients"),
        patterned(432)[400..].to_vec(),
        patterned(332)[300..].to_vec(),
    ];
    let mut drawn = Drawn(coefficients.concat());
    let split = SplitKeys::new([&shard_key(), &second], threshold, &mut drawn);
    assert!(drawn.0.is_empty());
    assert_vector("shares root", split.shares_root());
    let package = |member| {
        let job = JobId(array("job"));
        let seed = TrustSeed::from_bytes(array("trust seed"));
        let token = OwnerToken::from_bytes(array("owner token"));
        split.package(member, job, token, seed).unwrap()
    };
    for member in 0..5 {
        let share = package(member).shares[0].clone();
        assert_vector(&format!("share of member {member}"), share.expose());
    }
    assert_vector("share package", package(2).encode());
}

#[test]
fn shares_give_the_key_as_written() {
    let threshold = Threshold::new(3, 5).unwrap();
    let shares = [4, 0, 3].map(|member| {
        let share = array(&format!("share of member {member}"));
        (member, KeyShare::from_bytes(share))
    });
    let shares = shares.each_ref().map(|(member, share)| (*member, share));
    assert_eq!(combine(threshold, &shares).unwrap(), shard_key());

    let package = SharePackage::decode(&vector("share package")).unwrap();
    let expected = ExpectedPackage {
        job: JobId(array("job")),
        member: 2,
        members: 5,
        shards: 2,
        shares_root: Digest(array("shares root")),
    };
    let held = HeldShares::check(package, &expected).unwrap();
    let (share, _) = held.share(0).unwrap();
    assert_vector("share of member 2", share.expose());
}

/// What the document says of the archive's entries, with their contents.
fn archived() -> Vec<(Entry, &'static [u8])> {
    let file = |bytes| EntryKind::File { bytes };
    let entry = |parts: &[&str], kind, mode, seconds, nanoseconds| Entry {
        path: ArchivePath::of(parts).unwrap(),
        kind,
        mode,
        changed: Changed {
            seconds,
            nanoseconds,
        },
    };
    let (folder, second) = (EntryKind::Folder, 1_700_000_000);
    let hello = ["files", "hello.txt"];
    vec![
        (entry(&["empty"], folder, 0o755, second, 0), b""),
        (entry(&["files"], folder, 0o750, second, 123_456_789), b""),
        (entry(&hello, file(5), 0o644, second + 1, 5), b"hello"),
        (
            entry(&["files", "nothing"], file(0), 0o600, -1, 999_999_999),
            b"",
        ),
        (entry(&["äöü"], file(0), 0o400, 0, 0), b""),
    ]
}

#[test]
fn a_folder_is_packed_as_written() {
    let mut encoder = Encoder::new(Vec::new()).unwrap();
    for (entry, content) in archived() {
        encoder.add(&entry, content).unwrap();
    }
    assert_vector("archive", encoder.finish().unwrap());
}

#[test]
fn a_folder_is_restored_as_written() {
    let bytes = vector("archive");
    let mut decoder = Decoder::new(&bytes[..]).unwrap();
    for (entry, content) in archived() {
        assert_eq!(decoder.next_entry().unwrap(), Some(entry));
        let mut found = Vec::new();
        while let Some(stretch) = decoder.next_content().unwrap() {
            found.extend_from_slice(stretch);
        }
        assert_eq!(found, content);
    }
    assert_eq!(decoder.next_entry().unwrap(), None);
}

/// The document's shards of these lengths.
fn shards_of(lengths: &[usize]) -> Vec<Vec<u8>> {
    let shards = lengths.iter().enumerate();
    shards
        .map(|(shard, length)| patterned(1_000 * shard + length)[1_000 * shard..].to_vec())
        .collect()
}

#[test]
fn parity_is_made_as_written() {
    let stripes: [(&[usize], &[&str]); 2] = [
        (&[101, 60], &["parity of 2+1"]),
        (
            &[100, 64, 101, 1],
            &["first parity of 4+2", "second parity of 4+2"],
        ),
    ];
    for (lengths, names) in stripes {
        let bytes: Vec<u64> = lengths.iter().map(|length| *length as u64).collect();
        let stripe = Stripe::new(&bytes, names.len()).unwrap();
        let mut parity = vec![Vec::new(); names.len()];
        let shards = shards_of(lengths);
        code_into(&stripe, shards.iter().map(Vec::as_slice), &mut parity).unwrap();
        for (name, parity) in names.iter().zip(parity) {
            assert_vector(name, parity);
        }
    }
}

#[test]
fn shards_are_restored_of_the_parity_as_written() {
    let lengths = [100, 64, 101, 1];
    let stripe = Stripe::new(&lengths, 2).unwrap();
    let shards = shards_of(&lengths.map(|length| length as usize));
    let pieces = [
        (1, shards[1].clone()),
        (4, vector("first parity of 4+2")),
        (3, shards[3].clone()),
        (5, vector("second parity of 4+2")),
    ];
    let held = pieces.iter().map(|(place, bytes)| Held {
        place: *place,
        input: bytes.as_slice(),
    });
    let mut made = [Vec::new(), Vec::new()];
    let lost = [0, 2].into_iter().zip(&mut made);
    let lost = lost.map(|(place, output)| Lost { place, output });
    restore_into(&stripe, held.collect(), lost.collect()).unwrap();
    assert_eq!(made, [shards[0].clone(), shards[2].clone()]);
}
