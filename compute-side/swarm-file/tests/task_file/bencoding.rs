//! Bencoding, held to the plain one.

use crate::reference::{Value, canonical};
use proptest::{collection::vec, prelude::*};
use quern_swarm_file::{
    Raw,
    bencode::{self, BencodeError, Kind, Reader},
};

#[test]
fn what_is_no_canonical_value_is_refused_where_it_is() {
    let at = |at| BencodeError::Integer { at };
    let cases: [(&[u8], BencodeError); 31] = [
        (b"", BencodeError::Ends { at: 0 }),
        (b"i", BencodeError::Ends { at: 1 }),
        (b"i-", BencodeError::Ends { at: 2 }),
        (b"i4", BencodeError::Ends { at: 2 }),
        (b"ie", at(0)),
        (b"i-e", at(0)),
        (b"i-0e", at(0)),
        (b"i00e", at(0)),
        (b"i04e", at(0)),
        (b"i-04e", at(0)),
        (b"i+4e", at(0)),
        (b"i4.0e", at(0)),
        (b"i 4e", at(0)),
        (b"i100000000000000000000000000000000000000e", at(0)),
        (b"l", BencodeError::Ends { at: 1 }),
        (b"li1e", BencodeError::Ends { at: 4 }),
        (b"d1:a", BencodeError::Ends { at: 4 }),
        (b"d1:ae", BencodeError::NoValue { at: 4, found: b'e' }),
        (b"e", BencodeError::NoValue { at: 0, found: b'e' }),
        (b"-1:a", BencodeError::NoValue { at: 0, found: b'-' }),
        (b"x", BencodeError::NoValue { at: 0, found: b'x' }),
        (b"01:a", BencodeError::Length { at: 0 }),
        (b"1a", BencodeError::Length { at: 0 }),
        (b"99999999999999999999:a", BencodeError::Length { at: 0 }),
        (b"1", BencodeError::Ends { at: 1 }),
        (
            b"2:a",
            BencodeError::Beyond {
                at: 2,
                announced: 2,
                left: 1,
            },
        ),
        (
            b"18446744073709551615:a",
            BencodeError::Beyond {
                at: 21,
                announced: u64::MAX,
                left: 1,
            },
        ),
        (b"d1:bi0e1:ai0ee", BencodeError::Unordered { at: 7 }),
        (b"d1:ai0e1:ai0ee", BencodeError::Unordered { at: 7 }),
        (
            b"di1ei1ee",
            BencodeError::Kind {
                at: 1,
                found: Kind::Integer,
                expected: Kind::Bytes,
            },
        ),
        (b"0:0:", BencodeError::Trailing { at: 2 }),
    ];
    for (bytes, error) in cases {
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(Raw::new(bytes), Err(error), "{text}");
        assert_eq!(canonical(bytes), None, "{text}");
    }
}

#[test]
fn values_are_nested_eight_deep_and_no_deeper() {
    let nested = |depth: usize| ["l".repeat(depth), "e".repeat(depth)].concat().into_bytes();
    assert!(Raw::new(&nested(8)).is_ok());
    assert_eq!(Raw::new(&nested(9)), Err(BencodeError::Deep { at: 8 }));
    // Deeper than any stack would bear.
    assert_eq!(
        Raw::new(&nested(1 << 20)),
        Err(BencodeError::Deep { at: 8 })
    );
    let dicts = ["d1:a".repeat(9), "i0e".to_owned(), "e".repeat(9)].concat();
    assert_eq!(
        Raw::new(dicts.as_bytes()),
        Err(BencodeError::Deep { at: 32 })
    );
    // Side by side there may be many.
    let wide = ["l".to_owned(), "le".repeat(10_000), "e".to_owned()];
    assert!(Raw::new(wide.concat().as_bytes()).is_ok());
}

#[test]
fn a_key_has_at_most_255_bytes() {
    let keyed = |bytes: usize| format!("d{bytes}:{}i0ee", "k".repeat(bytes)).into_bytes();
    assert!(Raw::new(&keyed(255)).is_ok());
    assert_eq!(Raw::new(&keyed(256)), Err(BencodeError::LongKey { at: 1 }));
    assert!(Raw::new(b"d0:i0ee").is_ok(), "an empty key is a key");
}

#[test]
fn the_largest_and_the_smallest_integer_are_read() {
    let most = 10i128.pow(38) - 1;
    for number in [0, 1, -1, 10, most, -most] {
        let written = bencode::integer(number);
        assert_eq!(Reader::new(&written).integer(), Ok(number));
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let most = 10i128.pow(38) - 1;
    let leaf = prop_oneof![
        (-most..=most).prop_map(Value::Integer),
        (-9i128..9).prop_map(Value::Integer),
        vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(9, 60, 5, |inner| {
        let entries = proptest::collection::btree_map(vec(any::<u8>(), 0..4), inner.clone(), 0..5);
        prop_oneof![
            vec(inner, 0..5).prop_map(Value::List),
            entries.prop_map(Value::Dict),
        ]
    })
}

/// Bytes in which much is nearly right.
fn nearly_bencoded() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("i".to_owned()),
        Just("l".to_owned()),
        Just("d".to_owned()),
        Just("e".to_owned()),
        Just("-".to_owned()),
        Just("0".to_owned()),
        Just("0:".to_owned()),
        Just("1:a".to_owned()),
        Just("1:b".to_owned()),
        Just("i1e".to_owned()),
        "[0-9]{1,3}:?",
    ];
    vec(word, 0..14).prop_map(|words| words.concat().into_bytes())
}

fn written(value: &Value) -> Vec<u8> {
    match value {
        Value::Integer(number) => bencode::integer(*number),
        Value::Bytes(bytes) => bencode::bytes(bytes),
        Value::List(values) => bencode::list(values.iter().map(written)),
        Value::Dict(entries) => {
            let entries = entries.iter();
            bencode::dict(
                &entries
                    .map(|(key, value)| (key.clone(), written(value)))
                    .collect(),
            )
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_what_the_plain_one_writes_and_is_read(value in any_value()) {
        let bytes = value.write();
        prop_assert_eq!(written(&value), bytes.clone());
        prop_assert_eq!(Raw::new(&bytes).is_ok(), canonical(&bytes).is_some());
    }

    #[test]
    fn the_plain_one_accepts_the_same(bytes in nearly_bencoded()) {
        prop_assert_eq!(Raw::new(&bytes).is_ok(), canonical(&bytes).is_some());
    }

    #[test]
    fn a_value_with_a_byte_changed_is_accepted_as_by_the_plain_one(
        value in any_value(),
        place: prop::sample::Index,
        byte: u8,
    ) {
        let mut bytes = value.write();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        prop_assert_eq!(Raw::new(&bytes).is_ok(), canonical(&bytes).is_some());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..60)) {
        let _ = Raw::new(&bytes);
    }
}
