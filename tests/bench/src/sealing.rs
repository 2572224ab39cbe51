//! What it costs to make sealed shards of a file and to open them, beside the cipher and the hash alone;
//! and how much memory preparing a large file takes.
//!
//! `seal_MBps` is all that an owner's program does with the bytes but for writing them: it finds the
//! cuts, reads each shard out of the file, encrypts and hashes it, and computes the root of its tree, on
//! all cores, as `quern_owner::prepare` does. `open_MBps` is the way back: sealed shards are read out of
//! files, hashed and held to their roots, and decrypted. The files are in the page cache, for disks are
//! not what is measured. Either is held against as many bytes in memory that go through AES-256-GCM and
//! SHA-256 in blocks of a segment, by as many threads, in turns with what is measured.
//!
//! `seal_peak_MiB` is the most memory that a process of its own had resident that prepared a job of a
//! sparse file, sealed shards and all written to its folder.

use crate::report::{Bar, Row, say, title};
use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{AeadInOut as _, Nonce, Tag},
};
use anyhow::{Context as _, ensure};
use quern_owner::{CutInput, Draft, Input, ShardReader, Terms, cores, prepare};
use quern_primitives::{
    AccountId, Digest, GenesisHash, JobId, ProgramHash, TaskIndex,
    device::Class,
    job::{Agreement, ByteLevel, Preferences, Referees},
};
use quern_shards::{
    chunks::HashingReader,
    context::ShardContext,
    cut::{SHARD_BYTES_DEFAULT, Split},
    keys::ShardKey,
    manifest::Assembly,
    seal::{SEGMENT_BYTES, SealSalt, open_into, seal_into, sealed_bytes},
};
use sha2::{Digest as _, Sha256};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

pub(crate) const SEAL: &str = "seal_MBps";
pub(crate) const OPEN: &str = "open_MBps";
pub(crate) const PEAK: &str = "seal_peak_MiB";

/// The least part of what the cipher and the hash alone are.
const RATIO_MIN: f64 = 0.85;

/// The most memory for a file of any size.
const PEAK_MIB_MAX: f64 = 128.0;

const MIB: u64 = 1024 * 1024;
const SHARD_BYTES: u32 = SHARD_BYTES_DEFAULT;

/// Where the sealed shards lie that are opened, and the job that is prepared.
const SHARDS: &str = "shards";
const JOBS: &str = "jobs";

/// How fast each is: sealing and opening, each with what it is held against.
pub(crate) fn measure(folder: &Path, quick: bool) -> anyhow::Result<Vec<Row>> {
    let (bytes, rounds) = if quick {
        (64 * MIB, 3)
    } else {
        (1024 * MIB, 7)
    };
    title(&format!(
        "Sealing and opening {} MiB, {} threads",
        bytes / MIB,
        cores()
    ));
    let folder = made(folder, "sealing")?;
    let path = folder.join("input");
    let mut memory = content(bytes)?;
    fs::write(&path, &memory)?;
    let input = Input::File {
        path,
        split: Split::Bytes,
        shard_bytes: SHARD_BYTES,
    };
    let (sealed, roots) = seal_to_files(&input, &folder)?;
    let mut fastest = [Duration::MAX; 4];
    for round in 1..=rounds {
        let mut tags = Tags::new();
        let times = [
            timed(|| seal_all(&input, |_| Ok(io::sink())).map(drop))?,
            timed(|| alone(&mut memory, &mut tags, encrypt_and_hash))?,
            timed(|| open_all(&sealed, &roots, bytes))?,
            timed(|| alone(&mut memory, &mut tags, hash_and_decrypt))?,
        ];
        for (fastest, time) in fastest.iter_mut().zip(times) {
            *fastest = time.min(*fastest);
        }
        let [seal, encrypt, open, decrypt] = times.map(|time| mb_per_s(bytes, time));
        say(&format!(
            "round {round}: seal {seal:.0} MB/s ({:.3} of {encrypt:.0}), open {open:.0} MB/s ({:.3} of {decrypt:.0})",
            seal / encrypt,
            open / decrypt
        ));
    }
    fs::remove_dir_all(&folder)?;
    let [seal, encrypt, open, decrypt] = fastest.map(|time| mb_per_s(bytes, time));
    let reference = "AES-256-GCM and SHA-256 alone, as many threads, same run";
    Ok(vec![
        Row::new(SEAL, (seal, "MB/s"), (reference, encrypt)).with_bar(Bar::RatioAtLeast(RATIO_MIN)),
        Row::new(OPEN, (open, "MB/s"), (reference, decrypt)).with_bar(Bar::RatioAtLeast(RATIO_MIN)),
    ])
}

/// An empty folder.
fn made(within: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let folder = within.join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// Bytes that are not all the same.
fn content(bytes: u64) -> anyhow::Result<Vec<u8>> {
    let words = (0..bytes / 8).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut memory = Vec::with_capacity(usize::try_from(bytes)?);
    words.for_each(|word| memory.extend(word.to_le_bytes()));
    Ok(memory)
}

fn timed(run: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed())
}

/// Millions of bytes a second.
fn mb_per_s(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / time.as_secs_f64() / 1e6
}

/// Each shard has a key of its own, as in a job.
fn key(index: TaskIndex) -> ShardKey {
    let mut key = [7; 32];
    key[..4].copy_from_slice(&index.to_le_bytes());
    ShardKey::from_bytes(key)
}

fn context(index: TaskIndex, count: u32, plaintext_bytes: u64) -> ShardContext {
    ShardContext {
        genesis: GenesisHash([1; 32]),
        job: JobId([2; 32]),
        program: ProgramHash([3; 32]),
        index,
        count,
        plaintext_bytes,
    }
}

/// Cuts the input and seals every shard to where `sink` says. Gives their roots.
fn seal_all<W: Write>(
    input: &Input,
    sink: impl Fn(TaskIndex) -> io::Result<W> + Sync,
) -> anyhow::Result<Vec<Digest>> {
    let input = CutInput::of(input)?;
    let count = input.plan().count();
    let mut roots = vec![Digest::default(); count as usize];
    let seal = |index, shard: ShardReader<'_>| {
        let context = context(index, count, shard.bytes().into());
        let sealed = seal_into(
            &key(index),
            SealSalt([5; 16]),
            &context,
            shard,
            sink(index)?,
        )?;
        anyhow::Ok(sealed.chunk_root)
    };
    let told = |index: TaskIndex, root| roots[index as usize] = root;
    input.each_shard::<_, anyhow::Error>(cores(), seal, told)?;
    Ok(roots)
}

/// Seals every shard into a file of its own.
fn seal_to_files(input: &Input, folder: &Path) -> anyhow::Result<(Input, Vec<Digest>)> {
    let folder = made(folder, SHARDS)?;
    let place = |index: TaskIndex| folder.join(index.to_string());
    let roots = seal_all(input, |index| File::create(place(index)))?;
    let paths = (0..).zip(&roots).map(|(index, _)| place(index)).collect();
    Ok((Input::Prepared(paths), roots))
}

/// Opens every sealed shard and holds it to its root.
fn open_all(sealed: &Input, roots: &[Digest], bytes: u64) -> anyhow::Result<()> {
    let input = CutInput::of(sealed)?;
    let count = input.plan().count();
    let open = |index: TaskIndex, shard: ShardReader<'_>| {
        let passed = u64::from(index) * u64::from(SHARD_BYTES);
        let plaintext_bytes = (bytes - passed).min(SHARD_BYTES.into());
        let expected = sealed_bytes(plaintext_bytes);
        ensure!(
            u64::from(shard.bytes()) == expected,
            "a sealed shard has another length"
        );
        let mut reader = HashingReader::new(shard);
        let context = context(index, count, plaintext_bytes);
        open_into(&key(index), &context, &mut reader, io::sink())?;
        ensure!(
            reader.finish().root() == roots[index as usize],
            "a sealed shard is not under its root"
        );
        anyhow::Ok(())
    };
    input.each_shard::<_, anyhow::Error>(cores(), open, |_, ()| {})
}

type Tags = Vec<Vec<Tag<Aes256Gcm>>>;

/// What is done with a piece of memory, whose blocks have these tags.
type OnPiece = fn(&Aes256Gcm, &mut [u8], &mut [Tag<Aes256Gcm>]) -> anyhow::Result<()>;

/// The cipher and the hash alone: pieces as long as shards, of which each thread takes the next.
fn alone(memory: &mut [u8], tags: &mut Tags, on_piece: OnPiece) -> anyhow::Result<()> {
    let pieces = memory.chunks_mut(SHARD_BYTES as usize);
    let blocks = SHARD_BYTES as usize / SEGMENT_BYTES;
    tags.resize_with(pieces.len(), || vec![Tag::<Aes256Gcm>::default(); blocks]);
    let pieces = Mutex::new(pieces.zip(tags));
    let next = || pieces.lock().ok().and_then(|mut pieces| pieces.next());
    thread::scope(|scope| {
        let threads: Vec<_> = (0..cores().get())
            .map(|_| {
                scope.spawn(|| {
                    let cipher = Aes256Gcm::new(&[9_u8; 32].into());
                    while let Some((piece, tags)) = next() {
                        on_piece(&cipher, piece, tags)?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().ok().context("a thread panicked")?)
    })
}

fn nonce(block: usize) -> Nonce<Aes256Gcm> {
    let mut nonce = Nonce::<Aes256Gcm>::default();
    nonce[..8].copy_from_slice(&(block as u64).to_le_bytes());
    nonce
}

fn encrypt_and_hash(
    cipher: &Aes256Gcm,
    piece: &mut [u8],
    tags: &mut [Tag<Aes256Gcm>],
) -> anyhow::Result<()> {
    let mut sum = Sha256::new();
    let blocks = piece.chunks_mut(SEGMENT_BYTES).zip(tags);
    for (number, (block, tag)) in blocks.enumerate() {
        let made = cipher.encrypt_inout_detached(&nonce(number), &[], (&mut *block).into());
        *tag = made.ok().context("the cipher refuses a block")?;
        sum.update(&*block);
    }
    std::hint::black_box(sum.finalize());
    Ok(())
}

fn hash_and_decrypt(
    cipher: &Aes256Gcm,
    piece: &mut [u8],
    tags: &mut [Tag<Aes256Gcm>],
) -> anyhow::Result<()> {
    let mut sum = Sha256::new();
    let blocks = piece.chunks_mut(SEGMENT_BYTES).zip(tags);
    for (number, (block, tag)) in blocks.enumerate() {
        sum.update(&*block);
        let opened = cipher.decrypt_inout_detached(&nonce(number), &[], block.into(), tag);
        opened.ok().context("the cipher does not open its own")?;
    }
    std::hint::black_box(sum.finalize());
    Ok(())
}

/// How much memory preparing a large file takes.
pub(crate) fn peak(folder: &Path, quick: bool) -> anyhow::Result<Row> {
    let bytes = if quick { 256 * MIB } else { 4096 * MIB };
    title(&format!(
        "Preparing a file of {} MiB, in a process of its own",
        bytes / MIB
    ));
    let folder = made(folder, "peak")?;
    let input = folder.join("input");
    File::create(&input)?.set_len(bytes)?;
    let output = Command::new(std::env::current_exe()?)
        .arg("--prepare-alone")
        .arg(&input)
        .output()?;
    ensure!(
        output.status.success(),
        "the process failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let kib: u64 = String::from_utf8(output.stdout)?.trim().parse()?;
    fs::remove_dir_all(&folder)?;
    let row = Row::new(
        PEAK,
        (kib as f64 / 1024.0, "MiB"),
        ("128 MiB", PEAK_MIB_MAX),
    );
    Ok(row.with_bar(Bar::ValueAtMost(PEAK_MIB_MAX)))
}

/// What the process of its own does: prepares a job of this file beside it, and says the most KiB that
/// it had resident.
pub(crate) fn prepare_alone(input: &Path) -> anyhow::Result<ExitCode> {
    let jobs = made(input.parent().context("the file is in no folder")?, JOBS)?;
    let draft = Draft {
        program: b"a program".to_vec(),
        input: Input::File {
            path: input.to_owned(),
            split: Split::Bytes,
            shard_bytes: SHARD_BYTES,
        },
        arguments: vec![],
        task_arguments: vec![],
        assembly: Assembly::Concatenate,
        terms: Terms {
            agreement: Agreement::Single,
            referees: Referees::One,
            class: Class::Pinned,
            preferences: Preferences::default(),
            level: ByteLevel::Balanced,
            fuel_per_task_max: 1,
            memory_bytes_max: 1,
            result_bytes_max: 1,
            deadline: 1,
            price_max: 1,
        },
    };
    let owner = AccountId::new([1; 32]);
    prepare(&jobs, GenesisHash([1; 32]), &owner, &draft, |_, _| {})?;
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.context("the kernel does not tell")?;
    say(peak.trim_end_matches("kB").trim());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cipher_alone_encrypts_it_decrypts_again() {
        let bytes = 2 * u64::from(SHARD_BYTES) + 8 * 1_000;
        let mut memory = content(bytes).unwrap();
        let mut tags = Tags::new();
        alone(&mut memory, &mut tags, encrypt_and_hash).unwrap();
        assert_eq!(tags.len(), 3);
        assert_ne!(memory, content(bytes).unwrap());
        alone(&mut memory, &mut tags, hash_and_decrypt).unwrap();
        assert_eq!(memory, content(bytes).unwrap());
    }

    #[test]
    fn what_is_sealed_opens_and_what_is_altered_does_not() {
        let folder = std::env::temp_dir().join(format!("quern-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let bytes = u64::from(SHARD_BYTES) + 8_000;
        let path = folder.join("input");
        fs::write(&path, content(bytes).unwrap()).unwrap();
        let input = Input::File {
            path,
            split: Split::Bytes,
            shard_bytes: SHARD_BYTES,
        };
        let (sealed, mut roots) = seal_to_files(&input, &folder).unwrap();
        assert_eq!(roots.len(), 2);
        open_all(&sealed, &roots, bytes).unwrap();
        roots.swap(0, 1);
        assert!(open_all(&sealed, &roots, bytes).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
