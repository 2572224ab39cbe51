//! Which device is believed alone, as the judge draws it; the chain cannot link the judge.

use quern_primitives::{
    hash::number,
    ids::{DeviceId, TaskIndex},
    limits::TRUSTED_ROW_MIN,
};

/// Whether a device of which so many answers were accepted, ever, may have been believed alone with a
/// task. No row of answers is longer than all of them, and a longer row never takes the belief away, so
/// who may not now was never.
pub(crate) fn may_be_trusted(
    seed: Option<&[u8; 32]>,
    task: TaskIndex,
    device: &DeviceId,
    accepted: u64,
) -> bool {
    if accepted < u64::from(TRUSTED_ROW_MIN) {
        return false;
    }
    let Some(seed) = seed else {
        return true;
    };
    let tag = b"quern/trusted-alone/1";
    let drawn = number(&[tag, seed, &task.to_le_bytes(), &device.0]);
    // A product of twice 64 bits fits.
    u128::from(drawn).saturating_mul(accepted.into()) > u128::from(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use quern_verdict::is_trusted_alone;

    proptest! {
        #[test]
        fn the_judge_draws_the_same(
            seed: [u8; 32], task: u32, device: [u8; 32],
            row in prop_oneof![0u32..64, any::<u32>()],
        ) {
            let device = DeviceId(device);
            prop_assert_eq!(
                may_be_trusted(Some(&seed), task, &device, row.into()),
                is_trusted_alone(&seed, task, &device, row)
            );
        }

        #[test]
        fn who_was_believed_with_fewer_answers_may_be_with_more(
            seed: [u8; 32], task: u32, device: [u8; 32], row in 0u32..1_000, more: u32,
        ) {
            let device = DeviceId(device);
            let later = u64::from(row) + u64::from(more);
            if is_trusted_alone(&seed, task, &device, row) {
                prop_assert!(may_be_trusted(Some(&seed), task, &device, later));
                prop_assert!(may_be_trusted(None, task, &device, later));
            }
        }
    }
}
