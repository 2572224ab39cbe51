//! What is told when a command does not run.

use crate::machine::{
    HELPER_VARIABLE, command, folder, helper, is_superuser, kinds, limits, try_run,
};
use quern_cell::{Cells, Helper, Kind, RunError, probe};
use std::{
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::Command,
};

/// A user that is nobody, as every system has it.
const NOBODY: u32 = 65_534;

#[test]
fn an_input_that_is_not_there_or_no_file_is_named() {
    let folder = folder();
    let missing = folder.path().join("missing");
    for cells in kinds() {
        for path in [missing.as_path(), folder.path()] {
            let inputs = [("/usr/bin/env", "a"), (path.to_str().unwrap(), "b")];
            let command = command(":", limits()).with_inputs(inputs).unwrap();
            let error = try_run(cells, &command).unwrap_err();
            let is_named = matches!(&error, RunError::Input { path: named, .. } if named == path);
            let is_bwraps = matches!(error, RunError::Bubblewrap { .. });
            let may_be_bwraps = cells.kind() == Kind::Bubblewrap && path == missing;
            assert!(
                is_named || (may_be_bwraps && is_bwraps),
                "{}: {error}",
                cells.kind()
            );
        }
    }
}

#[test]
fn an_input_that_only_the_superuser_may_read_is_read_by_no_command() {
    let folder = folder();
    let closed = folder.path().join("closed");
    fs::write(&closed, "x").unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o600)).unwrap();
    for cells in kinds() {
        let command = command("cat closed", limits())
            .with_inputs([(&closed, "closed")])
            .unwrap();
        match (try_run(cells, &command), is_superuser()) {
            (Err(RunError::Input { path, .. }), true) => assert_eq!(path, closed),
            // Its owner may read it.
            (Ok(ran), false) => assert_eq!(ran.output, "x"),
            (other, _) => panic!("{}: {other:?}", cells.kind()),
        }
    }
}

#[test]
fn where_no_cell_can_be_made_it_is_said_why_not() {
    let nothing = Helper {
        program: "/nonexistent/helper".into(),
        arguments: Vec::new(),
    };
    let found = probe(&nothing);
    assert!(found.cells.is_none());
    assert_eq!(found.missing.len(), 3);
    let told = found.to_string();
    assert!(
        told.starts_with("none\nnot full: the program that makes a cell"),
        "{told}"
    );

    let no_cell = Helper {
        program: "/bin/true".into(),
        arguments: Vec::new(),
    };
    let told = probe(&no_cell).to_string();
    assert!(told.contains("calls `quern_cell::inside`"), "{told}");
}

#[test]
fn what_is_found_is_the_strongest_kind_that_there_is() {
    let found = probe(&helper());
    let kinds: Vec<Kind> = kinds().iter().map(Cells::kind).collect();
    assert_eq!(found.cells.map(|it| it.kind()), kinds.first().copied());
    let stronger = Kind::ALL.iter().take_while(|it| Some(*it) != kinds.first());
    let missing = found.missing.iter().map(|it| &it.kind);
    assert!(missing.eq(stronger));
}

#[test]
fn without_bwrap_it_is_said_what_to_install() {
    let told = Command::new(helper().program)
        .args(["bubblewrap", "5", ":"])
        .env("PATH", "/nonexistent")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(!told.status.success());
    assert!(said.contains("install bubblewrap"), "{said}");
}

/// All of these tests once more, as a user who may do nothing special, where whoever runs them may
/// become one.
#[test]
fn all_of_it_holds_whoever_runs_the_cell() {
    if !is_superuser() {
        return;
    }
    // Where this user may look, whatever the folders above the built programs allow.
    let folder = folder();
    let everybody = |path: &std::path::Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    let copy = |from: &std::path::Path, name: &str| {
        let to = folder.path().join(name);
        fs::copy(from, &to).unwrap();
        everybody(&to, 0o755);
        to
    };
    let tests = copy(&std::env::current_exe().unwrap(), "tests");
    let helper = copy(&helper().program, "helper");
    everybody(folder.path(), 0o1777);
    let ran = Command::new(tests)
        .current_dir("/")
        .env(HELPER_VARIABLE, helper)
        .env("TMPDIR", folder.path())
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{told}\n{said}");
    assert!(told.contains("test result: ok"), "{told}");
}
