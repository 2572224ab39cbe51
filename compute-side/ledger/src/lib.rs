//! The chain as the compute side sees it: finalised state, transactions, reconciliation.
