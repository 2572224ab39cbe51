//! What is read of an input, by however many threads, and what of one that changes.

#![allow(clippy::unwrap_used)]

use super::*;
use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write as _,
    sync::atomic::AtomicUsize,
    time::SystemTime,
};
use tempfile::TempDir;

/// A file that was last written long ago, so that whatever writes to it now gives it another time.
fn old_file(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    path
}

fn cut(path: &Path, split: Split, shard_bytes: u32) -> CutInput {
    let input = Input::File {
        path: path.to_owned(),
        split,
        shard_bytes,
    };
    CutInput::of(&input).unwrap()
}

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

fn read_all(mut shard: ShardReader<'_>) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    shard.read_to_end(&mut bytes).unwrap();
    Ok(bytes)
}

fn shards(input: &CutInput, count: usize) -> Vec<Vec<u8>> {
    let mut found = BTreeMap::new();
    let work = |_, shard: ShardReader<'_>| read_all(shard);
    input
        .each_shard(threads(count), work, |index, bytes| {
            assert!(found.insert(index, bytes).is_none(), "a shard comes once");
        })
        .unwrap();
    assert!(found.keys().copied().eq(0..input.plan().count()));
    found.into_values().collect()
}

#[test]
fn any_number_of_threads_reads_the_same_shards() {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..100_000u32).map(|at| (at / 97 % 251) as u8).collect();
    let path = old_file(&folder, "input", &bytes);
    let parts: Vec<PathBuf> = bytes
        .chunks(7_000)
        .enumerate()
        .map(|(index, part)| old_file(&folder, &format!("part-{index}"), part))
        .collect();
    for count in [1, 2, 5, 40] {
        let whole = shards(&cut(&path, Split::Bytes, 7_000), count);
        assert!(whole.iter().eq(bytes.chunks(7_000)), "{count} threads");
        let prepared = CutInput::of(&Input::Prepared(parts.clone())).unwrap();
        assert_eq!(shards(&prepared, count), whole, "{count} threads");
        let lines = shards(&cut(&path, Split::Lines, 30_000), count);
        assert_eq!(lines.concat(), bytes);
        let (_, but_last) = lines.split_last().unwrap();
        assert!(but_last.iter().all(|lines| lines.ends_with(b"\n")));
    }
}

/// What comes of an input that is changed by `change` when the shard with this index is about to be read.
fn changed_at(at: TaskIndex, count: usize, change: impl Fn(&Path) + Sync) -> InputError {
    let folder = tempfile::tempdir().unwrap();
    let path = old_file(&folder, "input", &[7; 10_000]);
    let input = cut(&path, Split::Bytes, 1_000);
    let refused = input.each_shard(
        threads(count),
        |index, shard| {
            if index == at {
                change(&path);
            }
            read_all(shard)
        },
        |_, _| {},
    );
    refused.unwrap_err()
}

#[test]
fn an_input_that_changes_while_it_is_read_is_noticed() {
    let put = |path: &Path, bytes: &[u8]| {
        let mut file = OpenOptions::new().write(true).open(path).unwrap();
        file.write_all(bytes).unwrap();
    };
    let resize = |path: &Path, bytes: u64| {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(bytes).unwrap();
    };
    // In place, at a part that was read already or never will be; longer; shorter, before or behind what
    // is read.
    for at in [0, 4, 9] {
        for count in [1, 3] {
            let refusals = [
                changed_at(at, count, |path| put(path, b"!")),
                changed_at(at, count, |path| resize(path, 10_001)),
                changed_at(at, count, |path| resize(path, 9_999)),
                changed_at(at, count, |path| resize(path, 0)),
            ];
            for refused in refusals {
                assert!(
                    matches!(&refused, InputError::Changed { path } if path.ends_with("input")),
                    "{refused}"
                );
            }
        }
    }
}

#[test]
fn what_a_change_does_to_the_work_is_told_as_the_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = old_file(&folder, "input", &[7; 100]);
    let refused = cut(&path, Split::None, 1).each_shard(
        threads(1),
        |_, shard| {
            fs::write(shard.path(), b"less").unwrap();
            let source = io::ErrorKind::UnexpectedEof.into();
            Err::<(), _>(InputError::Read {
                path: shard.path().to_owned(),
                source,
            })
        },
        |_, ()| {},
    );
    assert!(matches!(refused, Err(InputError::Changed { .. })));
}

#[test]
fn a_prepared_file_that_changes_before_its_turn_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = ["a", "b", "c"]
        .map(|name| old_file(&folder, name, name.as_bytes()))
        .to_vec();
    let input = CutInput::of(&Input::Prepared(paths.clone())).unwrap();
    let work = |_, shard: ShardReader<'_>| read_all(shard);
    fs::write(&paths[1], b"x").unwrap();
    let refused = input.each_shard(threads(2), work, |_, _| {});
    assert!(matches!(refused, Err(InputError::Changed { path }) if path == paths[1]));
    fs::remove_file(&paths[1]).unwrap();
    let refused = input.each_shard(threads(2), work, |_, _| {});
    assert!(matches!(refused, Err(InputError::Read { path, .. }) if path == paths[1]));
}

#[test]
fn where_a_file_ends_with_its_shard_it_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = old_file(&folder, "input", &[7; 25]);
    let input = cut(&path, Split::Bytes, 10);
    let lengths = std::sync::Mutex::new(BTreeMap::new());
    let refused = input.each_shard(
        threads(1),
        |index, shard| {
            if index == 0 {
                fs::write(&path, [7; 30]).unwrap();
            }
            let read = read_all(shard)?.len();
            lengths.lock().unwrap().insert(index, read);
            Ok::<_, InputError>(())
        },
        |_, ()| {},
    );
    assert!(matches!(refused, Err(InputError::Changed { .. })));
    let (file, left) = (InputFile::open(&path).unwrap(), [10, u64::MAX]);
    let read = left.map(|left| {
        let (bytes, at) = (10, 15);
        let reader = ShardReader {
            file: &file,
            bytes,
            at,
            left,
        };
        read_all(reader).unwrap().len()
    });
    assert_eq!(read, [10, 15]);
    assert_eq!(lengths.into_inner().unwrap(), BTreeMap::from([(0, 10)]));
}

#[test]
fn after_an_error_no_further_shard_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    let path = old_file(&folder, "input", &[7; 2_000]);
    let begun = AtomicUsize::new(0);
    let refused = cut(&path, Split::Bytes, 1).each_shard(
        threads(3),
        |index, shard| {
            begun.fetch_add(1, Ordering::Relaxed);
            match index {
                5 => Err(InputError::Changed {
                    path: shard.path().to_owned(),
                }),
                _ => Ok(()),
            }
        },
        |_, ()| {},
    );
    assert!(matches!(refused, Err(InputError::Changed { .. })));
    let begun = begun.into_inner();
    assert!((6..1_000).contains(&begun), "{begun}");
}

#[test]
fn what_is_no_file_or_is_empty_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let empty = old_file(&folder, "empty", b"");
    let of = |path: &Path| {
        let path = path.to_owned();
        CutInput::of(&Input::File {
            path,
            split: Split::Bytes,
            shard_bytes: 10,
        })
    };
    for path in [folder.path(), &missing] {
        let refused = [of(path), CutInput::of(&Input::Prepared(vec![path.into()]))];
        for refused in refused {
            assert!(matches!(refused, Err(InputError::Read { path: named, .. }) if named == path));
        }
    }
    let refused = of(&empty);
    assert!(matches!(refused, Err(InputError::Cut(CutError::Empty))));
    // A shard that needs nothing but its arguments is empty.
    let prepared = CutInput::of(&Input::Prepared(vec![empty])).unwrap();
    assert_eq!(shards(&prepared, 2), [b""]);
}
