//! What `bwrap` is told to make. It is a room like that in `room`.

use super::{
    TEMPORARY, WORK,
    room::{DEVICE_LINKS, DEVICES, SYSTEM},
    start::OURSELVES,
    user::INSIDE,
};
use crate::message::Orders;
use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, process::CommandExt},
    path::Path,
    process::Command,
};

/// Where our own program is in the cell.
const PROGRAM: &str = "/.cell";

/// The command that becomes the first process of a cell.
pub(super) fn command(orders: &Orders) -> std::io::Result<Command> {
    let mut bwrap = Command::new("bwrap");
    let path = std::env::var_os("PATH");
    bwrap.env_clear().envs(path.map(|path| ("PATH", path)));
    if let Some(id) = orders.own_id {
        bwrap.uid(id).gid(id);
    }
    let id = INSIDE.to_string();
    bwrap.args([
        "--unshare-all",
        "--unshare-user",
        "--uid",
        &id,
        "--gid",
        &id,
    ]);
    bwrap.args(["--die-with-parent", "--as-pid-1", "--hostname", "cell"]);
    for path in SYSTEM {
        match fs::symlink_metadata(path) {
            Ok(it) if it.is_symlink() => {
                bwrap.arg("--symlink").arg(fs::read_link(path)?).arg(path);
            }
            Ok(_) => {
                bwrap.args(["--ro-bind", path, path]);
            }
            Err(_) => {}
        }
    }
    bwrap.args(["--proc", "/proc"]);
    for device in DEVICES {
        bwrap.args(["--dev-bind", device, device]);
    }
    for (to, link) in DEVICE_LINKS {
        bwrap.args(["--symlink", to, link]);
    }
    let bytes = orders.command.limits.disk_bytes.to_string();
    bwrap.args(["--size", &bytes, "--tmpfs", TEMPORARY, "--dir", WORK]);
    for input in &orders.command.inputs {
        let at = Path::new(WORK).join(OsStr::from_bytes(&input.at));
        bwrap
            .arg("--ro-bind")
            .arg(OsStr::from_bytes(&input.from))
            .arg(at);
    }
    bwrap
        .arg("--ro-bind")
        .arg(fs::read_link(OURSELVES)?)
        .arg(PROGRAM);
    bwrap.args(["--remount-ro", "/", "--", PROGRAM]);
    bwrap.args(std::env::args_os().skip(1));
    Ok(bwrap)
}
