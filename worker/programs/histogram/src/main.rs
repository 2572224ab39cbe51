//! A word histogram over any text.

fn main() {}
