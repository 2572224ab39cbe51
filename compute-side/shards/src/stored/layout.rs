//! How a folder is divided: shards, stripes and pieces.

use crate::{
    parity::{STRIPE_PIECES_MAX, Stripe, StripeError},
    seal::sealed_bytes,
};
use codec::{Decode, Encode};
use quern_primitives::limits::{COPIES_PER_PIECE_MAX, PIECES_PER_CONTRACT_MAX, SHARD_BYTES_MAX};
use std::{fmt, ops::Range, str::FromStr};

/// Shards are a multiple of this, so that small folders do not tell their length to the byte.
const SHARD_STEP: u64 = 4_096;

/// How the loss of pieces is provided for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Layout {
    /// Each piece is a shard, and kept by so many devices.
    #[codec(index = 0)]
    Mirrored {
        /// How many.
        copies: u8,
    },
    /// Each piece is kept by one device. So many shards make a stripe, which has further pieces: any as many as
    /// there are shards give all others.
    #[codec(index = 1)]
    Coded {
        /// Shards of a stripe.
        shards: u8,
        /// Its further pieces, which is how many of it may be lost.
        parity: u8,
    },
}

impl Default for Layout {
    fn default() -> Self {
        Self::Coded {
            shards: 4,
            parity: 2,
        }
    }
}

/// Why a folder cannot be divided so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// No copy, or more than devices may hold.
    #[error("a piece can be kept by 1 to {COPIES_PER_PIECE_MAX} devices, not by {found}")]
    Copies {
        /// How many are wanted.
        found: u8,
    },
    /// There is no such stripe.
    #[error(
        "stripes of {shards}+{parity} cannot be made; take a shard and a piece of parity at least, and at most \
         {STRIPE_PIECES_MAX} of both"
    )]
    Stripe {
        /// Shards.
        shards: u8,
        /// Pieces of parity.
        parity: u8,
    },
    /// The folder needs more pieces than a contract may have.
    #[error(
        "{bytes} bytes would be more than {PIECES_PER_CONTRACT_MAX} pieces; store parts of the folder one by one, or \
         with less parity"
    )]
    TooLarge {
        /// Bytes of the folder's archive.
        bytes: u64,
    },
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mirrored { copies: 1 } => f.write_str("1 copy"),
            Self::Mirrored { copies } => write!(f, "{copies} copies"),
            Self::Coded { shards, parity } => write!(f, "{shards}+{parity}"),
        }
    }
}

/// A text is no `K+M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write how many shards a stripe has and how many may be lost, as in 4+2")]
pub struct NoCode;

impl FromStr for Layout {
    type Err = NoCode;

    fn from_str(text: &str) -> Result<Self, NoCode> {
        let (shards, parity) = text.split_once('+').ok_or(NoCode)?;
        let number = |text: &str| text.trim().parse().map_err(|_| NoCode);
        Ok(Self::Coded {
            shards: number(shards)?,
            parity: number(parity)?,
        })
    }
}

impl Layout {
    fn check(self) -> Result<(), LayoutError> {
        match self {
            Self::Mirrored { copies } if !(1..=COPIES_PER_PIECE_MAX).contains(&copies) => {
                Err(LayoutError::Copies { found: copies })
            }
            Self::Mirrored { .. } => Ok(()),
            Self::Coded { shards, parity } => {
                let pieces = usize::from(shards).saturating_add(parity.into());
                let is_stripe = shards > 0 && parity > 0 && pieces <= STRIPE_PIECES_MAX;
                is_stripe
                    .then_some(())
                    .ok_or(LayoutError::Stripe { shards, parity })
            }
        }
    }

    /// Devices that keep one piece.
    pub fn copies(self) -> u8 {
        match self {
            Self::Mirrored { copies } => copies,
            Self::Coded { .. } => 1,
        }
    }

    /// Shards of a full stripe, and its pieces of parity.
    fn stripe(self) -> (u32, u32) {
        match self {
            Self::Mirrored { .. } => (1, 0),
            Self::Coded { shards, parity } => (shards.into(), parity.into()),
        }
    }
}

/// Where a piece belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpotOfPiece {
    /// Its stripe.
    pub stripe: u32,
    /// Its place in it: shards first, then parity.
    pub place: u32,
    /// The shard that it is, if it is one.
    pub shard: Option<u32>,
}

/// How many shards of how many bytes there are, and so which pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Plan {
    layout: Layout,
    shards: u32,
    shard_bytes: u32,
}

impl Plan {
    /// Divides so many bytes: into shards as long as may be, and as many as a stripe has where they are few.
    pub fn of(layout: Layout, bytes: u64) -> Result<Self, LayoutError> {
        layout.check()?;
        let too_large = LayoutError::TooLarge { bytes };
        let (width, _) = layout.stripe();
        let fewest = bytes.div_ceil(SHARD_BYTES_MAX.into());
        let length = bytes
            .div_ceil(fewest.max(width.into()))
            .checked_next_multiple_of(SHARD_STEP)
            .ok_or(too_large)?
            .max(SHARD_STEP);
        let plan = Self {
            layout,
            shards: u32::try_from(bytes.div_ceil(length).max(1)).map_err(|_| too_large)?,
            shard_bytes: u32::try_from(length).map_err(|_| too_large)?,
        };
        plan.check().map_err(|_| too_large)?;
        Ok(plan)
    }

    /// Whether there is such a plan.
    pub(super) fn check(&self) -> Result<(), LayoutError> {
        self.layout.check()?;
        let bytes = u64::from(self.shards).saturating_mul(self.shard_bytes.into());
        let is_length = u64::from(self.shard_bytes).is_multiple_of(SHARD_STEP)
            && (1..=SHARD_BYTES_MAX).contains(&self.shard_bytes);
        let (width, parity) = self.layout.stripe();
        let stripes = u64::from(self.shards.div_ceil(width));
        let pieces = u64::from(self.shards).saturating_add(stripes.saturating_mul(parity.into()));
        let is_plan = is_length && self.shards > 0 && pieces <= u64::from(PIECES_PER_CONTRACT_MAX);
        is_plan.then_some(()).ok_or(LayoutError::TooLarge { bytes })
    }

    /// How losses are provided for.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// How many shards there are.
    pub fn shards(&self) -> u32 {
        self.shards
    }

    /// Plaintext bytes of each.
    pub fn shard_bytes(&self) -> u32 {
        self.shard_bytes
    }

    /// Plaintext bytes of all.
    pub fn bytes(&self) -> u64 {
        // Both have 32 bits.
        u64::from(self.shards).saturating_mul(self.shard_bytes.into())
    }

    /// How many stripes there are.
    pub fn stripes(&self) -> u32 {
        self.shards.div_ceil(self.layout.stripe().0)
    }

    /// How many pieces there are.
    pub fn pieces(&self) -> u32 {
        let (_, parity) = self.layout.stripe();
        // A plan that was checked has few.
        self.shards
            .saturating_add(self.stripes().saturating_mul(parity))
    }

    /// The shards of a stripe.
    pub fn shards_of(&self, stripe: u32) -> Range<u32> {
        let (width, _) = self.layout.stripe();
        let first = stripe.saturating_mul(width).min(self.shards);
        first..first.saturating_add(width).min(self.shards)
    }

    /// The pieces of a stripe: its shards, then its parity.
    pub fn pieces_of(&self, stripe: u32) -> Range<u32> {
        let (width, parity) = self.layout.stripe();
        let before = stripe.saturating_mul(width.saturating_add(parity));
        let shards = self.shards_of(stripe).len();
        let count = u32::try_from(shards).unwrap_or_default();
        before..before.saturating_add(count).saturating_add(parity)
    }

    /// Where a piece belongs; none if there is no such piece.
    pub fn spot(&self, piece: u32) -> Option<SpotOfPiece> {
        let (width, parity) = self.layout.stripe();
        let stripe = piece.checked_div(width.checked_add(parity)?)?;
        let place = piece.checked_sub(self.pieces_of(stripe).start)?;
        let shard = self.shards_of(stripe).nth(place.try_into().ok()?);
        (piece < self.pieces()).then_some(SpotOfPiece {
            stripe,
            place,
            shard,
        })
    }

    /// The piece that a shard is.
    pub fn piece_of(&self, shard: u32) -> u32 {
        let (width, _) = self.layout.stripe();
        let stripe = shard.checked_div(width).unwrap_or_default();
        let place = shard.saturating_sub(self.shards_of(stripe).start);
        self.pieces_of(stripe).start.saturating_add(place)
    }

    /// The stripe with its lengths, as the code needs it; none where nothing is coded.
    pub fn stripe(&self, stripe: u32) -> Result<Option<Stripe>, StripeError> {
        match self.layout {
            Layout::Mirrored { .. } => Ok(None),
            Layout::Coded { parity, .. } => {
                let lengths: Vec<u64> = self
                    .shards_of(stripe)
                    .map(|_| self.sealed_bytes())
                    .collect();
                Stripe::new(&lengths, parity.into()).map(Some)
            }
        }
    }

    /// Bytes of each sealed shard.
    pub fn sealed_bytes(&self) -> u64 {
        sealed_bytes(self.shard_bytes.into())
    }

    /// Bytes of a piece; none if there is no such piece.
    pub fn piece_bytes(&self, piece: u32) -> Option<u64> {
        let sealed = self.sealed_bytes();
        self.spot(piece).map(|spot| match spot.shard {
            Some(_) => sealed,
            None => sealed.next_multiple_of(2),
        })
    }

    /// Bytes of all pieces, each counted once for each device that keeps it.
    pub fn kept_bytes(&self) -> u64 {
        let pieces = (0..self.pieces()).filter_map(|piece| self.piece_bytes(piece));
        let once = pieces.fold(0, u64::saturating_add);
        once.saturating_mul(self.layout.copies().into())
    }
}
