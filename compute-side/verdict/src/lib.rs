//! The judge: from receipts to verdicts.
