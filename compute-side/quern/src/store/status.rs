//! How it stands with stored folders.

use super::{StoreName, open_contract};
use crate::{
    context::Context,
    output::{Output, fields, patiently, table},
    units::{Size, counted, span_of_blocks},
};
use quern_custody_rules::pay::period_at;
use quern_owner::store::Keepers;
use quern_primitives::{
    Amount,
    amount::{as_string, display},
    custody::{Contract, Escrow},
    ids::{ContractId, DeviceId, Period, PieceIndex},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// One device's hold of a piece.
#[derive(Debug, Serialize)]
struct Holder {
    piece: PieceIndex,
    device: DeviceId,
    since: Period,
    /// The first period in which it holds it no more, if it is on its way out.
    until: Option<Period>,
    /// Periods that are proved and paid.
    paid_periods: u32,
    is_challenged: bool,
}

/// What masternodes tell.
#[derive(Debug, Serialize)]
struct Told {
    /// How many devices keep each piece, and will in the next period too.
    holders: Vec<u8>,
    /// Pieces whose bytes are at the masternode.
    here: u32,
    /// Devices that may take pieces.
    devices: u32,
}

#[derive(Debug, Serialize)]
struct Standing {
    contract: ContractId,
    pieces: u32,
    copies: u8,
    /// The present period, and the first in which nothing is kept any more.
    period: Period,
    ends: Period,
    period_blocks: u32,
    money: Money,
    holders: Vec<Holder>,
    /// None if no masternode of the contract tells.
    masternodes: Option<Told>,
}

#[derive(Debug, Serialize)]
struct Money {
    #[serde(with = "as_string")]
    deposited: Amount,
    #[serde(with = "as_string")]
    paid: Amount,
    #[serde(with = "as_string")]
    network: Amount,
    #[serde(with = "as_string")]
    refunded: Amount,
    #[serde(with = "as_string")]
    held: Amount,
}

impl From<Escrow> for Money {
    fn from(escrow: Escrow) -> Self {
        let Escrow {
            deposited,
            paid,
            network,
            refunded,
            held,
            reserved: _,
        } = escrow;
        Self {
            deposited,
            paid,
            network,
            refunded,
            held,
        }
    }
}

impl Standing {
    /// How many pieces as many devices keep as are to, how many fewer, and how many none, as the chain says.
    fn kept(&self) -> (usize, usize, usize) {
        let mut holders: BTreeMap<PieceIndex, usize> = BTreeMap::new();
        for holder in self.holders.iter().filter(|it| it.until.is_none()) {
            let count = holders.entry(holder.piece).or_default();
            *count = count.saturating_add(1);
        }
        let copies = usize::from(self.copies);
        let full = holders.values().filter(|count| **count >= copies).count();
        let few = holders.len().saturating_sub(full);
        let none = usize::try_from(self.pieces).unwrap_or(usize::MAX);
        (full, few, none.saturating_sub(holders.len()))
    }
}

impl Output for Standing {
    fn people(&self) -> String {
        let left = self.ends.saturating_sub(self.period.saturating_add(1));
        let blocks = u64::from(left).saturating_mul(self.period_blocks.into());
        let lasts = match left {
            0 => "to the end of this period".to_owned(),
            left => format!("for {left} more periods, {}", span_of_blocks(blocks)),
        };
        let money = &self.money;
        let mut pairs = vec![
            ("contract", self.contract.to_string()),
            ("kept", lasts),
            (
                "pieces",
                format!(
                    "{}, each for {}",
                    self.pieces,
                    counted(self.copies, "device")
                ),
            ),
            (
                "money",
                format!(
                    "{} deposited: {} paid to devices, {} to the network, {} back, {} held",
                    display(money.deposited),
                    display(money.paid),
                    display(money.network),
                    display(money.refunded),
                    display(money.held)
                ),
            ),
        ];
        let (full, few, none) = self.kept();
        pairs.push((
            "pieces kept",
            format!("{full} by as many devices as are to, {few} by fewer, {none} by none"),
        ));
        pairs.push((
            "masternode",
            match &self.masternodes {
                Some(told) => format!(
                    "{} there; {} may take some",
                    counted(told.here, "piece"),
                    counted(told.devices, "device")
                ),
                None => "none of the contract's tells".to_owned(),
            },
        ));
        let rows: Vec<_> = self
            .holders
            .iter()
            .map(|it| {
                let state = match (it.is_challenged, it.until) {
                    (true, _) => "challenged".to_owned(),
                    (false, Some(until)) => format!("until period {until}"),
                    (false, None) => "keeps it".to_owned(),
                };
                vec![
                    it.piece.to_string(),
                    it.device.to_string(),
                    it.since.to_string(),
                    it.paid_periods.to_string(),
                    state,
                ]
            })
            .collect();
        let head = [">piece", "device", ">since period", ">periods paid", ""];
        match rows.is_empty() {
            true => fields(&pairs),
            false => format!("{}\n\n{}", fields(&pairs), table(&head, &rows)),
        }
    }
}

/// Shows one.
pub(crate) async fn status(context: &Context, name: &StoreName) -> anyhow::Result<()> {
    let contract = context.contract(&name.contract)?;
    let chain = context.chain().await?;
    let asked = patiently("asking the chain", async {
        let found = open_contract(&chain, contract).await?;
        let state = chain.at_finalised().await?;
        let clock = state.finality().await?.clock;
        anyhow::Ok((found, clock, state.holdings_of(contract).await?))
    });
    let (found, clock, holdings) = asked.await?;
    let told = patiently("asking the contract's masternodes", async {
        Keepers::of(&chain, contract).await?.status().await
    });
    let masternodes = told.await.ok().map(|status| Told {
        holders: status.holders,
        here: status.here,
        devices: status.devices,
    });
    let holders = holdings.into_iter().map(|(held, holding)| Holder {
        piece: held.piece,
        device: held.device,
        since: holding.since,
        until: holding.until,
        paid_periods: holding.paid.count,
        is_challenged: holding.is_challenged,
    });
    context.show(&Standing {
        contract,
        pieces: found.offer.pieces,
        copies: found.offer.copies,
        period: period_at(&found.terms, clock),
        ends: found.ends,
        period_blocks: found.terms.period_blocks,
        money: found.escrow.into(),
        holders: holders.collect(),
        masternodes,
    })
}

#[derive(Debug, Serialize)]
struct Row {
    contract: ContractId,
    pieces: u32,
    copies: u8,
    ends: Period,
    period: Period,
    #[serde(with = "as_string")]
    held: Amount,
    /// Whether its key is on this machine.
    has_key: bool,
}

#[derive(Debug, Serialize)]
struct List {
    contracts: Vec<Row>,
}

impl Output for List {
    fn people(&self) -> String {
        if self.contracts.is_empty() {
            return "the account has no open contracts; `quern store put DIR --for 7d` stores a folder".into();
        }
        let rows: Vec<_> = self
            .contracts
            .iter()
            .map(|it| {
                vec![
                    it.contract.to_string(),
                    it.pieces.to_string(),
                    it.copies.to_string(),
                    it.ends.saturating_sub(it.period).to_string(),
                    display(it.held).to_string(),
                    if it.has_key { "here" } else { "elsewhere" }.to_owned(),
                ]
            })
            .collect();
        let head = [
            "contract",
            ">pieces",
            ">devices each",
            ">periods left",
            ">held",
            "key",
        ];
        table(&head, &rows)
    }
}

/// Shows all of an account.
pub(crate) async fn list(context: &Context) -> anyhow::Result<()> {
    let owner = context.account()?.id();
    let stores = super::stores(context)?;
    let asked = patiently("asking the chain", async {
        let state = context.chain().await?.at_finalised().await?;
        let clock = state.finality().await?.clock;
        anyhow::Ok((state.contracts_of(&owner).await?, clock))
    });
    let (contracts, clock) = asked.await?;
    let row = |(id, contract): (ContractId, Contract)| Row {
        contract: id,
        pieces: contract.offer.pieces,
        copies: contract.offer.copies,
        ends: contract.ends,
        period: period_at(&contract.terms, clock),
        held: contract.escrow.held,
        has_key: quern_owner::store::StoreFolder::find(&stores, id).is_ok(),
    };
    context.show(&List {
        contracts: contracts.into_iter().map(row).collect(),
    })
}

/// Bytes as people read them, for what is told of a fetched folder.
pub(super) fn bytes(bytes: u64) -> String {
    Size(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_count_as_kept_by_as_many_devices_as_the_chain_says_and_stay() {
        let holder = |piece, device, until| Holder {
            piece,
            device: DeviceId([device; 32]),
            since: 1,
            until,
            paid_periods: 0,
            is_challenged: false,
        };
        let standing = Standing {
            contract: ContractId([1; 32]),
            pieces: 4,
            copies: 2,
            period: 3,
            ends: 9,
            period_blocks: 15,
            money: Escrow::default().into(),
            holders: vec![
                holder(0, 1, None),
                holder(0, 2, None),
                holder(1, 1, None),
                holder(1, 2, Some(4)),
                holder(2, 1, Some(4)),
            ],
            masternodes: None,
        };
        assert_eq!(standing.kept(), (1, 1, 2));
        let text = standing.people();
        for words in [
            "4, each for 2 devices",
            "1 by as many",
            "5 more periods",
            "none of the contract's",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}
