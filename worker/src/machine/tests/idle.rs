//! How long nobody has touched the machine, as far as can be seen.

use super::*;
use std::{
    fs::{File, FileTimes},
    time::SystemTime,
};

fn interrupts(keyboard: u64, network: u64, touchpad: u64) -> String {
    format!(
        "           CPU0       CPU1\n  1:  {keyboard}  9  IO-APIC  1-edge  i8042\n \
         40:  {network}  0  PCI-MSIX  1-edge  virtio2-input.0\n \
         51:  {touchpad}  0  intel-gpio  21  ELAN0001:00\nERR: 0\n"
    )
}

fn touch_terminal(fake: &Fake, place: &str, read_at: SystemTime) {
    let file = File::options()
        .write(true)
        .open(fake.0.path().join(place))
        .unwrap();
    file.set_times(FileTimes::new().set_accessed(read_at))
        .unwrap();
}

#[test]
fn every_touch_of_a_person_is_seen_and_nothing_else() {
    let keyboard = "sys/bus/usb/devices/1-4:1.0";
    let power = "sys/bus/usb/devices/1-5:1.0";
    let tablet = "sys/bus/usb/devices/1-6:1.0";
    let touchpad = "sys/bus/i2c/devices/i2c-ELAN0001:00";
    let long_ago = SystemTime::UNIX_EPOCH + at(8_000);
    let fake = Fake::new(&[
        ("proc/interrupts", &interrupts(1, 1, 1)),
        (&format!("{touchpad}/uevent"), "DRIVER=i2c_hid_acpi\n"),
        (&format!("{touchpad}/name"), "ELAN0001:00\n"),
        (&format!("{keyboard}/bInterfaceClass"), "03\n"),
        (&format!("{keyboard}/bInterfaceProtocol"), "01\n"),
        ("sys/bus/usb/devices/1-4/urbnum", "500\n"),
        (&format!("{power}/bInterfaceClass"), "03\n"),
        (&format!("{power}/bInterfaceProtocol"), "00\n"),
        ("sys/bus/usb/devices/1-5/urbnum", "1\n"),
        (&format!("{tablet}/bInterfaceClass"), "03\n"),
        (&format!("{tablet}/bInterfaceProtocol"), "00\n"),
        (
            &format!("{tablet}/0003:056A:0357.0004/input/input7/name"),
            "Pen\n",
        ),
        ("sys/bus/usb/devices/1-6/urbnum", "9\n"),
        ("dev/pts/0", ""),
        ("dev/pts/ptmx", ""),
        ("dev/tty0", ""),
        ("dev/tty1", ""),
        ("dev/ttyS0", ""),
    ]);
    let terminals = ["dev/pts/0", "dev/pts/ptmx", "dev/tty1", "dev/ttyS0"];
    for place in terminals {
        touch_terminal(&fake, place, long_ago);
    }
    let (mut watch, _) = fake.watch();
    let mut now = 0;
    let mut idle = || {
        now += 100;
        watch.input_idle_s(at(now)).unwrap()
    };
    assert_eq!(idle(), 100);
    fake.write("proc/interrupts", &interrupts(1, 999, 1));
    fake.write("sys/bus/usb/devices/1-5/urbnum", "2\n");
    touch_terminal(&fake, "dev/ttyS0", long_ago + at(80));
    touch_terminal(&fake, "dev/pts/ptmx", long_ago + at(80));
    touch_terminal(&fake, "dev/tty0", long_ago + at(80));
    assert_eq!(idle(), 200);

    fake.write("proc/interrupts", &interrupts(2, 999, 1));
    assert_eq!(idle(), 0);
    assert_eq!(idle(), 100);
    fake.write("proc/interrupts", &interrupts(2, 999, 2));
    assert_eq!(idle(), 0);
    fake.write("sys/bus/usb/devices/1-4/urbnum", "502\n");
    assert_eq!(idle(), 0);
    fake.write("sys/bus/usb/devices/1-6/urbnum", "10\n");
    assert_eq!(idle(), 0);
    touch_terminal(&fake, "dev/pts/0", long_ago + at(8));
    assert_eq!(idle(), 0);
    touch_terminal(&fake, "dev/tty1", long_ago + at(8));
    assert_eq!(idle(), 0);
    // A login from afar begins, and ends.
    fake.write("dev/pts/4", "");
    assert_eq!(idle(), 0);
    fake.remove("dev/pts/4");
    assert_eq!(idle(), 100);
    // A terminal read in a future that a clock once showed does not stay in use.
    touch_terminal(&fake, "dev/pts/0", SystemTime::now() + at(1_000_000));
    assert_eq!(idle(), 0);
    assert_eq!(idle(), 100);
}

#[test]
fn a_clock_that_stands_or_goes_back_is_no_idleness() {
    let fake = Fake::new(&[("proc/interrupts", &interrupts(1, 1, 1))]);
    let places = Places {
        root: fake.0.path().into(),
        data: fake.0.path().into(),
    };
    let (mut watch, _) = Watch::start(places, at(1_000));
    assert_eq!(watch.input_idle_s(at(1_060)), Some(60));
    assert_eq!(watch.input_idle_s(at(10)), Some(0));
}

#[test]
fn where_a_keyboard_is_joined_by_bluetooth_nobody_can_tell_how_long_the_machine_is_idle() {
    let keyboard = "sys/bus/hid/devices/0005:046D:B342.0006";
    let fake = Fake::new(&[
        ("proc/interrupts", &interrupts(1, 1, 1)),
        ("sys/bus/hid/devices/0003:046D:C52B.0001/uevent", ""),
    ]);
    let places = Places {
        root: fake.0.path().into(),
        data: fake.0.path().into(),
    };
    let (mut watch, _) = Watch::start(places, at(0));
    assert_eq!(watch.input_idle_s(at(60)), Some(60));
    fake.write(&format!("{keyboard}/uevent"), "");
    assert_eq!(watch.input_idle_s(at(120)), None);
    fs::remove_dir_all(fake.0.path().join(keyboard)).unwrap();
    assert_eq!(
        watch.input_idle_s(at(180)),
        Some(60),
        "it may have been used"
    );
}
