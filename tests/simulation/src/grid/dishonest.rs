//! A coordinator that lies: its decisions are those of the masternode's own core, and one thing in what it
//! signs of them is another. Whoever holds the log to the rules, as another masternode does before it signs a
//! batch and as an auditor does later, must find it.

use super::{Config, Look, Outcome, world::World};
use quern_job_rules::quote::QuoteError;
use quern_masternode::core::{Entry, ReleaseCause};
use quern_primitives::{
    batch::{Batch, Payout},
    ids::AccountId,
    verdict::{Finding, ReplicaFinding, Verdict},
};
use quern_recheck::{Dispute, RecheckFault};

/// An account that did nothing. It stands behind all others, so that a batch stays in order.
const STRANGER: AccountId = AccountId::new([0xff; 32]);

/// What a coordinator lies about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dishonesty {
    /// A verdict leaves somebody out whose answer was accepted.
    LeavesOut,
    /// A verdict says of an accepted answer that it was wrong.
    CallsWrong,
    /// A batch pays somebody who did nothing.
    PaysAStranger,
    /// An answer that was acknowledged is not written down: its device is said to have been late.
    KeepsBack,
}

impl Dishonesty {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::LeavesOut,
        Self::CallsWrong,
        Self::PaysAStranger,
        Self::KeepsBack,
    ];

    /// What anybody can dispute who finds it.
    pub fn dispute(self) -> Dispute {
        match self {
            Self::LeavesOut | Self::CallsWrong => Dispute::Unbacked,
            Self::PaysAStranger => Dispute::Payouts,
            Self::KeepsBack => Dispute::Omission,
        }
    }

    /// Lies once in a log, at the first place where it can. Whether there is one.
    fn tell(self, log: &mut [Entry]) -> bool {
        log.iter_mut().any(|entry| match (self, entry) {
            (Self::LeavesOut, Entry::Judged { verdict }) => leave_out(verdict),
            (Self::CallsWrong, Entry::Judged { verdict }) => call_wrong(verdict),
            (Self::PaysAStranger, Entry::Batched { batch }) => pay_a_stranger(batch),
            (Self::KeepsBack, entry) => keep_back(entry),
            _ => false,
        })
    }
}

/// Where somebody was paid for an answer: the place of the last one.
fn last_paid(verdict: &Verdict) -> Option<usize> {
    let is_paid = |found: &ReplicaFinding| found.finding == Finding::Accepted && found.pay > 0;
    verdict.replicas.iter().rposition(is_paid)
}

fn leave_out(verdict: &mut Verdict) -> bool {
    let place = last_paid(verdict);
    place.map(|place| verdict.replicas.remove(place)).is_some()
}

fn call_wrong(verdict: &mut Verdict) -> bool {
    let Some(found) = last_paid(verdict).and_then(|place| verdict.replicas.get_mut(place)) else {
        return false;
    };
    found.finding = Finding::Incorrect;
    found.pay = 0;
    true
}

fn pay_a_stranger(batch: &mut Batch) -> bool {
    let mut payouts: Vec<Payout> = batch.payouts.to_vec();
    let Some(last) = payouts.last_mut() else {
        return false;
    };
    last.account = STRANGER;
    let Ok(payouts) = payouts.try_into() else {
        return false;
    };
    batch.payouts = payouts;
    true
}

fn keep_back(entry: &mut Entry) -> bool {
    let Entry::Revealed { receipt, .. } = &*entry else {
        return false;
    };
    let payload = &receipt.payload;
    let released = Entry::Released {
        task: payload.task,
        replica: payload.replica,
        device: payload.device,
        cause: ReleaseCause::Late,
    };
    *entry = released;
    true
}

/// What is said of a log with a lie in it; nothing if it passes.
pub type Said = (Dishonesty, Option<RecheckFault>);

/// Runs a grid, and then holds each job's log to the rules again, with one lie in it after the other. What
/// came of the run, and what is said of each lie that could be told.
pub fn run_and_lie(config: &Config) -> Result<(Outcome, Vec<Said>), QuoteError> {
    let look = Look {
        line: &mut |_| {},
        until: None,
        changes: false,
    };
    let mut world = World::new(config, look)?;
    let violation = world.go().err();
    let said = world.lies();
    Ok((world.outcome(violation), said))
}

impl World<'_> {
    fn lies(&self) -> Vec<Said> {
        let mut said = Vec::new();
        for (id, log) in self.disk.logs() {
            let Some(work) = self.works.get(&id) else {
                continue;
            };
            for dishonesty in Dishonesty::ALL {
                let mut altered = log.to_vec();
                if dishonesty.tell(&mut altered) {
                    let found = self.check_log(work, &altered).err();
                    let fault = found.and_then(|error| error.downcast::<RecheckFault>().ok());
                    said.push((dishonesty, fault.map(|fault| *fault)));
                }
            }
        }
        said
    }
}
