//! A log as its builder makes it, and everything that is no log.
#![allow(clippy::unwrap_used, clippy::panic)]

use codec::Encode;
use proptest::prelude::*;
use quern_joblog::{
    Entry, Fork, LogBuilder, LogFault, Replay, SignedBlock,
    build::Appended,
    file::{self, Reader},
};
use quern_primitives::{
    batch::{Batch, LogRange, TaskSet},
    ids::{AccountId, DeviceId, Digest, GenesisHash, JobId},
    limits::{LOG_BLOCK_BYTES_MAX, LOG_ENTRIES_PER_BLOCK_MAX},
    log::{Certificate, Header, SignedHeader},
    payload::NodeSecret,
};

const HERE: GenesisHash = GenesisHash([1; 32]);
const ELSEWHERE: GenesisHash = GenesisHash([2; 32]);
const JOB: JobId = JobId([3; 32]);

/// Any batch of the job.
fn batch() -> Batch {
    Batch {
        job: JOB,
        sequence: 5,
        log: LogRange { first: 0, last: 1 },
        verdicts_root: Digest([6; 32]),
        tasks: TaskSet {
            first: 0,
            bits: Default::default(),
        },
        spent: 0,
        payouts: Default::default(),
        devices: Default::default(),
    }
}

fn key() -> NodeSecret {
    NodeSecret::from_seed(&[4; 32])
}

fn entry(n: u32) -> Entry {
    match n % 3 {
        0 => Entry::Queued { first: n, tasks: 1 },
        1 => Entry::Added {
            task: n,
            replicas: 1,
        },
        _ => Entry::Assigned {
            task: n,
            replica: 0,
            device: DeviceId([n as u8; 32]),
            account: AccountId::new([n as u8; 32]),
            engine: Digest([7; 32]),
            at: n,
            lanes: 1,
        },
    }
}

/// So many blocks of so many entries.
fn log_of(builder: &mut LogBuilder, blocks: u32, entries: u32) -> Vec<SignedBlock> {
    (0..blocks)
        .map(|block| {
            for n in 0..entries {
                let time_ms = u64::from(block) * 10;
                let appended = builder.append(entry(block * entries + n), time_ms).unwrap();
                assert_eq!(appended.cut, None);
            }
            builder.cut(u64::from(block) * 10).unwrap()
        })
        .collect()
}

fn log(blocks: u32, entries: u32) -> Vec<SignedBlock> {
    log_of(&mut LogBuilder::new(HERE, JOB, key()), blocks, entries)
}

fn replay() -> Replay {
    Replay::new(HERE, JOB, key().public())
}

fn follow(replay: &mut Replay, blocks: &[SignedBlock]) -> Result<(), LogFault> {
    blocks
        .iter()
        .try_for_each(|block| replay.take(&block.to_bytes()).map(drop))
}

/// A log that goes on behind a header, with the blocks before it at hand.
fn behind(blocks: &[SignedBlock], last: &Header, key: NodeSecret) -> LogBuilder {
    let older = |index| blocks.get(index as usize).map(|it| it.header.payload);
    LogBuilder::behind(last, HERE, key, |index| older(index).ok_or(index)).unwrap()
}

/// A header that was changed and signed again, as only its coordinator can.
fn signed_anew(block: &SignedBlock, change: impl FnOnce(&mut Header)) -> SignedBlock {
    let mut header = block.header.payload;
    change(&mut header);
    SignedBlock {
        header: key().sign(header, &HERE),
        entries: block.entries.clone(),
    }
}

fn read_file(bytes: &[u8], chunk: usize) -> Result<Vec<SignedBlock>, LogFault> {
    let mut blocks = Vec::new();
    let mut reader = Reader::new(bytes.chunks(chunk))?;
    reader.replay::<LogFault>(&mut replay(), |block| {
        blocks.push(block);
        Ok(())
    })?;
    Ok(blocks)
}

#[test]
fn a_log_replays_to_the_entries_and_positions_that_were_appended() {
    let blocks = log(4, 5);
    let mut replay = replay();
    let mut seen = Vec::new();
    for block in &blocks {
        let taken = replay.take(&block.to_bytes()).unwrap();
        assert_eq!(taken, *block);
        seen.extend(
            taken
                .positions()
                .map(|(at, entry)| (at, entry.clone()))
                .collect::<Vec<_>>(),
        );
    }
    let expected: Vec<_> = (0..20u32).map(|n| (u64::from(n), entry(n))).collect();
    assert_eq!(seen, expected);
    assert_eq!((replay.next_index(), replay.next_position()), (4, 20));
    assert_eq!(replay.head(), blocks[3].header.payload.hash(&HERE));
}

#[test]
fn a_builder_that_starts_again_goes_on_where_the_log_ends() {
    let mut whole = LogBuilder::new(HERE, JOB, key());
    let mut blocks = log_of(&mut whole, 2, 3);
    let mut replay = replay();
    follow(&mut replay, &blocks).unwrap();
    let mut again = LogBuilder::resume(&replay, key());
    assert_eq!(again.next_position(), 6);
    again.append(entry(6), 50).unwrap();
    whole.append(entry(6), 50).unwrap();
    blocks.push(again.cut(50).unwrap());
    assert_eq!(blocks.last(), whole.cut(50).as_ref());
    follow(&mut replay, &blocks[2..]).unwrap();
}

#[test]
fn another_masternode_writes_on_after_the_log_was_handed_over() {
    let other = NodeSecret::from_seed(&[9; 32]);
    let mut replay = replay();
    follow(&mut replay, &log(2, 3)).unwrap();
    let mut builder = LogBuilder::resume(&replay, other.clone());
    let next = log_of(&mut builder, 1, 3).remove(0).to_bytes();
    assert_eq!(
        replay.take(&next),
        Err(LogFault::WrongSigner { index: 2 }),
        "before it was handed over"
    );
    replay.hand_over(other.public());
    replay.take(&next).unwrap();
}

#[test]
fn a_log_without_its_chain_is_followed_by_whom_it_names() {
    let other = NodeSecret::from_seed(&[9; 32]);
    let opened = |node: &NodeSecret| Entry::Opened {
        coordinator: AccountId::new([1; 32]),
        node: node.public(),
        at: 1,
    };
    let mut builder = LogBuilder::new(HERE, JOB, key());
    builder.append(opened(&key()), 1).unwrap();
    let first = builder.cut_bytes(1).unwrap().bytes;
    let header = SignedBlock::read(&first).unwrap().header.payload;
    let mut builder = behind(&[], &header, other.clone());
    let mut stranger = behind(&[], &header, other.clone());
    stranger.append(entry(0), 2).unwrap();
    let unnamed = stranger.cut_bytes(2).unwrap().bytes;
    builder.append(opened(&other), 2).unwrap();
    let second = builder.cut_bytes(2).unwrap().bytes;

    let mut replay = None;
    let nobody = LogFault::WrongSigner { index: 0 };
    assert_eq!(
        quern_joblog::follow(&mut replay, HERE, JOB, &unnamed),
        Err(nobody)
    );
    quern_joblog::follow(&mut replay, HERE, JOB, &first).unwrap();
    let refused = quern_joblog::follow(&mut replay, HERE, JOB, &unnamed);
    assert_eq!(refused, Err(LogFault::WrongSigner { index: 1 }));
    quern_joblog::follow(&mut replay, HERE, JOB, &second).unwrap();
    let replay = replay.unwrap();
    assert_eq!((replay.signer(), replay.next_index()), (other.public(), 2));
}

#[test]
fn a_block_is_cut_when_it_has_as_many_entries_as_it_may() {
    let mut builder = LogBuilder::new(HERE, JOB, key());
    for n in 0..LOG_ENTRIES_PER_BLOCK_MAX {
        assert_eq!(builder.append(entry(n), 1).unwrap().cut, None);
    }
    let Appended { position, cut } = builder.append(entry(0), 1).unwrap();
    let cut = SignedBlock::from(cut.unwrap());
    assert_eq!(position, u64::from(LOG_ENTRIES_PER_BLOCK_MAX));
    assert_eq!(cut.entries.len(), LOG_ENTRIES_PER_BLOCK_MAX as usize);
    follow(&mut replay(), &[cut, builder.cut(1).unwrap()]).unwrap();
}

#[test]
fn what_a_builder_has_encoded_is_what_its_block_is_written_as() {
    let mut builder = LogBuilder::new(HERE, JOB, key());
    let mut cuts = Vec::new();
    for n in 0..2 * LOG_ENTRIES_PER_BLOCK_MAX + 3 {
        cuts.extend(builder.append(entry(n), 1).unwrap().cut);
    }
    cuts.extend(builder.cut_bytes(2));
    assert!(builder.is_empty() && builder.cut_bytes(3).is_none());
    assert_eq!(cuts.len(), 3);
    let mut replay = replay();
    for cut in cuts {
        let block = replay.take(&cut.bytes).unwrap();
        assert_eq!(block.to_bytes(), cut.bytes);
        assert_eq!(block, SignedBlock::from(cut));
    }
}

#[test]
fn a_log_goes_on_behind_the_header_of_its_last_block() {
    let mut whole = LogBuilder::new(HERE, JOB, key());
    let mut blocks = Vec::new();
    for length in 1..200u32 {
        whole.append(entry(length), 50).unwrap();
        blocks.push(whole.cut(50).unwrap());
        let last = &blocks.last().unwrap().header.payload;
        let mut again = behind(&blocks, last, key());
        assert_eq!(again.next_position(), u64::from(length));
        again.append(entry(1), 60).unwrap();
        let mut whole = whole.clone();
        whole.append(entry(1), 60).unwrap();
        assert_eq!(again.cut(60), whole.cut(60), "{length}");
    }
}

#[test]
fn a_clock_that_goes_back_is_not_written_down() {
    let mut builder = LogBuilder::new(HERE, JOB, key());
    builder.append(entry(0), 50).unwrap();
    let first = builder.cut(50).unwrap();
    builder.append(entry(1), 20).unwrap();
    let second = builder.cut(20).unwrap();
    assert_eq!(second.header.payload.time_ms, 50);
    let back = signed_anew(&second, |header| header.time_ms = 49);
    assert_eq!(
        follow(&mut replay(), &[first.clone(), back]),
        Err(LogFault::TimeBackwards { index: 1 })
    );
    follow(&mut replay(), &[first, second]).unwrap();
}

#[test]
fn a_block_that_is_missing_leaves_a_gap() {
    let mut blocks = log(4, 2);
    blocks.remove(1);
    let gap = LogFault::Gap {
        expected: 1,
        index: 2,
    };
    assert_eq!(follow(&mut replay(), &blocks), Err(gap.clone()));
    let file = file::write(&HERE, &JOB, &blocks);
    assert_eq!(read_file(&file, 100), Err(gap));
}

#[test]
fn blocks_in_another_order_are_told_from_a_gap() {
    let mut blocks = log(4, 2);
    blocks.swap(1, 3);
    let file = file::write(&HERE, &JOB, &blocks);
    assert_eq!(
        read_file(&file, 100),
        Err(LogFault::Reordered {
            expected: 1,
            index: 3
        })
    );
}

#[test]
fn a_block_that_comes_again_is_no_fork_and_changes_nothing() {
    let blocks = log(3, 2);
    let mut replay = replay();
    follow(&mut replay, &blocks[..2]).unwrap();
    for (index, block) in (0..2).zip(&blocks) {
        assert_eq!(
            replay.take(&block.to_bytes()),
            Err(LogFault::Repeated { index })
        );
    }
    follow(&mut replay, &blocks[2..]).unwrap();
}

#[test]
fn two_blocks_for_one_place_are_evidence_against_who_signed_both() {
    let blocks = log(3, 2);
    let other = signed_anew(&blocks[1], |header| header.time_ms += 1);
    let mut replay = replay();
    follow(&mut replay, &blocks).unwrap();
    let Err(LogFault::Forked(fork)) = replay.take(&other.to_bytes()) else {
        panic!("no fork");
    };
    assert_eq!(fork.place, 1);
    assert_eq!((fork.first, fork.second), (blocks[1].header, other.header));
    assert!(fork.holds(&key().public(), &HERE));
    assert!(!fork.holds(&key().public(), &ELSEWHERE));
    assert!(!fork.holds(&NodeSecret::from_seed(&[9; 32]).public(), &HERE));
    let mut same = fork.clone();
    same.second = same.first;
    assert!(!same.holds(&key().public(), &HERE));
    let mut elsewhere = *fork;
    elsewhere.place = 2;
    assert!(!elsewhere.holds(&key().public(), &HERE));
}

#[test]
fn a_block_that_names_another_ancestor_than_was_signed_is_evidence_against_who_signed_both() {
    let blocks = log(9, 2);
    let fork = |first: u64, second: SignedHeader| Fork {
        place: first,
        first: blocks[first as usize].header,
        second,
    };
    let convicts = |first, second| fork(first, second).holds(&key().public(), &HERE);
    // No two blocks of one log, in whatever order.
    for second in &blocks {
        assert!((0..9).all(|first| !convicts(first, second.header)));
    }
    // Block 8 follows block 7, and skips to it; block 6 skips to block 3.
    let changed = |at: usize, change: fn(&mut Header)| signed_anew(&blocks[at], change).header;
    for change in [
        (|it| it.previous.0[0] ^= 1) as fn(&mut Header),
        |it| it.skip.0[0] ^= 1,
        |it| it.first += 1,
        |it| it.first -= 1,
    ] {
        let lie = changed(8, change);
        assert!(convicts(7, lie));
        assert!((0..7).all(|first| !convicts(first, lie)));
    }
    let lie = changed(6, |it| it.skip.0[0] ^= 1);
    assert!(convicts(3, lie) && !convicts(5, lie) && !convicts(2, lie));
    let lie = changed(6, |it| it.previous.0[0] ^= 1);
    assert!(convicts(5, lie) && !convicts(3, lie));
    // What it says beside that is no other block's matter.
    assert!(!convicts(7, changed(8, |it| it.time_ms += 1)));
    let by_another = NodeSecret::from_seed(&[9; 32]).sign(lie.payload, &HERE);
    assert!(fork(5, by_another).are_apart(&HERE) && !convicts(5, by_another));
}

#[test]
fn a_stranger_cannot_make_it_look_as_if_the_coordinator_forked() {
    let blocks = log(2, 2);
    let mut replay = replay();
    follow(&mut replay, &blocks).unwrap();
    let mut header = blocks[1].header.payload;
    header.time_ms += 1;
    let forged = SignedBlock {
        header: NodeSecret::from_seed(&[9; 32]).sign(header, &HERE),
        entries: blocks[1].entries.clone(),
    };
    assert_eq!(
        replay.take(&forged.to_bytes()),
        Err(LogFault::WrongSigner { index: 1 })
    );
}

#[test]
fn a_block_of_another_branch_does_not_follow() {
    let blocks = log(2, 2);
    let unlinked = signed_anew(&blocks[1], |header| header.previous.0[0] ^= 1);
    assert_eq!(
        follow(&mut replay(), &[blocks[0].clone(), unlinked]),
        Err(LogFault::Unlinked { index: 1 })
    );
}

#[test]
fn a_log_of_another_job_chain_or_coordinator_is_refused() {
    let job = JobId([5; 32]);
    let other_job = log_of(&mut LogBuilder::new(HERE, job, key()), 1, 1);
    assert_eq!(
        follow(&mut replay(), &other_job),
        Err(LogFault::OtherJob { job })
    );
    let other_chain = log_of(&mut LogBuilder::new(ELSEWHERE, JOB, key()), 1, 1);
    assert_eq!(
        follow(&mut replay(), &other_chain),
        Err(LogFault::OtherChain)
    );
    let stranger = NodeSecret::from_seed(&[9; 32]);
    let other_signer = log_of(&mut LogBuilder::new(HERE, JOB, stranger), 1, 1);
    assert_eq!(
        follow(&mut replay(), &other_signer),
        Err(LogFault::WrongSigner { index: 0 })
    );
    for (genesis, job, fault) in [
        (ELSEWHERE, JOB, LogFault::OtherChain),
        (HERE, job, LogFault::OtherJob { job }),
    ] {
        let file = file::write(&genesis, &job, &log(1, 1));
        assert_eq!(read_file(&file, 9), Err(fault));
    }
}

#[test]
fn a_coordinator_that_lies_about_positions_or_sizes_is_found_out() {
    let block = &log(1, 3)[0];
    let refused = |change: fn(&mut Header)| {
        let changed = signed_anew(block, change);
        replay().take(&changed.to_bytes()).unwrap_err()
    };
    let positions = LogFault::Positions {
        index: 0,
        expected: 0,
    };
    assert_eq!(refused(|it| it.first = 1), positions);
    assert_eq!(refused(|it| it.count = 0), LogFault::Empty { index: 0 });
    assert_eq!(refused(|it| it.count = 4), LogFault::Malformed { index: 0 });
    assert_eq!(refused(|it| it.count = 2), LogFault::Malformed { index: 0 });
    assert_eq!(refused(|it| it.bytes += 1), LogFault::Truncated);
    assert_eq!(refused(|it| it.bytes -= 1), LogFault::Trailing);
    let too_large = LogFault::TooLarge { index: 0 };
    assert_eq!(refused(|it| it.count = u32::MAX), too_large);
    assert_eq!(refused(|it| it.bytes = LOG_BLOCK_BYTES_MAX + 1), too_large);
    assert_eq!(
        refused(|it| it.entries_root.0[3] ^= 1),
        LogFault::EntriesChanged { index: 0 }
    );
}

#[test]
fn entries_in_another_order_are_not_those_that_were_signed() {
    let mut block = log(1, 3).remove(0);
    block.entries.swap(0, 1);
    assert_eq!(
        replay().take(&block.to_bytes()),
        Err(LogFault::EntriesChanged { index: 0 })
    );
}

#[test]
fn a_file_is_read_the_same_however_its_pieces_are_cut() {
    let blocks = log(3, 4);
    let file = file::write(&HERE, &JOB, &blocks);
    for chunk in [1, 2, 7, 64, 225, 1_000, file.len()] {
        assert_eq!(read_file(&file, chunk), Ok(blocks.clone()), "{chunk}");
    }
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused() {
    let file = file::write(&HERE, &JOB, &log(2, 2));
    for length in 0..file.len() {
        assert_eq!(
            read_file(&file[..length], 50),
            Err(LogFault::Truncated),
            "{length}"
        );
    }
}

#[test]
fn bytes_behind_the_end_of_a_file_are_refused() {
    let mut file = file::write(&HERE, &JOB, &log(1, 2));
    file.push(0);
    assert_eq!(read_file(&file, 50), Err(LogFault::Trailing));
}

#[test]
fn a_file_that_promises_a_huge_block_is_refused_before_it_is_read() {
    let mut file = file::head(&HERE, &JOB);
    file.extend(u32::MAX.to_le_bytes());
    assert_eq!(
        read_file(&file, 50),
        Err(LogFault::TooLong { bytes: u32::MAX })
    );
    assert_eq!(read_file(b"QRNS\x02 and so on", 50), Err(LogFault::NotALog));
}

#[test]
fn a_copy_that_ends_too_early_is_told_by_a_certificate() {
    let blocks = log(3, 2);
    let mut replay = replay();
    follow(&mut replay, &blocks).unwrap();
    let certificate = replay.certificate(&batch()).unwrap();
    assert_eq!(replay.reaches(&certificate), Ok(()));
    let mut early = self::replay();
    assert_eq!(early.certificate(&batch()), None);
    follow(&mut early, &blocks[..2]).unwrap();
    assert_eq!(early.reaches(&certificate), Err(LogFault::Truncated));
    let other = Certificate {
        head: Digest([8; 32]),
        ..certificate
    };
    assert_eq!(replay.reaches(&other), Err(LogFault::Unlinked { index: 2 }));
}

#[test]
fn one_entry_is_proved_without_the_others() {
    let blocks = log(3, 5);
    for block in &blocks {
        for (position, entry) in block.positions() {
            let proof = block.prove(position).unwrap();
            assert_eq!(proof.entry, *entry);
            assert_eq!(proof.position(&key().public(), &HERE), Some(position));
            assert_eq!(proof.position(&key().public(), &ELSEWHERE), None);
            let mut forged = proof.clone();
            forged.entry = self::entry(99);
            assert_eq!(forged.position(&key().public(), &HERE), None);
            let mut moved = proof;
            moved.proof.index ^= 1;
            assert_eq!(moved.position(&key().public(), &HERE), None);
        }
    }
    assert_eq!(blocks[1].prove(4), None);
    assert_eq!(blocks[1].prove(10), None);
}

/// What `docs/format.md` says of a signed block, byte by byte.
#[test]
fn a_block_has_the_bytes_that_the_format_promises() {
    let block = &log(1, 2)[0];
    let header = &block.header.payload;
    let entries: Vec<u8> = block.entries.iter().flat_map(Encode::encode).collect();
    let expected = [
        JOB.0.as_slice(),
        &0u64.to_le_bytes(),
        &header.previous.0,
        &header.skip.0,
        &header.time_ms.to_le_bytes(),
        &0u64.to_le_bytes(),
        &2u32.to_le_bytes(),
        &(entries.len() as u32).to_le_bytes(),
        &header.entries_root.0,
        &block.header.signature.0,
        &entries,
    ]
    .concat();
    assert_eq!(block.to_bytes(), expected);
}

proptest! {
    #[test]
    fn a_log_with_any_bit_changed_is_refused(
        blocks in 1u32..4, entries in 1u32..6, place: prop::sample::Index, bit in 0u8..8,
    ) {
        let mut file = file::write(&HERE, &JOB, &log(blocks, entries));
        let place = place.index(file.len());
        file[place] ^= 1 << bit;
        prop_assert!(read_file(&file, 300).is_err());
    }

    #[test]
    fn bytes_of_a_stranger_are_refused_and_never_panic(bytes: Vec<u8>, chunk in 1usize..50) {
        prop_assert!(SignedBlock::read(&bytes).is_err());
        prop_assert!(replay().take(&bytes).is_err());
        prop_assert!(read_file(&bytes, chunk).is_err());
        let file = [file::head(&HERE, &JOB), bytes].concat();
        // An empty log is one: its end is four zeros.
        prop_assert!(read_file(&file, chunk).is_err() || file.ends_with(&[0; 4]));
    }
}
