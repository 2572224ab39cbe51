//! What is on the wire, and what is refused.

use super::*;
use proptest::prelude::*;

const ROOT: Digest = Digest([0xab; 32]);

fn span(span: u32, bytes: u32, siblings: usize) -> Head {
    Head::Span {
        span,
        bytes,
        siblings: vec![ROOT; siblings],
    }
}

fn spans(first: u32, count: u8) -> Question {
    Question::Spans {
        root: ROOT,
        first,
        count,
    }
}

fn have(bytes: u64) -> Question {
    Question::Have { root: ROOT, bytes }
}

fn refusal<M: FetchMessage + std::fmt::Debug>(message: &M) -> FetchDecodeError {
    decode::<M>(&encode(message)).unwrap_err()
}

fn over_limit(field: &'static str, found: u64, limit: u64) -> FetchDecodeError {
    FetchDecodeError::OverLimit {
        field,
        found,
        limit,
    }
}

/// The vectors were computed by another implementation.
const DOCUMENT: &str = include_str!("../../../../docs/format.md");

#[test]
fn messages_are_the_bytes_that_the_format_says() {
    let vectors = [
        ("question, what somebody has", encode(&have(33_554_432))),
        ("question, spans", encode(&spans(120, 8))),
        ("answer, spans", encode(&Holdings::Spans(vec![0xff, 1]))),
        ("answer, busy", encode(&Holdings::Busy { ms: 60_000 })),
        ("answer, busy", encode(&Head::Busy { ms: 60_000 })),
        ("head of a span", encode(&span(128, 69_632, 2))),
        ("answer, no", encode(&Holdings::No)),
        ("answer, no", encode(&Head::No)),
    ];
    for (name, bytes) in vectors {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let row = format!("\n{name}: {hex}\n");
        assert!(DOCUMENT.contains(&row), "docs/format.md has no row {row}");
    }
}

#[test]
fn the_longest_messages_fit_and_read_back() {
    let longest = span(511, shared::SPAN_BYTES, 9);
    assert_eq!(decode::<Head>(&encode(&longest)).unwrap(), longest);
    assert!(encode(&longest).len() <= limits::FETCH_MESSAGE_BYTES_MAX);
    let all = Holdings::Spans(vec![0xff; 64]);
    assert_eq!(decode::<Holdings>(&encode(&all)).unwrap(), all);
    for question in [have(1), have(THING_BYTES_MAX), spans(511, 1), spans(504, 8)] {
        assert_eq!(decode::<Question>(&encode(&question)).unwrap(), question);
    }
}

#[test]
fn a_question_for_nothing_or_for_too_much_is_refused() {
    let zero = |field| FetchDecodeError::Zero { field };
    assert_eq!(refusal(&have(0)), zero("have.bytes"));
    assert_eq!(refusal(&spans(0, 0)), zero("spans.count"));
    assert_eq!(refusal(&spans(0, 9)), over_limit("spans.count", 9, 8));
    assert_eq!(refusal(&spans(505, 8)), over_limit("spans.end", 513, 512));
    let end = u64::from(u32::MAX) + 8;
    assert_eq!(
        refusal(&spans(u32::MAX, 8)),
        over_limit("spans.end", end, 512)
    );
    let most = THING_BYTES_MAX;
    assert_eq!(
        refusal(&have(most + 1)),
        over_limit("have.bytes", most + 1, most)
    );
    assert_eq!(
        refusal(&have(u64::MAX)),
        over_limit("have.bytes", u64::MAX, most)
    );
}

#[test]
fn a_head_of_a_span_that_cannot_be_is_refused() {
    assert_eq!(refusal(&span(512, 1, 0)), over_limit("head.span", 512, 511));
    assert_eq!(
        refusal(&span(0, 0, 0)),
        FetchDecodeError::Zero {
            field: "head.bytes"
        }
    );
    let most = shared::SPAN_BYTES;
    assert_eq!(
        refusal(&span(0, most + 1, 0)),
        over_limit("head.bytes", u64::from(most) + 1, most.into())
    );
    assert_eq!(refusal(&span(0, 1, 10)), over_limit("head.siblings", 10, 9));
}

#[test]
fn who_is_busy_for_more_than_a_minute_or_has_more_than_there_is_is_refused() {
    let most = u64::from(shared::BUSY_MS_MAX);
    let error = over_limit("busy.ms", most + 1, most);
    assert_eq!(refusal(&Head::Busy { ms: 60_001 }), error);
    assert_eq!(refusal(&Holdings::Busy { ms: 60_001 }), error);
    assert_eq!(
        refusal(&Holdings::Spans(vec![0; 65])),
        over_limit("holdings.spans", 65, 64)
    );
    assert_eq!(
        refusal(&Holdings::Spans(vec![])),
        FetchDecodeError::Zero {
            field: "holdings.spans"
        }
    );
}

#[test]
fn a_message_over_its_length_is_refused_unread() {
    let bytes = limits::FETCH_MESSAGE_BYTES_MAX + 1;
    assert_eq!(
        decode::<Head>(&vec![0; bytes]),
        Err(FetchDecodeError::TooLarge { bytes })
    );
}

#[test]
fn a_list_that_says_it_is_longer_than_it_is_is_refused() {
    // Four gigabytes of siblings, of which one is there.
    let mut bytes = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0x02, 0x00, 0x00, 0x01];
    bytes.extend([0; 32]);
    assert_eq!(decode::<Head>(&bytes), Err(FetchDecodeError::Malformed));
}

#[test]
fn bytes_after_a_message_are_refused() {
    let mut bytes = encode(&Head::No);
    bytes.push(0);
    assert_eq!(decode::<Head>(&bytes), Err(FetchDecodeError::Malformed));
}

proptest! {
    #[test]
    fn what_is_taken_has_one_encoding_and_keeps_its_limits(
        kind in 0u8..3,
        rest in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let bytes: Vec<u8> = std::iter::once(kind).chain(rest).collect();
        if let Ok(question) = decode::<Question>(&bytes) {
            prop_assert_eq!(encode(&question), &bytes[..]);
            prop_assert!(question.check().is_ok());
        }
        if let Ok(holdings) = decode::<Holdings>(&bytes) {
            prop_assert_eq!(encode(&holdings), &bytes[..]);
        }
        if let Ok(head) = decode::<Head>(&bytes) {
            prop_assert_eq!(encode(&head), &bytes[..]);
        }
    }

    #[test]
    fn a_message_that_is_cut_short_is_none(cut in 0usize..30) {
        let bytes = encode(&span(7, 4_096, 1));
        let cut = &bytes[..cut.min(bytes.len() - 1)];
        prop_assert_eq!(decode::<Head>(cut), Err(FetchDecodeError::Malformed));
    }
}
