//! Who the processes of a cell are.

use crate::message::{At, Refusal, Step};
use nix::sched::{CloneFlags, unshare};
use rustix::{
    process::{DumpableBehavior, Gid, Uid, getegid, geteuid, set_dumpable_behavior},
    thread::{
        CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs, set_thread_groups,
        set_thread_res_gid, set_thread_res_uid,
    },
};
use std::fs;

/// What user and group are in a cell, on every machine the same.
pub(super) const INSIDE: u32 = 1_000;

/// The first user of those that nobody is but a cell. The number of its guard is added, so no two cells
/// of a machine are the same user.
const OWN_FIRST: u32 = 2_000_000_000;

/// The user and group that this cell can become, if it is run by one who may become anybody. It must,
/// for the kernel lets that user have as many processes as it likes; so who may be that user and can
/// become nobody else gets no cell.
pub(super) fn own_id() -> Result<Option<u32>, Refusal> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let id = OWN_FIRST.saturating_add(std::process::id());
    let users = fs::read_to_string("/proc/self/uid_map").at(Step::User)?;
    let groups = fs::read_to_string("/proc/self/gid_map").at(Step::User)?;
    match (outside(&users, id), outside(&groups, id)) {
        (Some(_), Some(_)) => Ok(Some(id)),
        _ if outside(&users, 0) == Some(0) => Err(Refusal {
            step: Step::User,
            number: libc::EPERM,
        }),
        _ => Ok(None),
    }
}

/// Becomes that user and group, for good.
pub(super) fn become_own(id: u32) -> Result<(), Refusal> {
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    set_thread_groups(&[]).at(Step::User)?;
    set_thread_res_gid(gid, gid, gid).at(Step::User)?;
    set_thread_res_uid(uid, uid, uid).at(Step::User)
}

/// Gets a new namespace of users, with others if asked, in which the user and group that this process
/// is are `inside`, and nobody else is anybody.
pub(super) fn enter_users(inside: u32, with: CloneFlags) -> Result<(), Refusal> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    // Who has become another user may not write the map of its own namespace before.
    set_dumpable_behavior(DumpableBehavior::Dumpable).at(Step::User)?;
    unshare(CloneFlags::CLONE_NEWUSER | with).at(Step::Namespaces)?;
    fs::write("/proc/self/setgroups", "deny").at(Step::User)?;
    fs::write("/proc/self/uid_map", format!("{inside} {uid} 1")).at(Step::User)?;
    fs::write("/proc/self/gid_map", format!("{inside} {gid} 1")).at(Step::User)
}

/// Gives up all that is left of power, so that nothing started from here gets any.
pub(super) fn give_up_power() -> Result<(), Refusal> {
    set_no_new_privs(true).at(Step::Capabilities)?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).at(Step::Capabilities)
}

/// Keeps others of the same user from reading or changing this process.
pub(super) fn hide() -> Result<(), Refusal> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).at(Step::User)
}

/// What an id is outside, by a map of a namespace, lines of `inside outside count`.
fn outside(map: &str, id: u32) -> Option<u64> {
    map.lines().find_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(first)), Some(Ok(outside)), Some(Ok(count))) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            return None;
        };
        let place = u64::from(id).checked_sub(first)?;
        (place < count).then(|| outside.saturating_add(place))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_has_the_ids_that_its_lines_count() {
        let whole = "         0          0 4294967295\n";
        let two = "0 1000 1\n1 100000 65536\n";
        assert_eq!(outside(whole, OWN_FIRST), Some(OWN_FIRST.into()));
        assert_eq!(outside(two, 0), Some(1_000));
        assert_eq!(outside(two, 65_536), Some(165_535));
        assert_eq!(outside(two, 65_537), None);
        assert_eq!(outside("", 0), None);
        assert_eq!(outside("0 x 1", 0), None);
    }
}
