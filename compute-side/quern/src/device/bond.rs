//! The bond behind an account's devices: adding to it, and taking money out of it again.

use crate::{
    context::Context,
    output::{Output, fields, submit},
    units::{Price, counted_as, span_of_blocks},
    wallet,
};
use clap::Args;
use quern_ledger::{Account, Call, Chain, Settled};
use quern_primitives::{
    AccountId, Amount, BlockNumber,
    amount::{as_string, display},
    view::{UnbondingView, WalletView},
};
use serde::Serialize;

#[derive(Args, Debug)]
pub(crate) struct BondArgs {
    /// How much, in ByteChips
    amount: Price,
}

/// Why nothing moves in or out of a bond. Nothing was sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum BondError {
    /// Zero moves nothing.
    #[error("zero moves nothing; name an amount above it")]
    Zero,
    /// The account has not that much.
    #[error("the account has {} to spend, not {}, and needs a little of it for the fee; buy more with `quern wallet buy`", display(*free), display(*asked))]
    NotThatMuch { free: Amount, asked: Amount },
    /// The bond is smaller.
    #[error("the bond is {}, not {}; what is unbonding already is no part of it", display(*active), display(*asked))]
    MoreThanBonded { active: Amount, asked: Amount },
    /// Devices need it.
    #[error("{} {} of the bond, so that {} can be unbonded; to unbond more, retire devices first: `quern device retire DEVICE`", counted_as(*devices, "registered device needs", "registered devices need"), display(*needed), display(*spare))]
    Needed {
        devices: usize,
        needed: Amount,
        spare: Amount,
    },
    /// There is nothing on its way out.
    #[error("nothing is unbonding; `quern device unbond AMOUNT` begins it")]
    NothingUnbonding,
    /// It is too early.
    #[error("nothing can be withdrawn yet; the first {} can from block {from}, in {left}", display(*amount))]
    NotYet {
        amount: Amount,
        from: BlockNumber,
        left: String,
    },
}

/// What was done to a bond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Done {
    Bonded,
    Unbonding,
    Withdrawn,
}

/// A bond after it was changed.
#[derive(Debug, Serialize)]
struct Changed {
    done: Done,
    account: AccountId,
    #[serde(with = "as_string")]
    amount: Amount,
    /// The first block in which what is unbonding now can be withdrawn.
    withdrawable_at: Option<BlockNumber>,
    #[serde(flatten)]
    wallet: WalletView,
    block: BlockNumber,
    transaction: String,
}

/// Adds to the account's bond.
pub(super) async fn bond(context: &Context, args: &BondArgs) -> anyhow::Result<()> {
    let (account, amount) = (context.account()?, args.amount.0);
    let chain = context.chain().await?;
    let before = chain.at_finalised().await?.wallet(&account.id()).await?;
    check_bond(amount, before.free)?;
    let settled = submit(&chain, &account, &Call::Bond(amount), "bonding").await?;
    let change = (Done::Bonded, amount, &before);
    show(context, &chain, &account, change, settled).await
}

/// Begins to take money out of the account's bond.
pub(super) async fn unbond(context: &Context, args: &BondArgs) -> anyhow::Result<()> {
    let (account, amount) = (context.account()?, args.amount.0);
    let chain = context.chain().await?;
    let state = chain.at_finalised().await?;
    let before = state.wallet(&account.id()).await?;
    let devices = state.devices_of(&account.id()).await?.len();
    let per_device = state.params().await?.bond_per_device;
    check_unbond(amount, before.bond_active, devices, per_device)?;
    let settled = submit(&chain, &account, &Call::Unbond(amount), "unbonding").await?;
    let change = (Done::Unbonding, amount, &before);
    show(context, &chain, &account, change, settled).await
}

/// Takes back all that has been unbonding long enough.
pub(super) async fn withdraw(context: &Context) -> anyhow::Result<()> {
    let account = context.account()?;
    let chain = context.chain().await?;
    let state = chain.at_finalised().await?;
    let before = state.wallet(&account.id()).await?;
    check_withdraw(&before, state.block().number)?;
    let settled = submit(&chain, &account, &Call::WithdrawUnbonded, "withdrawing").await?;
    let amount = due(&before, settled.block.number);
    let change = (Done::Withdrawn, amount, &before);
    show(context, &chain, &account, change, settled).await
}

/// Shows the bond as it is behind the block of a change: what was done, how much it was, and the wallet
/// before.
async fn show(
    context: &Context,
    chain: &Chain,
    account: &Account,
    (done, amount, before): (Done, Amount, &WalletView),
    settled: Settled,
) -> anyhow::Result<()> {
    let wallet = chain.at(settled.block).await?.wallet(&account.id()).await?;
    let begun = begun(before, &wallet).filter(|_| done == Done::Unbonding);
    context.show(&Changed {
        done,
        account: account.id(),
        amount,
        withdrawable_at: begun.map(|part| part.withdrawable_at),
        wallet,
        block: settled.block.number,
        transaction: format!("0x{}", hex::encode(settled.transaction)),
    })
}

/// The part of a bond that a transaction put on its way out: the one that is new, or has grown.
pub(super) fn begun(before: &WalletView, after: &WalletView) -> Option<UnbondingView> {
    let mut parts = after.unbonding.iter();
    parts.find(|part| !before.unbonding.contains(part)).copied()
}

fn check_bond(asked: Amount, free: Amount) -> Result<(), BondError> {
    match asked {
        0 => Err(BondError::Zero),
        _ if asked >= free => Err(BondError::NotThatMuch { free, asked }),
        _ => Ok(()),
    }
}

fn check_unbond(
    asked: Amount,
    active: Amount,
    devices: usize,
    per_device: Amount,
) -> Result<(), BondError> {
    let needed = per_device.saturating_mul(devices as Amount);
    let spare = active.saturating_sub(needed);
    match asked {
        0 => Err(BondError::Zero),
        _ if asked > active => Err(BondError::MoreThanBonded { active, asked }),
        _ if asked > spare => Err(BondError::Needed {
            devices,
            needed,
            spare,
        }),
        _ => Ok(()),
    }
}

/// Whether something can be withdrawn in the block after this one.
fn check_withdraw(wallet: &WalletView, now: BlockNumber) -> Result<(), BondError> {
    let next = now.saturating_add(1);
    let first = wallet.unbonding.first();
    let first = first.ok_or(BondError::NothingUnbonding)?;
    match first.withdrawable_at.checked_sub(next) {
        None | Some(0) => Ok(()),
        Some(blocks) => Err(BondError::NotYet {
            amount: first.amount,
            from: first.withdrawable_at,
            left: span_of_blocks(blocks.into()),
        }),
    }
}

/// What could be withdrawn in a block.
fn due(wallet: &WalletView, block: BlockNumber) -> Amount {
    let due = wallet
        .unbonding
        .iter()
        .filter(|part| part.withdrawable_at <= block);
    // Parts of one bond, and the bond as a whole is an amount.
    due.fold(0, |sum, part| sum.saturating_add(part.amount))
}

impl Output for Changed {
    fn people(&self) -> String {
        let mut pairs = vec![
            (
                match self.done {
                    Done::Bonded => "bonded",
                    Done::Unbonding => "unbonding",
                    Done::Withdrawn => "withdrawn",
                },
                display(self.amount),
            ),
            ("account", self.account.to_string()),
            ("bond", display(self.wallet.bond_active)),
            (
                "on its way out",
                wallet::unbonding(&self.wallet, self.block),
            ),
            ("to spend", display(self.wallet.free)),
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

    fn wallet(parts: &[(Amount, BlockNumber)]) -> WalletView {
        let unbonding = parts
            .iter()
            .map(|&(amount, withdrawable_at)| UnbondingView {
                amount,
                withdrawable_at,
            });
        WalletView {
            unbonding: unbonding.collect(),
            ..WalletView::default()
        }
    }

    #[test]
    fn a_bond_leaves_something_for_the_fee() {
        assert_eq!(check_bond(9, 10), Ok(()));
        assert_eq!(check_bond(0, 10), Err(BondError::Zero));
        let all = check_bond(10, 10);
        assert_eq!(
            all,
            Err(BondError::NotThatMuch {
                free: 10,
                asked: 10
            })
        );
    }

    #[test]
    fn what_the_devices_need_is_not_unbonded() {
        assert_eq!(check_unbond(5, 25, 2, 10), Ok(()));
        assert_eq!(check_unbond(25, 25, 0, 10), Ok(()));
        assert_eq!(check_unbond(0, 25, 0, 10), Err(BondError::Zero));
        let error = check_unbond(6, 25, 2, 10).unwrap_err();
        assert!(matches!(error, BondError::Needed { spare: 5, .. }));
        assert!(error.to_string().contains("quern device retire"), "{error}");
        let error = check_unbond(26, 25, 0, 10).unwrap_err();
        assert!(matches!(error, BondError::MoreThanBonded { .. }));
    }

    #[test]
    fn what_is_not_free_yet_is_not_asked_for_and_its_block_is_named() {
        let wallet = wallet(&[(3, 101), (4, 200)]);
        assert_eq!(check_withdraw(&wallet, 100), Ok(()));
        assert_eq!(check_withdraw(&wallet, 500), Ok(()));
        let error = check_withdraw(&wallet, 99).unwrap_err();
        assert!(matches!(error, BondError::NotYet { from: 101, .. }));
        let nothing = check_withdraw(&WalletView::default(), 100);
        assert_eq!(nothing, Err(BondError::NothingUnbonding));
    }

    #[test]
    fn all_that_is_due_is_withdrawn_together() {
        let wallet = wallet(&[(3, 101), (4, 200), (5, 201)]);
        assert_eq!(due(&wallet, 100), 0);
        assert_eq!(due(&wallet, 200), 7);
    }

    #[test]
    fn what_a_transaction_put_on_its_way_out_is_told_from_what_was_there_wherever_it_stands() {
        let before = wallet(&[(3, 101), (4, 900)]);
        assert_eq!(begun(&before, &before), None);
        let new = begun(&before, &wallet(&[(3, 101), (5, 200), (4, 900)]));
        assert_eq!(new.map(|part| part.withdrawable_at), Some(200));
        let grown = begun(&before, &wallet(&[(3, 101), (14, 900)]));
        assert_eq!(grown.map(|part| part.withdrawable_at), Some(900));
        // What was withdrawn is no news.
        assert_eq!(begun(&before, &wallet(&[(4, 900)])), None);
    }

    #[test]
    fn an_unbonding_says_when_the_money_is_free() {
        let changed = Changed {
            done: Done::Unbonding,
            account: AccountId::new([1; 32]),
            amount: 4,
            withdrawable_at: Some(302_500),
            wallet: wallet(&[(4, 302_500)]),
            block: 100,
            transaction: String::new(),
        };
        let text = changed.people();
        assert!(text.contains("from block 302500, in about 7 d"), "{text}");
        let json = serde_json::to_value(&changed).unwrap();
        assert_eq!(json["done"], "unbonding");
        assert_eq!(json["withdrawable_at"], 302_500);
        assert_eq!(json["unbonding"][0]["amount"], "4");
    }
}
