//! The program does what `tr`, `sort` and `uniq` do.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_histogram");

fn piped(command: &mut Command, input: &[u8]) -> (Option<i32>, Vec<u8>, Vec<u8>) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that stops early closes its end; what it says then is what is looked at.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    (output.status.code(), output.stdout, output.stderr)
}

/// A text of a few thousand different words, some of them not UTF-8.
fn text() -> Vec<u8> {
    let mut state = 1_u32;
    let mut text = b"  starts with blanks\n".to_vec();
    for _ in 0..60_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [kind, blank, high, low] = state.to_be_bytes();
        let number = u16::from_be_bytes([high, low]) >> (kind % 16);
        text.extend_from_slice(format!("W{number:x}").as_bytes());
        if kind % 7 == 0 {
            text.extend_from_slice(&[0xc3, high | 0x80]);
        }
        text.extend_from_slice(
            [b" ", &b"\n"[..], b"\t", b" \r\n", b"\x0b", b" \x0c "][blank as usize % 6],
        );
    }
    text
}

#[test]
fn program_agrees_with_the_tools() {
    let text = text();
    let script = "tr -s '[:space:]' '\\n' | sed '/^$/d' | sort | uniq -c | sed 's/^ *//'";
    let (code, expected, _) = piped(
        Command::new("sh").args(["-c", script]).env("LC_ALL", "C"),
        &text,
    );
    assert_eq!(code, Some(0));
    let (code, counted, _) = piped(&mut Command::new(PROGRAM), &text);
    assert_eq!(code, Some(0));
    assert!(counted == expected, "the program and the tools disagree");
}

#[test]
fn program_merges_its_own_outputs() {
    let text = text();
    let cut = text
        .iter()
        .enumerate()
        .skip(text.len() / 3)
        .find(|(_, b)| **b == b'\n')
        .unwrap()
        .0;
    let count = |text: &[u8]| piped(&mut Command::new(PROGRAM), text).1;
    let parts = [count(&text[..cut]), count(&text[cut..])].concat();
    let (code, merged, _) = piped(Command::new(PROGRAM).arg("--merge"), &parts);
    assert_eq!(code, Some(0));
    assert!(merged == count(&text));
}

#[test]
fn faults_end_the_program_with_code_two_and_one_line() {
    for (arguments, input) in [(&["--fast"][..], &b""[..]), (&["--merge"], b"no output\n")] {
        let (code, output, complaint) = piped(Command::new(PROGRAM).args(arguments), input);
        assert_eq!(code, Some(2));
        assert!(output.is_empty());
        assert_eq!(complaint.iter().filter(|b| **b == b'\n').count(), 1);
    }
}
