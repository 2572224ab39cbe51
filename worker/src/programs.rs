//! Programs: fetched once, kept on disk by their hash, compiled once, kept in memory.

use crate::{
    core::Fault,
    limits::COMPILED_MAX,
    transfer::{self, Link},
};
use quern_primitives::{
    device::Class,
    ids::{Digest, ProgramHash},
    limits::PROGRAM_BYTES_MAX,
};
use quern_protocol::Content;
use quern_sandbox::{Engine, EngineError, Pace, Program, engine_digest};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, VecDeque},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

/// The engines of this machine, made when they are first needed.
#[derive(Clone, Default)]
pub(crate) struct Engines {
    made: Arc<Mutex<BTreeMap<Class, Engine>>>,
    pace: Pace,
}

impl Engines {
    /// What the runs of all of them together keep to.
    pub(crate) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// The classes this machine can run, with each one's engine as receipts name it. The pinned one is left out,
    /// and the reason told, on machines that lack what it needs.
    pub(crate) fn offered(&self) -> Result<Vec<(Class, Digest)>, EngineError> {
        let mut offered = Vec::new();
        for class in [Class::Pinned, Class::Portable] {
            match self.engine(class) {
                Ok(_) => offered.push((class, Digest(engine_digest(class)))),
                Err(
                    error @ (EngineError::WrongProcessor { .. }
                    | EngineError::MissingFeatures { .. }),
                ) => tracing::warn!(%error, "this machine runs no tasks of one class"),
                Err(error) => return Err(error),
            }
        }
        Ok(offered)
    }

    pub(crate) fn engine(&self, class: Class) -> Result<Engine, EngineError> {
        let mut engines = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = engines.get(&class) {
            return Ok(engine.clone());
        }
        let engine = Engine::paced(class, self.pace.clone())?;
        engines.insert(class, engine.clone());
        Ok(engine)
    }
}

/// All programs this worker has. Clones share them.
#[derive(Clone)]
pub(crate) struct Programs {
    store: Arc<Store>,
    engines: Engines,
    compiled: Arc<Mutex<VecDeque<(Class, ProgramHash, Program)>>>,
    /// Held while a program is fetched and compiled, so that two tasks of one program do it once.
    preparing: Arc<tokio::sync::Mutex<()>>,
}

impl Programs {
    pub(crate) fn new(store: Store, engines: Engines) -> Self {
        Self {
            store: Arc::new(store),
            engines,
            compiled: Arc::default(),
            preparing: Arc::default(),
        }
    }

    /// A program that is compiled already.
    pub(crate) fn compiled(&self, class: Class, hash: &ProgramHash) -> Option<Program> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let place = compiled
            .iter()
            .position(|(has, of, _)| *has == class && of == hash)?;
        if place + 1 < compiled.len() {
            // The last one is the one used last.
            let entry = compiled.remove(place)?;
            compiled.push_back(entry);
        }
        compiled.back().map(|(_, _, program)| program.clone())
    }

    /// A program, compiled: from memory, from disk, or from the masternode.
    pub(crate) async fn prepare(
        &self,
        class: Class,
        hash: ProgramHash,
        bytes: u32,
        link: &mut Link,
    ) -> Result<Program, Fault> {
        if let Some(program) = self.compiled(class, &hash) {
            return Ok(program);
        }
        let _only_one = self.preparing.lock().await;
        if let Some(program) = self.compiled(class, &hash) {
            return Ok(program);
        }
        if bytes > PROGRAM_BYTES_MAX {
            return Err(Fault::BadInput);
        }
        let (store, at) = (Arc::clone(&self.store), hash);
        let stored = in_background(move || store.load(&at)).await?;
        let program = match stored {
            Some(program) => program,
            None => {
                let fetched = transfer::fetch(link, Content::Program(hash), bytes.into()).await?;
                let store = Arc::clone(&self.store);
                in_background(move || {
                    if hash_of(&fetched) != hash {
                        return Err(Fault::BadInput);
                    }
                    if let Err(error) = store.keep(&hash, &fetched) {
                        tracing::warn!(%error, "a program could not be kept on disk");
                    }
                    Ok(fetched)
                })
                .await??
            }
        };
        let engines = self.engines.clone();
        let compiled = in_background(move || {
            let engine = engines.engine(class).map_err(|error| {
                tracing::error!(%error, ?class, "the engine does not start");
                Fault::NoRoom
            })?;
            engine.compile(&program).map_err(|error| {
                tracing::warn!(%error, program = %hash, "a task's program cannot be run");
                Fault::BadInput
            })
        })
        .await??;
        let mut all = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= COMPILED_MAX {
            all.pop_front();
        }
        all.push_back((class, hash, compiled.clone()));
        Ok(compiled)
    }
}

async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    // An error says that the work panicked or that the worker ends; either way it is not done.
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Fault::NoRoom)
}

fn hash_of(program: &[u8]) -> ProgramHash {
    ProgramHash(Sha256::digest(program).into())
}

/// Programs on disk: files named by their hash, up to a number of bytes together.
pub(crate) struct Store {
    folder: PathBuf,
    bytes_max: u64,
}

impl Store {
    /// The store in this folder, which is made if it is not there.
    pub(crate) fn open(folder: PathBuf, bytes_max: u64) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, bytes_max })
    }

    fn path(&self, hash: &ProgramHash) -> PathBuf {
        self.folder.join(format!("{}.wasm", hex::encode(hash.0)))
    }

    /// A program, if it is here and what its name says. What is not is removed: a file that was
    /// half written when the machine stopped, or altered since.
    fn load(&self, hash: &ProgramHash) -> Option<Vec<u8>> {
        let path = self.path(hash);
        let program = fs::read(&path).ok()?;
        if hash_of(&program) != *hash {
            tracing::warn!(program = %hash, "a cached program is damaged and is fetched again");
            let _ = fs::remove_file(&path);
            return None;
        }
        // The time tells which programs are used; if it cannot be set, others go first.
        let touched = fs::File::options().append(true).open(&path);
        let _ = touched.and_then(|file| file.set_modified(SystemTime::now()));
        Some(program)
    }

    fn keep(&self, hash: &ProgramHash, program: &[u8]) -> io::Result<()> {
        self.make_room(program.len() as u64)?;
        let path = self.path(hash);
        let unfinished = path.with_extension("unfinished");
        fs::write(&unfinished, program)?;
        fs::rename(&unfinished, &path)
    }

    /// Removes programs, those used longest ago first, until so many more bytes fit.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let about = entry.metadata()?;
            files.push((about.modified()?, about.len(), entry.path()));
        }
        files.sort_unstable();
        let mut held: u64 = files.iter().map(|(_, length, _)| length).sum();
        for (_, length, path) in files {
            if held.saturating_add(bytes) <= self.bytes_max {
                break;
            }
            remove(&path)?;
            held = held.saturating_sub(length);
        }
        Ok(())
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn store(bytes_max: u64) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("programs"), bytes_max).unwrap();
        (folder, store)
    }

    #[test]
    fn a_program_is_found_again_by_its_hash() {
        let (_folder, store) = store(1_000);
        let hash = hash_of(b"program");
        assert_eq!(store.load(&hash), None);
        store.keep(&hash, b"program").unwrap();
        assert_eq!(store.load(&hash).as_deref(), Some(&b"program"[..]));
    }

    #[test]
    fn a_torn_or_altered_program_is_dropped() {
        let (_folder, store) = store(1_000);
        let hash = hash_of(b"program");
        for damaged in [&b"prog"[..], b"Program", b""] {
            fs::write(store.path(&hash), damaged).unwrap();
            assert_eq!(store.load(&hash), None);
            assert!(!store.path(&hash).exists());
        }
    }

    #[test]
    fn the_program_used_longest_ago_makes_room() {
        let (_folder, store) = store(30);
        let programs = [[1; 10], [2; 10], [3; 10], [4; 10]];
        let hashes = programs.map(|program| hash_of(&program));
        for (age, (hash, program)) in hashes.iter().zip(&programs).enumerate().take(3) {
            store.keep(hash, program).unwrap();
            let used = SystemTime::now() - Duration::from_secs(100 - age as u64);
            let file = fs::File::options()
                .append(true)
                .open(store.path(hash))
                .unwrap();
            file.set_modified(used).unwrap();
        }
        // The first is used now, so the second goes.
        assert!(store.load(&hashes[0]).is_some());
        store.keep(&hashes[3], &programs[3]).unwrap();
        let kept = hashes.map(|hash| store.load(&hash).is_some());
        assert_eq!(kept, [true, false, true, true]);
    }
}
