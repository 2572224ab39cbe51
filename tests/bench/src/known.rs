//! Memory that a masternode takes for each device, as this process's resident pages grow.
//!
//! `grid_bytes_per_device` is what it takes for every device that it knows, whether that is here or
//! not: all that is left of it in the masternode's core when it is not heard of any more. That is its name
//! and account, what is known of how it is and what went wrong on it, and its place in the ranking, with
//! what finds each of them and with the memory in which the next ranking is made; which benchmarks it was
//! sent and declined; and how many of its answers were accepted, and how often in a row it paused or
//! stalled. There are a million, of a third as many accounts. Each came, told how it is, computed a
//! benchmark, was measured and went, through the steps that a masternode makes; so many at a time that
//! what those take that are here tells little. What is bounded by other things than the devices that are
//! known is not in it: pauses and waits that run, answers and failures that have no verdict, the names of
//! winners.
//!
//! `bytes_per_connected_device` is what it takes for one that is here: the same and what the
//! masternode's core has of it beside, which is the texts that the machine tells of itself, how it was
//! when it told last, its open exchange and when it will be missed. It goes when the device is not
//! heard of any more. What the connection takes below, in sockets and encryption, is not counted.

use crate::{
    devices::account,
    ranking::how_many,
    report::{Bar, Row, title},
};
use anyhow::Context as _;
use quern_grid::Tick;
use quern_masternode::core::{
    Bond, Challenge, Core, Effect, Engines, Event, Measured, ReportFacts, Settings, Token,
};
use quern_primitives::{
    DeviceId,
    device::{Class, Device, Hardware, Region},
    ids::{Digest, GenesisHash, NodeKey, SealingKey},
    view::DeviceView,
};
use quern_protocol::{BenchmarkAnswer, Exchange, Hello, Machine as Told, State, limits};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::fs;

pub(crate) const KNOWN: &str = "grid_bytes_per_device";
pub(crate) const CONNECTED: &str = "bytes_per_connected_device";

/// Of so many devices that are known one is connected.
const ONE_IS_HERE_OF: u32 = 10;

/// Of all devices that come and go as many are here at a time as make this number of times.
const TIMES: u32 = 1_000;

/// What benchmarks come to.
const OUTPUT: [u8; 8] = [7; 8];

/// A page of memory, in bytes.
const PAGE_BYTES: u64 = 4_096;

pub(crate) const ENGINE: Digest = Digest([6; 32]);

/// To be called before anything is measured that gives memory back, for what is free already does not
/// grow this process.
pub(crate) fn measure(quick: bool) -> anyhow::Result<Vec<Row>> {
    let count = how_many(quick);
    title(&format!("Knowing {count} devices"));
    // Both stay until both are measured, for the same reason.
    let (away, known) = grown_by(count, |chance| away(count, chance))?;
    let here = count / ONE_IS_HERE_OF;
    let (here, of_connected) = grown_by(here, |chance| Ok(connected(here, chance)))?;
    drop((away, here));
    let bar = Bar::RatioAtMost(1.0);
    Ok(vec![
        Row::new(KNOWN, (known, "bytes"), ("300 bytes", 300.0)).with_bar(bar),
        Row::new(CONNECTED, (of_connected, "bytes"), (KNOWN, known)),
    ])
}

/// What was made for so many devices, and by how many bytes this process grew for each.
fn grown_by<T>(
    count: u32,
    make: impl FnOnce(&mut StdRng) -> anyhow::Result<T>,
) -> anyhow::Result<(T, f64)> {
    let before = resident_bytes()?;
    let made = make(&mut StdRng::seed_from_u64(1))?;
    let grown = resident_bytes()?.saturating_sub(before);
    Ok((made, grown as f64 / f64::from(count)))
}

/// A masternode's core to which devices came, and from which they went for good.
fn away(count: u32, chance: &mut StdRng) -> anyhow::Result<Core> {
    let mut core = masternode();
    let mut now = Tick(0);
    let silence_ms = limits::SILENCE_MAX.as_millis() as u64;
    let at_a_time = (count / TIMES).max(1);
    for first in (0..count).step_by(at_a_time as usize) {
        for number in first..count.min(first.saturating_add(at_a_time)) {
            let device = DeviceId(chance.random());
            let mut view = view(device, number);
            // None has so many faults in a row that it has to wait.
            view.device.history.failed = chance.random_range(0..4);
            says_hello(&mut core, now, view);
            computes_a_benchmark(&mut core, now, device, chance)?;
            is_measured(&mut core, now, device, chance);
            core.step(now, Event::Gone { device });
        }
        // They are not heard of for so long, and the others come then.
        now = now.plus_ms(silence_ms);
        core.step(now, Event::Tick);
    }
    let known = core.known_devices();
    anyhow::ensure!(known == count as usize, "{known} devices are known");
    Ok(core)
}

/// A device tells how it is, is sent a benchmark, and answers it.
fn computes_a_benchmark(
    core: &mut Core,
    now: Tick,
    device: DeviceId,
    chance: &mut StdRng,
) -> anyhow::Result<()> {
    let challenge = Challenge {
        input: [1; 16],
        output: OUTPUT,
        fuel: chance.random_range(1_000_000..40_000_000),
    };
    core.step(now, Event::Challenge(challenge));
    let asks = Exchange {
        want: 1,
        state: Some(state()),
        ..Exchange::default()
    };
    let effects = exchanges(core, now, device, asks);
    let plan = effects.iter().find_map(|effect| match effect {
        Effect::Answer { work, .. } => work.benchmark,
        _ => None,
    });
    let number = plan.context("a device is sent no benchmark")?.number;
    let output = OUTPUT;
    let answers = Exchange {
        benchmark: Some(BenchmarkAnswer { number, output }),
        ..Exchange::default()
    };
    exchanges(core, now, device, answers);
    Ok(())
}

/// The masternode measures what it can of a device.
fn is_measured(core: &mut Core, now: Tick, device: DeviceId, chance: &mut StdRng) {
    let bytes = 1 << 20;
    let mut ms = || chance.random_range(10..10_000);
    let all = [
        Measured::Down { bytes, ms: ms() },
        Measured::Up { bytes, ms: ms() },
        Measured::RoundTrip { ms: ms() },
    ];
    for measured in all {
        core.step(now, Event::Measured { device, measured });
    }
}

/// A masternode's core with devices that have said hello and how they are, and wait for work.
fn connected(count: u32, chance: &mut StdRng) -> Core {
    let mut core = masternode();
    for number in 0..count {
        let device = DeviceId(chance.random());
        says_hello(&mut core, Tick(0), view(device, number));
        let asks = Exchange {
            want: 1,
            state: Some(state()),
            ..Exchange::default()
        };
        exchanges(&mut core, Tick(0), device, asks);
    }
    core
}

/// A masternode's core that knows nobody.
fn masternode() -> Core {
    let engines = Engines {
        pinned: ENGINE,
        portable: ENGINE,
    };
    let settings = Settings::new(GenesisHash([9; 32]), NodeKey::default(), engines);
    Core::new(settings)
}

fn says_hello(core: &mut Core, now: Tick, view: DeviceView) {
    let hello = Event::Hello {
        at: 1,
        view: Box::new(view),
        bond: Bond::default(),
        hello: hello(),
    };
    core.step(now, hello);
}

fn exchanges(core: &mut Core, now: Tick, device: DeviceId, exchange: Exchange) -> Vec<Effect> {
    let exchange = Event::Exchange {
        device,
        token: Token(0),
        exchange,
        facts: ReportFacts::default(),
    };
    core.step(now, exchange)
}

/// What the chain says of a device; every third has an account of its own.
pub(crate) fn view(id: DeviceId, number: u32) -> DeviceView {
    DeviceView {
        id,
        device: Device::new(
            account(number / 3),
            SealingKey([1; 32]),
            Region::Europe,
            Hardware::Desktop,
        ),
        bonded: true,
        banned: false,
        verified: false,
        quarantined: false,
    }
}

pub(crate) fn hello() -> Hello {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    Hello {
        software: b"quern-worker 0.1.0".to_vec(),
        engines: vec![(Class::Pinned, ENGINE)],
        machine: Told {
            operating_system: text("Debian GNU/Linux 13 (trixie)"),
            processor_maker: text("AuthenticAMD"),
            processor_family: text("25"),
            processor_model: text("AMD Ryzen 7 5800X 8-Core Processor"),
            cores: Some(8),
            gpu: text("NVIDIA GeForce RTX 3070"),
            ram_mib: Some(32_000),
            storage_mib: Some(900_000),
        },
        ..Hello::default()
    }
}

fn state() -> State {
    State {
        free_ram_mib: Some(20_000),
        free_storage_mib: Some(400_000),
        free_cpu_permille: Some(900),
        temperature_decicelsius: Some(450),
        ..State::default()
    }
}

/// Memory of this process that is in use.
fn resident_bytes() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/self/statm")?;
    let pages = text.split_whitespace().nth(1);
    let pages: u64 = pages.context("the kernel does not tell")?.parse()?;
    Ok(pages * PAGE_BYTES)
}
