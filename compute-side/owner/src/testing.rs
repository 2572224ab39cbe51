//! A small job for tests.

#![allow(clippy::unwrap_used)]

use crate::{
    folder::JobFolder,
    input::Input,
    prepare::{Draft, Terms, prepare},
};
use quern_primitives::{
    AccountId, GenesisHash, TaskIndex,
    device::Class,
    job::{Agreement, ByteLevel, Preferences, Referees},
};
use quern_shards::manifest::Assembly;
use std::{fs, path::Path};

pub(crate) const GENESIS: GenesisHash = GenesisHash([7; 32]);
pub(crate) const TASKS: u32 = 4;

/// The folder of a job of four tasks.
pub(crate) fn prepared(jobs: &Path) -> JobFolder {
    let input = |task: u32| {
        let path = jobs.join(format!("input-{task}"));
        fs::write(&path, task.to_le_bytes()).unwrap();
        path
    };
    let draft = draft(Input::Prepared((0..TASKS).map(input).collect()));
    let owner = AccountId::new([1; 32]);
    prepare(jobs, GENESIS, &owner, &draft, |_, _| {}).unwrap()
}

/// A job with this input.
pub(crate) fn draft(input: Input) -> Draft {
    Draft {
        program: b"a program".to_vec(),
        input,
        arguments: vec![],
        task_arguments: vec![],
        assembly: Assembly::Concatenate,
        terms: Terms {
            agreement: Agreement::Single,
            referees: Referees::One,
            class: Class::Pinned,
            preferences: Preferences::default(),
            level: ByteLevel::Balanced,
            fuel_per_task_max: 1,
            memory_bytes_max: 1,
            result_bytes_max: 1_000,
            deadline: 100,
            price_max: 1,
        },
    }
}

/// The result of a task; each has another length.
pub(crate) fn text(task: TaskIndex) -> Vec<u8> {
    vec![b'a' + task as u8; task as usize * 10]
}
