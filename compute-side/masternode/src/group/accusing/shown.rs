//! Whom the words of enough members contradict, and what of that the chain is shown.

use super::{Accuser, AccusingError, GroupWords, Outcome};
use crate::group::lies::{LieError, send};
use quern_dispute_rules::{Evidence, open::ConvictionView, ruling::Place};
use quern_ledger::{Call, State, SubmitError};
use quern_primitives::{
    AccountId, BlockNumber, Digest, TaskIndex, group::Group, ids::NodeKey, log::RefereeStatement,
    receipt::SignedReceipt,
};
use quern_recheck::{Accusing, check_evidence};

impl Accuser {
    /// Shows the chain what wins by its rules, and gives what came of it.
    pub(super) async fn show(
        &self,
        state: &State,
        all: Vec<Evidence>,
        proved: &[ConvictionView],
    ) -> Result<Outcome, AccusingError> {
        let shared = &self.shared;
        let mut shown = Shown::default();
        for evidence in all {
            let subject = evidence.subject();
            let facts = state.court_facts(&subject, shared.genesis).await;
            let facts = facts.map_err(LieError::from)?;
            if let Err(losing) = check_evidence(&evidence, &[], facts.as_ref(), proved) {
                shown.why = losing.to_string();
                continue;
            }
            let is_of_referee = matches!(evidence, Evidence::FalseReport(_));
            match send(shared, &Call::Dispute(Box::new(evidence))).await {
                Ok(block) => {
                    (shown.lies, shown.last) = (shown.lies.saturating_add(1), block);
                    if is_of_referee {
                        let job = subject.job;
                        tracing::warn!(%job, block, "a referee's false report was shown to the chain");
                    }
                }
                // It costs the fee, and would cost it again.
                Err(refused @ SubmitError::Refused { .. }) => shown.why = refused.to_string(),
                Err(error) => return Err(LieError::from(error).into()),
            }
        }
        Ok(match shown.lies {
            0 => Outcome::Never(shown.why),
            lies => Outcome::Shown(lies, shown.last),
        })
    }
}

/// What was shown to the chain.
struct Shown {
    lies: usize,
    last: BlockNumber,
    /// Why the others were not.
    why: String,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            lies: 0,
            last: BlockNumber::MIN,
            why: "the log does not have what it takes".to_owned(),
        }
    }
}

/// Devices and the log's referees are held to what the words say, which is what comes out here where that is not what
/// the log says.
pub(super) fn held_to(accusing: Accusing, words: &GroupWords, me: NodeKey) -> Accusing {
    let mut agreeing = accusing.agreeing().iter();
    match agreeing.any(|it| it.report.payload == words.report.payload) {
        true => accusing,
        false => accusing.contradicted_by(words.report, me),
    }
}

/// Whether anything of a task is left to be shown: what a device answered, or what one of the log's referees says, for
/// which nobody is convicted yet. What a convicted referee says is held against nobody.
pub(super) fn is_anything_left(
    accusing: &Accusing,
    (group, task): (&Group, TaskIndex),
    proved: &[ConvictionView],
) -> bool {
    let is_proved = |account: &AccountId| {
        let place = Place::Report(task, account.clone());
        proved.iter().any(|it| it.place == place)
    };
    let is_convicted_referee = |referee: &RefereeStatement| {
        let mut members = group.members.iter();
        members.any(|member| member.node == referee.node && is_proved(&member.account))
    };
    if accusing.agreeing().iter().any(is_convicted_referee) {
        return false;
    }
    let mut contradicted = accusing.dissenting().into_iter();
    contradicted.any(|referee| !is_convicted_referee(&referee))
        || accusing
            .accused()
            .any(|receipt| !is_convicted(receipt, proved))
}

/// Whether somebody was convicted already for what a receipt says.
fn is_convicted(receipt: &SignedReceipt, proved: &[ConvictionView]) -> bool {
    let said = &receipt.payload;
    let place = Place::Replica(said.task, said.replica, said.device);
    proved.iter().any(|it| it.place == place)
}

/// What can be shown of the log's referees and of devices, by words that are enough.
pub(super) fn all_evidence(
    accusing: &Accusing,
    words: &GroupWords,
    roots: &[Digest],
    proved: &[ConvictionView],
) -> Vec<Evidence> {
    let signed: Vec<_> = words.given.iter().map(|(at, it)| (*at, *it)).collect();
    let devices = accusing
        .accused()
        .filter(|receipt| !is_convicted(receipt, proved))
        .filter_map(|receipt| accusing.evidence(receipt, &signed, roots));
    let referees = accusing.false_reports(&signed);
    referees.into_iter().chain(devices).collect()
}
