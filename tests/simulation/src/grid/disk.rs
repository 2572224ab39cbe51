//! The masternode's disk: what is appended is written later, or never.

use quern_masternode::core::{Entry, Line, Noted, Ticket, in_order};
use quern_primitives::ids::{DeviceId, Digest, JobId, TaskIndex};
use quern_protocol::ReplicaId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[derive(Default)]
pub(super) struct Disk {
    logs: BTreeMap<JobId, Vec<Entry>>,
    /// Notes beside each job's log, also those that are not written: they are lost with the entries before
    /// them.
    notes: BTreeMap<JobId, Vec<Noted>>,
    /// Appended and not written, oldest first.
    waiting: VecDeque<(Ticket, JobId, Entry)>,
    /// Entries of each job that wait.
    unwritten: BTreeMap<JobId, u64>,
    /// Jobs that the masternode was told of.
    pub(super) remembered: BTreeSet<JobId>,
    /// Of them, those for which everything is there that each of their tasks needs.
    pub(super) uploaded: BTreeSet<JobId>,
    /// The tasks of each job whose shard is there.
    shards: BTreeMap<JobId, BTreeSet<TaskIndex>>,
    /// Of them, those that it knows to be over.
    pub(super) closed: BTreeSet<JobId>,
    /// Length and chunk root of results that were delivered in pieces.
    pub(super) delivered: BTreeMap<(DeviceId, ReplicaId), (u64, Digest)>,
}

impl Disk {
    /// The place of the next entry in a job's log.
    pub(super) fn next_position(&self, job: JobId) -> u64 {
        let unwritten = self.unwritten.get(&job).copied().unwrap_or(0);
        self.written(job).len() as u64 + unwritten
    }

    /// A job's log, as far as it is written.
    pub(super) fn written(&self, job: JobId) -> &[Entry] {
        let log = self.logs.get(&job);
        log.map(Vec::as_slice).unwrap_or_default()
    }

    /// What is written of a job, in order.
    pub(super) fn lines(&self, job: JobId) -> Vec<Line> {
        let notes = self.notes.get(&job).cloned().unwrap_or_default();
        in_order(self.written(job).to_vec(), notes).collect()
    }

    /// Whether a place of a job's log is written.
    pub(super) fn has(&self, job: JobId, position: u64) -> bool {
        position < self.written(job).len() as u64
    }

    /// All logs, as far as they are written.
    pub(super) fn logs(&self) -> impl Iterator<Item = (JobId, &[Entry])> {
        self.logs.iter().map(|(job, log)| (*job, log.as_slice()))
    }

    pub(super) fn append(&mut self, ticket: Ticket, job: JobId, entry: Entry) {
        *self.unwritten.entry(job).or_default() += 1;
        self.waiting.push_back((ticket, job, entry));
    }

    /// Writes a note behind what was appended before.
    pub(super) fn note(&mut self, job: JobId, noted: Noted) {
        self.notes.entry(job).or_default().push(noted);
    }

    /// Shards of a job have come, and are checked and written.
    pub(super) fn store(&mut self, job: JobId, shards: &[TaskIndex]) {
        self.shards.entry(job).or_default().extend(shards);
    }

    /// Whether the shard of a task is there, for each task of a job.
    pub(super) fn shards(&self, job: &JobId) -> impl Fn(TaskIndex) -> bool {
        let shards = self.shards.get(job);
        move |task| shards.is_some_and(|shards| shards.contains(&task))
    }

    /// How many entries wait.
    pub(super) fn waiting(&self) -> u32 {
        u32::try_from(self.waiting.len()).unwrap_or(u32::MAX)
    }

    /// Writes the oldest entries, and says which was the last.
    pub(super) fn write(&mut self, entries: u32) -> Option<Ticket> {
        let count = self.waiting.len().min(entries as usize);
        let mut last = None;
        for (ticket, job, entry) in self.waiting.drain(..count) {
            last = Some(ticket);
            self.logs.entry(job).or_default().push(entry);
            if let Some(unwritten) = self.unwritten.get_mut(&job) {
                *unwritten -= 1;
            }
        }
        last
    }

    /// The power goes. Of what waits the oldest entries may be written all the same; nobody was told.
    pub(super) fn lose_all_but(&mut self, entries: u32) {
        self.write(entries);
        self.waiting.clear();
        self.unwritten.clear();
        for (job, notes) in &mut self.notes {
            let length = self.logs.get(job).map_or(0, Vec::len) as u64;
            notes.retain(|noted| noted.behind <= length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_masternode::core::{NoReferee, Note};

    const JOB: JobId = JobId([1; 32]);

    fn queued(first: u32) -> Entry {
        Entry::Queued { first, tasks: 1 }
    }

    fn append(disk: &mut Disk, ticket: u64, task: u32) {
        disk.append(Ticket(ticket), JOB, queued(task));
    }

    #[test]
    fn what_is_not_written_is_lost_and_its_place_is_free_again() {
        let mut disk = Disk::default();
        (1..=5).for_each(|n| append(&mut disk, n, n as u32));
        assert_eq!(disk.write(2), Some(Ticket(2)));
        assert_eq!((disk.next_position(JOB), disk.waiting()), (5, 3));
        assert!(disk.has(JOB, 1) && !disk.has(JOB, 2));
        disk.lose_all_but(1);
        assert_eq!((disk.next_position(JOB), disk.waiting()), (3, 0));
        append(&mut disk, 1, 9);
        disk.write(u32::MAX);
        assert_eq!(disk.written(JOB), [1, 2, 3, 9].map(queued));
    }

    #[test]
    fn a_note_is_lost_with_the_entries_before_it() {
        let mut disk = Disk::default();
        (1..=3).for_each(|n| append(&mut disk, n, n as u32));
        for (number, behind) in (0..).zip([1, 2, 3]) {
            let task = 0;
            let why = NoReferee::Late;
            let note = Note::Unrefereed { task, why };
            let noted = Noted {
                behind,
                number,
                note,
            };
            disk.note(JOB, noted);
        }
        disk.lose_all_but(2);
        let lines = disk.lines(JOB);
        let is_note = |line: &Line| matches!(line, Line::Note(_));
        let notes: Vec<_> = lines.iter().map(is_note).collect();
        assert_eq!(notes, [false, true, false, true]);
    }
}
