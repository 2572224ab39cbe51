//! What stands in for crates of others: its age, and the lints that look at it.
//!
//! Cargo compiles anew what is younger than what was made of it, and in a fresh clone everything is
//! young. Most of the dependencies stand on `stand-ins/`, which hardly ever changes: it gets the age
//! that it had when it was last seen with the same content, wherever that clone was.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};

use crate::{
    cargo::{Cargo, run_beside},
    places::Places,
};

/// Gives the files their age.
pub(crate) fn keep_age(places: &Places) -> Result<()> {
    let files = files_below(&places.root.join("stand-ins"))?;
    let known = places.target.join("stand-ins.age");
    let content = digest(&places.root, &files)?;
    let since = match read(&known).filter(|(seen, _)| *seen == content) {
        Some((_, since)) => since,
        None => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
            fs::create_dir_all(&places.target)
                .and_then(|()| fs::write(&known, format!("{content:016x} {now}\n")))
                .with_context(|| {
                    format!("{} cannot be written; see who owns it", known.display())
                })?;
            now
        }
    };
    for file in &files {
        File::options()
            .write(true)
            .open(file)
            .and_then(|it| it.set_modified(UNIX_EPOCH + Duration::from_secs(since)))
            .with_context(|| {
                format!(
                    "{} cannot be given its age; see who owns it",
                    file.display()
                )
            })?;
    }
    Ok(())
}

/// Lints look at them. Of what cargo compiles they look at members of the workspace alone, so copies of
/// the stand-ins are given a workspace of their own, with the same versions of what they need.
pub(crate) fn lints(places: &Places, cargo: &Cargo) -> Result<()> {
    let looks = places.target.join("looks");
    let folder = looks.join("stand-ins");
    copy(places, &folder)
        .with_context(|| format!("{} cannot be written; see who owns it", folder.display()))?;
    let mut clippy = cargo.plain("clippy");
    clippy
        .current_dir(&folder)
        .args(["--offline", "--workspace", "--target-dir"])
        .arg(looks.join("of-stand-ins"))
        .args(["--", "-D", "warnings", "-D", "missing_docs"]);
    run_beside(&clippy, "each lint above says what it wants")
}

/// Copies them into a workspace, and nothing that was there before stays.
fn copy(places: &Places, folder: &Path) -> Result<()> {
    let ours = places.root.join("stand-ins");
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let mut members = Vec::new();
    for file in files_below(&ours)? {
        let name = file.strip_prefix(&ours)?;
        let to = folder.join(name);
        fs::create_dir_all(to.parent().unwrap_or(folder))?;
        fs::copy(&file, &to)?;
        if name.ends_with("Cargo.toml") {
            members.extend(name.parent().map(|it| it.display().to_string()));
        }
    }
    fs::copy(places.root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let manifest = format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n");
    fs::write(folder.join("Cargo.toml"), manifest)?;
    Ok(())
}

/// The content that was last seen, and since when.
fn read(known: &Path) -> Option<(u64, u64)> {
    let text = fs::read_to_string(known).ok()?;
    let (content, since) = text.trim_end().split_once(' ')?;
    Some((u64::from_str_radix(content, 16).ok()?, since.parse().ok()?))
}

fn digest(root: &Path, files: &[PathBuf]) -> Result<u64> {
    let mut digest = DefaultHasher::new();
    for file in files {
        file.strip_prefix(root)?.hash(&mut digest);
        fs::read(file)
            .with_context(|| format!("{} cannot be read", file.display()))?
            .hash(&mut digest);
    }
    Ok(digest.finish())
}

/// Every file below a folder, in the order of their names.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clone_at(folder: &Path, text: &str) -> Result<Places> {
        let root = folder.to_owned();
        fs::create_dir_all(root.join("stand-ins/timers/src"))?;
        fs::write(root.join("stand-ins/timers/src/lib.rs"), text)?;
        fs::write(root.join("stand-ins/timers/Cargo.toml"), "[package]")?;
        let target = folder.with_file_name("target");
        Ok(Places {
            root,
            target,
            sandboxed: vec![],
            pallets: vec![],
        })
    }

    fn age(places: &Places) -> Result<SystemTime> {
        let file = places.root.join("stand-ins/timers/src/lib.rs");
        Ok(fs::metadata(file)?.modified()?)
    }

    #[test]
    fn the_same_content_is_as_old_in_every_clone_and_another_is_young() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("quern-age-{}", std::process::id()));
        let first = clone_at(&folder.join("first"), "one")?;
        keep_age(&first)?;
        let long_ago = format!(
            "{:016x} 1000\n",
            digest(&first.root, &files_below(&first.root.join("stand-ins"))?)?
        );
        fs::write(first.target.join("stand-ins.age"), long_ago)?;

        let second = clone_at(&folder.join("second"), "one")?;
        keep_age(&second)?;
        assert_eq!(age(&second)?, UNIX_EPOCH + Duration::from_secs(1000));

        let third = clone_at(&folder.join("third"), "another")?;
        keep_age(&third)?;
        assert!(age(&third)? > UNIX_EPOCH + Duration::from_secs(1_000_000));
        keep_age(&first)?;
        assert!(
            age(&first)? >= age(&third)?,
            "what was made last is of the other content"
        );
        fs::remove_dir_all(folder)?;
        Ok(())
    }

    #[test]
    fn lints_look_at_what_stands_in_now_with_the_versions_that_are_built() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("quern-copies-{}", std::process::id()));
        let places = clone_at(&folder.join("clone"), "one")?;
        fs::write(places.root.join("Cargo.lock"), "version = 4")?;
        let copies = folder.join("copies");
        fs::create_dir_all(copies.join("gone"))?;
        copy(&places, &copies)?;
        assert!(!copies.join("gone").exists());
        assert_eq!(fs::read(copies.join("timers/src/lib.rs"))?, b"one");
        assert_eq!(fs::read(copies.join("Cargo.lock"))?, b"version = 4");
        assert_eq!(
            fs::read_to_string(copies.join("Cargo.toml"))?,
            "[workspace]\nresolver = \"3\"\nmembers = [\"timers\"]\n"
        );
        fs::remove_dir_all(folder)?;
        Ok(())
    }
}
