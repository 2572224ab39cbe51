//! Cutting, sealing, opening and assembling a job's data.
