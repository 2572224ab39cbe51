mod idle;

use super::*;
use proptest::prelude::*;
use std::fs;
use tempfile::TempDir;

/// A machine made of files.
struct Fake(TempDir);

impl Fake {
    fn new(files: &[(&str, &str)]) -> Self {
        let fake = Self(tempfile::tempdir().unwrap());
        for (place, text) in files {
            fake.write(place, text);
        }
        fake
    }

    fn write(&self, place: &str, text: &str) {
        let path = self.0.path().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn remove(&self, place: &str) {
        fs::remove_file(self.0.path().join(place)).unwrap();
    }

    fn watch(&self) -> (Watch, Machine) {
        let places = Places {
            root: self.0.path().into(),
            data: self.0.path().join("data"),
        };
        Watch::start(places, at(0))
    }

    fn machine(&self) -> Machine {
        self.watch().1
    }

    fn state(&self) -> State {
        self.watch().0.read(at(30))
    }

    /// What is told after a state was read, as text.
    fn told(&self) -> Vec<String> {
        let (mut watch, _) = self.watch();
        watch.read(at(30));
        watch.oddities().iter().map(ToString::to_string).collect()
    }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const MEMINFO: (&str, &str) = (
    "proc/meminfo",
    "MemTotal:       16384000 kB\nMemFree: 1 kB\nMemAvailable:    8192000 kB\n",
);

#[test]
fn this_machine_is_plausible() {
    let folder = tempfile::tempdir().unwrap();
    let places = Places::here(folder.path().join("not/yet/there"));
    let (mut watch, machine) = Watch::start(places, at(0));
    let state = watch.read(at(1));
    assert!(machine.operating_system.is_some());
    if cfg!(target_os = "linux") {
        let cores = machine.processor.cores.unwrap();
        assert!(cores >= 1 && machine.processor.threads.unwrap() >= cores);
        assert!(machine.ram_mib.unwrap() > 0 && machine.storage_mib.unwrap() > 0);
        assert!(state.free_ram_mib.unwrap() <= machine.ram_mib.unwrap());
        assert!(state.free_storage_mib.unwrap() <= machine.storage_mib.unwrap());
        assert!(state.input_idle_s.is_none_or(|idle_s| idle_s < 60));
    }
    assert!(state.free_cpu_permille.is_none_or(|free| free <= 1_000));
    assert!(state.battery_permille.is_none_or(|charge| charge <= 1_000));
}

#[test]
fn what_is_not_there_is_absent_and_not_odd() {
    let fake = Fake::new(&[]);
    let (mut watch, machine) = fake.watch();
    let state = watch.read(at(30));
    assert_eq!(machine.processor, Processor::default());
    assert_eq!((machine.gpu, machine.ram_mib), (None, None));
    assert_eq!(
        machine.operating_system.as_deref(),
        Some(std::env::consts::OS)
    );
    let nothing_but_storage = State {
        free_storage_mib: state.free_storage_mib,
        ..State::default()
    };
    assert_eq!(state, nothing_but_storage);
    assert_eq!(watch.oddities(), []);
}

#[test]
fn a_desktop_tells_what_it_is() {
    let thread = |processor: u32, core: u32| {
        format!(
            "processor\t: {processor}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\n\
             model name\t: Intel(R)  Core(TM) i7\u{7}\nphysical id\t: 0\ncore id\t: {core}\n\n"
        )
    };
    let cpuinfo = [(0, 0), (1, 1), (2, 0), (3, 1)]
        .map(|(processor, core)| thread(processor, core))
        .concat();
    let fake = Fake::new(&[
        ("etc/os-release", "NAME=x\nPRETTY_NAME=\"Debian 12\"\n"),
        ("proc/cpuinfo", &cpuinfo),
        ("sys/devices/system/cpu/online", "0-2,3\n"),
        MEMINFO,
        ("sys/class/drm/renderD128/device/vendor", "0x8086\n"),
        ("sys/class/drm/renderD128/device/device", "0x3e92\n"),
        ("sys/class/drm/renderD129/device/vendor", "0x1002\n"),
        ("sys/class/drm/renderD129/device/device", "0x73bf\n"),
        ("sys/class/drm/card2/device/vendor", "0x10de\n"),
    ]);
    let machine = fake.machine();
    assert_eq!(machine.operating_system.as_deref(), Some("Debian 12"));
    let processor = Processor {
        maker: Some("Intel".into()),
        family: Some("6".into()),
        model: Some("Intel(R) Core(TM) i7".into()),
        cores: Some(2),
        threads: Some(4),
    };
    assert_eq!(machine.processor, processor);
    assert_eq!(machine.ram_mib, Some(16_000));
    assert_eq!(machine.gpu.as_deref(), Some("1002:73bf"));

    let names = "# comment\n1001  Other\n\t73bf  Wrong\n1002  AMD/ATI\n\t73be  Less\n\
                 \t73bf  Navi 21 [RX 6900]\n\t\t1002 0001  Board\n8086  Intel\n";
    fake.write("usr/share/misc/pci.ids", names);
    let gpu = fake.machine().gpu;
    assert_eq!(gpu.as_deref(), Some("AMD/ATI Navi 21 [RX 6900]"));
    let card = "proc/driver/nvidia/gpus/0000:01:00.0/information";
    fake.write(card, "Model: \t\t NVIDIA GeForce RTX 3080\nIRQ: 1\n");
    let gpu = fake.machine().gpu;
    assert_eq!(gpu.as_deref(), Some("NVIDIA GeForce RTX 3080"));
}

#[test]
fn a_small_board_tells_what_it_is() {
    let cpuinfo = "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd08\n\
                   \nprocessor\t: 1\nCPU implementer\t: 0x41\n\nModel\t: Raspberry Pi 4\n";
    let fake = Fake::new(&[
        ("proc/cpuinfo", cpuinfo),
        (
            "sys/class/drm/renderD128/device/uevent",
            "OF_COMPATIBLE_0=brcm,2711-v3d\n",
        ),
    ]);
    let Machine { processor, gpu, .. } = fake.machine();
    let told = [&processor.maker, &processor.family, &processor.model, &gpu].map(Option::as_deref);
    let expected = ["Arm", "8", "Raspberry Pi 4", "brcm,2711-v3d"];
    assert_eq!(told, expected.map(Some));
    assert_eq!((processor.cores, processor.threads), (Some(2), Some(2)));
    for (folder, core) in [("cpu0", "0"), ("cpu1", "0")] {
        let place = |file: &str| format!("sys/devices/system/cpu/{folder}/topology/{file}");
        fake.write(&place("physical_package_id"), "0\n");
        fake.write(&place("core_id"), core);
    }
    assert_eq!(fake.machine().processor.cores, Some(1));
}

#[test]
fn wrong_figures_are_absent_and_told_once() {
    let fake = Fake::new(&[
        ("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: -5 kB\n"),
        ("proc/stat", "cpu 1 2 -3 4\n"),
        ("sys/class/power_supply/BAT0/type", "Battery\n"),
        ("sys/class/power_supply/BAT0/capacity", "255\n"),
        ("sys/class/hwmon/hwmon0/name", "coretemp\n"),
        ("sys/class/hwmon/hwmon0/temp1_input", "4294967295\n"),
        ("sys/devices/system/cpu/online", "0-4294967295\n"),
    ]);
    let (mut watch, machine) = fake.watch();
    assert_eq!(machine.processor.threads, None);
    for _ in 0..3 {
        let state = watch.read(at(30));
        let nothing_but_storage = State {
            free_storage_mib: state.free_storage_mib,
            ..State::default()
        };
        assert_eq!(state, nothing_but_storage);
    }
    let told: Vec<String> = watch.oddities().iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 5, "{told:#?}");
    for part in [
        "the free memory is left out where",
        "proc/meminfo tells it: it says -5, and only 0 to 1000 is believed",
        "it says 255, and only 0 to 100 is believed",
        "it says 4294967295, and only -50000 to 150000 is believed",
        "it says 4294967296, and only 1 to 65536 is believed",
    ] {
        assert!(told.iter().any(|told| told.contains(part)), "{part}");
    }
    watch.read(at(60));
    assert_eq!(watch.oddities(), []);
}

#[test]
fn more_free_memory_than_there_is_is_not_believed() {
    let text = "MemTotal: 1000 kB\nMemAvailable: 1001 kB\n";
    let fake = Fake::new(&[("proc/meminfo", text)]);
    assert_eq!(fake.state().free_ram_mib, None);
    assert_eq!(fake.told().len(), 1);
}

#[test]
fn a_control_group_narrows_the_memory() {
    let fake = Fake::new(&[MEMINFO]);
    assert_eq!(fake.state().free_ram_mib, Some(8_000));
    let mib = |count: u64| (count << 20).to_string();
    let group = "sys/fs/cgroup/system.slice/quern.service";
    fake.write("proc/self/cgroup", "0::/system.slice/quern.service\n");
    fake.write("sys/fs/cgroup/system.slice/memory.max", "max\n");
    fake.write(&format!("{group}/memory.max"), &mib(2_000));
    fake.write(&format!("{group}/memory.current"), &mib(1_500));
    let stat = format!("anon 1\ninactive_file {}\n", mib(100));
    fake.write(&format!("{group}/memory.stat"), &stat);
    assert_eq!(fake.machine().ram_mib, Some(2_000));
    assert_eq!(fake.state().free_ram_mib, Some(600));

    // The first version, in a container that shows only its own part: another group that happens
    // to have the name is not the one meant.
    fake.write("sys/fs/cgroup/memory/docker/memory.limit_in_bytes", &mib(1));
    let first = "5:cpu:/a\n4:memory:/docker/../../b\n0::/\n";
    fake.write("proc/self/cgroup", first);
    fake.write(
        "sys/fs/cgroup/memory/memory.limit_in_bytes",
        "9223372036854771712",
    );
    assert_eq!(fake.machine().ram_mib, Some(16_000));
    fake.write("sys/fs/cgroup/memory/memory.limit_in_bytes", &mib(1_000));
    fake.write("sys/fs/cgroup/memory/memory.usage_in_bytes", &mib(3_000));
    assert_eq!(fake.machine().ram_mib, Some(1_000));
    assert_eq!(fake.state().free_ram_mib, Some(0));
    assert_eq!(fake.told(), Vec::<String>::new());
}

const ROUTES: &str = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n";

fn default_route(interface: &str, metric: u32) -> String {
    format!("{interface} 00000000 0101A8C0 0003 0 0 {metric} 00000000 0 0 0\n")
}

#[test]
fn the_network_is_that_of_the_default_route() {
    let fake = Fake::new(&[
        ("sys/class/net/lo/operstate", "unknown\n"),
        ("sys/class/net/eth0/device/uevent", "DRIVER=e1000e\n"),
        ("sys/class/net/eth0/operstate", "up\n"),
        (
            "sys/class/net/wlan0/uevent",
            "DEVTYPE=wlan\nINTERFACE=wlan0\n",
        ),
        ("sys/class/net/wlan0/device/uevent", "DRIVER=iwlwifi\n"),
        ("sys/class/net/wlan0/operstate", "down\n"),
        ("sys/class/net/old0/wireless/x", ""),
        ("sys/class/net/wwan0/uevent", "DEVTYPE=wwan\n"),
        ("sys/class/net/usb0/device/uevent", "DRIVER=rndis_host\n"),
        ("sys/class/net/br0/lower_wlan0/x", ""),
        ("sys/class/net/br0/lower_eth0/x", ""),
        ("sys/class/net/loop0/lower_loop0/x", ""),
        ("sys/class/net/tun0/operstate", "up\n"),
    ]);
    let over = |routes: &[(&str, u32)]| {
        let lines: String = routes
            .iter()
            .map(|(name, metric)| default_route(name, *metric))
            .collect();
        fake.write("proc/net/route", &format!("{ROUTES}{lines}"));
        fake.state().network
    };
    assert_eq!(over(&[("eth0", 0)]), Some(Link::Ethernet));
    assert_eq!(over(&[("wlan0", 0)]), Some(Link::Wireless));
    assert_eq!(over(&[("old0", 0)]), Some(Link::Wireless));
    assert_eq!(over(&[("wwan0", 0)]), Some(Link::Mobile));
    assert_eq!(over(&[("usb0", 0)]), Some(Link::Mobile));
    assert_eq!(over(&[("br0", 0)]), Some(Link::Wireless));
    let both = over(&[("wlan0", 600), ("eth0", 100)]);
    assert_eq!(both, Some(Link::Ethernet));
    // A tunnel shows nothing, but what is up does; and a name is never a path.
    for unseen in ["tun0", "loop0", "gone0", "../net/wwan0", "..", "lo"] {
        assert_eq!(over(&[(unseen, 0)]), Some(Link::Ethernet), "{unseen}");
    }
    fake.write("sys/class/net/wwan0/operstate", "up\n");
    assert_eq!(over(&[("tun0", 0)]), Some(Link::Mobile));

    fake.remove("proc/net/route");
    let zeros = "0".repeat(32);
    let line = |to: &str, flags: &str, name: &str| {
        format!("{to} 00 {zeros} 00 {zeros} 00000064 00000001 00000000 {flags} {name}\n")
    };
    let refused = line(&zeros, "00200201", "usb0");
    let other = line(&"f".repeat(32), "00000003", "usb0");
    let sixth = line(&zeros, "00000003", "wlan0");
    fake.write("proc/net/ipv6_route", &[refused, other, sixth].concat());
    assert_eq!(fake.state().network, Some(Link::Wireless));
    assert_eq!(fake.told(), Vec::<String>::new());
}

#[test]
fn batteries_are_summed_and_a_mouses_is_not_the_machines() {
    let place = |supply: &str, file: &str| format!("sys/class/power_supply/{supply}/{file}");
    let fake = Fake::new(&[]);
    fake.write(&place("hidpp_battery_0", "type"), "Battery\n");
    fake.write(&place("hidpp_battery_0", "scope"), "Device\n");
    fake.write(&place("hidpp_battery_0", "capacity"), "5\n");
    fake.write(&place("AC", "type"), "Mains\n");
    fake.write(&place("AC", "online"), "0\n");
    let power = |fake: &Fake| {
        let state = fake.state();
        (state.battery_permille, state.charging)
    };
    assert_eq!(power(&fake), (None, None));

    fake.write(&place("BAT0", "type"), "Battery\n");
    fake.write(&place("BAT0", "capacity"), "80\n");
    fake.write(&place("BAT0", "status"), "Discharging\n");
    assert_eq!(power(&fake), (Some(800), Some(false)));
    fake.write(&place("BAT1", "type"), "Battery\n");
    fake.write(&place("BAT1", "energy_full"), "30000000\n");
    fake.write(&place("BAT1", "energy_now"), "6000000\n");
    assert_eq!(power(&fake), (Some(500), Some(false)));
    fake.write(&place("BAT0", "energy_full"), "10000000\n");
    assert_eq!(power(&fake), (Some(350), Some(false)));
    fake.write(&place("AC", "online"), "1\n");
    assert_eq!(power(&fake), (Some(350), Some(true)));
    fake.remove(&place("AC", "type"));
    fake.write(&place("BAT0", "status"), "Not charging\n");
    assert_eq!(power(&fake), (Some(350), Some(true)));
    fake.write(&place("BAT1", "present"), "0\n");
    assert_eq!(power(&fake), (Some(800), Some(true)));
    assert_eq!(fake.told(), Vec::<String>::new());
}

#[test]
fn the_hottest_core_counts() {
    let fake = Fake::new(&[
        ("sys/class/thermal/thermal_zone0/type", "acpitz\n"),
        ("sys/class/thermal/thermal_zone0/temp", "27800\n"),
    ]);
    let heat = |fake: &Fake| fake.state().temperature_decicelsius;
    assert_eq!(heat(&fake), Some(278));
    fake.write("sys/class/thermal/thermal_zone1/type", "cpu-thermal\n");
    fake.write("sys/class/thermal/thermal_zone1/temp", "-450\n");
    assert_eq!(heat(&fake), Some(-5));

    let chip = |file: &str| format!("sys/class/hwmon/hwmon1/{file}");
    fake.write("sys/class/hwmon/hwmon0/name", "nvme\n");
    fake.write("sys/class/hwmon/hwmon0/temp1_input", "90000\n");
    fake.write(&chip("name"), "k10temp\n");
    fake.write(&chip("temp1_input"), "75500\n");
    fake.write(&chip("temp1_label"), "Tctl\n");
    assert_eq!(heat(&fake), Some(755));
    fake.write(&chip("temp2_input"), "48500\n");
    fake.write(&chip("temp2_label"), "Tdie\n");
    fake.write(&chip("temp3_input"), "52999\n");
    assert_eq!(heat(&fake), Some(529));
    fake.write(&chip("temp4_input"), "120000\n");
    fake.write(&chip("temp4_fault"), "1\n");
    assert_eq!(heat(&fake), Some(529));
    assert_eq!(fake.told(), Vec::<String>::new());
}

fn stat(user: u64, idle: u64, iowait: u64, steal: u64) -> String {
    format!("cpu  {user} 0 0 {idle} {iowait} 0 0 {steal} 99 0\ncpu0 1 2 3\nintr 1\n")
}

fn own(user: u64, system: u64) -> String {
    format!("7 (a) b (c) R 1 1 1 0 -1 0 0 0 0 0 {user} {system} 0 0 20 0 1 0 1\n")
}

#[test]
fn the_workers_own_tasks_are_no_load() {
    let fake = Fake::new(&[
        ("proc/stat", &stat(1_000, 5_000, 100, 0)),
        ("proc/self/stat", &own(10, 5)),
    ]);
    let (mut watch, _) = fake.watch();
    assert_eq!(watch.read(at(1)).free_cpu_permille, None);

    // Of 1000 ticks 300 are idle, 500 the worker's, 100 stolen, 100 others'.
    fake.write("proc/stat", &stat(1_600, 5_250, 150, 100));
    fake.write("proc/self/stat", &own(410, 105));
    let state = watch.read(at(30));
    assert_eq!(state.free_cpu_permille, Some(800));
    assert_eq!(state.others_cpu_permille(), Some(200));
    // A moment later there is too little to measure, and the last share stands.
    fake.write("proc/stat", &stat(1_610, 5_250, 150, 100));
    assert_eq!(watch.read(at(31)).free_cpu_permille, Some(800));
    // Own time beyond what was busy is an error of rounding.
    fake.write("proc/stat", &stat(1_700, 6_150, 140, 100));
    fake.write("proc/self/stat", &own(1_410, 105));
    assert_eq!(watch.read(at(60)).free_cpu_permille, Some(1_000));
    // Without own time the worker's tasks count as load.
    fake.write("proc/stat", &stat(2_200, 6_650, 140, 100));
    fake.remove("proc/self/stat");
    assert_eq!(watch.read(at(90)).free_cpu_permille, Some(500));
    assert_eq!(watch.oddities(), []);

    fake.write("proc/stat", &stat(1, 2, 3, 4));
    assert_eq!(watch.read(at(120)).free_cpu_permille, None);
    assert_eq!(watch.oddities()[0].wrong, Wrong::WentBack);
    fake.write("proc/stat", &stat(101, 102, 3, 4));
    assert_eq!(watch.read(at(150)).free_cpu_permille, Some(500));
}

#[test]
fn a_file_of_any_length_is_not_read_whole() {
    let fake = Fake::new(&[("proc/meminfo", &"MemTotal: 1 kB\n".repeat(10_000))]);
    assert_eq!(fake.state().free_ram_mib, None);
    assert!(fake.told()[0].contains("longer than 65536 bytes"));
}

const FILES: [&str; 22] = [
    "etc/os-release",
    "proc/cpuinfo",
    "proc/meminfo",
    "proc/stat",
    "proc/self/stat",
    "proc/self/cgroup",
    "proc/interrupts",
    "proc/net/route",
    "proc/net/ipv6_route",
    "sys/devices/system/cpu/online",
    "sys/fs/cgroup/memory.max",
    "sys/fs/cgroup/memory.current",
    "sys/class/drm/renderD128/device/vendor",
    "sys/class/net/eth0/uevent",
    "sys/class/power_supply/BAT0/capacity",
    "sys/class/power_supply/BAT0/energy_full",
    "sys/class/power_supply/BAT0/energy_now",
    "sys/class/hwmon/hwmon0/temp1_input",
    "sys/class/thermal/thermal_zone0/temp",
    "sys/bus/usb/devices/1-1/urbnum",
    "sys/bus/usb/devices/1-1:1.0/bInterfaceProtocol",
    "usr/share/misc/pci.ids",
];

fn any_text() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<i128>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        Just("18446744073709551615".to_owned()),
    ];
    prop_oneof![
        ".{0,40}",
        number.clone(),
        number
            .clone()
            .prop_map(|number| format!("MemTotal: {number} kB\nMemAvailable: {number} kB\n")),
        proptest::collection::vec(number.clone(), 0..12)
            .prop_map(|numbers| format!("cpu {}", numbers.join(" "))),
        number.prop_map(|number| format!("0-{number}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_text_in_any_file_upsets_the_worker(
        before in proptest::collection::vec(any_text(), FILES.len()),
        after in proptest::collection::vec(any_text(), FILES.len()),
    ) {
        let fake = Fake::new(&[
            ("sys/class/power_supply/BAT0/type", "Battery"),
            ("sys/class/hwmon/hwmon0/name", "coretemp"),
            ("sys/class/thermal/thermal_zone0/type", "cpu"),
            ("sys/bus/usb/devices/1-1:1.0/bInterfaceClass", "03"),
        ]);
        for (place, text) in FILES.iter().zip(&before) {
            fake.write(place, text);
        }
        let (mut watch, machine) = fake.watch();
        for (place, text) in FILES.iter().zip(&after) {
            fake.write(place, text);
        }
        let state = watch.read(at(30));
        prop_assert!(machine.ram_mib.is_none_or(|mib| mib <= 64 << 20));
        prop_assert!(state.free_cpu_permille.is_none_or(|permille| permille <= 1_000));
        prop_assert!(state.battery_permille.is_none_or(|permille| permille <= 1_000));
        prop_assert!(state.temperature_decicelsius.is_none_or(|it| (-500..=1_500).contains(&it)));
        prop_assert!(watch.oddities().len() <= 70);
    }
}
