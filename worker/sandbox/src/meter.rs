//! Fuel beyond what the engine counts: the work the host does for a program, and its memory.

use crate::limits::TABLE_ELEMENTS_MAX;
use wasmtime::ResourceLimiter;

/// What things cost. One fuel is about a tenth of a nanosecond of a processor of 2023, and the
/// prices follow the time things take, so that no program is much cheaper to its owner than it is
/// to the machine that runs it.
///
/// The engine itself counts 1 for an instruction and 0 for block structure. Copying and filling
/// memory in bulk, and calls that are not the last of their chain (about 12 each), are metered by
/// instructions that are added to the program before it is compiled. Six more make a computed value
/// canonical, in the portable class alone.
pub mod prices {
    /// One call of a WASI function.
    pub const HOST_CALL_FUEL: u64 = 400;
    /// Each byte read, written or copied by a WASI function, with its share of sealing and hashing
    /// on the way.
    pub const HOST_BYTE_FUEL: u64 = 4;
    /// Each buffer, subscription or string a WASI function is given or gives.
    pub const HOST_ITEM_FUEL: u64 = 64;
    /// Each byte of randomness: a hash makes 32 of them in some 100 nanoseconds.
    pub const RANDOM_BYTE_FUEL: u64 = 32;
    /// Each page of 64 KiB of memory, at the start or later: the system clears what of it is used.
    pub const MEMORY_PAGE_FUEL: u64 = 16_384;
    /// Each element of a table, at the start or later.
    pub const TABLE_ELEMENT_FUEL: u64 = 16;
    /// Each full KiB of `memory.copy`, `memory.fill` and `memory.init`.
    pub const BULK_KIB_FUEL: u64 = 512;
    /// Each 8 full elements of `table.copy`, `table.fill`, `table.init`.
    pub const BULK_ELEMENTS_FUEL: u64 = 512;
}

/// Why a run was stopped by the host rather than by the program's own code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    #[error("left with code {0}")]
    Exit(i32),
    #[error("out of fuel")]
    OutOfFuel,
    #[error("output limit")]
    OutputLimit,
    #[error("wall time")]
    WallTime,
    #[error("cancelled")]
    Cancelled,
}

/// The budget of one run and what was taken from it.
///
/// The engine is given one fuel more than the limit. It looks at the budget at the head of
/// functions and loops only, so a program may end between two looks with more used than it had;
/// with the one more, "some is left" is exactly "the limit was kept".
#[derive(Debug)]
pub(crate) struct Meter {
    budget: u64,
    /// What is left, while the host has the word; the engine keeps it at other times.
    remaining: u64,
    /// Used by memory that grew, and not yet taken from what the engine keeps.
    owed: u64,
    memory_bytes: u64,
    memory_bytes_max: u64,
    memory_refused: bool,
}

impl Meter {
    pub(crate) fn new(fuel: u64, memory_bytes_max: u64) -> Self {
        let budget = fuel.saturating_add(1);
        Meter {
            budget,
            remaining: budget,
            owed: 0,
            memory_bytes: 0,
            memory_bytes_max,
            memory_refused: false,
        }
    }

    /// Takes the word from the engine, which has `engine_fuel` left.
    pub(crate) fn open(&mut self, engine_fuel: u64) -> Result<(), Stop> {
        self.remaining = engine_fuel;
        let owed = std::mem::take(&mut self.owed);
        self.charge(owed)
    }

    /// What the engine is to go on with.
    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Takes `fuel`, or all that is left if it is not enough.
    pub(crate) fn charge(&mut self, fuel: u64) -> Result<(), Stop> {
        self.remaining = self.remaining.saturating_sub(fuel);
        if self.remaining == 0 {
            Err(Stop::OutOfFuel)
        } else {
            Ok(())
        }
    }

    /// Fuel used up to now.
    pub(crate) fn used(&self) -> u64 {
        self.budget - self.remaining.min(self.budget)
    }

    /// Whether all was used; then the limit was passed.
    pub(crate) fn is_empty(&self) -> bool {
        self.remaining == 0
    }

    /// Fuel used, as it is told: never more than the limit.
    pub(crate) fn told(&self) -> u64 {
        self.used().min(self.budget - 1)
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    pub(crate) fn memory_refused(&self) -> bool {
        self.memory_refused
    }
}

/// Memory and tables grow within fixed limits. A refused growth is -1 to the program on every
/// machine; a growth that this machine alone cannot give stops the run as a fault of the machine,
/// because a program that saw it would answer differently here.
impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired as u64 > self.memory_bytes_max {
            self.memory_refused = true;
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let pages = (desired.saturating_sub(current) as u64).div_ceil(crate::limits::PAGE_BYTES);
        self.owed = self
            .owed
            .saturating_add(pages.saturating_mul(prices::MEMORY_PAGE_FUEL));
        self.memory_bytes = desired as u64;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let max = u64::from(TABLE_ELEMENTS_MAX);
        if maximum.is_some_and(|maximum| desired > maximum) || desired as u64 > max {
            return Ok(false);
        }
        let elements = desired.saturating_sub(current) as u64;
        self.owed = self
            .owed
            .saturating_add(elements.saturating_mul(prices::TABLE_ELEMENT_FUEL));
        Ok(true)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exactly_the_limit_may_be_used_and_no_more() {
        let mut meter = Meter::new(10, 0);
        meter.open(11).unwrap();
        assert_eq!(meter.charge(10), Ok(()));
        assert_eq!((meter.told(), meter.is_empty()), (10, false));
        assert_eq!(meter.charge(1), Err(Stop::OutOfFuel));
        assert_eq!((meter.told(), meter.is_empty()), (10, true));
    }

    #[test]
    fn memory_that_grew_is_charged_when_the_host_next_has_the_word() {
        let mut meter = Meter::new(40_000, 1 << 20);
        assert!(meter.memory_growing(0, 2 * 65_536, None).unwrap());
        assert_eq!(meter.open(40_001), Ok(()));
        assert_eq!(meter.told(), 2 * prices::MEMORY_PAGE_FUEL);
        assert!(meter.memory_growing(2 * 65_536, 3 * 65_536, None).unwrap());
        assert_eq!(meter.open(meter.remaining()), Err(Stop::OutOfFuel));
    }

    #[test]
    fn only_the_owners_limit_counts_as_refused_memory() {
        let mut meter = Meter::new(0, 2 * 65_536);
        assert!(!meter.memory_growing(0, 2 * 65_536, Some(65_536)).unwrap());
        assert!(!meter.memory_refused());
        assert!(!meter.memory_growing(0, 3 * 65_536, None).unwrap());
        assert!(meter.memory_refused());
        assert_eq!(meter.memory_bytes(), 0);
    }

    proptest! {
        #[test]
        fn charges_add_up_and_stop_past_the_limit(limit in 0u64..10_000, charges in prop::collection::vec(0u64..1_000, 0..40)) {
            let mut meter = Meter::new(limit, 0);
            let mut sum = 0;
            for charge in charges {
                sum += charge;
                prop_assert_eq!(meter.charge(charge).is_ok(), sum <= limit);
                prop_assert_eq!(meter.told(), sum.min(limit));
            }
        }
    }
}
