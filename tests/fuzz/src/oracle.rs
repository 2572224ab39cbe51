//! What must hold of any decoder: it takes no more memory than what it was given can fill, what it
//! accepts is written back as it came, and what it does not accept is refused with words.

use crate::memory;
use codec::{Decode, DecodeAll, Encode};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// Bytes that a decoder may hold for each byte it was given. An empty list takes one byte and 24 when
/// it is decoded; where a list of them grows, the old and the doubled room are held together.
const HELD_PER_BYTE: usize = 96;

/// Bytes that a decoder may hold whatever it was given: SCALE takes 16 KiB at once for what is to come
/// of a list, here for each of some lists within lists.
const HELD_ANYWAY: usize = 128 * 1024;

/// That so much was not too much for these bytes.
pub(crate) fn held_no_more_than_given(held: usize, given: &[u8]) {
    held_no_more_than(held, given, 0);
}

/// The same of a decoder that may hold so many bytes beside.
pub(crate) fn held_no_more_than(held: usize, given: &[u8], beside: usize) {
    let most = given
        .len()
        .saturating_mul(HELD_PER_BYTE)
        .saturating_add(HELD_ANYWAY)
        .saturating_add(beside);
    assert!(
        held <= most,
        "{held} bytes were held for {} that came",
        given.len()
    );
}

/// Decodes SCALE. What is accepted has one encoding, and no other bytes stand for it: neither fewer
/// nor more.
pub(crate) fn scale<T: Decode + Encode + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let (decoded, held) = memory::most(|| T::decode_all(&mut &bytes[..]).ok());
    held_no_more_than_given(held, bytes);
    let value = decoded?;
    assert_eq!(value.encode(), bytes, "a second encoding of {value:?}");
    one_encoding(bytes, |other| T::decode_all(&mut &other[..]).is_ok());
    Some(value)
}

/// As [`scale`], where nothing is to be said of the value itself.
pub(crate) fn scale_alone<T: Decode + Encode + PartialEq + Debug>(bytes: &[u8]) {
    let _ = scale::<T>(bytes);
}

/// That neither the bytes without their last nor those with another behind them are accepted.
pub(crate) fn one_encoding(bytes: &[u8], accepts: impl Fn(&[u8]) -> bool) {
    let mut other = bytes.to_vec();
    other.push(0);
    assert!(!accepts(&other), "a byte behind the last is not noticed");
    if let Some((_, shorter)) = bytes.split_last() {
        assert!(!accepts(shorter), "a byte that is missing is not noticed");
    }
}

/// Reads JSON. What is accepted reads back as written.
pub(crate) fn json<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let value = read::<T>(bytes)?;
    told(&value);
    Some(value)
}

/// As [`json`], where nothing is to be said of the value itself.
pub(crate) fn json_alone<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) {
    let _ = json::<T>(bytes);
}

/// As [`json_alone`], of what has numbers with a fraction: their last digit may change when they are
/// written and read. That there is a second reading is held, and not that it is the first.
pub(crate) fn json_with_fractions<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    let Some(value) = read::<T>(bytes) else {
        return;
    };
    let written = serde_json::to_vec(&value).unwrap_or_default();
    assert!(
        serde_json::from_slice::<T>(&written).is_ok(),
        "what was read is written as {:?}, which is not read",
        String::from_utf8_lossy(&written)
    );
}

/// That a value reads back as it is written in JSON.
pub(crate) fn told<T: DeserializeOwned + Serialize + PartialEq + Debug>(value: &T) {
    let written = serde_json::to_vec(value).unwrap_or_default();
    let again = serde_json::from_slice::<T>(&written).ok();
    assert_eq!(again.as_ref(), Some(value), "it does not read back");
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (read, held) = memory::most(|| serde_json::from_slice::<T>(bytes));
    held_no_more_than_given(held, bytes);
    match read {
        Ok(value) => Some(value),
        Err(error) => {
            assert!(!error.to_string().is_empty(), "refused without a word");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::Output;

    /// A list that believes whatever length it is told.
    #[derive(Debug, PartialEq)]
    struct Trusting(Vec<u8>);

    impl Encode for Trusting {
        fn encode_to<O: Output + ?Sized>(&self, out: &mut O) {
            self.0.encode_to(out);
        }
    }

    impl Decode for Trusting {
        fn decode<I: codec::Input>(input: &mut I) -> Result<Self, codec::Error> {
            let length = u32::decode(input)?;
            let mut held = Vec::with_capacity(length as usize);
            held.push(u8::decode(input)?);
            Ok(Self(held))
        }
    }

    /// A number that is the same with and without its lowest bit.
    #[derive(Debug, PartialEq)]
    struct Lax(u8);

    impl Encode for Lax {
        fn encode_to<O: Output + ?Sized>(&self, out: &mut O) {
            self.0.encode_to(out);
        }
    }

    impl Decode for Lax {
        fn decode<I: codec::Input>(input: &mut I) -> Result<Self, codec::Error> {
            Ok(Self(u8::decode(input)? & !1))
        }
    }

    #[test]
    #[should_panic(expected = "were held for 4 that came")]
    fn a_decoder_that_believes_a_length_is_caught() {
        scale_alone::<Trusting>(&[0, 0, 0, 64]);
    }

    #[test]
    #[should_panic(expected = "a second encoding of Lax")]
    fn a_decoder_with_two_encodings_for_one_value_is_caught() {
        scale_alone::<Lax>(&[3]);
    }

    #[test]
    #[should_panic(expected = "a byte behind the last")]
    fn a_decoder_that_does_not_look_at_the_end_is_caught() {
        one_encoding(&[1, 2], |bytes| bytes.starts_with(&[1, 2]));
    }
}
