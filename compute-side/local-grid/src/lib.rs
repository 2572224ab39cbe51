//! A whole grid on one machine, as separate processes on loopback.
