//! Folders on this disk, packed and restored; and archives and folders that are made to do harm.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::{
    pack::{FolderFacts, PackError, Special, SurveyedFolder, open},
    restore::{Existing, RestoreError, restore, restore_up_to},
    within,
};
use codec::Encode as _;
use quern_shards::archive::{DecodeError, EncodeError, PathFault, check};
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use tempfile::{TempDir, tempdir};

/// What a file or folder is: its bytes, if it is a file, its mode, and when it was changed.
type Seen = (Option<Vec<u8>>, u32, (i64, i64));

/// All that is below a folder.
fn seen(root: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let about = fs::symlink_metadata(&path).unwrap();
            assert!(about.is_file() || about.is_dir(), "{path:?}");
            let bytes = about.is_file().then(|| fs::read(&path).unwrap());
            let time = (about.mtime(), about.mtime_nsec());
            let below = path.strip_prefix(root).unwrap().to_owned();
            all.insert(below, (bytes, about.mode() & 0o7777, time));
            if about.is_dir() {
                folders.push(path);
            }
        }
    }
    all
}

fn mark(path: &Path, mode: u32, changed: SystemTime) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    File::open(path).unwrap().set_modified(changed).unwrap();
}

/// A folder with names, modes and times of all kinds, whatever the order in which they are made.
fn tree(backwards: bool) -> TempDir {
    let root = tempdir().unwrap();
    let at = |seconds, nanoseconds| SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
    let before_1970 = SystemTime::UNIX_EPOCH - Duration::new(86_400, 250_000_000);
    let folders = ["a", "a/deep", "a/deep/deeper", "a-b", "empty", "closed"];
    for folder in folders {
        fs::create_dir(root.path().join(folder)).unwrap();
    }
    let mut files = vec![
        (
            "a/first",
            vec![7; 200_000],
            0o640,
            at(1_700_000_000, 123_456_789),
        ),
        ("a/deep/deeper/last", b"x".to_vec(), 0o400, at(1, 0)),
        ("a-b/run", b"#!/bin/sh\n".to_vec(), 0o755, before_1970),
        ("a.b", b"".to_vec(), 0o666, at(2, 999_999_999)),
        ("-ä \u{1f600}\n", b"odd".to_vec(), 0o600, at(3, 1)),
        ("Z", vec![0; 65_536], 0o644, at(4_000_000_000, 0)),
    ];
    if backwards {
        files.reverse();
    }
    for (name, bytes, mode, changed) in files {
        let path = root.path().join(name);
        fs::write(&path, bytes).unwrap();
        mark(&path, mode, changed);
    }
    fs::hard_link(root.path().join("Z"), root.path().join("a/same as Z")).unwrap();
    let modes = [0o711, 0o700, 0o777, 0o750, 0o755, 0o500];
    for (folder, mode) in folders.into_iter().zip(modes).rev() {
        mark(
            &root.path().join(folder),
            mode,
            at(1_000_000_000 + u64::from(mode), 5),
        );
    }
    root
}

fn packed(folder: &Path) -> Vec<u8> {
    let surveyed = SurveyedFolder::survey(folder).unwrap();
    let archive = surveyed.pack_into(Vec::new()).unwrap();
    let facts = check(&archive[..]).unwrap();
    let FolderFacts {
        entries,
        content_bytes,
        archive_bytes,
    } = surveyed.facts();
    assert_eq!(
        (facts.entries, facts.content_bytes),
        (entries, content_bytes)
    );
    assert_eq!(archive_bytes, archive.len() as u64);
    archive
}

#[test]
fn a_folder_is_restored_exactly() {
    let (root, elsewhere) = (tree(false), tempdir().unwrap());
    let archive = packed(root.path());
    let into = elsewhere.path().join("restored");
    let facts = restore(&archive[..], &into, Existing::Kept).unwrap();
    assert_eq!((facts.entries, facts.content_bytes), (13, 331_086));
    let restored = seen(&into);
    assert_eq!(restored, seen(root.path()));
    assert_eq!(restored.len(), 13);
    assert_eq!(fs::metadata(&into).unwrap().mode() & 0o777, 0o700);
    // What was one file under two names is two.
    let inode = |name: &str| fs::metadata(into.join(name)).unwrap().ino();
    assert_ne!(inode("Z"), inode("a/same as Z"));
    // And so it is packed again.
    assert_eq!(packed(&into), archive);
}

#[test]
fn the_same_folder_is_the_same_archive_in_whatever_order_it_was_filled() {
    assert_eq!(packed(tree(false).path()), packed(tree(true).path()));
}

#[test]
fn an_empty_folder_is_packed_and_restored() {
    let (root, into) = (tempdir().unwrap(), tempdir().unwrap());
    let archive = packed(root.path());
    restore(&archive[..], into.path(), Existing::Kept).unwrap();
    assert!(seen(into.path()).is_empty());
}

#[test]
fn links_sockets_pipes_and_devices_are_refused_with_their_path() {
    let refused = |make: &dyn Fn(&Path)| {
        let root = tempdir().unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        fs::write(root.path().join("a/b"), b"a file").unwrap();
        let path = root.path().join("a/special");
        make(&path);
        match SurveyedFolder::survey(root.path()) {
            Err(PackError::Special { path: named, what }) => {
                assert_eq!(named, path);
                what
            }
            other => panic!("{other:?}"),
        }
    };
    let nowhere = |path: &Path| symlink("nowhere", path).unwrap();
    let to_file = |path: &Path| symlink("b", path).unwrap();
    let to_folder = |path: &Path| symlink("/", path).unwrap();
    let socket = |path: &Path| drop(UnixListener::bind(path).unwrap());
    let pipe = |path: &Path| {
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
        rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
    };
    assert_eq!(refused(&nowhere), Special::Link);
    assert_eq!(refused(&to_file), Special::Link);
    assert_eq!(refused(&to_folder), Special::Link);
    assert_eq!(refused(&socket), Special::Socket);
    assert_eq!(refused(&pipe), Special::Pipe);
    let device = open(&File::open("/dev").unwrap(), b"null", "/dev/null".into());
    let Err(PackError::Special { what, .. }) = device.map(drop) else {
        panic!("a device is opened");
    };
    assert_eq!(what, Special::Device);
}

#[test]
fn what_is_packed_may_be_reached_by_a_link_but_is_a_folder() {
    let (root, elsewhere) = (tree(false), tempdir().unwrap());
    let link = elsewhere.path().join("link");
    symlink(root.path(), &link).unwrap();
    assert_eq!(packed(&link), packed(root.path()));
    for path in [root.path().join("Z"), root.path().join("missing")] {
        let refused = SurveyedFolder::survey(&path);
        assert!(matches!(refused, Err(PackError::Read { path: named, .. }) if named == path));
    }
}

#[test]
fn names_that_no_archive_has_are_refused_with_their_path() {
    use std::os::unix::ffi::OsStrExt as _;
    let refused = |parts: &[&[u8]]| {
        let root = tempdir().unwrap();
        let (name, folders) = parts.split_last().unwrap();
        let name = std::ffi::OsStr::from_bytes(name);
        let folder = within(root.path(), folders);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), b"").unwrap();
        match SurveyedFolder::survey(root.path()) {
            Err(PackError::Path { path, source }) => {
                assert!(folder.join(name).starts_with(path));
                source
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&[b"a", b"\xff"]), PathFault::NotUtf8);
    assert_eq!(refused(&[b"a\\b"]), PathFault::Separator);
    assert_eq!(refused(&[&b"d"[..]; 65]), PathFault::TooDeep { parts: 65 });
}

/// A destination that does something while the content of `a/first` is written.
struct Meanwhile<F: FnMut()>(Option<F>);

impl<F: FnMut()> Write for Meanwhile<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > 1_000
            && bytes[0] == 7
            && let Some(mut act) = self.0.take()
        {
            act();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_changes_while_it_is_packed_is_named() {
    type Change = fn(&Path);
    let changes: [(Change, &str); 5] = [
        // The file that is read, and keeps its length; grows; shrinks.
        (
            |root| fs::write(root.join("a/first"), [8; 200_000]).unwrap(),
            "a/first",
        ),
        (
            |root| fs::write(root.join("a/first"), [8; 200_001]).unwrap(),
            "a/first",
        ),
        (
            |root| fs::write(root.join("a/first"), b"").unwrap(),
            "a/first",
        ),
        // Another one in a folder that is walked, and what was seen before and comes yet.
        (|root| fs::write(root.join("a/new"), b"").unwrap(), "a"),
        (|root| fs::write(root.join("a.b"), b"longer").unwrap(), ""),
    ];
    for (change, named) in changes {
        let root = tree(false);
        let surveyed = SurveyedFolder::survey(root.path()).unwrap();
        let sink = Meanwhile(Some(|| change(root.path())));
        let refused = surveyed.pack_into(sink).map(drop);
        let expected = root.path().join(named);
        assert!(
            matches!(&refused, Err(PackError::Changed { path }) if *path == expected),
            "{named}: {refused:?}"
        );
    }
}

#[test]
fn what_changed_since_the_survey_is_not_packed() {
    let root = tree(false);
    let surveyed = SurveyedFolder::survey(root.path()).unwrap();
    fs::write(root.path().join("more"), b"more").unwrap();
    let refused = surveyed.pack_into(io::sink()).map(drop);
    assert!(matches!(refused, Err(PackError::Changed { path }) if path == root.path()));
    symlink("more", root.path().join("planted")).unwrap();
    let refused = surveyed.pack_into(io::sink()).map(drop);
    assert!(matches!(refused, Err(PackError::Special { .. })));
}

#[test]
fn what_the_destination_says_is_passed_on() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let root = tree(false);
    let surveyed = SurveyedFolder::survey(root.path()).unwrap();
    let refused = surveyed.pack_into(Full).map(drop);
    assert!(matches!(
        refused,
        Err(PackError::Encode(EncodeError::Write { source }))
            if source.kind() == io::ErrorKind::StorageFull
    ));
}

#[test]
fn more_files_and_folders_than_are_allowed_are_neither_packed_nor_restored() {
    let (root, into) = (tree(false), tempdir().unwrap());
    let archive = packed(root.path());
    assert!(SurveyedFolder::survey_up_to(13, root.path()).is_ok());
    let refused = SurveyedFolder::survey_up_to(12, root.path());
    assert!(matches!(refused, Err(PackError::TooMany { max: 12 })));
    let refused = restore_up_to(12, &archive[..], into.path(), Existing::Kept);
    assert!(matches!(refused, Err(RestoreError::TooMany { max: 12 })));
    restore_up_to(13, &archive[..], into.path(), Existing::Replaced).unwrap();
    assert_eq!(seen(into.path()), seen(root.path()));
}

#[test]
fn nothing_that_exists_is_overwritten_unless_told() {
    let (root, into) = (tree(false), tempdir().unwrap());
    let archive = packed(root.path());
    let mine = into.path().join("Z");
    fs::write(&mine, b"mine").unwrap();
    let refused = restore(&archive[..], into.path(), Existing::Kept);
    assert!(matches!(refused, Err(RestoreError::AlreadyThere { path }) if path == mine));
    assert_eq!(fs::read(&mine).unwrap(), b"mine");
    fs::remove_file(&mine).unwrap();
    // A folder, and a link, are there as well.
    let refused = restore(&archive[..], into.path(), Existing::Kept);
    assert!(matches!(refused, Err(RestoreError::AlreadyThere { .. })));
    let elsewhere = tempdir().unwrap();
    symlink(elsewhere.path(), elsewhere.path().join("a")).unwrap();
    let refused = restore(&archive[..], elsewhere.path(), Existing::Kept);
    assert!(matches!(refused, Err(RestoreError::AlreadyThere { .. })));

    // When told, folders are gone into and files replaced; what else is there stays.
    fs::create_dir(into.path().join("a-b")).unwrap();
    fs::write(into.path().join("a-b/mine"), b"mine").unwrap();
    fs::write(&mine, b"mine").unwrap();
    restore(&archive[..], into.path(), Existing::Replaced).unwrap();
    restore(&archive[..], into.path(), Existing::Replaced).unwrap();
    let mut restored = seen(into.path());
    let (bytes, ..) = restored.remove(Path::new("a-b/mine")).unwrap();
    assert_eq!(bytes.unwrap(), b"mine");
    assert_eq!(restored, seen(root.path()));
}

#[test]
fn a_folder_gives_way_to_no_file_and_what_is_none_to_no_folder() {
    let (root, into) = (tree(false), tempdir().unwrap());
    let archive = packed(root.path());
    fs::create_dir(into.path().join("Z")).unwrap();
    let refused = restore(&archive[..], into.path(), Existing::Replaced);
    assert!(matches!(refused, Err(RestoreError::IsFolder { path }) if path.ends_with("Z")));
    let into = tempdir().unwrap();
    fs::write(into.path().join("empty"), b"").unwrap();
    let refused = restore(&archive[..], into.path(), Existing::Replaced);
    assert!(matches!(refused, Err(RestoreError::NotFolder { path }) if path.ends_with("empty")));
    let refused = restore(&archive[..], &into.path().join("empty"), Existing::Replaced);
    assert!(matches!(refused, Err(RestoreError::NotFolder { path }) if path.ends_with("empty")));
}

/// An entry as whoever means harm writes it: kind, parts of the path, content.
type Raw<'a> = (u8, &'a [&'a [u8]], &'a [u8]);

/// An archive of these entries with the sum that belongs to it.
fn by_hand(entries: &[Raw<'_>]) -> Vec<u8> {
    let mut archive = b"QRNA\x01".to_vec();
    for (kind, path, content) in entries {
        let path: Vec<Vec<u8>> = path.iter().map(|part| part.to_vec()).collect();
        let (mode, seconds, nanoseconds) = (0o755_u16, i64::MAX, 0_u32);
        let bytes = content.len() as u64;
        let fields = (*kind, path, mode, seconds, nanoseconds, bytes).encode();
        archive.extend((fields.len() as u32).to_le_bytes());
        archive.extend(fields);
        archive.extend(*content);
    }
    archive.extend([0; 4]);
    let sum = Sha256::digest(&archive);
    archive.extend(sum);
    archive
}

#[test]
fn no_archive_leaves_its_folder() {
    let outside = tempdir().unwrap();
    let into = outside.path().join("into");
    let absolute = outside.path().to_str().unwrap().as_bytes();
    let hostile: [&[Raw<'_>]; 10] = [
        &[(1, &[b"..", b"out"], b"x")],
        &[(0, &[b".."], b""), (1, &[b"..", b"out"], b"x")],
        &[(1, &[b"../out"], b"x")],
        &[(1, &[absolute, b"out"], b"x")],
        &[(1, &[b"", b"out"], b"x")],
        &[(0, &[b"a"], b""), (1, &[b"a", b"..", b"..", b"out"], b"x")],
        &[(0, &[b"."], b"")],
        // In what is a file, in what is not there, and in a link as other programs have it.
        &[(1, &[b"a"], b"x"), (1, &[b"a", b"out"], b"x")],
        &[(1, &[b"a", b"out"], b"x")],
        &[(2, &[b"a"], b"../"), (1, &[b"a", b"out"], b"x")],
    ];
    for entries in hostile {
        for existing in [Existing::Kept, Existing::Replaced] {
            let refused = restore(&by_hand(entries)[..], &into, existing);
            assert!(
                matches!(refused, Err(RestoreError::Decode(_))),
                "{refused:?}"
            );
            assert!(fs::read_dir(outside.path()).unwrap().count() <= 1);
            assert!(seen(&into).keys().all(|path| *path == Path::new("a")));
            fs::remove_dir_all(&into).unwrap();
        }
    }
}

#[test]
fn no_link_in_the_folder_is_followed() {
    let outside = tempdir().unwrap();
    fs::write(outside.path().join("file"), b"not to be touched").unwrap();
    let into = tempdir().unwrap();
    symlink(outside.path(), into.path().join("a")).unwrap();
    symlink(outside.path().join("file"), into.path().join("b")).unwrap();
    symlink(outside.path().join("missing"), into.path().join("c")).unwrap();
    let below_link = by_hand(&[(0, &[b"a"], b""), (1, &[b"a", b"file"], b"x")]);
    let refused = restore(&below_link[..], into.path(), Existing::Replaced);
    assert!(matches!(refused, Err(RestoreError::NotFolder { path }) if path.ends_with("a")));
    // A link gives way to a file, and what it leads to stays as it is.
    let in_place = by_hand(&[(1, &[b"b"], b"x"), (1, &[b"c"], b"y")]);
    restore(&in_place[..], into.path(), Existing::Replaced).unwrap();
    for (name, bytes) in [("b", b"x"), ("c", b"y")] {
        let path = into.path().join(name);
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(fs::read(path).unwrap(), bytes);
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    let file = fs::read(outside.path().join("file")).unwrap();
    assert_eq!(file, b"not to be touched");
}

/// An archive during whose reading something is done, when so much was read.
struct Reading<'a, F: FnMut()> {
    archive: &'a [u8],
    pause_at: usize,
    act: Option<F>,
}

impl<F: FnMut()> Read for Reading<'_, F> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.pause_at == 0
            && let Some(mut act) = self.act.take()
        {
            act();
        }
        let most = if self.pause_at == 0 {
            out.len()
        } else {
            self.pause_at.min(out.len())
        };
        let read = self.archive.read(&mut out[..most])?;
        self.pause_at = self.pause_at.saturating_sub(read);
        Ok(read)
    }
}

#[test]
fn a_link_that_is_put_where_a_folder_was_leads_nowhere() {
    let (outside, into) = (tempdir().unwrap(), tempdir().unwrap());
    let content = [7; 150_000];
    let archive = by_hand(&[
        (0, &[b"a"], b""),
        (1, &[b"a", b"first"], &content),
        (1, &[b"a", b"second"], b"x"),
    ]);
    let swap = || {
        fs::rename(into.path().join("a"), into.path().join("moved")).unwrap();
        symlink(outside.path(), into.path().join("a")).unwrap();
    };
    let archive = Reading {
        archive: &archive,
        pause_at: 100_000,
        act: Some(swap),
    };
    restore(archive, into.path(), Existing::Replaced).unwrap();
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    assert_eq!(fs::read(into.path().join("moved/second")).unwrap(), b"x");
}

#[test]
fn a_file_has_its_name_only_when_it_is_whole() {
    let into = tempdir().unwrap();
    let content = [7; 150_000];
    let archive = by_hand(&[(0, &[b"a"], b""), (1, &[b"a", b"file"], &content)]);
    let look = || {
        let mut names = fs::read_dir(into.path().join("a")).unwrap();
        let part = names.next().unwrap().unwrap();
        assert!(part.file_name().to_str().unwrap().ends_with(".part"));
        assert_eq!(part.metadata().unwrap().mode() & 0o777, 0o600);
        assert!(names.next().is_none());
    };
    let reading = Reading {
        archive: &archive,
        pause_at: 100_000,
        act: Some(look),
    };
    restore(reading, into.path(), Existing::Kept).unwrap();
    assert_eq!(fs::read(into.path().join("a/file")).unwrap(), content);
    // Somebody takes the name meanwhile.
    let taken = tempdir().unwrap();
    let mine = taken.path().join("a/file");
    let reading = Reading {
        archive: &archive,
        pause_at: 100_000,
        act: Some(|| fs::write(&mine, b"mine").unwrap()),
    };
    let refused = restore(reading, taken.path(), Existing::Kept);
    assert!(matches!(refused, Err(RestoreError::AlreadyThere { path }) if path == mine));
    assert_eq!(fs::read(&mine).unwrap(), b"mine");
    assert_eq!(seen(taken.path()).len(), 2, "no part is left");
}

#[test]
fn of_an_archive_that_ends_early_or_was_altered_no_file_is_half_there() {
    let content = [7; 150_000];
    let archive = by_hand(&[(1, &[b"a"], b"x"), (1, &[b"b"], &content)]);
    for end in [3, 20, 100, 90_000, archive.len() - 33, archive.len() - 1] {
        let into = tempdir().unwrap();
        let refused = restore(&archive[..end], into.path(), Existing::Kept);
        assert!(
            matches!(
                refused,
                Err(RestoreError::Decode(DecodeError::Truncated { .. }))
            ),
            "{end}: {refused:?}"
        );
        for (path, (bytes, ..)) in seen(into.path()) {
            let whole: &[u8] = if path == Path::new("a") {
                b"x"
            } else {
                &content
            };
            assert_eq!(bytes.unwrap(), whole, "{path:?}");
        }
    }
    let mut altered = archive;
    altered[1_000] ^= 1;
    let refused = restore(&altered[..], tempdir().unwrap().path(), Existing::Kept);
    assert!(matches!(
        refused,
        Err(RestoreError::Decode(DecodeError::OtherSum))
    ));
    // What is no archive at all makes no folder.
    let nowhere = tempdir().unwrap().path().join("into");
    let refused = restore(&b"no archive"[..], &nowhere, Existing::Kept);
    assert!(matches!(
        refused,
        Err(RestoreError::Decode(DecodeError::NotArchive))
    ));
    assert!(!nowhere.exists());
}
