//! How a job ends, as its log says.

use super::Recheck;
use crate::{
    facts::ChainFacts,
    fault::{EndFault, OrderFault},
};
use quern_joblog::{Certificate, End};
use quern_primitives::{batch::CertifiedEnd, job::Failure};

impl<F: ChainFacts> Recheck<F> {
    /// What a member of the group signs of a job that cannot go on, if its log shows that and holds: over
    /// the log's last block, with the number of the batch that would be next. Every verdict that can be
    /// settled has to be in a batch before, so that nobody's work is lost with the job.
    pub fn failure(&self) -> Result<Certificate, EndFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone().into());
        }
        let said = self.end.and_then(|end| match end {
            End::Program { task } => {
                let exit = self.settlement.failing(task)?;
                Some((task, Failure::Program(exit)))
            }
            // The chain has one word for both.
            End::Undecided { task } | End::Unopened { task } => Some((task, Failure::Undecided)),
            End::Done | End::Closed => None,
        });
        let (Some((task, why)), Some(index)) = (said, self.replay.next_index().checked_sub(1))
        else {
            return Err(EndFault::NoFailure);
        };
        if let Some(task) = self.settlement.owed() {
            return Err(EndFault::Owed { task });
        }
        let end = CertifiedEnd {
            job: self.replay.job(),
            task,
            why,
            index,
            head: self.replay.head(),
            certificates: Default::default(),
        };
        Ok(end.certificate(self.settlement.next_batch()))
    }

    pub(super) fn ended(&mut self, end: End) -> Result<(), OrderFault> {
        let (job, tariff) = (self.replay.job(), self.tariff);
        let open = end
            .task()
            .and_then(|task| Some((task, self.open.get(&task)?)));
        let is_so = match end {
            End::Done => self.settlement.judged() == self.queued.len(),
            End::Program { task } => self.settlement.failing(task).is_some(),
            End::Undecided { .. } => {
                open.is_some_and(|(task, open)| open.court.is_hopeless(job, task, &tariff))
            }
            End::Unopened { .. } => open.is_some_and(|(_, open)| {
                // Whoever computed it could open it.
                open.is_unopened() && open.court.is_refereed_in_vain()
            }),
            // That is the chain's to say, and it has.
            End::Closed => true,
        };
        if !is_so {
            return Err(OrderFault::NoSuchEnd);
        }
        // Nobody is heard any more.
        self.open.clear();
        self.end = Some(end);
        Ok(())
    }
}
