//! The inputs that are kept.

use crate::{INPUT_BYTES_MAX, Target};
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Inputs kept of one target: what honest people say, and as many again that fuzzing found.
pub const INPUTS_MAX: usize = 60;

/// Bytes of all inputs kept of one target.
pub const BYTES_MAX: usize = 48 * 1024;

/// Bytes of the whole corpus; a clone carries it for ever.
pub const CORPUS_BYTES_MAX: usize = 300_000;

/// The inputs in a folder, by the names of their files. A folder that is not there has none.
///
/// # Errors
///
/// When the folder cannot be read.
pub fn read(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut inputs = BTreeMap::new();
    if !folder.exists() {
        return Ok(inputs);
    }
    let cannot = || format!("{} cannot be read; see who owns it", folder.display());
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let file = entry.with_context(cannot)?.path();
        if file.is_file() {
            let input = fs::read(&file).with_context(cannot)?;
            inputs.insert(file, input);
        }
    }
    Ok(inputs)
}

/// Makes a target's folder hold its seeds, and of the inputs found as many as there is room for, of all
/// lengths. Whatever else is in it goes. Returns how many inputs it holds then.
///
/// # Errors
///
/// When the folder cannot be written.
pub fn keep(
    target: &Target,
    folder: &Path,
    found: impl IntoIterator<Item = Vec<u8>>,
) -> Result<usize> {
    let kept = chosen(target, found);
    fs::create_dir_all(folder)
        .with_context(|| format!("{} cannot be made; see who owns it", folder.display()))?;
    for file in read(folder)?.into_keys() {
        let is_kept = file
            .file_name()
            .is_some_and(|name| kept.keys().any(|kept| name == kept.as_str()));
        if !is_kept {
            fs::remove_file(&file)
                .with_context(|| format!("{} cannot be removed", file.display()))?;
        }
    }
    for (name, input) in &kept {
        let file = folder.join(name);
        fs::write(&file, input).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(kept.len())
}

fn chosen(target: &Target, found: impl IntoIterator<Item = Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let mut kept: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for seed in target.seeds() {
        kept.insert(name(&seed), seed);
    }
    let mut bytes: usize = kept.values().map(Vec::len).sum();
    let mut found: Vec<Vec<u8>> = found.into_iter().collect();
    found.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
    // Evenly from the shortest to the longest, if there are too many.
    let room = INPUTS_MAX.saturating_sub(kept.len());
    let taken = found.len().min(room);
    for at in 0..taken {
        let Some(input) = found.get(at * found.len() / taken).cloned() else {
            continue;
        };
        let fits = kept.len() < INPUTS_MAX && bytes + input.len() <= BYTES_MAX;
        if fits && input.len() <= INPUT_BYTES_MAX {
            bytes += input.len();
            kept.insert(name(&input), input);
        }
    }
    kept
}

/// An input's name: the first 8 bytes of its SHA-256 in hexadecimal digits.
pub fn name(input: &[u8]) -> String {
    let digest = Sha256::digest(input);
    digest
        .iter()
        .take(8)
        .fold(String::new(), |name, byte| format!("{name}{byte:02x}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::target;

    #[test]
    fn seeds_stay_and_of_what_was_found_inputs_of_all_lengths() {
        let folder = tempfile::tempdir().unwrap();
        let target = target("wire").unwrap();
        fs::write(folder.path().join("stale"), b"stale").unwrap();
        let found = (0..200u8).map(|at| vec![at; usize::from(at) + 1]);
        assert_eq!(keep(target, folder.path(), found).unwrap(), INPUTS_MAX);
        let kept = read(folder.path()).unwrap();
        let inputs: Vec<_> = kept.values().cloned().collect();
        assert!(target.seeds().iter().all(|seed| inputs.contains(seed)));
        let lengths = inputs.iter().filter(|input| input.len() > 150).count();
        assert!(inputs.contains(&vec![0]) && lengths > 5, "{lengths}");
        assert!(!folder.path().join("stale").exists());
        for (file, input) in kept {
            assert_eq!(file.file_name().unwrap(), name(&input).as_str());
        }
    }
}
