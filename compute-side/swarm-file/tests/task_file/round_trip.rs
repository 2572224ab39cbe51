//! What is written is read, and nothing else says the same.

use crate::{
    made_up::{any_file, of_command, of_module},
    reference::{Value, canonical},
};
use proptest::prelude::*;
use quern_primitives::Digest;
use quern_swarm_file::{Raw, TaskFileError, ValidatedTaskFile};
use sha2::{Digest as _, Sha256};

#[test]
fn a_file_with_every_key_is_read_and_written_alike() {
    for value in [of_command(), of_module()] {
        let bytes = value.write();
        let read = ValidatedTaskFile::decode(&bytes).unwrap();
        assert_eq!(read.bytes(), bytes);
        assert_eq!(read.file().validate().unwrap(), read);
        assert!(read.file().other.is_empty());
    }
}

#[test]
fn keys_that_are_not_known_stay_byte_for_byte_wherever_they_are() {
    let mut value = of_module();
    let strange = canonical(b"d1:ad0:lee1:zi-12345678901234567890ee").unwrap();
    let places = ["module", "bounty", "files.0", "inputs.0"];
    for place in places {
        value.at(place).put("aaa", strange.clone());
        value.at(place).put("zzz", strange.clone());
    }
    value.put("aaa", strange.clone());
    value.put("\u{ff}", strange.clone());
    let bytes = value.write();
    let read = ValidatedTaskFile::decode(&bytes).unwrap();
    assert_eq!(read.file().validate().unwrap().bytes(), bytes);
    let file = read.file();
    let kept = [
        &file.other,
        &file.files[0].other,
        &file.inputs[0].other,
        &file.bounty.as_ref().unwrap().other,
    ];
    for other in kept {
        assert_eq!(other.get(b"aaa").unwrap().as_bytes(), strange.write());
        assert_eq!(other.len(), 2);
    }
    assert!(file.files[1].other.is_empty());
}

#[test]
fn an_unknown_key_with_a_known_name_is_no_unknown_key() {
    let read = ValidatedTaskFile::decode(&of_command().write()).unwrap();
    for key in ["pieces", "inputs", "version"] {
        let mut file = read.file().clone();
        file.other.insert(key, Raw::new(b"i7e").unwrap());
        assert_eq!(file.validate(), Err(TaskFileError::Known), "{key}");
    }
    // One that is known and was left out is read as what it says.
    let mut file = read.file().clone();
    file.other.insert("bounty", Raw::new(b"i7e").unwrap());
    assert!(matches!(file.validate(), Err(TaskFileError::Kind { .. })));
}

proptest! {
    #[test]
    fn what_is_written_is_read(file in any_file()) {
        let valid = file.validate().unwrap();
        prop_assert_eq!(valid.file(), &file);
        prop_assert!(canonical(valid.bytes()).is_some(), "the plain one reads it too");
        prop_assert_eq!(valid.digest(), Digest(Sha256::digest(valid.bytes()).into()));
        prop_assert_eq!(valid.layout().pieces(), file.pieces.get());
        prop_assert_eq!(valid.layout().files(), file.files.len());
        prop_assert_eq!(ValidatedTaskFile::decode(valid.bytes()), Ok(valid.clone()));
    }

    #[test]
    fn no_two_files_say_the_same(
        file in any_file(),
        place: prop::sample::Index,
        byte: u8,
        kind in 0..3u8,
    ) {
        let valid = file.validate().unwrap();
        let mut bytes = valid.bytes().to_vec();
        let place = place.index(bytes.len());
        match kind {
            0 => bytes[place] = byte,
            1 => bytes.insert(place, byte),
            _ => drop(bytes.remove(place)),
        }
        if let Ok(other) = ValidatedTaskFile::decode(&bytes) {
            prop_assert_eq!(other.bytes(), &bytes);
            prop_assert_eq!(other.file() == valid.file(), bytes == valid.bytes());
            prop_assert_eq!(other.digest() == valid.digest(), bytes == valid.bytes());
            let again = other.file().validate().unwrap();
            prop_assert_eq!(again.bytes(), &bytes);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(ValidatedTaskFile::decode(&bytes).is_err());
    }

    #[test]
    fn a_file_with_any_value_in_any_place_is_read_as_itself_or_refused(
        place in prop::sample::select(vec![
            "bootstrap", "bootstrap.0", "check", "command", "command.disk", "command.memory",
            "command.seconds", "command.shell", "files", "files.0", "files.1.path", "files.1.parts",
            "files.0.path.1", "inputs", "inputs.0.bytes", "inputs.0.path", "inputs.0.sha256", "name",
            "piece-bytes", "pieces", "trackers", "trackers.0", "version",
        ]),
        put in prop_oneof![
            any::<i64>().prop_map(|it| Value::Integer(it.into())),
            (0..9i128).prop_map(Value::Integer),
            ".{0,9}".prop_map(|it| Value::text(&it)),
            Just(Value::List(vec![])),
            Just(Value::Dict(Default::default())),
            "[a/]{1,5}".prop_map(|it| Value::path(&it)),
        ],
    ) {
        let mut value = of_command();
        *value.at(place) = put;
        let bytes = value.write();
        if let Ok(read) = ValidatedTaskFile::decode(&bytes) {
            let again = read.file().validate().unwrap();
            prop_assert_eq!(again.bytes(), &bytes);
        }
    }
}
