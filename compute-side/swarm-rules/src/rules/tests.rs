//! One peer, told what happens, with real signatures.

mod belief;
mod faults;
mod work;

use crate::{
    Bytes, Effect, Event, Fault, FetchFault, Output, PeerId, Rules, Setup, Standing, Task, Tick,
    Why,
    message::{Claimed, Hello, Made, Message, Statement, VERSION, Word},
};
use quern_primitives::{
    Digest,
    ids::GenesisHash,
    payload::{DeviceKey, Signed},
};
use std::collections::BTreeSet;

const TASK: Task = Task {
    digest: Digest([7; 32]),
    pieces: 10,
    piece_bytes_max: 1_000,
    is_exact: true,
};
const GENESIS: GenesisHash = GenesisHash([7; 32]);

fn key(number: u8) -> DeviceKey {
    DeviceKey::from_seed(&[number; 32])
}

fn id(number: u8) -> PeerId {
    key(number).id()
}

fn root(number: u8) -> Digest {
    Digest([number; 32])
}

fn made(piece: u32, number: u8, by: u8) -> Signed<Made> {
    let word = Made {
        piece,
        bytes: 100,
        root: root(number),
        by: id(by),
    };
    key(by).sign(word, &GENESIS)
}

fn claim(piece: u32, number: u64, by: u8) -> Signed<Claimed> {
    let word = Claimed {
        piece,
        slot: 0,
        number,
        ttl_ms: 60_000,
        by: id(by),
    };
    key(by).sign(word, &GENESIS)
}

fn checked(piece: u32, (number, of): (u8, u8), holds: bool, by: u8) -> Signed<Statement> {
    let word = Statement {
        piece,
        root: root(number),
        of: id(of),
        holds,
        by: id(by),
    };
    key(by).sign(word, &GENESIS)
}

/// A peer, which is number 0, and the time.
struct One {
    rules: Rules<DeviceKey>,
    now: u64,
}

impl One {
    fn of(task: Task, trusted: &[u8], held: Vec<Signed<Made>>) -> Self {
        let setup = Setup {
            task,
            slots: 1,
            trusted: trusted.iter().map(|it| id(*it)).collect(),
            first_number: 1,
            seed: 5,
            held,
            said: vec![],
        };
        let rules = Rules::new(key(0), setup);
        Self { rules, now: 0 }
    }

    /// With strangers as neighbours.
    fn among(strangers: &[u8]) -> Self {
        let mut one = Self::of(TASK, &[], vec![]);
        strangers.iter().for_each(|it| drop(one.meets(*it)));
        one
    }

    fn step(&mut self, event: Event) -> Vec<Effect> {
        self.rules.step(Tick(self.now), event)
    }

    fn later(&mut self, ms: u64) -> Vec<Effect> {
        self.now += ms;
        self.step(Event::Woke)
    }

    fn hears(&mut self, from: u8, message: Message) -> Vec<Effect> {
        self.step(Event::Said(id(from), message))
    }

    /// Somebody is connected, says hello and that it has nothing.
    fn meets(&mut self, peer: u8) -> Vec<Effect> {
        let mut out = self.step(Event::Joined {
            peer: id(peer),
            opened: false,
        });
        out.extend(self.hears(peer, hello()));
        out.extend(self.hears(peer, Message::Bitfield(vec![0; 2])));
        out
    }

    fn computes(&mut self) -> Option<u32> {
        self.rules.working.keys().next().copied()
    }

    /// What is computed now comes out, as this.
    fn ends(&mut self, number: u8) -> Vec<Effect> {
        let piece = self.computes().unwrap();
        let output = Some(Output {
            bytes: 100,
            root: root(number),
        });
        self.step(Event::Computed { piece, output })
    }
}

fn hello() -> Message {
    Message::Hello(Hello {
        task: TASK.digest,
        version: VERSION,
        slots: 1,
    })
}

fn dropped(effects: &[Effect]) -> Option<Fault> {
    effects.iter().find_map(|it| match it {
        Effect::Drop(_, fault) => Some(*fault),
        _ => None,
    })
}

fn said(effects: &[Effect], to: u8) -> Vec<Message> {
    let said = effects.iter().filter_map(|it| match it {
        Effect::Send(peer, message) if *peer == id(to) => Some(message.clone()),
        _ => None,
    });
    said.collect()
}
