//! From one set of validators to the next: the last block of a set tells of the next one, and has a
//! justification of its own, so a single one for each change leads from the first set to today's.

use crate::{
    authorities::{AuthoritySet, AuthoritySetFault},
    header::{BlockHash, Header, LineFault},
    justification::{Finality, Justification, JustificationFault},
    reading::Malformed,
};
use quern_primitives::BlockNumber;

/// Who makes blocks final at a height, as far as the changes have been followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follower {
    set: AuthoritySet,
    newest: BlockNumber,
}

/// Why a change or a block is not believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FollowFault {
    /// Something does not read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A justification makes nothing final.
    #[error("block {number} is not shown to be final")]
    NotFinal {
        /// The block.
        number: BlockNumber,
        /// Why.
        source: JustificationFault,
    },
    /// The headers are of no one chain.
    #[error(transparent)]
    Line(#[from] LineFault),
    /// The next set cannot be followed to.
    #[error(transparent)]
    Set(#[from] AuthoritySetFault),
    /// A block that should tell of a change tells of none.
    #[error("block {number} tells of no change of the validators")]
    NoChange {
        /// The block.
        number: BlockNumber,
    },
    /// A change is not behind the one before it.
    #[error(
        "block {number} is not behind block {newest}, up to which the validators were followed"
    )]
    NotBehind {
        /// The block.
        number: BlockNumber,
        /// Up to where they were followed.
        newest: BlockNumber,
    },
    /// The headers end with another block than the one that is final.
    #[error("the headers end with block {end}, and the justification should be for block {block}")]
    OtherEnd {
        /// Where they end.
        end: BlockHash,
        /// What is final.
        block: BlockHash,
    },
}

impl Follower {
    /// Begins with the set that makes blocks behind this height final.
    pub fn new(set: AuthoritySet, height: BlockNumber) -> Self {
        Self {
            set,
            newest: height,
        }
    }

    /// Who makes blocks behind [`Self::height`] final.
    pub fn set(&self) -> &AuthoritySet {
        &self.set
    }

    /// The block that told of the set; the first block's height if none did.
    pub fn height(&self) -> BlockNumber {
        self.newest
    }

    /// Goes on to the next set, of which the set's last block tells. Changes nothing if that is not
    /// shown.
    pub fn hand_over(&mut self, header: &Header, justification: &[u8]) -> Result<(), FollowFault> {
        let number = header.number;
        if number <= self.newest {
            return Err(FollowFault::NotBehind {
                number,
                newest: self.newest,
            });
        }
        self.check(header, justification)?;
        let next = self.set.after(header)?;
        self.set = next.ok_or(FollowFault::NoChange { number })?;
        self.newest = number;
        Ok(())
    }

    /// Checks that this set made a block final: the block itself, or a descendant.
    pub fn finality(&self, block: &Header, finality: &Finality) -> Result<(), FollowFault> {
        block.line(&finality.headers)?;
        let last = finality.headers.last().unwrap_or(block);
        if last.hash() != finality.block {
            return Err(FollowFault::OtherEnd {
                end: last.hash(),
                block: finality.block,
            });
        }
        self.check(last, &finality.justification)
    }

    fn check(&self, header: &Header, justification: &[u8]) -> Result<(), FollowFault> {
        let justification = Justification::read(justification)?;
        justification
            .check(header, &self.set)
            .map_err(|source| FollowFault::NotFinal {
                number: header.number,
                source,
            })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::justification::tests::{Voters, chain, telling_of};
    use codec::Encode as _;

    fn finality(block: &Header, behind: &[Header], voters: &Voters) -> Finality {
        let last = behind.last().unwrap_or(block);
        Finality {
            block: last.hash(),
            justification: voters.justify(last).encode(),
            headers: behind.to_vec(),
        }
    }

    #[test]
    fn one_justification_for_each_change_leads_to_today_s_validators() {
        let sets = [
            Voters::new(0, 1..=3),
            Voters::new(1, 3..=6),
            Voters::new(2, 7..=7),
        ];
        let first = telling_of(5, &sets[1]);
        let second = telling_of(900, &sets[2]);
        let mut follower = Follower::new(sets[0].set(), 0);
        follower
            .hand_over(&first, &sets[0].justify(&first).encode())
            .unwrap();
        assert_eq!((follower.set().id(), follower.height()), (1, 5));
        follower
            .hand_over(&second, &sets[1].justify(&second).encode())
            .unwrap();
        assert_eq!(follower.set(), &sets[2].set());
        let blocks = chain(1_000, 3);
        let proof = finality(&blocks[0], &blocks[1..], &sets[2]);
        assert_eq!(follower.finality(&blocks[0], &proof), Ok(()));
        let own = finality(&blocks[0], &[], &sets[2]);
        assert_eq!(follower.finality(&blocks[0], &own), Ok(()));
    }

    #[test]
    fn a_change_that_is_not_signed_by_the_set_before_it_changes_nothing() {
        let (old, new) = (Voters::new(0, 1..=3), Voters::new(1, 4..=6));
        let block = telling_of(5, &new);
        let mut follower = Follower::new(old.set(), 0);
        let begun = follower.clone();
        let by_itself = follower.hand_over(&block, &new.justify(&block).encode());
        assert!(matches!(by_itself, Err(FollowFault::NotFinal { .. })));
        let plain = &chain(5, 1)[0];
        let nothing = follower.hand_over(plain, &old.justify(plain).encode());
        assert_eq!(nothing, Err(FollowFault::NoChange { number: 5 }));
        let cut = old.justify(&block).encode();
        let cut = follower.hand_over(&block, &cut[..cut.len() - 1]);
        assert!(matches!(cut, Err(FollowFault::Malformed(_))));
        assert_eq!(follower, begun);
        let good = old.justify(&block).encode();
        follower.hand_over(&block, &good).unwrap();
        let (number, newest) = (5, 5);
        let again = follower.hand_over(&block, &good);
        assert_eq!(again, Err(FollowFault::NotBehind { number, newest }));
    }

    #[test]
    fn headers_that_do_not_lead_to_the_signed_block_show_nothing() {
        let voters = Voters::new(0, 1..=3);
        let follower = Follower::new(voters.set(), 0);
        let blocks = chain(7, 4);
        let mut gap = finality(&blocks[0], &blocks[1..], &voters);
        gap.headers.remove(1);
        let gap = follower.finality(&blocks[0], &gap);
        assert!(matches!(gap, Err(FollowFault::Line(_))));
        let mut short = finality(&blocks[0], &blocks[1..], &voters);
        short.headers.pop();
        let short = follower.finality(&blocks[0], &short);
        assert!(matches!(short, Err(FollowFault::OtherEnd { .. })));
        // The headers lead somewhere that nobody signed.
        let mut other = finality(&blocks[0], &blocks[1..], &voters);
        (other.block, other.headers) = (blocks[2].hash(), blocks[1..3].to_vec());
        let other = follower.finality(&blocks[0], &other);
        let source = JustificationFault::OtherBlock {
            found: blocks[3].hash(),
            wanted: blocks[2].hash(),
        };
        assert_eq!(other, Err(FollowFault::NotFinal { number: 9, source }));
    }
}
