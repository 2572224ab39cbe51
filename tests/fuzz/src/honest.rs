//! What honest people say: the values that the corpus begins with, and that nothing else may pass for.

use quern_primitives::{
    AccountId, DeviceId, Digest, GenesisHash, JobId, ProgramHash, SealingKey,
    device::Class,
    job::{Agreement, ByteLevel, Preferences, Referees, Submission},
    payload::DeviceKey,
    receipt::{Exit, Receipt, SignedReceipt},
};
use quern_shards::rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest as _, Sha256};
use std::{convert::Infallible, sync::LazyLock};

pub(crate) const GENESIS: GenesisHash = GenesisHash([0x11; 32]);
pub(crate) const JOB: JobId = JobId([0x22; 32]);
pub(crate) const PROGRAM: ProgramHash = ProgramHash([0x33; 32]);
pub(crate) const OWNER: AccountId = AccountId::new([0x55; 32]);
pub(crate) const COORDINATOR: AccountId = AccountId::new([0x66; 32]);

/// A height at which the honest job is computed.
pub(crate) const NOW: u32 = 20;

/// The honest device's key.
pub(crate) static DEVICE: LazyLock<DeviceKey> = LazyLock::new(|| DeviceKey::from_seed(&[7; 32]));

/// All that the honest device ever signed.
pub(crate) static RECEIPTS: LazyLock<Vec<SignedReceipt>> = LazyLock::new(|| {
    let exits = [Exit::Success, Exit::Code(-3), Exit::OutOfFuel];
    (0..)
        .zip(exits)
        .map(|(replica, exit)| DEVICE.sign(receipt(replica, exit), &GENESIS))
        .collect()
});

fn receipt(replica: u8, exit: Exit) -> Receipt {
    Receipt {
        job: JOB,
        task: 4,
        replica,
        device: DEVICE.id(),
        program: PROGRAM,
        input_root: Digest([3; 32]),
        question: Digest([46; 32]),
        result_commitment: Digest([4; 32]),
        output_root: Digest([5; 32]),
        result_bytes: 10,
        fuel: 1_000_000,
        exit,
        class: Class::Pinned,
        engine: Digest([6; 32]),
        log_position: 77,
        salt: [90; 32].into(),
    }
}

/// Whether the honest device signed this.
pub(crate) fn signed(receipt: &Receipt) -> bool {
    RECEIPTS.iter().any(|signed| signed.payload == *receipt)
}

/// A job of 60 tasks, as its owner hands it in.
pub(crate) fn submission() -> Submission {
    Submission {
        salt: [9; 16],
        program: PROGRAM,
        manifest: Digest([1; 32]),
        shards_root: Digest([2; 32]),
        key_commitment: Digest([3; 32]),
        tasks: 60,
        input_bytes: 6_000,
        fuel_per_task_max: 1_000_000_000,
        memory_bytes_max: 1 << 26,
        result_bytes_max: 1 << 20,
        agreement: Agreement::Single,
        referees: Referees::One,
        class: Class::Pinned,
        preferences: Preferences::default(),
        level: ByteLevel::Balanced,
        deadline: 1_000,
        price_max: u128::MAX,
        owner_sealing_key: SealingKey([8; 32]),
    }
}

/// What somebody makes of honest bytes who turns a bit over, which two bytes of the input name.
pub(crate) fn turned_over(bytes: &[u8], [low, high]: [u8; 2]) -> Vec<u8> {
    let mut turned = bytes.to_vec();
    let bit = usize::from(u16::from_le_bytes([low, high])) % (turned.len() * 8).max(1);
    if let Some(byte) = turned.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
    turned
}

/// A device that is not the honest one.
pub(crate) const STRANGER: DeviceId = DeviceId([0x77; 32]);

/// SHA-256 over a counter: the same in every run, as a corpus must be.
#[derive(Default)]
pub(crate) struct Counter(u64);

impl TryRng for Counter {
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
            part.copy_from_slice(&Sha256::digest(self.0.to_le_bytes())[..part.len()]);
            self.0 += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for Counter {}
