//! The ByteChip rate, purchases by reference and payout requests.
