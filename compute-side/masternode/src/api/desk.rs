//! Questions about the grid, on their way to the task that owns the core.
//!
//! Whoever asks pays nothing, and an answer costs time in which nothing is given out, judged or settled.
//! So an answer is told again for a second; few questions wait over one connection; and all of a kind are
//! put one after another, in the order in which they came, each followed by a pause of so many times
//! what its answer took that most of the core's time is never theirs. Explanations cost many times as much
//! as what `quern job submit` has to know before it hands a job in. They have a desk of their own, so that
//! however many of them are asked for, nobody else waits behind them.

use crate::daemon::{Answered, Question, Reply};
use quern_jobs_api::ApiError;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::{Mutex as Turns, oneshot},
    time::{Duration, Instant, sleep},
};

/// How long an answer is told again.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// Answers that are kept to be told again. The largest is a page of devices, cut to 2 MiB of JSON.
const ANSWERS_MAX: usize = 32;

/// Questions of one connection that may wait at a desk at a time.
const WAITING_MAX: usize = 4;

/// Questions that may wait at a desk at a time: those of 256 connections. The questions of a WebSocket
/// that was closed wait until it is their turn.
const WAITING_IN_ALL_MAX: usize = 1_024;

/// After an answer no other question is put from the same desk for so many times what it took: each desk
/// has a twentieth of the core's time.
const PAUSES: u32 = 19;

/// The desks, by what questions cost.
#[derive(Clone, Default)]
pub(super) struct Desks {
    /// Where it is asked how the grid is, and which devices a job would have.
    pub(super) glances: Desk,
    /// Where it is asked what keeps something waiting, and for pages of devices.
    pub(super) explanations: Desk,
}

/// Where questions wait. Clones are the same desk.
#[derive(Clone)]
pub(super) struct Desk {
    /// Whose turn it is.
    turns: Arc<Turns<()>>,
    books: Arc<Mutex<Books>>,
    /// How long an answer is told again.
    good_for: Duration,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            turns: Arc::default(),
            books: Arc::default(),
            good_for: GOOD_FOR,
        }
    }
}

#[derive(Default)]
struct Books {
    /// How many questions wait of each connection that has any.
    waiting: BTreeMap<usize, usize>,
    /// How many wait of all.
    waiting_in_all: usize,
    /// The last answers, the oldest first.
    answers: VecDeque<Known>,
}

struct Known {
    since: Instant,
    question: Question,
    reply: Arc<Reply>,
}

/// A place among those that wait over a connection.
struct Place {
    desk: Desk,
    connection: usize,
}

impl Desk {
    /// The answer to a question that came over a connection. `put` puts it to the core, once its turn
    /// has come; nothing comes of it if the masternode stops.
    pub(super) async fn ask(
        &self,
        connection: usize,
        question: Question,
        put: impl Future<Output = Option<Answered>> + Send + 'static,
    ) -> Result<Arc<Reply>, ApiError> {
        if let Some(reply) = self.known(&question) {
            return Ok(reply);
        }
        let _place = self.place(connection)?;
        // Whoever asks over HTTP and goes away meanwhile leaves the line.
        let turn = self.turns.clone().lock_owned().await;
        if let Some(reply) = self.known(&question) {
            return Ok(reply);
        }
        let (answer, answered) = oneshot::channel();
        let desk = self.clone();
        // Once it is put, whoever asked may go: it takes the core's time all the same.
        tokio::spawn(async move {
            if let Some(Answered { reply, took }) = put.await {
                let reply = Arc::new(reply);
                desk.remember(question, reply.clone());
                drop(answer.send(reply));
                sleep(took.saturating_mul(PAUSES)).await;
            }
            drop(turn);
        });
        answered.await.map_err(|_| ApiError::Starting)
    }

    /// What was answered to the same question a moment ago.
    fn known(&self, question: &Question) -> Option<Arc<Reply>> {
        let now = Instant::now();
        let mut books = self.books();
        let is_old = |known: &mut Known| now.duration_since(known.since) >= self.good_for;
        while books.answers.pop_front_if(is_old).is_some() {}
        let mut answers = books.answers.iter();
        let known = answers.find(|known| known.question == *question)?;
        Some(known.reply.clone())
    }

    fn remember(&self, question: Question, reply: Arc<Reply>) {
        let mut books = self.books();
        if books.answers.len() >= ANSWERS_MAX {
            books.answers.pop_front();
        }
        books.answers.push_back(Known {
            since: Instant::now(),
            question,
            reply,
        });
    }

    fn place(&self, connection: usize) -> Result<Place, ApiError> {
        let mut books = self.books();
        let waiting = books.waiting.get(&connection).copied().unwrap_or(0);
        if waiting >= WAITING_MAX || books.waiting_in_all >= WAITING_IN_ALL_MAX {
            return Err(ApiError::Busy);
        }
        books.waiting.insert(connection, waiting + 1);
        books.waiting_in_all += 1;
        Ok(Place {
            desk: self.clone(),
            connection,
        })
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // A panic while the lock was held leaves books that are still right.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut books = self.desk.books();
        books.waiting_in_all = books.waiting_in_all.saturating_sub(1);
        if let Some(waiting) = books.waiting.get_mut(&self.connection) {
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                books.waiting.remove(&self.connection);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::DeviceId;
    use std::future::pending;
    use tokio::time::timeout;

    fn question(n: u8) -> Question {
        Question::Device(DeviceId([n; 32]))
    }

    async fn answered(took_ms: u64) -> Option<Answered> {
        Some(Answered {
            reply: Reply::Device(None),
            took: Duration::from_millis(took_ms),
        })
    }

    #[tokio::test]
    async fn an_answer_is_told_again_for_its_time_and_costs_nothing() {
        let desk = Desk {
            good_for: Duration::MAX,
            ..Desk::default()
        };
        let first = desk.ask(1, question(1), answered(0)).await.unwrap();
        let again = desk.ask(2, question(1), pending()).await.unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let other = desk.ask(1, question(2), answered(0)).await.unwrap();
        assert!(!Arc::ptr_eq(&first, &other));
        // Its time is over.
        let desk = Desk {
            good_for: Duration::ZERO,
            ..desk
        };
        let later = desk.ask(1, question(1), answered(0)).await.unwrap();
        assert!(!Arc::ptr_eq(&first, &later));
    }

    #[tokio::test]
    async fn after_an_answer_the_core_is_left_alone_for_nineteen_times_as_long() {
        let desk = Desk::default();
        let begun = Instant::now();
        desk.ask(1, question(1), answered(10)).await.unwrap();
        desk.ask(2, question(2), answered(0)).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(190));
        // It took an hour: whoever asked is told before the pause that follows.
        desk.ask(3, question(3), answered(3_600_000)).await.unwrap();
        assert!(desk.turns.try_lock().is_err());
    }

    #[tokio::test]
    async fn however_many_explanations_are_asked_for_what_submitting_needs_is_answered() {
        let desks = Desks::default();
        for connection in 0..WAITING_IN_ALL_MAX {
            let desk = desks.explanations.clone();
            tokio::spawn(async move { desk.ask(connection, question(1), pending()).await });
        }
        while desks.explanations.books().waiting_in_all < WAITING_IN_ALL_MAX {
            tokio::task::yield_now().await;
        }
        let more = desks.explanations.ask(usize::MAX, question(2), pending());
        assert_eq!(more.await.err(), Some(ApiError::Busy));
        let glance = desks.glances.ask(1, Question::Grid, answered(0));
        let glance = timeout(Duration::from_secs(10), glance).await.unwrap();
        assert!(glance.is_ok());
    }

    #[tokio::test]
    async fn few_questions_wait_over_one_connection_and_other_connections_have_their_own() {
        let desk = Desk::default();
        let ask = |connection, n| {
            let desk = desk.clone();
            tokio::spawn(async move { desk.ask(connection, question(n), pending()).await })
        };
        let asked: Vec<_> = (0..4).map(|n| ask(1, n)).collect();
        while desk.books().waiting.get(&1) != Some(&WAITING_MAX) {
            tokio::task::yield_now().await;
        }
        let more = desk.ask(1, question(9), answered(0)).await;
        assert_eq!(more.err(), Some(ApiError::Busy));
        let other = ask(2, 9);
        while !desk.books().waiting.contains_key(&2) {
            tokio::task::yield_now().await;
        }
        // Who goes away while they wait, waits no more.
        for asked in asked.into_iter().chain([other]) {
            asked.abort();
            assert!(asked.await.is_err());
        }
        assert!(desk.books().waiting.is_empty());
        assert_eq!(desk.books().waiting_in_all, 0);
    }

    #[tokio::test]
    async fn however_many_connections_there_are_only_so_many_questions_wait() {
        let desk = Desk::default();
        let connections = 0..WAITING_IN_ALL_MAX;
        let places: Vec<_> = connections.map(|it| desk.place(it).unwrap()).collect();
        assert_eq!(desk.place(usize::MAX).err(), Some(ApiError::Busy));
        drop(places);
        assert!(desk.place(usize::MAX).is_ok());
    }
}
