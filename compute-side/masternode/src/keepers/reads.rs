//! Which pieces are here because somebody reads them: brought from a device, and erased again soon.
//!
//! There is a place for so many. One that was read to its end, or that nobody has read for a while, gives its place to
//! the next.

use crate::locks::lock;
use quern_primitives::ids::{ContractId, PieceIndex};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Pieces that are brought here at a time to be read.
const AT_A_TIME: usize = 8;

/// Pieces that are here to be read.
const PIECES_MAX: usize = 32;

/// So long a piece stays that was read to its end: its reader may not have heard the last of it.
const STAYS_READ: Duration = Duration::from_secs(10);

/// So long a piece is left to its reader that does not go on reading, when others wait.
const STAYS_UNREAD: Duration = Duration::from_secs(30);

/// So long it stays when nobody waits.
const STAYS: Duration = Duration::from_secs(600);

/// A piece of a contract.
pub(crate) type Name = (ContractId, PieceIndex);

/// How far a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is being brought here.
    Coming,
    /// It is here, and was read last at this time; to its end or not.
    Here { read_at: Instant, is_read: bool },
}

/// Pieces that are here to be read.
#[derive(Debug)]
pub(crate) struct Reads {
    permits: Arc<Semaphore>,
    pieces: Mutex<BTreeMap<Name, State>>,
}

/// That a piece may be brought here.
#[derive(Debug)]
pub(crate) struct Begun {
    /// Held while it is brought.
    pub(crate) permit: OwnedSemaphorePermit,
    /// What is to be erased for it.
    pub(crate) instead_of: Option<Name>,
}

impl Default for Reads {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_A_TIME)),
            pieces: Mutex::default(),
        }
    }
}

impl Reads {
    /// Has a piece brought here, unless it is coming, or there is no place for it now.
    pub(crate) fn begin(&self, name: Name, now: Instant) -> Option<Begun> {
        let mut pieces = lock(&self.pieces);
        if pieces.get(&name) == Some(&State::Coming) {
            return None;
        }
        let permit = self.permits.clone().try_acquire_owned().ok()?;
        let is_full = pieces.len() >= PIECES_MAX && !pieces.contains_key(&name);
        let instead_of = match is_full {
            false => None,
            true => Some(spare(&pieces, now)?),
        };
        if let Some(spare) = instead_of {
            pieces.remove(&spare);
        }
        pieces.insert(name, State::Coming);
        Some(Begun { permit, instead_of })
    }

    /// A piece is here, or could not be brought.
    pub(crate) fn ended(&self, name: Name, is_here: bool, now: Instant) {
        let mut pieces = lock(&self.pieces);
        match is_here {
            true => {
                let state = State::Here {
                    read_at: now,
                    is_read: false,
                };
                pieces.insert(name, state);
            }
            false => {
                pieces.remove(&name);
            }
        }
    }

    /// A piece was read, maybe to its end.
    pub(crate) fn is_read(&self, name: Name, to_its_end: bool, now: Instant) {
        if let Some(State::Here { read_at, is_read }) = lock(&self.pieces).get_mut(&name) {
            *read_at = now;
            *is_read |= to_its_end;
        }
    }

    /// The pieces of a contract that are not read any more, of which nothing is known from now on.
    pub(crate) fn over(&self, contract: ContractId, now: Instant) -> Vec<Name> {
        let is_over = |state: &State| match state {
            State::Coming => false,
            State::Here { read_at, is_read } => {
                let stays = if *is_read { STAYS_READ } else { STAYS };
                now.saturating_duration_since(*read_at) > stays
            }
        };
        let mut pieces = lock(&self.pieces);
        let over = pieces.extract_if(.., |(of, _), state| *of == contract && is_over(state));
        over.map(|(name, _)| name).collect()
    }
}

/// The piece that gives its place to another: one that was read to its end, or else the one that nobody has gone on
/// reading for the longest time.
fn spare(pieces: &BTreeMap<Name, State>, now: Instant) -> Option<Name> {
    let here = pieces.iter().filter_map(|(name, state)| match state {
        State::Coming => None,
        State::Here { read_at, is_read } => Some((!is_read, *read_at, *name)),
    });
    let (is_unread, read_at, name) = here.min()?;
    let may_go = !is_unread || now.saturating_duration_since(read_at) > STAYS_UNREAD;
    may_go.then_some(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const CONTRACT: ContractId = ContractId([1; 32]);

    fn name(piece: usize) -> Name {
        (CONTRACT, piece as PieceIndex)
    }

    /// With a piece in each place, none of them read.
    fn full(now: Instant) -> Reads {
        let reads = Reads::default();
        for piece in 0..PIECES_MAX {
            let begun = reads.begin(name(piece), now).unwrap();
            assert_eq!(begun.instead_of, None);
            reads.ended(name(piece), true, now);
        }
        reads
    }

    #[test]
    fn who_reads_more_pieces_than_there_are_places_waits_for_none_that_was_read_to_its_end() {
        let now = Instant::now();
        let reads = Reads::default();
        for piece in 0..4 * PIECES_MAX {
            let begun = reads.begin(name(piece), now).unwrap();
            let expected = piece.checked_sub(PIECES_MAX).map(name);
            assert_eq!(begun.instead_of, expected);
            reads.ended(name(piece), true, now);
            reads.is_read(name(piece), false, now);
            reads.is_read(name(piece), true, now);
        }
    }

    #[test]
    fn what_is_being_read_is_not_erased_for_others_and_what_is_left_lying_is() {
        let now = Instant::now();
        let reads = full(now);
        assert!(reads.begin(name(100), now + STAYS_UNREAD).is_none());
        let later = now + STAYS_UNREAD + Duration::from_secs(1);
        reads.is_read(name(0), false, later);
        let begun = reads.begin(name(100), later).unwrap();
        assert_eq!(begun.instead_of, Some(name(1)));
    }

    #[test]
    fn a_piece_is_brought_once_and_no_more_than_so_many_at_a_time() {
        let now = Instant::now();
        let reads = Reads::default();
        let begun: Vec<_> = (0..AT_A_TIME)
            .map(|piece| reads.begin(name(piece), now).unwrap())
            .collect();
        assert!(reads.begin(name(0), now).is_none());
        assert!(reads.begin(name(50), now).is_none());
        drop(begun);
        reads.ended(name(0), false, now);
        assert!(reads.begin(name(0), now).is_some());
    }

    #[test]
    fn what_was_read_goes_soon_and_what_was_not_goes_in_the_end() {
        let now = Instant::now();
        let reads = full(now);
        reads.is_read(name(3), true, now);
        assert_eq!(reads.over(CONTRACT, now + STAYS_READ), []);
        let soon = now + STAYS_READ + Duration::from_secs(1);
        assert_eq!(reads.over(ContractId([2; 32]), soon), []);
        assert_eq!(reads.over(CONTRACT, soon), [name(3)]);
        let late = now + STAYS + Duration::from_secs(1);
        assert_eq!(reads.over(CONTRACT, late).len(), PIECES_MAX - 1);
    }
}
