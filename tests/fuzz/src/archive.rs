//! Archives of folders, which whoever restores one reads: the seal says who made it, and that may be
//! anybody.

use crate::{Decoder, memory, oracle};
use quern_shards::archive::{
    ArchiveFacts, ArchivePath, CONTENT_STRETCH_BYTES, Changed, DecodeError, Decoder as Reader,
    Encoder, Entry, EntryKind, MODE_MAX, PATH_BYTES_MAX, PATH_PART_BYTES_MAX, PATH_PARTS_MAX,
    check,
};
use sha2::{Digest as _, Sha256};
use std::{
    io::{self, Read},
    path::{Component, PathBuf},
    sync::LazyLock,
};

pub(crate) const DECODERS: &[Decoder] = &[
    Decoder {
        name: "archive",
        check: archive,
        seeds: || HONEST.clone(),
    },
    Decoder {
        name: "archive with its sum",
        check: with_its_sum,
        seeds: || HONEST.iter().map(|it| without_sum(it).to_vec()).collect(),
    },
    Decoder {
        name: "altered archive",
        check: altered,
        seeds: || {
            let places = [[0, 0, 9, 0, 1], [1, 1, 30, 0, b'/'], [2, 2, 60, 0, 0]];
            places.map(|it| it.to_vec()).to_vec()
        },
    },
];

const SUM_BYTES: usize = 32;

/// An entry and its content.
type Member = (Entry, Vec<u8>);

fn archive(bytes: &[u8]) {
    let (checked, held) = memory::most(|| check(bytes));
    oracle::held_no_more_than_given(held, bytes);
    let (facts, entries) = match (checked, read_all(bytes)) {
        (Ok(facts), Ok(entries)) => (facts, entries),
        (Err(error), Err(_)) => {
            return assert!(!error.to_string().is_empty(), "refused without a word");
        }
        (checked, read) => unreachable!("{checked:?}, but read as {read:?}"),
    };
    assert_eq!(facts, facts_of(&entries));
    keeps_limits(&entries);
    stays_in_its_folder(&entries);
    assert_eq!(
        encode(&entries).as_deref(),
        Some(bytes),
        "a second encoding"
    );
    oracle::one_encoding(bytes, |other| check(other).is_ok());
    // However the bytes come, the same is read.
    let trickled = read_all(Trickle(bytes));
    assert_eq!(trickled.ok(), Some(entries));
}

/// Bytes of whoever knows how the sum at the end is made.
fn with_its_sum(bytes: &[u8]) {
    let sum = Sha256::digest(bytes);
    archive(&[bytes, &sum[..]].concat());
}

/// An honest archive with a byte changed, added or taken away, and summed anew: which one, what is done,
/// where, and the byte. It is refused, or has other entries.
fn altered(bytes: &[u8]) {
    let [which, change, low, high, byte] = bytes else {
        return;
    };
    let Some(honest) = HONEST.get(usize::from(*which) % HONEST.len().max(1)) else {
        return;
    };
    let mut altered = without_sum(honest).to_vec();
    let place = usize::from(u16::from_le_bytes([*low, *high])) % altered.len().max(1);
    let (end, put) = match change % 3 {
        0 => (place + 1, Some(*byte)),
        1 => (place, Some(*byte)),
        _ => (place + 1, None),
    };
    altered.splice(place..end, put);
    with_its_sum(&altered);
    let is_same = altered == without_sum(honest);
    // Without a new sum nothing is read that is not what was made.
    let (_, sum) = honest.split_at(honest.len() - SUM_BYTES);
    assert_eq!(check(&[&altered[..], sum].concat()[..]).is_ok(), is_same);
}

fn without_sum(archive: &[u8]) -> &[u8] {
    let (bytes, _) = archive.split_at(archive.len().saturating_sub(SUM_BYTES));
    bytes
}

fn read_all(archive: impl Read) -> Result<Vec<Member>, DecodeError> {
    let mut reader = Reader::new(archive)?;
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let mut content = Vec::new();
        while let Some(stretch) = reader.next_content()? {
            assert!((1..=CONTENT_STRETCH_BYTES).contains(&stretch.len()));
            content.extend_from_slice(stretch);
        }
        entries.push((entry, content));
    }
    assert!(matches!(reader.next_entry(), Ok(None)), "the end is no end");
    Ok(entries)
}

fn encode(entries: &[Member]) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(Vec::new()).ok()?;
    for (entry, content) in entries {
        encoder.add(entry, &content[..]).ok()?;
    }
    encoder.finish().ok()
}

fn facts_of(entries: &[Member]) -> ArchiveFacts {
    ArchiveFacts {
        entries: entries.len() as u64,
        content_bytes: entries
            .iter()
            .map(|(_, content)| content.len() as u64)
            .sum(),
    }
}

/// What is said of limits, said once more.
fn keeps_limits(entries: &[Member]) {
    for (entry, content) in entries {
        let parts = entry.path.parts();
        assert!((1..=PATH_PARTS_MAX).contains(&parts.len()));
        assert!(parts.iter().all(|it| it.len() <= PATH_PART_BYTES_MAX));
        assert!(parts.join("/").len() <= PATH_BYTES_MAX);
        assert!(entry.mode <= MODE_MAX && entry.changed.nanoseconds < 1_000_000_000);
        let bytes = match entry.kind {
            EntryKind::Folder => 0,
            EntryKind::File { bytes } => bytes,
        };
        assert_eq!(bytes, content.len() as u64);
    }
}

/// As the system reads the paths: each leads down from where it starts, is there once, and is in a folder
/// that came before.
fn stays_in_its_folder(entries: &[Member]) {
    let paths: Vec<PathBuf> = entries
        .iter()
        .map(|(entry, _)| entry.path.parts().iter().collect())
        .collect();
    for (at, (path, (entry, _))) in paths.iter().zip(entries).enumerate() {
        let components: Vec<_> = path.components().collect();
        assert!(
            components
                .iter()
                .all(|it| matches!(it, Component::Normal(_)))
        );
        assert_eq!(components.len(), entry.path.parts().len(), "{path:?}");
        let (before, _) = paths.split_at(at);
        assert!(!before.contains(path), "{path:?} is there twice");
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let is_in_folder = parent.is_none_or(|parent| {
            let folder = before.iter().position(|it| it == parent);
            folder.is_some_and(|at| entries[at].0.kind == EntryKind::Folder)
        });
        assert!(is_in_folder, "{path:?} is in no folder");
    }
}

/// Gives a byte at a time.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = out.len().min(1);
        let (out, _) = out.split_at_mut(length);
        self.0.read(out)
    }
}

/// A folder with nothing in it, one with all that there is, and a single file.
static HONEST: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let all = [
        entry(&["a"], EntryKind::Folder, 0o755),
        entry(&["a", "b"], EntryKind::File { bytes: 5 }, 0o644),
        entry(&["a", "empty"], EntryKind::Folder, 0o700),
        entry(&["a", "run"], EntryKind::File { bytes: 0 }, 0o777),
        entry(&["ä b"], EntryKind::File { bytes: 40 }, 0),
    ];
    let alone = entry(&["file"], EntryKind::File { bytes: 3 }, 0o600);
    let lists = [all.to_vec(), vec![], vec![alone]];
    lists
        .iter()
        .filter_map(|entries| encode(&entries.iter().flatten().cloned().collect::<Vec<_>>()))
        .collect()
});

fn entry(parts: &[&str], kind: EntryKind, mode: u16) -> Option<Member> {
    let bytes = match kind {
        EntryKind::Folder => 0,
        EntryKind::File { bytes } => bytes,
    };
    let entry = Entry {
        path: ArchivePath::of(parts).ok()?,
        kind,
        mode,
        changed: Changed {
            seconds: -1,
            nanoseconds: 999_999_999,
        },
    };
    Some((entry, (0..bytes).map(|at| at as u8).collect()))
}
