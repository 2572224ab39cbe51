#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::patterned;
use proptest::prelude::*;

fn cut(input: &[u8], split: Split, shard_bytes: u32) -> Result<Vec<Vec<u8>>, CutError> {
    Cutter::new(input, split, shard_bytes)?.collect()
}

/// An input that gives a few bytes at a time and is interrupted in between.
struct Trickle<'a> {
    bytes: &'a [u8],
    interrupt: bool,
}

impl Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.interrupt = !self.interrupt;
        if self.interrupt {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = out.len().min(3);
        self.bytes.read(&mut out[..length])
    }
}

proptest! {
    #[test]
    fn pieces_put_together_are_the_input(
        input in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 1..400),
        shard_bytes in 1u32..50,
        lines: bool,
    ) {
        let split = if lines { Split::Lines } else { Split::Bytes };
        let longest = input.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len).max();
        let is_cut = !lines || longest.unwrap() <= shard_bytes as usize;
        match cut(&input, split, shard_bytes) {
            Ok(pieces) => {
                prop_assert!(is_cut);
                prop_assert_eq!(pieces.concat(), input);
                prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
                prop_assert!(pieces.iter().all(|piece| piece.len() <= shard_bytes as usize));
            }
            Err(CutError::LineTooLong { offset, .. }) => {
                prop_assert!(!is_cut);
                let at = usize::try_from(offset).unwrap();
                prop_assert!(at == 0 || input[at - 1] == b'\n');
                let line = input[at..].split_inclusive(|byte| *byte == b'\n').next().unwrap();
                prop_assert!(line.len() > shard_bytes as usize);
            }
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn lines_are_never_split(
        lines in prop::collection::vec("[a-z ]{0,20}", 1..100), shard_bytes in 21u32..100,
    ) {
        let text = lines.join("\n");
        prop_assume!(!text.is_empty());
        let pieces = cut(text.as_bytes(), Split::Lines, shard_bytes).unwrap();
        let (last, others) = pieces.split_last().unwrap();
        prop_assert!(others.iter().all(|piece| piece.ends_with(b"\n")));
        prop_assert!(!last.is_empty());
        // No shard could have taken the next one's first line as well.
        for pair in pieces.windows(2) {
            let next_line = pair[1].split_inclusive(|byte| *byte == b'\n').next().unwrap();
            prop_assert!(pair[0].len() + next_line.len() > shard_bytes as usize);
        }
    }

    #[test]
    fn the_second_pass_gives_the_pieces_of_the_first(
        input in prop::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(b'\n')], 1..300),
        shard_bytes in 1u32..60,
    ) {
        let once = cut(&input, Split::Bytes, shard_bytes).unwrap();
        let slow = |bytes| Trickle { bytes, interrupt: false };
        let plan = CutPlan::scan(slow(&input), Split::Bytes, shard_bytes).unwrap();
        prop_assert_eq!(plan.count() as usize, once.len());
        prop_assert_eq!(plan.input_bytes(), input.len() as u64);
        let twice: Result<Vec<_>, _> = plan.pieces(slow(&input)).collect();
        prop_assert_eq!(twice.unwrap(), once);
    }

    #[test]
    fn seeking_finds_the_cuts_that_reading_all_finds(
        input in prop::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(b'\n')], 0..300),
        shard_bytes in 0u32..60,
        split in prop_oneof![Just(Split::Lines), Just(Split::Bytes), Just(Split::None)],
    ) {
        let read = CutPlan::scan(&input[..], split, shard_bytes);
        let sought = CutPlan::find(io::Cursor::new(&input), split, shard_bytes);
        prop_assert_eq!(format!("{sought:?}"), format!("{read:?}"));
    }
}

/// An input that counts what is read of it.
struct Counted<'a> {
    bytes: io::Cursor<&'a [u8]>,
    read: usize,
}

impl Read for Counted<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(out)?;
        self.read += read;
        Ok(read)
    }
}

impl io::Seek for Counted<'_> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

#[test]
fn cuts_are_found_without_reading_all_of_a_large_input() {
    // Lines of 300,000 bytes, of which up to three fit into a shard.
    let input: Vec<u8> = (1..=3_000_000)
        .map(|place| if place % 300_000 == 0 { b'\n' } else { b'x' })
        .collect();
    let counted = |split, shard_bytes| {
        let bytes = io::Cursor::new(&input[..]);
        let mut counted = Counted { bytes, read: 0 };
        let found = CutPlan::find(&mut counted, split, shard_bytes).unwrap();
        let read = CutPlan::scan(&input[..], split, shard_bytes).unwrap();
        assert_eq!(found, read);
        counted.read
    };
    assert_eq!(counted(Split::Bytes, 1_000_000), 0);
    assert_eq!(counted(Split::None, 1), 0);
    // 100,000 bytes before each of three cuts, and up to a stretch more.
    assert!(counted(Split::Lines, 1_000_000) < 3 * 170_000);
}

#[test]
fn an_input_in_which_one_cannot_seek_or_that_breaks_is_named() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    impl io::Seek for Broken {
        fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
            match to {
                io::SeekFrom::End(_) => Ok(100),
                _ => Err(io::ErrorKind::NotSeekable.into()),
            }
        }
    }
    assert!(matches!(
        CutPlan::find(Broken, Split::Lines, 10),
        Err(CutError::Read { offset: 0, .. })
    ));
    assert_eq!(CutPlan::find(Broken, Split::Bytes, 60).unwrap().count(), 2);
}

#[test]
fn an_input_that_may_not_be_cut_is_one_piece() {
    let input = patterned(100_000);
    assert_eq!(cut(&input, Split::None, 10).unwrap(), [input]);
}

#[test]
fn an_input_without_a_last_line_feed_keeps_its_last_line_whole() {
    assert_eq!(
        cut(b"one\ntwo", Split::Lines, 4).unwrap(),
        [&b"one\n"[..], b"two"]
    );
    assert_eq!(
        cut(b"one\nfour", Split::Lines, 4).unwrap(),
        [&b"one\n"[..], b"four"]
    );
}

#[test]
fn an_empty_input_is_refused() {
    for split in [Split::Lines, Split::Bytes, Split::None] {
        assert!(matches!(cut(b"", split, 10), Err(CutError::Empty)));
        assert!(matches!(
            CutPlan::scan(&b""[..], split, 10),
            Err(CutError::Empty)
        ));
    }
    assert!(matches!(
        CutPlan::prepared::<Vec<u8>>(&[]),
        Err(CutError::Empty)
    ));
}

#[test]
fn a_line_longer_than_a_shard_is_refused_with_its_place() {
    let refused = cut(b"ab\nabcdefgh\n", Split::Lines, 5);
    assert!(matches!(
        refused,
        Err(CutError::LineTooLong {
            offset: 3,
            shard_bytes: 5
        })
    ));
}

#[test]
fn a_shard_size_that_no_shard_can_have_is_refused() {
    for found in [0, SHARD_BYTES_MAX + 1] {
        let refused = cut(b"x", Split::Bytes, found);
        assert!(
            matches!(refused, Err(CutError::ShardBytes { found: named, .. }) if named == found)
        );
    }
}

#[test]
fn an_uncut_input_longer_than_a_shard_is_refused() {
    let input = io::repeat(7).take(u64::from(SHARD_BYTES_MAX) + 1);
    let refused: Result<Vec<_>, _> = Cutter::new(input, Split::None, 1).unwrap().collect();
    assert!(matches!(
        refused,
        Err(CutError::InputTooLong {
            max: SHARD_BYTES_MAX
        })
    ));
}

#[test]
fn more_pieces_than_a_job_has_tasks_are_refused() {
    let exactly = vec![7; TASKS_PER_JOB_MAX as usize];
    assert_eq!(cut(&exactly, Split::Bytes, 1).unwrap().len(), exactly.len());
    let plan = CutPlan::scan(&exactly[..], Split::Bytes, 1).unwrap();
    assert_eq!(plan.count(), TASKS_PER_JOB_MAX);
    let too_many = vec![7; TASKS_PER_JOB_MAX as usize + 1];
    let refused = cut(&too_many, Split::Bytes, 1);
    assert!(matches!(
        refused,
        Err(CutError::TooManyShards {
            max: TASKS_PER_JOB_MAX
        })
    ));
    let refused = CutPlan::of_lengths(too_many.iter().map(|_| 1));
    assert!(matches!(refused, Err(CutError::TooManyShards { .. })));
}

#[test]
fn prepared_pieces_are_taken_as_they_are_within_limits() {
    let plan = CutPlan::prepared(&[&b"scene"[..], b"", b"tile"]).unwrap();
    assert_eq!(plan.lengths(), [5, 0, 4]);
    assert_eq!((plan.count(), plan.input_bytes()), (3, 9));
    let refused = CutPlan::of_lengths([1, u64::from(SHARD_BYTES_MAX) + 1]);
    assert!(matches!(
        refused,
        Err(CutError::PieceTooLong { index: 1, .. })
    ));
}

#[test]
fn an_input_that_changes_between_the_passes_is_noticed() {
    let plan = CutPlan::scan(&b"0123456789"[..], Split::Bytes, 4).unwrap();
    let read = |input: &[u8]| plan.pieces(input).collect::<Result<Vec<_>, _>>();
    assert!(read(b"9876543210").is_ok());
    assert!(matches!(
        read(b"012345678"),
        Err(CutError::InputChanged { index: 2 })
    ));
    assert!(matches!(
        read(b"0123"),
        Err(CutError::InputChanged { index: 1 })
    ));
    assert!(matches!(
        read(b"01234567890"),
        Err(CutError::InputChanged { index: 3 })
    ));
}

#[test]
fn a_failing_input_is_named_with_its_place_and_ends_the_cutting() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let mut cutter = Cutter::new(b"0123".chain(Broken), Split::Bytes, 2).unwrap();
    assert_eq!(cutter.next().unwrap().unwrap(), b"01");
    let failed = cutter.next().unwrap();
    assert!(
        matches!(failed, Err(CutError::Read { offset: 3, .. })),
        "{failed:?}"
    );
    assert!(cutter.next().is_none());
}

#[test]
fn ways_to_cut_read_as_they_print() {
    for split in [Split::Lines, Split::Bytes, Split::None] {
        assert_eq!(split.to_string().parse(), Ok(split));
    }
    assert_eq!("words".parse::<Split>(), Err(ParseSplitError));
}
