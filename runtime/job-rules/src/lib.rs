//! The rules of a job: its life, quotes, splits, bounties and settlement arithmetic.
