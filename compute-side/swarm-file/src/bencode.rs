//! Canonical bencoding: one form for each value, and no length believed before its bytes are there.
//!
//! ```text
//! integer   i42e       digits without a zero before them; no -0
//! bytes     4:spam     the number of bytes in the same digits
//! list      l...e      values one behind the other
//! dict      d...e      keys, which are bytes, each before its value; ascending, none twice
//! ```
//!
//! The [`Reader`] makes no tree of values: who reads asks for what it expects, value by value, and what
//! nobody asks for is passed over and handed on as it stands. So memory is taken only for what is known.

use crate::limits::{DEPTH_MAX, INTEGER_DIGITS_MAX, KEY_BYTES_MAX};
use std::{collections::BTreeMap, fmt};

/// Why bytes are no canonical bencoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BencodeError {
    /// There should be more.
    #[error("the bytes end at {at}, within a value; the rest is missing")]
    Ends {
        /// Where.
        at: usize,
    },
    /// A byte that begins no value.
    #[error("at {at} begins no value: there is the byte {found:#04x}")]
    NoValue {
        /// Where.
        at: usize,
        /// The byte.
        found: u8,
    },
    /// No integer as it must be written.
    #[error(
        "at {at} is no integer: digits without zeros before them, at most {INTEGER_DIGITS_MAX}, then `e`"
    )]
    Integer {
        /// Where.
        at: usize,
    },
    /// No length as it must be written.
    #[error("at {at} is no length: digits without zeros before them, then `:`")]
    Length {
        /// Where.
        at: usize,
    },
    /// More bytes are announced than there are.
    #[error("at {at} come {announced} bytes, it says, but only {left} are left")]
    Beyond {
        /// Where.
        at: usize,
        /// How many are announced.
        announced: u64,
        /// How many there are.
        left: usize,
    },
    /// A key is too long.
    #[error("the key at {at} has more than {KEY_BYTES_MAX} bytes")]
    LongKey {
        /// Where.
        at: usize,
    },
    /// A key is not behind the one before it.
    #[error(
        "the key at {at} is not behind the one before it; keys ascend, and none is there twice"
    )]
    Unordered {
        /// Where.
        at: usize,
    },
    /// Values within values within values.
    #[error("at {at} values are nested more than {DEPTH_MAX} deep")]
    Deep {
        /// Where.
        at: usize,
    },
    /// Something is behind the value.
    #[error("the value ends at {at}, and something is behind it")]
    Trailing {
        /// Where.
        at: usize,
    },
    /// Another kind of value was expected.
    #[error("at {at} is {found} where {expected} should be")]
    Kind {
        /// Where.
        at: usize,
        /// What is there.
        found: Kind,
        /// What should be.
        expected: Kind,
    },
}

/// A kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An integer.
    Integer,
    /// Bytes, or a text.
    Bytes,
    /// A list.
    List,
    /// A dictionary.
    Dict,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Integer => "an integer",
            Self::Bytes => "a string",
            Self::List => "a list",
            Self::Dict => "a dictionary",
        })
    }
}

/// Reads values one behind the other.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u8,
}

impl<'a> Reader<'a> {
    /// A reader at the beginning of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            depth: 0,
        }
    }

    /// Which kind of value comes next.
    ///
    /// # Errors
    ///
    /// If none does.
    pub fn kind(&self) -> Result<Kind, BencodeError> {
        match self.next()? {
            b'i' => Ok(Kind::Integer),
            b'l' => Ok(Kind::List),
            b'd' => Ok(Kind::Dict),
            b'0'..=b'9' => Ok(Kind::Bytes),
            found => Err(BencodeError::NoValue { at: self.at, found }),
        }
    }

    /// Reads an integer.
    ///
    /// # Errors
    ///
    /// If something else comes, or it is not as it must be written.
    pub fn integer(&mut self) -> Result<i128, BencodeError> {
        self.expect(Kind::Integer)?;
        let wrong = BencodeError::Integer { at: self.at };
        self.step(1);
        let is_negative = self.next()? == b'-';
        if is_negative {
            self.step(1);
        }
        let digits = self.digits();
        let is_whole = self.next()? == b'e';
        self.step(1);
        let number = decimal(digits).ok_or(wrong)?;
        match (is_whole, is_negative, number) {
            (false, ..) | (_, true, 0) => Err(wrong),
            // It has at most 38 digits, so it has a negative.
            (true, true, number) => number.checked_neg().ok_or(wrong),
            (true, false, number) => Ok(number),
        }
    }

    /// Reads bytes.
    ///
    /// # Errors
    ///
    /// If something else comes, or fewer bytes are there than are announced.
    pub fn bytes(&mut self) -> Result<&'a [u8], BencodeError> {
        self.expect(Kind::Bytes)?;
        let wrong = BencodeError::Length { at: self.at };
        let digits = self.digits();
        let announced = decimal(digits).and_then(|it| u64::try_from(it).ok());
        let announced = announced.ok_or(wrong)?;
        if self.next()? != b':' {
            return Err(wrong);
        }
        self.step(1);
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = usize::try_from(announced)
            .ok()
            .and_then(|length| rest.get(..length))
            .ok_or(BencodeError::Beyond {
                at: self.at,
                announced,
                left: rest.len(),
            })?;
        self.step(taken.len());
        Ok(taken)
    }

    /// Reads a list: `each` reads one value of it.
    ///
    /// # Errors
    ///
    /// If something else comes, or what `each` says.
    pub fn list<E: From<BencodeError>>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.enter(Kind::List)?;
        while self.next()? != b'e' {
            each(self)?;
        }
        self.leave();
        Ok(())
    }

    /// Reads a dictionary: `each` reads one value of it, and is told its key.
    ///
    /// # Errors
    ///
    /// If something else comes, a key is not behind the one before it, or what `each` says.
    pub fn dict<E: From<BencodeError>>(
        &mut self,
        mut each: impl FnMut(&mut Self, &'a [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.enter(Kind::Dict)?;
        let mut before: Option<&[u8]> = None;
        while self.next()? != b'e' {
            let at = self.at;
            let key = self.bytes()?;
            if key.len() > KEY_BYTES_MAX {
                return Err(BencodeError::LongKey { at }.into());
            }
            if before.is_some_and(|before| before >= key) {
                return Err(BencodeError::Unordered { at }.into());
            }
            before = Some(key);
            each(self, key)?;
        }
        self.leave();
        Ok(())
    }

    /// Passes over one value, whatever it is. Returns its bytes as they stand.
    ///
    /// # Errors
    ///
    /// If it is not canonical.
    pub fn skip(&mut self) -> Result<&'a [u8], BencodeError> {
        let begin = self.at;
        match self.kind()? {
            Kind::Integer => drop(self.integer()?),
            Kind::Bytes => drop(self.bytes()?),
            Kind::List => self.list(|reader| reader.skip().map(drop))?,
            Kind::Dict => self.dict(|reader, _| reader.skip().map(drop))?,
        }
        Ok(self.bytes.get(begin..self.at).unwrap_or_default())
    }

    /// That nothing is left.
    ///
    /// # Errors
    ///
    /// If something is.
    pub fn end(&self) -> Result<(), BencodeError> {
        match self.bytes.len() == self.at {
            true => Ok(()),
            false => Err(BencodeError::Trailing { at: self.at }),
        }
    }

    fn expect(&self, expected: Kind) -> Result<(), BencodeError> {
        let found = self.kind()?;
        match found == expected {
            true => Ok(()),
            false => Err(BencodeError::Kind {
                at: self.at,
                found,
                expected,
            }),
        }
    }

    fn enter(&mut self, kind: Kind) -> Result<(), BencodeError> {
        self.expect(kind)?;
        self.depth = match self.depth {
            DEPTH_MAX.. => return Err(BencodeError::Deep { at: self.at }),
            depth => depth.saturating_add(1),
        };
        self.step(1);
        Ok(())
    }

    fn leave(&mut self) {
        self.step(1);
        self.depth = self.depth.saturating_sub(1);
    }

    fn next(&self) -> Result<u8, BencodeError> {
        let next = self.bytes.get(self.at).copied();
        next.ok_or(BencodeError::Ends { at: self.at })
    }

    fn step(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes).min(self.bytes.len());
    }

    /// The digits that come next. Of a number that is too long only so many that it is refused.
    fn digits(&mut self) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let is_digit = |byte: &&u8| byte.is_ascii_digit();
        let most = INTEGER_DIGITS_MAX.saturating_add(1);
        let length = rest.iter().take(most).take_while(is_digit).count();
        self.step(length);
        rest.get(..length).unwrap_or_default()
    }
}

/// The number that digits are, if they are as they must be written.
fn decimal(digits: &[u8]) -> Option<i128> {
    let is_padded = digits.len() > 1 && digits.first() == Some(&b'0');
    if digits.is_empty() || is_padded || digits.len() > INTEGER_DIGITS_MAX {
        return None;
    }
    digits.iter().try_fold(0i128, |number, digit| {
        let digit = i128::from(digit.checked_sub(b'0')?);
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Writes an integer.
pub fn integer(number: i128) -> Vec<u8> {
    format!("i{number}e").into_bytes()
}

/// Writes bytes.
pub fn bytes(bytes: &[u8]) -> Vec<u8> {
    let mut written = Vec::new();
    put_bytes(&mut written, bytes);
    written
}

/// Writes a list of values that are written already.
pub fn list(values: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut written = vec![b'l'];
    for value in values {
        written.extend_from_slice(&value);
    }
    written.push(b'e');
    written
}

/// Writes a dictionary of values that are written already.
pub fn dict(values: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
    let mut written = vec![b'd'];
    for (key, value) in values {
        put_bytes(&mut written, key);
        written.extend_from_slice(value);
    }
    written.push(b'e');
    written
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes.len().to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(bytes);
}
