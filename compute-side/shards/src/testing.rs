//! What tests share: a generator that gives the same bytes in every run, and places to seal for.

#![allow(dead_code)] // Not every test that includes this file uses all of it.

use quern_primitives::{DeviceId, GenesisHash, JobId, ProgramHash};
use quern_shards::{
    context::{ResultContext, ShardContext},
    rand_core::{TryCryptoRng, TryRng},
};
use sha2::{Digest, Sha256};
use std::convert::Infallible;

/// SHA-256 over a seed and a counter: good enough to be random, the same in every run.
pub(crate) struct SeededRng {
    seed: u64,
    block: u64,
}

impl SeededRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, block: 0 }
    }
}

impl TryRng for SeededRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for part in bytes.chunks_mut(32) {
            let seed = [self.seed.to_le_bytes(), self.block.to_le_bytes()].concat();
            part.copy_from_slice(&Sha256::digest(&seed)[..part.len()]);
            self.block += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for SeededRng {}

/// Bytes in which no two stretches are alike.
pub(crate) fn patterned(length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| (i.wrapping_mul(i) >> 7 ^ i).to_le_bytes()[0])
        .collect()
}

pub(crate) fn shard_context(plaintext_bytes: usize) -> ShardContext {
    ShardContext {
        genesis: GenesisHash([0x11; 32]),
        job: JobId([0x22; 32]),
        program: ProgramHash([0x33; 32]),
        index: 3,
        count: 7,
        plaintext_bytes: plaintext_bytes as u64,
    }
}

pub(crate) fn result_context() -> ResultContext {
    ResultContext {
        genesis: GenesisHash([0x11; 32]),
        job: JobId([0x22; 32]),
        program: ProgramHash([0x33; 32]),
        task: 3,
        tasks: 7,
        replica: 1,
        device: DeviceId([0x44; 32]),
    }
}
