//! The one task that steps the rules of fetching and serving, and carries out what they want.

use crate::{
    Allowance, Progress, Shelf, Thing, TransferError,
    answering::{self, Sending, Whence},
    asking::{self, Request},
    handle::{Order, Waiter},
    part::{Part, Span},
    trees::Trees,
};
use quern_fetch::{
    Effect, Event, Held, Moving, PeerId, QuestionId, Refusal, RequestId, SpanSet, Tick,
    limits::WANTED_MAX,
};
use quern_network::{Asker, Inquiry, Writing};
use quern_primitives::ids::{DeviceId, Digest};
use quern_protocol::fetch::Question;
use std::{
    collections::{BTreeMap, VecDeque},
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
};

/// What happened that waits to be looked at. Requests wait with a span each.
const HAPPENED_MAX: usize = 32;

/// What came of what was begun.
pub(crate) enum Happened {
    /// This.
    Event(Event),
    /// The next span of a request is here, and is what it should be.
    Arrived {
        /// Which request.
        request: RequestId,
        /// The span.
        span: Span,
        /// Whether nothing more comes of that request.
        is_last: bool,
    },
    /// A span went out, and more of its question are to come.
    Sent {
        /// Whose question.
        question: QuestionId,
        /// Its bytes with its head.
        bytes: u64,
        /// Where the rest goes.
        answer: Writing,
    },
}

/// A thing that is being fetched.
struct Fetched {
    thing: Thing,
    into: PathBuf,
    part: Arc<Part>,
    written: SpanSet,
    waiters: Vec<Waiter>,
}

impl Fetched {
    fn is_awaited(&self) -> bool {
        self.waiters.iter().any(|waiter| !waiter.done.is_closed())
    }

    fn tell_progress(&self, held_by_nobody: u32) {
        if self.waiters.iter().all(|it| it.progress.is_none()) {
            return;
        }
        let spans = self.written.iter();
        let written_bytes = spans.map(|span| self.thing.span_bytes(span)).sum();
        let now = Progress {
            written_bytes,
            held_by_nobody,
        };
        for progress in self.waiters.iter().filter_map(|it| it.progress.as_ref()) {
            progress.send_if_modified(|before| std::mem::replace(before, now) != now);
        }
    }
}

/// What the mover hears.
pub(crate) struct Inputs {
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) happens: mpsc::Receiver<Happened>,
    pub(crate) allowance: Option<watch::Receiver<Allowance>>,
    pub(crate) inquiries: Option<mpsc::Receiver<Inquiry>>,
}

/// A question of somebody else.
enum Answering {
    /// Nothing is on its way.
    Idle(Writing),
    /// A span is.
    Sending(AbortHandle),
}

pub(crate) struct Mover {
    started: Instant,
    moving: Moving,
    shelf: Arc<dyn Shelf>,
    happened: mpsc::Sender<Happened>,
    askers: BTreeMap<PeerId, Asker>,
    fetched: BTreeMap<Digest, Fetched>,
    requests: BTreeMap<RequestId, (PeerId, AbortHandle)>,
    questions: BTreeMap<QuestionId, (PeerId, Answering)>,
    next_question: u64,
    trees: Trees,
    /// All that was begun; what is left of it ends with this.
    tasks: JoinSet<()>,
    /// The span that is being looked at.
    arrived: Option<(RequestId, Span)>,
    moved_bytes: Arc<AtomicU64>,
}

impl Mover {
    pub(crate) fn new(
        seed: u64,
        shelf: Arc<dyn Shelf>,
        moved_bytes: Arc<AtomicU64>,
    ) -> (Self, mpsc::Receiver<Happened>) {
        let (happened, happens) = mpsc::channel(HAPPENED_MAX);
        let mover = Self {
            started: Instant::now(),
            moving: Moving::new(seed),
            shelf,
            happened,
            askers: BTreeMap::new(),
            fetched: BTreeMap::new(),
            requests: BTreeMap::new(),
            questions: BTreeMap::new(),
            next_question: 0,
            trees: Trees::default(),
            tasks: JoinSet::new(),
            arrived: None,
            moved_bytes,
        };
        (mover, happens)
    }

    pub(crate) async fn run(mut self, inputs: Inputs) {
        let Inputs {
            mut orders,
            mut happens,
            mut allowance,
            mut inquiries,
        } = inputs;
        if let Some(allowance) = &mut allowance {
            let allowed = *allowance.borrow_and_update();
            self.step(Event::Allowed(allowed)).await;
        }
        loop {
            let wakes_at = self.moving.next_wakeup().map(|at| self.instant(at));
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.take_order(order).await,
                    None => break,
                },
                Some(happening) = happens.recv() => self.take_in(happening).await,
                inquiry = next(&mut inquiries) => self.ask(inquiry).await,
                allowed = changed(&mut allowance) => self.step(Event::Allowed(allowed)).await,
                Some(_) = self.tasks.join_next() => {}
                () = sleep_until(wakes_at) => self.step(Event::Woke).await,
            }
        }
    }

    fn now(&self) -> Tick {
        let ms = self.started.elapsed().as_millis();
        Tick(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    fn instant(&self, tick: Tick) -> Instant {
        self.started + Duration::from_millis(tick.0)
    }

    async fn take_order(&mut self, order: Order) {
        match order {
            Order::Came { peer, kind, asker } => {
                let peer = PeerId(peer.0);
                self.askers.insert(peer, asker);
                self.step(Event::PeerCame { peer, kind }).await;
            }
            Order::Left { peer } => {
                let peer = PeerId(peer.0);
                self.leave(peer);
                self.step(Event::PeerLeft { peer }).await;
            }
            // The step ends what nobody waits for.
            Order::GivenUp => self.step(Event::Woke).await,
            Order::Want {
                thing,
                into,
                waiter,
            } => self.want(thing, into, waiter).await,
        }
    }

    /// Ends what is under way from and to a peer.
    fn leave(&mut self, peer: PeerId) {
        self.askers.remove(&peer);
        let requests = self.requests.extract_if(.., |_, (of, _)| *of == peer);
        requests.for_each(|(_, (_, task))| task.abort());
        let questions = self.questions.extract_if(.., |_, (of, _)| *of == peer);
        for (_, (_, answering)) in questions {
            if let Answering::Sending(task) = answering {
                task.abort();
            }
        }
    }

    async fn want(&mut self, thing: Thing, into: PathBuf, waiter: Waiter) {
        let root = thing.root();
        if let Some(fetched) = self.fetched.get_mut(&root) {
            if fetched.into == into && fetched.thing == thing {
                fetched.waiters.push(waiter);
            } else {
                let path = fetched.into.clone();
                waiter.tell(Err(TransferError::Elsewhere { path }));
            }
            return;
        }
        if self.fetched.len() >= WANTED_MAX {
            return waiter.tell(Err(TransferError::TooMany));
        }
        let path = into.clone();
        let opened = blocking(move || Part::open(thing, &path)).await;
        let (part, written) = match opened {
            Ok(opened) => opened,
            Err(source) => {
                let error = TransferError::Write { path: into, source };
                return waiter.tell(Err(error));
            }
        };
        let fetched = Fetched {
            thing,
            into,
            part: Arc::new(part),
            written,
            waiters: vec![waiter],
        };
        self.fetched.insert(root, fetched);
        self.step(Event::Wanted { thing, written }).await;
    }

    async fn take_in(&mut self, happened: Happened) {
        match happened {
            Happened::Event(event) => {
                match &event {
                    Event::Refused { request, .. }
                    | Event::Broke { request }
                    | Event::Arrived { request, .. } => {
                        self.requests.remove(request);
                    }
                    Event::Withdrawn { question } | Event::Sent { question, .. } => {
                        self.questions.remove(question);
                    }
                    _ => {}
                }
                self.step(event).await;
            }
            Happened::Arrived {
                request,
                span,
                is_last,
            } => {
                if is_last {
                    self.requests.remove(&request);
                }
                self.arrived = Some((request, span));
                self.step(Event::Arrived {
                    request,
                    proof_holds: true,
                })
                .await;
                self.arrived = None;
            }
            Happened::Sent {
                question,
                bytes,
                answer,
            } => {
                // One that was closed meanwhile is not answered further.
                if let Some((_, answering)) = self.questions.get_mut(&question) {
                    *answering = Answering::Idle(answer);
                }
                self.step(Event::Sent { question, bytes }).await;
            }
        }
    }

    async fn ask(&mut self, inquiry: Inquiry) {
        let Inquiry {
            peer,
            question,
            answer,
        } = inquiry;
        let root = match &question {
            Question::Have { root, .. } | Question::Spans { root, .. } => *root,
        };
        let id = QuestionId(self.next_question);
        self.next_question = self.next_question.saturating_add(1);
        let is_given = self.shelf.gives(&peer, &root);
        let held = self.shelf.find(&root).filter(|_| is_given).map(|it| Held {
            thing: it.thing,
            spans: SpanSet::all(&it.thing),
        });
        let peer = PeerId(peer.0);
        let event = match question {
            Question::Have { bytes, .. } => match Thing::new(root, bytes).filter(|_| is_given) {
                Some(thing) => Event::AskedHoldings {
                    peer,
                    question: id,
                    thing,
                    held,
                },
                None => {
                    let told = answering::no_holdings(Refusal::No);
                    self.tasks.spawn(answering::tell(answer, told));
                    return;
                }
            },
            Question::Spans { .. } if !is_given => {
                self.tasks.spawn(answering::refuse(answer, Refusal::No));
                return;
            }
            Question::Spans { first, count, .. } => Event::AskedSpans {
                peer,
                question: id,
                root,
                first,
                count: count.into(),
                held,
            },
        };
        self.questions.insert(id, (peer, Answering::Idle(answer)));
        self.step(event).await;
    }

    /// What follows from an event, carried out in order.
    async fn step(&mut self, event: Event) {
        if let Event::Moved { bytes, .. } | Event::Sent { bytes, .. } = event {
            self.moved_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        let is_told = !matches!(event, Event::Moved { .. });
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in self.moving.step(self.now(), event) {
                if let Err((root, source)) = self.carry_out(effect).await {
                    // What is left of its effects is of something that is not fetched any more.
                    self.fail(root, &source);
                    events.push_back(Event::Unwanted { root });
                }
            }
            let given_up = self.fetched.extract_if(.., |_, it| !it.is_awaited());
            events.extend(given_up.map(|(root, _)| Event::Unwanted { root }));
        }
        if is_told {
            self.tell_progress();
        }
    }

    /// Tells whoever wants to know how far things are.
    fn tell_progress(&self) {
        for (root, fetched) in &self.fetched {
            let held_by_nobody = self.moving.held_by_nobody(root).unwrap_or_default();
            fetched.tell_progress(held_by_nobody);
        }
    }

    async fn carry_out(&mut self, effect: Effect) -> Result<(), (Digest, io::Error)> {
        match effect {
            Effect::AskHoldings { peer, root, bytes } => self.ask_holdings(peer, root, bytes),
            Effect::AskSpans {
                request,
                peer,
                root,
                first,
                count,
            } => self.ask_spans(request, peer, root, first..first.saturating_add(count)),
            Effect::Drop { request } => {
                if let Some((_, task)) = self.requests.remove(&request) {
                    task.abort();
                }
            }
            Effect::Write {
                request,
                root,
                span,
            } => return self.write(request, root, span).await,
            // A span is noted with its proof, as it is written.
            Effect::Note { root, written } => {
                if let Some(fetched) = self.fetched.get_mut(&root) {
                    fetched.written = written;
                }
            }
            Effect::Finish { root } => return self.finish(root).await,
            Effect::Decline { root } => {
                if let Some(fetched) = self.fetched.remove(&root) {
                    for waiter in fetched.waiters {
                        waiter.tell(Err(TransferError::TooMany));
                    }
                }
            }
            Effect::TellHoldings { question, spans } => {
                if let Some(answer) = self.idle(question) {
                    let told = answering::holdings(&spans);
                    self.tasks.spawn(answering::tell(answer, told));
                }
            }
            Effect::Send {
                question,
                root,
                span,
                is_last,
            } => self.send(question, root, span, is_last),
            Effect::Refuse { question, refusal } => {
                if let Some(answer) = self.idle(question) {
                    self.tasks.spawn(answering::refuse(answer, refusal));
                }
            }
            Effect::Close { question } => {
                if let Some((_, Answering::Sending(task))) = self.questions.remove(&question) {
                    task.abort();
                }
            }
        }
        Ok(())
    }

    fn ask_holdings(&mut self, peer: PeerId, root: Digest, bytes: u64) {
        let (Some(asker), Some(thing)) = (self.askers.get(&peer).cloned(), Thing::new(root, bytes))
        else {
            return;
        };
        let happened = self.happened.clone();
        self.tasks.spawn(async move {
            let spans = asking::holdings(asker, DeviceId(peer.0), thing).await;
            let told = Event::Told { peer, root, spans };
            let _ = happened.send(Happened::Event(told)).await;
        });
    }

    fn ask_spans(
        &mut self,
        id: RequestId,
        peer: PeerId,
        root: Digest,
        spans: std::ops::Range<u32>,
    ) {
        let thing = self.fetched.get(&root).map(|it| it.thing);
        let (Some(asker), Some(thing)) = (self.askers.get(&peer).cloned(), thing) else {
            return;
        };
        let request = Request {
            id,
            peer: DeviceId(peer.0),
            thing,
            first: spans.start,
            count: spans.end.saturating_sub(spans.start),
        };
        let happened = self.happened.clone();
        let task = self.tasks.spawn(asking::spans(asker, request, happened));
        self.requests.insert(id, (peer, task));
    }

    async fn write(
        &mut self,
        request: RequestId,
        root: Digest,
        number: u32,
    ) -> Result<(), (Digest, io::Error)> {
        let arrived = self.arrived.take().filter(|(id, _)| *id == request);
        let (Some((_, span)), Some(fetched)) = (arrived, self.fetched.get(&root)) else {
            return Ok(());
        };
        let part = Arc::clone(&fetched.part);
        let written = blocking(move || part.write(number, &span)).await;
        written.map_err(|error| (root, error))
    }

    async fn finish(&mut self, root: Digest) -> Result<(), (Digest, io::Error)> {
        let Some(fetched) = self.fetched.get(&root) else {
            return Ok(());
        };
        let part = Arc::clone(&fetched.part);
        let finished = blocking(move || part.finish()).await;
        finished.map_err(|error| (root, error))?;
        if let Some(fetched) = self.fetched.remove(&root) {
            fetched.tell_progress(0);
            fetched.waiters.into_iter().for_each(|it| it.tell(Ok(())));
        }
        Ok(())
    }

    /// A thing cannot be written.
    fn fail(&mut self, root: Digest, source: &io::Error) {
        let Some(fetched) = self.fetched.remove(&root) else {
            return;
        };
        for waiter in fetched.waiters {
            let path = fetched.into.clone();
            let source = io::Error::new(source.kind(), source.to_string());
            waiter.tell(Err(TransferError::Write { path, source }));
        }
    }

    fn send(&mut self, question: QuestionId, root: Digest, span: u32, is_last: bool) {
        let shelved = self.shelf.find(&root);
        let whence = match (shelved, self.fetched.get(&root)) {
            (Some(shelved), _) => Some(Whence::Shelf(shelved, Arc::clone(&self.shelf))),
            (None, Some(it)) => Some(Whence::Part(it.thing, Arc::clone(&it.part))),
            (None, None) => None,
        };
        let peer = self.questions.get(&question).map(|(peer, _)| *peer);
        let (Some(peer), Some(answer)) = (peer, self.idle(question)) else {
            return;
        };
        let Some(whence) = whence else {
            // It went meanwhile; the asker sees that the answer broke.
            let happened = self.happened.clone();
            self.tasks.spawn(async move {
                let withdrawn = Event::Withdrawn { question };
                let _ = happened.send(Happened::Event(withdrawn)).await;
            });
            return;
        };
        let sending = Sending {
            question,
            span,
            is_last,
            whence,
        };
        let task = self.tasks.spawn(answering::send(
            answer,
            sending,
            self.trees.clone(),
            self.happened.clone(),
        ));
        self.questions
            .insert(question, (peer, Answering::Sending(task)));
    }

    /// Takes the answer of a question on which nothing is on its way.
    fn idle(&mut self, question: QuestionId) -> Option<Writing> {
        match self.questions.remove(&question)? {
            (_, Answering::Idle(answer)) => Some(answer),
            (_, Answering::Sending(_)) => None,
        }
    }
}

/// Does what may wait for a disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// The next question; never one when nobody can ask any more.
async fn next(inquiries: &mut Option<mpsc::Receiver<Inquiry>>) -> Inquiry {
    if let Some(open) = inquiries {
        if let Some(inquiry) = open.recv().await {
            return inquiry;
        }
        *inquiries = None;
    }
    std::future::pending().await
}

/// What is allowed now that something else is; never, when nobody can say so any more.
async fn changed(allowance: &mut Option<watch::Receiver<Allowance>>) -> Allowance {
    if let Some(open) = allowance {
        if open.changed().await.is_ok() {
            return *open.borrow_and_update();
        }
        *allowance = None;
    }
    std::future::pending().await
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
