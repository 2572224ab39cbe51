use super::*;
use crate::header::DigestItem;
use proptest::prelude::*;
use std::ops::RangeInclusive;

/// A set of validators with their secrets, each of weight 1.
pub(crate) struct Voters {
    id: u64,
    keys: Vec<ed25519::Pair>,
}

impl Voters {
    pub(crate) fn new(id: u64, seeds: RangeInclusive<u8>) -> Self {
        let keys = seeds.map(|seed| ed25519::Pair::from_seed(&[seed; 32]));
        Self {
            id,
            keys: keys.collect(),
        }
    }

    pub(crate) fn listed(&self) -> Vec<(AuthorityId, u64)> {
        let ids = self.keys.iter().map(|key| AuthorityId(key.public().0));
        ids.map(|id| (id, 1)).collect()
    }

    pub(crate) fn set(&self) -> AuthoritySet {
        AuthoritySet::new(self.id, self.listed()).unwrap()
    }

    fn vote(&self, voter: usize, header: &Header) -> Precommit {
        let (target, number) = (header.hash(), header.number);
        let signed = Precommit::signed(&target, number, ROUND, self.id);
        Precommit {
            target,
            number,
            signature: self.keys[voter].sign(&signed).0,
            id: AuthorityId(self.keys[voter].public().0),
        }
    }

    /// That all of them made this block final.
    pub(crate) fn justify(&self, header: &Header) -> Justification {
        self.by(header, 0..self.keys.len())
    }

    fn by(&self, header: &Header, voters: impl IntoIterator<Item = usize>) -> Justification {
        let votes = voters.into_iter().map(|voter| self.vote(voter, header));
        Justification {
            round: ROUND,
            target: header.hash(),
            number: header.number,
            precommits: votes.collect(),
            headers: Vec::new(),
        }
    }
}

const ROUND: u64 = 12;

/// So many blocks, the first at this height, each the child of the one before.
pub(crate) fn chain(height: BlockNumber, blocks: u32) -> Vec<Header> {
    let mut parent = BlockHash([9; 32]);
    let block = |number: BlockNumber| {
        let header = Header {
            parent,
            number,
            state_root: [number as u8; 32],
            extrinsics_root: [3; 32],
            digest: vec![DigestItem::Seal(*b"BABE", vec![7; 64])],
        };
        parent = header.hash();
        header
    };
    (height..height + blocks).map(block).collect()
}

/// A block that tells of the next validators.
pub(crate) fn telling_of(height: BlockNumber, next: &Voters) -> Header {
    let change = (1_u8, next.listed(), 0 as BlockNumber).encode();
    let mut header = chain(height, 1).remove(0);
    header
        .digest
        .insert(0, DigestItem::Consensus(*b"FRNK", change));
    header
}

#[test]
fn more_than_two_thirds_are_needed_and_enough() {
    let (voters, block) = (Voters::new(3, 1..=4), &chain(20, 1)[0]);
    let set = voters.set();
    assert_eq!(voters.justify(block).check(block, &set), Ok(()));
    assert_eq!(voters.by(block, 1..4).check(block, &set), Ok(()));
    let (weight, needed) = (2, 3);
    let few = voters.by(block, 1..3).check(block, &set);
    assert_eq!(few, Err(JustificationFault::TooFew { weight, needed }));
    let none = voters.by(block, []).check(block, &set);
    let weight = 0;
    assert_eq!(none, Err(JustificationFault::TooFew { weight, needed }));
}

#[test]
fn a_validator_that_is_there_twice_counts_once() {
    let (voters, block) = (Voters::new(3, 1..=4), &chain(20, 1)[0]);
    let (weight, needed) = (2, 3);
    let repeated = voters.by(block, [0, 1, 1, 0, 1]);
    let checked = repeated.check(block, &voters.set());
    assert_eq!(checked, Err(JustificationFault::TooFew { weight, needed }));
}

#[test]
fn weights_count_and_not_heads() {
    let (voters, block) = (Voters::new(3, 1..=4), &chain(20, 1)[0]);
    let mut listed = voters.listed();
    listed[0].1 = 10;
    let set = AuthoritySet::new(3, listed).unwrap();
    let (weight, needed) = (3, 9);
    let crowd = voters.by(block, 1..4).check(block, &set);
    assert_eq!(crowd, Err(JustificationFault::TooFew { weight, needed }));
    assert_eq!(voters.by(block, [0]).check(block, &set), Ok(()));
}

#[test]
fn a_justification_of_another_set_is_told_from_a_forged_one() {
    let (voters, block) = (Voters::new(3, 1..=4), &chain(20, 1)[0]);
    let (earlier, strangers) = (Voters::new(2, 1..=4), Voters::new(3, 5..=8));
    let set = voters.set();
    let (found, own) = (2, 3);
    let other = earlier.justify(block).check(block, &set);
    assert_eq!(other, Err(JustificationFault::OtherSet { found, set: own }));
    let strange = strangers.justify(block).check(block, &set);
    let id = strangers.listed()[0].0;
    assert_eq!(strange, Err(JustificationFault::Stranger { id, set: own }));
    let mut forged = voters.justify(block);
    forged.precommits[1].signature[5] ^= 1;
    let id = forged.precommits[1].id;
    let forged = forged.check(block, &set);
    assert_eq!(forged, Err(JustificationFault::Signature { id }));
    let mut round = voters.justify(block);
    round.round += 1;
    let round = round.check(block, &set);
    assert!(matches!(round, Err(JustificationFault::Signature { .. })));
}

#[test]
fn a_justification_is_for_one_block_alone() {
    let (voters, blocks) = (Voters::new(3, 1..=4), chain(20, 2));
    let justification = voters.justify(&blocks[0]);
    let other = justification.check(&blocks[1], &voters.set());
    assert!(matches!(other, Err(JustificationFault::OtherBlock { .. })));
    // The block is the right one, but nobody voted for it.
    let mut moved = justification;
    (moved.target, moved.number) = (blocks[1].hash(), 21);
    let moved = moved.check(&blocks[1], &voters.set());
    let (weight, needed) = (0, 3);
    assert_eq!(moved, Err(JustificationFault::TooFew { weight, needed }));
}

/// Two votes for the first of four blocks, and two for the last.
fn ahead(voters: &Voters, blocks: &[Header]) -> Justification {
    let mut justification = voters.by(&blocks[0], 0..2);
    let later = (2..4).map(|voter| voters.vote(voter, &blocks[3]));
    justification.precommits.extend(later);
    justification.headers = blocks[1..].to_vec();
    justification
}

#[test]
fn a_vote_for_a_later_block_is_one_for_each_before_it() {
    let (voters, blocks) = (Voters::new(3, 1..=4), chain(20, 4));
    let justification = ahead(&voters, &blocks);
    assert_eq!(justification.check(&blocks[0], &voters.set()), Ok(()));
    // Of a later one it is none for what is behind it.
    let mut later = ahead(&voters, &blocks);
    (later.target, later.number) = (blocks[1].hash(), 21);
    let (weight, needed) = (2, 3);
    let later = later.check(&blocks[1], &voters.set());
    assert_eq!(later, Err(JustificationFault::TooFew { weight, needed }));
}

#[test]
fn forged_ways_back_show_nothing() {
    let (voters, blocks) = (Voters::new(3, 1..=4), chain(20, 4));
    let check = |change: &dyn Fn(&mut Justification)| {
        let mut justification = ahead(&voters, &blocks);
        change(&mut justification);
        justification.check(&blocks[0], &voters.set()).unwrap_err()
    };
    let gap = check(&|it| drop(it.headers.remove(1)));
    assert!(matches!(gap, JustificationFault::Ancestry { .. }));
    let renamed = check(&|it| it.headers[1].state_root = [0; 32]);
    assert!(matches!(renamed, JustificationFault::Ancestry { .. }));
    let fork = check(&|it| {
        let mut fork = blocks[1].clone();
        fork.parent = BlockHash([1; 32]);
        it.precommits[3] = voters.vote(3, &fork);
        it.headers.push(fork);
    });
    assert!(matches!(fork, JustificationFault::Ancestry { .. }));
    let unused = check(&|it| it.headers.push(chain(90, 1).remove(0)));
    assert_eq!(unused, JustificationFault::UnusedHeaders);
    let twice = check(&|it| it.headers.push(blocks[2].clone()));
    assert_eq!(twice, JustificationFault::UnusedHeaders);
    let base = check(&|it| it.headers.push(blocks[0].clone()));
    assert_eq!(base, JustificationFault::UnusedHeaders);
    let height = check(&|it| {
        let voter = &voters.keys[3];
        let (target, number) = (blocks[3].hash(), 24);
        let signed = Precommit::signed(&target, number, ROUND, 3);
        it.precommits[3] = Precommit {
            target,
            number,
            signature: voter.sign(&signed).0,
            id: AuthorityId(voter.public().0),
        };
    });
    assert!(matches!(height, JustificationFault::Ancestry { .. }));
}

#[test]
fn who_votes_twice_counts_for_every_block_once() {
    let (voters, blocks) = (Voters::new(3, 1..=4), chain(20, 2));
    // The third voted for the first block and for the second: with it three are for the second.
    let mut justification = voters.by(&blocks[1], 0..2);
    justification.precommits.push(voters.vote(2, &blocks[0]));
    justification.headers = vec![blocks[1].clone()];
    let (weight, needed) = (2, 3);
    let once = justification.check(&blocks[1], &voters.set());
    assert_eq!(once, Err(JustificationFault::TooFew { weight, needed }));
    justification.precommits.push(voters.vote(2, &blocks[1]));
    assert_eq!(justification.check(&blocks[1], &voters.set()), Ok(()));
}

#[test]
fn a_justification_that_is_cut_off_or_goes_on_is_refused() {
    let (voters, blocks) = (Voters::new(3, 1..=4), chain(20, 4));
    let bytes = ahead(&voters, &blocks).encode();
    assert_eq!(
        Justification::read(&bytes).unwrap(),
        ahead(&voters, &blocks)
    );
    for cut in 0..bytes.len() {
        let read = Justification::read(&bytes[..cut]);
        assert!(matches!(read, Err(Malformed::Broken { .. })), "{cut}");
    }
    let more = Justification::read(&[&bytes[..], &[0]].concat());
    assert!(matches!(more, Err(Malformed::Trailing { bytes: 1, .. })));
    let mut crowd = voters.justify(&blocks[0]);
    crowd.precommits = vec![crowd.precommits[0].clone(); PRECOMMITS_MAX + 1];
    let crowd = Justification::read(&crowd.encode());
    assert!(matches!(crowd, Err(Malformed::Broken { .. })));
    let long = Justification::read(&vec![0; JUSTIFICATION_BYTES_MAX + 1]);
    assert!(matches!(long, Err(Malformed::TooLong { .. })));
}

#[test]
fn an_answer_of_a_node_reads_back_whole_or_not_at_all() {
    let (voters, blocks) = (Voters::new(3, 1..=4), chain(20, 3));
    let finality = Finality {
        block: blocks[2].hash(),
        justification: voters.justify(&blocks[2]).encode(),
        headers: blocks[1..].to_vec(),
    };
    let bytes = finality.encode();
    assert_eq!(Finality::read(&bytes).unwrap(), finality);
    for cut in 0..bytes.len() {
        assert!(Finality::read(&bytes[..cut]).is_err(), "{cut}");
    }
    assert!(Finality::read(&[&bytes[..], &[0]].concat()).is_err());
    let headers = vec![blocks[0].clone(); LINE_HEADERS_MAX + 1];
    let long = Finality {
        headers,
        ..finality
    };
    assert!(Finality::read(&long.encode()).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_a_justification_that_encodes_the_same_or_none(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        if let Ok(read) = Justification::read(&bytes) {
            prop_assert_eq!(read.encode(), bytes.clone());
        }
        if let Ok(read) = Finality::read(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn a_changed_byte_of_a_good_justification_is_always_noticed(
        at in any::<prop::sample::Index>(),
        bits in 1_u8..,
    ) {
        // Three of four, so that no vote can be done without.
        let (voters, block) = (Voters::new(3, 1..=4), chain(20, 1).remove(0));
        let mut bytes = voters.by(&block, 0..3).encode();
        let at = at.index(bytes.len());
        bytes[at] ^= bits;
        let holds = Justification::read(&bytes)
            .is_ok_and(|read| read.check(&block, &voters.set()).is_ok());
        prop_assert!(!holds, "{at}");
    }
}
