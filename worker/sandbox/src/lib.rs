//! Runs a program on an input under limits, deterministically.
