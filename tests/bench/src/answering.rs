//! How long a device takes to answer a challenge: 32 chunks of a piece of 32 MB, with what leads from each to the
//! piece's root.
//!
//! Piece and leaves are not in the page cache, as they are not when a device is asked after an hour. It is held
//! against reading the same chunks alone, in the same way; of either the 95th percentile counts.

use crate::report::{Bar, Row, say, title};
use anyhow::{Context as _, ensure};
use quern_primitives::{
    custody::{PieceEntry, piece_chunks},
    ids::{ContractId, Digest},
    limits::CHALLENGED_CHUNKS_MAX,
    merkle::{CHUNK_BYTES, Tree},
};
use quern_worker::kept::KeptPieces;
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};
use rustix::fs::{Advice, fadvise};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
    time::Instant,
};

pub(crate) const NAME: &str = "challenge_answer_ms";

/// What an answer may take.
const MS_MAX: f64 = 5.0;

/// The piece.
const BYTES: usize = 32_000_000;

pub(crate) fn measure(folder: &Path, quick: bool) -> anyhow::Result<Row> {
    title("Answering a challenge from the disk");
    let rounds = if quick { 10 } else { 100 };
    let folder = folder.join("kept");
    let kept = KeptPieces::open(&folder)?;
    let mut draws = StdRng::seed_from_u64(7);
    let mut bytes = vec![0; BYTES];
    draws.fill_bytes(&mut bytes);
    let entry = PieceEntry {
        version: PieceEntry::VERSION,
        piece: 0,
        chunk_root: Tree::new(bytes.chunks(CHUNK_BYTES)).root(),
        bytes: BYTES as u64,
        audit_root: Digest::default(),
        audit_depth: 0,
    };
    let name = (ContractId([7; 32]), 0);
    let came = folder.join("came");
    fs::write(&came, &bytes)?;
    kept.keep(name.0, &entry, &came)?;
    let place = kept.find(&name).context("it was kept a moment ago")?;
    let leaves = place.with_extension("leaves");
    let count = piece_chunks(entry.bytes).context("it is as long as a piece may be")?;

    let (mut answers, mut reads) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut asked = BTreeSet::new();
        while asked.len() < CHALLENGED_CHUNKS_MAX as usize {
            asked.insert(draws.random_range(0..count));
        }
        let asked: Vec<u32> = asked.into_iter().collect();
        forget(&[&place, &leaves])?;
        let start = Instant::now();
        let shown = kept.show(&name, &asked)?;
        answers.push(start.elapsed().as_secs_f64() * 1_000.0);
        let holds = shown
            .iter()
            .all(|chunk| chunk.proof.root_over(&chunk.bytes) == Some(entry.chunk_root));
        ensure!(
            holds && shown.len() == asked.len(),
            "an answer does not hold"
        );
        forget(&[&place])?;
        let start = Instant::now();
        read(&place, &asked)?;
        reads.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    fs::remove_dir_all(&folder)?;
    let middle = at_percent(&mut answers, 50);
    let answer = at_percent(&mut answers, 95);
    let alone = at_percent(&mut reads, 95);
    say(&format!(
        "{middle:.2} ms in the middle, {answer:.2} ms at the 95th percentile; the chunks alone {alone:.2} ms there"
    ));
    let row = Row::new(
        NAME,
        (answer, "ms"),
        ("reading the same chunks alone", alone),
    );
    Ok(row.with_bar(Bar::ValueAtMost(MS_MAX)))
}

/// Takes files out of the page cache.
fn forget(paths: &[&Path]) -> anyhow::Result<()> {
    for path in paths {
        let file = File::open(path)?;
        // What is not written yet stays in the cache.
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}

fn read(path: &Path, asked: &[u32]) -> anyhow::Result<()> {
    let mut file = File::open(path)?;
    let mut room = vec![0; CHUNK_BYTES];
    for chunk in asked {
        let at = u64::from(*chunk) * CHUNK_BYTES as u64;
        let length = CHUNK_BYTES.min(BYTES - at as usize);
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut room[..length])?;
    }
    Ok(())
}

fn at_percent(all: &mut [f64], percent: usize) -> f64 {
    all.sort_by(f64::total_cmp);
    let last = all.len().saturating_sub(1);
    all.get(all.len() * percent / 100)
        .or(all.get(last))
        .copied()
        .unwrap_or_default()
}
