//! Laws of custody, held against random input, against a model written apart, and against the format.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod absurd;
mod detection;
mod histories;
mod model;
mod owners;
mod vectors;
mod world;

use quern_custody_rules::drawn;
use quern_primitives::{
    custody::{Answer, Challenge, ChallengedChunk, PieceEntry, Terms},
    ids::{AccountId, DeviceId, Digest},
    merkle::{CHUNK_BYTES, Tree},
};

const OWNER: AccountId = AccountId::new([1; 32]);
const MEMBER: AccountId = AccountId::new([2; 32]);
const STRANGER: AccountId = AccountId::new([3; 32]);
const TREASURY: AccountId = AccountId::new([4; 32]);
const OPERATORS: AccountId = AccountId::new([5; 32]);

/// The device with a number, and the account that it belongs to.
fn device(number: u8) -> (DeviceId, AccountId) {
    (
        DeviceId([100 + number; 32]),
        AccountId::new([100 + number; 32]),
    )
}

/// Periods of ten blocks, prices with remainders.
fn terms() -> Terms {
    Terms {
        period_blocks: 10,
        answer_blocks: 15,
        notice_periods: 2,
        rate: 7_777_777,
        holders_permille: 700,
        operators_permille: 200,
        challenge_bond: 50,
        slash: 1_001,
        winner_permille: 500,
    }
}

/// A piece as somebody has it.
#[derive(Clone, Debug)]
struct Kept {
    bytes: Vec<u8>,
    tree: Tree,
}

impl Kept {
    fn of(bytes: Vec<u8>) -> Self {
        let tree = Tree::new(bytes.chunks(CHUNK_BYTES));
        Self { bytes, tree }
    }

    /// A piece of so many bytes, different for each number.
    fn patterned(number: u8, bytes: usize) -> Self {
        let byte = |at: usize| (((at * at) >> 7) ^ at) as u8 ^ number;
        Self::of((0..bytes).map(byte).collect())
    }

    fn entry(&self, piece: u32) -> PieceEntry {
        PieceEntry {
            version: PieceEntry::VERSION,
            piece,
            chunk_root: self.tree.root(),
            bytes: self.bytes.len() as u64,
            audit_root: Digest::default(),
            audit_depth: 0,
        }
    }

    /// What whoever has these bytes says to a part of a challenge; none if that part is not asked for.
    fn answer(&self, challenge: &Challenge, part: u8) -> Option<Answer> {
        let drawn = drawn::chunks(&challenge.seed, self.tree.count());
        let chunks = drawn::part(&drawn, part)?.iter().map(|index| {
            let bytes = self.bytes.chunks(CHUNK_BYTES).nth(*index as usize);
            ChallengedChunk {
                bytes: bytes.unwrap().to_vec().try_into().unwrap(),
                proof: self.tree.proof(*index).unwrap().try_into().unwrap(),
            }
        });
        let chunks = chunks.collect::<Vec<_>>().try_into().unwrap();
        Some(Answer { part, chunks })
    }
}
