//! What landlock lets through.

use super::{
    TEMPORARY,
    room::{DEVICES, SYSTEM},
};
use crate::message::{Orders, Refusal, Step};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, Scope,
};
use std::{error::Error, ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

/// The newest that this was tested with.
const TESTED: ABI = ABI::V6;

/// Below this a file that cannot be opened can still be cut short.
const NEEDED: ABI = ABI::V3;

/// What went wrong, in words of the crate.
type Fault = Box<dyn Error>;

/// Restricts this process, and all that it starts, to the command's own files.
pub(super) fn restrict(orders: &Orders) -> Result<(), Refusal> {
    let restricted = match &orders.scratch {
        None => in_own_root(),
        Some(scratch) => among_others(orders, Path::new(OsStr::from_bytes(scratch))),
    };
    restricted.map_err(|fault| Refusal {
        step: Step::Landlock,
        number: number(&*fault),
    })
}

/// Whether landlock keeps signals inside. Where it does not, they have to be refused.
pub(super) fn holds_signals() -> bool {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .scope(Scope::Signal)
        .and_then(Ruleset::create)
        .is_ok()
}

/// A second wall, where there is a first: what the kernel cannot is left out.
fn in_own_root() -> Result<(), Fault> {
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(TESTED))?
        .handle_access(AccessNet::from_all(TESTED))?
        .scope(Scope::from_all(TESTED))?
        .create()?;
    let ruleset = allow(ruleset, "/", AccessFs::from_read(TESTED))?;
    let ruleset = allow(ruleset, TEMPORARY, AccessFs::from_all(TESTED))?;
    with_devices(ruleset)?.restrict_self()?;
    Ok(())
}

/// The only wall.
fn among_others(orders: &Orders, scratch: &Path) -> Result<(), Fault> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(NEEDED))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(TESTED))?
        .handle_access(AccessNet::from_all(TESTED))?
        .scope(Scope::from_all(TESTED))?
        .create()?;
    for path in SYSTEM.map(Path::new) {
        let read = match path.is_dir() {
            true => AccessFs::from_read(TESTED),
            false => AccessFs::from_read(TESTED) & AccessFs::from_file(TESTED),
        };
        if path.exists() {
            ruleset = allow(ruleset, path, read)?;
        }
    }
    for input in &orders.command.inputs {
        let path = Path::new(OsStr::from_bytes(&input.from));
        ruleset = allow(ruleset, path, AccessFs::ReadFile | AccessFs::Execute)?;
    }
    let ruleset = allow(ruleset, scratch, AccessFs::from_all(TESTED))?;
    with_devices(ruleset)?.restrict_self()?;
    Ok(())
}

fn with_devices(mut ruleset: RulesetCreated) -> Result<RulesetCreated, Fault> {
    for device in DEVICES {
        ruleset = allow(ruleset, device, AccessFs::ReadFile | AccessFs::WriteFile)?;
    }
    Ok(ruleset)
}

fn allow(
    ruleset: RulesetCreated,
    path: impl AsRef<Path>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, Fault> {
    Ok(ruleset.add_rule(PathBeneath::new(PathFd::new(path)?, access))?)
}

/// The system's number for what went wrong, if it was the system.
fn number(error: &(dyn Error + 'static)) -> i32 {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return error.raw_os_error().unwrap_or(libc::EIO);
        }
        next = error.source();
    }
    libc::EOPNOTSUPP
}
