use super::*;
use quern_primitives::{ids::GenesisHash, payload::DeviceKey};
use quern_shards::chunks::chunk_root;
use tempfile::TempDir;

/// Three pieces that make one file.
const TABLE: &[u8] = b"d7:commandd4:diski0e6:memoryi67108864e7:secondsi60e5:shell16:seq $QUERN_PIECEe\
    5:filesld5:partsi3e4:pathl9:table.txteee4:name5:table11:piece-bytesi262144e6:piecesi3e7:versioni1ee";

const SEED: [u8; 32] = [7; 32];

fn task() -> ValidatedTaskFile {
    ValidatedTaskFile::decode(TABLE).unwrap()
}

fn me() -> DeviceKey {
    DeviceKey::from_seed(&SEED)
}

fn made(piece: PieceIndex, bytes: &[u8]) -> Signed<Made> {
    let made = Made {
        piece,
        bytes: bytes.len().try_into().unwrap(),
        root: chunk_root(bytes),
        by: me().id(),
    };
    me().sign(made, &GenesisHash(task().digest().0))
}

fn statement(piece: PieceIndex) -> Signed<Statement> {
    let word = Statement {
        piece,
        root: Digest([1; 32]),
        of: DeviceKey::from_seed(&[8; 32]).id(),
        holds: true,
        by: me().id(),
    };
    me().sign(word, &GenesisHash(task().digest().0))
}

/// A folder in which these pieces are.
fn with(pieces: &[&[u8]]) -> (TempDir, Folder) {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(&place.path().join("swarm"), &task()).unwrap();
    for (piece, bytes) in (0..).zip(pieces) {
        let from = folder.coming();
        fs::write(&from, bytes).unwrap();
        folder.store(&from, &made(piece, bytes)).unwrap();
    }
    (place, folder)
}

fn pieces(held: &Held) -> Vec<PieceIndex> {
    held.pieces.iter().map(|it| it.payload.piece).collect()
}

#[test]
fn what_was_stored_is_there_after_a_break_and_what_was_damaged_is_not() {
    let (_place, folder) = with(&[b"zero", &[1; 100_000], b"two"]);
    let held = folder.load(&task(), &me().id()).unwrap();
    assert_eq!(pieces(&held), [0, 1, 2]);
    assert_eq!(held.bytes, 100_007);
    // A bit of one, and the end of another.
    let mut bytes = fs::read(folder.piece(1)).unwrap();
    bytes[70_000] ^= 1;
    fs::write(folder.piece(1), bytes).unwrap();
    fs::write(folder.piece(2), b"tw").unwrap();
    let held = folder.load(&task(), &me().id()).unwrap();
    assert_eq!((pieces(&held), &held.damaged[..]), (vec![0], &[1, 2][..]));
    assert!(!folder.piece(1).exists() && !made_of(folder.path(), 2).exists());
    let held = folder.load(&task(), &me().id()).unwrap();
    assert_eq!((pieces(&held), held.damaged.len()), (vec![0], 0));
}

#[test]
fn a_break_between_a_piece_and_its_maker_leaves_nothing_that_is_believed() {
    let (_place, folder) = with(&[b"zero", b"one", b"two"]);
    fs::remove_file(made_of(folder.path(), 0)).unwrap();
    fs::remove_file(folder.piece(1)).unwrap();
    // The maker of another piece, and of another task.
    fs::copy(made_of(folder.path(), 2), made_of(folder.path(), 0)).unwrap();
    let elsewhere = me().sign(made(2, b"two").payload, &GenesisHash([9; 32]));
    fs::write(made_of(folder.path(), 2), elsewhere.encode()).unwrap();
    let held = folder.load(&task(), &me().id()).unwrap();
    assert_eq!((pieces(&held), &held.damaged[..]), (vec![], &[0, 1, 2][..]));
}

#[test]
fn what_was_found_of_others_is_kept_up_to_where_a_break_has_cut_it() {
    let (_place, folder) = with(&[]);
    let words = [statement(0), statement(2)];
    words.iter().for_each(|word| folder.keep(word).unwrap());
    let half = &statement(1).encode()[..50];
    let path = folder.path().join("said");
    fs::write(&path, [&fs::read(&path).unwrap(), half].concat()).unwrap();
    let held = folder.load(&task(), &me().id()).unwrap();
    assert_eq!(held.said, words);
    // What comes next stands behind what holds.
    folder.keep(&statement(1)).unwrap();
    let held = folder.load(&task(), &me().id()).unwrap();
    assert_eq!(held.said.len(), 3);
    // Nobody else's words are this peer's.
    let stranger = DeviceKey::from_seed(&[8; 32]).id();
    assert_eq!(folder.load(&task(), &stranger).unwrap().said, []);
}

#[test]
fn a_folder_is_of_one_peer_and_of_one_swarm() {
    let (_place, folder) = with(&[]);
    let path = folder.path().to_owned();
    assert!(is_in_use(&path).unwrap());
    let again = Folder::open(&path, &task());
    assert!(matches!(again, Err(DiskError::InUse { .. })));
    let seed = folder.key_seed(|| SEED).unwrap();
    assert_eq!(folder.key_seed(|| [9; 32]).unwrap(), seed);
    drop(folder);
    assert!(!is_in_use(&path).unwrap());
    let other = String::from_utf8(TABLE.to_vec()).unwrap();
    let other = other.replace("table11:", "other11:");
    let other = ValidatedTaskFile::decode(other.as_bytes()).unwrap();
    let opened = Folder::open(&path, &other);
    assert!(matches!(opened, Err(DiskError::OtherTask { .. })));
    assert!(Folder::open(&path, &task()).is_ok());
}

#[test]
fn pieces_become_their_file_in_order_and_once() {
    let (_place, folder) = with(&[b"zero ", b"one ", b"two"]);
    let roots = [&b"zero "[..], b"one ", b"two"].map(chunk_root);
    let output = folder.merge(&task(), &roots).unwrap();
    assert_eq!(fs::read(output.join("table.txt")).unwrap(), b"zero one two");
    assert!(is_merged(folder.path()) && !folder.path().join("output.part").exists());
    // What is there is left alone, and what is not whole is made again.
    let written = || fs::metadata(output.join("table.txt")).unwrap().modified();
    let before = written().unwrap();
    folder.merge(&task(), &roots).unwrap();
    assert_eq!(written().unwrap(), before);
    fs::write(output.join("table.txt"), b"zero").unwrap();
    folder.merge(&task(), &roots).unwrap();
    assert_eq!(fs::read(output.join("table.txt")).unwrap(), b"zero one two");
}

#[test]
fn a_disk_without_room_is_told_before_anything_is_begun() {
    let (_place, folder) = with(&[]);
    folder.has_room(1, 0).unwrap();
    let full = folder.has_room(u64::MAX, 0);
    assert!(matches!(full, Err(DiskError::NoRoom { .. })));
    folder.has_room(u64::MAX, u64::MAX).unwrap();
}
