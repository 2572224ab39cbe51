//! What is sealed, on however many threads, and what of an input that changes.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{GENESIS, draft};
use quern_shards::{
    cut::Split,
    keys::unwrap,
    seal::{HEADER_BYTES, open, seal},
};
use rand::{SeedableRng as _, rngs::StdRng};
use std::{collections::BTreeMap, fs, path::PathBuf};

fn owner() -> AccountId {
    AccountId::new([1; 32])
}

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

/// Prepares a job with the chance of this seed.
fn prepared(
    jobs: &Path,
    input: Input,
    seed: u64,
    count: usize,
    progress: impl FnMut(u64, u64),
) -> Result<JobFolder, PrepareError> {
    let mut rng = StdRng::seed_from_u64(seed);
    let owner = owner();
    let place = (jobs, GENESIS, &owner);
    prepare_with(&mut rng, threads(count), place, &draft(input), progress)
}

/// 200 lines of up to 999 bytes, in a file that was last written long ago.
fn input_file(folder: &Path) -> (PathBuf, Vec<u8>) {
    let line = |number: usize| format!("{number:0length$}\n", length = number * 37 % 999);
    let bytes = (0..200).map(line).collect::<String>().into_bytes();
    let path = folder.join("input");
    fs::write(&path, &bytes).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    (path, bytes)
}

fn lines_of(path: &Path) -> Input {
    Input::File {
        path: path.to_owned(),
        split: Split::Lines,
        shard_bytes: 1_500,
    }
}

/// All files below a folder with their bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => drop(found.insert(path.clone(), fs::read(&path).unwrap())),
        }
    }
    found
}

fn relative(folder: &JobFolder) -> BTreeMap<PathBuf, Vec<u8>> {
    let found = files(folder.path()).into_iter();
    found
        .map(|(path, bytes)| (path.strip_prefix(folder.path()).unwrap().to_owned(), bytes))
        .collect()
}

#[test]
fn any_number_of_threads_prepares_the_same_folder() {
    let inputs = tempfile::tempdir().unwrap();
    let (path, bytes) = input_file(inputs.path());
    let parts = bytes.chunks(5_000).enumerate().map(|(number, part)| {
        let path = inputs.path().join(number.to_string());
        fs::write(&path, part).unwrap();
        path
    });
    let parts = Input::Prepared(parts.collect());
    for input in [lines_of(&path), parts] {
        let folders: Vec<_> = [1, 2, 7]
            .map(|count| {
                let jobs = tempfile::tempdir().unwrap();
                let folder = prepared(jobs.path(), input.clone(), 3, count, |_, _| {}).unwrap();
                relative(&folder)
            })
            .to_vec();
        assert_eq!(folders[0], folders[1]);
        assert_eq!(folders[0], folders[2]);
        // Manifest, program, submission, two keys, and shards.
        assert!(folders[0].len() > 5 + 15);
        let jobs = tempfile::tempdir().unwrap();
        let other = prepared(jobs.path(), input, 4, 1, |_, _| {}).unwrap();
        assert_ne!(
            relative(&other).get(Path::new("manifest")),
            folders[0].get(Path::new("manifest"))
        );
    }
}

#[test]
fn each_shard_is_what_sealing_it_whole_makes_and_under_the_root_in_the_manifest() {
    let jobs = tempfile::tempdir().unwrap();
    let (path, bytes) = input_file(jobs.path());
    let folder = prepared(jobs.path(), lines_of(&path), 3, 3, |_, _| {}).unwrap();
    let (manifest, key) = (folder.manifest(GENESIS).unwrap(), folder.key().unwrap());
    assert_eq!(folder.submission().unwrap().tasks, manifest.tasks());
    let (mut opened, mut keys) = (Vec::new(), Vec::new());
    for (index, entry) in (0..).zip(manifest.shards()) {
        let sealed = fs::read(folder.shard(index)).unwrap();
        let shard_key = unwrap(&key, &folder.job(), index, &entry.key).unwrap();
        let context = ShardContext {
            genesis: GENESIS,
            job: folder.job(),
            program: folder.submission().unwrap().program,
            index,
            count: manifest.tasks(),
            plaintext_bytes: entry.plaintext_bytes.into(),
        };
        let plaintext = open(&shard_key, &context, &sealed).unwrap();
        assert_eq!(plaintext.last(), Some(&b'\n'));
        // The salt is what the header has before the commitment.
        let salt = sealed[HEADER_BYTES - 48..HEADER_BYTES - 32]
            .try_into()
            .unwrap();
        let whole = seal(&shard_key, SealSalt(salt), &context, &plaintext).unwrap();
        assert_eq!((whole.bytes, whole.chunk_root), (sealed, entry.chunk_root));
        opened.extend(plaintext);
        keys.push(*shard_key.expose());
    }
    assert_eq!(opened, bytes);
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), manifest.tasks() as usize, "a key for each");
}

#[test]
fn progress_grows_to_all_of_the_input() {
    let jobs = tempfile::tempdir().unwrap();
    let (path, bytes) = input_file(jobs.path());
    let mut told = vec![0];
    let total = bytes.len() as u64;
    let folder = prepared(jobs.path(), lines_of(&path), 3, 2, |done, of| {
        assert_eq!(of, total);
        told.push(done);
    });
    assert_eq!(
        told.len(),
        folder.unwrap().submission().unwrap().tasks as usize + 1
    );
    assert!(told.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(told.last(), Some(&total));
}

#[test]
fn an_input_that_changes_meanwhile_makes_no_job_and_leaves_nothing() {
    for append in [true, false] {
        let (inputs, jobs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (path, mut bytes) = input_file(inputs.path());
        if append {
            bytes.push(b'!');
        }
        let refused = prepared(jobs.path(), lines_of(&path), 3, 2, |_, _| {
            fs::write(&path, &bytes).unwrap();
        });
        assert!(
            matches!(
                refused,
                Err(PrepareError::Input(InputError::Changed { .. }))
            ),
            "{refused:?}"
        );
        assert_eq!(fs::read_dir(jobs.path()).unwrap().count(), 0);
        // Once nothing writes to it any more, it makes a job.
        prepared(jobs.path(), lines_of(&path), 3, 2, |_, _| {}).unwrap();
    }
}

#[test]
fn an_input_that_does_not_become_shards_leaves_nothing() {
    let (inputs, jobs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = inputs.path().join("empty");
    fs::write(&path, b"").unwrap();
    for input in [lines_of(&path), Input::Prepared(vec![])] {
        let refused = prepared(jobs.path(), input, 3, 2, |_, _| {});
        assert!(matches!(
            refused,
            Err(PrepareError::Input(InputError::Cut(_)))
        ));
    }
    assert_eq!(fs::read_dir(jobs.path()).unwrap().count(), 0);
}
