//! The room of a cell: a root of its own, with the system and the inputs to read, and one place to
//! write.

use super::{TEMPORARY, WORK};
use crate::{
    limits::{INPUTS_MAX, PATH_PARTS_MAX},
    message::{At, Orders, Refusal, Step},
};
use rustix::{
    io::Errno,
    mount::{
        MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
        mount_change, mount_remount, unmount,
    },
    process::pivot_root,
    system::sethostname,
};
use std::{
    ffi::{CString, OsStr},
    fs::{self, File},
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{chown, symlink},
    },
    path::{Path, PathBuf},
};

/// What is shown of the system, read-only, if it is there.
pub(super) const SYSTEM: [&str; 12] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/alternatives",
];

/// The devices there are, beside links.
pub(super) const DEVICES: [&str; 5] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

/// The links in `/dev`. What is shared between processes is put aside like everything else.
pub(super) const DEVICE_LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    (TEMPORARY, "/dev/shm"),
];

/// Where the old root is until the new one is made.
const OLD: &str = "/.old";

/// Bytes of the new root itself: folders, links, and empty files to mount on.
const ROOT_OPTIONS: &str = "mode=755,size=1m,nr_inodes=4096";

/// Bytes on the disk for which one file may be made.
const BYTES_PER_FILE: u64 = 16 * 1024;

/// How many files and folders a command may have on a disk of so many bytes, its inputs and the folders
/// above them counted. Each takes memory that is counted nowhere else.
pub(super) fn files_max(disk_bytes: u64) -> u64 {
    disk_bytes / BYTES_PER_FILE + (INPUTS_MAX + PATH_PARTS_MAX) as u64 * 2
}

/// Makes the room, in a namespace of mounts of our own, and enters it. The old root is gone then.
pub(super) fn make(orders: &Orders) -> Result<(), Refusal> {
    new_root().at(Step::Root)?;
    show_system().at(Step::System)?;
    let kept_out = MountFlags::NOSUID | MountFlags::NODEV;
    let proc_flags = kept_out | MountFlags::NOEXEC;
    fs::create_dir("/proc").at(Step::Proc)?;
    // The kernel mounts one for a mere user only while it sees another, that of the old root.
    mount("proc", "/proc", "proc", proc_flags, None).at(Step::Proc)?;
    make_folders(orders).at(Step::Folders)?;
    for (index, input) in (0..).zip(&orders.command.inputs) {
        let from = Path::new(OsStr::from_bytes(&input.from));
        let at = Path::new(OsStr::from_bytes(&input.at));
        show_input(from, at, orders.own_id).at(Step::Input(index))?;
    }
    unmount(OLD, UnmountFlags::DETACH).at(Step::Root)?;
    fs::remove_dir(OLD).at(Step::Root)?;
    make_read_only().at(Step::Root)?;
    sethostname(b"cell").at(Step::Root)
}

/// A root on a file system of its own, with the old one in it.
fn new_root() -> Result<(), Errno> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private)?;
    let options = CString::new(ROOT_OPTIONS).map_err(|_| Errno::INVAL)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    // Over a folder that is everywhere. Below the old root that folder is as it was.
    mount("cell", TEMPORARY, "tmpfs", flags, options.as_c_str())?;
    let old = format!("{TEMPORARY}{OLD}");
    rustix::fs::mkdir(old.as_str(), rustix::fs::Mode::RWXU)?;
    pivot_root(TEMPORARY, old.as_str())?;
    rustix::process::chdir("/")
}

fn show_system() -> std::io::Result<()> {
    for folder in ["/etc", "/dev"] {
        fs::create_dir(folder)?;
    }
    for path in SYSTEM {
        let from = below_old(Path::new(path));
        match fs::symlink_metadata(&from) {
            Ok(it) if it.is_symlink() => symlink(fs::read_link(&from)?, path)?,
            Ok(it) if it.is_dir() => {
                fs::create_dir(path)?;
                mount_bind_recursive(&from, path)?;
            }
            Ok(_) => {
                File::create_new(path)?;
                mount_bind(&from, path)?;
            }
            Err(_) => {}
        }
    }
    for device in DEVICES {
        File::create_new(device)?;
        mount_bind(below_old(Path::new(device)), device)?;
    }
    for (to, link) in DEVICE_LINKS {
        symlink(to, link)?;
    }
    Ok(())
}

/// One file system for all that the command puts aside, as large as its limit.
fn make_folders(orders: &Orders) -> std::io::Result<()> {
    let bytes = orders.command.limits.disk_bytes;
    let owner = orders.own_id.unwrap_or(0);
    let files = files_max(bytes);
    let options = format!("mode=700,size={bytes},nr_inodes={files},uid={owner},gid={owner}");
    let options = CString::new(options)?;
    fs::create_dir(TEMPORARY)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("cell", TEMPORARY, "tmpfs", flags, options.as_c_str())?;
    fs::create_dir(WORK)?;
    chown(WORK, orders.own_id, orders.own_id)
}

fn show_input(from: &Path, at: &Path, own_id: Option<u32>) -> std::io::Result<()> {
    let from = below_old(from);
    if !fs::metadata(&from)?.is_file() {
        return Err(Errno::INVAL.into());
    }
    let target = Path::new(WORK).join(at);
    make_folders_above(&target, own_id)?;
    File::create_new(&target)?;
    mount_bind(&from, &target)?;
    Ok(())
}

/// Makes those folders between the work folder and an input that are not there.
fn make_folders_above(input: &Path, own_id: Option<u32>) -> std::io::Result<()> {
    let missing: Vec<&Path> = input
        .ancestors()
        .skip(1)
        .take_while(|it| !it.exists())
        .collect();
    for folder in missing.into_iter().rev() {
        fs::create_dir(folder)?;
        chown(folder, own_id, own_id)?;
    }
    Ok(())
}

/// Makes all mounts read-only but `/proc` and the command's own folders. What was mounted below a part
/// of the system is a mount by itself.
fn make_read_only() -> std::io::Result<()> {
    for mounted in read_mounts(&fs::read("/proc/self/mountinfo")?) {
        let path = mounted.path.as_path();
        if path == Path::new("/proc") || path == Path::new(TEMPORARY) {
            continue;
        }
        let mut flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID;
        flags.set(MountFlags::NOEXEC, mounted.is_without_programs);
        // A device that is mounted by itself would be none any more.
        flags.set(MountFlags::NODEV, !path.starts_with("/dev"));
        mount_remount(path, flags, "")?;
    }
    Ok(())
}

/// A mount, as the system lists it.
#[derive(Debug, PartialEq, Eq)]
struct Mounted {
    path: PathBuf,
    is_without_programs: bool,
}

/// Reads `/proc/self/mountinfo`: the fifth word of a line is the path, the sixth are the flags.
fn read_mounts(list: &[u8]) -> Vec<Mounted> {
    let lines = list.split(|it| *it == b'\n');
    lines
        .filter_map(|line| {
            let mut words = line.split(|it| *it == b' ').skip(4);
            let (path, flags) = (words.next()?, words.next()?);
            Some(Mounted {
                path: PathBuf::from(std::ffi::OsString::from_vec(unescape(path))),
                is_without_programs: flags.split(|it| *it == b',').any(|it| it == b"noexec"),
            })
        })
        .collect()
}

/// Bytes that would end a word stand there as a backslash and three octal digits.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = word;
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..3).filter(|_| *first == b'\\');
        let byte = digits
            .and_then(|it| std::str::from_utf8(it).ok())
            .and_then(|it| u8::from_str_radix(it, 8).ok());
        match byte {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    bytes
}

fn below_old(path: &Path) -> PathBuf {
    Path::new(OLD).join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_with_every_byte_of_their_paths() {
        let list = b"29 1 8:1 / / rw,relatime shared:1 - ext4 /dev/x rw\n\
            31 29 0:5 / /a\\040b\\134c ro,nosuid,noexec - tmpfs x rw\n\n";
        let wanted = [("/", false), ("/a b\\c", true)];
        let wanted = wanted.map(|(path, is_without_programs)| Mounted {
            path: PathBuf::from(path),
            is_without_programs,
        });
        assert_eq!(read_mounts(list), wanted);
        assert_eq!(unescape(b"\\9\\04"), b"\\9\\04");
    }
}
