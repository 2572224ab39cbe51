//! Measures what Quern claims, as ratios against references in the same run.

fn main() {}
