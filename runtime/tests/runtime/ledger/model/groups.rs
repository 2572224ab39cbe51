//! The masternodes of a job: whose words settle, whose turn it is.

use super::{
    Ledger, Refusal,
    batches::Settled,
    jobs::{Phase, may_settle},
    need,
};
use quern_primitives::{
    AccountId, DeviceId, GenesisHash, JobId, NodeKey,
    log::Certificate,
    payload::{NodeSignature, Signature as _, SignedPayload as _},
};
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// In the order of the draw, each with the network key that it had then.
    pub(crate) members: Vec<(AccountId, DeviceId)>,
    /// Whose turn it is, by place.
    pub(crate) turn: usize,
    /// Who answers for what was struck, by place.
    pub(crate) out: BTreeSet<usize>,
    /// The height of the clock at the last settlement, or when the turn began.
    pub(crate) since: u32,
}

impl Group {
    pub(super) fn new(members: Vec<(AccountId, DeviceId)>, since: u32) -> Self {
        Self {
            members,
            turn: 0,
            out: BTreeSet::new(),
            since,
        }
    }

    /// Places of those who have a say.
    pub(crate) fn voices(&self) -> Vec<usize> {
        let all = 0..self.members.len();
        all.filter(|place| !self.out.contains(place)).collect()
    }

    /// Certificates of more than half of the voices, ascending, each of this.
    pub(super) fn check(
        &self,
        genesis: &GenesisHash,
        said: Certificate,
        certificates: &[(u8, NodeSignature)],
    ) -> Result<(), Refusal> {
        let places: Vec<usize> = certificates
            .iter()
            .map(|(place, _)| usize::from(*place))
            .collect();
        let ascending = places.windows(2).all(|pair| pair[0] < pair[1]);
        need(ascending, "CertificatesUnsorted")?;
        let voices = self.voices();
        need(2 * places.len() > voices.len(), "TooFewCertificates")?;
        let all_voices = places.iter().all(|place| voices.contains(place));
        need(all_voices, "CertificateOfNobody")?;
        let digest = said.signing_digest(genesis);
        let all_signed = certificates.iter().all(|(place, signature)| {
            let (_, key) = &self.members[usize::from(*place)];
            signature.holds(&digest, &NodeKey(key.0))
        });
        need(all_signed, "CertificateNotSigned")
    }

    /// Who settled or certified this, by place.
    pub(super) fn answering(&self, settled: &Settled) -> BTreeSet<usize> {
        let certified = settled.certified.certificates.iter();
        let certified = certified.map(|(place, _)| usize::from(*place));
        let by = self.members.iter().position(|(it, _)| *it == settled.by);
        certified.chain(by).collect()
    }

    /// They have no say any more.
    pub(super) fn turn_out(&mut self, settled: &Settled) {
        let answering = self.answering(settled);
        self.out.extend(answering);
    }

    /// Whether the member at a place could have a turn.
    fn serves(&self, place: usize, masternodes: &BTreeSet<AccountId>) -> bool {
        !self.out.contains(&place) && masternodes.contains(&self.members[place].0)
    }

    /// The place of who has the next turn.
    pub(super) fn next(&self, bonded: &BTreeSet<AccountId>) -> Option<usize> {
        let mut later = self.turn + 1..self.members.len();
        later.find(|place| self.serves(*place, bonded))
    }

    /// A turn begins; tells whose it is.
    pub(super) fn begin(&mut self, place: usize, clock: u32) -> AccountId {
        (self.turn, self.since) = (place, clock);
        self.members[place].0.clone()
    }

    /// The height from which on a later member may take over, of these masternodes and those of them that
    /// have the bond.
    pub(crate) fn open_from(
        &self,
        place: usize,
        stall: u32,
        (masternodes, bonded): (&BTreeSet<AccountId>, &BTreeSet<AccountId>),
    ) -> u32 {
        let present = usize::from(self.serves(self.turn, masternodes));
        let mut waited_for = present;
        for between in self.turn + 1..place {
            waited_for += usize::from(self.serves(between, bonded));
        }
        self.since + stall * waited_for as u32
    }
}

/// A member lied where no batch falls: it has no say any more. If it coordinates, the next goes on, and if
/// nobody can, it stays.
pub(super) fn convicted(ledger: &mut Ledger, id: &JobId, who: &AccountId) {
    let (now, clock) = (ledger.now, ledger.finality.clock());
    let bonded = ledger.roster.bonded(ledger.params.masternode_bond);
    let job = ledger.jobs.existing(id).expect("it has a member");
    let in_time = job.until().is_some_and(|until| now <= until);
    let group = job.group.as_mut().expect("it was drawn");
    let place = group.members.iter().position(|(it, _)| it == who);
    let place = place.expect("it is a member");
    if !group.out.insert(place) || group.turn != place {
        return;
    }
    let (Phase::Running { coordinator } | Phase::Cancelling { coordinator, .. }) = &mut job.phase
    else {
        return;
    };
    match group.next(&bonded).filter(|_| in_time) {
        Some(next) => *coordinator = group.begin(next, clock),
        None => {
            group.out.remove(&place);
        }
    }
}

/// A later member of the group goes on with a job of which nothing was settled for too long.
pub(super) fn take_over(ledger: &mut Ledger, by: AccountId, id: &JobId) -> Result<(), Refusal> {
    let (now, clock) = (ledger.now, ledger.finality.clock());
    let stall = u32::try_from(ledger.params.stall).unwrap();
    let masternodes = ledger.roster.masternodes.clone();
    let bonded = ledger.roster.bonded(ledger.params.masternode_bond);
    let job = ledger.jobs.existing(id)?;
    // Whoever coordinates may still settle, or else nobody may.
    let present = job.coordinator().cloned();
    may_settle(job, present.as_ref().unwrap_or(&by), now)?;
    need(masternodes.contains(&by), "NotMasternode")?;
    need(bonded.contains(&by), "NotBonded")?;
    let group = job.group.as_mut().ok_or(Refusal::Named("NotDrawn"))?;
    let place = group.members.iter().position(|(it, _)| *it == by);
    let place = place.ok_or(Refusal::Named("NotMember"))?;
    let has_turn = place > group.turn && !group.out.contains(&place);
    need(has_turn, "NoTurn")?;
    let from = group.open_from(place, stall, (&masternodes, &bonded));
    need(clock >= from, "NotStalled")?;
    let next = group.begin(place, clock);
    if let Phase::Running { coordinator } | Phase::Cancelling { coordinator, .. } = &mut job.phase {
        *coordinator = next;
    }
    Ok(())
}
