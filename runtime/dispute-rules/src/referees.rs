//! What masternodes of a job's group say that they computed, and how many of them are believed.
//!
//! A program's answer to a task is one. What a single masternode says that came out decides a verdict and no
//! bond. What more than half of the group computed, and two at the least, costs the bond of who signed another
//! answer: of a device's account, or of a masternode of the group itself. The batch stands in either case: who
//! certified one that rests on a referee's word saw that it was given, and cannot see that it is false.

use crate::{
    evidence::FalseReport,
    facts::Facts,
    penalty::Penalty,
    ruling::{Conviction, Guilty, Offence, Place, Refusal, Ruling, Sentence},
    signatures::Signatures,
};
use quern_primitives::{
    log::{RefereeReport, SignedRefereeReport},
    payload::NodeSignature,
};

/// So many masternodes must have computed what convicts somebody, at the least.
const REFEREES_MIN: usize = 2;

/// Of how many masternodes of a group it takes the word, that an answer is wrong: more than half, and two at the
/// least.
pub fn referees_needed(group: usize) -> usize {
    (group >> 1).saturating_add(1).max(REFEREES_MIN)
}

/// Whether more than half of the group signed the report, each once, and two of them at the least: of one
/// masternode alone nobody need fear for a bond.
pub(crate) fn are_most_referees<S: Signatures>(
    report: &RefereeReport,
    referees: &[(u8, NodeSignature)],
    facts: &Facts,
    signatures: &S,
) -> bool {
    let is_ascending = referees.is_sorted_by(|(one, _), (next, _)| one < next);
    let are_most = referees.len() >= referees_needed(facts.group.len());
    is_ascending
        && are_most
        && referees.iter().all(|(place, signature)| {
            let member = facts.group.get(usize::from(*place));
            member.is_some_and(|member| {
                let report = SignedRefereeReport {
                    payload: *report,
                    signature: *signature,
                };
                signatures.is_nodes(&report, &member.node, &facts.genesis)
            })
        })
}

/// A masternode's word on a task, and another one of more than half of the group that were asked the same. The
/// accused is none of these: in a group of two there are too few others, and nobody is convicted.
pub(crate) fn false_report<S: Signatures>(
    it: &FalseReport,
    facts: &Facts,
    signatures: &S,
) -> Result<Ruling, Refusal> {
    let said = &it.said.payload;
    let accused = facts.member_with(&it.node).ok_or(Refusal::NobodyAnswers)?;
    if said.answer == it.answer {
        return Err(Refusal::Unrelated);
    }
    if !signatures.is_nodes(&it.said, &it.node, &facts.genesis) {
        return Err(Refusal::NotSigned);
    }
    let is_accused = |place: u8| {
        let member = facts.group.get(usize::from(place));
        member.is_some_and(|member| member.node == it.node)
    };
    let truth = RefereeReport {
        answer: it.answer,
        ..*said
    };
    let are_others = !it.referees.iter().any(|(place, _)| is_accused(*place));
    if !(are_others && are_most_referees(&truth, &it.referees, facts, signatures)) {
        return Err(Refusal::NotSigned);
    }
    let stakes = &facts.stakes;
    let sentence = Sentence {
        guilty: Guilty::Masternode(accused.account.clone()),
        // Who is convicted by others' word is not to be worth more to them than a device that is.
        penalty: Penalty::rewarding(
            accused.bond,
            stakes.masternode_slash,
            stakes.wrong_answer_slash,
            stakes.winner_permille,
        ),
    };
    Ok(Ruling::Convicted(Conviction {
        offence: Offence::FalseReport,
        place: Place::Report(said.task, accused.account.clone()),
        strike: None,
        sentences: [sentence].into(),
    }))
}
