//! Commands that want more than there is for them.

use crate::machine::{Hostile, command, is_superuser, kinds, limits, mark, marked, run};
use quern_cell::{Ending, Kind, Limits};
use std::{
    fs::File,
    num::NonZeroU32,
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

fn seconds(seconds: u32) -> Limits {
    Limits {
        seconds: NonZeroU32::new(seconds).unwrap(),
        ..limits()
    }
}

#[test]
fn a_command_that_forks_without_end_has_no_more_processes_than_it_may() {
    let program = Hostile::compiled();
    for cells in kinds() {
        let mark = mark();
        // Each of its processes has the mark in its command line.
        let shell = format!("exec ./hostile forks {mark}");
        let limits = seconds(2);
        let null = File::options().write(true).open("/dev/null").unwrap();
        let running = cells.start(&program.command(&shell, limits), null).unwrap();
        let (sender, receiver) = sync_channel(1);
        let waiting = thread::spawn(move || sender.send(running.wait().unwrap()));
        let mut most = 0;
        let outcome = loop {
            most = most.max(marked(&mark));
            match receiver.recv_timeout(Duration::from_millis(5)) {
                Ok(outcome) => break outcome,
                Err(error) => assert_eq!(error, RecvTimeoutError::Timeout),
            }
        };
        waiting.join().unwrap().unwrap();
        let most_may = limits.processes as usize;
        let (may, is_over) = match (cells.kind(), is_superuser()) {
            // The kernel leaves room for what its user runs beside, and the command is ended as soon as
            // somebody looks.
            (Kind::WithoutNamespaces, false) => (
                2..=1_024,
                matches!(outcome.ending, Ending::ProcessLimit | Ending::TimeLimit),
            ),
            // What looked after it makes room for one more when it ends.
            (Kind::WithoutNamespaces, true) => (
                2..=most_may + 1,
                matches!(outcome.ending, Ending::ProcessLimit | Ending::TimeLimit),
            ),
            _ => (2..=most_may, outcome.ending == Ending::TimeLimit),
        };
        assert!(is_over, "{}: {:?}", cells.kind(), outcome.ending);
        assert!(may.contains(&most), "{}: {most}", cells.kind());
        assert_eq!(marked(&mark), 0, "{}", cells.kind());
    }
}

#[test]
fn a_shell_that_forks_without_end_ends() {
    for cells in kinds() {
        let mark = mark();
        let shell = format!(": {mark}; b() {{ b | b & b; }}; b");
        let ran = run(cells, &command(&shell, seconds(2)));
        // One that is refused a process may give up by itself.
        let is_over = matches!(
            ran.ending(),
            Ending::TimeLimit | Ending::Code(_) | Ending::Signal(_) | Ending::ProcessLimit
        );
        assert!(is_over, "{}: {:?}", cells.kind(), ran.ending());
        assert_eq!(marked(&mark), 0, "{}", cells.kind());
    }
}

#[test]
fn who_fills_the_disk_with_one_file_meets_the_limit() {
    for cells in kinds() {
        for place in [".", "$TMPDIR"] {
            let shell = format!("cat /dev/zero > {place}/file; sleep 20");
            let ran = run(cells, &command(&shell, limits()));
            assert_eq!(
                ran.ending(),
                Ending::DiskLimit,
                "{}: {}",
                cells.kind(),
                ran.said()
            );
        }
    }
}

#[test]
fn who_fills_the_disk_with_many_files_meets_the_limit() {
    let shell = "i=0; while :; do i=$((i+1)); mkdir $i; head -c 65536 /dev/zero > $i/file; done";
    for cells in kinds() {
        let ran = run(cells, &command(shell, limits()));
        assert_eq!(
            ran.ending(),
            Ending::DiskLimit,
            "{}: {}",
            cells.kind(),
            ran.said()
        );
    }
}

#[test]
fn empty_files_without_end_are_too_much_too() {
    // Without a file system of its own a command may make more of them, and this takes as long.
    let own = kinds()
        .iter()
        .filter(|it| it.kind() != Kind::WithoutNamespaces);
    let shell = "i=0; while :; do i=$((i+1)); : > $i; done";
    for cells in own {
        let ran = run(cells, &command(shell, limits()));
        assert_eq!(
            ran.ending(),
            Ending::DiskLimit,
            "{}: {}",
            cells.kind(),
            ran.said()
        );
    }
}

#[test]
fn a_folder_that_nobody_may_list_hides_nothing() {
    let shell = "mkdir -m 300 closed; head -c 65536 /dev/zero > closed/file; sleep 20";
    for cells in kinds() {
        let ran = run(
            cells,
            &command(&format!("ulimit -f 64; {shell}"), seconds(3)),
        );
        let wanted = match cells.kind() {
            Kind::WithoutNamespaces => Ending::DiskLimit,
            _ => Ending::TimeLimit,
        };
        assert_eq!(ran.ending(), wanted, "{}: {}", cells.kind(), ran.said());
    }
}

#[test]
fn output_ends_one_byte_beyond_its_limit() {
    let bytes = limits().output_bytes;
    for cells in kinds() {
        let exact = run(
            cells,
            &command(&format!("head -c {bytes} /dev/zero"), limits()),
        );
        assert_eq!(exact.ending(), Ending::Success, "{}", cells.kind());
        assert_eq!(exact.outcome.output_bytes, bytes);
        let more = bytes + 1;
        for shell in [
            format!("head -c {more} /dev/zero; sleep 20"),
            "yes".to_owned(),
        ] {
            let ran = run(cells, &command(&shell, limits()));
            assert_eq!(ran.ending(), Ending::OutputLimit, "{}", cells.kind());
            assert_eq!(ran.outcome.output_bytes, bytes);
        }
        let none = Limits {
            output_bytes: 0,
            ..limits()
        };
        assert_eq!(run(cells, &command(":", none)).ending(), Ending::Success);
        assert_eq!(
            run(cells, &command("echo", none)).ending(),
            Ending::OutputLimit
        );
    }
}

#[test]
fn the_time_limit_ends_a_command_and_all_its_children() {
    for cells in kinds() {
        let mark = mark();
        let shell = format!(
            "trap '' TERM INT HUP QUIT; setsid sleep {mark} & (sleep {mark} & sleep {mark}) & \
             sleep {mark}"
        );
        let ran = run(cells, &command(&shell, seconds(1)));
        assert_eq!(ran.ending(), Ending::TimeLimit, "{}", cells.kind());
        assert_eq!(marked(&mark), 0, "{}", cells.kind());
    }
}

#[test]
fn a_process_is_refused_more_memory_than_the_command_may_have() {
    let program = Hostile::compiled();
    for cells in kinds() {
        let ran = run(cells, &program.command("./hostile memory 1 65", limits()));
        assert_eq!(ran.ending(), Ending::Code(3), "{}", cells.kind());
        assert_eq!(ran.output, "refused\n");
    }
}

#[test]
fn processes_that_have_too_much_memory_together_are_ended() {
    let program = Hostile::compiled();
    for cells in kinds() {
        let ran = run(cells, &program.command("./hostile memory 4 30", limits()));
        assert_eq!(
            ran.ending(),
            Ending::MemoryLimit,
            "{}: {}",
            cells.kind(),
            ran.said()
        );
        assert!(ran.outcome.memory_bytes > limits().memory_bytes);
        let ran = run(cells, &program.command("./hostile memory 2 20", seconds(1)));
        assert_eq!(ran.ending(), Ending::TimeLimit, "{}", cells.kind());
        assert!(ran.outcome.memory_bytes < limits().memory_bytes);
    }
}
