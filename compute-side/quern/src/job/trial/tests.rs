#![allow(clippy::unwrap_used)]

use super::*;
use crate::job::spec::{Certainty, Deadline};
use quern_primitives::{
    device::Class,
    job::{Agreement, ByteLevel, Preferences, Referees},
};
use quern_shards::cut::Split;
use tempfile::TempDir;

/// A job of a program in WebAssembly's text format, on an input of two lines.
pub(in crate::job) fn job(folder: &TempDir, body: &str) -> JobSpec {
    let (program, input) = (folder.path().join("p.wasm"), folder.path().join("in"));
    let text = format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write"
                (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\10\00\00\00\04\00\00\00")
            (data (i32.const 16) "four")
            (func $print (param $to i32)
                (drop (call $write (local.get $to) (i32.const 0) (i32.const 1) (i32.const 8))))
            (func (export "_start") {body}))"#
    );
    fs::write(&program, wat::parse_str(text).unwrap()).unwrap();
    fs::write(&input, "one\ntwo\n").unwrap();
    JobSpec {
        program,
        input: Input::File {
            path: input,
            split: Split::Lines,
            shard_bytes: 4,
        },
        elsewhere: None,
        arguments: vec![],
        certainty: Certainty::Agreement(Agreement::Single),
        referees: Referees::One,
        preferences: Preferences::default(),
        class: Class::Portable,
        level: ByteLevel::Balanced,
        fuel: Some(1_000_000),
        memory_bytes_max: 1 << 20,
        result_bytes_max: 100,
        deadline: Deadline::Block(1),
        price_max: None,
    }
}

fn tried(spec: &JobSpec) -> Result<Trial, TrialError> {
    let program = read_program(&spec.program)?;
    run(spec, &program, &plan(&spec.input)?)
}

#[test]
fn a_trial_runs_the_first_task_and_suggests_its_fuel() {
    let folder = tempfile::tempdir().unwrap();
    let trial = tried(&job(&folder, "(call $print (i32.const 1))")).unwrap();
    assert_eq!((trial.result_bytes, trial.memory_bytes), (4, 64 << 10));
    assert_eq!(trial.fuel_suggested(1), FUEL_MIN);
    let heavy = Trial {
        fuel: 5_000_000_000,
        ..trial
    };
    assert_eq!(heavy.fuel_suggested(1), 20_000_000_000);
    assert_eq!(heavy.fuel_suggested(3), 60_000_000_000);
    let heaviest = Trial {
        fuel: u64::MAX,
        ..trial
    };
    assert_eq!(heaviest.fuel_suggested(1), limits::TASK_FUEL_MAX);
}

#[test]
fn a_task_that_goes_wrong_is_refused_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |body: &str| tried(&job(&folder, body)).unwrap_err();
    let endless = refused("(loop $again (br $again))");
    assert!(matches!(
        endless,
        TrialError::Endless {
            fuel: 1_000_000,
            ..
        }
    ));
    assert!(endless.to_string().contains("--fuel"));
    let output = refused("(loop $again (call $print (i32.const 1)) (br $again))");
    assert!(
        matches!(output, TrialError::Output { bytes: 100, .. }),
        "{output}"
    );
    assert!(output.to_string().contains("--result-max"));
    let memory = refused("(drop (memory.grow (i32.const 1000))) unreachable");
    assert!(matches!(memory, TrialError::Memory { .. }), "{memory}");
    assert!(memory.to_string().contains("--memory"));
    let code = refused("(call $print (i32.const 2)) (call $exit (i32.const 3))");
    assert!(matches!(code, TrialError::Code { code: 3, .. }));
    assert!(code.to_string().ends_with("it wrote:\nfour"), "{code}");
    assert!(matches!(refused("unreachable"), TrialError::Trap { .. }));
}

#[test]
fn what_is_no_program_or_no_input_is_refused_before_it_is_tried() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = job(&folder, "");
    fs::write(&spec.program, "#!/bin/sh").unwrap();
    assert!(matches!(tried(&spec), Err(TrialError::Program { .. })));
    let path = folder.path().join("empty");
    fs::write(&path, "").unwrap();
    assert!(matches!(
        plan(&Input::File {
            path,
            split: Split::Lines,
            shard_bytes: 4
        }),
        Err(TrialError::Cut(CutError::Empty))
    ));
    spec.program = folder.path().join("missing.wasm");
    assert!(matches!(tried(&spec), Err(TrialError::Read { .. })));
}

#[test]
fn what_a_program_wrote_does_not_steer_the_terminal() {
    let said = Diagnostics(b"bad \x1b[2J news\nmore".to_vec()).as_said();
    assert_eq!(said, "; it wrote:\nbad [2J news\nmore");
    assert_eq!(Diagnostics(vec![]).as_said(), "");
}

#[test]
fn the_shards_of_chosen_tasks_are_read_from_files_of_both_kinds() {
    let folder = tempfile::tempdir().unwrap();
    let read = |input: &Input, tasks: &[TaskIndex]| -> Vec<(TaskIndex, Vec<u8>)> {
        let plan = plan(input).unwrap();
        let shards = shards(input, &plan, tasks).unwrap();
        shards.map(Result::unwrap).collect()
    };
    let (one, two) = ((0, b"one\n".to_vec()), (1, b"two\n".to_vec()));
    let cut = job(&folder, "").input;
    assert_eq!(read(&cut, &[0, 1]), [one.clone(), two.clone()]);
    assert_eq!(read(&cut, &[1]), std::slice::from_ref(&two));
    let paths = ["a", "b"].map(|name| folder.path().join(name));
    fs::write(&paths[0], &one.1).unwrap();
    fs::write(&paths[1], &two.1).unwrap();
    let prepared = Input::Prepared(paths.to_vec());
    assert_eq!(read(&prepared, &[0, 1]), [one, two.clone()]);
    assert_eq!(read(&prepared, &[1]), [two]);
}

#[test]
fn a_task_that_fails_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let spec = job(&folder, "unreachable");
    let ready = Ready::new(&spec, &read_program(&spec.program).unwrap()).unwrap();
    let said = |task| {
        let run = ready.run(task, vec![]).unwrap();
        run.check().unwrap_err().to_string()
    };
    assert!(said(0).starts_with("the first task trapped ("));
    assert!(said(7).starts_with("task 7 trapped ("));
}
