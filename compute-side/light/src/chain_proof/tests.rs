use super::*;
use crate::{
    header::DigestItem,
    justification::{
        JustificationFault,
        tests::{Voters, chain, telling_of},
    },
    trie::tests::{Values, nodes_for},
};
use quern_primitives::JobId;

const JOB: JobId = JobId([4; 32]);

/// Two sets of validators, the second from block 10 on, and a block with a value in its state.
struct World {
    genesis: Header,
    start: Start,
    change: HandOver,
    line: Vec<Header>,
    nodes: Vec<Vec<u8>>,
    sets: [Voters; 2],
}

impl World {
    fn new() -> Self {
        let sets = [Voters::new(0, 1..=3), Voters::new(1, 3..=6)];
        let first = [(keys::authorities(), sets[0].listed().encode())];
        let filling = (0..9_u64).map(|number| (keys::entry("A", "B", &number), vec![1; 40]));
        let state: Values = first.into_iter().chain(filling).collect();
        let asked = [keys::authorities(), keys::authority_set_id()];
        let (state_root, nodes) = nodes_for(&state, &[&asked[0], &asked[1]]);
        let genesis = Header {
            parent: BlockHash::default(),
            number: 0,
            state_root,
            extrinsics_root: [0; 32],
            digest: Vec::new(),
        };
        let start = Start {
            header: genesis.encode(),
            nodes,
        };
        let tells = telling_of(10, &sets[1]);
        let change = HandOver {
            header: tells.encode(),
            justification: sets[0].justify(&tells).encode(),
        };
        let values: Values = [
            (keys::batch(&JOB, 0), 7_u64.encode()),
            (keys::batch(&JOB, 1), vec![8; 50]),
        ]
        .into();
        let (key, absent) = (keys::batch(&JOB, 0), keys::batch(&JOB, 2));
        let (state_root, nodes) = nodes_for(&values, &[&key, &absent]);
        let mut line = chain(20, 1);
        line[0].state_root = state_root;
        for number in 21..24 {
            let parent = line.last().unwrap().hash();
            line.push(Header {
                parent,
                ..chain(number, 1).remove(0)
            });
        }
        Self {
            genesis,
            start,
            change,
            line,
            nodes,
            sets,
        }
    }

    fn genesis(&self) -> GenesisHash {
        GenesisHash(self.genesis.hash().0)
    }

    fn proof(&self) -> ChainProof {
        let last = self.line.last().unwrap();
        let finality = Finality {
            block: last.hash(),
            justification: self.sets[1].justify(last).encode(),
            headers: self.line[1..].to_vec(),
        };
        ChainProof::new(
            self.genesis(),
            &self.line[0],
            &finality,
            Some(self.start.clone()),
            vec![self.change.clone()],
            self.nodes.clone(),
        )
    }

    /// What comes of a proof after a change to it, from the chain's first block.
    fn fault(&self, change: impl FnOnce(&mut ChainProof)) -> ChainProofFault {
        let mut proof = self.proof();
        change(&mut proof);
        proof.check(Trust::Genesis(self.genesis())).unwrap_err()
    }
}

#[test]
fn a_value_is_proven_from_the_chain_s_first_block() {
    let world = World::new();
    let proven = world.proof().check(Trust::Genesis(world.genesis()));
    let proven = proven.unwrap();
    let (set, validators) = (1, 4);
    assert_eq!(proven.way, Way::Signed { set, validators });
    assert_eq!(proven.header, world.line[0]);
    assert_eq!(proven.value::<u64>(&keys::batch(&JOB, 0)).unwrap(), Some(7));
    assert_eq!(proven.value::<u64>(&keys::batch(&JOB, 2)).unwrap(), None);
}

#[test]
fn a_value_is_proven_by_its_header_or_a_later_one() {
    let world = World::new();
    let mut proof = world.proof();
    // Nothing of this is needed then.
    (proof.start, proof.justification) = (None, Vec::new());
    for (header, behind) in world.line.iter().zip(0..) {
        let proven = proof.check(Trust::Header(header.hash())).unwrap();
        assert_eq!(proven.way, Way::Header { behind });
        assert_eq!(proven.value::<u64>(&keys::batch(&JOB, 0)).unwrap(), Some(7));
    }
    let other = proof.check(Trust::Header(BlockHash([1; 32])));
    assert!(matches!(
        other,
        Err(ChainProofFault::Elsewhere {
            first: 20,
            last: 23,
            ..
        })
    ));
    // Headers behind the trusted one that are no line are not passed over.
    proof.headers.remove(1);
    let gap = proof.check(Trust::Header(world.line[0].hash()));
    assert!(matches!(gap, Err(ChainProofFault::Line(_))));
}

#[test]
fn a_proof_reads_back_from_its_file_and_nothing_else_does() {
    let world = World::new();
    let text = serde_json::to_string(&world.proof()).unwrap();
    let read: ChainProof = serde_json::from_str(&text).unwrap();
    assert_eq!(read, world.proof());
    assert_eq!(read.genesis(), world.genesis());
    for wrong in [
        "{}".to_owned(),
        text.replace("\"header\":\"0x", "\"header\":\""),
        text.replace("\"version\"", "\"more\":1,\"version\""),
        text[..text.len() / 2].to_owned(),
    ] {
        assert!(serde_json::from_str::<ChainProof>(&wrong).is_err());
    }
}

#[test]
fn every_part_of_a_proof_is_needed() {
    let world = World::new();
    let version = world.fault(|it| it.version = 2);
    assert_eq!(version, ChainProofFault::Version { version: 2 });
    let chain = world.fault(|it| it.genesis = GenesisHash([1; 32]));
    assert!(matches!(chain, ChainProofFault::OtherChain { .. }));
    let start = world.fault(|it| it.start = None);
    assert_eq!(start, ChainProofFault::NoStart);
    let start = world.fault(|it| it.start.as_mut().unwrap().header = world.line[0].encode());
    assert!(matches!(start, ChainProofFault::OtherStart { .. }));
    let start = world.fault(|it| it.start.as_mut().unwrap().nodes = world.nodes.clone());
    assert_eq!(start, ChainProofFault::State(TrieFault::OtherState));
    let change = world.fault(|it| it.hand_overs.clear());
    assert!(matches!(
        change,
        ChainProofFault::Follow(FollowFault::NotFinal { number: 23, .. })
    ));
    let twice = world.fault(|it| it.hand_overs.push(it.hand_overs[0].clone()));
    assert!(matches!(
        twice,
        ChainProofFault::Follow(FollowFault::NotBehind { .. })
    ));
    let nodes = world.fault(|it| it.nodes = it.start.as_ref().unwrap().nodes.clone());
    assert_eq!(nodes, ChainProofFault::State(TrieFault::OtherState));
    let cut = world.fault(|it| it.header.truncate(it.header.len() - 1));
    assert!(matches!(cut, ChainProofFault::Malformed(_)));
    let short = world.fault(|it| drop(it.headers.pop()));
    assert!(matches!(short, ChainProofFault::Follow(_)));
    let crowd = world.fault(|it| it.headers = vec![it.header.clone(); LINE_HEADERS_MAX + 1]);
    assert!(matches!(crowd, ChainProofFault::TooMany { .. }));
}

#[test]
fn a_justification_of_validators_of_before_is_refused() {
    let world = World::new();
    let last = world.line.last().unwrap();
    let fault = world.fault(|it| it.justification = world.sets[0].justify(last).encode());
    let ChainProofFault::Follow(FollowFault::NotFinal { source, .. }) = fault else {
        unreachable!("it is not shown to be final");
    };
    let set = world.sets[1].set().id();
    assert!(
        matches!(source, JustificationFault::Stranger { set: of, .. } if of == set),
        "{source}"
    );
}

#[test]
fn validators_that_the_first_state_does_not_have_are_none() {
    let nothing = Header {
        parent: BlockHash::default(),
        number: 0,
        state_root: crate::reading::hash(&[0]),
        extrinsics_root: [0; 32],
        digest: vec![DigestItem::RuntimeEnvironmentUpdated],
    };
    let fault = follower_of(&nothing, [vec![0]]).unwrap_err();
    assert!(matches!(fault, ChainProofFault::Set(_)));
}
