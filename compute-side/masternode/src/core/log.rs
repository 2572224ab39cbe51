//! Writing jobs' logs, and notes beside them.
//!
//! A log begins with who writes it, and says of a task that it can be given out before it says anything else
//! of it. When every task has its verdict, or the job cannot go on, or the chain has closed it, that is
//! written down, and after it nothing but batches of what was judged.

use super::{Core, Effect, End, Entry, Note, Noted, Ticket, impasse::Impasse, job::ActiveJob};
use quern_primitives::{
    ids::{DeviceId, JobId, TaskIndex},
    job::JobEnd,
};

impl Core {
    /// Appends an entry to a job's log. One that comes after the job's end is not written: nobody waits
    /// for it, and what was written before is all that is to be on disk for it.
    pub(super) fn append(
        &mut self,
        id: JobId,
        entry: Entry,
        output: Option<Vec<u8>>,
        out: &mut Vec<Effect>,
    ) -> (Ticket, u64) {
        let job = self.jobs.get(&id);
        let has_ended = job.is_some_and(|job| job.written.end.is_some());
        if has_ended && !matches!(entry, Entry::Batched { .. }) {
            let length = job.map_or(0, |job| job.lengths.log);
            return (self.last_ticket, length);
        }
        self.open_log(id, out);
        self.write(id, entry, output, out)
    }

    /// The first entry that this masternode writes into a log says so; also when its key is another one than
    /// it was.
    fn open_log(&mut self, id: JobId, out: &mut Vec<Effect>) {
        let (node, at) = (self.settings.node, self.block);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let Some(coordinator) = job.job.state.coordinator().cloned() else {
            return;
        };
        if job.written.by.replace(node) != Some(node) {
            let opened = Entry::Opened {
                coordinator,
                node,
                at,
            };
            self.write(id, opened, None, out);
        }
    }

    fn write(
        &mut self,
        id: JobId,
        entry: Entry,
        output: Option<Vec<u8>>,
        out: &mut Vec<Effect>,
    ) -> (Ticket, u64) {
        self.hand_backs.note(id, &entry);
        for device in self.pauses.note(self.latest, id, &entry) {
            self.devices.look_again(device);
            self.lay_by(self.latest, &device);
        }
        // What one that is away has answered is judged too. Whoever answers is here.
        let judged = match &entry {
            Entry::Judged { verdict } => verdict.replicas.as_slice(),
            _ => &[],
        };
        judged.iter().for_each(|it| self.take_back(&it.device));
        self.answers.note(self.latest, id, &entry);
        for found in judged {
            self.lay_by(self.latest, &found.device);
        }
        let pending_from = self.jobs.get(&id).map_or(0, ActiveJob::pending_from);
        self.uncounted.note(id, pending_from, &entry);
        self.last_ticket.0 += 1;
        let ticket = self.last_ticket;
        let mut position = 0;
        if let Some(job) = self.jobs.get_mut(&id) {
            position = job.lengths.log;
            job.lengths.log += 1;
            if let Entry::Ended { end } = &entry {
                job.written.end = Some(*end);
            }
        }
        out.push(Effect::Append {
            ticket,
            job: id,
            position,
            entry: Box::new(entry),
            output,
        });
        (ticket, position)
    }

    /// Writes a note beside a job's log; also of one that is closed, as long as something of it is kept.
    pub(super) fn note(
        &mut self,
        id: JobId,
        note: Note,
        output: Option<(DeviceId, Vec<u8>)>,
        out: &mut Vec<Effect>,
    ) {
        let lengths = match self.jobs.get_mut(&id) {
            Some(job) => Some(&mut job.lengths),
            None => self.referee.samples.lengths(id),
        };
        let Some(lengths) = lengths else {
            return;
        };
        let noted = Noted {
            behind: lengths.log,
            number: lengths.notes,
            note,
        };
        lengths.notes += 1;
        out.push(Effect::Note {
            job: id,
            noted: Box::new(noted),
            output,
        });
    }

    /// Tasks of a job can be given out; that is written down of those of which it was not before.
    pub(super) fn queue_in_log(
        &mut self,
        id: JobId,
        tasks: impl IntoIterator<Item = TaskIndex>,
        out: &mut Vec<Effect>,
    ) {
        let job = self.jobs.get_mut(&id);
        let job = job.filter(|job| job.written.end.is_none());
        let runs = job.map(|job| job.queue_first(tasks));
        for (first, tasks) in runs.into_iter().flatten() {
            self.append(id, Entry::Queued { first, tasks }, None, out);
        }
    }

    /// A job was taken up again: what its log would say next if there had been no restart is written.
    pub(super) fn continue_log(&mut self, id: JobId, out: &mut Vec<Effect>) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        if self.scheduler.dispatch.has_job(id) {
            let tasks = job.unfinished().filter(|task| !job.lacks(*task));
            let tasks: Vec<_> = tasks.collect();
            self.queue_in_log(id, tasks, out);
        }
        self.end_if_judged(id, out);
        self.end_closed(id, out);
    }

    /// Writes down that a job ends of which every task has its verdict, or one the verdict that the program
    /// fails on it.
    pub(super) fn end_if_judged(&mut self, id: JobId, out: &mut Vec<Effect>) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let end = match job.failed {
            Some((_, task, Impasse::Program(_))) => End::Program { task },
            None if job.counters.decided >= job.task_count() => End::Done,
            Some(_) | None => return,
        };
        if job.written.end.is_none() {
            self.append(id, Entry::Ended { end }, None, out);
        }
    }

    /// Writes down that the chain has closed a job of which something was written. One that another
    /// masternode goes on with has not ended.
    pub(super) fn end_closed(&mut self, id: JobId, out: &mut Vec<Effect>) {
        let is_closed = |job: &&ActiveJob| {
            let state = &job.job.state;
            !state.goes_on() && state.end() != Some(JobEnd::BatchStruck)
        };
        let job = self.jobs.get(&id).filter(is_closed);
        if job.is_some_and(|job| job.lengths.log > 0 && job.written.end.is_none()) {
            let end = End::Closed;
            self.write(id, Entry::Ended { end }, None, out);
        }
    }
}
