//! When a device is sent a benchmark, what it owes, how fast it is known to be and whether it gets tasks,
//! told from all that it was sent, answered and asked for.

use super::*;
use crate::core::Tick;
use proptest::prelude::*;

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// How often the device gives a sign of life, in milliseconds.
const ALIVE_MS: u64 = 15 * SECOND_MS;

/// What every benchmark burns.
const FUEL: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug)]
enum Happens {
    /// The masternode has computed one more.
    Challenge,
    /// The device wants a task, busy with those of others or not, when it has done what it had.
    Asks {
        is_busy: bool,
    },
    /// It wants one more while it may have one.
    AsksForMore,
    /// It answers the last benchmark after so long.
    Answers {
        is_right: bool,
        ms: u64,
    },
    Declines,
    /// It comes over another connection; the masternode may have seen the end of the first.
    ComesOverAnother {
        is_seen: bool,
    },
    /// It is silent until it is taken to be gone, and comes again.
    IsSilent,
    /// Its owner lets tasks have so much of the processor.
    Share(u16),
    Minutes(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let ms = prop_oneof![
        4 => 1..5_000u64,
        2 => 50_000..70_000u64,
        1 => Just(MINUTE_MS - 1),
        1 => Just(MINUTE_MS),
    ];
    let minutes = prop_oneof![6 => 1..10u64, 3 => 50..70u64, 1 => 355..365u64];
    prop_oneof![
        6 => Just(Happens::Challenge),
        8 => any::<bool>().prop_map(|is_busy| Happens::Asks { is_busy }),
        2 => Just(Happens::AsksForMore),
        3 => (prop::bool::weighted(0.7), ms)
            .prop_map(|(is_right, ms)| Happens::Answers { is_right, ms }),
        3 => Just(Happens::Declines),
        2 => any::<bool>().prop_map(|is_seen| Happens::ComesOverAnother { is_seen }),
        1 => Just(Happens::IsSilent),
        1 => prop::sample::select(vec![500, 1_000]).prop_map(Happens::Share),
        6 => minutes.prop_map(Happens::Minutes),
    ]
}

/// What became of a benchmark.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// It came to this rate.
    Right(u32),
    /// What came of it, or when, was not right.
    Wrong,
    /// It was declined, and nothing is owed for that, or it is.
    Declined { is_free: bool },
    /// Nothing that comes of it tells anything any more.
    Void,
}

/// A benchmark that the device was sent.
#[derive(Clone, Copy)]
struct Sent {
    at: Tick,
    number: u64,
    /// Whether an earlier one was owed, and the rate that was known else.
    before: (bool, Option<u32>),
    end: Option<(Tick, End)>,
}

/// A device, tasks enough of which one answer decides, and all that happened.
struct Story {
    world: World,
    sent: Vec<Sent>,
    /// When it asked for work, and whether it put off a benchmark with that; it does not where it is sent
    /// one.
    asked: Vec<(Tick, bool)>,
    /// How many it had been sent when last another became due at once.
    due_after: Option<usize>,
    share: Option<u16>,
    /// Benchmarks that are ready.
    ready: usize,
    /// Whether it said last that it is busy.
    is_busy: bool,
    /// How many of the masternode's answers were looked at.
    answers: usize,
}

impl Story {
    fn new() -> Self {
        Self {
            world: World::new(400, Agreement::Single, &[1]),
            sent: vec![],
            asked: vec![],
            due_after: Some(0),
            share: None,
            ready: 0,
            is_busy: false,
            answers: 0,
        }
    }

    fn now(&self) -> Tick {
        self.world.now
    }

    /// The last one, if nothing came of it yet.
    fn open(&mut self) -> Option<&mut Sent> {
        self.sent.last_mut().filter(|sent| sent.end.is_none())
    }

    /// Whether it computes one: for a minute at the most.
    fn computes(&self) -> bool {
        let last = self.sent.last().filter(|sent| sent.end.is_none());
        last.is_some_and(|sent| self.now().since(sent.at) < MINUTE_MS)
    }

    /// Whether it owes one: the last was not answered rightly, nor declined for nothing, unless one was
    /// owed before.
    fn owes(&self) -> bool {
        let Some(last) = self.sent.last() else {
            return false;
        };
        match last.end {
            Some((_, End::Right(_))) => false,
            Some((_, End::Declined { is_free: true })) => last.before.0,
            _ => true,
        }
    }

    /// How fast it is known to be, by the last one or, where that was declined for nothing, as before.
    fn rate(&self) -> Option<u32> {
        let last = self.sent.last()?;
        match last.end? {
            (_, End::Right(rate)) => Some(rate),
            (_, End::Declined { is_free: true }) => last.before.1,
            _ => None,
        }
    }

    /// From when on one is due: six hours after a right answer, an hour after a wrong one or where none came,
    /// and at once where one was declined.
    fn due_at(&self) -> Tick {
        let last = self.sent.last();
        let Some(last) = last.filter(|_| self.due_after != Some(self.sent.len())) else {
            return Tick(0);
        };
        match last.end {
            None => last.at.plus_ms(HOUR_MS),
            Some((at, End::Right(_))) => at.plus_ms(6 * HOUR_MS),
            Some((at, End::Wrong)) => at.plus_ms(HOUR_MS),
            Some((at, End::Declined { .. })) => at,
            Some((_, End::Void)) => Tick(0),
        }
    }

    /// Until when it rests: a minute after the last one, and twice as long for each before it that was sent
    /// within six hours of the next; six hours at the most.
    fn rests_until(&self) -> Tick {
        let Some(last) = self.sent.last() else {
            return Tick(0);
        };
        let pairs = self.sent.iter().rev().zip(self.sent.iter().rev().skip(1));
        let row = pairs.take_while(|(next, before)| next.at.since(before.at) < 6 * HOUR_MS);
        let pause_ms = row.fold(MINUTE_MS, |ms, _| (2 * ms).min(6 * HOUR_MS));
        last.at.plus_ms(pause_ms)
    }

    fn is_due(&self) -> bool {
        self.due_at() <= self.now() && self.rests_until() <= self.now()
    }

    /// Whether it puts off a benchmark for an hour already, whenever it asks.
    fn was_never_free(&self) -> bool {
        let last = self.asked.iter().rposition(|(_, puts_off)| !puts_off);
        let row = &self.asked[last.map_or(0, |place| place + 1)..];
        row.first()
            .is_some_and(|(at, _)| self.now().since(*at) >= HOUR_MS)
    }

    /// One that runs is declined, or counts so: three in any six hours are free.
    fn decline(&mut self) {
        let now = self.now();
        if !self.computes() {
            return;
        }
        let is_free = |sent: &&Sent| match sent.end {
            Some((at, End::Declined { is_free })) => is_free && now.since(at) < 6 * HOUR_MS,
            _ => false,
        };
        let is_free = self.sent.iter().filter(is_free).count() < 3;
        self.end(End::Declined { is_free });
    }

    /// That is what became of the last one, if nothing had.
    fn end(&mut self, end: End) {
        let now = self.now();
        if let Some(sent) = self.open() {
            sent.end = Some((now, end));
        }
    }

    /// Another one is due at once, and nothing that comes of the last one counts.
    fn becomes_due(&mut self) {
        self.end(End::Void);
        self.due_after = Some(self.sent.len());
    }

    /// Lets something happen in the world.
    fn act(&mut self, act: impl FnOnce(&mut World)) {
        act(&mut self.world);
        let answers = &self.world.workers[0].answers;
        let plans = answers[self.answers..].iter();
        let plans: Vec<_> = plans.filter_map(|answer| answer.benchmark).collect();
        self.answers = answers.len();
        for plan in plans {
            let is_free = !self.is_busy && self.world.workers[0].in_hand.is_empty();
            assert!(is_free && self.is_due() && self.ready > 0, "{plan:?}");
            self.ready -= 1;
            let (at, before) = (self.now(), (self.owes(), self.rate()));
            self.asked.push((at, false));
            self.sent.push(Sent {
                at,
                number: plan.number,
                before,
                end: None,
            });
        }
        self.check();
    }

    fn check(&self) {
        let device = self.world.workers[0].id();
        let fleet = &self.world.core.scheduler.fleet;
        let number = fleet.number(&device).unwrap();
        assert_eq!(fleet.owes(number), self.owes());
        let report = fleet.report(number, self.now()).unwrap();
        assert_eq!(report.vitals.processor_rate(), self.rate());
    }

    /// It reports all that it has, and what it is given meanwhile.
    fn report(&mut self) {
        while !self.world.workers[0].in_hand.is_empty() {
            self.is_busy = false;
            self.act(|world| world.report(0));
        }
    }

    /// Time passes for a device that gives signs of life and has no task.
    fn pass(&mut self, mut ms: u64) {
        self.report();
        while ms > 0 {
            let step_ms = ms.min(ALIVE_MS);
            ms -= step_ms;
            self.act(|world| world.wait(step_ms));
            self.is_busy = false;
            self.act(|world| {
                world.ask(0, 0);
            });
            self.report();
        }
    }

    /// It wants a task.
    fn ask(&mut self, is_busy: bool) {
        let tasks = self.world.workers[0].in_hand.len();
        let (sent, could_be_sent) = (self.sent.len(), self.is_due() && self.ready > 0);
        let is_free = !is_busy && tasks == 0;
        let now = self.now();
        self.asked.push((now, could_be_sent && !is_free));
        self.is_busy = is_busy;
        self.act(|world| {
            let exchange = Exchange {
                want: 1,
                is_busy,
                ..Exchange::default()
            };
            world.send(0, exchange);
        });
        let is_sent = self.sent.len() > sent;
        assert_eq!(is_sent, could_be_sent && is_free);
        let now_has = self.world.workers[0].in_hand.len();
        match self.computes() || self.was_never_free() {
            true => assert_eq!(now_has, tasks, "it gets nothing"),
            false => assert!(now_has > 0, "it gets something"),
        }
    }

    fn happen(&mut self, happens: Happens) {
        match happens {
            Happens::Challenge => {
                // Sixteen are kept.
                self.ready = (self.ready + 1).min(16);
                self.act(|world| challenge(world, 1));
            }
            Happens::Asks { is_busy } => {
                self.report();
                self.ask(is_busy);
            }
            Happens::AsksForMore => self.ask(false),
            Happens::Answers { is_right, ms } => {
                self.pass(ms);
                self.is_busy = false;
                let Some(sent) = self.sent.last().copied() else {
                    return;
                };
                let took_ms = self.now().since(sent.at);
                self.end(match is_right && took_ms < MINUTE_MS {
                    true => End::Right((FUEL / took_ms.max(1)) as u32),
                    false => End::Wrong,
                });
                let output = if is_right { OUTPUT } else { [0; 8] };
                self.act(|world| answer(world, 0, sent.number, output));
            }
            Happens::Declines => {
                let number = self.sent.last().map_or(0, |sent| sent.number);
                self.decline();
                self.is_busy = false;
                self.act(|world| {
                    let exchange = Exchange {
                        unavailable_for: Some(number),
                        ..Exchange::default()
                    };
                    world.send(0, exchange);
                });
            }
            Happens::ComesOverAnother { is_seen } => {
                self.decline();
                // One that was never answered is not waited for over another connection.
                if self.open().is_some() {
                    self.becomes_due();
                }
                self.is_busy = false;
                self.act(|world| {
                    let device = world.workers[0].id();
                    if is_seen {
                        world.feed(Event::Gone { device });
                    }
                    world.hello(0);
                });
            }
            Happens::IsSilent => {
                self.report();
                let ms = limits::SILENCE_MAX.as_millis() as u64 + SECOND_MS;
                self.world.wait(ms);
                self.decline();
                self.becomes_due();
                (self.share, self.is_busy) = (None, false);
                self.act(|world| world.hello(0));
            }
            Happens::Share(permille) => {
                if self.share.is_some_and(|before| before != permille) {
                    self.becomes_due();
                }
                self.share = Some(permille);
                self.is_busy = false;
                self.act(|world| share(world, permille, 0));
            }
            Happens::Minutes(minutes) => self.pass(minutes * MINUTE_MS),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_a_device_is_sent_and_owes_is_what_its_whole_history_says(
        happenings in prop::collection::vec(happens(), 1..60),
    ) {
        let mut story = Story::new();
        happenings.into_iter().for_each(|happening| story.happen(happening));
    }
}
