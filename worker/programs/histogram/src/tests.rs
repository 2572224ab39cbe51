#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::*;

/// Random numbers from a seed.
struct Dice(u32);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9);
        let mut x = self.0;
        x = (x ^ (x >> 16)).wrapping_mul(0x21f0_aaad);
        x = (x ^ (x >> 15)).wrapping_mul(0x735a_2d97);
        (x ^ (x >> 15)) as usize % end
    }

    fn byte(&mut self) -> u8 {
        self.below(256).to_le_bytes()[0]
    }

    /// A text of lines with words of few letters, so that they repeat, and odd bytes.
    fn text(&mut self, bytes: usize) -> Vec<u8> {
        const LETTERS: &[u8] = b"aabbcAB \n\t\x0b\x0c\r  \n\0\xff\xc3z";
        (0..bytes)
            .map(|_| {
                if self.below(40) == 0 {
                    self.byte()
                } else {
                    LETTERS[self.below(LETTERS.len())]
                }
            })
            .collect()
    }
}

fn counted(text: &[u8], options: &Options) -> Vec<u8> {
    let mut out = Vec::new();
    histogram(text, &mut out, options).unwrap();
    out
}

fn plainly(text: &[u8]) -> Vec<u8> {
    counted(text, &Options::default())
}

/// What the documentation says, in as few lines as possible.
fn reference(text: &[u8], options: &Options) -> Vec<u8> {
    let mut counts = BTreeMap::<Vec<u8>, u64>::new();
    for word in text.split(|b| b" \t\n\x0b\x0c\r".contains(b)) {
        if word.is_empty() || word.len() < options.length_bytes_min {
            continue;
        }
        let word = if options.is_case_ignored {
            word.to_ascii_lowercase()
        } else {
            word.to_vec()
        };
        *counts.entry(word).or_default() += 1;
    }
    let line =
        |(word, count): (Vec<u8>, u64)| [count.to_string().as_bytes(), b" ", &word, b"\n"].concat();
    counts.into_iter().flat_map(line).collect()
}

#[test]
fn words_are_counted_and_sorted_by_bytes() {
    assert_eq!(plainly(b"b a\nb\tc\x0bb"), b"1 a\n3 b\n1 c\n");
    assert_eq!(
        plainly(b"Z a \xc3\xa4 z \0"),
        b"1 \0\n1 Z\n1 a\n1 z\n1 \xc3\xa4\n"
    );
    assert_eq!(
        plainly(b"ab a abc a\0 ab\0"),
        b"1 a\n1 a\0\n1 ab\n1 ab\0\n1 abc\n"
    );
    assert_eq!(plainly(b""), b"");
    assert_eq!(plainly(b" \n\r\t\x0b\x0c "), b"");
    assert_eq!(plainly(b"longer-than-eight longer-than-eighs"), {
        b"1 longer-than-eighs\n1 longer-than-eight\n"
    });
}

#[test]
fn options_fold_case_and_leave_out_short_words() {
    let options = Options::parse(["--ignore-case", "--min-length", "2"]).unwrap();
    assert_eq!(
        counted(b"The the A be THE \xc3\x84 a", &options),
        b"1 be\n3 the\n1 \xc3\x84\n"
    );
}

#[test]
fn counts_agree_with_the_definition_on_any_bytes() {
    let mut dice = Dice(1);
    for round in 0..300 {
        let text = dice.text(round * 7);
        for is_case_ignored in [false, true] {
            let length_bytes_min = dice.below(4);
            let options = Options {
                is_case_ignored,
                length_bytes_min,
                is_merge: false,
            };
            assert_eq!(counted(&text, &options), reference(&text, &options));
        }
    }
}

#[test]
fn where_the_text_is_cut_while_reading_makes_no_difference() {
    let mut dice = Dice(2);
    for _ in 0..200 {
        let text = dice.text(400);
        let mut counter = Counter::new(Options::default());
        let mut rest = text.as_slice();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(dice.below(20).min(rest.len()));
            counter.push(piece).unwrap();
            rest = after;
        }
        let mut out = Vec::new();
        counter.finish(&mut out).unwrap();
        assert_eq!(out, plainly(&text));
    }
}

#[test]
fn merged_counts_of_lines_are_the_counts_of_the_whole() {
    let mut dice = Dice(3);
    for _ in 0..200 {
        let text = dice.text(600);
        let mut pieces: Vec<Vec<u8>> = vec![Vec::new()];
        for line in text.split_inclusive(|b| *b == b'\n') {
            if dice.below(3) == 0 {
                pieces.push(Vec::new());
            }
            pieces.last_mut().unwrap().extend_from_slice(line);
        }
        let parts: Vec<Vec<u8>> = pieces.iter().map(|piece| plainly(piece)).collect();
        let whole = plainly(&text);
        assert_eq!(merge(&parts).unwrap(), whole);
        assert_eq!(merge(parts.iter().rev()).unwrap(), whole);
        let mut streamed = Vec::new();
        merge_stream(parts.concat().as_slice(), &mut streamed).unwrap();
        assert_eq!(streamed, whole);
    }
    assert_eq!(merge([[]; 0]).unwrap(), b"");
}

#[test]
fn many_different_words_are_kept_apart() {
    let text: Vec<u8> = (0..100_000)
        .flat_map(|i| format!("w{} x{} ", i % 50_000, i).into_bytes())
        .collect();
    let out = plainly(&text);
    assert_eq!(out.iter().filter(|b| **b == b'\n').count(), 150_000);
    assert!(out.starts_with(b"2 w0\n2 w1\n2 w10\n"));
    assert_eq!(out, reference(&text, &Options::default()));
}

#[test]
fn what_is_no_output_is_not_merged() {
    for line in [
        "",
        " ",
        "1",
        "1 ",
        " a",
        "x a",
        "-1 a",
        "+1 a",
        "0 a",
        "01 a",
        "1  a",
        "1 a b",
        "1 a\t",
        "99999999999999999999 a",
    ] {
        let part = format!("2 ok\n{line}\n");
        let error = merge([part.as_bytes()]).unwrap_err();
        assert!(
            matches!(error, MergeError::BadLine { line: 2 }),
            "{line}: {error}"
        );
        assert!(error.to_string().contains("line 2"));
    }
    let cut = merge([&b"1 a\n"[..], b"1 b\n2 c"]).unwrap_err();
    assert!(matches!(cut, MergeError::Unfinished { line: 3 }));
    let large = merge([b"18446744073709551615 a\n1 a\n"]).unwrap_err();
    assert!(matches!(
        large,
        MergeError::Histogram(HistogramError::CountTooLarge)
    ));
}

#[test]
fn a_word_without_end_is_refused_before_it_fills_the_memory() {
    let endless = Read::take(std::io::repeat(b'x'), WORD_BYTES_MAX as u64 + 1);
    let error = histogram(endless, Vec::new(), &Options::default()).unwrap_err();
    assert!(matches!(error, HistogramError::WordTooLong));
    let longest = Read::take(std::io::repeat(b'x'), WORD_BYTES_MAX as u64);
    let mut out = Vec::new();
    histogram(longest, &mut out, &Options::default()).unwrap();
    assert_eq!(out.len(), WORD_BYTES_MAX + 3);
    assert_eq!(merge([&out]).unwrap(), out);
    let endless = Read::take(std::io::repeat(b'1'), 1 << 22);
    let error = merge_stream(endless, Vec::new()).unwrap_err();
    assert!(matches!(
        error,
        MergeError::Histogram(HistogramError::WordTooLong)
    ));
}

#[test]
fn arguments_that_are_not_understood_are_named() {
    let error = |arguments: &[&str]| Options::parse(arguments).unwrap_err();
    assert_eq!(
        error(&["-x"]),
        ArgumentError::UnknownOption {
            option: "-x".into()
        }
    );
    assert_eq!(error(&["--min-length"]), ArgumentError::MissingLength);
    assert_eq!(
        error(&["--min-length", "-1"]),
        ArgumentError::BadLength { value: "-1".into() }
    );
    assert_eq!(
        error(&["--merge", "--ignore-case"]),
        ArgumentError::MergeWithOptions
    );
    assert!(Options::parse(["--merge"]).unwrap().is_merge);
}

#[test]
fn errors_of_reading_and_writing_are_passed_on() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("broken"))
        }
    }
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("broken"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let reading = histogram(Broken, Vec::new(), &Options::default());
    assert!(matches!(reading, Err(HistogramError::Read { .. })));
    let writing = histogram(&b"a"[..], Broken, &Options::default());
    assert!(matches!(writing, Err(HistogramError::Write { .. })));
}
