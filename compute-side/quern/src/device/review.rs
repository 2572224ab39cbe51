//! `quern device review`: what brings a device that was mended out of quarantine.

use super::{DeviceArgs, DeviceError, named};
use crate::{
    context::Context,
    output::{Output, fields, submit},
    units::span_of_blocks,
};
use quern_ledger::Call;
use quern_primitives::{
    AccountId, BlockNumber, DeviceId,
    device::{Device, History},
    limits::REVIEW_PERIOD_BLOCKS,
};
use serde::Serialize;

/// Why a device is not reviewed. Nothing was sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ReviewError {
    /// It is another's.
    #[error(
        "the device belongs to {owner}, not to {account}; sign with its own account: --account NAME"
    )]
    NotOwner {
        owner: AccountId,
        account: AccountId,
    },
    /// There is nothing to review.
    #[error(
        "the device is not in quarantine: of its last {tasks} tasks {faulty_tasks} had a fault, and more than half are too many", tasks = History::TASKS
    )]
    NotQuarantined { faulty_tasks: u32 },
    /// It is too early.
    #[error(
        "the device was reviewed in block {last}, and its account may review it once a week: again from block {from}, in {left}; the council may at any time"
    )]
    ReviewedLately {
        last: BlockNumber,
        from: BlockNumber,
        left: String,
    },
}

/// A device after its review.
#[derive(Debug, Serialize)]
struct Reviewed {
    device: DeviceId,
    /// Of its last tasks, those whose fault is forgotten now.
    forgotten: u32,
    block: BlockNumber,
    /// The first block in which its account may review it again.
    reviewable_from: BlockNumber,
}

/// Empties the history of a device in quarantine.
pub(super) async fn review(context: &Context, args: &DeviceArgs) -> anyhow::Result<()> {
    let device = named(args)?;
    let account = context.account()?;
    let chain = context.chain().await?;
    let state = chain.at_finalised().await?;
    let view = state.device(device).await?;
    let known = view.ok_or(DeviceError::Unknown { device })?.device;
    check(&known, account.id(), state.block().number)?;
    let call = Call::ReviewDevice(device);
    let settled = submit(&chain, &account, &call, "reviewing the device").await?;
    let block = settled.block.number;
    context.show(&Reviewed {
        device,
        forgotten: known.history.faulty_tasks(),
        block,
        reviewable_from: block.saturating_add(REVIEW_PERIOD_BLOCKS),
    })
}

/// Whether an account can review a device in the block after this one.
fn check(device: &Device, account: AccountId, now: BlockNumber) -> Result<(), ReviewError> {
    let next = now.saturating_add(1);
    if device.account != account {
        return Err(ReviewError::NotOwner {
            owner: device.account.clone(),
            account,
        });
    }
    if !device.is_quarantined() {
        return Err(ReviewError::NotQuarantined {
            faulty_tasks: device.history.faulty_tasks(),
        });
    }
    match device.reviewable_from().checked_sub(next) {
        None | Some(0) => Ok(()),
        Some(blocks) => Err(ReviewError::ReviewedLately {
            last: device.last_review,
            from: device.reviewable_from(),
            left: span_of_blocks(blocks.into()),
        }),
    }
}

impl Output for Reviewed {
    fn people(&self) -> String {
        let left = span_of_blocks(self.reviewable_from.saturating_sub(self.block).into());
        fields(&[
            ("device", self.device.to_string()),
            (
                "history",
                format!(
                    "empty: {} of its last {} tasks had a fault",
                    self.forgotten,
                    History::TASKS
                ),
            ),
            ("block", self.block.to_string()),
            (
                "next",
                "its worker gets tasks again once masternodes have seen the block, within half a minute; start it with  \
                 quern-worker run"
                    .to_owned(),
            ),
            (
                "next review",
                format!("from block {}, in {left}", self.reviewable_from),
            ),
        ])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::device::{Class, RecordChange};

    const OWNER: AccountId = AccountId::new([1; 32]);

    fn device(faults: u32, last_review: BlockNumber) -> Device {
        let mut device = Device {
            last_review,
            ..Device::new(
                OWNER,
                Default::default(),
                Default::default(),
                Default::default(),
            )
        };
        let change = RecordChange {
            incorrect: faults,
            ..Default::default()
        };
        device.note(&change, Class::Pinned, 1);
        device
    }

    #[test]
    fn only_its_owner_reviews_a_device_and_only_in_quarantine() {
        assert_eq!(check(&device(11, 0), OWNER, 5), Ok(()));
        let other = check(&device(11, 0), AccountId::new([2; 32]), 5).unwrap_err();
        assert!(matches!(other, ReviewError::NotOwner { .. }));
        let error = check(&device(10, 0), OWNER, 5).unwrap_err();
        assert_eq!(error, ReviewError::NotQuarantined { faulty_tasks: 10 });
        assert!(
            error.to_string().contains("last 20 tasks 10 had a fault"),
            "{error}"
        );
    }

    #[test]
    fn a_review_that_is_too_early_is_not_sent_and_its_block_is_named() {
        let from = 7 + REVIEW_PERIOD_BLOCKS;
        assert_eq!(check(&device(11, 7), OWNER, from - 1), Ok(()));
        let error = check(&device(11, 7), OWNER, 7).unwrap_err();
        assert!(matches!(error, ReviewError::ReviewedLately { last: 7, .. }));
        let words = format!("from block {from}, in about 6 d 23 h");
        assert!(error.to_string().contains(&words), "{error}");
    }

    #[test]
    fn a_review_says_that_the_history_is_empty() {
        let reviewed = Reviewed {
            device: DeviceId([7; 32]),
            forgotten: 11,
            block: 100,
            reviewable_from: 302_500,
        };
        let text = reviewed.people();
        assert!(text.contains("empty: 11 of its last 20"), "{text}");
        assert!(text.contains("from block 302500, in about 7 d"), "{text}");
        let json = serde_json::to_value(&reviewed).unwrap();
        assert_eq!(json["forgotten"], 11);
    }
}
