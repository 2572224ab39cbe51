//! The masternode: takes jobs in, hands tasks out, judges answers, settles.
