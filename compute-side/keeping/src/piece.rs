//! What is known of a piece.

use crate::{OrderId, limits::REFUSED_MAX};
use quern_primitives::{
    custody::Holding,
    ids::{AccountId, BlockNumber, DeviceId, Period},
};
use std::collections::{BTreeMap, BTreeSet};

/// How far a device is that is to hold a piece and does not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is to fetch it.
    Taking,
    /// It has it, and is to be asked for its consent.
    Has,
    /// It is asked for its consent.
    Signing,
    /// It has signed, for this period on.
    Signed(Period),
    /// The chain is told.
    Holding,
    /// The chain has been told, and is to show it.
    Told,
}

/// A device that is to hold a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taker {
    pub(crate) account: AccountId,
    pub(crate) stage: Stage,
    /// When this stage began.
    pub(crate) since: BlockNumber,
}

/// A piece.
#[derive(Clone, Debug, Default)]
pub(crate) struct Piece {
    /// Whether its bytes are here.
    pub(crate) is_here: bool,
    /// Who holds it as the chain says, whether for long or not.
    pub(crate) held: BTreeMap<DeviceId, Holding>,
    /// Who is to.
    pub(crate) takers: BTreeMap<DeviceId, Taker>,
    /// Who would not, or could not.
    pub(crate) refused: BTreeSet<DeviceId>,
    /// Who is asked again no sooner than then.
    pub(crate) rests: BTreeMap<DeviceId, BlockNumber>,
    /// What is under way to bring it here.
    pub(crate) bringing: Option<OrderId>,
    /// Since when fewer hold it than shall, if that is so.
    pub(crate) short_since: Option<BlockNumber>,
}

impl Piece {
    /// Who holds it and will in the next period too, and is not gone.
    pub(crate) fn lasting<'a>(
        &'a self,
        next: Period,
        is_gone: impl Fn(&DeviceId) -> bool + 'a,
    ) -> impl Iterator<Item = (&'a DeviceId, &'a Holding)> {
        self.held.iter().filter(move |(device, holding)| {
            holding.until.is_none_or(|until| until > next) && !is_gone(device)
        })
    }

    /// A device would not, or could not, and is asked no more: not before many others were asked.
    pub(crate) fn refuse(&mut self, device: DeviceId) {
        if self.refused.len() >= REFUSED_MAX {
            self.refused.clear();
        }
        self.refused.insert(device);
    }

    /// A device is asked again no sooner than then.
    pub(crate) fn rest(&mut self, device: DeviceId, now: BlockNumber, until: BlockNumber) {
        self.rests.retain(|_, until| *until > now);
        self.rests.insert(device, until);
    }

    /// Accounts that hold it, held it and are not forgotten, or are to: none of them takes it a second time, for what one
    /// of an account loses all of it may.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        let held = self.held.values().map(|holding| &holding.account);
        held.chain(self.takers.values().map(|taker| &taker.account))
    }
}
