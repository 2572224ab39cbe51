//! Memory that a masternode takes for each device, as this process's resident pages grow.
//!
//! `grid_bytes_per_device` is what it takes for every device that it knows, whether that is here or
//! not: the whole of [`Fleet`], which has the device's name and account, what is known of how it is and
//! what went wrong on it, and its place in the ranking, with what finds each of them and with the memory
//! in which the next ranking is made. There are a million, of a third as many accounts; everything is
//! known of each, and all of them are away, for that takes a little more than if they were here.
//!
//! `bytes_per_connected_device` is what it takes for one that is here: the same and what the
//! masternode's core has of it beside, which is the texts that the machine tells of itself, how it was
//! when it told last, its open exchange and when it will be missed. It goes when the device is not
//! heard of any more. What the connection takes below, in sockets and encryption, is not counted.

use crate::{
    devices::{Machine, account},
    ranking::how_many,
    report::{Bar, Row, title},
};
use anyhow::Context as _;
use quern_grid::{Flag, Fleet, FleetSettings, Tick};
use quern_masternode::core::{Bond, Core, Engines, Event, ReportFacts, Settings, Token};
use quern_primitives::{
    DeviceId,
    device::{Class, Device, Hardware, Region},
    ids::{Digest, GenesisHash, NodeKey, SealingKey},
    view::DeviceView,
};
use quern_protocol::{Exchange, Hello, Machine as Told, State};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::fs;

pub(crate) const KNOWN: &str = "grid_bytes_per_device";
pub(crate) const CONNECTED: &str = "bytes_per_connected_device";

/// Of so many devices that are known one is connected.
const ONE_IS_HERE_OF: u32 = 10;

/// A page of memory, in bytes.
const PAGE_BYTES: u64 = 4_096;

pub(crate) const ENGINE: Digest = Digest([6; 32]);

/// To be called before anything is measured that gives memory back, for what is free already does not
/// grow this process.
pub(crate) fn measure(quick: bool) -> anyhow::Result<Vec<Row>> {
    let count = how_many(quick);
    title(&format!("Knowing {count} devices"));
    // Both stay until both are measured, for the same reason.
    let (fleet, known) = grown_by(count, |chance| away(count, chance))?;
    let here = count / ONE_IS_HERE_OF;
    let (core, of_connected) = grown_by(here, |chance| Ok(connected(here, chance)))?;
    drop((fleet, core));
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

/// Devices that were ranked and have left.
fn away(count: u32, chance: &mut StdRng) -> anyhow::Result<Fleet> {
    let mut fleet = Fleet::new(FleetSettings::default());
    for _ in 0..count {
        Machine::come(&mut fleet, Tick(0), count, chance)?;
    }
    fleet.rank(Tick(0));
    for number in 0..count {
        fleet.set_flags(number, [(Flag::Disconnected, true)]);
    }
    fleet.rank(Tick(0));
    Ok(fleet)
}

/// A masternode's core with devices that have said hello and how they are, and wait for work.
fn connected(count: u32, chance: &mut StdRng) -> Core {
    let engines = Engines {
        pinned: ENGINE,
        portable: ENGINE,
    };
    let settings = Settings::new(GenesisHash([9; 32]), NodeKey::default(), engines);
    let mut core = Core::new(settings);
    for number in 0..count {
        let id = DeviceId(chance.random());
        let hello = Event::Hello {
            at: 1,
            view: Box::new(view(id, number)),
            bond: Bond::default(),
            hello: hello(),
        };
        core.step(Tick(0), hello);
        let exchange = Exchange {
            want: 1,
            state: Some(state()),
            ..Exchange::default()
        };
        let exchange = Event::Exchange {
            device: id,
            token: Token(number.into()),
            exchange,
            facts: ReportFacts::default(),
        };
        core.step(Tick(0), exchange);
    }
    core
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
