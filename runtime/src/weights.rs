//! What fits into a block: time, weight and bytes.

use frame_support::{
    dispatch::DispatchClass,
    parameter_types,
    weights::{Weight, constants::WEIGHT_REF_TIME_PER_MILLIS},
};
use frame_system::limits::{BlockLength, BlockWeights};
use sp_runtime::Perbill;

pub use frame_support::weights::constants::ParityDbWeight;

/// Milliseconds of a slot, so between two blocks.
pub const SLOT_MILLIS: u64 = 2_000;

/// Slots of an epoch, which is also a session: 4 minutes. A change of the validator set takes
/// effect at the second epoch's end after it.
pub const EPOCH_SLOTS: u32 = 120;

/// Blocks of an hour.
pub const HOUR_BLOCKS: u32 = 3_600_000 / SLOT_MILLIS as u32;

/// Blocks of a day.
pub const DAY_BLOCKS: u32 = 24 * HOUR_BLOCKS;

const _: () = assert!(
    DAY_BLOCKS == quern_primitives::limits::DAY_BLOCKS,
    "clients count a day's blocks as the chain does"
);

/// Execution time of a block. A slot has 2 s: the author may propose for 1 s of it (the node's
/// share), and the others must receive and execute the block within the rest. 700 ms leave both of
/// them a margin on a machine slower than the one the weights were measured on.
const BLOCK_EXECUTION_MILLIS: u64 = 700;

/// Bytes of a block. A runtime upgrade (about 1 MB compressed) fits into it.
const BLOCK_BYTES_MAX: u32 = 4 * 1024 * 1024;

/// What ordinary transactions may fill of a block; the rest is for operational ones (the council's
/// way out of a flood).
const NORMAL_SHARE: Perbill = Perbill::from_percent(75);

/// What `on_initialize` of all pallets takes of a block on average; no single transaction is let
/// into the pool that would not fit beside it.
const INITIALIZATION_SHARE: Perbill = Perbill::from_percent(10);

/// The weight of a full block. There is no proof-size limit: nobody validates this chain from
/// storage proofs.
pub const BLOCK_WEIGHT_MAX: Weight = Weight::from_parts(
    BLOCK_EXECUTION_MILLIS * WEIGHT_REF_TIME_PER_MILLIS,
    u64::MAX,
);

parameter_types! {
    /// Bytes of a block by class of transaction.
    pub Length: BlockLength = BlockLength::builder()
        .max_length(BLOCK_BYTES_MAX)
        .modify_max_length_for_class(DispatchClass::Normal, |bytes| *bytes = NORMAL_SHARE * *bytes)
        .build();

    /// Weight of a block by class of transaction.
    pub Weights: BlockWeights = BlockWeights::builder()
        .for_class(DispatchClass::Normal, |class| {
            class.max_total = Some(NORMAL_SHARE * BLOCK_WEIGHT_MAX);
        })
        .for_class(DispatchClass::Operational, |class| {
            class.max_total = Some(BLOCK_WEIGHT_MAX);
            class.reserved = Some(BLOCK_WEIGHT_MAX - NORMAL_SHARE * BLOCK_WEIGHT_MAX);
        })
        .avg_block_initialization(INITIALIZATION_SHARE)
        .build_or_panic();

    /// The weight of the largest motion that the council may decide on: half of what ordinary
    /// transactions may fill.
    pub MotionWeightMax: Weight = NORMAL_SHARE * BLOCK_WEIGHT_MAX / 2;
}
