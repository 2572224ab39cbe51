//! Receipts: what a device signs about one replica it ran.

use crate::{
    device::Class,
    ids::{DeviceId, Digest, JobId, ProgramHash, ReplicaIndex, RevealSalt, TaskIndex},
    log::Commitment,
    payload::{Signed, SignedPayload},
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sha2::{Digest as _, Sha256};

/// How a program ended. Every variant here is a function of program, input and limits, so devices
/// can be compared on it; what is not (a lost machine, a wall-clock limit) is no exit but a fault.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(
    feature = "std",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Exit {
    /// It ended with exit code 0; its output is the result.
    Success,
    /// It ended with another exit code.
    Code(i32),
    /// It trapped: unreachable code, a bad memory access, a division by zero...
    Trap,
    /// It used all the fuel the owner allowed.
    OutOfFuel,
    /// It asked for more memory than the owner allowed.
    OutOfMemory,
    /// It wrote more than the owner allowed.
    OutputTooLong,
}

/// What a device states about one replica. With the device's signature it is evidence that anyone
/// can check, whatever became of the grid.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Receipt {
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// The replica.
    pub replica: ReplicaIndex,
    /// The device that ran it and signs.
    pub device: DeviceId,
    /// The program it ran.
    pub program: ProgramHash,
    /// The chunk root of the sealed shard it read.
    pub input_root: Digest,
    /// Keyed hash of what else it was asked, its arguments and the limits of its run, under a key that follows
    /// from the shard's key: who was asked the same must answer the same.
    pub question: Digest,
    /// Keyed hash of the plaintext result, under a key that follows from the shard's key: holders of
    /// the shard can compare results, others cannot guess them.
    pub result_commitment: Digest,
    /// The chunk root of the sealed result it returned.
    pub output_root: Digest,
    /// Plaintext bytes of the result.
    pub result_bytes: u64,
    /// Fuel it used.
    pub fuel: u64,
    /// How the program ended.
    pub exit: Exit,
    /// The determinism class it ran under.
    pub class: Class,
    /// Digest of the engine's version and settings, see the sandbox's engine identity.
    pub engine: Digest,
    /// The place in the job log at which the replica was assigned.
    pub log_position: u64,
    /// What opens the device's commitment to the result, if it made one; random in any case.
    pub salt: RevealSalt,
}

impl SignedPayload for Receipt {
    const DOMAIN: &'static str = "quern/receipt/3";
}

/// A receipt and its device's signature.
pub type SignedReceipt = Signed<Receipt>;

/// What a verdict names a receipt by: SHA-256 of the encoded signed receipt.
pub fn receipt_digest(signed: &SignedReceipt) -> Digest {
    Digest(signed.using_encoded(|bytes| Sha256::digest(bytes).into()))
}

/// What replicas of one task are compared by.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Answer {
    /// Keyed hash of the plaintext result.
    pub result_commitment: Digest,
    /// Plaintext bytes of the result.
    pub result_bytes: u64,
    /// Fuel used.
    pub fuel: u64,
    /// How the program ended.
    pub exit: Exit,
}

impl Receipt {
    /// What commits its device to this result, see [`Commitment::to`].
    pub fn commitment(&self) -> Digest {
        Commitment::to(&self.result_commitment, &self.salt, &self.device)
    }

    /// The part on which honest devices of one class agree.
    pub fn answer(&self) -> Answer {
        Answer {
            result_commitment: self.result_commitment,
            result_bytes: self.result_bytes,
            fuel: self.fuel,
            exit: self.exit,
        }
    }
}
