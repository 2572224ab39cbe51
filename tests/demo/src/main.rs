//! The main job, shown: a picture computed by a local grid and settled on its chain.

fn main() {}
