//! What jobs ask of devices, and which devices have it: once more, by the chain's words alone.

use super::{config::Config, machine::Machine};
use crate::population::DESKTOP_SPEED;
use quern_primitives::{
    device::{Hardware, Region},
    ids::AccountId,
    job::{ByteLevel, HardwareSet, Preferences, RegionSet, Submission},
};
use rand::{RngExt as _, rngs::StdRng};
use std::collections::BTreeSet;

/// Wishes of an owner until one is taken that enough devices meet.
const WISHES: usize = 4;

/// Bytes of a MiB.
pub(super) const MIB: u64 = 1 << 20;

/// Memory of a task unless its job's owner wishes for more, in MiB: every machine allows it.
pub(super) const USUAL_MIB: u64 = 64;

/// Memory that wishes are for, and that machines let one task have, in MiB: powers of two, of which
/// masternodes round none.
const WISHED_MIB: [u64; 4] = [USUAL_MIB, USUAL_MIB, 256, 1_024];
pub(super) const ALLOWED_MIB: [u64; 4] = [128, 512, 1_024, 4_096];

const REGIONS: [Region; 3] = [Region::Americas, Region::Europe, Region::AsiaPacific];

const KINDS: [Hardware; 4] = [
    Hardware::Mobile,
    Hardware::Laptop,
    Hardware::Desktop,
    Hardware::Server,
];

/// What the chain says of a device that matters to who asks for devices.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) account: AccountId,
    /// Whether the council verified it.
    pub(super) is_trusted: bool,
    pub(super) region: Region,
    pub(super) hardware: Hardware,
    /// Whether what is bonded for it covers any job's tasks; otherwise it covers none.
    pub(super) is_covered: bool,
    /// How much memory its worker lets one task have, in MiB, which is the one thing here that the chain
    /// does not know.
    pub(super) memory_mib: u64,
}

impl Facts {
    /// Whether a task of a job may have all the memory that it may need.
    pub(super) fn has_memory_for(&self, submission: &Submission) -> bool {
        self.memory_mib >= submission.memory_bytes_max.div_ceil(MIB)
    }
}

/// What the owner of a job asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    pub(super) level: ByteLevel,
    pub(super) preferences: Preferences,
    /// Memory that a task may need, in MiB; the usual, if that is more.
    pub(super) memory_mib: u64,
    /// How fast the devices are together that have it, in ordinary desktops.
    pub(super) desktops: u32,
}

/// What a job asks for that a device has not, in words; nothing if the device may have its tasks.
pub(super) fn lacking(asked: &Preferences, facts: &Facts) -> Option<&'static str> {
    match () {
        () if asked.trusted && !facts.is_trusted => Some("trusted devices"),
        () if !asked.regions.allows(facts.region) => Some("other regions"),
        () if !asked.hardware.allows(facts.hardware) => Some("other kinds of machine"),
        () if !facts.is_covered => Some("a larger bond"),
        () => None,
    }
}

/// So many accounts should be able to take a task of so many replicas, for the job to go on when some
/// devices go away or fail.
pub(super) fn accounts_wanted(replicas: u8) -> u32 {
    2 * u32::from(replicas) + 2
}

/// What an owner asks for: nothing, or something that enough devices have.
pub(super) fn drawn(config: &Config, machines: &[Machine], chance: &mut StdRng) -> Asked {
    let levels = [ByteLevel::Low, ByteLevel::Balanced, ByteLevel::High];
    let level = one_of(levels, chance);
    let is_met = |asked: &(Preferences, u64)| {
        let accounts: BTreeSet<&AccountId> = able(machines, *asked)
            .map(|machine| &machine.facts.account)
            .collect();
        accounts.len() >= accounts_wanted(config.replicas) as usize
    };
    let wished = match chance.random_range(0..1_000u32) < config.asking {
        true => (0..WISHES).map(|_| wish(chance)).find(is_met),
        false => None,
    };
    let wished = wished.unwrap_or((Preferences::default(), USUAL_MIB));
    let speeds = able(machines, wished).map(Machine::speed);
    let (preferences, memory_mib) = wished;
    Asked {
        level,
        preferences,
        memory_mib,
        desktops: (speeds.sum::<f64>() / DESKTOP_SPEED) as u32,
    }
}

/// What an owner asks for where fewer accounts have it than must agree on an answer; nothing if nothing of
/// the kind is found.
pub(super) fn too_few(config: &Config, machines: &[Machine], chance: &mut StdRng) -> Option<Asked> {
    let quorum = usize::from(config.replicas / 2 + 1);
    let wish = |chance: &mut StdRng| Preferences {
        trusted: true,
        regions: RegionSet::only([one_of(REGIONS, chance)]),
        hardware: HardwareSet::only([one_of(KINDS, chance)]),
        ..Preferences::default()
    };
    let has_too_few = |preferences: &Preferences| {
        let able = able(machines, (*preferences, USUAL_MIB));
        let accounts: BTreeSet<&AccountId> = able.map(|it| &it.facts.account).collect();
        accounts.len() < quorum
    };
    let found = (0..WISHES).map(|_| wish(chance)).find(has_too_few);
    found.map(|preferences| Asked {
        preferences,
        memory_mib: USUAL_MIB,
        ..Asked::default()
    })
}

/// Devices that have what is asked for, and so much memory for a task.
fn able(
    machines: &[Machine],
    (asked, memory_mib): (Preferences, u64),
) -> impl Iterator<Item = &Machine> {
    let is_able = move |machine: &&Machine| {
        let facts = &machine.facts;
        lacking(&asked, facts).is_none() && facts.memory_mib >= memory_mib
    };
    machines.iter().filter(is_able)
}

/// What an owner may wish for, and how much memory for a task.
fn wish(chance: &mut StdRng) -> (Preferences, u64) {
    let region = RegionSet::only([one_of(REGIONS, chance)]);
    let regions = RegionSet::only([one_of(REGIONS, chance), one_of(REGIONS, chance)]);
    let kind = HardwareSet::only([one_of(KINDS, chance)]);
    let kinds = HardwareSet::only([one_of(KINDS, chance), one_of(KINDS, chance)]);
    let nothing = Preferences::default();
    let wishes = [
        Preferences {
            trusted: true,
            ..nothing
        },
        Preferences {
            regions: region,
            ..nothing
        },
        Preferences {
            hardware: kind,
            ..nothing
        },
        Preferences {
            regions,
            hardware: kinds,
            ..nothing
        },
    ];
    (one_of(wishes, chance), one_of(WISHED_MIB, chance))
}

/// One of several.
pub(super) fn one_of<T: Copy, const N: usize>(all: [T; N], chance: &mut StdRng) -> T {
    all[chance.random_range(0..N as u32) as usize]
}

/// What a job asks for, as a trace has it.
pub(super) fn in_words(asked: &Preferences) -> String {
    let mut words = String::new();
    if asked.trusted {
        words.push_str(", trusted devices only");
    }
    if asked.regions != RegionSet::ANY {
        let regions: Vec<Region> = asked.regions.named().collect();
        words.push_str(&format!(", {regions:?} only"));
    }
    if asked.hardware != HardwareSet::ANY {
        let kinds: Vec<Hardware> = asked.hardware.named().collect();
        words.push_str(&format!(", {kinds:?} only"));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_lacks_is_named() {
        let device = Facts {
            account: AccountId::new([1; 32]),
            is_trusted: false,
            region: Region::Europe,
            hardware: Hardware::Laptop,
            is_covered: true,
            memory_mib: 128,
        };
        let lack = |change: fn(&mut Preferences)| {
            let mut asked = Preferences::default();
            change(&mut asked);
            lacking(&asked, &device)
        };
        assert_eq!(lack(|_| ()), None);
        assert_eq!(lack(|it| it.trusted = true), Some("trusted devices"));
        let americas = |it: &mut Preferences| it.regions = RegionSet::only([Region::Americas]);
        assert_eq!(lack(americas), Some("other regions"));
        let servers = |it: &mut Preferences| it.hardware = HardwareSet::only([Hardware::Server]);
        assert_eq!(lack(servers), Some("other kinds of machine"));
        let both = RegionSet::only([Region::Americas, Region::Europe]);
        let asked = Preferences {
            regions: both,
            ..Preferences::default()
        };
        assert_eq!(lacking(&asked, &device), None);
        assert_eq!(in_words(&asked), ", [Americas, Europe] only");
        let bondless = Facts {
            is_covered: false,
            ..device
        };
        assert_eq!(
            lacking(&Preferences::default(), &bondless),
            Some("a larger bond")
        );
    }
}
