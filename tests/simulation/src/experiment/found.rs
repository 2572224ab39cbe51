//! Whether what a folder says was found follows from the runs that are in it, and these from the scheduler of
//! today.

use super::{PAGE, case::Case, runs::Runs};
use std::{collections::BTreeMap, fs, path::Path};

/// What a command writes of all its runs that are in a folder; none if the folder's page says that the command
/// has not been run. Fails where something else stands there, or runs of these cases do not.
///
/// `runs` is the name of the file of runs, `not_run` what the page says as long as nothing was found. `write`
/// writes everything of the runs in the folder that it is given, and returns what a caller wants of that.
pub(super) fn again<T>(
    folder: &Path,
    (runs, not_run): (&str, &str),
    cases: &[Case],
    write: impl FnOnce(&Path) -> T,
) -> Result<Option<T>, String> {
    let page = fs::read_to_string(folder.join(PAGE)).unwrap();
    let made = fs::read_to_string(folder.join(runs));
    if page.contains(not_run) {
        let told = "the page says that nothing was run, beside a file of runs";
        return made.is_err().then_some(None).ok_or(told.into());
    }
    let copy = tempfile::tempdir().unwrap();
    fs::write(copy.path().join(PAGE), page).unwrap();
    fs::write(copy.path().join(runs), made.unwrap_or_default()).unwrap();
    let known = Runs::read(copy.path().join(runs)).unwrap();
    let missing = known.missing(cases).len();
    if missing > 0 {
        return Err(format!("{missing} runs were not made with these defaults"));
    }
    let written = write(copy.path());
    for (name, text) in files(copy.path()) {
        if fs::read_to_string(folder.join(&name)).ok() != Some(text) {
            return Err(format!("{name} does not follow from the runs"));
        }
    }
    Ok(Some(written))
}

/// Makes some of a folder's runs again. Fails at the first of which something else stands in the file of runs;
/// where there is no such file nothing is said of any.
pub(super) fn repeats<'a>(
    folder: &Path,
    runs: &str,
    cases: impl IntoIterator<Item = &'a Case>,
) -> Result<(), String> {
    let path = folder.join(runs);
    if !path.exists() {
        return Ok(());
    }
    let known = Runs::read(path).unwrap();
    for case in cases {
        let (told, made) = (known.outcome(case), case.run().unwrap());
        if told != Some(made) {
            let name = case.name();
            return Err(format!(
                "the run {name} was {told:?} and is {made:?}; count MODEL up and make all runs again"
            ));
        }
    }
    Ok(())
}

/// The files of a folder, by their names.
pub(super) fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}
