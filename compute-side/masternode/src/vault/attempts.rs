//! How often each task was begun to be computed here without coming to an end: a byte for each time, in a file for each
//! task beside the depot's, so that they outlive the masternode. They are not counted: there are those of the tasks that
//! are computed at the time, and of those that ended the masternode.

use quern_primitives::{JobId, TaskIndex};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// What a job's folder in the depot had them in, when they were there.
const BEFORE: &str = "attempts";

/// The notes of all jobs.
#[derive(Debug)]
pub(super) struct Attempts {
    folder: PathBuf,
}

impl Attempts {
    /// The notes in a folder, made if it is not there. Those that are still among the things of a depot are moved there.
    pub(super) fn open(folder: PathBuf, depot: &Path) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let attempts = Self { folder };
        for found in entries(depot)? {
            if let Some(job) = job_named(&found.path()) {
                attempts.take_over(job, &found.path())?;
            }
        }
        Ok(attempts)
    }

    fn take_over(&self, job: JobId, depot: &Path) -> io::Result<()> {
        let before = depot.join(BEFORE);
        for found in entries(&before)? {
            let name = found.file_name();
            let task = name.to_str().and_then(|task| task.parse().ok());
            if let Some(task) = task {
                fs::rename(found.path(), self.path(job, task))?;
            }
        }
        // An error says that there is something else, or was nothing.
        let _ = fs::remove_dir(before).and_then(|()| fs::remove_dir(depot));
        Ok(())
    }

    /// Notes that a task begins, and says how often it did before without coming to an end.
    pub(super) fn begin(&self, job: JobId, task: TaskIndex) -> io::Result<u64> {
        let path = self.path(job, task);
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let before = file.metadata()?.len();
        file.write_all(&[0])?;
        Ok(before)
    }

    /// A task has come to an end.
    pub(super) fn end(&self, job: JobId, task: TaskIndex) -> io::Result<()> {
        found(fs::remove_file(self.path(job, task)))
    }

    /// Erases those of a job.
    pub(super) fn erase(&self, job: JobId) -> io::Result<()> {
        let of_job = name_of(job);
        for entry in entries(&self.folder)? {
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name.starts_with(&of_job)) {
                found(fs::remove_file(entry.path()))?;
            }
        }
        Ok(())
    }

    fn path(&self, job: JobId, task: TaskIndex) -> PathBuf {
        self.folder.join(format!("{}{task}", name_of(job)))
    }
}

/// How the names of a job's notes begin.
fn name_of(job: JobId) -> String {
    format!("{}-", hex::encode(job.0))
}

/// The job whose folder has this name.
fn job_named(path: &Path) -> Option<JobId> {
    let mut job = JobId([0; 32]);
    let name = path.file_name()?.to_str()?;
    hex::decode_to_slice(name, &mut job.0).ok()?;
    Some(job)
}

/// What is in a folder; nothing if it is not there.
fn entries(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(vec![]),
        entries => entries?.collect(),
    }
}

/// What is not there need not be erased.
fn found(erased: io::Result<()>) -> io::Result<()> {
    match erased {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const JOB: JobId = JobId([1; 32]);

    #[test]
    fn what_is_begun_counts_until_it_comes_to_an_end_or_its_job_does() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Attempts::open(folder.path().join("attempts"), Path::new("nowhere")).unwrap();
        let attempts = open();
        for before in 0..3 {
            assert_eq!(attempts.begin(JOB, 7).unwrap(), before);
        }
        assert_eq!(attempts.begin(JOB, 8).unwrap(), 0, "another task");
        let attempts = open();
        assert_eq!(attempts.begin(JOB, 7).unwrap(), 3, "after a restart too");
        for _ in 0..2 {
            attempts.end(JOB, 7).unwrap();
        }
        assert_eq!(attempts.begin(JOB, 7).unwrap(), 0);
        for _ in 0..2 {
            attempts.erase(JOB).unwrap();
        }
        assert_eq!(attempts.begin(JOB, 8).unwrap(), 0);
        attempts.erase(JobId([2; 32])).unwrap();
        assert_eq!(attempts.begin(JOB, 8).unwrap(), 1, "another job");
    }

    #[test]
    fn notes_that_are_among_the_things_of_a_depot_are_moved() {
        let folder = tempfile::tempdir().unwrap();
        let (depot, attempts) = (folder.path().join("jobs"), folder.path().join("attempts"));
        let job = depot.join(hex::encode(JOB.0));
        let write = |task: &str, times: usize| {
            fs::create_dir_all(job.join(BEFORE)).unwrap();
            fs::write(job.join(BEFORE).join(task), vec![0; times]).unwrap();
        };
        write("7", 2);
        let other = depot.join("no job").join(BEFORE);
        fs::create_dir_all(&other).unwrap();
        let opened = Attempts::open(attempts.clone(), &depot).unwrap();
        assert!(!job.exists(), "it had nothing else");
        assert!(other.exists(), "it is no job's");
        assert_eq!(opened.begin(JOB, 7).unwrap(), 2);
        write("8", 9);
        write("of somebody else", 1);
        fs::write(job.join("manifest"), "of the job").unwrap();
        let opened = Attempts::open(attempts, &depot).unwrap();
        assert_eq!(opened.begin(JOB, 8).unwrap(), 9);
        assert!(job.join(BEFORE).join("of somebody else").exists());
        assert!(job.join("manifest").exists());
    }
}
