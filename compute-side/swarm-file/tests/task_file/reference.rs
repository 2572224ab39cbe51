//! Bencoding as slowly and plainly as it can be: a tree of values, written back and compared.

use quern_swarm_file::limits::{DEPTH_MAX, INTEGER_DIGITS_MAX, KEY_BYTES_MAX};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Integer(i128),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Dict(BTreeMap<Vec<u8>, Value>),
}

impl Value {
    pub(crate) fn text(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }

    pub(crate) fn dict<const N: usize>(entries: [(&str, Self); N]) -> Self {
        let entries = entries.map(|(key, value)| (key.as_bytes().to_vec(), value));
        Self::Dict(entries.into())
    }

    pub(crate) fn path(text: &str) -> Self {
        Self::List(text.split('/').map(Self::text).collect())
    }

    /// The value under a way of keys; a number is the place in a list.
    pub(crate) fn at(&mut self, way: &str) -> &mut Self {
        way.split('.').fold(self, |value, step| match value {
            Self::Dict(entries) => entries
                .get_mut(step.as_bytes())
                .unwrap_or_else(|| panic!("there is no `{step}`")),
            Self::List(values) => &mut values[step.parse::<usize>().unwrap()],
            _ => panic!("nothing is below `{step}`"),
        })
    }

    /// The dictionary that this is.
    pub(crate) fn entries(&mut self) -> &mut BTreeMap<Vec<u8>, Self> {
        match self {
            Self::Dict(entries) => entries,
            other => panic!("{other:?} is no dictionary"),
        }
    }

    pub(crate) fn put(&mut self, key: &str, value: Self) {
        self.entries().insert(key.as_bytes().to_vec(), value);
    }

    pub(crate) fn remove(&mut self, key: &str) {
        assert!(self.entries().remove(key.as_bytes()).is_some(), "{key}");
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        match self {
            Self::Integer(number) => format!("i{number}e").into_bytes(),
            Self::Bytes(bytes) => [format!("{}:", bytes.len()).as_bytes(), bytes].concat(),
            Self::List(values) => {
                let values: Vec<u8> = values.iter().flat_map(Self::write).collect();
                [b"l", &values[..], b"e"].concat()
            }
            Self::Dict(entries) => {
                let entry = |(key, value): (&Vec<u8>, &Self)| {
                    [Self::Bytes(key.clone()).write(), value.write()].concat()
                };
                let entries: Vec<u8> = entries.iter().flat_map(entry).collect();
                [b"d", &entries[..], b"e"].concat()
            }
        }
    }

    fn depth(&self) -> u8 {
        match self {
            Self::Integer(_) | Self::Bytes(_) => 0,
            Self::List(values) => 1 + values.iter().map(Self::depth).max().unwrap_or(0),
            Self::Dict(entries) => 1 + entries.values().map(Self::depth).max().unwrap_or(0),
        }
    }

    fn keeps_limits(&self) -> bool {
        match self {
            Self::Integer(number) => number.unsigned_abs().to_string().len() <= INTEGER_DIGITS_MAX,
            Self::Bytes(_) => true,
            Self::List(values) => values.iter().all(Self::keeps_limits),
            Self::Dict(entries) => entries
                .iter()
                .all(|(key, value)| key.len() <= KEY_BYTES_MAX && value.keeps_limits()),
        }
    }
}

/// Reads one value and whatever is behind it: leniently, so that only writing it again shows whether
/// it was canonical.
fn read(bytes: &[u8]) -> Option<(Value, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    match first {
        b'i' => {
            let end = rest.iter().position(|byte| *byte == b'e')?;
            let number = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
            Some((Value::Integer(number), &rest[end + 1..]))
        }
        b'l' => {
            let (mut values, mut rest) = (Vec::new(), rest);
            while rest.first()? != &b'e' {
                let (value, behind) = read(rest)?;
                values.push(value);
                rest = behind;
            }
            Some((Value::List(values), &rest[1..]))
        }
        b'd' => {
            let (mut entries, mut rest) = (BTreeMap::new(), rest);
            while rest.first()? != &b'e' {
                let (key, behind) = read(rest)?;
                let Value::Bytes(key) = key else {
                    return None;
                };
                let (value, behind) = read(behind)?;
                entries.insert(key, value);
                rest = behind;
            }
            Some((Value::Dict(entries), &rest[1..]))
        }
        _ => {
            let colon = bytes.iter().position(|byte| *byte == b':')?;
            let length = std::str::from_utf8(&bytes[..colon]).ok()?;
            let length: usize = length.parse().ok()?;
            let end = (colon + 1).checked_add(length)?;
            let value = bytes.get(colon + 1..end)?;
            Some((Value::Bytes(value.to_vec()), &bytes[end..]))
        }
    }
}

/// The value that bytes are, if they are one, in its one form and within the limits.
pub(crate) fn canonical(bytes: &[u8]) -> Option<Value> {
    let (value, rest) = read(bytes)?;
    let is_canonical = rest.is_empty() && value.write() == bytes;
    (is_canonical && value.depth() <= DEPTH_MAX && value.keeps_limits()).then_some(value)
}
