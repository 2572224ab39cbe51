//! The masternodes of a job: who coordinates it, who certifies its batches, and who goes on with it when
//! another fails.

use crate::{
    ids::{AccountId, BlockNumber, Digest, NodeKey},
    limits::GROUP_MEMBERS_MAX,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, bounded::BoundedVec};

/// A masternode of a job's group.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Member {
    /// Its operator's account.
    pub account: AccountId,
    /// The network key that it had published when it was drawn. What it says of this job is signed with
    /// it, whatever it publishes later: nobody gets rid of what was signed by publishing another key.
    pub node: NodeKey,
    /// Whether a batch was struck that it settled or certified, or it was convicted of something else. It
    /// has no say in the job any more.
    pub is_out: bool,
}

/// The masternodes of a job.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Group {
    /// In the order of the draw, at least one. Each has at most one turn, so a member that was before
    /// the present one coordinates no more.
    pub members: BoundedVec<Member, ConstU32<GROUP_MEMBERS_MAX>>,
    /// The place of the one that coordinates.
    pub turn: u8,
    /// The height of the chain's clock of finality at which the present turn began, or at which a batch
    /// was settled since.
    pub since: BlockNumber,
    /// What the lanes of the job's tasks follow from ([`crate::lanes::seed`]); none in the block in which
    /// the group was drawn, whose hash only the next one knows.
    pub lane_seed: Option<Digest>,
}

impl Group {
    /// The member at a place.
    pub fn member(&self, place: u8) -> Option<&Member> {
        self.members.get(usize::from(place))
    }

    /// The one that coordinates.
    pub fn coordinator(&self) -> Option<&Member> {
        self.member(self.turn)
    }

    /// The place of an account.
    pub fn place_of(&self, account: &AccountId) -> Option<u8> {
        let mut members = self.members.iter();
        let place = members.position(|member| member.account == *account)?;
        place.try_into().ok()
    }

    /// Members that have a say.
    pub fn voices(&self) -> usize {
        self.members.iter().filter(|member| !member.is_out).count()
    }

    /// Certificates that a batch needs: of more than half of those who have a say.
    pub fn needed(&self) -> usize {
        // No group is that large.
        (self.voices() >> 1).saturating_add(1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn group(out: &[bool]) -> Group {
        let members = (0..).zip(out).map(|(number, is_out)| Member {
            account: AccountId::new([number; 32]),
            node: NodeKey([number; 32]),
            is_out: *is_out,
        });
        Group {
            members: members.collect::<Vec<_>>().try_into().unwrap(),
            turn: 0,
            since: 0,
            lane_seed: None,
        }
    }

    #[test]
    fn more_than_half_of_those_who_have_a_say_certify() {
        for voices in 1..=7 {
            let group = group(&[false; 7][..voices]);
            assert_eq!((group.voices(), group.needed()), (voices, voices / 2 + 1));
            assert!(2 * group.needed() > voices);
            assert!(2 * (group.needed() - 1) <= voices);
        }
        let rest = group(&[true, true, false]);
        assert_eq!((rest.voices(), rest.needed()), (1, 1));
    }

    #[test]
    fn a_member_is_found_at_its_place() {
        let group = group(&[false, true, false]);
        for place in 0..3 {
            let account = AccountId::new([place; 32]);
            assert_eq!(group.place_of(&account), Some(place));
            assert_eq!(group.member(place).unwrap().account, account);
        }
        assert_eq!(group.place_of(&AccountId::new([3; 32])), None);
        assert_eq!(group.member(3), None);
        assert_eq!(group.coordinator(), group.member(0));
    }
}
