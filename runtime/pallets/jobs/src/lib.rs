//! Jobs: submission with escrow, coordinator, settlement in batches, refunds.
