//! `quern masternode`: an operator's bond for its masternode.

use crate::{
    context::Context,
    output::{Output, fields, patiently, submit},
    units::{Price, span_of_blocks},
};
use clap::{Args, Subcommand};
use quern_ledger::{Call, Chain, Settled};
use quern_primitives::{
    AccountId, Amount, BlockNumber,
    amount::{as_string, display},
    view::MasternodeBondView,
};
use serde::Serialize;

/// What can be done with a masternode's bond.
#[derive(Subcommand, Debug)]
pub(crate) enum MasternodeCommand {
    /// The bond, and whether jobs are given to the masternode
    Show(ShowArgs),
    /// Add to the bond; it can be done before the council admits the masternode
    Bond(BondArgs),
    /// Begin to take money out of the bond; it is free some days later
    Unbond(BondArgs),
    /// Take back what has been unbonding long enough
    Withdraw,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// Whose: an address or the name of a key [default: the account that signs]
    #[arg(value_name = "ACCOUNT")]
    of: Option<String>,
}

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
    /// There is nothing on its way out.
    #[error("nothing is unbonding; `quern masternode unbond AMOUNT` begins it")]
    NothingUnbonding,
    /// What is settled needs it.
    #[error("the masternode has settled {} that is not final, and with {} less the bond would not cover that; wait until it is final, or bond more", display(*open), display(*amount))]
    Needed { amount: Amount, open: Amount },
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

/// A bond as it is.
#[derive(Debug, Serialize)]
struct Shown {
    account: AccountId,
    #[serde(flatten)]
    bond: MasternodeBondView,
    is_given_jobs: bool,
    /// As of when.
    block: BlockNumber,
}

/// A bond after it was changed.
#[derive(Debug, Serialize)]
struct Changed {
    done: Done,
    #[serde(with = "as_string")]
    amount: Amount,
    #[serde(flatten)]
    now: Shown,
    transaction: String,
}

/// Does what is asked.
pub(crate) async fn run(context: &Context, command: &MasternodeCommand) -> anyhow::Result<()> {
    match command {
        MasternodeCommand::Show(args) => {
            let account = context.account_id(args.of.as_deref())?;
            let asked = patiently("asking the chain", async {
                let state = context.chain().await?.at_finalised().await?;
                let bond = state.masternode_bond(&account).await?;
                anyhow::Ok((state.block().number, bond))
            });
            let (block, bond) = asked.await?;
            context.show(&Shown::new(account, bond, block))
        }
        MasternodeCommand::Bond(args) => bond(context, args.amount.0).await,
        MasternodeCommand::Unbond(args) => unbond(context, args.amount.0).await,
        MasternodeCommand::Withdraw => withdraw(context).await,
    }
}

async fn bond(context: &Context, amount: Amount) -> anyhow::Result<()> {
    let account = context.account()?;
    let chain = context.chain().await?;
    let wallet = chain.at_finalised().await?.wallet(&account.id()).await?;
    check_bond(amount, wallet.free)?;
    let settled = submit(&chain, &account, &Call::BondMasternode(amount), "bonding").await?;
    let change = (Done::Bonded, amount);
    show(context, &chain, account.id(), change, settled).await
}

async fn unbond(context: &Context, amount: Amount) -> anyhow::Result<()> {
    let account = context.account()?;
    let chain = context.chain().await?;
    let state = chain.at_finalised().await?;
    let before = state.masternode_bond(&account.id()).await?;
    check_unbond(amount, before.active)?;
    let call = Call::UnbondMasternode(amount);
    let settled = submit(&chain, &account, &call, "unbonding").await?;
    let change = (Done::Unbonding, amount);
    show(context, &chain, account.id(), change, settled).await
}

async fn withdraw(context: &Context) -> anyhow::Result<()> {
    let account = context.account()?;
    let chain = context.chain().await?;
    let state = chain.at_finalised().await?;
    let before = state.masternode_bond(&account.id()).await?;
    check_withdraw(&before, state.block().number)?;
    let call = Call::WithdrawMasternodeBond;
    let settled = submit(&chain, &account, &call, "withdrawing").await?;
    let change = (Done::Withdrawn, due(&before, settled.block.number));
    show(context, &chain, account.id(), change, settled).await
}

/// Shows the bond as it is behind the block of a change.
async fn show(
    context: &Context,
    chain: &Chain,
    account: AccountId,
    (done, amount): (Done, Amount),
    settled: Settled,
) -> anyhow::Result<()> {
    let state = chain.at(settled.block).await?;
    let bond = state.masternode_bond(&account).await?;
    context.show(&Changed {
        done,
        amount,
        now: Shown::new(account, bond, settled.block.number),
        transaction: format!("0x{}", hex::encode(settled.transaction)),
    })
}

fn check_bond(asked: Amount, free: Amount) -> Result<(), BondError> {
    match asked {
        0 => Err(BondError::Zero),
        _ if asked >= free => Err(BondError::NotThatMuch { free, asked }),
        _ => Ok(()),
    }
}

fn check_unbond(asked: Amount, active: Amount) -> Result<(), BondError> {
    match asked {
        0 => Err(BondError::Zero),
        _ if asked > active => Err(BondError::MoreThanBonded { active, asked }),
        _ => Ok(()),
    }
}

/// Whether something can be withdrawn in the block after this one.
fn check_withdraw(bond: &MasternodeBondView, now: BlockNumber) -> Result<(), BondError> {
    let next = now.saturating_add(1);
    let first = bond.unbonding.first().ok_or(BondError::NothingUnbonding)?;
    let (amount, open) = (due(bond, next), bond.open);
    match first.withdrawable_at.checked_sub(next) {
        None | Some(0) if amount > bond.free() => Err(BondError::Needed { amount, open }),
        None | Some(0) => Ok(()),
        Some(blocks) => Err(BondError::NotYet {
            amount: first.amount,
            from: first.withdrawable_at,
            left: span_of_blocks(blocks.into()),
        }),
    }
}

/// What could be withdrawn in a block.
fn due(bond: &MasternodeBondView, block: BlockNumber) -> Amount {
    let parts = bond.unbonding.iter();
    let due = parts.filter(|part| part.withdrawable_at <= block);
    // Parts of one bond, and the bond as a whole is an amount.
    due.fold(0, |sum, part| sum.saturating_add(part.amount))
}

impl Shown {
    fn new(account: AccountId, bond: MasternodeBondView, block: BlockNumber) -> Self {
        Self {
            account,
            is_given_jobs: bond.is_given_jobs(),
            bond,
            block,
        }
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![
            ("account", self.account.to_string()),
            ("bond", display(self.bond.active)),
            ("needed for jobs", display(self.bond.least)),
            ("settled, not final", display(self.bond.open)),
            ("bond needed for it", display(self.bond.needed())),
            ("may settle", display(self.bond.room())),
            ("given jobs", self.given_jobs()),
        ];
        for part in &self.bond.unbonding {
            let left = part.withdrawable_at.saturating_sub(self.block);
            let when = match left {
                0 => "now".to_owned(),
                blocks => format!("in {}", span_of_blocks(blocks.into())),
            };
            pairs.push((
                "on its way out",
                format!("{}, free {when}", display(part.amount)),
            ));
        }
        pairs.push(("block", self.block.to_string()));
        pairs
    }

    /// Whether jobs are given to it, and if not, what is missing.
    fn given_jobs(&self) -> String {
        let missing = self.bond.least.saturating_sub(self.bond.active);
        let mut missing_of_it = Vec::new();
        if !self.bond.is_masternode {
            missing_of_it.push("the council has not admitted the account".to_owned());
        } else if !self.bond.is_reachable {
            missing_of_it.push("its masternode has not told where it is reached".to_owned());
        }
        if missing > 0 {
            missing_of_it.push(format!("the bond lacks {}", display(missing)));
        }
        match &missing_of_it[..] {
            [] => "yes".into(),
            reasons => format!("no: {}", reasons.join(", and ")),
        }
    }
}

impl Output for Shown {
    fn people(&self) -> String {
        fields(&self.pairs())
    }
}

impl Output for Changed {
    fn people(&self) -> String {
        let done = match self.done {
            Done::Bonded => "bonded",
            Done::Unbonding => "unbonding",
            Done::Withdrawn => "withdrawn",
        };
        let mut pairs = vec![(done, display(self.amount))];
        pairs.extend(self.now.pairs());
        fields(&pairs)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::{amount::BYTECHIP, view::UnbondingView};

    fn bond(active: Amount, parts: &[(Amount, BlockNumber)]) -> MasternodeBondView {
        let parts = parts
            .iter()
            .map(|&(amount, withdrawable_at)| UnbondingView {
                amount,
                withdrawable_at,
            });
        MasternodeBondView {
            active,
            unbonding: parts.collect(),
            least: 1_000 * BYTECHIP,
            open: 0,
            per_exposure_permille: 1_000,
            is_masternode: true,
            is_reachable: true,
        }
    }

    fn shown(bond: MasternodeBondView) -> Shown {
        Shown::new(AccountId::new([1; 32]), bond, 100)
    }

    #[test]
    fn a_bond_leaves_something_for_the_fee() {
        assert_eq!(check_bond(9, 10), Ok(()));
        assert_eq!(check_bond(0, 10), Err(BondError::Zero));
        let all = BondError::NotThatMuch {
            free: 10,
            asked: 10,
        };
        assert_eq!(check_bond(10, 10), Err(all));
    }

    #[test]
    fn no_more_is_unbonded_than_is_bonded() {
        assert_eq!(check_unbond(25, 25), Ok(()));
        assert_eq!(check_unbond(0, 25), Err(BondError::Zero));
        let error = check_unbond(26, 25).unwrap_err();
        assert!(matches!(error, BondError::MoreThanBonded { .. }));
    }

    #[test]
    fn what_is_not_free_yet_is_not_asked_for_and_its_block_is_named() {
        let waiting = bond(0, &[(3, 101), (4, 200)]);
        assert_eq!(check_withdraw(&waiting, 100), Ok(()));
        let error = check_withdraw(&waiting, 99).unwrap_err();
        assert!(matches!(error, BondError::NotYet { from: 101, .. }));
        assert_eq!(due(&waiting, 150), 3);
        assert_eq!(due(&waiting, 200), 7);
        let nothing = check_withdraw(&bond(5, &[]), 100).unwrap_err();
        assert!(nothing.to_string().contains("quern masternode unbond"));
    }

    #[test]
    fn what_is_settled_and_not_final_stays_bonded_and_is_shown() {
        let settled = MasternodeBondView {
            open: 5,
            ..bond(2, &[(3, 50), (4, 60)])
        };
        assert_eq!(check_withdraw(&settled, 49), Ok(()), "six are left");
        let error = check_withdraw(&settled, 59).unwrap_err();
        assert_eq!(error, BondError::Needed { amount: 7, open: 5 });
        let half = MasternodeBondView {
            open: 3,
            per_exposure_permille: 2_000,
            ..bond(2, &[(3, 50), (4, 60)])
        };
        assert_eq!(
            check_withdraw(&half, 49),
            Ok(()),
            "six are needed, and left"
        );
        assert!(check_withdraw(&half, 59).is_err());
        let json = serde_json::to_value(shown(settled)).unwrap();
        assert_eq!(json["open"], "5");
        let settled = MasternodeBondView {
            open: 30 * BYTECHIP,
            ..bond(1_000 * BYTECHIP, &[])
        };
        let text = shown(settled.clone()).people();
        assert!(text.contains("30 BC") && text.contains("970 BC"), "{text}");
        // Where the council asks for twice as much.
        let twice = MasternodeBondView {
            per_exposure_permille: 2_000,
            ..settled
        };
        let text = shown(twice).people();
        assert!(text.contains("60 BC") && text.contains("470 BC"), "{text}");
    }

    #[test]
    fn who_is_given_no_jobs_is_told_what_is_missing() {
        let enough = shown(bond(1_000 * BYTECHIP, &[]));
        assert!(enough.people().contains("given jobs") && enough.given_jobs() == "yes");
        let little = shown(bond(999 * BYTECHIP, &[]));
        assert_eq!(little.given_jobs(), "no: the bond lacks 1 BC");
        let stranger = shown(MasternodeBondView {
            is_masternode: false,
            is_reachable: false,
            ..bond(0, &[(BYTECHIP, 300)])
        });
        let text = stranger.people();
        for words in [
            "council has not admitted",
            "lacks 1000 BC",
            "on its way out",
        ] {
            assert!(text.contains(words), "{text}");
        }
        let json = serde_json::to_value(&stranger).unwrap();
        assert_eq!(json["is_given_jobs"], false);
        assert_eq!(json["unbonding"][0]["amount"], "1000000000");
    }
}
