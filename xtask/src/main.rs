//! The project's tasks: demo, test, bench, weights, chain specifications.

fn main() {}
