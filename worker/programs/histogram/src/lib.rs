//! A word histogram over any text.
