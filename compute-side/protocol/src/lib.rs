//! Messages between devices, masternodes and owners: versions, codec, size limits.
