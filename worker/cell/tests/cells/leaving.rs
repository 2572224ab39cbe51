//! That nothing is left of a command, however it ends and whoever is killed.

use crate::machine::{command, helper, kinds, limits, mark, marked, run, until};
use quern_cell::{Ending, Kind, RunError};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    process::{Command, Stdio},
};

/// A command whose children leave its session and outlive it.
fn leaving_behind(mark: &str, then: &str) -> String {
    format!("setsid sh -c 'sleep {mark} & sleep {mark}' & (sleep {mark} &) ; {then}")
}

fn null() -> File {
    File::options().write(true).open("/dev/null").unwrap()
}

/// Processes that have this one as their parent.
fn children_of(parent: u32) -> Vec<u32> {
    let wanted = format!("PPid:\t{parent}\n");
    let all = fs::read_dir("/proc").unwrap();
    all.filter_map(|it| {
        let folder = it.ok()?.path();
        let status = fs::read_to_string(folder.join("status")).ok()?;
        let pid = folder.file_name()?.to_str()?.parse().ok()?;
        status.contains(&wanted).then_some(pid)
    })
    .collect()
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(pid.cast_signed()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn a_background_child_ends_with_its_command() {
    for cells in kinds() {
        let mark = mark();
        let ran = run(
            cells,
            &command(&leaving_behind(&mark, "echo done"), limits()),
        );
        assert_eq!(ran.ending(), Ending::Success, "{}", cells.kind());
        assert_eq!(ran.output, "done\n");
        assert_eq!(marked(&mark), 0, "{}", cells.kind());
    }
}

#[test]
fn who_is_cancelled_or_dropped_leaves_nothing_behind() {
    for cells in kinds() {
        let mark = mark();
        let shell = leaving_behind(&mark, &format!("sleep {mark}"));
        let running = cells.start(&command(&shell, limits()), null()).unwrap();
        let cancel = running.cancel();
        until("it runs", || marked(&mark) > 3);
        cancel.cancel();
        assert_eq!(
            running.wait().unwrap().ending,
            Ending::Cancelled,
            "{}",
            cells.kind()
        );
        assert_eq!(marked(&mark), 0, "{}", cells.kind());
        cancel.cancel();

        let running = cells.start(&command(&shell, limits()), null()).unwrap();
        until("it runs", || marked(&mark) > 3);
        drop(running);
        assert_eq!(marked(&mark), 0, "{}", cells.kind());
    }
}

#[test]
fn nothing_is_left_when_whoever_runs_the_cell_is_killed() {
    for cells in kinds() {
        let mark = mark();
        let kind = match cells.kind() {
            Kind::Full => "full",
            Kind::Bubblewrap => "bubblewrap",
            Kind::WithoutNamespaces => "without",
        };
        let shell = leaving_behind(&mark, &format!("sleep {mark}"));
        let mut caller = Command::new(helper().program)
            .args([kind, "60", &shell])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("it runs", || marked(&mark) > 4);
        caller.kill().unwrap();
        caller.wait().unwrap();
        until("nothing is left", || marked(&mark) == 0);
    }
}

#[test]
fn a_cell_whose_guard_is_killed_ends_and_its_caller_is_told() {
    for cells in kinds() {
        let mark = mark();
        let shell = leaving_behind(&mark, &format!("sleep {mark}"));
        let running = cells.start(&command(&shell, limits()), null()).unwrap();
        until("it runs", || marked(&mark) > 3);
        let guard = running.guard_id();
        kill(guard);
        let error = running.wait().unwrap_err();
        assert!(
            matches!(error, RunError::Lost { .. }),
            "{}: {error}",
            cells.kind()
        );
        until("nothing is left", || marked(&mark) == 0);
        let folder = std::env::temp_dir().join(format!("quern-cell-{guard}-0"));
        until("no folder is left", || !folder.exists());
    }
}

#[test]
fn a_cell_whose_first_process_is_killed_ends_and_its_caller_is_told() {
    for cells in kinds() {
        let mark = mark();
        let shell = leaving_behind(&mark, &format!("sleep {mark}"));
        let running = cells.start(&command(&shell, limits()), null()).unwrap();
        until("it runs", || marked(&mark) > 3);
        for first in children_of(running.guard_id()) {
            kill(first);
        }
        let error = running.wait().unwrap_err();
        assert!(
            matches!(error, RunError::Refused { .. }),
            "{}: {error}",
            cells.kind()
        );
        assert_eq!(marked(&mark), 0, "{}", cells.kind());
    }
}

#[test]
fn no_folder_of_a_command_is_left() {
    for cells in kinds() {
        let shell = "echo $TMPDIR; mkdir -p a/b; echo x > a/b/c; mkdir -m 0 closed";
        let ran = run(cells, &command(shell, limits()));
        let temporary = ran.output.trim();
        if cells.kind() == Kind::WithoutNamespaces {
            assert!(temporary.contains("quern-cell-"));
            assert!(!fs::exists(temporary).unwrap());
        } else {
            assert_eq!(temporary, "/tmp");
        }
    }
}
