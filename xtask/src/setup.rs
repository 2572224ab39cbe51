//! What the machine must have, and how it gets what is missing.
//!
//! Needed beforehand: git, a C and C++ toolchain (Debian's build-essential) and cargo by rustup.
//! Everything else is brought here, and said aloud while it is brought.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    cargo::{Cargo, Protoc, run},
    places::Places,
    stand_ins,
    steps::Steps,
};

/// What build scripts of crates with C or C++ in them call. All of it comes with build-essential.
const NATIVE_TOOLS: [&str; 3] = ["cc", "c++", "make"];

/// Debian's packages that turn a C program into one of the sandbox's programs.
const C_PROGRAM_PACKAGES: [&str; 4] = ["clang", "lld", "wasi-libc", "libclang-rt-14-dev-wasm32"];

/// Makes the machine ready for a build.
pub(crate) fn all(places: &Places, steps: &mut Steps) -> Result<Cargo> {
    let cargo = toolchain_only(places, steps)?;
    steps.step("Dependencies: cargo fetch", || {
        // For every platform, because `cargo metadata`, by which the house rules are held, reads
        // the manifests of all of them.
        run(
            cargo.locked("fetch").arg("--quiet"),
            "it needs crates.io once; if Cargo.lock is out of date, run `cargo update --workspace`",
        )
    })?;
    Ok(cargo)
}

/// Makes the compilers ready, without fetching what the workspace depends on.
pub(crate) fn toolchain_only(places: &Places, steps: &mut Steps) -> Result<Cargo> {
    steps.step("Tools: compilers, targets, protoc", || {
        native_tools()?;
        rust_toolchain(places)?;
        stand_ins::keep_age(places)?;
        Ok(Cargo::new(places, protoc()?))
    })
}

/// Brings the tools that make a Wasm program of C, where that is possible. They serve one test,
/// which says itself that it is skipped where they are missing.
pub(crate) fn c_for_the_sandbox(places: &Places, steps: &mut Steps) -> Result<()> {
    steps.step("Tools for one test: C to WebAssembly", || {
        if compiles_c(places)? {
            println!("    clang with wasi-libc is here");
            return Ok(());
        }
        if !may_install() {
            println!(
                "    clang or wasi-libc is missing and cannot be installed without root and apt: \
                 the test that runs a C program WILL BE SKIPPED.\n    To have it, install {}",
                C_PROGRAM_PACKAGES.join(" ")
            );
            return Ok(());
        }
        println!(
            "    installing {} with apt-get",
            C_PROGRAM_PACKAGES.join(" ")
        );
        let installed = apt_get(&["update"])
            .and_then(|()| apt_get(&["install", "--yes", "--no-install-recommends"]));
        match installed {
            Ok(()) if compiles_c(places)? => println!("    clang with wasi-libc is here now"),
            Ok(()) => println!(
                "    installed, but clang still makes no WebAssembly of C: the test that runs a C \
                 program WILL BE SKIPPED"
            ),
            Err(error) => {
                println!("    {error:#}\n    the test that runs a C program WILL BE SKIPPED")
            }
        }
        Ok(())
    })
}

fn native_tools() -> Result<()> {
    let missing: Vec<&str> = NATIVE_TOOLS
        .into_iter()
        .filter(|tool| !answers(Command::new(tool).arg("--version")))
        .collect();
    ensure!(
        missing.is_empty(),
        "{} not found; on Debian: apt-get install build-essential",
        missing.join(", ")
    );
    Ok(())
}

/// Adds the targets and components that `rust-toolchain.toml` names and the toolchain lacks.
/// Rustup does this by itself unless RUSTUP_AUTO_INSTALL forbids it, so it is asked explicitly.
fn rust_toolchain(places: &Places) -> Result<()> {
    let file = places.root.join("rust-toolchain.toml");
    let wanted =
        fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    let library = sysroot(places)?.join("lib/rustlib");

    let mut targets = listed(&wanted, "targets")?;
    targets.retain(|target| !library.join(target).join("lib").is_dir());
    if !targets.is_empty() {
        rustup(places, &["target", "add"], &targets)?;
    }

    let mut components = listed(&wanted, "components")?;
    components.retain(|component| !has_component(places, &library, component));
    if !components.is_empty() {
        rustup(places, &["component", "add"], &components)?;
    }
    Ok(())
}

fn has_component(places: &Places, library: &Path, component: &str) -> bool {
    let cargo = || {
        let mut command = Command::new(crate::places::cargo_program());
        command.current_dir(&places.root);
        command
    };
    match component {
        "rust-src" => library.join("src/rust/library/core/src/lib.rs").is_file(),
        "rustfmt" => answers(cargo().args(["fmt", "--version"])),
        "clippy" => answers(cargo().args(["clippy", "--version"])),
        _ => false,
    }
}

/// Where the toolchain keeps its libraries and programs.
pub(crate) fn sysroot(places: &Places) -> Result<PathBuf> {
    sysroot_of(Command::new("rustc").current_dir(&places.root))
}

/// Where the toolchain of this compiler keeps its libraries and programs.
pub(crate) fn sysroot_of(compiler: &mut Command) -> Result<PathBuf> {
    let output = compiler
        .args(["--print", "sysroot"])
        .output()
        .context("rustc cannot be started; install Rust with rustup")?;
    ensure!(
        output.status.success(),
        "rustc does not say where its libraries are:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

fn rustup(places: &Places, action: &[&str], names: &[String]) -> Result<()> {
    println!("    rustup {} {}", action.join(" "), names.join(" "));
    run(
        Command::new("rustup")
            .args(action)
            .args(names)
            .current_dir(&places.root),
        "rustup must be able to add to the toolchain that rust-toolchain.toml names; a toolchain \
         from elsewhere must already hold these",
    )
}

/// The strings of `KEY = ["a", "b"]`, a line of `rust-toolchain.toml`.
fn listed(manifest: &str, key: &str) -> Result<Vec<String>> {
    let line = manifest
        .lines()
        .find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='))
        .with_context(|| format!("rust-toolchain.toml has no line `{key} = [...]`"))?;
    Ok(line
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect())
}

/// The vendored protoc, unless the machine has one of its own.
fn protoc() -> Result<Option<Protoc>> {
    let of_the_machine = std::env::var_os("PROTOC").unwrap_or_else(|| "protoc".into());
    if answers(Command::new(&of_the_machine).arg("--version")) {
        return Ok(None);
    }
    if std::env::var_os("PROTOC").is_some() {
        bail!("the variable PROTOC names a program that does not start; unset or mend it");
    }
    let program = protoc_bin_vendored::protoc_bin_path().context(
        "no protoc on the PATH and none vendored for this platform; install protobuf-compiler",
    )?;
    let include = protoc_bin_vendored::include_path().context(
        "the vendored protoc came without its include folder; install protobuf-compiler",
    )?;
    ensure!(
        answers(Command::new(&program).arg("--version")),
        "the vendored protoc does not start here; install protobuf-compiler"
    );
    println!("    no protoc on the PATH; the vendored one serves");
    Ok(Some(Protoc { program, include }))
}

/// Compiles and links a C program for the sandbox, since clang without a library for the target,
/// or without a linker, is no help.
fn compiles_c(places: &Places) -> Result<bool> {
    let folder = places.target.join("c-probe");
    fs::create_dir_all(&folder)
        .with_context(|| format!("{} cannot be made; see who owns it", folder.display()))?;
    let source = folder.join("probe.c");
    fs::write(
        &source,
        "#include <stdio.h>\nint main(void) { return puts(\"probe\") < 0; }\n",
    )
    .with_context(|| format!("{} cannot be written; see who owns it", source.display()))?;
    Ok(answers(
        Command::new("clang")
            .arg("--target=wasm32-wasi")
            .arg(&source)
            .arg("-o")
            .arg(folder.join("probe.wasm")),
    ))
}

fn may_install() -> bool {
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    is_root && answers(Command::new("apt-get").arg("--version"))
}

fn apt_get(action: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .arg("--quiet=2")
        .args(action)
        .env("DEBIAN_FRONTEND", "noninteractive");
    if action.contains(&"install") {
        command.args(C_PROGRAM_PACKAGES);
    }
    run(command.stdin(Stdio::null()), "see what apt-get says above")
}

/// Whether a program starts and ends well. Its output is not shown.
fn answers(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_components_come_from_the_toolchain_file() -> Result<()> {
        let file = "[toolchain]\nchannel = \"stable\"\ntargets = [\"a-b\", \"c\"]\ncomponents=[]\n";
        assert_eq!(listed(file, "targets")?, ["a-b", "c"]);
        assert!(listed(file, "components")?.is_empty());
        assert!(listed(file, "profile").is_err());
        Ok(())
    }

    #[test]
    fn the_projects_own_toolchain_file_names_what_the_chain_and_the_sandbox_are_built_for()
    -> Result<()> {
        let file = include_str!("../../rust-toolchain.toml");
        let targets = listed(file, "targets")?;
        assert!(
            targets.iter().any(|it| it == "wasm32v1-none"),
            "the runtime's target"
        );
        assert!(
            targets.iter().any(|it| it == "wasm32-wasip1"),
            "the programs' target"
        );
        Ok(())
    }

    #[test]
    fn a_program_that_is_not_there_does_not_answer() {
        assert!(answers(&mut Command::new("true")));
        assert!(!answers(&mut Command::new("false")));
        assert!(!answers(&mut Command::new("no-program-of-this-name")));
    }
}
