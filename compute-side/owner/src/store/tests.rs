//! Folders as pieces, any that are enough of these, and the folder again.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::{pack::pack_with, *};
use crate::{archive::Existing, testing::GENESIS};
use quern_primitives::{
    AccountId, Digest,
    custody::{ShortProof, piece_chunks},
    merkle::Tree,
};
use quern_shards::{
    chunks::chunk_root,
    keys::StoreKey,
    seal::OpenError,
    stored::{Layout, ListError, PieceList},
};
use rand::{SeedableRng as _, rngs::StdRng};
use std::{
    fs,
    path::{Path, PathBuf},
};

const CODED: Layout = Layout::Coded {
    shards: 4,
    parity: 2,
};

fn owner() -> AccountId {
    AccountId::new([1; 32])
}

/// A folder with some files, one of so many bytes, a folder in it, and an empty one.
fn folder(within: &Path, bytes: usize) -> PathBuf {
    let folder = within.join("photos");
    fs::create_dir_all(folder.join("of 2026/empty")).unwrap();
    let content: Vec<u8> = (0..bytes).map(|at| ((at * at) >> 7) as u8).collect();
    fs::write(folder.join("large"), content).unwrap();
    fs::write(folder.join("of 2026/list.txt"), "one\ntwo\n").unwrap();
    folder
}

fn packed(within: &Path, folder: &Path, layout: Layout) -> Result<StoreFolder, StorePackError> {
    let mut rng = StdRng::seed_from_u64(1);
    let stores = within.join("stores");
    pack_with(
        &mut rng,
        &stores,
        (GENESIS, &owner()),
        folder,
        layout,
        |_, _| {},
    )
}

/// What is in a folder, to be compared.
fn content(folder: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_owned();
            match path.is_dir() {
                true => {
                    found.push((name, None));
                    left.push(path);
                }
                false => found.push((name, Some(fs::read(&path).unwrap()))),
            }
        }
    }
    found.sort();
    found
}

fn restored(store: &StoreFolder, within: &Path) -> Result<PathBuf, StoreRestoreError> {
    let (list, key) = (store.list().unwrap(), store.key().unwrap());
    restored_of(store, &list, &key, within)
}

fn restored_of(
    store: &StoreFolder,
    list: &PieceList,
    key: &StoreKey,
    within: &Path,
) -> Result<PathBuf, StoreRestoreError> {
    let scratch = tempfile::tempdir_in(within).unwrap();
    let into = scratch.path().join("back");
    let of = (GENESIS, store.contract());
    let pieces = store.path().join("pieces");
    let places = (scratch.path(), into.as_path());
    restore(of, list, key, pieces.as_path(), places, Existing::Kept)?;
    // What was made again is gone when it was read.
    let left = fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(left, 1);
    let kept = within.join(format!("back-{}", fs::read_dir(within).unwrap().count()));
    fs::rename(&into, &kept).unwrap();
    Ok(kept)
}

#[test]
fn a_folder_comes_back_from_its_pieces_as_it_was() {
    for layout in [Layout::Mirrored { copies: 2 }, CODED] {
        for bytes in [0, 5, 100_000] {
            let place = tempfile::tempdir().unwrap();
            let folder = folder(place.path(), bytes);
            let store = packed(place.path(), &folder, layout).unwrap();
            let back = restored(&store, place.path()).unwrap();
            assert_eq!(content(&back), content(&folder), "{layout} {bytes}");
        }
    }
}

#[test]
fn of_each_stripe_any_pieces_may_be_lost_that_are_as_many_as_its_parity() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(place.path(), 60_000);
    let expected = content(&folder);
    for one in 0..6 {
        for other in 0..one {
            let within = tempfile::tempdir_in(place.path()).unwrap();
            let store = packed(within.path(), &folder, CODED).unwrap();
            assert_eq!(store.list().unwrap().plan().pieces(), 6);
            // One is gone, and the other is not what it was.
            store.drop_piece(one).unwrap();
            let mut bytes = fs::read(store.piece(other)).unwrap();
            bytes[300] ^= 1;
            fs::write(store.piece(other), bytes).unwrap();
            let back = restored(&store, within.path()).unwrap();
            assert_eq!(content(&back), expected, "{one} {other}");
        }
    }
}

#[test]
fn with_fewer_pieces_than_a_stripe_has_shards_it_is_told_which_to_fetch() {
    let place = tempfile::tempdir().unwrap();
    let store = packed(place.path(), &folder(place.path(), 60_000), CODED).unwrap();
    for piece in [0, 3, 5] {
        store.drop_piece(piece).unwrap();
    }
    let error = restored(&store, place.path()).unwrap_err();
    assert!(
        matches!(
            error,
            StoreRestoreError::TooFew {
                stripe: 0,
                found: 3,
                needed: 4,
                first: 0,
                last: 5
            }
        ),
        "{error:?}"
    );
}

#[test]
fn a_piece_that_is_longer_or_shorter_than_it_should_be_counts_as_lost() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(place.path(), 60_000);
    let store = packed(place.path(), &folder, CODED).unwrap();
    let first = fs::read(store.piece(0)).unwrap();
    fs::write(store.piece(0), [&first[..], &[0]].concat()).unwrap();
    let second = fs::read(store.piece(1)).unwrap();
    fs::write(store.piece(1), &second[..second.len() - 1]).unwrap();
    let back = restored(&store, place.path()).unwrap();
    assert_eq!(content(&back), content(&folder));
}

#[test]
fn another_key_or_another_contract_opens_nothing() {
    let place = tempfile::tempdir().unwrap();
    let store = packed(place.path(), &folder(place.path(), 5_000), CODED).unwrap();
    let list = store.list().unwrap();
    let other = StoreKey::from_bytes([9; 32]);
    let error = restored_of(&store, &list, &other, place.path()).unwrap_err();
    let is_other_key = matches!(
        error,
        StoreRestoreError::Open {
            shard: 0,
            source: OpenError::OtherKey
        }
    );
    assert!(is_other_key, "{error:?}");
}

#[test]
fn pieces_are_of_one_length_and_are_what_the_list_says() {
    let place = tempfile::tempdir().unwrap();
    let store = packed(place.path(), &folder(place.path(), 100_000), CODED).unwrap();
    let list = store.list().unwrap();
    let offer = list.offer(store.salt().unwrap(), 5);
    assert_eq!((offer.pieces, offer.copies, offer.periods), (6, 1, 5));
    list.check_root(&offer.pieces_root).unwrap();
    let leaves = list.entries().iter().map(codec::Encode::encode);
    assert_eq!(offer.pieces_root, Tree::new(leaves).root());
    for entry in list.entries() {
        let bytes = fs::read(store.piece(entry.piece)).unwrap();
        assert_eq!(bytes.len() as u64, entry.bytes);
        assert_eq!(chunk_root(&bytes), entry.chunk_root);
        assert!(piece_chunks(entry.bytes).is_some());
        let path: ShortProof = list.path(entry.piece).unwrap();
        assert_eq!((path.index, path.count), (entry.piece, offer.pieces));
    }
    assert_eq!(list.path(6), None);
    let other = Digest([1; 32]);
    assert!(matches!(
        list.check_root(&other),
        Err(ListError::OtherRoot { .. })
    ));
}

#[test]
fn what_is_no_list_is_refused_by_what_is_wrong_with_it() {
    let place = tempfile::tempdir().unwrap();
    let store = packed(place.path(), &folder(place.path(), 5_000), CODED).unwrap();
    let list = store.list().unwrap();
    let bytes = list.encode();
    assert_eq!(PieceList::decode(&bytes), Ok(list.clone()));
    for end in 0..bytes.len() {
        assert!(PieceList::decode(&bytes[..end]).is_err(), "{end}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(PieceList::decode(&longer), Err(ListError::Malformed));
    let newer = [&[2], &bytes[1..]].concat();
    assert_eq!(
        PieceList::decode(&newer),
        Err(ListError::Version { found: 2 })
    );
    let huge = vec![1; 79 * 65_536 + 33];
    assert!(matches!(
        PieceList::decode(&huge),
        Err(ListError::TooLong { .. })
    ));
    // Without its last entry, and with a piece of another length.
    let fewer = (1u8, *list.plan(), list.entries()[..3].to_vec());
    let fewer = codec::Encode::encode(&fewer);
    assert_eq!(
        PieceList::decode(&fewer),
        Err(ListError::Entry { piece: 3 })
    );
    assert_eq!(list.plan().pieces(), 4);
    let mut entries = list.entries().to_vec();
    entries[2].bytes += 1;
    let longer = codec::Encode::encode(&(1u8, *list.plan(), entries));
    assert_eq!(
        PieceList::decode(&longer),
        Err(ListError::Entry { piece: 2 })
    );
}

#[test]
fn a_folder_with_a_link_makes_no_store_and_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(place.path(), 5);
    std::os::unix::fs::symlink("large", folder.join("link")).unwrap();
    let error = packed(place.path(), &folder, CODED).unwrap_err();
    assert!(error.to_string().contains("symbolic link"), "{error}");
    assert!(!place.path().join("stores").exists());
}

#[test]
fn the_store_s_folder_is_its_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = tempfile::tempdir().unwrap();
    let store = packed(place.path(), &folder(place.path(), 5), CODED).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(store.path()), 0o700);
    assert_eq!(mode(&store.path().join("store.key")), 0o600);
    let stores = place.path().join("stores");
    let found = StoreFolder::find(&stores, store.contract()).unwrap();
    assert_eq!(found, store);
    let nowhere = quern_primitives::ids::ContractId([9; 32]);
    assert!(StoreFolder::find(&stores, nowhere).is_err());
}
