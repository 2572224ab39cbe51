//! What those say to each other who fetch content by its name.

use crate::{Decoder, memory, oracle};
use quern_primitives::{Digest, limits as shared};
use quern_protocol::{
    fetch::{
        FetchDecodeError, FetchMessage, Head, Holdings, Question, THING_BYTES_MAX, decode, encode,
    },
    limits::FETCH_MESSAGE_BYTES_MAX,
};
use std::fmt::Debug;

pub(crate) const DECODERS: &[Decoder] = &[
    Decoder {
        name: "question",
        check: question,
        seeds: questions,
    },
    Decoder {
        name: "holdings",
        check: holdings,
        seeds: all_holdings,
    },
    Decoder {
        name: "head of a span",
        check: head,
        seeds: heads,
    },
];

fn question(bytes: &[u8]) {
    match message::<Question>(bytes) {
        Some(Question::Have { bytes, .. }) => assert!((1..=THING_BYTES_MAX).contains(&bytes)),
        Some(Question::Spans { first, count, .. }) => {
            assert!((1..=shared::SPANS_PER_QUESTION_MAX).contains(&u32::from(count)));
            assert!(first.saturating_add(count.into()) <= shared::SPANS_MAX);
        }
        None => (),
    }
}

fn holdings(bytes: &[u8]) {
    match message::<Holdings>(bytes) {
        Some(Holdings::Spans(bitmap)) => {
            assert!((1..=shared::SPANS_MAX as usize / 8).contains(&bitmap.len()));
        }
        Some(Holdings::Busy { ms }) => assert!(ms <= shared::BUSY_MS_MAX),
        Some(Holdings::No) | None => (),
    }
}

fn head(bytes: &[u8]) {
    match message::<Head>(bytes) {
        Some(Head::Span {
            span,
            bytes,
            siblings,
        }) => {
            assert!(span < shared::SPANS_MAX);
            assert!((1..=shared::SPAN_BYTES).contains(&bytes));
            assert!(siblings.len() <= shared::SPAN_PROOF_HASHES_MAX as usize);
        }
        Some(Head::Busy { ms }) => assert!(ms <= shared::BUSY_MS_MAX),
        Some(Head::No) | None => (),
    }
}

fn message<M: FetchMessage + PartialEq + Debug>(bytes: &[u8]) -> Option<M> {
    let (decoded, held) = memory::most(|| decode::<M>(bytes));
    oracle::held_no_more_than_given(held, bytes);
    match decoded {
        Ok(message) => {
            assert!(bytes.len() <= FETCH_MESSAGE_BYTES_MAX);
            assert_eq!(encode(&message), bytes, "a second encoding");
            oracle::one_encoding(bytes, |other| decode::<M>(other).is_ok());
            Some(message)
        }
        Err(refusal) => {
            if let FetchDecodeError::OverLimit { found, limit, .. } = refusal {
                assert!(found > limit, "{refusal}");
            }
            None
        }
    }
}

const ROOT: Digest = Digest([0xab; 32]);

fn questions() -> Vec<Vec<u8>> {
    let have = Question::Have {
        root: ROOT,
        bytes: 33_554_432,
    };
    let spans = Question::Spans {
        root: ROOT,
        first: 120,
        count: 8,
    };
    vec![encode(&have), encode(&spans)]
}

fn all_holdings() -> Vec<Vec<u8>> {
    [
        Holdings::Spans(vec![0xff, 1]),
        Holdings::Busy { ms: 60_000 },
        Holdings::No,
    ]
    .iter()
    .map(encode)
    .collect()
}

fn heads() -> Vec<Vec<u8>> {
    let span = Head::Span {
        span: 128,
        bytes: 69_632,
        siblings: vec![ROOT; 2],
    };
    [span, Head::Busy { ms: 250 }, Head::No]
        .iter()
        .map(encode)
        .collect()
}
