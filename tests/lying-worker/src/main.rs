//! A worker that returns wrong answers, to show that it is caught.

fn main() {}
