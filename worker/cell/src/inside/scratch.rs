//! The folder for a command's files where the cell has no root of its own.

use super::user;
use crate::message::{At, Orders, Refusal, Step};
use std::{
    ffi::OsStr,
    fs::{self, DirBuilder},
    io,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{DirBuilderExt, PermissionsExt, chown},
    },
    path::{Path, PathBuf},
};

/// Makes a new one in the folder that was named, for nobody else to look into, if there has to be one.
pub(super) fn make(orders: &mut Orders) -> Result<(), Refusal> {
    let Some(parent) = orders.scratch.take() else {
        return Ok(());
    };
    let own_id = user::own_id()?;
    let parent = fs::canonicalize(OsStr::from_bytes(&parent)).at(Step::Folders)?;
    let scratch = new_folder(&parent).at(Step::Folders)?;
    let owned = chown(&scratch, own_id, own_id).at(Step::Folders);
    orders.scratch = Some(scratch.into_os_string().into_vec());
    owned
}

fn new_folder(parent: &Path) -> io::Result<PathBuf> {
    let mut number = 0_u32;
    loop {
        let name = format!("quern-cell-{}-{number}", std::process::id());
        let folder = parent.join(name);
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                number = number.checked_add(1).ok_or(error)?;
            }
            other => return other.map(|()| folder),
        }
    }
}

/// Removes a folder. What a command made in it may be closed to its own user.
pub(super) fn remove(folder: &Path) {
    if fs::remove_dir_all(folder).is_err() {
        open_up(folder);
        let _ = fs::remove_dir_all(folder);
    }
}

fn open_up(folder: &Path) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|it| it.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
}
