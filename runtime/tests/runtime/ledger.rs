//! The whole ledger against a reference model: random calls to the real runtime, sensible and not,
//! in blocks a moment or a week apart.
//!
//! - [`model`] tells what each call does, as plain maps; a noun has a file.
//! - [`draft`] draws the calls, [`chance`] the numbers they are drawn from; [`told`] is what coordinators have
//!   of the batches that they settle, for who disputes them.
//! - [`real`] dispatches them and holds what the runtime keeps against the model.
//!
//! After every call both must agree whether it is accepted, which error refuses it, and whether it
//! costs its fee; after every block all balances, holds, bonds, devices, payouts and jobs must be
//! equal, every pallet's invariants hold, and what exists is what began, was minted and was not
//! burnt.
//!
//! A sequence follows from its seed. One that fails is run once more with everything compared after
//! each call, to tell the shortest prefix that fails; `QUERN_LEDGER_SEED=SEED` runs that sequence
//! alone and prints its calls, `QUERN_LEDGER_SEED=SEED:CALLS` so many of them.
//!
//! What 200 calls cannot reach are the limits on all open jobs of an owner, on all that await a
//! coordinator, on the parts of one bond that are on their way out, and on masternodes, bans and
//! devices; the pallets' own tests do.

mod chance;
mod draft;
mod model;
mod real;
mod told;

use chance::Chance;
use draft::Cast;
use model::{Answer, Call, Ledger, Refusal, Sender, disputes::Kind};
use quern_dispute_rules::Evidence;
use real::Real;
use scale_info::{TypeDef, TypeInfo};
use std::{
    cell::Cell,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

const SEQUENCES: u64 = 500;
const SEQUENCES_NIGHTLY: u64 = 10_000;
const CALLS: usize = 200;
const CALLS_PER_BLOCK_MAX: u32 = 15;

/// Sequences of which it is counted what they reach. In so many each call is accepted twenty times or more, and
/// most some hundred times: a bond that is taken out of the roster and an answer in a dispute least often. At
/// least half of that must be, whichever masternodes the chain draws.
const LOOKED_AT: u64 = 120;
const ACCEPTED_LEAST: u32 = 10;

/// Of some refusals, each is reached eighteen times or more.
const REFUSED_LEAST: u32 = 9;

/// Masternodes of a job at first, at most, and how long nothing may be settled at first.
const GROUP_MAX: u32 = 4;
const STALL_LEAST: u32 = 15;
const STALL_MOST: u32 = 16;

/// Names one sequence to run instead of all.
const SEED: &str = "QUERN_LEDGER_SEED";

/// When the runtime is held against the model.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    EveryBlock,
    EveryCall,
}

/// How often each call was accepted and refused, and each refusal's name.
#[derive(Default)]
struct Reached {
    calls: BTreeMap<&'static str, [u32; 2]>,
    refusals: BTreeMap<&'static str, u32>,
}

impl Reached {
    fn count(&mut self, call: &Call, answer: &Answer) {
        let counts = self.calls.entry(call.name()).or_default();
        counts[usize::from(answer.is_err())] += 1;
        if let Err(Refusal::Named(name)) = answer {
            *self.refusals.entry(*name).or_default() += 1;
        }
    }
}

/// How often evidence of each kind was upheld, and how often it came to nothing or was refused.
#[derive(Default)]
struct Ruled(BTreeMap<Kind, [u32; 2]>);

impl Ruled {
    /// What the last call came to.
    fn count(&mut self, ledger: &Ledger) {
        if let Some((kind, convicted)) = ledger.disputes.ruled {
            self.0.entry(kind).or_default()[usize::from(!convicted)] += 1;
        }
    }

    fn add(&mut self, other: &Self) {
        for (kind, counts) in &other.0 {
            let sum = self.0.entry(*kind).or_default();
            (0..2).for_each(|place| sum[place] += counts[place]);
        }
    }

    /// Every kind of evidence that there is came to both.
    fn assert_whole(&self) {
        let TypeDef::Variant(kinds) = Evidence::type_info().type_def else {
            panic!("evidence is of kinds");
        };
        for kind in kinds.variants {
            let [upheld, rejected] = self.0.get(&kind.index).copied().unwrap_or_default();
            assert!(
                upheld > 0 && rejected > 0,
                "{}: {upheld} upheld, {rejected} rejected",
                kind.name
            );
        }
    }
}

/// Runs so many calls of a sequence. `done` counts them.
fn run(
    seed: u64,
    calls: usize,
    watch: Watch,
    done: &Cell<usize>,
    mut tell: impl FnMut(&Sender, &Call, &Answer, &Ledger),
) -> Result<(), String> {
    let mut chance = Chance::from_seed(seed);
    let is_lonely = chance.percent(draft::LONELY_PERCENT);
    let group = u8::try_from(chance.between(1, GROUP_MAX)).map_err(|error| error.to_string())?;
    let stall = chance.between(STALL_LEAST, STALL_MOST);
    let (mut real, cast, mut ledger) = Real::start(is_lonely, group, stall);
    real.begin_block(1, &mut ledger)?;
    let mut left = chance.between(1, CALLS_PER_BLOCK_MAX);
    for _ in 0..calls {
        if left == 0 {
            end_block(&mut real, &mut ledger, &cast, false)?;
            real.begin_block(draft::blocks(&mut chance, &ledger), &mut ledger)?;
            left = chance.between(1, CALLS_PER_BLOCK_MAX);
        }
        left -= 1;
        if chance.percent(draft::STRIKE_PERCENT) {
            strike(&mut chance, &mut real, &mut ledger)?;
        }
        let (sender, call) = draft::call(&mut chance, &ledger, &cast);
        done.set(done.get() + 1);
        let said = real.call(&sender, &call);
        let answer = ledger.answer(&sender, &call);
        tell(&sender, &call, &answer, &ledger);
        if !real::agree(&call, &answer, &said) {
            return Err(format!(
                "in block {}, {sender:?} calls {call:?}: the runtime says {said:?}, the model \
                 {answer:?}",
                ledger.now
            ));
        }
        if watch == Watch::EveryCall {
            real.compare(&mut ledger, &cast, true)
                .map_err(|differs| format!("after {sender:?} called {call:?}: {differs}"))?;
        }
    }
    end_block(&mut real, &mut ledger, &cast, true)
}

fn end_block(real: &mut Real, ledger: &mut Ledger, cast: &Cast, all: bool) -> Result<(), String> {
    real.end_block(ledger)
        .map_err(|differs| format!("at the end of block {}: {differs}", ledger.now))?;
    real.compare(ledger, cast, all)
        .map_err(|differs| format!("after block {}: {differs}", ledger.now))
}

/// A pending batch is proved wrong, if there is one.
fn strike(chance: &mut Chance, real: &mut Real, ledger: &mut Ledger) -> Result<(), String> {
    let jobs = ledger.jobs.jobs.iter();
    let pending: Vec<_> = jobs
        .flat_map(|(id, job)| job.pending().into_iter().map(|(place, _)| (*id, place)))
        .collect();
    let Some((job, place)) = chance.one_of(&pending) else {
        return Ok(());
    };
    let sequence = u32::try_from(place).map_err(|error| error.to_string())?;
    real.strike(job, sequence)
        .map_err(|error| format!("batch {place} of {job} is not struck: {error:?}"))?;
    model::batches::strike(ledger, &job, place);
    Ok(())
}

/// The same; a panic is a failure like others. With it comes the number of calls made.
fn attempt(
    seed: u64,
    calls: usize,
    watch: Watch,
    tell: impl FnMut(&Sender, &Call, &Answer, &Ledger),
) -> Result<(), (usize, String)> {
    let done = Cell::new(0);
    let ran = catch_unwind(AssertUnwindSafe(|| run(seed, calls, watch, &done, tell)));
    ran.unwrap_or_else(|_| Err("it panicked, with the words above".into()))
        .map_err(|why| (done.get(), why))
}

/// Runs a sequence, and counts what became of evidence; if it fails, says why, with the shortest prefix that
/// does.
fn check(seed: u64, ruled: &mut Ruled) -> Result<(), String> {
    let counts = |_: &Sender, call: &Call, _: &Answer, ledger: &Ledger| {
        if let Call::Disputes(_) = call {
            ruled.count(ledger);
        }
    };
    let Err((calls, why)) = attempt(seed, CALLS, Watch::EveryBlock, counts) else {
        return Ok(());
    };
    let closely = attempt(seed, calls, Watch::EveryCall, |_, _, _, _| {});
    let (calls, why) = closely.err().unwrap_or((calls, why));
    Err(format!(
        "sequence {seed} fails with its call number {calls}: {why}\nrun it again with \
         {SEED}={seed}:{calls}"
    ))
}

/// Runs the sequences of these seeds, as many at a time as there are processors. Together they show every kind
/// of evidence that there is, such that convicts and such that does not.
fn check_all(first: u64, count: u64) {
    if let Ok(named) = std::env::var(SEED) {
        return replay(&named);
    }
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let ended: Vec<(Option<String>, Ruled)> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let mut own = (first + thread..first + count).step_by(threads as usize);
                scope.spawn(move || {
                    let mut ruled = Ruled::default();
                    let failure = own.find_map(|seed| check(seed, &mut ruled).err());
                    (failure, ruled)
                })
            })
            .collect();
        let ended = running.into_iter();
        ended.map(|thread| thread.join().unwrap()).collect()
    });
    let mut all = Ruled::default();
    ended.iter().for_each(|(_, ruled)| all.add(ruled));
    let failures: Vec<_> = ended
        .into_iter()
        .filter_map(|(failure, _)| failure)
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    all.assert_whole();
}

/// Runs one sequence and prints its calls.
#[allow(clippy::print_stdout)] // That is what it is for.
fn replay(named: &str) {
    let (seed, calls) = named.split_once(':').unwrap_or((named, ""));
    let seed = seed.parse().expect("the seed is a number");
    let calls = calls.parse().unwrap_or(CALLS);
    let ran = attempt(
        seed,
        calls,
        Watch::EveryCall,
        |sender, call, answer, ledger| {
            println!("block {}: {sender:?} {call:?}: {answer:?}", ledger.now);
        },
    );
    if let Err((calls, why)) = ran {
        panic!("sequence {seed} fails with its call number {calls}: {why}");
    }
}

#[test]
fn any_calls_leave_the_ledger_as_the_model_says() {
    check_all(0, SEQUENCES);
}

/// Other sequences every night.
#[test]
#[ignore = "ten thousand sequences take seven minutes; `cargo xtask test --nightly` runs them"]
fn any_calls_of_many_nights_leave_the_ledger_as_the_model_says() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let night = since.as_secs() / (24 * 3_600);
    check_all(night * SEQUENCES_NIGHTLY, SEQUENCES_NIGHTLY);
}

/// The random calls are worth what they reach.
#[test]
fn about_half_of_the_calls_are_accepted_and_all_that_can_be_refused_is() {
    let mut reached = Reached::default();
    for seed in 0..LOOKED_AT {
        attempt(seed, CALLS, Watch::EveryBlock, |_, call, answer, _| {
            reached.count(call, answer);
        })
        .unwrap();
    }
    let sum = |place: usize| -> u32 { reached.calls.values().map(|counts| counts[place]).sum() };
    let (accepted, refused) = (sum(0), sum(1));
    let percent = 100 * accepted / (accepted + refused);
    assert!((40..=65).contains(&percent), "{percent} % are accepted");
    for (call, [accepted, refused]) in &reached.calls {
        assert!(
            *accepted >= ACCEPTED_LEAST && *refused >= 2,
            "{call}: {accepted} accepted, {refused} refused"
        );
    }
    let often = [
        "NotDrawn",
        "NotCoordinator",
        "TooLate",
        "WrongSequence",
        "TaskSettled",
        "ExposureAboveBond",
    ];
    for name in often {
        let count = reached.refusals.get(name).copied().unwrap_or(0);
        assert!(count >= REFUSED_LEAST, "{name} refused {count} calls");
    }
}
