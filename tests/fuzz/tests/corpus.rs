//! Every input that is kept, through every oracle once; and that corpus and page are those of the
//! targets.

#![allow(clippy::unwrap_used)]

use quern_fuzz::{
    TARGETS,
    corpus::{BYTES_MAX, CORPUS_BYTES_MAX, INPUTS_MAX, name, read},
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Words by which a line of ours decodes.
const DECODING: [&str; 11] = [
    "Parser::new(",
    "fetch::decode(",
    "reader.skip()",
    "TaskFile::decode(",
    "quern_protocol::decode(",
    "decode_all(",
    "decode_with_mem_limit(",
    "serde_json::from_",
    "toml::from_",
    "::decode(&mut",
    "decode_from(",
];

/// As cargo says it now: a target folder that serves several clones may hold a test of another.
fn workspace() -> PathBuf {
    let here =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&here).join("../..")
}

fn folder(target: &str) -> PathBuf {
    workspace().join("tests/fuzz/corpus").join(target)
}

/// The rows of the table that begins with these heads, each as the texts in its cells.
fn rows(heads: &str) -> Vec<Vec<String>> {
    let page = fs::read_to_string(workspace().join("docs/decoders.md")).unwrap();
    let mut lines = page.lines().skip_while(|line| !line.starts_with(heads));
    assert!(lines.next().is_some(), "there is no table {heads}");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace('`', "")).collect()
    })
    .collect()
}

#[test]
fn every_input_that_is_kept_passes_every_oracle() {
    let mut all = 0;
    for target in &TARGETS {
        let inputs = read(&folder(target.name)).unwrap();
        let mut bytes = 0;
        for (file, input) in &inputs {
            // What the harness says of a panic names this file.
            println!("QUERN_FUZZ_TARGET={} {}", target.name, file.display());
            assert!(target.run(input), "it chooses no decoder");
            assert_eq!(file.file_name().unwrap(), name(input).as_str());
            bytes += input.len();
        }
        assert!(
            inputs.len() <= INPUTS_MAX && bytes <= BYTES_MAX,
            "{}",
            target.name
        );
        all += bytes;
    }
    assert!(all <= CORPUS_BYTES_MAX, "the corpus has {all} bytes");
}

#[test]
fn what_honest_people_say_is_kept_and_each_decoder_accepts_some_of_it() {
    for target in &TARGETS {
        let kept = read(&folder(target.name)).unwrap();
        for seed in target.seeds() {
            assert!(target.run(&seed));
            assert!(
                kept.values().any(|input| *input == seed),
                "an encoding changed: `cargo xtask fuzz {} --seed-corpus` keeps the new one",
                target.name
            );
        }
        for decoder in target.decoders {
            assert!(!(decoder.seeds)().is_empty(), "{} has none", decoder.name);
        }
    }
}

#[test]
fn every_target_has_a_folder_and_every_folder_a_target() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|it| it.name.to_owned()).collect();
    let folders = fs::read_dir(folder("")).unwrap();
    let folders = folders.map(|entry| entry.unwrap());
    let folders = folders.filter(|entry| entry.path().is_dir());
    let folders: BTreeSet<String> = folders
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(folders, targets);
}

#[test]
fn the_page_of_decoders_names_every_one_that_is_fuzzed_and_no_other() {
    let named: BTreeSet<(String, String)> = rows("| target | decoder |")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let fuzzed: BTreeSet<(String, String)> = TARGETS
        .iter()
        .flat_map(|target| {
            let decoders = target.decoders.iter();
            decoders.map(|decoder| (target.name.to_owned(), decoder.name.to_owned()))
        })
        .collect();
    assert_eq!(named, fuzzed);
}

#[test]
fn the_page_of_decoders_names_every_file_that_decodes_and_no_other() {
    let tracked = Command::new("git")
        .args(["ls-files", "*.rs"])
        .current_dir(workspace())
        .output()
        .unwrap();
    let tracked = String::from_utf8(tracked.stdout).unwrap();
    let decoding: BTreeSet<String> = tracked
        .lines()
        .filter(|file| ships(file) && decodes(file))
        .map(str::to_owned)
        .collect();
    let table = rows("| file | whose bytes |");
    let named: BTreeSet<String> = table.iter().map(|row| row[0].clone()).collect();
    assert_eq!(
        named, decoding,
        "say in docs/decoders.md whose bytes it decodes"
    );
    for row in &table {
        let fuzzed = &row[2];
        let is_target = TARGETS.iter().any(|target| target.name == fuzzed);
        assert!(is_target || fuzzed.starts_with("no: "), "{row:?}");
    }
}

fn ships(file: &str) -> bool {
    let is_for_tests = ["tests.rs", "mock.rs", "benchmarking.rs"];
    !["tests/", "xtask/", "stand-ins/"]
        .iter()
        .any(|it| file.starts_with(it))
        && !file.contains("/tests/")
        && !is_for_tests.iter().any(|it| file.ends_with(it))
}

fn decodes(file: &str) -> bool {
    let text = fs::read_to_string(workspace().join(file)).unwrap_or_default();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        // Tests stand at the end of a file.
        if line == "#[cfg(test)]" && lines.peek().is_some_and(|next| !next.ends_with(';')) {
            return false;
        }
        let code = line.split("//").next().unwrap_or_default();
        if DECODING.iter().any(|word| code.contains(word)) {
            return true;
        }
    }
    false
}
