//! Stopping: nothing more is asked for, what runs may end within a grace, the rest is given back, a
//! benchmark is declined, and acknowledgements are waited for.

use super::{
    Core, Tick,
    event::{Effect, Notice},
    session::Session,
    task::{self, Stage, Task},
};
use crate::limits::FAREWELL_MS;
use quern_primitives::ids::DeviceId;
use quern_protocol::{HandBack, HandBackReason};

/// The course of a stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopping {
    /// When what still runs is given back.
    run_until: Tick,
    /// When acknowledgements are no longer waited for. Known when nothing is in hand any more.
    leave_at: Option<Tick>,
    pub(super) has_left: bool,
}

impl Stopping {
    /// When the next step is due.
    pub(super) fn wakeup(&self) -> Tick {
        self.leave_at.unwrap_or(self.run_until)
    }
}

impl Core {
    pub(super) fn begin_stop(&mut self, now: Tick) {
        if self.stopping.is_some() {
            return;
        }
        let run_until = now.after(self.settings.stop_grace_ms);
        self.stopping = Some(Stopping {
            run_until,
            leave_at: None,
            has_left: false,
        });
        // What runs may end.
        let finishes = task::running(&self.tasks);
        self.effects
            .push(Effect::Tell(Notice::Stopping { finishes }));
        self.give_back_waiting();
        self.stop_benchmark();
    }

    /// Gives back the tasks that only wait.
    pub(super) fn give_back_waiting(&mut self) {
        let running = task::running(&self.tasks);
        self.give_back(HandBackReason::Stopping, |task| task.waits(running));
    }

    pub(super) fn give_back(&mut self, reason: HandBackReason, which: impl Fn(&Task) -> bool) {
        let (given, kept): (Vec<Task>, Vec<Task>) =
            std::mem::take(&mut self.tasks).into_iter().partition(which);
        self.tasks = kept;
        for Task { id, masternode, .. } in given {
            self.effects.push(Effect::Abandon { id });
            self.hand_back(masternode, HandBack { id, reason });
        }
    }

    pub(super) fn continue_stop(&mut self, now: Tick) {
        let Some(mut stopping) = self.stopping else {
            return;
        };
        if now >= stopping.run_until {
            self.give_back(HandBackReason::Stopping, |task| task.stage == Stage::Queued);
            // A delivery that takes longer is taken up when the worker starts again.
            self.tasks.clear();
        }
        if self.tasks.is_empty() && stopping.leave_at.is_none() {
            stopping.leave_at = Some(now.after(FAREWELL_MS));
            self.stopping = Some(stopping);
        }
    }

    pub(super) fn leave_if_done(&mut self, now: Tick) {
        let Some(stopping) = self.stopping.filter(|stopping| !stopping.has_left) else {
            return;
        };
        let Some(leave_at) = stopping.leave_at else {
            return;
        };
        let is_done = self.outgoing.is_empty() && self.sessions.values().all(Session::has_said_all);
        if is_done || now >= leave_at {
            self.stopping = Some(Stopping {
                has_left: true,
                ..stopping
            });
            let masternodes: Vec<DeviceId> = self.sessions.keys().copied().collect();
            for masternode in masternodes {
                self.effects.push(Effect::Close { masternode });
            }
            self.effects.push(Effect::Leave);
        }
    }
}
