#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    rand_core::Rng,
    testing::{SeededRng, patterned},
};
use proptest::prelude::*;
use std::io::{self, Read, Write};

mod points;

/// Shards of these lengths, no two alike, and their stripe.
fn stripe_of(lengths: &[usize], parity: usize) -> (Stripe, Vec<Vec<u8>>) {
    let bytes: Vec<u64> = lengths.iter().map(|length| *length as u64).collect();
    let shards = lengths.iter().enumerate();
    let shards =
        shards.map(|(shard, length)| patterned(1_000 * shard + length)[1_000 * shard..].to_vec());
    (Stripe::new(&bytes, parity).unwrap(), shards.collect())
}

fn coded(stripe: &Stripe, shards: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut parity = vec![Vec::new(); stripe.parity()];
    code_into(stripe, shards.iter().map(Vec::as_slice), &mut parity).unwrap();
    parity
}

/// Shards and parity.
fn pieces_of(lengths: &[usize], parity: usize) -> (Stripe, Vec<Vec<u8>>) {
    let (stripe, mut pieces) = stripe_of(lengths, parity);
    pieces.extend(coded(&stripe, &pieces));
    (stripe, pieces)
}

fn held<'a>(pieces: &'a [Vec<u8>], places: &[usize]) -> Vec<Held<&'a [u8]>> {
    let held = places.iter().map(|place| Held {
        place: *place,
        input: pieces[*place].as_slice(),
    });
    held.collect()
}

/// The pieces at `wanted`, made of those at `places`.
fn restored(
    stripe: &Stripe,
    pieces: &[Vec<u8>],
    places: &[usize],
    wanted: &[usize],
) -> Result<Vec<Vec<u8>>, ParityError> {
    let mut outputs = vec![Vec::new(); wanted.len()];
    let lost = wanted.iter().zip(&mut outputs);
    let lost = lost.map(|(place, output)| Lost {
        place: *place,
        output,
    });
    restore_into(stripe, held(pieces, places), lost.collect())?;
    Ok(outputs)
}

/// Whether these places give all others of the stripe.
fn assert_all_come_back(stripe: &Stripe, pieces: &[Vec<u8>], places: &[usize]) {
    let wanted: Vec<usize> = (0..stripe.pieces())
        .filter(|place| !places.contains(place))
        .collect();
    let made = restored(stripe, pieces, places, &wanted).unwrap();
    for (place, made) in wanted.iter().zip(made) {
        assert!(made == pieces[*place], "piece {place} of {places:?}");
    }
}

/// Every choice of `count` out of `of` places.
fn choices(of: usize, count: usize) -> impl Iterator<Item = Vec<usize>> {
    (0u32..1 << of)
        .filter(move |mask| mask.count_ones() as usize == count)
        .map(move |mask| (0..of).filter(|place| mask >> place & 1 == 1).collect())
}

#[test]
fn any_four_pieces_of_four_and_two_give_the_others() {
    let (stripe, pieces) = pieces_of(&[701, 64, 1_030, 1], 2);
    let choices: Vec<_> = choices(6, 4).collect();
    assert_eq!(choices.len(), 15);
    for places in choices {
        assert_all_come_back(&stripe, &pieces, &places);
    }
}

#[test]
fn any_ten_pieces_of_ten_and_four_give_the_others() {
    let lengths = [130, 1, 64, 65, 129, 0, 100, 130, 2, 127];
    let (stripe, pieces) = pieces_of(&lengths, 4);
    let choices: Vec<_> = choices(14, 10).collect();
    assert_eq!(choices.len(), 1_001);
    for places in choices {
        assert_all_come_back(&stripe, &pieces, &places);
    }
}

#[test]
fn an_independent_implementation_makes_the_same_parity() {
    let lengths = [67, 130, 1, 64, 100, 0, 31, 96];
    for count in 1..=lengths.len() {
        for parity in 1..=9 {
            let (stripe, shards) = stripe_of(&lengths[..count], parity);
            let expected = points::parity(&shards, parity);
            assert_eq!(coded(&stripe, &shards), expected, "{count}+{parity}");
        }
    }
}

#[test]
fn the_widest_stripes_are_coded_as_by_the_independent_implementation_and_come_back() {
    for count in [1, 15, 31, 32, 33, 48, 63] {
        let parity = STRIPE_PIECES_MAX - count;
        let lengths: Vec<usize> = (0..count).map(|shard| 66 + shard % 5).collect();
        let (stripe, pieces) = pieces_of(&lengths, parity);
        assert_eq!(stripe.pieces(), STRIPE_PIECES_MAX);
        let expected = points::parity(&pieces[..count], parity);
        assert!(pieces[count..] == expected, "{count}+{parity}");
        // The last ones are parity, as far as there is so much.
        let places: Vec<usize> = (STRIPE_PIECES_MAX - count..STRIPE_PIECES_MAX).collect();
        assert_all_come_back(&stripe, &pieces, &places);
    }
}

#[test]
fn coding_by_blocks_is_coding_as_a_whole() {
    for longest in [
        BLOCK_BYTES - 1,
        BLOCK_BYTES,
        BLOCK_BYTES + 1,
        2 * BLOCK_BYTES + 70,
    ] {
        let lengths = [longest, BLOCK_BYTES, 5, longest - 1];
        let (stripe, pieces) = pieces_of(&lengths, 2);
        assert!(pieces[4..] == points::parity(&pieces[..4], 2), "{longest}");
        let bytes = longest.next_multiple_of(2) as u64;
        assert_eq!(stripe.parity_bytes(), bytes);
        for places in [[2, 3, 4, 5], [0, 2, 3, 5], [0, 1, 2, 3]] {
            assert_all_come_back(&stripe, &pieces, &places);
        }
    }
}

#[test]
fn pieces_are_taken_in_any_order_and_only_what_is_wanted_is_made() {
    let (stripe, pieces) = pieces_of(&[300, 200, 100], 3);
    for (places, wanted) in [
        ([5, 0, 3], vec![2]),
        ([4, 5, 3], vec![1, 0]),
        ([2, 1, 0], vec![5, 3]),
        ([1, 4, 0], vec![3, 2]),
        ([4, 3, 5], vec![]),
    ] {
        let made = restored(&stripe, &pieces, &places, &wanted).unwrap();
        let expected = wanted.iter().map(|place| pieces[*place].clone());
        assert_eq!(made, expected.collect::<Vec<_>>(), "{places:?}");
    }
}

#[test]
fn stripes_that_there_are_not_are_refused() {
    use StripeError as E;
    assert_eq!(Stripe::new(&[], 2), Err(E::NoShards));
    assert_eq!(Stripe::new(&[1], 0), Err(E::NoParity));
    let too_many = |shards, parity| E::TooManyPieces {
        shards,
        parity,
        max: 64,
    };
    assert_eq!(Stripe::new(&[1; 60], 5), Err(too_many(60, 5)));
    let endless = Stripe::new(&[1; 2], usize::MAX);
    assert_eq!(endless, Err(too_many(2, usize::MAX)));
    assert_eq!(Stripe::new(&[0; 4], 2), Err(E::Empty));
    for found in [PIECE_BYTES_MAX + 1, u64::MAX] {
        let too_long = E::TooLong {
            place: 1,
            found,
            max: PIECE_BYTES_MAX,
        };
        assert_eq!(Stripe::new(&[5, found], 1), Err(too_long));
    }
    let longest = Stripe::new(&[PIECE_BYTES_MAX], 1).unwrap();
    assert_eq!(longest.parity_bytes(), PIECE_BYTES_MAX);
    assert_eq!(longest.bytes_at(2), None);
}

#[test]
fn pieces_that_do_not_fit_the_stripe_are_refused() {
    let (stripe, mut pieces) = pieces_of(&[30, 20, 10], 2);
    pieces.push(vec![0; 30]);
    let refused = |places: &[usize], wanted: &[usize]| {
        restored(&stripe, &pieces, places, wanted).unwrap_err()
    };
    use ParityError as E;
    for places in [&[][..], &[0, 1], &[0, 1, 2, 3]] {
        let ParityError::Pieces { needed, found } = refused(places, &[4]) else {
            panic!("{places:?} are not counted")
        };
        assert_eq!((needed, found), (3, places.len()));
    }
    for (places, wanted) in [([0, 1, 5], 2), ([0, 1, 2], 5)] {
        let error = refused(&places, &[wanted]);
        assert!(
            matches!(
                error,
                E::NoSuchPlace {
                    place: 5,
                    pieces: 5
                }
            ),
            "{error}"
        );
    }
    for (places, wanted) in [
        ([0, 2, 2], &[1][..]),
        ([0, 1, 2], &[2]),
        ([0, 1, 3], &[2, 2]),
    ] {
        let error = refused(&places, wanted);
        assert!(matches!(error, E::Twice { place: 2 }), "{error}");
    }
    let inputs = pieces.iter().take(3).map(Vec::as_slice);
    let error = code_into(&stripe, inputs, [Vec::new()]).unwrap_err();
    assert!(
        matches!(
            error,
            E::Parity {
                expected: 2,
                found: 1
            }
        ),
        "{error}"
    );
}

#[test]
fn a_piece_of_another_length_is_named() {
    let block = BLOCK_BYTES;
    for (lengths, place) in [([30, 20], 1), ([30, 20], 2), ([block + 9, block], 1)] {
        let (stripe, pieces) = pieces_of(&lengths, 1);
        let bytes = pieces[place].len() as u64;
        let (other, lost) = (3 - place, 0);
        let mut altered = pieces.clone();
        altered[place].pop();
        let error = restored(&stripe, &altered, &[other, place], &[lost]).unwrap_err();
        assert!(
            matches!(error, ParityError::TooShort { place: it, expected } if it == place && expected == bytes),
            "{error}"
        );
        altered[place].extend([0, 0]);
        let error = restored(&stripe, &altered, &[other, place], &[lost]).unwrap_err();
        assert!(
            matches!(error, ParityError::TooLong { place: it, expected } if it == place && expected == bytes),
            "{error}"
        );
    }
}

#[test]
fn what_comes_out_behind_the_end_of_a_shard_is_noticed() {
    let (stripe, mut pieces) = pieces_of(&[30, 10], 1);
    // Of one piece of parity the code is the exclusive or of all shards, byte by byte.
    pieces[2][12] ^= 1;
    let error = restored(&stripe, &pieces, &[0, 2], &[1]).unwrap_err();
    let ParityError::NotOfThisStripe { place, expected } = error else {
        panic!("{error}")
    };
    assert_eq!((place, expected), (1, 10));
}

/// Fails after some bytes, as a source or a destination.
struct Breaks {
    after: usize,
}

impl Read for Breaks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.after.min(buffer.len());
        self.after -= read;
        match read {
            0 => Err(io::Error::other("broken")),
            read => Ok(read),
        }
    }
}

impl Write for Breaks {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.after.min(buffer.len());
        self.after -= written;
        match written {
            0 => Err(io::Error::other("full")),
            written => Ok(written),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_source_and_a_destination_that_break_are_named() {
    let bytes = 2 * BLOCK_BYTES;
    let stripe = Stripe::new(&[bytes as u64], 2).unwrap();
    for after in [0, 5, BLOCK_BYTES, bytes] {
        let source = code_into(&stripe, [Breaks { after }], [io::sink(), io::sink()]);
        let error = source.unwrap_err();
        assert!(
            matches!(error, ParityError::Read { place: 0, .. }),
            "{error}"
        );
    }
    let shard = patterned(bytes);
    for after in [0, 5, BLOCK_BYTES] {
        let outputs = [Breaks { after: bytes }, Breaks { after }];
        let error = code_into(&stripe, [&shard[..]], outputs).unwrap_err();
        assert!(
            matches!(error, ParityError::Write { place: 2, .. }),
            "{error}"
        );
    }
}

fn shuffled(count: usize, rng: &mut SeededRng) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    for place in (1..count).rev() {
        places.swap(place, rng.next_u32() as usize % (place + 1));
    }
    places
}

proptest! {
    #[test]
    fn whatever_is_lost_of_any_stripe_comes_back(
        lengths in prop::collection::vec(0usize..300, 1..40), parity in 1usize..24, seed: u64,
    ) {
        prop_assume!(lengths.iter().any(|length| *length > 0));
        let (stripe, pieces) = pieces_of(&lengths, parity);
        let mut rng = SeededRng::new(seed);
        let places = shuffled(stripe.pieces(), &mut rng);
        assert_all_come_back(&stripe, &pieces, &places[..stripe.shards()]);
    }

    #[test]
    fn whatever_is_said_of_a_stripe_nothing_panics(
        lengths in prop::collection::vec(prop_oneof![0u64..200, any::<u64>()], 0..70),
        parity in prop_oneof![0usize..70, any::<usize>()],
        pieces in prop::collection::vec((prop_oneof![0usize..70, any::<usize>()], 0usize..200), 0..70),
        wanted in prop::collection::vec(prop_oneof![0usize..70, any::<usize>()], 0..5),
    ) {
        if let Ok(stripe) = Stripe::new(&lengths, parity) {
            let held = pieces.iter().map(|(place, bytes)| Held {
                place: *place,
                input: io::repeat(7).take(*bytes as u64),
            });
            let lost = wanted.iter().map(|place| Lost { place: *place, output: io::sink() });
            let _ = restore_into(&stripe, held.collect(), lost.collect());
        }
    }

    #[test]
    fn pieces_of_false_lengths_or_contents_make_something_else_or_nothing(
        seed: u64, which in 0usize..4, cut in 0usize..130, flip in any::<prop::sample::Index>(),
    ) {
        let (stripe, pieces) = pieces_of(&[130, 77, 64, 130], 2);
        let mut rng = SeededRng::new(seed);
        let places = shuffled(6, &mut rng);
        let (places, wanted) = places.split_at(4);
        let mut altered = pieces.clone();
        let piece = &mut altered[places[which]];
        if cut % 2 == 0 {
            piece.truncate(cut);
        }
        if !piece.is_empty() {
            let byte = flip.index(piece.len());
            piece[byte] ^= 1 << (seed % 8);
        }
        if altered != pieces && let Ok(made) = restored(&stripe, &altered, places, wanted) {
            let honest = wanted.iter().map(|place| pieces[*place].clone());
            prop_assert_ne!(made, honest.collect::<Vec<_>>());
        }
    }
}
