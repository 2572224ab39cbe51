//! The validator: service, command line and RPC of the chain.

fn main() {}
