//! What this machine is and how it is, read from the machine itself.
//!
//! [`Machine`] is read once, [`State`] every 30 seconds by a [`Watch`], which remembers what it has
//! to compare with: processor time since the last reading, and when a person last touched the
//! machine.
//!
//! # Where each figure comes from
//!
//! | figure | source |
//! | --- | --- |
//! | operating system | `/etc/os-release` |
//! | processor, cores, threads | `/proc/cpuinfo`, `/sys/devices/system/cpu` |
//! | GPU | `/proc/driver/nvidia`, `/sys/class/drm` render nodes, named from `pci.ids` |
//! | RAM, total and free | `/proc/meminfo`, narrowed by the limits of the control groups above |
//! | storage, total and free | the file system that holds the data folder |
//! | network | the interface of the default route, `/proc/net`, `/sys/class/net` |
//! | free processor time | two readings of `/proc/stat`, this process's own time counted as free |
//! | battery, charging | `/sys/class/power_supply` |
//! | temperature | `/sys/class/hwmon`, else `/sys/class/thermal` |
//! | input | terminals' access times, interrupts of input controllers, USB reports; see [`State`] |
//!
//! No crate for system information is used: those look at `/` only, so that no test could show them
//! a machine with a broken sensor, and have no word for the network's kind, the battery or input.
//! Where these files are not, as on other systems than Linux, the figures are absent.
//!
//! # Absent is absent
//!
//! A figure that the machine does not tell is `None`, never zero. One that it tells wrong (text
//! where a number belongs, less than nothing, more than any machine has) is `None` as well, and an
//! [`Oddity`] says so once.
//!
//! # Bounds
//!
//! Files and folders are read up to a length, depths are counted: a fake or broken tree costs time
//! and memory within limits. Sensors can still be slow, by tens of milliseconds, and a dead network
//! file system can hold `statvfs` for ever; a [`Watch`] belongs on a thread that may block.

mod gpu;
mod heat;
mod input;
mod look;
mod memory;
mod network;
mod oddity;
mod power;
mod processor;
mod storage;
#[cfg(test)]
mod tests;
mod usage;

pub use network::Link;
pub use oddity::{Figure, Oddity, Wrong};
pub use processor::Processor;

use input::Input;
use look::Look;
use oddity::Oddities;
use std::{path::PathBuf, time::Duration};
use usage::Usage;

/// How often a [`State`] is read.
pub const STATE_EVERY: Duration = Duration::from_secs(30);

/// What the machine is: what does not change while the worker runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Name and version of the operating system.
    pub operating_system: Option<String>,
    /// The processor.
    pub processor: Processor,
    /// Maker and model of the graphics processor that computes best.
    pub gpu: Option<String>,
    /// Memory that programs may use, in MiB.
    pub ram_mib: Option<u64>,
    /// Size of the file system that holds the data folder, in MiB.
    pub storage_mib: Option<u64>,
}

/// How the machine is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What the default route goes over.
    pub network: Option<Link>,
    /// Memory that could be had without swapping, in MiB.
    pub free_ram_mib: Option<u64>,
    /// Room for an ordinary user on the data folder's file system, in MiB.
    pub free_storage_mib: Option<u64>,
    /// Processor time since the last reading that other programs left, in thousandths of all there
    /// was. The worker's own tasks are not load. Absent in the first reading.
    pub free_cpu_permille: Option<u16>,
    /// Charge of the batteries, in thousandths. Absent without a battery.
    pub battery_permille: Option<u16>,
    /// Whether the machine runs on external power. Absent without a battery.
    pub charging: Option<bool>,
    /// The hottest core, in tenths of a degree Celsius.
    pub temperature_decicelsius: Option<i16>,
    /// Seconds since a person last used keyboard, mouse, touchpad or a terminal, as far as the watch
    /// has seen; its start counts as use, for nothing is known of the time before.
    ///
    /// It is measured without a display, a session bus or rights, so that a service has it too. What
    /// it does not see: a person who only watches, and what is joined by Bluetooth. Absent while a keyboard,
    /// mouse or the like is joined so, and where none of its sources is there.
    pub input_idle_s: Option<u64>,
}

impl State {
    /// Processor time that other programs took, in thousandths.
    pub fn others_cpu_permille(&self) -> Option<u16> {
        self.free_cpu_permille
            .map(|free| 1_000_u16.saturating_sub(free))
    }
}

/// Where to look.
#[derive(Clone, Debug)]
pub struct Places {
    /// What `/proc`, `/sys`, `/dev`, `/etc` and `/usr` are below: `/`, unless it is a test's.
    pub root: PathBuf,
    /// The data folder.
    pub data: PathBuf,
}

impl Places {
    /// This machine, with this data folder.
    pub fn here(data: PathBuf) -> Self {
        Self {
            root: "/".into(),
            data,
        }
    }
}

/// Reads the machine, again and again.
#[derive(Debug)]
pub struct Watch {
    places: Places,
    usage: Usage,
    input: Input,
    oddities: Oddities,
}

impl Watch {
    /// Reads what the machine is, and what later readings are compared with.
    ///
    /// `now` is any clock that only runs forwards, the same in every call.
    pub fn start(places: Places, now: Duration) -> (Self, Machine) {
        let mut watch = Self {
            places,
            usage: Usage::default(),
            input: Input::started(now),
            oddities: Oddities::default(),
        };
        let mut look = Look::new(&watch.places.root, &mut watch.oddities);
        let machine = Machine {
            operating_system: operating_system(&mut look),
            processor: processor::read(&mut look),
            gpu: gpu::model(&mut look),
            ram_mib: memory::total_mib(&mut look),
            storage_mib: storage::room(&mut look, Figure::Storage, &watch.places.data)
                .map(|room| room.total_mib),
        };
        watch.usage.free_permille(&mut look);
        watch.input.idle_s(&mut look, now);
        (watch, machine)
    }

    /// Reads how the machine is.
    pub fn read(&mut self, now: Duration) -> State {
        let mut look = Look::new(&self.places.root, &mut self.oddities);
        let power = power::read(&mut look);
        State {
            network: network::link(&mut look),
            free_ram_mib: memory::free_mib(&mut look),
            free_storage_mib: storage::room(&mut look, Figure::FreeStorage, &self.places.data)
                .map(|room| room.free_mib),
            free_cpu_permille: self.usage.free_permille(&mut look),
            battery_permille: power.battery_permille,
            charging: power.charging,
            temperature_decicelsius: heat::decicelsius(&mut look),
            input_idle_s: self.input.idle_s(&mut look, now),
        }
    }

    /// Seconds since a person last used the machine, as in [`State::input_idle_s`]. It costs less
    /// than a whole reading and may be asked more often.
    pub fn input_idle_s(&mut self, now: Duration) -> Option<u64> {
        let mut look = Look::new(&self.places.root, &mut self.oddities);
        self.input.idle_s(&mut look, now)
    }

    /// What was found odd since this was last asked; nothing is told twice.
    pub fn oddities(&mut self) -> Vec<Oddity> {
        self.oddities.take()
    }
}

/// The name in `/etc/os-release`, else what this program was built for.
fn operating_system(look: &mut Look) -> Option<String> {
    let figure = Figure::OperatingSystem;
    let text = ["etc/os-release", "usr/lib/os-release"]
        .into_iter()
        .find_map(|place| look.text(figure, place, look::SHORT_BYTES_MAX));
    let value = |key: &str| {
        let text = text.as_deref()?;
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| name.trim() == key)
            .and_then(|(_, value)| look::words(value.trim().trim_matches(['"', '\''])))
    };
    value("PRETTY_NAME")
        .or_else(|| value("NAME"))
        .or_else(|| look::words(std::env::consts::OS))
}
