//! Who may be a masternode, which devices are verified, who is banned.
