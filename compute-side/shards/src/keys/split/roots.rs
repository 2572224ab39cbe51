//! What the chain names of all shares, and how a single one is shown to be under it.

use super::KeyShare;
use codec::{Decode, DecodeWithMemTracking, Encode};
use quern_primitives::{
    Digest, TaskIndex,
    merkle::{Proof, Tree, leaf},
};

/// The root over one member's shares, in the order of the shards.
pub fn member_root<'a>(shares: impl IntoIterator<Item = &'a KeyShare>) -> Digest {
    tree_of(shares).root()
}

/// The root over the members' roots, in the order of their places.
pub fn shares_root(member_roots: &[Digest]) -> Digest {
    Tree::new(member_roots).root()
}

pub(super) fn tree_of<'a>(shares: impl IntoIterator<Item = &'a KeyShare>) -> Tree {
    let shares = (0..).zip(shares);
    Tree::from_leaves(
        shares
            .map(|(index, share)| leaf(index, share.expose()))
            .collect(),
    )
}

/// Which share of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedPlace {
    /// The shard whose key it is of.
    pub index: TaskIndex,
    /// The job's number of shards.
    pub count: u32,
    /// The place of the member that has it.
    pub member: u8,
    /// The group's number of members.
    pub members: u8,
}

/// That a share is the one at its place under a shares root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct ShareProof {
    /// That it is among the member's.
    pub shard: Proof,
    /// That the member's root is among all.
    pub member: Proof,
}

impl ShareProof {
    /// Whether it shows that this share, and no other, is the one at this place.
    pub fn holds(&self, shares_root: &Digest, place: &SharedPlace, share: &KeyShare) -> bool {
        let is_of_shard = self.shard.index == place.index && self.shard.count == place.count;
        let (member, members) = (place.member.into(), place.members.into());
        let is_of_member = self.member.index == member && self.member.count == members;
        is_of_shard
            && is_of_member
            && self
                .shard
                .root_over(share.expose())
                .is_some_and(|root| self.member.holds(shares_root, root.as_ref()))
    }
}
