//! Tests of which tasks are tried, and of what is told of them.

use super::*;
use crate::job::trial::tests::job;
use std::fs;

fn which(shard: Option<TaskIndex>, sample: u32, all: bool) -> Which {
    Which {
        shard,
        sample: NonZeroU32::new(sample),
        all,
    }
}

#[test]
fn the_first_task_is_tried_unless_others_are_asked_for() {
    let of = |which: Which, tasks| which.of(tasks).unwrap();
    assert_eq!(of(Which::default(), 9), [0]);
    assert_eq!(of(which(Some(8), 0, false), 9), [8]);
    assert_eq!(of(which(None, 3, false), 9), [0, 3, 6]);
    assert_eq!(of(which(None, 4, false), 9), [0, 2, 4, 6]);
    assert_eq!(of(which(None, 99, false), 3), [0, 1, 2]);
    assert_eq!(of(which(None, 0, true), 3), [0, 1, 2]);
    let error = which(Some(9), 0, false).of(9).unwrap_err().to_string();
    assert!(
        error.contains("9 shards") && error.contains("no shard 9"),
        "{error}"
    );
}

#[test]
fn every_task_is_tried_and_what_they_wrote_stands_in_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let spec = job(&folder, "(call $print (i32.const 1))");
    let output = folder.path().join("result");
    let done = try_tasks(&spec, which(None, 0, true), &output, |_, _| {}).unwrap();
    assert_eq!(fs::read(&output).unwrap(), b"fourfour");
    let answer = done.answer;
    assert_eq!((answer.tasks, answer.output_bytes), (2, 8));
    assert!(answer.error.is_none());
    let exits: Vec<_> = answer.tried.iter().map(|tried| tried.exit).collect();
    assert_eq!(exits, [Some(Exit::Success); 2]);
    let heaviest = done.heaviest.unwrap();
    assert_eq!(heaviest.fuel, answer.tried[0].fuel);
    let text = answer.people();
    assert!(text.contains("2 of 2 tasks tried"), "{text}");
}

#[test]
fn a_trial_ends_with_the_first_task_that_has_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let body = "(call $print (i32.const 1)) (call $print (i32.const 2)) (call $exit (i32.const 3))";
    let spec = job(&folder, body);
    let output = folder.path().join("result");
    let done = try_tasks(&spec, which(None, 0, true), &output, |_, _| {}).unwrap();
    let answer = done.answer;
    assert_eq!(answer.tried.len(), 1);
    assert_eq!(answer.tried[0].exit, Some(Exit::Code(3)));
    assert_eq!(answer.tried[0].standard_error, "four");
    // What it wrote before it failed is there to be looked at.
    assert_eq!(fs::read(&output).unwrap(), b"four");
    let text = answer.people();
    assert!(
        text.contains("would be refused: the first task left with exit code 3"),
        "{text}"
    );
    // The error says already what it wrote.
    assert_eq!(text.matches("wrote").count(), 1, "{text}");
}

#[test]
fn what_a_task_wrote_to_standard_error_is_told_though_it_ended_well() {
    let folder = tempfile::tempdir().unwrap();
    let spec = job(&folder, "(call $print (i32.const 2))");
    let output = folder.path().join("result");
    let done = try_tasks(&spec, which(Some(1), 0, false), &output, |_, _| {}).unwrap();
    let mut answer = done.answer;
    answer.fuel_per_task_max = Some(10_000_000);
    answer.offer_unknown = Some("no node answers".to_owned());
    let text = answer.people();
    for words in [
        "1, of 2 that are counted from 0",
        "ended well",
        "0 bytes in ",
        "standard error:\nfour",
        "10,000,000 fuel by this trial; what the job would cost is not known: no node answers",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let json = serde_json::to_value(&answer).unwrap();
    assert_eq!(json["tried"][0]["exit"], "success");
    assert_eq!(json["tried"][0]["standard_error"], "four");
}

#[test]
fn of_many_tasks_those_are_told_that_took_the_most_and_the_one_that_failed() {
    let tried = |task: TaskIndex| Tried {
        task,
        shard_bytes: 8,
        exit: Some(Exit::Success),
        ended: "ended well".to_owned(),
        fuel: 1_000 - u64::from(task),
        milliseconds: 1_042,
        memory_bytes: 65_536,
        output_bytes: 4,
        standard_error: String::new(),
    };
    let answer = Answer {
        tasks: 50,
        tried: (0..50).map(tried).collect(),
        error: Some("task 49 trapped".to_owned()),
        output: "result".into(),
        output_bytes: 200,
        fuel_per_task_max: None,
        offer: None,
        offer_unknown: None,
    };
    let text = answer.people();
    let row = |task: TaskIndex| {
        let start = format!("{task:>4}  8 bytes");
        text.lines().any(|line| line.starts_with(&start))
    };
    let rows: Vec<_> = (0..50).filter(|task| row(*task)).collect();
    let told: Vec<_> = (0..19).chain([49]).collect();
    assert_eq!(rows, told, "{text}");
    assert!(
        text.contains("of the 50 tried that used the most"),
        "{text}"
    );
    assert!(text.contains("52.100 s together"), "{text}");
}
