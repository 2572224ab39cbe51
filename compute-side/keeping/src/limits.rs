//! Every bound, and why.

use quern_primitives::ids::BlockNumber;

/// Devices that are asked for something at a time, by one contract: each answers a proof with some 150 kB.
pub const ASKED_MAX: usize = 16;

/// Pieces that a contract is placing at a time: each is sent to a device.
pub const PLACING_MAX: usize = 8;

/// Pieces that are brought here at a time to be placed or to make others of. Of a stripe as many as it takes are, and
/// then no other stripe.
pub const FETCHING_MAX: usize = 16;

/// Devices that are not asked for a piece again because they would not take it. With more all are asked again.
pub const REFUSED_MAX: usize = 256;

/// Holders named in one call that pays them.
pub const CERTIFIED_MAX: usize = quern_primitives::limits::HOLDERS_PER_CERTIFICATE_MAX as usize;

/// After so many thousandths of a period what is proved of it is paid, and who has not proved is asked again and again
/// until the next mark.
pub const CERTIFY_PERMILLE: u32 = 750;

/// After so many thousandths of a period who has not proved its piece is challenged on the chain. What is left is time
/// for the call to get into a block of the period.
pub const CHALLENGE_PERMILLE: u32 = 900;

/// Blocks at the end of a period before which everything is done that must be in a block of it: what is seen is final, and
/// two or three blocks old, and a call takes as many more.
pub const CALL_BLOCKS: BlockNumber = 6;

/// So many thousandths of a period pass before the next member of the group does what none before it did.
pub const TURN_PERMILLE: u32 = 40;

/// A device that could not be asked, or did not do what it should, is asked again for the same after so many thousandths
/// of a period.
pub const AGAIN_PERMILLE: u32 = 50;

/// Without a sign of life for so many periods a device counts as gone, and what it holds is given to others. Until then
/// it may come back, and has what it had.
pub const ABSENT_PERIODS: u32 = 24;
