#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::testing::patterned;
use codec::Encode;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
};

fn path(text: &str) -> ArchivePath {
    ArchivePath::of(&text.split('/').collect::<Vec<_>>()).unwrap()
}

fn entry(text: &str, kind: EntryKind) -> Entry {
    Entry {
        path: path(text),
        kind,
        mode: 0o640,
        changed: Changed {
            seconds: 1_700_000_000,
            nanoseconds: 999_999_999,
        },
    }
}

fn folder(text: &str) -> Entry {
    entry(text, EntryKind::Folder)
}

fn file(text: &str, bytes: usize) -> Entry {
    let bytes = bytes as u64;
    entry(text, EntryKind::File { bytes })
}

fn encoded(entries: &[(Entry, Vec<u8>)]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new()).unwrap();
    for (entry, content) in entries {
        encoder.add(entry, &content[..]).unwrap();
    }
    encoder.finish().unwrap()
}

fn decoded(archive: impl Read) -> Result<Vec<(Entry, Vec<u8>)>, DecodeError> {
    let mut decoder = Decoder::new(archive)?;
    let mut all = Vec::new();
    while let Some(entry) = decoder.next_entry()? {
        let mut content = Vec::new();
        while let Some(stretch) = decoder.next_content()? {
            content.extend_from_slice(stretch);
        }
        all.push((entry, content));
    }
    Ok(all)
}

/// The fields of an entry with nothing checked, and its content.
struct Raw {
    kind: u8,
    path: Vec<Vec<u8>>,
    mode: u16,
    nanoseconds: u32,
    bytes: u64,
    content: Vec<u8>,
}

impl Raw {
    fn of(kind: u8, path: &str) -> Self {
        Self {
            kind,
            path: path.split('/').map(|part| part.into()).collect(),
            mode: 0,
            nanoseconds: 0,
            bytes: 0,
            content: Vec::new(),
        }
    }

    fn fields(&self) -> Vec<u8> {
        let seconds = 0i64;
        (
            self.kind,
            &self.path,
            self.mode,
            seconds,
            self.nanoseconds,
            self.bytes,
        )
            .encode()
    }
}

/// An archive of these fields with the sum that belongs to it.
fn by_hand(entries: &[Raw]) -> Vec<u8> {
    let mut archive = b"QRNA\x01".to_vec();
    for entry in entries {
        let fields = entry.fields();
        archive.extend((fields.len() as u32).to_le_bytes());
        archive.extend(fields);
        archive.extend(&entry.content);
    }
    archive.extend([0; 4]);
    with_sum(archive)
}

fn with_sum(mut archive: Vec<u8>) -> Vec<u8> {
    let sum = Sha256::digest(&archive);
    archive.extend(sum);
    archive
}

fn refusal(entries: &[Raw]) -> DecodeError {
    check(&by_hand(entries)[..]).unwrap_err()
}

fn path_refusal(parts: &[&[u8]]) -> PathFault {
    let path: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
    let raw = Raw {
        path,
        ..Raw::of(1, "")
    };
    // What packs refuses it in the same words as what restores.
    let fault = ArchivePath::of(parts).unwrap_err();
    match refusal(&[raw]) {
        DecodeError::Path { source } => assert_eq!(source, fault),
        other => panic!("{other:?}"),
    }
    fault
}

/// What is wrong with the order of these entries, of which a file's name ends with `.`; told by what
/// packs and by what restores.
fn order_refusal(paths: &[&str]) -> OrderFault {
    let kind = |path: &str| u8::from(path.ends_with('.'));
    let raw: Vec<_> = paths.iter().map(|path| Raw::of(kind(path), path)).collect();
    let mut encoder = Encoder::new(io::sink()).unwrap();
    let packed = paths.iter().try_for_each(|path| {
        let entry = match kind(path) {
            0 => folder(path),
            _ => file(path, 0),
        };
        encoder.add(&entry, io::empty())
    });
    match (packed, refusal(&raw)) {
        (
            Err(EncodeError::Order { path, source }),
            DecodeError::Order {
                path: decoded,
                source: fault,
            },
        ) => {
            assert_eq!((path, source), (decoded, fault));
            source
        }
        other => panic!("{other:?}"),
    }
}

/// Folders and files of a few names that are easily confused, sorted and with all parents.
fn trees() -> impl Strategy<Value = Vec<(Entry, Vec<u8>)>> {
    let name = prop::sample::select(vec![
        "a", "a-", "a.b", "B", "b", "äß", "...", " ", "\u{202e}",
    ]);
    let content = prop_oneof![
        4 => prop::option::of(0usize..300),
        1 => prop::sample::select(vec![
            CONTENT_STRETCH_BYTES - 1, CONTENT_STRETCH_BYTES, CONTENT_STRETCH_BYTES + 1,
        ]).prop_map(Some),
    ];
    let fields = (any::<i64>(), 0..NANOSECONDS_PER_SECOND, 0..=MODE_MAX);
    let leaf = (prop::collection::vec(name, 1..5), content, fields);
    prop::collection::vec(leaf, 0..12).prop_map(|leaves| {
        let mut tree = BTreeMap::new();
        for (parts, content, (seconds, nanoseconds, mode)) in leaves {
            for depth in 1..parts.len() {
                // What something is in is a folder, whatever it was before.
                let above = ArchivePath::of(&parts[..depth]).unwrap();
                let entry = folder(&above.parts().join("/"));
                tree.insert(above, (entry, Vec::new()));
            }
            let path = ArchivePath::of(&parts).unwrap();
            let bytes = content.unwrap_or_default();
            let kind = content.map_or(EntryKind::Folder, |bytes| EntryKind::File {
                bytes: bytes as u64,
            });
            let changed = Changed {
                seconds,
                nanoseconds,
            };
            let entry = Entry {
                path: path.clone(),
                kind,
                mode,
                changed,
            };
            tree.entry(path).or_insert((entry, patterned(bytes)));
        }
        tree.into_values().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_was_packed_is_restored_the_same(tree in trees()) {
        let archive = encoded(&tree);
        let facts = ArchiveFacts {
            entries: tree.len() as u64,
            content_bytes: tree.iter().map(|(_, content)| content.len() as u64).sum(),
        };
        prop_assert_eq!(check(&archive[..]).unwrap(), facts);
        let restored = decoded(&archive[..]).unwrap();
        prop_assert!(restored == tree, "{restored:?}");
    }

    #[test]
    fn any_altered_bit_of_an_archive_is_noticed(
        tree in trees(), place: prop::sample::Index, bit in 0..8u8,
    ) {
        let mut archive = encoded(&tree);
        let place = place.index(archive.len());
        archive[place] ^= 1 << bit;
        prop_assert!(check(&archive[..]).is_err());
        prop_assert!(decoded(&archive[..]).is_err());
    }

    #[test]
    fn any_truncation_of_an_archive_is_noticed(tree in trees(), end: prop::sample::Index) {
        let archive = encoded(&tree);
        let end = end.index(archive.len());
        let refused = check(&archive[..end]);
        let named = matches!(
            refused, Err(DecodeError::Truncated { found_bytes }) if found_bytes == end as u64
        );
        prop_assert!(named, "{refused:?}");
    }

    #[test]
    fn what_a_stranger_alters_and_sums_anew_is_refused_or_has_one_encoding(
        tree in trees(), alterations in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<u8>()), 1..4,
        ),
    ) {
        let mut archive = encoded(&tree);
        archive.truncate(archive.len() - SUM_BYTES);
        for (place, byte) in alterations {
            let place = place.index(archive.len());
            archive[place] = byte;
        }
        let archive = with_sum(archive);
        if let Ok(tree) = decoded(&archive[..]) {
            prop_assert!(encoded(&tree) == archive, "two encodings of {tree:?}");
        }
    }

    #[test]
    fn any_bytes_are_refused_or_have_one_encoding(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let archive = with_sum([&b"QRNA\x01"[..], &bytes].concat());
        for bytes in [&bytes, &archive] {
            if let Ok(tree) = decoded(&bytes[..]) {
                prop_assert!(encoded(&tree) == *bytes, "two encodings of {tree:?}");
            }
        }
    }
}

#[test]
fn an_empty_folder_is_an_archive_without_entries() {
    let archive = encoded(&[]);
    assert_eq!(archive.len(), HEADER_BYTES + 4 + SUM_BYTES);
    assert_eq!(check(&archive[..]).unwrap(), ArchiveFacts::default());
}

#[test]
fn a_path_that_leaves_the_folder_is_refused() {
    assert_eq!(path_refusal(&[b".."]), PathFault::Escapes);
    assert_eq!(path_refusal(&[b"a", b"..", b"b"]), PathFault::Escapes);
    assert_eq!(path_refusal(&[b"a", b"."]), PathFault::Escapes);
    assert_eq!(path_refusal(&[b"", b"etc"]), PathFault::PartEmpty);
    assert_eq!(path_refusal(&[b"/etc"]), PathFault::Separator);
    assert_eq!(path_refusal(&[b"../a"]), PathFault::Separator);
    assert_eq!(path_refusal(&[b"..\\a"]), PathFault::Separator);
    assert_eq!(path_refusal(&[b"a\0"]), PathFault::Separator);
    assert_eq!(path_refusal(&[b"\xff"]), PathFault::NotUtf8);
    assert_eq!(path_refusal(&[]), PathFault::Empty);
    // Three dots are a name as any other.
    assert_eq!(path("...").parts(), ["..."]);
}

#[test]
fn a_path_over_its_limits_is_refused() {
    let part = [b'a'; PATH_PART_BYTES_MAX + 1];
    let bytes = part.len();
    assert_eq!(path_refusal(&[&part]), PathFault::PartTooLong { bytes });
    let parts = PATH_PARTS_MAX + 1;
    assert_eq!(
        path_refusal(&vec![&b"a"[..]; parts]),
        PathFault::TooDeep { parts }
    );
    // Sixteen parts of 255 bytes are as long as a path may be, less one byte.
    let longest = [&part[1..]; 16];
    assert_eq!(ArchivePath::of(&longest[..]).unwrap().parts().len(), 16);
    let over = [&longest[..], &[b"a"]].concat();
    let bytes = PATH_BYTES_MAX + 1;
    assert_eq!(path_refusal(&over), PathFault::TooLong { bytes });
}

#[test]
fn paths_at_their_limits_are_packed_and_restored() {
    let deepest = vec!["a"; PATH_PARTS_MAX];
    let long = "ä".repeat(127) + "b";
    let longest = vec![long.as_str(); 16];
    // 64 parts of 63 bytes and with those between them one less than a path may have.
    let part = "c".repeat(63);
    let widest = vec![part.as_str(); PATH_PARTS_MAX];
    for parts in [deepest, longest, widest] {
        let entries: Vec<_> = (1..=parts.len())
            .map(|depth| (folder(&parts[..depth].join("/")), Vec::new()))
            .collect();
        assert_eq!(decoded(&encoded(&entries)[..]).unwrap(), entries);
    }
}

#[test]
fn what_is_neither_folder_nor_file_is_refused() {
    for kind in [2, 3, 255] {
        let refused = refusal(&[Raw::of(kind, "link")]);
        assert!(matches!(refused, DecodeError::UnknownKind { found } if found == kind));
    }
    let raw = Raw {
        bytes: 1,
        content: vec![0],
        ..Raw::of(0, "a")
    };
    assert!(matches!(
        refusal(&[raw]),
        DecodeError::FolderWithContent { found: 1, .. }
    ));
}

#[test]
fn paths_twice_or_out_of_order_are_refused() {
    assert_eq!(order_refusal(&["a", "a"]), OrderFault::Duplicate);
    assert_eq!(order_refusal(&["a.", "a."]), OrderFault::Duplicate);
    assert_eq!(order_refusal(&["b", "a"]), OrderFault::Unsorted);
    assert_eq!(order_refusal(&["a", "b", "a"]), OrderFault::Unsorted);
    assert_eq!(order_refusal(&["a", "a/b", "a"]), OrderFault::Unsorted);
    // By parts: what is in `a` is before `a-`, though `-` is before `/`.
    assert_eq!(order_refusal(&["a", "a-", "a/b"]), OrderFault::Unsorted);
    let by_parts = ["a", "a/b", "a-"].map(|path| (folder(path), Vec::new()));
    assert!(check(&encoded(&by_parts)[..]).is_ok());
}

#[test]
fn what_is_in_a_file_or_in_no_folder_is_refused() {
    assert_eq!(order_refusal(&["a.", "a./b"]), OrderFault::ParentNotFolder);
    assert_eq!(
        order_refusal(&["a", "a/b.", "a/b./c"]),
        OrderFault::ParentNotFolder
    );
    assert_eq!(order_refusal(&["a/b"]), OrderFault::ParentMissing);
    assert_eq!(order_refusal(&["a", "b/c"]), OrderFault::ParentMissing);
    assert_eq!(order_refusal(&["a", "a/b/c"]), OrderFault::ParentMissing);
    assert_eq!(order_refusal(&["a.", "a./b/c"]), OrderFault::ParentMissing);
    // A folder whose name begins like another's is not in it.
    assert_eq!(order_refusal(&["a", "ab/c"]), OrderFault::ParentMissing);
}

#[test]
fn a_mode_or_time_that_is_none_is_neither_packed_nor_restored() {
    let mode = Raw {
        mode: MODE_MAX + 1,
        ..Raw::of(1, "a")
    };
    assert!(matches!(
        refusal(&[mode]),
        DecodeError::Entry {
            source: EntryFault::Mode { found: 0o1000 },
            ..
        }
    ));
    let time = Raw {
        nanoseconds: NANOSECONDS_PER_SECOND,
        ..Raw::of(1, "a")
    };
    assert!(matches!(
        refusal(&[time]),
        DecodeError::Entry {
            source: EntryFault::Nanoseconds {
                found: 1_000_000_000
            },
            ..
        }
    ));
    let set_user = Entry {
        mode: 0o4755,
        ..file("a", 0)
    };
    let mut encoder = Encoder::new(io::sink()).unwrap();
    assert!(matches!(
        encoder.add(&set_user, io::empty()),
        Err(EncodeError::Entry {
            source: EntryFault::Mode { found: 0o4755 },
            ..
        })
    ));
}

#[test]
fn what_is_no_archive_or_of_another_version_is_named() {
    let refused = |bytes: &[u8]| check(bytes).unwrap_err();
    assert!(matches!(refused(b"QRNS\x01"), DecodeError::NotArchive));
    assert!(matches!(
        refused(b"QRNA\x02"),
        DecodeError::UnknownVersion { found: 2 }
    ));
    assert!(matches!(
        refused(b""),
        DecodeError::Truncated { found_bytes: 0 }
    ));
}

#[test]
fn a_wrong_sum_or_bytes_behind_the_end_are_named() {
    let mut archive = encoded(&[(folder("a"), Vec::new())]);
    archive.push(0);
    assert!(matches!(
        check(&archive[..]),
        Err(DecodeError::TrailingBytes)
    ));
    archive.pop();
    *archive.last_mut().unwrap() ^= 1;
    assert!(matches!(check(&archive[..]), Err(DecodeError::OtherSum)));
    // All entries are given before; only the end tells.
    let mut decoder = Decoder::new(&archive[..]).unwrap();
    assert!(decoder.next_entry().unwrap().is_some());
    assert!(matches!(decoder.next_entry(), Err(DecodeError::OtherSum)));
    assert!(matches!(
        decoder.next_entry(),
        Err(DecodeError::FailedBefore)
    ));
    assert!(matches!(
        decoder.next_content(),
        Err(DecodeError::FailedBefore)
    ));
}

#[test]
fn an_entrys_length_is_not_believed() {
    let begin = |length: u32| [&b"QRNA\x01"[..], &length.to_le_bytes()].concat();
    for found in [ENTRY_BYTES_MAX as u32 + 1, u32::MAX] {
        let refused = check(&begin(found)[..]);
        assert!(matches!(refused, Err(DecodeError::EntryTooLong { found: it }) if it == found));
    }
    assert!(matches!(
        check(&begin(ENTRY_BYTES_MAX as u32)[..]),
        Err(DecodeError::Truncated { found_bytes: 9 })
    ));
    // One byte more or less than the fields have.
    let fields = Raw::of(1, "a").fields();
    for fields in [&fields[..fields.len() - 1], &[&fields[..], &[0]].concat()] {
        let begin = begin(fields.len() as u32);
        let archive = with_sum([&begin[..], fields, &[0; 4]].concat());
        assert!(matches!(
            check(&archive[..]),
            Err(DecodeError::Malformed { .. })
        ));
    }
    // A file as long as can be said ends where the bytes end.
    let huge = Raw {
        bytes: u64::MAX,
        content: vec![7; 100],
        ..Raw::of(1, "a")
    };
    assert!(matches!(refusal(&[huge]), DecodeError::Truncated { .. }));
}

#[test]
fn a_content_of_another_length_than_its_entry_says_is_not_packed() {
    for (announced, came) in [
        (5, 4),
        (5, 6),
        (0, 1),
        (CONTENT_STRETCH_BYTES, CONTENT_STRETCH_BYTES + 1),
        (CONTENT_STRETCH_BYTES + 1, CONTENT_STRETCH_BYTES),
    ] {
        let mut encoder = Encoder::new(io::sink()).unwrap();
        let refused = encoder.add(&file("a", announced), &patterned(came)[..]);
        let named = matches!(
            refused,
            Err(EncodeError::OtherLength { expected, found, .. })
                if (expected, found) == (announced as u64, came as u64)
        );
        assert!(named, "{announced} announced, {came} came: {refused:?}");
        assert!(matches!(
            encoder.add(&file("b", 0), io::empty()),
            Err(EncodeError::FailedBefore)
        ));
        assert!(matches!(encoder.finish(), Err(EncodeError::FailedBefore)));
    }
    let mut encoder = Encoder::new(io::sink()).unwrap();
    assert!(matches!(
        encoder.add(&folder("a"), &b"x"[..]),
        Err(EncodeError::OtherLength {
            expected: 0,
            found: 1,
            ..
        })
    ));
}

#[test]
fn content_that_nobody_reads_is_checked_all_the_same() {
    let entries = [
        (file("a", 200_000), patterned(200_000)),
        (folder("b"), Vec::new()),
    ];
    let archive = encoded(&entries);
    let mut decoder = Decoder::new(&archive[..]).unwrap();
    assert_eq!(decoder.next_content().unwrap(), None, "before any entry");
    assert_eq!(decoder.next_entry().unwrap().as_ref(), Some(&entries[0].0));
    let first = decoder.next_content().unwrap().unwrap();
    assert_eq!(first, &entries[0].1[..CONTENT_STRETCH_BYTES]);
    assert_eq!(decoder.next_entry().unwrap().as_ref(), Some(&entries[1].0));
    assert_eq!(decoder.next_entry().unwrap(), None);
    assert_eq!(decoder.next_entry().unwrap(), None, "it stays at the end");
    assert_eq!(decoder.next_content().unwrap(), None);
}

#[test]
fn what_the_streams_of_an_archive_say_is_passed_on() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let refused = Encoder::new(Broken).map(drop);
    assert!(matches!(
        refused,
        Err(EncodeError::Write { source }) if source.kind() == io::ErrorKind::StorageFull
    ));
    let mut encoder = Encoder::new(io::sink()).unwrap();
    assert!(matches!(
        encoder.add(&file("a", 9), b"four".chain(Broken)),
        Err(EncodeError::Read { source, .. }) if source.kind() == io::ErrorKind::ConnectionReset
    ));
    let archive = encoded(&[(file("a", 100_000), patterned(100_000))]);
    // Also where only the end of the stream is missing.
    for end in [0, 7, 20, 70_000, archive.len()] {
        assert!(matches!(
            check(archive[..end].chain(Broken)),
            Err(DecodeError::Read { source }) if source.kind() == io::ErrorKind::ConnectionReset
        ));
    }
}

#[test]
fn a_path_is_shown_without_what_would_move_the_text_around_it() {
    assert_eq!(path("a/\u{202e}b\n").to_string(), "a/\\u{202e}b\\n");
}

#[test]
fn how_long_an_archive_is_follows_from_its_entries() {
    assert_eq!(encoded(&[]).len() as u64, EMPTY_ARCHIVE_BYTES);
    let entries = [
        (folder("a"), Vec::new()),
        (file("a/b", 100_000), patterned(100_000)),
        (file("c", 0), Vec::new()),
    ];
    let of_entries = entries.iter().map(|(entry, _)| entry.bytes_in_archive());
    let bytes = EMPTY_ARCHIVE_BYTES + of_entries.sum::<u64>();
    assert_eq!(encoded(&entries).len() as u64, bytes);
    let huge = file("a", usize::MAX);
    assert_eq!(huge.bytes_in_archive(), u64::MAX);
}
