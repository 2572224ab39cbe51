//! Messages between two peers, on one stream in each direction.

use super::{Wire, frame};
use crate::limits::{
    ADMISSION_TIMEOUT, SAID_BYTES_BURST, SAID_BYTES_PER_SECOND, TALK_TIMEOUT, UNSAID_BYTES_MAX,
    UNSAID_MAX,
};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, time::timeout};

/// Which rule of the wire a peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TalkFault {
    /// A message is longer than one of its kind may be.
    #[error("it said a message of {bytes} bytes, and of its kind {limit} are allowed")]
    Long {
        /// How many bytes it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// No message begins so.
    #[error("it said what begins like no message")]
    Kind,
    /// It opened a second stream for messages.
    #[error("it opened a second stream for messages")]
    Again,
}

/// With what to say something to a peer. Clones are for the same link, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Voice {
    queue: mpsc::Sender<Vec<u8>>,
    unsaid_bytes: Arc<AtomicUsize>,
}

/// What was said and is not on its way yet.
#[derive(Debug)]
pub(super) struct Unsaid {
    queue: mpsc::Receiver<Vec<u8>>,
    bytes: Arc<AtomicUsize>,
}

/// A voice, and where what is said with it waits.
pub(super) fn voice() -> (Voice, Unsaid) {
    let (sender, receiver) = mpsc::channel(UNSAID_MAX);
    let bytes = Arc::new(AtomicUsize::new(0));
    let voice = Voice {
        queue: sender,
        unsaid_bytes: Arc::clone(&bytes),
    };
    let queue = receiver;
    (voice, Unsaid { queue, bytes })
}

impl Voice {
    /// Says a message, which is then on its way or waits. Says whether it is: it is lost if the link has
    /// ended, or if too much waits because the peer does not read.
    pub fn say(&self, message: Vec<u8>) -> bool {
        let bytes = message.len();
        let before = self.unsaid_bytes.fetch_add(bytes, Ordering::Relaxed);
        let has_room = before.saturating_add(bytes) <= UNSAID_BYTES_MAX;
        let is_said = has_room && self.queue.try_send(message).is_ok();
        if !is_said {
            self.unsaid_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        is_said
    }
}

/// Writes what is said, until nobody can say anything any more.
pub(super) async fn write<T>(io: &mut T, mut unsaid: Unsaid) -> io::Result<()>
where
    T: AsyncWrite + Unpin,
{
    while let Some(message) = unsaid.queue.recv().await {
        let written = async {
            frame::write(io, &message).await?;
            match unsaid.queue.is_empty() {
                true => io.flush().await,
                false => Ok(()),
            }
        };
        // Who reads nothing for so long is not there.
        let written = timeout(TALK_TIMEOUT, written).await;
        written.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        unsaid.bytes.fetch_sub(message.len(), Ordering::Relaxed);
    }
    io.close().await
}

/// Reads messages, at the pace that one peer is allowed, and hands each on. Returns the rule that was
/// broken; none if the stream has ended, or somebody hears no more.
pub(super) async fn read<T, F>(
    io: &mut T,
    wire: Wire,
    mut hand_on: impl FnMut(Vec<u8>) -> F,
) -> io::Result<Option<TalkFault>>
where
    T: AsyncRead + Unpin,
    F: Future<Output = bool>,
{
    let mut pace = Pace::new(Instant::now());
    // Later a pause may be as long as it likes: pings show that the peer is there.
    let mut patience = Some(ADMISSION_TIMEOUT);
    loop {
        let begun = frame::read_length(io);
        let begun = match patience.take() {
            Some(patience) => timed(patience, begun).await?,
            None => begun.await?,
        };
        let Some(length) = begun else {
            return Ok(None);
        };
        let mut kind = [0; 1];
        if length == 0 {
            return Ok(Some(TalkFault::Kind));
        }
        timed(TALK_TIMEOUT, io.read_exact(&mut kind)).await?;
        let [first] = kind;
        let Some(limit) = (wire.said_bytes_max)(first) else {
            return Ok(Some(TalkFault::Kind));
        };
        if length > limit {
            let bytes = length;
            return Ok(Some(TalkFault::Long { bytes, limit }));
        }
        let wait = pace.take(Instant::now(), length.saturating_add(frame::LENGTH_BYTES));
        tokio::time::sleep(wait).await;
        let mut message = kind.to_vec();
        let rest = frame::read_bytes(io, length.saturating_sub(1), &mut message);
        timed(TALK_TIMEOUT, rest).await?;
        if !hand_on(message).await {
            return Ok(None);
        }
    }
}

async fn timed<T>(span: Duration, read: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let read = timeout(span, read).await;
    read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// How much may be read now: so much at once, and so much more each second.
#[derive(Debug)]
struct Pace {
    bytes: u64,
    since: Instant,
}

impl Pace {
    fn new(now: Instant) -> Self {
        let bytes = SAID_BYTES_BURST;
        Self { bytes, since: now }
    }

    /// Takes so many bytes, and says how long to wait for them.
    fn take(&mut self, now: Instant, bytes: usize) -> Duration {
        let past = now.saturating_duration_since(self.since);
        let more = past
            .as_millis()
            .saturating_mul(SAID_BYTES_PER_SECOND.into())
            / 1_000;
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        if more > 0 {
            self.bytes = self.bytes.saturating_add(more).min(SAID_BYTES_BURST);
            self.since = now.max(self.since);
        }
        let bytes = bytes as u64;
        let lacking = bytes.saturating_sub(self.bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        let wait = Duration::from_millis(lacking.saturating_mul(1_000) / SAID_BYTES_PER_SECOND);
        // What is waited for is not given again.
        self.since += wait;
        wait
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use futures::io::Cursor;
    use proptest::prelude::*;
    use std::sync::Mutex;

    const WIRE: Wire = Wire {
        talk: "/test/talk/1",
        content: "/test/content/1",
        said_bytes_max: |kind| [Some(8), Some(100_000)].get(usize::from(kind)).copied()?,
        question_bytes_max: 8,
        answer_bytes_max: 8,
    };

    async fn heard(bytes: Vec<u8>) -> (io::Result<Option<TalkFault>>, Vec<Vec<u8>>) {
        let heard = Mutex::new(Vec::new());
        let mut bytes = Cursor::new(bytes);
        let read = read(&mut bytes, WIRE, |message| {
            heard.lock().unwrap().push(message);
            async { true }
        });
        let read = read.await;
        (read, heard.into_inner().unwrap())
    }

    fn framed(length: u32, bytes: &[u8]) -> Vec<u8> {
        [&length.to_le_bytes(), bytes].concat()
    }

    #[tokio::test]
    async fn what_is_said_is_heard_in_order() {
        let (voice, unsaid) = voice();
        let said = [vec![0, 7], vec![1; 70_000], vec![0; 8]];
        assert!(said.iter().all(|it| voice.say(it.clone())));
        drop(voice);
        let mut wire = Cursor::new(Vec::new());
        write(&mut wire, unsaid).await.unwrap();
        let (ended, messages) = heard(wire.into_inner()).await;
        assert_eq!(ended.unwrap(), None);
        assert_eq!(messages, said);
    }

    #[tokio::test]
    async fn a_length_over_the_limit_of_its_kind_is_refused_before_its_bytes_are_read() {
        let long = |bytes, limit| Some(TalkFault::Long { bytes, limit });
        let cases = [
            (framed(9, &[0]), long(9, 8)),
            (framed(u32::MAX, &[1]), long(u32::MAX as usize, 100_000)),
            (framed(1, &[2]), Some(TalkFault::Kind)),
            (framed(0, &[]), Some(TalkFault::Kind)),
        ];
        for (bytes, fault) in cases {
            assert_eq!(heard(bytes).await.0.unwrap(), fault);
        }
    }

    #[tokio::test]
    async fn what_is_said_to_who_does_not_read_waits_up_to_a_limit() {
        let (voice, unsaid) = voice();
        let message = vec![1; 128 * 1024];
        let taken = (0..100).filter(|_| voice.say(message.clone())).count();
        assert_eq!(taken, UNSAID_BYTES_MAX / message.len());
        assert!(!voice.say(message));
        drop(unsaid);
        assert!(!voice.say(vec![0]), "the link has ended");
    }

    #[test]
    fn who_says_more_than_it_may_waits_as_long_as_that_takes() {
        let begun = Instant::now();
        let mut pace = Pace::new(begun);
        let burst = usize::try_from(SAID_BYTES_BURST).unwrap();
        assert_eq!(pace.take(begun, burst), Duration::ZERO);
        let second = usize::try_from(SAID_BYTES_PER_SECOND).unwrap();
        assert_eq!(pace.take(begun, 2 * second), Duration::from_secs(2));
        // Two seconds later that is paid, and nothing is left.
        let later = begun + Duration::from_secs(2);
        assert_eq!(pace.take(later, second), Duration::from_secs(1));
        // Pauses are not saved beyond the burst.
        let much_later = begun + Duration::from_secs(100_000);
        assert_eq!(pace.take(much_later, burst), Duration::ZERO);
        assert!(pace.take(much_later, second) > Duration::ZERO);
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut bytes = Cursor::new(bytes);
            let read = read(&mut bytes, WIRE, |_| async { true });
            // Nothing in it waits for anything but time, of which so few bytes take none.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let _ = runtime.unwrap().block_on(read);
        }
    }
}
