//! What a command finds that means no harm.

use crate::machine::{command, folder, kinds, limits, run};
use quern_cell::{Command, DIAGNOSTICS_BYTES_MAX, Ending};
use std::fs;

#[test]
fn a_command_finds_its_variables_its_arguments_and_nothing_to_read() {
    let shell = "env | sort; echo \"$0 $1 $2\"; wc -c; umask";
    for cells in kinds() {
        let told = [("QUERN_PIECE", "4"), ("QUERN_PIECES", "5")];
        let command = Command::new(shell, limits())
            .and_then(|it| it.with_environment(told))
            .and_then(|it| it.with_arguments(["one", "two words"]))
            .unwrap();
        let ran = run(cells, &command);
        assert_eq!(ran.ending(), Ending::Success, "{}", ran.said());
        let mut lines: Vec<&str> = ran.output.lines().collect();
        lines.retain(|line| {
            !["HOME=", "TMPDIR=", "PWD="]
                .iter()
                .any(|it| line.starts_with(it))
        });
        let wanted = [
            "LANG=C.UTF-8",
            "PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
            "QUERN_PIECE=4",
            "QUERN_PIECES=5",
            "TZ=UTC",
            "sh one two words",
            "0",
            "0022",
        ];
        assert_eq!(lines, wanted, "{}", cells.kind());
    }
}

#[test]
fn a_command_reads_its_inputs_and_writes_beside_them() {
    let folder = folder();
    let from = folder.path().join("words with spaces");
    fs::write(&from, "b\na\n").unwrap();
    let shell = "sort deep/er/words > sorted && cp sorted \"$HOME/copy\" && cat \"$TMPDIR/copy\"; \
        ls -R | grep -c words";
    for cells in kinds() {
        let inputs = [(from.as_path(), "deep/er/words"), (&from, "deep/words")];
        let command = command(shell, limits()).with_inputs(inputs).unwrap();
        let ran = run(cells, &command);
        assert_eq!(ran.output, "a\nb\n2\n", "{}: {}", cells.kind(), ran.said());
    }
}

#[test]
fn how_the_shell_ended_is_told() {
    for (shell, ending) in [
        ("exit 0", Ending::Success),
        ("exit 7", Ending::Code(7)),
        ("no-such-program", Ending::Code(127)),
        ("kill -SEGV $$", Ending::Signal(11)),
        ("kill -KILL $$", Ending::Signal(9)),
    ] {
        for cells in kinds() {
            let ran = run(cells, &command(shell, limits()));
            assert_eq!(ran.ending(), ending, "{} {shell}", cells.kind());
        }
    }
}

#[test]
fn the_last_words_of_a_command_are_kept_and_no_more() {
    let shell = "yes 0123456789abcde | head -c 1000000 >&2; echo the end >&2; echo out";
    for cells in kinds() {
        let ran = run(cells, &command(shell, limits()));
        assert_eq!(ran.output, "out\n");
        assert_eq!(ran.outcome.diagnostics.len(), DIAGNOSTICS_BYTES_MAX);
        assert!(ran.said().ends_with("the end\n"));
    }
}

#[test]
fn a_command_is_the_same_user_on_every_machine_where_it_has_names_of_its_own() {
    for cells in kinds()
        .iter()
        .filter(|it| it.kind() != quern_cell::Kind::WithoutNamespaces)
    {
        let ran = run(
            cells,
            &command("id -u; id -g; uname -n; pwd; echo $HOME", limits()),
        );
        assert_eq!(
            ran.output,
            "1000\n1000\ncell\n/tmp/work\n/tmp\n",
            "{}",
            ran.said()
        );
    }
}
