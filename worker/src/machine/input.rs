//! When a person last used the machine, without a display, a session bus or rights.
//!
//! Everything that a person's hand moves leaves a trace that any process may look at:
//!
//! - A terminal, be it of the console, a window or a login from afar, notes the time when a program
//!   last read input from it, as its access time. (Output sets another time.) The kernel rounds it
//!   to eight seconds.
//! - Built-in and PS/2 keyboards, mice, touchpads and touchscreens raise an interrupt of their own,
//!   which `/proc/interrupts` counts. Which interrupts those are follows from their controllers'
//!   names, and from the names of the I2C devices that an input driver serves.
//! - A USB keyboard, mouse, touchscreen or tablet answers a request with each report, and the kernel counts the requests
//!   of every USB device in `urbnum`. The interrupt of the USB controller would not do: disks and
//!   network adapters share it.
//!
//! All are taken as counters: one that is new, or differs from the last reading, was moved in
//! between. So the machine's clock plays no part, and no jump of it makes a person appear or stay.
//!
//! Serial lines are left out, for meters and clocks speak over them all day. Bluetooth keyboards and
//! mice leave no trace that is theirs alone: where there is one, nobody can tell whether it is used.

use super::{
    look::{Look, SHORT_BYTES_MAX, TABLE_BYTES_MAX, value_of},
    oddity::Figure,
};
use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, UNIX_EPOCH},
};

const FIGURE: Figure = Figure::Input;
const INTERRUPTS: &str = "proc/interrupts";
const USB: &str = "sys/bus/usb/devices";
const I2C: &str = "sys/bus/i2c/devices";
const HID: &str = "sys/bus/hid/devices";

/// How the names of human interfaces begin that are joined by Bluetooth.
const BLUETOOTH: &str = "0005:";

/// Traces that are compared.
const TRACES_MAX: usize = 4_096;

/// Drivers of keyboards, touchpads and touchscreens on the I2C bus, by how their names begin.
const I2C_DRIVERS: [&str; 8] = [
    "atmel_mxt",
    "cyapa",
    "edt_ft5x06",
    "elan",
    "goodix",
    "i2c_hid",
    "rmi4",
    "raydium",
];

/// Interrupts that are input's wherever they are. On many laptops `i8042` is the keyboard.
const INPUT_INTERRUPTS: [&str; 4] = ["i8042", "applespi", "rmi4_smbus", "gpio-keys"];

/// Remembers the last traces and when one of them last moved.
#[derive(Debug)]
pub(super) struct Input {
    last: Option<Traces>,
    moved_at: Duration,
}

/// Counters by where they were read.
type Traces = BTreeMap<String, u128>;

impl Input {
    pub(super) fn started(now: Duration) -> Self {
        Self {
            last: None,
            moved_at: now,
        }
    }

    /// Seconds since a trace last moved; `None` if there is nothing that would tell.
    pub(super) fn idle_s(&mut self, look: &mut Look, now: Duration) -> Option<u64> {
        let Some(traces) = traces(look) else {
            // Nobody knows what was done meanwhile.
            self.moved_at = now;
            return None;
        };
        if let Some(last) = &self.last
            && traces
                .iter()
                .any(|(place, count)| last.get(place) != Some(count))
        {
            self.moved_at = now;
        }
        self.last = Some(traces);
        Some(now.saturating_sub(self.moved_at).as_secs())
    }
}

fn traces(look: &mut Look) -> Option<Traces> {
    let mut human = look.names(FIGURE, HID).into_iter();
    if human.any(|name| name.starts_with(BLUETOOTH)) {
        return None;
    }
    let mut traces = Traces::new();
    let has_interrupts = interrupts(look, &mut traces);
    let has_usb = usb(look, &mut traces);
    terminals(look, &mut traces);
    // Terminals alone do not tell: a person at a desktop may have none.
    (has_interrupts || has_usb).then_some(traces)
}

fn add(traces: &mut Traces, place: String, count: u128) {
    if traces.len() < TRACES_MAX {
        traces.insert(place, count);
    }
}

fn terminals(look: &mut Look, traces: &mut Traces) {
    for (folder, prefix) in [("dev", "tty"), ("dev/pts", "")] {
        for name in look.names(FIGURE, folder) {
            // `tty0` is whichever console is in front, and `tty` whichever asks.
            let is_terminal = name
                .strip_prefix(prefix)
                .and_then(|number| number.parse::<u32>().ok())
                .is_some_and(|number| number > 0 || prefix.is_empty());
            let place = format!("{folder}/{name}");
            if is_terminal
                && let Ok(read_at) = fs::metadata(look.path(&place)).and_then(|it| it.accessed())
            {
                let since = read_at.duration_since(UNIX_EPOCH).unwrap_or_default();
                add(traces, place, since.as_nanos());
            }
        }
    }
}

/// The interrupts of input devices; false if interrupts are not to be seen.
fn interrupts(look: &mut Look, traces: &mut Traces) -> bool {
    let Some(text) = look.text(FIGURE, INTERRUPTS, TABLE_BYTES_MAX) else {
        return false;
    };
    let mut lines = text.lines();
    let processors = lines.next().unwrap_or_default().split_whitespace().count();
    let devices = i2c_input(look);
    for line in lines {
        let Some((number, rest)) = line.split_once(':') else {
            continue;
        };
        let words = || rest.split([' ', ',', '\t']).filter(|word| !word.is_empty());
        let is_input = words().any(|word| {
            INPUT_INTERRUPTS.contains(&word)
                || devices.iter().any(|device| device == word)
                // A virtual machine's keyboard and tablet.
                || (word.starts_with("virtio") && word.ends_with("-events"))
        });
        if is_input {
            let count = words()
                .take(processors)
                .filter_map(|word| word.parse::<u64>().ok())
                .map(u128::from)
                .sum();
            add(traces, format!("{INTERRUPTS} {}", number.trim()), count);
        }
    }
    true
}

/// The names, as interrupts carry them, of the I2C devices that a person moves.
fn i2c_input(look: &mut Look) -> Vec<String> {
    let devices = look.names(FIGURE, I2C);
    devices
        .iter()
        .filter_map(|device| {
            let folder = format!("{I2C}/{device}");
            let uevent = look.text(FIGURE, &format!("{folder}/uevent"), SHORT_BYTES_MAX)?;
            let driver = value_of(&uevent, "DRIVER")?;
            let is_input = I2C_DRIVERS.iter().any(|known| driver.starts_with(known));
            let name = is_input.then(|| look.line(FIGURE, &format!("{folder}/name")))??;
            Some(name).filter(|name| !name.is_empty())
        })
        .collect()
}

/// Whether a USB interface is a person's to move: a human interface that is a keyboard or mouse, or of which the
/// kernel made an input device, as it does of touchscreens and tablets. Other human interfaces, as those of
/// uninterruptible power supplies, report without anybody's doing.
fn is_moved_by_hand(look: &mut Look, interface: &str) -> bool {
    let mut code = |file| look.line(FIGURE, &format!("{interface}/{file}"));
    if code("bInterfaceClass").as_deref() != Some("03") {
        return false;
    }
    if matches!(code("bInterfaceProtocol").as_deref(), Some("01" | "02")) {
        return true;
    }
    // A device of the HID bus is named after bus, vendor, product and number: 0003:056A:0357.0004.
    let devices = look.names(FIGURE, interface);
    let mut devices = devices.iter().filter(|name| name.contains(':'));
    devices.any(|device| {
        let inputs = look.names(FIGURE, &format!("{interface}/{device}/input"));
        inputs.iter().any(|name| name.starts_with("input"))
    })
}

/// The requests answered by USB keyboards and mice; false if USB is not to be seen.
fn usb(look: &mut Look, traces: &mut Traces) -> bool {
    let Some(entries) = look.folder(FIGURE, USB) else {
        return false;
    };
    for interface in &entries {
        // An interface is named after its device: 1-4.2:1.0.
        let Some((device, _)) = interface.split_once(':') else {
            continue;
        };
        let is_input = is_moved_by_hand(look, &format!("{USB}/{interface}"));
        let place = format!("{USB}/{device}/urbnum");
        if is_input && let Some(count) = look.number(FIGURE, &place, i32::MIN.into()..=i64::MAX) {
            add(traces, place, i128::from(count).cast_unsigned());
        }
    }
    true
}
