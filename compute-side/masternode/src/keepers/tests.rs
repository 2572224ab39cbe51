//! What is on the disk, and what is certified.

use super::{
    Promised,
    orders::{Follows, are_proof, follows},
    shelves::Shelves,
    words,
};
use codec::Encode as _;
use quern_custody_rules::drawn;
use quern_jobs_api::{PIECE_BYTES_MAX, StorageError};
use quern_primitives::{
    Digest,
    custody::{ChallengedChunk, Held, PieceEntry, Proved, piece_chunks},
    ids::{ContractId, DeviceId},
    merkle::{CHUNK_BYTES, Tree},
};
use quern_shards::stored::{Layout, PieceList, Plan};
use quern_transfer::{Shelf as _, Shelved, Thing};
use std::fs;
use tempfile::TempDir;

const CONTRACT: ContractId = ContractId([0xc0; 32]);

fn content(seed: usize, bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|at| ((at * 31 + seed) % 251) as u8)
        .collect()
}

fn entry(piece: u32, bytes: &[u8]) -> PieceEntry {
    PieceEntry {
        version: PieceEntry::VERSION,
        piece,
        chunk_root: Tree::new(bytes.chunks(CHUNK_BYTES)).root(),
        bytes: bytes.len() as u64,
        audit_root: Digest::default(),
        audit_depth: 0,
    }
}

fn list() -> PieceList {
    let plan = Plan::of(Layout::Mirrored { copies: 2 }, 100_000).unwrap();
    let roots: Vec<_> = (0..plan.pieces())
        .map(|it| Digest([it as u8; 32]))
        .collect();
    PieceList::new(plan, &roots).unwrap()
}

fn shelves(bytes_max: u64) -> (TempDir, Shelves) {
    let folder = tempfile::tempdir().unwrap();
    let shelves = Shelves::open(folder.path(), bytes_max).unwrap();
    (folder, shelves)
}

#[test]
fn a_list_that_is_the_contract_s_is_kept_and_outlives_a_restart() {
    let (folder, shelves) = shelves(0);
    let (list, bytes) = (list(), list().encode());
    let root = list.offer([0; 16], 1).pieces_root;
    let (first, rest) = bytes.split_at(10);
    assert_eq!(shelves.list(CONTRACT), Err(StorageError::ListMissing));
    assert_eq!(shelves.append_list(CONTRACT, 0, first), Ok(10));
    let again = shelves.append_list(CONTRACT, 0, first);
    assert_eq!(again, Err(StorageError::OutOfOrder { expected: 10 }));
    shelves.append_list(CONTRACT, 10, rest).unwrap();
    shelves.keep_list(CONTRACT, &root).unwrap();
    assert_eq!(shelves.list(CONTRACT), Ok(list.clone()));
    let opened = Shelves::open(folder.path(), 0).unwrap();
    assert_eq!(opened.folders().unwrap(), [CONTRACT]);
    assert!(opened.has_list(CONTRACT));
    assert_eq!(opened.list(CONTRACT), Ok(list));
    assert_eq!(opened.read_list(CONTRACT, 10).unwrap(), rest);
    let behind = opened.read_list(CONTRACT, bytes.len() as u64);
    assert_eq!(behind, Err(StorageError::NoSuchBytes));
}

#[test]
fn another_list_is_dropped_and_the_right_one_may_come_then() {
    let (_folder, shelves) = shelves(0);
    let (bytes, root) = (list().encode(), list().offer([0; 16], 1).pieces_root);
    for wrong in [vec![9; 40], bytes[..bytes.len() - 1].to_vec()] {
        shelves.append_list(CONTRACT, 0, &wrong).unwrap();
        let refused = shelves.keep_list(CONTRACT, &root);
        assert!(matches!(refused, Err(StorageError::WrongList { .. })));
        assert_eq!(shelves.list_held(CONTRACT), 0);
    }
    shelves.append_list(CONTRACT, 0, &bytes).unwrap();
    let other = shelves.keep_list(CONTRACT, &Digest([1; 32]));
    assert!(matches!(other, Err(StorageError::WrongList { .. })));
    shelves.append_list(CONTRACT, 0, &bytes).unwrap();
    shelves.keep_list(CONTRACT, &root).unwrap();
}

#[test]
fn a_piece_comes_in_parts_from_where_it_stopped_and_is_held_to_the_list() {
    let (folder, shelves) = shelves(2_000_000);
    let bytes = content(1, 1_500_000);
    let entry = entry(3, &bytes);
    let append = |shelves: &Shelves, at: usize, to: usize| {
        shelves.append(CONTRACT, &entry, at as u64, &bytes[at..to])
    };
    assert_eq!(append(&shelves, 0, 1_000_000), Ok(1_000_000));
    assert_eq!(shelves.held(CONTRACT, 3), 1_000_000);
    // A restart knows how far it came.
    let shelves = Shelves::open(folder.path(), 2_000_000).unwrap();
    let expected = 1_000_000;
    assert_eq!(
        append(&shelves, 0, 10),
        Err(StorageError::OutOfOrder { expected })
    );
    let limit = entry.bytes;
    let longer = shelves.append(CONTRACT, &entry, expected, &vec![0; 500_001]);
    assert_eq!(longer, Err(StorageError::TooLong { limit }));
    let part = shelves.append(CONTRACT, &entry, expected, &vec![0; PIECE_BYTES_MAX + 1]);
    assert_eq!(part, Err(StorageError::TooLong { limit }));
    assert!(!shelves.has(CONTRACT, 3));
    assert_eq!(append(&shelves, 1_000_000, 1_500_000), Ok(limit));
    assert!(shelves.has(CONTRACT, 3));
    assert_eq!(append(&shelves, 0, 10), Ok(limit), "said again it is there");
    let some = shelves.read(CONTRACT, &entry, 0).unwrap().unwrap();
    assert_eq!(some, bytes[..PIECE_BYTES_MAX]);
    let end = shelves
        .read(CONTRACT, &entry, PIECE_BYTES_MAX as u64)
        .unwrap();
    assert_eq!(end.unwrap(), bytes[PIECE_BYTES_MAX..]);
    let behind = shelves.read(CONTRACT, &entry, limit);
    assert_eq!(behind, Err(StorageError::NoSuchBytes));
    let opened = Shelves::open(folder.path(), 2_000_000).unwrap();
    assert_eq!(opened.all(CONTRACT), [3]);
}

#[test]
fn bytes_that_are_not_the_piece_are_dropped_and_the_right_ones_may_come_then() {
    let (_folder, shelves) = shelves(1_000_000);
    let bytes = content(1, 10_000);
    let entry = entry(3, &bytes);
    let wrong = shelves.append(CONTRACT, &entry, 0, &content(2, 10_000));
    assert_eq!(wrong, Err(StorageError::WrongPiece { piece: 3 }));
    assert_eq!(shelves.held(CONTRACT, 3), 0);
    assert_eq!(shelves.append(CONTRACT, &entry, 0, &bytes), Ok(10_000));
}

#[test]
fn what_finds_no_room_is_refused_unwritten_and_finds_some_when_something_is_erased() {
    let (_folder, shelves) = shelves(25_000);
    let pieces: Vec<_> = (0..3).map(|seed| content(seed, 10_000)).collect();
    let put = |piece: u32| {
        let bytes = &pieces[piece as usize];
        shelves.append(CONTRACT, &entry(piece, bytes), 0, bytes)
    };
    assert_eq!((put(0), put(1)), (Ok(10_000), Ok(10_000)));
    assert_eq!(put(2), Err(StorageError::NoRoom { bytes: 5_000 }));
    assert_eq!(shelves.held(CONTRACT, 2), 0);
    shelves.erase(CONTRACT, 0).unwrap();
    assert!(!shelves.has(CONTRACT, 0));
    assert_eq!(put(2), Ok(10_000));
    shelves.erase(CONTRACT, 7).unwrap();
    shelves.erase_all(CONTRACT).unwrap();
    assert_eq!(shelves.all(CONTRACT), [0u32; 0]);
    assert_eq!((put(0), put(1)), (Ok(10_000), Ok(10_000)));
}

#[test]
fn what_was_fetched_or_made_is_kept_only_if_it_is_the_piece() {
    let (_folder, shelves) = shelves(0);
    let bytes = content(1, 10_000);
    let entry = entry(3, &bytes);
    let beside = shelves.place_beside(CONTRACT, 3).unwrap();
    fs::write(&beside, content(2, 10_000)).unwrap();
    let wrong = shelves.keep(CONTRACT, &entry);
    assert_eq!(wrong, Err(StorageError::WrongPiece { piece: 3 }));
    assert!(!beside.exists() && !shelves.has(CONTRACT, 3));
    fs::write(&beside, &bytes).unwrap();
    shelves.keep(CONTRACT, &entry).unwrap();
    assert!(shelves.has(CONTRACT, 3));
    assert_eq!(shelves.read(CONTRACT, &entry, 0), Ok(Some(bytes)));
}

#[test]
fn what_is_brought_here_to_be_read_is_no_piece_that_is_here_and_does_not_outlive_a_restart() {
    let (folder, shelves) = shelves(0);
    shelves.append_list(CONTRACT, 0, &list().encode()).unwrap();
    let root = list().offer([0; 16], 1).pieces_root;
    shelves.keep_list(CONTRACT, &root).unwrap();
    let bytes = content(1, 10_000);
    let entry = entry(3, &bytes);
    assert_eq!(shelves.read(CONTRACT, &entry, 0), Ok(None));
    fs::write(shelves.place_to_read(CONTRACT, 3).unwrap(), &bytes).unwrap();
    assert_eq!(shelves.read(CONTRACT, &entry, 0), Ok(Some(bytes.clone())));
    assert!(!shelves.has(CONTRACT, 3));
    shelves.erase_read(CONTRACT, 3).unwrap();
    assert_eq!(shelves.read(CONTRACT, &entry, 0), Ok(None));
    fs::write(shelves.place_to_read(CONTRACT, 3).unwrap(), &bytes).unwrap();
    let opened = Shelves::open(folder.path(), 0).unwrap();
    assert_eq!(opened.read(CONTRACT, &entry, 0), Ok(None));
}

#[test]
fn what_a_crash_left_of_a_piece_that_was_coming_is_begun_anew_and_takes_no_room() {
    let (folder, shelves) = shelves(10_000);
    let bytes = content(1, 10_000);
    let beside = shelves.place_beside(CONTRACT, 3).unwrap();
    for behind in ["", ".part", ".spans"] {
        fs::write(format!("{}{behind}", beside.display()), &bytes).unwrap();
    }
    let opened = Shelves::open(folder.path(), 10_000).unwrap();
    assert!(!beside.exists());
    let entry = entry(4, &bytes);
    assert_eq!(opened.append(CONTRACT, &entry, 0, &bytes), Ok(10_000));
}

#[test]
fn what_a_write_that_failed_left_is_written_over() {
    let (_folder, shelves) = shelves(100_000);
    let bytes = content(1, 10_000);
    let entry = entry(3, &bytes);
    shelves
        .append(CONTRACT, &entry, 0, &bytes[..4_000])
        .unwrap();
    let unfinished = shelves.path(CONTRACT, 3).with_extension("part");
    let mut longer = fs::read(&unfinished).unwrap();
    longer.extend([9; 100]);
    fs::write(&unfinished, longer).unwrap();
    assert_eq!(
        shelves.append(CONTRACT, &entry, 4_000, &bytes[4_000..]),
        Ok(10_000)
    );
}

#[test]
fn a_piece_is_given_to_those_to_whom_it_is_promised_whichever_contract_has_it() {
    let (folder, one, other) = (tempfile::tempdir().unwrap(), CONTRACT, ContractId([1; 32]));
    let thing = Thing::new(Digest([7; 32]), 10).unwrap();
    let promised = Promised::default();
    let device = |number: u8| DeviceId([number; 32]);
    let path = folder.path().join("piece");
    let gone = folder.path().join("gone");
    promised.promise(other, device(2), Shelved { thing, path: gone });
    fs::write(&path, "0123456789").unwrap();
    promised.promise(
        one,
        device(1),
        Shelved {
            thing,
            path: path.clone(),
        },
    );
    let root = thing.root();
    assert!(promised.gives(&device(1), &root) && !promised.gives(&device(3), &root));
    assert_eq!(promised.find(&root).unwrap().path, path);
    promised.is_damaged(&root);
    assert!(
        promised.withdraw(one, device(1), &root),
        "it is said to be damaged"
    );
    assert!(!promised.gives(&device(1), &root) && promised.gives(&device(2), &root));
    assert!(
        !promised.withdraw(other, device(2), &root),
        "it is said once"
    );
    assert!(!promised.gives(&device(2), &root));
}

#[test]
fn where_the_chain_takes_no_holder_for_the_contracts_fault_nothing_is_tried_for_a_while() {
    assert_eq!(follows("Custody.WrongSince"), Follows::Again);
    assert_eq!(follows("Custody.DeviceContained"), Follows::Another);
    assert_eq!(follows("Custody.NotCovered"), Follows::Pause);
    assert_eq!(follows("Custody.SomethingNew"), Follows::Pause);
}

fn held(piece: u32, device: u8) -> Held {
    Held {
        piece,
        device: DeviceId([device; 32]),
    }
}

#[test]
fn only_holders_in_order_each_once_are_certified() {
    let proved = |holders: Vec<Held>| Proved {
        contract: CONTRACT,
        period: 7,
        holders: holders.try_into().unwrap(),
    };
    let good = proved(vec![held(1, 1), held(1, 2), held(2, 1)]);
    assert_eq!(words::decode(&good.encode()), Ok(good.clone()));
    let refused = |bytes: &[u8]| {
        matches!(
            words::decode(bytes),
            Err(StorageError::NotCertifiable { .. })
        )
    };
    assert!(refused(&proved(vec![]).encode()));
    assert!(refused(&proved(vec![held(1, 2), held(1, 1)]).encode()));
    assert!(refused(&proved(vec![held(1, 1), held(1, 1)]).encode()));
    assert!(refused(&[&good.encode()[..], &[0]].concat()));
    assert!(refused(&good.encode()[1..]));
    assert!(refused(&vec![0; 11_000]));
}

#[test]
fn a_proof_has_every_chunk_that_was_asked_for_each_at_its_place() {
    let bytes = content(1, 300_001);
    let entry = entry(3, &bytes);
    let tree = Tree::new(bytes.chunks(CHUNK_BYTES));
    let asked = drawn::chunks(&Digest([5; 32]), piece_chunks(entry.bytes).unwrap());
    let show = |chunk: u32| ChallengedChunk {
        bytes: bytes
            .chunks(CHUNK_BYTES)
            .nth(chunk as usize)
            .unwrap()
            .to_vec()
            .try_into()
            .unwrap(),
        proof: tree.proof(chunk).unwrap().try_into().unwrap(),
    };
    let right: Vec<_> = asked.iter().map(|it| show(*it)).collect();
    assert!(are_proof(&entry, &asked, &right));
    let with = |change: &dyn Fn(&mut Vec<ChallengedChunk>)| {
        let mut other = right.clone();
        change(&mut other);
        are_proof(&entry, &asked, &other)
    };
    assert!(!with(&|it| drop(it.pop())));
    assert!(!with(&|it| it.swap(0, 1)));
    assert!(!with(&|it| it[1] = it[0].clone()));
    assert!(!with(&|it| it[0].bytes[0] ^= 1));
    assert!(!with(&|it| it[0].bytes.truncate(CHUNK_BYTES - 1)));
    assert!(!with(&|it| it[0].proof.siblings.truncate(1)));
    assert!(!with(&|it| it[0].proof.count += 1));
}
