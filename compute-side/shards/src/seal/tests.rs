#![allow(clippy::unwrap_used, clippy::panic)]

mod streams;
mod two_keys;

use super::*;
use crate::{
    context::ShardContext,
    keys::ShardKey,
    testing::{patterned, shard_context},
};
use proptest::prelude::*;
use quern_primitives::{GenesisHash, JobId, ProgramHash, limits::SHARD_BYTES_MAX};
use std::io::{self, Read, Write};

const SALT: SealSalt = SealSalt([0x66; 16]);
const SEALED_SEGMENT: usize = SEGMENT_BYTES + TAG_BYTES;

fn key() -> ShardKey {
    ShardKey::from_bytes([0x55; 32])
}

fn sealed(plaintext: &[u8]) -> Vec<u8> {
    seal(&key(), SALT, &shard_context(plaintext.len()), plaintext)
        .unwrap()
        .bytes
}

/// Opens in memory and by stream, and checks that both say the same.
fn open_both(key: &ShardKey, context: &ShardContext, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let whole = open(key, context, sealed);
    let streamed = Opener::new(sealed, key, context).and_then(|mut opener| {
        let mut plaintext = Vec::new();
        while let Some(segment) = opener.next_segment()? {
            plaintext.extend_from_slice(segment);
        }
        Ok(plaintext)
    });
    match (&whole, &streamed) {
        (Ok(whole), Ok(streamed)) => assert_eq!(whole, streamed),
        (Err(whole), Err(streamed)) => {
            // Whole opening knows the length at once, a stream meets what comes first.
            let by_length = matches!(
                whole,
                OpenError::Truncated { .. } | OpenError::TrailingBytes { .. }
            );
            assert!(
                by_length || whole.to_string() == streamed.to_string(),
                "{whole}, {streamed}"
            );
        }
        _ => panic!("{whole:?} in memory, {streamed:?} by stream"),
    }
    whole
}

/// Lengths at which something changes, and any others.
fn lengths() -> impl Strategy<Value = usize> {
    let edges: Vec<usize> = [0, 1, 2, 3]
        .into_iter()
        .flat_map(|segments| {
            let edge = segments * SEGMENT_BYTES;
            [edge.saturating_sub(1), edge, edge + 1]
        })
        .collect();
    prop_oneof![prop::sample::select(edges), 0..4 * SEGMENT_BYTES]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_sealed_opens_the_same(length in lengths()) {
        let plaintext = patterned(length);
        let sealed = sealed(&plaintext);
        prop_assert_eq!(sealed.len() as u64, sealed_bytes(length as u64));
        let opened = open_both(&key(), &shard_context(length), &sealed).unwrap();
        prop_assert_eq!(opened, plaintext);
    }

    #[test]
    fn a_stream_seals_to_the_same_bytes_and_root(
        length in lengths(), stretch in 1usize..100_000, read in 1usize..100_000,
    ) {
        let (plaintext, context) = (patterned(length), shard_context(length));
        let whole = seal(&key(), SALT, &context, &plaintext).unwrap();
        let mut sealer = Sealer::new(Vec::new(), &key(), SALT, &context).unwrap();
        for stretch in plaintext.chunks(stretch) {
            sealer.push(stretch).unwrap();
        }
        let (bytes, tree) = sealer.finish().unwrap();
        prop_assert_eq!(&bytes, &whole.bytes);
        prop_assert_eq!(tree.root(), whole.chunk_root);
        prop_assert_eq!(whole.chunk_root, crate::chunks::chunk_root(&bytes));

        let mut opener = Opener::new(&bytes[..], &key(), &context).unwrap();
        let mut opened = Vec::new();
        let mut buffer = vec![0; read];
        loop {
            match opener.read(&mut buffer).unwrap() {
                0 => break,
                length => opened.extend_from_slice(&buffer[..length]),
            }
        }
        prop_assert_eq!(opened, plaintext);
    }

    #[test]
    fn any_altered_bit_is_noticed_and_nothing_behind_it_released(
        length in lengths(), place: prop::sample::Index, bit in 0..8u8,
    ) {
        let plaintext = patterned(length);
        let mut sealed = sealed(&plaintext);
        let place = place.index(sealed.len());
        sealed[place] ^= 1 << bit;
        let refused = open_both(&key(), &shard_context(length), &sealed).unwrap_err();
        let Some(behind_header) = place.checked_sub(HEADER_BYTES) else { return Ok(()) };
        let altered = (behind_header / SEALED_SEGMENT) as u64;
        let named = matches!(
            refused,
            OpenError::SegmentNotAuthentic { segment } if segment == altered
        );
        prop_assert!(named, "{refused}");

        let mut released = Vec::new();
        let mut opener = Opener::new(&sealed[..], &key(), &shard_context(length)).unwrap();
        let failed = opener.read_to_end(&mut released).unwrap_err();
        prop_assert_eq!(failed.kind(), io::ErrorKind::InvalidData);
        let good = behind_header / SEALED_SEGMENT * SEGMENT_BYTES;
        prop_assert_eq!(&released[..], &plaintext[..good]);
    }

    #[test]
    fn any_truncation_is_noticed(length in lengths(), end: prop::sample::Index) {
        let sealed = sealed(&patterned(length));
        let end = end.index(sealed.len());
        let refused = open_both(&key(), &shard_context(length), &sealed[..end]);
        let named = matches!(
            refused,
            Err(OpenError::Truncated { found_bytes, .. }) if found_bytes == end as u64
        );
        prop_assert!(named, "{refused:?}");
    }

    #[test]
    fn random_bytes_behind_a_good_beginning_never_open(
        good: prop::sample::Index, noise in prop::collection::vec(any::<u8>(), 1..400),
    ) {
        let mut sealed = sealed(&patterned(300));
        let start = good.index(sealed.len());
        let end = sealed.len().min(start + noise.len());
        prop_assume!(sealed[start..end] != noise[..end - start]);
        sealed[start..end].copy_from_slice(&noise[..end - start]);
        prop_assert!(open_both(&key(), &shard_context(300), &sealed).is_err());
    }
}

#[test]
fn every_wrong_place_is_named() {
    let context = shard_context(5);
    let sealed = sealed(b"hello");
    let refusal = |context: ShardContext| open_both(&key(), &context, &sealed).unwrap_err();
    let genesis = GenesisHash([9; 32]);
    assert!(matches!(
        refusal(ShardContext { genesis, ..context }),
        OpenError::OtherChain { expected, found } if (expected, found) == (genesis, context.genesis)
    ));
    let job = JobId([9; 32]);
    assert!(matches!(
        refusal(ShardContext { job, ..context }),
        OpenError::OtherJob { expected, found } if (expected, found) == (job, context.job)
    ));
    let program = ProgramHash([9; 32]);
    assert!(matches!(
        refusal(ShardContext { program, ..context }),
        OpenError::OtherProgram { expected, found } if (expected, found) == (program, context.program)
    ));
    assert!(matches!(
        refusal(ShardContext {
            index: 9,
            ..context
        }),
        OpenError::OtherIndex {
            expected: 9,
            found: 3
        }
    ));
    assert!(matches!(
        refusal(ShardContext {
            count: 9,
            ..context
        }),
        OpenError::OtherCount {
            expected: 9,
            found: 7
        }
    ));
    assert!(matches!(
        refusal(ShardContext {
            plaintext_bytes: 9,
            ..context
        }),
        OpenError::OtherLength {
            expected: 9,
            found: 5
        }
    ));
}

#[test]
fn a_wrong_key_is_named_before_anything_is_decrypted() {
    let sealed = sealed(b"hello");
    let other = ShardKey::from_bytes([9; 32]);
    assert!(matches!(
        open_both(&other, &shard_context(5), &sealed),
        Err(OpenError::OtherKey)
    ));
    // The header alone is enough to tell.
    let header = Opener::new(&sealed[..HEADER_BYTES], &other, &shard_context(5));
    assert!(matches!(header, Err(OpenError::OtherKey)));
}

#[test]
fn a_header_rewritten_for_another_place_opens_nothing() {
    let mut sealed = sealed(b"hello");
    let index_at = 8 + 4 * 32;
    assert_eq!(sealed[index_at..index_at + 4], 3u32.to_le_bytes());
    sealed[index_at..index_at + 4].copy_from_slice(&4u32.to_le_bytes());
    let context = ShardContext {
        index: 4,
        ..shard_context(5)
    };
    assert!(matches!(
        open_both(&key(), &context, &sealed),
        Err(OpenError::OtherKey)
    ));
}

#[test]
fn what_is_no_shard_is_named_for_what_it_is() {
    let good = sealed(b"hello");
    let changed = |place: usize, value: u8| {
        let mut sealed = good.clone();
        sealed[place] = value;
        open_both(&key(), &shard_context(5), &sealed).unwrap_err()
    };
    assert!(matches!(changed(0, b'X'), OpenError::NotSealed));
    assert!(matches!(
        changed(4, 2),
        OpenError::UnknownVersion { found: 2 }
    ));
    assert!(matches!(
        changed(5, 2),
        OpenError::OtherKind { found: 2, .. }
    ));
    assert!(matches!(
        changed(6, 1),
        OpenError::OtherReplica {
            expected: 0,
            found: 1
        }
    ));
    assert!(matches!(changed(7, 1), OpenError::NotSealed));
    assert!(matches!(changed(104, 1), OpenError::OtherDevice { .. }));
}

#[test]
fn segments_reordered_repeated_or_dropped_do_not_open() {
    let plaintext = patterned(3 * SEGMENT_BYTES);
    let context = shard_context(plaintext.len());
    let sealed = sealed(&plaintext);
    let (header, body) = sealed.split_at(HEADER_BYTES);
    let segments: Vec<_> = body.chunks(SEALED_SEGMENT).collect();
    let refusal = |order: &[usize]| {
        let body: Vec<_> = order.iter().map(|i| segments[*i]).collect();
        let sealed = [header, &body.concat()].concat();
        open_both(&key(), &context, &sealed).unwrap_err()
    };
    let not_authentic = |segment, refused: OpenError| {
        let named = matches!(
            refused,
            OpenError::SegmentNotAuthentic { segment: found } if found == segment
        );
        assert!(named, "{refused}");
    };
    not_authentic(0, refusal(&[1, 0, 2]));
    not_authentic(1, refusal(&[0, 2, 1]));
    not_authentic(1, refusal(&[0, 0, 2]));
    not_authentic(2, refusal(&[0, 1, 1]));
    assert!(matches!(refusal(&[0, 1]), OpenError::Truncated { .. }));
    assert!(matches!(refusal(&[0, 2]), OpenError::Truncated { .. }));
    assert!(matches!(
        refusal(&[0, 1, 2, 2]),
        OpenError::TrailingBytes { .. }
    ));
}

#[test]
fn segments_of_two_shards_do_not_mix() {
    let plaintext = patterned(2 * SEGMENT_BYTES);
    let context = shard_context(plaintext.len());
    let mut one = sealed(&plaintext);
    let other = seal(&key(), SealSalt([0x67; 16]), &context, &plaintext)
        .unwrap()
        .bytes;
    one[HEADER_BYTES + SEALED_SEGMENT..].copy_from_slice(&other[HEADER_BYTES + SEALED_SEGMENT..]);
    let refused = open_both(&key(), &context, &one);
    assert!(matches!(
        refused,
        Err(OpenError::SegmentNotAuthentic { segment: 1 })
    ));
}

#[test]
fn a_byte_behind_the_end_is_noticed_before_the_last_segment_is_released() {
    for length in [0, 5, SEGMENT_BYTES] {
        let mut sealed = sealed(&patterned(length));
        sealed.push(0);
        let context = shard_context(length);
        let refused = open_both(&key(), &context, &sealed);
        assert!(matches!(refused, Err(OpenError::TrailingBytes { .. })));
        let mut opener = Opener::new(&sealed[..], &key(), &context).unwrap();
        assert!(matches!(
            opener.next_segment(),
            Err(OpenError::TrailingBytes { .. })
        ));
        assert!(matches!(
            opener.next_segment(),
            Err(OpenError::FailedBefore)
        ));
        assert!(opener.read(&mut [0; 9]).is_err());
    }
}

#[test]
fn a_ciphertext_made_for_two_keys_opens_under_one() {
    let (first, second) = (key(), ShardKey::from_bytes([0x56; 32]));
    let context = shard_context(16);
    let (header, first_key) = Header::seal((&context).into(), 16, SALT, first.expose());
    let (second_key, _) = header.keys(second.expose());
    let body = two_keys::ciphertext(&first_key, &second_key, &header.encode());

    // GCM alone takes it under both keys.
    for key in [&first_key, &second_key] {
        let mut segments = Segments::new(&header, key);
        assert!(segments.open_onto(&body, &mut Vec::new()).is_ok());
    }
    // The header commits to one of them, and altering the commitment shuts out both.
    let mut forged = [&header.encode()[..], &body].concat();
    assert!(open_both(&first, &context, &forged).is_ok());
    assert!(matches!(
        open_both(&second, &context, &forged),
        Err(OpenError::OtherKey)
    ));
    let (as_second, _) = Header::seal((&context).into(), 16, SALT, second.expose());
    forged[..HEADER_BYTES].copy_from_slice(&as_second.encode());
    assert!(matches!(
        open_both(&first, &context, &forged),
        Err(OpenError::OtherKey)
    ));
    assert!(matches!(
        open_both(&second, &context, &forged),
        Err(OpenError::SegmentNotAuthentic { segment: 0 })
    ));
}

#[test]
fn a_key_used_twice_does_not_repeat_its_stream() {
    let context = shard_context(64);
    let with_salt = |salt| {
        seal(&key(), SealSalt([salt; 16]), &context, &[0; 64])
            .unwrap()
            .bytes
    };
    assert_ne!(with_salt(1)[HEADER_BYTES..], with_salt(2)[HEADER_BYTES..]);
}

#[test]
fn a_plaintext_of_another_length_than_announced_is_not_sealed() {
    let refused = seal(&key(), SALT, &shard_context(5), b"four");
    assert!(matches!(
        refused,
        Err(SealError::OtherLength {
            expected: 5,
            found: 4
        })
    ));

    let mut short = Sealer::new(Vec::new(), &key(), SALT, &shard_context(70_000)).unwrap();
    short.push(&[0; 65_537]).unwrap();
    let refused = short.finish().map(drop);
    assert!(matches!(
        refused,
        Err(SealError::OtherLength {
            expected: 70_000,
            found: 65_537
        })
    ));

    for announced in [0, 5, SEGMENT_BYTES] {
        let context = shard_context(announced);
        let mut long = Sealer::new(Vec::new(), &key(), SALT, &context).unwrap();
        long.push(&vec![0; announced]).unwrap();
        let refused = long.push(&[0]);
        let (named, is_more) = (announced as u64, announced as u64 + 1);
        assert!(matches!(
            refused,
            Err(SealError::OtherLength { expected, found }) if (expected, found) == (named, is_more)
        ));
    }
}

#[test]
fn a_shard_over_its_limit_is_neither_sealed_nor_opened() {
    let over = SHARD_BYTES_MAX as usize + 1;
    let refused = Sealer::new(Vec::new(), &key(), SALT, &shard_context(over)).map(drop);
    assert!(matches!(refused, Err(SealError::TooLong { .. })));
    let mut sealed = sealed(b"hello");
    let length_at = HEADER_BYTES - 56..HEADER_BYTES - 48;
    assert_eq!(sealed[length_at.clone()], 5u64.to_le_bytes());
    sealed[length_at].copy_from_slice(&(over as u64).to_le_bytes());
    let refused = open_both(&key(), &shard_context(over), &sealed);
    assert!(matches!(refused, Err(OpenError::TooLong { .. })));
}

#[test]
fn what_the_streams_below_say_is_passed_on() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let refused = Sealer::new(Full, &key(), SALT, &shard_context(5)).map(drop);
    assert!(matches!(
        refused,
        Err(SealError::Write { source }) if source.kind() == io::ErrorKind::StorageFull
    ));

    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let sealed = sealed(&patterned(70_000));
    let input = sealed[..HEADER_BYTES + 9].chain(Broken);
    let mut opener = Opener::new(input, &key(), &shard_context(70_000)).unwrap();
    assert!(matches!(
        opener.next_segment(),
        Err(OpenError::Read { source }) if source.kind() == io::ErrorKind::ConnectionReset
    ));
}
