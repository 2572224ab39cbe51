//! The command line for owners, workers, operators and auditors.

fn main() {}
