//! `seal_into` and `open_into`: the same bytes as in memory, and what hostile or broken ends do.

use super::{
    super::{OpenIntoError, SealedFacts, open_into, seal_into},
    *,
};

/// Gives at most so many bytes at once, and every other time says that it was interrupted.
struct Halting<R> {
    input: R,
    stretch: usize,
    is_interrupted: bool,
}

impl<R: Read> Read for Halting<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.is_interrupted = !self.is_interrupted;
        if self.is_interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = out.len().min(self.stretch);
        self.input.read(&mut out[..length])
    }
}

/// Fails at every read.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

/// Takes so many bytes, then is full.
struct Disk {
    bytes: Vec<u8>,
    room: usize,
}

impl Disk {
    fn of(room: usize) -> Self {
        let bytes = Vec::new();
        Self { bytes, room }
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(self.room);
        if length == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room -= length;
        self.bytes.extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens by `open_into`, checks that it says what an [`Opener`] says, and gives what was written.
fn open_sealed(
    key: &ShardKey,
    context: &ShardContext,
    sealed: &[u8],
) -> (Vec<u8>, Result<(), OpenIntoError>) {
    let mut written = Vec::new();
    let opened = open_into(key, context, sealed, &mut written);
    let all = open_both(key, context, sealed);
    match (&opened, &all) {
        (Ok(()), Ok(all)) => assert_eq!(written, *all),
        (Err(_), Err(_)) => {}
        _ => panic!("{opened:?} into a sink, {all:?} in memory"),
    }
    (written, opened)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_sealed_in_one_pass_has_the_bytes_and_root_of_what_is_sealed_whole(
        length in lengths(), stretch in 1usize..100_000,
    ) {
        let (plaintext, context) = (patterned(length), shard_context(length));
        let whole = seal(&key(), SALT, &context, &plaintext).unwrap();
        let input = Halting { input: &plaintext[..], stretch, is_interrupted: false };
        let mut written = Vec::new();
        let facts = seal_into(&key(), SALT, &context, input, &mut written).unwrap();
        let expected = SealedFacts { bytes: written.len() as u64, chunk_root: whole.chunk_root };
        prop_assert_eq!(facts, expected);
        prop_assert!(written == whole.bytes, "other bytes");

        let input = Halting { input: &written[..], stretch, is_interrupted: false };
        let mut opened = Vec::new();
        open_into(&key(), &context, input, &mut opened).unwrap();
        prop_assert!(opened == plaintext, "other plaintext");
    }

    #[test]
    fn nothing_from_an_altered_segment_on_is_written(
        length in lengths(), place: prop::sample::Index, bit in 0..8u8,
    ) {
        let plaintext = patterned(length);
        let mut sealed = sealed(&plaintext);
        let place = place.index(sealed.len());
        sealed[place] ^= 1 << bit;
        let (written, opened) = open_sealed(&key(), &shard_context(length), &sealed);
        prop_assert!(opened.is_err());
        let good = place.saturating_sub(HEADER_BYTES) / SEALED_SEGMENT * SEGMENT_BYTES;
        prop_assert!(written == plaintext[..good], "other than the segments before it");
    }

    #[test]
    fn a_shard_that_ends_early_gives_its_whole_segments_and_an_error(
        length in lengths(), end: prop::sample::Index,
    ) {
        let plaintext = patterned(length);
        let sealed = sealed(&plaintext);
        let end = end.index(sealed.len());
        let (written, opened) = open_sealed(&key(), &shard_context(length), &sealed[..end]);
        let named = matches!(
            opened,
            Err(OpenIntoError::Open(OpenError::Truncated { found_bytes, .. }))
                if found_bytes == end as u64
        );
        prop_assert!(named, "{opened:?}");
        let good = end.saturating_sub(HEADER_BYTES) / SEALED_SEGMENT * SEGMENT_BYTES;
        prop_assert!(written == plaintext[..good], "other than its whole segments");
    }
}

#[test]
fn segments_out_of_order_are_not_written() {
    let plaintext = patterned(3 * SEGMENT_BYTES);
    let context = shard_context(plaintext.len());
    let sealed = sealed(&plaintext);
    let (header, body) = sealed.split_at(HEADER_BYTES);
    let segments: Vec<_> = body.chunks(SEALED_SEGMENT).collect();
    // What the segments are put in order to, and how many of them are good.
    for (order, good) in [
        (&[1, 0, 2][..], 0),
        (&[0, 2, 1], 1),
        (&[0, 0, 2], 1),
        (&[0, 1, 1], 2),
        (&[0, 1], 2),
        (&[0, 2], 1),
        (&[2], 0),
        (&[0, 1, 2, 2], 2),
    ] {
        let body: Vec<_> = order.iter().map(|i| segments[*i]).collect();
        let altered = [header, &body.concat()].concat();
        let (written, opened) = open_sealed(&key(), &context, &altered);
        assert!(opened.is_err(), "{order:?}");
        assert!(written == plaintext[..good * SEGMENT_BYTES], "{order:?}");
    }
}

#[test]
fn a_segment_of_another_shard_is_not_written() {
    let plaintext = patterned(2 * SEGMENT_BYTES);
    let context = shard_context(plaintext.len());
    let other_place = ShardContext {
        index: 4,
        ..context
    };
    let sealed_as = |salt, context| seal(&key(), salt, context, &plaintext).unwrap().bytes;
    for other in [
        sealed_as(SealSalt([0x67; 16]), &context),
        sealed_as(SALT, &other_place),
    ] {
        let second = HEADER_BYTES + SEALED_SEGMENT;
        let swapped = [&sealed(&plaintext)[..second], &other[second..]].concat();
        let (written, opened) = open_sealed(&key(), &context, &swapped);
        assert!(matches!(
            opened,
            Err(OpenIntoError::Open(OpenError::SegmentNotAuthentic {
                segment: 1
            }))
        ));
        assert!(written == plaintext[..SEGMENT_BYTES]);
    }
}

#[test]
fn nothing_is_written_under_another_key_or_for_another_job() {
    let sealed = sealed(b"hello");
    let context = shard_context(5);
    let (written, opened) = open_sealed(&ShardKey::from_bytes([9; 32]), &context, &sealed);
    assert!(matches!(
        opened,
        Err(OpenIntoError::Open(OpenError::OtherKey))
    ));
    assert!(written.is_empty());

    let job = JobId([9; 32]);
    let (written, opened) = open_sealed(&key(), &ShardContext { job, ..context }, &sealed);
    assert!(matches!(
        opened,
        Err(OpenIntoError::Open(OpenError::OtherJob { .. }))
    ));
    assert!(written.is_empty());
}

#[test]
fn a_source_with_fewer_or_more_bytes_than_announced_is_not_sealed() {
    for (announced, came) in [
        (0, 1),
        (5, 4),
        (5, 6),
        (SEGMENT_BYTES, 0),
        (SEGMENT_BYTES, SEGMENT_BYTES + 1),
        (SEGMENT_BYTES + 1, SEGMENT_BYTES),
        (3 * SEGMENT_BYTES, 2 * SEGMENT_BYTES),
        (2 * SEGMENT_BYTES, 2 * SEGMENT_BYTES + 1),
    ] {
        let (input, context) = (patterned(came), shard_context(announced));
        let mut written = Vec::new();
        let refused = seal_into(&key(), SALT, &context, &input[..], &mut written);
        let named = matches!(
            refused,
            Err(SealError::OtherLength { expected, found })
                if (expected, found) == (announced as u64, came as u64)
        );
        assert!(named, "{announced} announced, {came} came: {refused:?}");
        // What was written lacks its last segment, so that nobody takes it for a shard.
        let refused = open(&key(), &context, &written);
        assert!(matches!(refused, Err(OpenError::Truncated { .. })));
    }
}

#[test]
fn a_source_that_fails_half_way_is_named() {
    let plaintext = patterned(2 * SEGMENT_BYTES);
    let context = shard_context(plaintext.len());
    let input = plaintext[..SEGMENT_BYTES + 9].chain(Broken);
    let mut written = Vec::new();
    assert!(matches!(
        seal_into(&key(), SALT, &context, input, &mut written),
        Err(SealError::Read { source }) if source.kind() == io::ErrorKind::ConnectionReset
    ));
    assert_eq!(written.len(), HEADER_BYTES + SEALED_SEGMENT);

    // The last segment is not written either if it cannot be told that nothing is behind it.
    let sealed = sealed(&plaintext);
    for (end, good) in [
        (9, 0),
        (HEADER_BYTES + SEALED_SEGMENT + 9, 1),
        (sealed.len(), 1),
    ] {
        let mut written = Vec::new();
        assert!(matches!(
            open_into(&key(), &context, sealed[..end].chain(Broken), &mut written),
            Err(OpenIntoError::Open(OpenError::Read { source }))
                if source.kind() == io::ErrorKind::ConnectionReset
        ));
        assert!(written == plaintext[..good * SEGMENT_BYTES]);
    }
}

#[test]
fn a_destination_that_is_full_is_named() {
    let plaintext = patterned(2 * SEGMENT_BYTES);
    let context = shard_context(plaintext.len());
    for room in [0, HEADER_BYTES, HEADER_BYTES + SEALED_SEGMENT + 1] {
        let refused = seal_into(&key(), SALT, &context, &plaintext[..], Disk::of(room));
        assert!(matches!(
            refused,
            Err(SealError::Write { source }) if source.kind() == io::ErrorKind::StorageFull
        ));
    }
    let sealed = sealed(&plaintext);
    for room in [0, SEGMENT_BYTES, 2 * SEGMENT_BYTES - 1] {
        let mut disk = Disk::of(room);
        assert!(matches!(
            open_into(&key(), &context, &sealed[..], &mut disk),
            Err(OpenIntoError::Write { source }) if source.kind() == io::ErrorKind::StorageFull
        ));
        assert!(disk.bytes == plaintext[..room]);
    }
}

#[test]
fn a_shard_over_its_limit_is_not_begun() {
    let context = shard_context(SHARD_BYTES_MAX as usize + 1);
    let mut written = Vec::new();
    let refused = seal_into(&key(), SALT, &context, io::repeat(0), &mut written);
    assert!(matches!(refused, Err(SealError::TooLong { .. })));
    assert!(written.is_empty());
}

/// Where the bytes are that come or go, in order.
#[derive(Default)]
struct Places(Vec<usize>);

struct Seen<'a, T>(T, &'a mut Places);

impl<R: Read> Read for Seen<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1.0.push(out.as_ptr().addr());
        self.0.read(out)
    }
}

impl<W: Write> Write for Seen<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.0.push(bytes.as_ptr().addr());
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn every_segment_is_written_from_where_it_was_read_to() {
    let plaintext = patterned(5 * SEGMENT_BYTES);
    let context = shard_context(plaintext.len());
    let (mut read, mut written) = (Places::default(), Places::default());
    let mut sealed = Vec::new();
    let input = Seen(&plaintext[..], &mut read);
    let sink = Seen(&mut sealed, &mut written);
    seal_into(&key(), SALT, &context, input, sink).unwrap();
    let place = written.0[0];
    assert_eq!(written.0, [place; 6], "header and segments");
    // The last read finds that there is no byte more.
    assert_eq!(read.0[..5], [place; 5]);
    assert_eq!(read.0[5..], [place + SEGMENT_BYTES]);

    let (mut read, mut written) = (Places::default(), Places::default());
    let input = Seen(&sealed[..], &mut read);
    let sink = Seen(Vec::new(), &mut written);
    open_into(&key(), &context, input, sink).unwrap();
    let place = written.0[0];
    assert_eq!(written.0, [place; 5]);
    // The header's place is its own.
    assert_eq!(read.0[1..6], [place; 5]);
    assert_eq!(read.0[6..], [place + SEALED_SEGMENT]);
}
