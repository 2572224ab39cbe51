//! The graphics processor: a display adapter that can compute.

use super::{
    look::{Look, value_of, words},
    oddity::Figure,
};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

const FIGURE: Figure = Figure::Gpu;
const DRM: &str = "sys/class/drm";
const NVIDIA: &str = "proc/driver/nvidia/gpus";

/// Lists of the names of PCI devices, where distributions keep them.
const PCI_NAMES: [&str; 3] = [
    "usr/share/hwdata/pci.ids",
    "usr/share/misc/pci.ids",
    "usr/share/pci.ids",
];

/// Bytes of such a list that are read; today's have less than 2 MB.
const PCI_NAMES_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A device's vendor and number on the PCI bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PciId {
    vendor: u16,
    device: u16,
}

/// The name of the one that computes best; of two equally good ones the first.
pub(super) fn model(look: &mut Look) -> Option<String> {
    if let Some(name) = nvidia(look) {
        return Some(name);
    }
    // Only adapters that can compute have a render node; a server's remote console has none.
    let nodes: Vec<String> = look
        .names(FIGURE, DRM)
        .into_iter()
        .filter(|name| name.starts_with("renderD"))
        .collect();
    let devices = nodes
        .iter()
        .filter_map(|node| device(look, &format!("{DRM}/{node}/device")));
    let (_, best) = devices
        .collect::<Vec<_>>()
        .into_iter()
        .enumerate()
        .max_by_key(|(place, found)| (found.worth(), usize::MAX - place))?;
    match best {
        Found::Pci(id) => Some(pci_name(look, id)),
        Found::Built(name) => Some(name),
    }
}

/// What a render node belongs to.
enum Found {
    Pci(PciId),
    /// Part of a system on a chip, by the name its firmware gives it.
    Built(String),
}

impl Found {
    /// Adapters of their own memory before those that share the processor's.
    fn worth(&self) -> u8 {
        match self {
            Self::Pci(PciId { vendor: 0x10de, .. }) => 4,
            Self::Pci(PciId { vendor: 0x1002, .. }) => 3,
            Self::Pci(PciId { vendor: 0x8086, .. }) => 2,
            Self::Pci(_) => 1,
            Self::Built(_) => 0,
        }
    }
}

/// NVIDIA's own driver tells the model in words.
fn nvidia(look: &mut Look) -> Option<String> {
    let cards = look.names(FIGURE, NVIDIA);
    cards.iter().find_map(|card| {
        let text = look.line(FIGURE, &format!("{NVIDIA}/{card}/information"))?;
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.trim() == "Model")
            .and_then(|(_, model)| words(model))
    })
}

fn device(look: &mut Look, folder: &str) -> Option<Found> {
    let mut number = |file| {
        let place = format!("{folder}/{file}");
        let text = look.line(FIGURE, &place)?;
        let number = text
            .strip_prefix("0x")
            .and_then(|digits| u16::from_str_radix(digits, 16).ok());
        if number.is_none() {
            look.not_understood(FIGURE, &place, &text);
        }
        number
    };
    if let (Some(vendor), Some(device)) = (number("vendor"), number("device")) {
        return Some(Found::Pci(PciId { vendor, device }));
    }
    let text = look.line(FIGURE, &format!("{folder}/uevent"))?;
    value_of(&text, "OF_COMPATIBLE_0")
        .and_then(words)
        .map(Found::Built)
}

/// Maker and model in words, or as numbers where no list of names is installed.
fn pci_name(look: &Look, id: PciId) -> String {
    PCI_NAMES
        .iter()
        .find_map(|place| listed(&look.path(place), id))
        .and_then(|name| words(&name))
        .unwrap_or_else(|| format!("{:04x}:{:04x}", id.vendor, id.device))
}

/// Looks a device up in a list: makers begin at a line's start, their devices after a tab.
fn listed(list: &Path, id: PciId) -> Option<String> {
    let file = File::open(list).ok()?;
    let mut lines = BufReader::new(file.take(PCI_NAMES_BYTES_MAX));
    let vendor = format!("{:04x}", id.vendor);
    let device = format!("\t{:04x}", id.device);
    let mut maker: Option<String> = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).ok()? == 0 {
            return maker;
        }
        let text = String::from_utf8_lossy(&line);
        let is_entry = !text.starts_with(['#', '\n', '\t']);
        match &maker {
            None if is_entry => {
                maker = text
                    .strip_prefix(&vendor)
                    .map(|name| name.trim().to_owned());
            }
            Some(_) if is_entry => return maker,
            Some(name) => {
                if let Some(model) = text.strip_prefix(&device) {
                    return Some(format!("{name} {}", model.trim()));
                }
            }
            None => {}
        }
    }
}
