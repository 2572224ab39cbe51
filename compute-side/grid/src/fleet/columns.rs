//! What the ranking reads of each device, by the device's number.

use crate::{
    FaultRate, Flags, Tick,
    pools::{Rank, Ranked, Ranking},
};

/// Not ranked.
const UNRANKED: Rank = Rank::MAX;

#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    /// Whether there is a device of this number.
    present: Vec<bool>,
    pub(super) rates: Vec<FaultRate>,
    /// Flags that do not pass with time.
    pub(super) flags: Vec<Flags>,
    /// Until when it waits after faults in a row.
    pub(super) waits: Vec<Tick>,
    /// What a ranking takes over; together, because it is looked up together.
    pub(super) ranked: Vec<Ranked>,
    /// Whether it won a lottery since it was taken in.
    pub(super) lifted: Vec<bool>,
    ranks: Vec<Rank>,
}

impl Columns {
    /// One device more, at the end.
    pub(super) fn grow(&mut self) {
        self.present.push(true);
        self.rates.push(FaultRate::default());
        self.flags.push(Flags::NONE);
        self.waits.push(Tick::default());
        self.ranked.push(Ranked::default());
        self.lifted.push(false);
        self.ranks.push(UNRANKED);
    }

    /// A device is gone.
    pub(super) fn clear(&mut self, at: usize) {
        self.present[at] = false;
        self.rates[at] = FaultRate::default();
        self.waits[at] = Tick::default();
        self.lifted[at] = false;
        self.ranks[at] = UNRANKED;
    }

    /// A number is used again.
    pub(super) fn reuse(&mut self, at: usize) {
        self.present[at] = true;
    }

    /// Devices without a flag, by number.
    pub(super) fn unflagged(&self, now: Tick) -> impl Iterator<Item = u32> {
        let flags = self.flags.iter().zip(&self.rates).zip(&self.present);
        // Without a fault lately, no device waits.
        let waits = move |number: u32, rate: FaultRate| {
            rate > FaultRate::default() && now < self.waits[number as usize]
        };
        (0..)
            .zip(flags)
            .filter(move |(number, ((flags, rate), present))| {
                **present && flags.is_empty() && !waits(*number, **rate)
            })
            .map(|(number, _)| number)
    }

    pub(super) fn rank_of(&self, at: usize) -> Option<Rank> {
        self.ranks.get(at).copied().filter(|rank| *rank != UNRANKED)
    }

    /// Takes over a new order, best first, and writes down what jobs ask about.
    pub(super) fn rank(&mut self, order: Vec<u32>, ranking: &mut Ranking) {
        self.ranks.fill(UNRANKED);
        let Self { ranks, ranked, .. } = self;
        ranking.refill(order, |rank, number| {
            ranks[number as usize] = rank;
            ranked[number as usize]
        });
    }
}
