use super::*;

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// What cargo asks for a library, with the rest of its words.
fn library(more: &str) -> Vec<String> {
    words(&format!(
        "--crate-name quern_grid --edition=2024 compute-side/grid/src/lib.rs --error-format=json \
         --json=diagnostic-rendered-ansi,artifacts,future-incompat --crate-type lib \
         --emit=dep-info,metadata,link -C opt-level=2 --warn=clippy::panic \
         --cfg feature=\"std\" --check-cfg cfg(docsrs,test) -C metadata=0a -C extra-filename=-0b \
         --out-dir /t/debug/deps -C incremental=/t/debug/incremental -L dependency=/t/debug/deps \
         --extern serde=/t/debug/deps/libserde-1.rmeta {more}"
    ))
}

fn programs(arguments: &[String]) -> Vec<&'static str> {
    looks(arguments, false)
        .iter()
        .map(|it| it.program)
        .collect()
}

#[test]
fn a_call_is_known_by_the_name_it_goes_to() {
    let call = |line: &str| Call::heard(words(line).into_iter().map(OsString::from));
    assert_eq!(
        call("/t/looks/0f/compile-and-look rustc -vV"),
        Some(Call {
            folder: PathBuf::from("/t/looks/0f"),
            compiler: OsString::from("rustc"),
            arguments: vec![OsString::from("-vV")],
        })
    );
    assert_eq!(call("/t/debug/xtask ci"), None);
    assert_eq!(call("compile-and-look"), None);
}

#[test]
fn clippy_looks_at_what_was_compiled_and_overwrites_nothing_of_it() {
    assert_eq!(
        looks(&library(""), false).first(),
        Some(&Look {
            program: "clippy-driver",
            arguments: words(
                "--crate-name quern_grid --edition=2024 compute-side/grid/src/lib.rs \
                 --error-format=json --json=diagnostic-rendered-ansi --crate-type lib \
                 -C opt-level=2 --warn=clippy::panic --cfg feature=\"std\" \
                 --check-cfg cfg(docsrs,test) -C metadata=0a -C extra-filename=-0b \
                 -L dependency=/t/debug/deps --extern serde=/t/debug/deps/libserde-1.rmeta \
                 --emit=metadata -D warnings"
            ),
        })
    );
}

#[test]
fn rustdoc_reads_a_library_as_cargo_doc_has_it_read() {
    assert_eq!(
        looks(&library(""), false).get(1),
        Some(&Look {
            program: "rustdoc",
            arguments: words(
                "--crate-name quern_grid --edition=2024 compute-side/grid/src/lib.rs \
                 --error-format=json --json=diagnostic-rendered-ansi --crate-type lib \
                 --warn=clippy::panic --cfg feature=\"std\" --check-cfg cfg(docsrs,test) \
                 -C metadata=0a -L dependency=/t/debug/deps \
                 --extern serde=/t/debug/deps/libserde-1.rmeta -D warnings"
            ),
        })
    );
}

#[test]
fn a_program_is_documented_with_what_is_private_unless_a_library_has_its_name() {
    let alone = words("--crate-name quern worker/src/main.rs --crate-type bin --extern clap=/c");
    assert_eq!(programs(&alone), ["clippy-driver", "rustdoc"]);
    let documented = looks(&alone, false).pop().unwrap().arguments;
    assert!(documented.contains(&"--document-private-items".to_owned()));

    let mut with_library = alone;
    with_library.extend(words("--extern quern=/t/debug/deps/libquern-1.rlib"));
    assert_eq!(programs(&with_library), ["clippy-driver"]);
}

#[test]
fn tests_examples_and_build_scripts_are_linted_and_not_documented() {
    for line in [
        "--crate-name quern_grid compute-side/grid/src/lib.rs --test",
        "--crate-name house tests/house/tests/house.rs --test",
        "--crate-name render worker/programs/path-tracer/examples/render.rs --crate-type bin",
        "--crate-name build_script_build runtime/build.rs --crate-type bin",
    ] {
        assert_eq!(programs(&words(line)), ["clippy-driver"], "{line}");
    }
}

#[test]
fn clippy_looks_once_at_what_is_compiled_with_its_tests_too() {
    let programs = |line: &str| -> Vec<_> {
        let looks = looks(&words(line), true);
        looks.iter().map(|it| it.program).collect()
    };
    assert_eq!(
        programs("--crate-name quern_grid compute-side/grid/src/lib.rs --crate-type lib"),
        ["rustdoc"]
    );
    for line in [
        "--crate-name quern_grid compute-side/grid/src/lib.rs --test",
        "--crate-name house tests/house/tests/house.rs --test",
        "--crate-name render worker/programs/path-tracer/examples/render.rs --crate-type bin",
        "--crate-name build_script_build runtime/build.rs --crate-type bin",
    ] {
        assert_eq!(programs(line), ["clippy-driver"], "{line}");
    }
}

#[test]
fn questions_and_the_runtimes_wasm_are_the_compilers_alone() {
    for line in [
        "-vV",
        "- --crate-name ___ --print=file-names --crate-type bin -Wwarnings",
        "--crate-name dummy src/lib.rs --print sysroot",
        "--crate-name dummy src/lib.rs --version",
    ] {
        assert!(looks(&words(line), false).is_empty(), "{line}");
    }
    assert!(looks(&library("--target wasm32v1-none"), false).is_empty());
    assert!(looks(&library("--target=wasm32v1-none"), false).is_empty());
    assert!(!looks(&library("--target x86_64-unknown-linux-gnu"), false).is_empty());
}

#[test]
fn what_does_not_compile_keeps_its_exit_code_and_is_not_looked_at() -> Result<()> {
    let call = Call {
        folder: PathBuf::from("/nowhere"),
        compiler: OsString::from("sh"),
        arguments: ["-c", "exit 3"].map(OsString::from).to_vec(),
    };
    assert_eq!(call.carry_out()?, 3);
    Ok(())
}

#[test]
fn a_program_that_a_signal_ends_has_failed() {
    assert!(exit_code(Command::new("sh").args(["-c", "kill -9 $$"])).is_err());
    assert!(exit_code(&mut Command::new("no-program-of-this-name")).is_err());
}
