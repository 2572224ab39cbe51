//! Asking the judge, and what follows from the verdict.

use super::{
    Core, Effect, End, Entry, Tick, Ticket, impasse::Impasse, job::ActiveJob,
    referee::REFEREE_REPLICA,
};
use quern_primitives::{
    DeviceId, JobId, TaskIndex, ids::ReplicaIndex, receipt::Exit, verdict::Finding,
};
use quern_verdict::{Decision, Hearing};

impl Core {
    /// Asks the judge where a task stands and does what follows.
    pub(super) fn judge(&mut self, now: Tick, id: JobId, task: TaskIndex, out: &mut Vec<Effect>) {
        let Some(active) = self.jobs.get_mut(&id).filter(|job| job.failed.is_none()) else {
            return;
        };
        match active.hearing(task) {
            Some(Hearing::Decided(decision)) => self.conclude(now, id, task, decision, out),
            Some(Hearing::NeedsMore { replicas }) => {
                self.add_replicas(now, id, task, replicas, out);
            }
            // What no number of devices may decide the referee decides; nothing ends before it was asked,
            // nor because devices say that the program fails.
            Some(Hearing::NeedsReferee | Hearing::Undecidable) => {
                let open = active.open(task);
                match open.is_some_and(|open| open.was_referee_asked()) {
                    false => self.ask_referee(now, id, task, out),
                    true => {
                        self.stuck(id, task, Impasse::Undecided, End::Undecided { task }, out);
                    }
                }
            }
            Some(Hearing::Open { certain: Some(_) }) => active.becomes_certain(task, now),
            Some(Hearing::Open { certain: None }) | None => {}
        }
    }

    /// Opens so many more replicas of a task.
    pub(super) fn add_replicas(
        &mut self,
        now: Tick,
        id: JobId,
        task: TaskIndex,
        replicas: ReplicaIndex,
        out: &mut Vec<Effect>,
    ) {
        let Some(active) = self.jobs.get_mut(&id) else {
            return;
        };
        let added = active.add_replicas(task, replicas);
        self.append(id, Entry::Added { task, replicas }, None, out);
        let dispatch = &mut self.scheduler.dispatch;
        dispatch.add_replicas(id, task, added.len() as u8, now);
        self.waking.opened(added.len());
    }

    /// A task will have no verdict, and its job ends with that.
    pub(super) fn stuck(
        &mut self,
        id: JobId,
        task: TaskIndex,
        why: Impasse,
        end: End,
        out: &mut Vec<Effect>,
    ) {
        let (ticket, _) = self.append(id, Entry::Ended { end }, None, out);
        if let Some(active) = self.jobs.get_mut(&id) {
            active.stuck(ticket, task, why);
        }
        self.case_closed(id, task, out);
        self.keep_outputs(ticket, id, task, vec![]);
    }

    /// Writes the verdict down and closes the case. If it says that the program fails, no device is at
    /// fault, whatever it did: the job ends with it, and neither here nor on the chain is anything of
    /// it remembered of the devices.
    pub(super) fn decided(
        &mut self,
        now: Tick,
        id: JobId,
        task: TaskIndex,
        decision: Decision,
        out: &mut Vec<Effect>,
    ) {
        let Some(active) = self.jobs.get(&id) else {
            return;
        };
        let verdict = active.verdict(task, decision);
        let referee = active.open(task).and_then(|open| open.referee);
        let has_others = verdict.replicas.len() > 1 || referee.is_some();
        let mut accepted: Vec<_> = verdict
            .replicas
            .iter()
            .filter(|found| found.finding == Finding::Accepted)
            .map(|found| (found.replica, found.device))
            .collect();
        if accepted.is_empty() && verdict.answer.exit == Exit::Success {
            // No device has the result.
            accepted.extend(referee.map(|referee| (REFEREE_REPLICA, referee)));
        }
        let (ticket, _) = self.append(
            id,
            Entry::Judged {
                verdict: verdict.clone(),
            },
            None,
            out,
        );
        if verdict.answer.exit == Exit::Success {
            let active = self.jobs.get(&id);
            let unanswered = active.map_or_else(Vec::new, |active| active.unanswered(task, now));
            for (device, is_too_slow) in unanswered {
                match is_too_slow {
                    true => self.stalled(now, device),
                    // Whether it is silent will be seen when it is heard next, or is not.
                    false => self.devices.overtaken(&device),
                }
            }
            self.scheduler.note(now, &verdict.replicas);
            self.end_rows(&verdict.replicas);
            let answer = &verdict.answer;
            self.scheduler
                .dispatch
                .accept(id, answer.fuel, answer.result_bytes);
            for found in &verdict.replicas {
                if found.finding == Finding::Accepted {
                    self.take_back(&found.device);
                    // Who waits although it paused may get something now.
                    self.pauses.accepted(&found.device);
                    self.pauses.stalls_no_more(&found.device);
                    self.devices.look_again(found.device);
                    self.lay_by(now, &found.device);
                }
            }
        }
        if let Some(active) = self.jobs.get_mut(&id) {
            active.judged(ticket, verdict, now);
        }
        self.drop_task(id, task);
        self.case_closed(id, task, out);
        if has_others {
            self.keep_outputs(ticket, id, task, accepted);
        }
        self.end_if_judged(id, out);
    }

    /// Nobody is asked for a task any more; nor for the rest of its job, if it cannot be settled.
    fn case_closed(&mut self, id: JobId, task: TaskIndex, out: &mut Vec<Effect>) {
        self.stop_recomputing(id, task, out);
        if self
            .jobs
            .get(&id)
            .is_some_and(|active| active.failed.is_some())
        {
            self.stop_recomputing_all(id, out);
            self.scheduler.dispatch.remove_job(id);
            self.devices.drop_job(id);
        } else {
            self.scheduler.dispatch.close(id, task);
            // Its shard may have been lost after it was given out, and need not come any more.
            let to_come = self.jobs.get(&id).map_or(0, ActiveJob::to_come);
            self.scheduler.dispatch.expect(id, to_come);
        }
        out.push(Effect::Changed { job: id });
    }

    /// Has the other sealed results of a closed case erased, once its entry is on disk. Until then a
    /// crash may bring every report back, and the results are still needed.
    fn keep_outputs(
        &mut self,
        ticket: Ticket,
        job: JobId,
        task: TaskIndex,
        accepted: Vec<(ReplicaIndex, DeviceId)>,
    ) {
        let effect = Effect::KeepOutputs {
            job,
            task,
            accepted,
        };
        self.closing.push_back((ticket, effect));
    }
}
