//! A coordinator's word that it has taken a device's work.
//!
//! One signature stands for all that is acknowledged at once: what is signed is the root of the tree over
//! them. A device that keeps one of them keeps its place in that tree with it, and can show it alone.

use super::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen, TypeInfo};
use crate::{
    ids::{DeviceId, Digest, GenesisHash, JobId, NodeKey, ReplicaIndex, TaskIndex},
    limits::ACKNOWLEDGED_TOGETHER_MAX,
    merkle::{Proof, Tree},
    payload::{NodeSignature, NodeSigned, Signed, SignedPayload},
};
use alloc::vec::Vec;

/// A coordinator's word that it has taken a device's work, and where its log says so. With it a device
/// can show that its work was left out.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Acknowledgement {
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// The replica.
    pub replica: ReplicaIndex,
    /// The device whose work was taken.
    pub device: DeviceId,
    /// SHA-256 of the encoded signed receipt.
    pub receipt: Digest,
    /// The position in the job's log of the entry that has the receipt.
    pub position: u64,
}

/// What is signed of acknowledgements: the [Merkle root](crate::merkle) over them, each encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode)]
pub struct AcknowledgedRoot(pub Digest);

impl SignedPayload for AcknowledgedRoot {
    const DOMAIN: &'static str = "quern/acknowledgement/2";
}

/// Acknowledgements as a coordinator gives them: as many as [`ACKNOWLEDGED_TOGETHER_MAX`], under one
/// signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Acknowledgements {
    /// What is acknowledged.
    pub words: Vec<Acknowledgement>,
    /// The coordinator's signature over [`AcknowledgedRoot`].
    pub signature: NodeSignature,
}

impl Acknowledgements {
    fn tree(words: &[Acknowledgement]) -> Tree {
        Tree::new(words.iter().map(Encode::encode))
    }

    /// Signs words, as many together as one signature may stand for.
    #[cfg(feature = "std")]
    pub fn sign(
        words: &[Acknowledgement],
        node: &crate::payload::NodeSecret,
        genesis: &GenesisHash,
    ) -> Vec<Self> {
        let together = words.chunks(ACKNOWLEDGED_TOGETHER_MAX as usize);
        let signed = together.map(|words| Self {
            signature: node
                .sign(AcknowledgedRoot(Self::tree(words).root()), genesis)
                .signature,
            words: words.to_vec(),
        });
        signed.collect()
    }

    /// Each of them by itself, if `node` signed them for the chain with this genesis.
    pub fn signed_by(
        &self,
        node: &NodeKey,
        genesis: &GenesisHash,
    ) -> Option<Vec<SignedAcknowledgement>> {
        let each = self.each();
        // One signature under one root: who has signed the first has signed all.
        match each.first() {
            Some(first) if !first.is_signed_by(node, genesis) => None,
            _ => Some(each),
        }
    }

    /// Each of them by itself, whether or not anybody has signed them.
    pub fn each(&self) -> Vec<SignedAcknowledgement> {
        let tree = Self::tree(&self.words);
        let each = (0..).zip(&self.words).filter_map(|(place, word)| {
            Some(SignedAcknowledgement {
                payload: *word,
                proof: tree.proof(place)?,
                signature: self.signature,
            })
        });
        each.collect()
    }
}

/// An acknowledgement, its place among those that were signed with it, and its coordinator's signature.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct SignedAcknowledgement {
    /// What is acknowledged.
    pub payload: Acknowledgement,
    /// Where it stands.
    pub proof: Proof,
    /// The signature over all of them.
    pub signature: NodeSignature,
}

impl SignedAcknowledgement {
    /// What was signed; none where there is no such place, or more were signed than may be.
    pub fn signed(&self) -> Option<NodeSigned<AcknowledgedRoot>> {
        if self.proof.count > ACKNOWLEDGED_TOGETHER_MAX {
            return None;
        }
        let root = self.proof.root_over(&self.payload.encode())?;
        Some(Signed {
            payload: AcknowledgedRoot(root),
            signature: self.signature,
        })
    }

    /// Whether `node` signed it for the chain with this genesis.
    pub fn is_signed_by(&self, node: &NodeKey, genesis: &GenesisHash) -> bool {
        self.signed()
            .is_some_and(|signed| signed.is_signed_by(node, genesis))
    }

    /// One that is signed by itself.
    #[cfg(feature = "std")]
    pub fn alone(
        payload: Acknowledgement,
        node: &crate::payload::NodeSecret,
        genesis: &GenesisHash,
    ) -> Self {
        let tree = Acknowledgements::tree(&[payload]);
        Self {
            payload,
            proof: Proof {
                index: 0,
                count: 1,
                siblings: Vec::new(),
            },
            signature: node.sign(AcknowledgedRoot(tree.root()), genesis).signature,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::payload::NodeSecret;
    use codec::DecodeAll as _;

    const GENESIS: GenesisHash = GenesisHash([3; 32]);

    fn node() -> NodeSecret {
        NodeSecret::from_seed(&[1; 32])
    }

    fn words(count: u32) -> Vec<Acknowledgement> {
        let word = |task| Acknowledgement {
            job: JobId([4; 32]),
            task,
            replica: 0,
            device: DeviceId([6; 32]),
            receipt: Digest([7; 32]),
            position: 8,
        };
        (0..count).map(word).collect()
    }

    #[test]
    fn each_of_many_is_shown_alone_under_their_one_signature() {
        for count in [1, 2, 3, ACKNOWLEDGED_TOGETHER_MAX] {
            let together = Acknowledgements::sign(&words(count), &node(), &GENESIS);
            assert_eq!(together.len(), 1);
            let each = together[0].signed_by(&node().public(), &GENESIS).unwrap();
            let said: Vec<_> = each.iter().map(|word| word.payload).collect();
            assert_eq!(said, words(count));
            for word in each {
                assert!(word.is_signed_by(&node().public(), &GENESIS));
                let shown = SignedAcknowledgement::decode_all(&mut &word.encode()[..]).unwrap();
                assert_eq!(shown, word);
            }
        }
    }

    #[test]
    fn more_than_may_be_signed_together_are_signed_apart() {
        let said = words(2 * ACKNOWLEDGED_TOGETHER_MAX + 1);
        let lists = Acknowledgements::sign(&said, &node(), &GENESIS);
        assert_eq!(lists.len(), 3);
        let again: Vec<_> = lists.iter().flat_map(|list| list.words.clone()).collect();
        assert_eq!(again, said);
        assert_eq!(Acknowledgements::sign(&[], &node(), &GENESIS), []);

        // Though its signature holds, what nobody may sign counts nothing.
        let tree = Acknowledgements::tree(&said);
        let root = AcknowledgedRoot(tree.root());
        let signature = node().sign(root, &GENESIS).signature;
        let proof = tree.proof(5).unwrap();
        let payload = said[5];
        let word = SignedAcknowledgement {
            payload,
            proof,
            signature,
        };
        assert!(!word.is_signed_by(&node().public(), &GENESIS));
        let words = said;
        let list = Acknowledgements { words, signature };
        assert_eq!(list.signed_by(&node().public(), &GENESIS), None);
    }

    #[test]
    fn one_that_was_not_signed_and_one_at_another_place_count_nothing() {
        let public = node().public();
        let list = &Acknowledgements::sign(&words(3), &node(), &GENESIS)[0];
        let each = list.signed_by(&public, &GENESIS).unwrap();
        let other = NodeSecret::from_seed(&[2; 32]).public();
        let elsewhere = GenesisHash([9; 32]);
        assert_eq!(list.signed_by(&other, &GENESIS), None);
        assert_eq!(list.signed_by(&public, &elsewhere), None);
        assert!(!each[0].is_signed_by(&other, &GENESIS));
        assert!(!each[0].is_signed_by(&public, &elsewhere));

        let mut altered = list.clone();
        altered.words[1].position = 9;
        assert_eq!(altered.signed_by(&public, &GENESIS), None);
        let mut moved = each[0].clone();
        moved.proof = each[1].proof.clone();
        assert!(!moved.is_signed_by(&public, &GENESIS));
        let mut short = each[0].clone();
        short.proof.siblings.pop();
        assert!(!short.is_signed_by(&public, &GENESIS));
        let mut outside = each[0].clone();
        outside.proof.index = 3;
        assert!(!outside.is_signed_by(&public, &GENESIS));
    }

    #[test]
    fn one_signed_by_itself_is_as_one_of_a_list_of_one() {
        let word = words(1)[0];
        let alone = SignedAcknowledgement::alone(word, &node(), &GENESIS);
        let list = &Acknowledgements::sign(&[word], &node(), &GENESIS)[0];
        assert_eq!(
            list.signed_by(&node().public(), &GENESIS),
            Some(vec![alone])
        );
    }
}
