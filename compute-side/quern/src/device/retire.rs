//! `quern device retire`: taking a machine off the register, and what becomes of its bond.

use super::{DeviceArgs, bond::begun, named};
use crate::{
    context::Context,
    output::{Output, fields, submit},
    units::span_of_blocks,
    wallet,
};
use quern_ledger::Call;
use quern_primitives::{BlockNumber, DeviceId, amount::display, view::WalletView};
use serde::Serialize;

/// A device that is retired.
#[derive(Debug, Serialize)]
struct Retired {
    device: DeviceId,
    /// The first block in which its share of the bond can be withdrawn.
    withdrawable_at: Option<BlockNumber>,
    #[serde(flatten)]
    wallet: WalletView,
    block: BlockNumber,
}

/// Retires a device.
pub(super) async fn retire(context: &Context, args: &DeviceArgs) -> anyhow::Result<()> {
    let device = named(args)?;
    let account = context.account()?;
    let chain = context.chain().await?;
    let before = chain.at_finalised().await?.wallet(&account.id()).await?;
    let call = Call::RetireDevice(device);
    let settled = submit(&chain, &account, &call, "retiring the device").await?;
    let block = settled.block;
    let wallet = chain.at(block).await?.wallet(&account.id()).await?;
    context.show(&Retired {
        device,
        withdrawable_at: begun(&before, &wallet).map(|part| part.withdrawable_at),
        wallet,
        block: block.number,
    })
}

impl Output for Retired {
    fn people(&self) -> String {
        let mut pairs = vec![
            ("retired", self.device.to_string()),
            ("bond", display(self.wallet.bond_active)),
            (
                "on its way out",
                wallet::unbonding(&self.wallet, self.block),
            ),
            (
                "record",
                "stays with the device's key, should it be registered again".to_owned(),
            ),
            ("block", self.block.to_string()),
        ];
        if let Some(from) = self.withdrawable_at {
            let left = span_of_blocks(from.saturating_sub(self.block).into());
            pairs.push((
                "next",
                format!("`quern device withdraw` from block {from}, in {left}"),
            ));
        }
        fields(&pairs)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::{amount::BYTECHIP, view::UnbondingView};

    #[test]
    fn who_retires_a_device_is_told_when_its_bond_is_free() {
        let retired = Retired {
            device: DeviceId([7; 32]),
            withdrawable_at: Some(302_500),
            wallet: WalletView {
                unbonding: vec![UnbondingView {
                    amount: 10 * BYTECHIP,
                    withdrawable_at: 302_500,
                }],
                ..WalletView::default()
            },
            block: 100,
        };
        let text = retired.people();
        for words in [
            "10 BC until block 302500",
            "from block 302500, in about 7 d",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let json = serde_json::to_value(&retired).unwrap();
        assert_eq!(json["withdrawable_at"], 302_500);
        assert_eq!(json["unbonding"][0]["amount"], "10000000000");
    }
}
