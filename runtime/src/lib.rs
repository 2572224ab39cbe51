//! The chain's runtime: composition, configuration and genesis presets.
