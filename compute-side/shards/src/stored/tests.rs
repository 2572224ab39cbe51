//! Plans for folders of all lengths, and lists that anybody may have made.

#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;
use quern_primitives::limits::{PIECES_PER_CONTRACT_MAX, SHARD_BYTES_MAX};

const CODED: Layout = Layout::Coded {
    shards: 4,
    parity: 2,
};

#[test]
fn layouts_are_read_as_they_are_written() {
    assert_eq!("4+2".parse(), Ok(CODED));
    assert_eq!(CODED.to_string(), "4+2");
    assert_eq!(Layout::default(), CODED);
    for text in ["", "4", "4-2", "+", "4+", "300+2"] {
        assert_eq!(text.parse::<Layout>(), Err(NoCode), "{text}");
    }
    for (shards, parity) in [(0, 2), (4, 0), (60, 5)] {
        let plan = Plan::of(Layout::Coded { shards, parity }, 1);
        assert_eq!(plan, Err(LayoutError::Stripe { shards, parity }));
    }
    for copies in [0, 17] {
        let plan = Plan::of(Layout::Mirrored { copies }, 1);
        assert_eq!(plan, Err(LayoutError::Copies { found: copies }));
    }
}

fn layout() -> impl Strategy<Value = Layout> {
    prop_oneof![
        (1u8..=16).prop_map(|copies| Layout::Mirrored { copies }),
        (1u8..=32, 1u8..=32).prop_map(|(shards, parity)| Layout::Coded { shards, parity }),
    ]
}

proptest! {
    /// Every piece has one place, every shard one piece, and all bytes find room.
    #[test]
    fn a_plan_has_each_shard_and_each_piece_once(layout in layout(), bytes in prop_oneof![
        0u64..100_000, 0u64..(1 << 40),
    ]) {
        let Ok(plan) = Plan::of(layout, bytes) else {
            // A terabyte may be more pieces than a contract has.
            prop_assert!(bytes > u64::from(SHARD_BYTES_MAX));
            return Ok(());
        };
        prop_assert!(plan.bytes() >= bytes);
        prop_assert!(plan.pieces() <= PIECES_PER_CONTRACT_MAX);
        prop_assert!(plan.shard_bytes() <= SHARD_BYTES_MAX);
        let (mut shards, mut pieces) = (0, 0);
        for stripe in 0..plan.stripes() {
            prop_assert_eq!(plan.shards_of(stripe).start, shards);
            prop_assert_eq!(plan.pieces_of(stripe).start, pieces);
            for (place, piece) in (0..).zip(plan.pieces_of(stripe)) {
                let spot = plan.spot(piece).unwrap();
                prop_assert_eq!((spot.stripe, spot.place), (stripe, place));
                if let Some(shard) = spot.shard {
                    prop_assert_eq!(shard, shards);
                    prop_assert_eq!(plan.piece_of(shard), piece);
                    shards += 1;
                }
                pieces += 1;
            }
        }
        prop_assert_eq!((shards, pieces), (plan.shards(), plan.pieces()));
        prop_assert_eq!(plan.spot(pieces), None);
        // No shard is empty but where there is nothing.
        let before = plan.bytes() - u64::from(plan.shard_bytes());
        prop_assert!(before < bytes.max(1));
    }
}
