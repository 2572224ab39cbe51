//! A period: who is asked, and who has proved what.

use crate::OrderId;
use quern_primitives::{
    custody::Held,
    ids::{BlockNumber, Digest, Period},
};
use std::collections::{BTreeMap, BTreeSet};

/// The present period, once it is known what its challenges follow from.
#[derive(Clone, Debug)]
pub(crate) struct Proving {
    pub(crate) period: Period,
    pub(crate) randomness: Digest,
    /// Who is asked.
    pub(crate) asked: BTreeMap<Held, OrderId>,
    /// Who did not prove what it was asked for, and when it may be asked again.
    pub(crate) rests: BTreeMap<Held, BlockNumber>,
    /// Who has proved, and is neither paid as far as the chain shows nor in a call.
    pub(crate) proved: BTreeSet<Held>,
    /// Calls that pay for some of it.
    pub(crate) paying: BTreeMap<OrderId, Vec<Held>>,
    /// Who is paid by calls that are in a final block, which what is seen may be older than.
    pub(crate) paid: BTreeSet<Held>,
    /// Who is challenged by us.
    pub(crate) challenged: BTreeSet<Held>,
}

impl Proving {
    pub(crate) fn new(period: Period, randomness: Digest) -> Self {
        Self {
            period,
            randomness,
            asked: BTreeMap::new(),
            rests: BTreeMap::new(),
            proved: BTreeSet::new(),
            paying: BTreeMap::new(),
            paid: BTreeSet::new(),
            challenged: BTreeSet::new(),
        }
    }

    /// Whether a call is under way that pays for it.
    pub(crate) fn is_being_paid(&self, held: &Held) -> bool {
        self.paying.values().any(|some| some.contains(held))
    }
}
