//! Keys that this program does not know: kept as they were read, so that a file of a later program stays
//! the file that it is.

use crate::bencode::{BencodeError, Reader};
use std::collections::BTreeMap;

/// One bencoded value as it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Raw(Vec<u8>);

impl Raw {
    /// Takes bytes that are one canonical value.
    ///
    /// # Errors
    ///
    /// If they are not.
    pub fn new(bytes: &[u8]) -> Result<Self, BencodeError> {
        let mut reader = Reader::new(bytes);
        reader.skip()?;
        reader.end()?;
        Ok(Self(bytes.to_vec()))
    }

    /// A value that was passed over.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, BencodeError> {
        Ok(Self(reader.skip()?.to_vec()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The unknown keys of one dictionary, with their values.
///
/// A key that the format knows has no place here: a file that has it here does not pass
/// [`TaskFile::validate`](crate::TaskFile::validate).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Other(BTreeMap<Vec<u8>, Raw>);

impl Other {
    /// Adds a key, or gives it another value.
    pub fn insert(&mut self, key: impl Into<Vec<u8>>, value: Raw) {
        self.0.insert(key.into(), value);
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<&Raw> {
        self.0.get(key)
    }

    /// The keys with their values, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Raw)> {
        self.0.iter().map(|(key, value)| (key.as_slice(), value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
