//! How large a batch is, and that the largest fits a block.

use super::{batch, certified_by};
use codec::Encode;
use frame_support::dispatch::GetDispatchInfo;
use quern_primitives::{
    AccountId, DeviceId, GenesisHash, JobId,
    amount::BYTECHIP,
    batch::TaskSet,
    device::RecordChange,
    limits::{DEVICES_PER_BATCH_MAX, PAYEES_PER_BATCH_MAX, TASK_BITMAP_BYTES_MAX},
};
use quern_runtime::{RuntimeCall, weights::Weights};
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave};

#[test]
fn a_full_batch_of_sixty_four_workers_is_small_and_light() {
    let of = |number: u8| [number; 32];
    let payouts = (0..64).map(|number| (AccountId::new(of(number)), 1));
    let change = RecordChange {
        accepted: 64,
        ..Default::default()
    };
    let devices = (0..64).map(|number| (DeviceId(of(number)), change));
    let set = TaskSet {
        first: 0,
        bits: vec![0xff; 512].try_into().unwrap(),
    };
    let full = batch(
        JobId([1; 32]),
        0,
        set,
        4_096 * BYTECHIP,
        payouts.collect(),
        devices.collect(),
    );
    let kept = quern_primitives::batch::PendingBatch {
        due: 300,
        coordinator: Alice.to_account_id(),
        certified_by: vec![0, 1, 2, 3].try_into().unwrap(),
        tasks: full.tasks.clone(),
        payouts: full.payouts.clone(),
        devices: full.devices.clone(),
        split: Default::default(),
    };
    // Of a group of seven.
    let four = [Alice, Bob, Charlie, Dave].map(|key| key.to_account_id());
    let certified = certified_by(&GenesisHash([1; 32]), full, &four);
    let call: RuntimeCall = quern_jobs::Call::settle { certified }.into();
    // The transaction with signature and extensions, what is kept of it for a time, and for good.
    let bytes = call.encoded_size() + 200 + kept.encoded_size() + 400;
    assert!(bytes <= 4 * 4_096, "{bytes} bytes are more than 4 a task");
    let weight = call.get_dispatch_info().total_weight();
    let block = quern_runtime::weights::BLOCK_WEIGHT_MAX;
    assert!(
        weight.ref_time() <= block.ref_time() / 10,
        "{weight:?} is more than a tenth of {block:?}"
    );
}

#[test]
fn the_largest_batch_fits_a_block() {
    let payouts = (0..PAYEES_PER_BATCH_MAX).map(|number| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        (AccountId::new(bytes), 1)
    });
    let devices = (0..DEVICES_PER_BATCH_MAX).map(|number| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        (
            DeviceId(bytes),
            RecordChange {
                accepted: 1,
                ..Default::default()
            },
        )
    });
    let set = TaskSet {
        first: 0,
        bits: vec![0xff; TASK_BITMAP_BYTES_MAX as usize]
            .try_into()
            .unwrap(),
    };
    let largest = batch(
        JobId([1; 32]),
        0,
        set,
        1,
        payouts.collect(),
        devices.collect(),
    );
    let all = Sr25519Keyring::iter()
        .take(7)
        .map(|key| key.to_account_id());
    let all: Vec<_> = all.collect();
    let certified = certified_by(&GenesisHash([1; 32]), largest, &all);
    let call: RuntimeCall = quern_jobs::Call::settle { certified }.into();
    let info = call.get_dispatch_info();
    let limit = Weights::get().get(info.class).max_extrinsic.unwrap();
    assert!(
        info.total_weight().all_lte(limit),
        "{:?} is over {limit:?}",
        info.total_weight()
    );
    assert!(call.encoded_size() < 128 * 1024);
}
