//! An honest chain as a light client sees it: its first block, whose state has the validators; the block
//! that tells of others; and one whose state has values, with the block behind it that these signed.

use codec::Encode as _;
use quern_light::{
    AuthorityId, AuthoritySet, BlockHash, ChainProof, DigestItem, Finality, HandOver, Header,
    Justification, Start, justification::Precommit, keys,
};
use quern_primitives::{BlockNumber, GenesisHash, JobId};
use sp_core::{Blake2Hasher, H256, Pair as _, ed25519};
use sp_trie::{MemoryDB, TrieMut as _, trie_types::TrieDBMutBuilderV1};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// Validators with their secrets, each of weight 1.
pub(super) struct Voters {
    set: u64,
    keys: Vec<ed25519::Pair>,
}

const ROUND: u64 = 12;

impl Voters {
    fn new(set: u64, seeds: impl IntoIterator<Item = u8>) -> Self {
        let keys = seeds.into_iter().map(|seed| [seed; 32]);
        let keys = keys.map(|seed| ed25519::Pair::from_seed(&seed));
        Self {
            set,
            keys: keys.collect(),
        }
    }

    pub(super) fn listed(&self) -> Vec<(AuthorityId, u64)> {
        let ids = self.keys.iter().map(|key| AuthorityId(key.public().0));
        ids.map(|id| (id, 1)).collect()
    }

    pub(super) fn set(&self) -> AuthoritySet {
        self.numbered(self.set)
    }

    fn numbered(&self, set: u64) -> AuthoritySet {
        AuthoritySet::new(set, self.listed()).expect("there is a validator, and each is there once")
    }

    /// That all of them made a block final.
    fn justify(&self, header: &Header) -> Justification {
        let (target, number) = (header.hash(), header.number);
        let signed = Precommit::signed(&target, number, ROUND, self.set);
        let votes = self.keys.iter().map(|key| Precommit {
            target,
            number,
            signature: key.sign(&signed).0,
            id: AuthorityId(key.public().0),
        });
        Justification {
            round: ROUND,
            target,
            number,
            precommits: votes.collect(),
            headers: Vec::new(),
        }
    }
}

/// The first validators.
pub(super) static FORMER: LazyLock<Voters> = LazyLock::new(|| Voters::new(0, [1]));

/// Those behind [`CHANGE`].
pub(super) static VOTERS: LazyLock<Voters> = LazyLock::new(|| Voters::new(1, 2..6));

/// Sets that signed nothing: the same validators under another number, and others under this.
pub(super) static OTHERS: LazyLock<[AuthoritySet; 2]> =
    LazyLock::new(|| [VOTERS.numbered(2), Voters::new(1, 40..44).set()]);

/// What a state has.
pub(super) type Values = BTreeMap<Vec<u8>, Vec<u8>>;

/// The root of a state, and the nodes that prove what is at these keys, as a node answers.
pub(super) fn nodes_for(values: &Values, keys: &[Vec<u8>]) -> ([u8; 32], Vec<Vec<u8>>) {
    let (mut nodes, mut root) = (MemoryDB::<Blake2Hasher>::default(), H256::default());
    {
        let mut trie = TrieDBMutBuilderV1::<Blake2Hasher>::new(&mut nodes, &mut root).build();
        for (key, value) in values {
            let _ = trie.insert(key, value);
        }
    }
    let mut recorder = sp_trie::Recorder::<sp_trie::LayoutV1<Blake2Hasher>>::new();
    for key in keys {
        let _ = sp_trie::read_trie_value::<sp_trie::LayoutV1<Blake2Hasher>, _>(
            &nodes,
            &root,
            key,
            Some(&mut recorder),
            None,
        );
    }
    let recorded = recorder.drain().into_iter().map(|record| record.data);
    let unique: BTreeSet<Vec<u8>> = recorded.collect();
    (root.0, unique.into_iter().collect())
}

fn block(parent: BlockHash, number: BlockNumber, state_root: [u8; 32]) -> Header {
    Header {
        parent,
        number,
        state_root,
        extrinsics_root: [3; 32],
        digest: Vec::new(),
    }
}

/// The state after the first block, and the keys that are asked for.
fn first_state() -> (Values, [Vec<u8>; 2]) {
    let values = [(keys::authorities(), FORMER.listed().encode())];
    (
        values.into(),
        [keys::authorities(), keys::authority_set_id()],
    )
}

/// The chain's first block.
pub(super) static FIRST: LazyLock<Header> = LazyLock::new(|| {
    let (values, asked) = first_state();
    block(BlockHash::default(), 0, nodes_for(&values, &asked).0)
});

/// The last block of the first validators.
pub(super) static CHANGE: LazyLock<Header> = LazyLock::new(|| {
    let change = (1_u8, VOTERS.listed(), 0_u32).encode();
    Header {
        digest: vec![DigestItem::Consensus(*b"FRNK", change)],
        ..block(BlockHash([9; 32]), 10, [8; 32])
    }
});

const JOB: JobId = JobId([4; 32]);

/// Keys that are asked for: of a short value, of a long one, and of none.
pub(super) static KEYS: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| (0..3).map(|sequence| keys::batch(&JOB, sequence)).collect());

/// What is there.
pub(super) static VALUES: LazyLock<Values> = LazyLock::new(|| {
    let values = [7_u64.encode(), vec![8; 50]];
    KEYS.iter().cloned().zip(values).collect()
});

/// The block with these values, and the one behind it, which is signed.
pub(super) static LINE: LazyLock<[Header; 2]> = LazyLock::new(|| {
    let first = block(BlockHash([7; 32]), 20, nodes_for(&VALUES, &KEYS).0);
    let second = block(first.hash(), 21, [6; 32]);
    [first, second]
});

/// The one word of [`VOTERS`].
pub(super) static SIGNED: LazyLock<Justification> = LazyLock::new(|| VOTERS.justify(&LINE[1]));

/// All of it in one file.
pub(super) static PROOF: LazyLock<ChainProof> = LazyLock::new(|| {
    let (values, asked) = first_state();
    let start = Start {
        header: FIRST.encode(),
        nodes: nodes_for(&values, &asked).1,
    };
    let change = HandOver {
        header: CHANGE.encode(),
        justification: FORMER.justify(&CHANGE).encode(),
    };
    let [block, signed] = &*LINE;
    let finality = Finality {
        block: signed.hash(),
        justification: SIGNED.encode(),
        headers: vec![signed.clone()],
    };
    ChainProof::new(
        GenesisHash(FIRST.hash().0),
        block,
        &finality,
        Some(start),
        vec![change],
        nodes_for(&VALUES, &KEYS).1,
    )
});
