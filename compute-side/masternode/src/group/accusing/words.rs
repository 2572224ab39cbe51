//! What the members of a group say of a task, and how they are asked until enough have said the same.

use super::{Accuser, AccusingError, Outcome, never};
use crate::group::{lies::LieError, witnesses};
use quern_dispute_rules::referees_needed;
use quern_primitives::{
    JobId, TaskIndex,
    group::Group,
    ids::NodeKey,
    log::{RefereeStatement, SignedRefereeReport},
    payload::NodeSignature,
};
use std::collections::{BTreeMap, BTreeSet};

/// The words of members on a task.
pub(in crate::group) struct GroupWords {
    /// What all of them must have computed.
    pub(in crate::group) report: SignedRefereeReport,
    /// How many it takes.
    pub(in crate::group) needed: usize,
    /// By their places.
    pub(in crate::group) given: BTreeMap<u8, NodeSignature>,
    /// Members that give none, or computed something else.
    pub(in crate::group) refused: BTreeSet<u8>,
}

impl GroupWords {
    /// Begins with one word and those of the log's referees that say the same, if one of these is of the group.
    /// Referees that said something else are not asked.
    pub(super) fn begun(
        group: &Group,
        first: RefereeStatement,
        referees: &[RefereeStatement],
    ) -> Option<Self> {
        let is_same = |it: &&RefereeStatement| it.report.payload == first.report.payload;
        let agreeing = referees.iter().filter(is_same).chain([&first]);
        let given: BTreeMap<_, _> = agreeing
            .filter_map(|it| Some((place_of(group, &it.node)?, it.report.signature)))
            .collect();
        let others = referees.iter().filter(|it| !is_same(it));
        let refused = others
            .filter_map(|it| place_of(group, &it.node))
            .filter(|place| !given.contains_key(place))
            .collect();
        (!given.is_empty()).then_some(Self {
            report: first.report,
            needed: referees_needed(group.members.len()),
            given,
            refused,
        })
    }

    /// The word of a member that computes the task after it has read the log. Where something else comes out than is
    /// said, it begins again with its own word and of the log's referees that said so.
    pub(super) fn hear(
        &mut self,
        group: &Group,
        own: RefereeStatement,
        referees: &[RefereeStatement],
    ) {
        if own.report.payload == self.report.payload {
            if let Some(place) = place_of(group, &own.node) {
                self.refused.remove(&place);
                self.given.insert(place, own.report.signature);
            }
        } else if let Some(begun) = Self::begun(group, own, referees) {
            *self = begun;
        }
    }

    /// How many have given theirs, or may yet.
    pub(super) fn within_reach(&self, group: &Group) -> usize {
        let members = (0u8..).zip(&group.members);
        let may = members.filter(|(place, member)| {
            let is_given = self.given.contains_key(place);
            is_given || !(member.is_out || self.refused.contains(place))
        });
        may.count()
    }
}

impl Accuser {
    /// Gathers words until they are enough; if they are not yet, what is to be done about it.
    pub(super) async fn gather(
        &self,
        (job, task): (JobId, TaskIndex),
        group: &Group,
        referees: &[RefereeStatement],
        words: &mut GroupWords,
    ) -> Result<Option<Outcome>, AccusingError> {
        let node = self.shared.node.public();
        let Some(own) = place_of(group, &node) else {
            return Ok(Some(never("this masternode is not of the job's group")));
        };
        // Where a job asks for three referees, they may be enough.
        if words.given.len() >= words.needed {
            return Ok(None);
        }
        if !words.given.contains_key(&own) {
            let Some(truth) = self.look(job, task).await? else {
                return Ok(Some(Outcome::Soon));
            };
            let report = truth.report;
            if report.payload != words.report.payload {
                tracing::error!(
                    %job,
                    task,
                    "what a referee of the job says it computed is not what comes out here; one of the two machines, or their operators, is not to be trusted"
                );
            }
            // The others say which: as many as agree with this one convict the referee.
            words.hear(group, RefereeStatement { report, node }, referees);
        }
        if words.given.len() >= words.needed {
            return Ok(None);
        }
        let coming = witnesses::ask(&self.shared, (job, task), group, words).await;
        let coming = coming.map_err(LieError::from)?;
        if words.given.len() >= words.needed {
            return Ok(None);
        }
        let are_too_few = words.within_reach(group) < words.needed;
        Ok(Some(match (coming, are_too_few) {
            (_, true) => never("too few others of the job's group computed the same"),
            (0, false) => Outcome::Wait,
            (_, false) => Outcome::Soon,
        }))
    }
}

/// The place of a network key in a job's group.
fn place_of(group: &Group, node: &NodeKey) -> Option<u8> {
    let mut members = group.members.iter();
    let place = members.position(|member| member.node == *node)?;
    u8::try_from(place).ok()
}
