//! The network: what kind of link the machine reaches others over.
//!
//! Whether a cable leads to fibre, to a telephone line or to a satellite dish cannot be seen from
//! inside; the worker's settings may say it.

use super::{
    look::{Look, SHORT_BYTES_MAX, value_of},
    oddity::Figure,
};
use serde::Deserialize;
use std::fmt;

const FIGURE: Figure = Figure::Network;
const INTERFACES: &str = "sys/class/net";

/// Interfaces below an interface, such as the members of a bridge, that are followed.
const DEPTH_MAX: usize = 4;

/// Bytes of an interface's name, as the kernel limits them.
const NAME_BYTES_MAX: usize = 15;

/// Bytes of a table of routes; a router of the whole Internet has more, and is not looked at.
const ROUTES_BYTES_MAX: u64 = 1024 * 1024;

/// Drivers whose interfaces look like Ethernet and are a telephone or modem at the end of a USB
/// cable.
const MOBILE_DRIVERS: [&str; 9] = [
    "cdc_mbim",
    "cdc_wdm",
    "hso",
    "huawei_cdc_ncm",
    "ipheth",
    "iosm",
    "qmi_wwan",
    "rndis_host",
    "sierra_net",
];

/// The kind of a link, from the one that costs least to the one that costs most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// A cable.
    Ethernet,
    /// A wireless network of the place.
    Wireless,
    /// A telephone network.
    Mobile,
}

impl fmt::Display for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ethernet => "ethernet",
            Self::Wireless => "wireless",
            Self::Mobile => "mobile",
        })
    }
}

/// The kind of the interface that the default route goes over. Where there is none, or it is a
/// tunnel that does not show what it runs through, the costliest of the interfaces that are up.
pub(super) fn link(look: &mut Look) -> Option<Link> {
    default_interfaces(look)
        .iter()
        .find_map(|interface| kind(look, interface, DEPTH_MAX))
        .or_else(|| {
            let interfaces = look.names(FIGURE, INTERFACES);
            let is_up = |look: &mut Look, interface: &str| {
                let place = format!("{INTERFACES}/{interface}/operstate");
                look.line(FIGURE, &place).as_deref() == Some("up")
            };
            interfaces
                .iter()
                .filter(|interface| is_up(look, interface))
                .collect::<Vec<_>>()
                .into_iter()
                .filter_map(|interface| kind(look, interface, 0))
                .max()
        })
}

/// The interfaces of the default routes: those of IPv4 before those of IPv6, each with the one that
/// is taken first in front.
fn default_interfaces(look: &mut Look) -> Vec<String> {
    let mut table = |place| {
        look.text(FIGURE, place, ROUTES_BYTES_MAX)
            .unwrap_or_default()
    };
    let (fourth, sixth) = (table("proc/net/route"), table("proc/net/ipv6_route"));
    let mut routes: Vec<(u8, u64, String)> = fourth
        .lines()
        .skip(1)
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let [
                interface,
                "00000000",
                _,
                flags,
                _,
                _,
                metric,
                "00000000",
                ..,
            ] = columns[..]
            else {
                return None;
            };
            let is_up = u32::from_str_radix(flags, 16).ok()? & 1 == 1;
            is_up.then_some((4, metric.parse().ok()?, interface.to_owned()))
        })
        .collect();
    routes.extend(sixth.lines().filter_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [to, "00", _, _, _, metric, _, _, flags, interface] = columns[..] else {
            return None;
        };
        let flags = u32::from_str_radix(flags, 16).ok()?;
        let (is_up, is_refusal) = (flags & 1 == 1, flags & 0x200 != 0);
        let is_default = to.bytes().all(|digit| digit == b'0') && is_up && !is_refusal;
        let metric = u64::from_str_radix(metric, 16).ok()?;
        is_default.then(|| (6, metric, interface.to_owned()))
    }));
    routes.sort();
    routes
        .into_iter()
        .map(|(_, _, interface)| interface)
        .filter(|interface| interface != "lo")
        .collect()
}

/// What an interface is, or the costliest of those below it; `None` if that cannot be seen.
fn kind(look: &mut Look, interface: &str, depth: usize) -> Option<Link> {
    let is_name = (1..=NAME_BYTES_MAX).contains(&interface.len())
        && !interface.starts_with('.')
        && !interface.contains('/');
    if !is_name {
        return None;
    }
    let folder = format!("{INTERFACES}/{interface}");
    let mut uevent = |place: String| {
        look.text(FIGURE, &place, SHORT_BYTES_MAX)
            .unwrap_or_default()
    };
    let own = uevent(format!("{folder}/uevent"));
    let device = uevent(format!("{folder}/device/uevent"));
    match value_of(&own, "DEVTYPE") {
        Some("wlan") => return Some(Link::Wireless),
        // A telephone lends its network over Bluetooth as well.
        Some("wwan" | "bluetooth") => return Some(Link::Mobile),
        _ => {}
    }
    if ["wireless", "phy80211"]
        .iter()
        .any(|mark| look.has(&format!("{folder}/{mark}")))
    {
        return Some(Link::Wireless);
    }
    if value_of(&device, "DRIVER").is_some_and(|driver| MOBILE_DRIVERS.contains(&driver)) {
        return Some(Link::Mobile);
    }
    if look.has(&format!("{folder}/device")) {
        return Some(Link::Ethernet);
    }
    if depth == 0 {
        return None;
    }
    let entries = look.names(FIGURE, &folder);
    entries
        .iter()
        .filter_map(|entry| entry.strip_prefix("lower_"))
        .filter_map(|below| kind(look, below, depth - 1))
        .max()
}
