//! Putting the pieces together. A file has its place in the output only when it is whole.

use super::{DiskError, Folder, digest_of, put, sync_folder_of, unable};
use quern_primitives::Digest;
use quern_swarm_file::{FileIndex, ValidatedTaskFile};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// The file that says of which pieces the output was put together.
pub(super) const MERGED: &str = "merged";

impl Folder {
    /// Puts the files together of pieces that have these roots, in order. Where that was done before, and the
    /// files are there, nothing is. Returns the folder that they are in.
    pub(super) fn merge(
        &self,
        task: &ValidatedTaskFile,
        roots: &[Digest],
    ) -> Result<PathBuf, DiskError> {
        let (output, part) = (self.path().join("output"), self.path().join("output.part"));
        let merged = self.path().join(MERGED);
        let digest = digest_of(roots.iter()).0;
        let is_done = fs::read(&merged).is_ok_and(|it| it == digest);
        if is_done && self.is_output_there(task, &output) {
            return Ok(output);
        }
        match fs::remove_file(&merged) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(unable("remove", &merged)(source));
            }
            _ => {}
        }
        for (index, file) in (0..).zip(&task.file().files) {
            let path = file.path.to_path();
            self.merge_file(task, index, &part.join(&path), &output.join(&path))?;
        }
        fs::remove_dir_all(&part).map_err(unable("remove", &part))?;
        put(&merged, &digest).map_err(unable("write", &merged))?;
        Ok(output)
    }

    fn merge_file(
        &self,
        task: &ValidatedTaskFile,
        index: FileIndex,
        part: &Path,
        path: &Path,
    ) -> Result<(), DiskError> {
        for folder in [part, path].into_iter().filter_map(Path::parent) {
            fs::create_dir_all(folder).map_err(unable("make", folder))?;
        }
        let mut file = File::create(part).map_err(unable("write", part))?;
        for piece in task.layout().pieces_of(index).into_iter().flatten() {
            let from = self.piece(piece);
            let mut bytes = File::open(&from).map_err(unable("read", &from))?;
            io::copy(&mut bytes, &mut file).map_err(unable("write", part))?;
        }
        file.sync_all()
            .and_then(|()| fs::rename(part, path))
            .and_then(|()| sync_folder_of(path))
            .map_err(unable("write", path))
    }

    /// Whether each file is there, as long as its pieces together.
    fn is_output_there(&self, task: &ValidatedTaskFile, output: &Path) -> bool {
        let length = |path: &Path| fs::metadata(path).ok().map(|it| it.len());
        (0..).zip(&task.file().files).all(|(index, file)| {
            let pieces = task.layout().pieces_of(index).into_iter().flatten();
            let bytes = pieces.map(|piece| length(&self.piece(piece)));
            let bytes = bytes.sum::<Option<u64>>();
            bytes.is_some() && bytes == length(&output.join(file.path.to_path()))
        })
    }
}
