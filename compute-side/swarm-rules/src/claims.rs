//! Who computes what now, as it was heard.
//!
//! A key has one claim in each of its slots, and a greater number takes the place of a smaller: whatever
//! order claims come in, and however often, the same remains. What is over stays remembered by its number,
//! so that a copy which comes late begins nothing anew.

use crate::{
    limits::CLAIMS_MAX,
    message::{BUCKETS, Claimed, PeerId},
    tick::Tick,
    weight::mixed,
};
use quern_primitives::payload::Signed;
use quern_swarm_file::PieceIndex;
use std::collections::{BTreeMap, BTreeSet};

/// A key's place for a claim.
type Place = (PeerId, u8);

#[derive(Clone, Copy, Debug)]
struct Held {
    word: Signed<Claimed>,
    /// When it is over.
    until: Tick,
}

/// All claims that are known, one's own among them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    by_place: BTreeMap<Place, Held>,
    by_piece: BTreeMap<PieceIndex, BTreeSet<Place>>,
}

impl Claims {
    /// Whether a claim says something new.
    pub(crate) fn is_new(&self, claim: &Claimed) -> bool {
        let held = self.by_place.get(&(claim.by, claim.slot));
        held.is_none_or(|held| held.word.payload.number < claim.number)
    }

    /// Takes a claim over, if it says something new and there is room. A stranger finds less of it.
    pub(crate) fn take(&mut self, now: Tick, word: Signed<Claimed>, is_believed: bool) -> bool {
        let claim = word.payload;
        let place = (claim.by, claim.slot);
        if !self.is_new(&claim) || !self.has_room(now, &place, is_believed) {
            return false;
        }
        if let Some(before) = self.by_place.get(&place) {
            let piece = before.word.payload.piece;
            self.unlist(piece, &place);
        }
        let until = now.plus_ms(claim.ttl_ms.into());
        self.by_place.insert(place, Held { word, until });
        self.by_piece.entry(claim.piece).or_default().insert(place);
        true
    }

    /// Who claims a piece now.
    pub(crate) fn of(&self, now: Tick, piece: PieceIndex) -> impl Iterator<Item = &PeerId> {
        let places = self.by_piece.get(&piece).into_iter().flatten();
        places.filter_map(move |place| {
            let held = self.by_place.get(place)?;
            (held.until > now).then_some(&place.0)
        })
    }

    /// Who claims anything now, each once.
    pub(crate) fn claimants(&self, now: Tick) -> BTreeSet<PeerId> {
        let held = self.by_place.iter().filter(|(_, held)| held.until > now);
        held.map(|((peer, _), _)| *peer).collect()
    }

    /// The claims of a key.
    pub(crate) fn of_key(&self, key: &PeerId) -> impl Iterator<Item = Signed<Claimed>> {
        let held = self.by_place.range((*key, 0)..=(*key, u8::MAX));
        held.map(|(_, held)| held.word)
    }

    /// The pieces that somebody claims, or has claimed.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = PieceIndex> {
        self.by_piece.keys().copied()
    }

    /// What they add up to, by piece.
    pub(crate) fn sums(&self, now: Tick) -> [u32; BUCKETS] {
        let mut sums = [0; BUCKETS];
        for held in self.by_place.values().filter(|held| held.until > now) {
            let claim = &held.word.payload;
            if let Some(sum) = sums.get_mut(bucket(claim.piece)) {
                let place = name(&claim.by) ^ u64::from(claim.piece) << 32;
                *sum ^= small(mixed(place) ^ claim.number);
            }
        }
        sums
    }

    /// The claims of the pieces in some of the sums, that last for a while yet.
    pub(crate) fn in_buckets(
        &self,
        now: Tick,
        wanted: u16,
    ) -> impl Iterator<Item = &Signed<Claimed>> {
        let held = self.by_place.values();
        let lasting = held.filter(move |held| {
            let ttl_ms = u64::from(held.word.payload.ttl_ms);
            held.until.since(now) > ttl_ms / 4
        });
        let words = lasting.map(|held| &held.word);
        words.filter(move |word| is_wanted(wanted, word.payload.piece))
    }

    fn has_room(&mut self, now: Tick, place: &Place, is_believed: bool) -> bool {
        if self.by_place.contains_key(place) || self.by_place.len() < CLAIMS_MAX {
            return true;
        }
        let over: Vec<(Place, PieceIndex)> = self
            .by_place
            .iter()
            .filter(|(_, held)| held.until <= now)
            .map(|(place, held)| (*place, held.word.payload.piece))
            .collect();
        for (place, piece) in over {
            self.by_place.remove(&place);
            self.unlist(piece, &place);
        }
        let max = if is_believed {
            CLAIMS_MAX
        } else {
            CLAIMS_MAX / 2
        };
        self.by_place.len() < max
    }

    fn unlist(&mut self, piece: PieceIndex, place: &Place) {
        if let Some(places) = self.by_piece.get_mut(&piece) {
            places.remove(place);
            if places.is_empty() {
                self.by_piece.remove(&piece);
            }
        }
    }

    /// Lets go of all claims of a key.
    pub(crate) fn forget_key(&mut self, key: &PeerId) {
        let places: Vec<(Place, PieceIndex)> = self
            .by_place
            .range((*key, 0)..=(*key, u8::MAX))
            .map(|(place, held)| (*place, held.word.payload.piece))
            .collect();
        for (place, piece) in places {
            self.by_place.remove(&place);
            self.unlist(piece, &place);
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_place.len()
    }
}

/// In which of the sums what is said of a piece is.
pub(crate) fn bucket(piece: PieceIndex) -> usize {
    usize::try_from(piece).unwrap_or(0) % BUCKETS
}

/// Whether what is said of a piece is in one of these.
pub(crate) fn is_wanted(wanted: u16, piece: PieceIndex) -> bool {
    let bucket = u32::try_from(bucket(piece)).unwrap_or(0);
    wanted.checked_shr(bucket).unwrap_or(0) & 1 == 1
}

/// Which sums differ.
pub(crate) fn differing(one: &[u32; BUCKETS], other: &[u32; BUCKETS]) -> u16 {
    let pairs = one.iter().zip(other);
    let differ = pairs.map(|(one, other)| u16::from(one != other));
    // The first bucket in the lowest bit.
    differ.rev().fold(0, |all, it| all << 1 | it)
}

/// A number for a thing, of which half the bits are summed.
pub(crate) fn small(it: u64) -> u32 {
    u32::try_from(mixed(it) >> 32).unwrap_or(0)
}

/// The first bytes of a key as a number.
pub(crate) fn name(key: &PeerId) -> u64 {
    let first = key.0.first_chunk::<8>().unwrap_or(&[0; 8]);
    u64::from_le_bytes(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use quern_primitives::payload::DeviceSignature;

    fn claim(by: u8, slot: u8, number: u64, piece: PieceIndex) -> Signed<Claimed> {
        Signed {
            payload: Claimed {
                piece,
                slot,
                number,
                ttl_ms: 1_000,
                by: PeerId::from([by; 32]),
            },
            signature: DeviceSignature([0; 64]),
        }
    }

    fn claimants(claims: &Claims, now: u64, piece: PieceIndex) -> Vec<u8> {
        let claimants = claims.of(Tick(now), piece);
        claimants.filter_map(|it| it.0.first().copied()).collect()
    }

    #[test]
    fn a_claim_is_over_after_its_time_and_does_not_come_back() {
        let mut claims = Claims::default();
        assert!(claims.take(Tick(0), claim(1, 0, 5, 7), false));
        assert_eq!(claimants(&claims, 999, 7), [1]);
        assert!(claimants(&claims, 1_000, 7).is_empty());
        assert!(
            !claims.take(Tick(1_000), claim(1, 0, 5, 7), false),
            "a late copy"
        );
        assert!(
            claims.take(Tick(1_000), claim(1, 0, 6, 7), false),
            "it is renewed"
        );
        assert_eq!(claimants(&claims, 1_500, 7), [1]);
    }

    #[test]
    fn the_next_claim_in_a_slot_ends_the_one_before() {
        let mut claims = Claims::default();
        claims.take(Tick(0), claim(1, 0, 1, 7), false);
        claims.take(Tick(0), claim(1, 1, 2, 8), false);
        claims.take(Tick(0), claim(1, 0, 3, 9), false);
        assert!(claimants(&claims, 1, 7).is_empty());
        assert_eq!(claimants(&claims, 1, 8), [1]);
        assert_eq!(claimants(&claims, 1, 9), [1]);
    }

    #[test]
    fn strangers_fill_half_of_the_room_at_most() {
        let mut claims = Claims::default();
        for number in 0..CLAIMS_MAX as u64 * 2 {
            let mut word = claim(1, 0, 1, number as u32);
            word.payload.by.0[..8].copy_from_slice(&number.to_le_bytes());
            claims.take(Tick(0), word, false);
        }
        assert!(claims.len() <= CLAIMS_MAX);
        claims.take(Tick(2_000), claim(1, 0, 1, 3), true);
        assert_eq!(claimants(&claims, 2_001, 3), [1], "what is over gives way");
    }

    proptest! {
        #[test]
        fn the_same_remains_in_whatever_order_claims_come(
            words in proptest::collection::vec((0u8..3, 0u8..2, 0u64..6, 0u32..4), 0..30),
            seed in any::<u64>(),
        ) {
            // A signer says one thing by one number.
            let word = |(by, slot, number, _): (u8, u8, u64, u32)| claim(by, slot, number, (number as u32 + u32::from(slot)) % 4);
            let (mut one, mut other) = (Claims::default(), Claims::default());
            for it in &words {
                one.take(Tick(0), word(*it), false);
            }
            let mut shuffled = words.clone();
            shuffled.sort_by_key(|it| mixed(seed ^ u64::from(it.0) << 40 ^ u64::from(it.1) << 20 ^ it.2));
            for it in shuffled.iter().chain(&words) {
                other.take(Tick(0), word(*it), false);
            }
            prop_assert_eq!(one.sums(Tick(1)), other.sums(Tick(1)));
            for piece in 0..4 {
                prop_assert_eq!(claimants(&one, 1, piece), claimants(&other, 1, piece));
            }
        }
    }
}
