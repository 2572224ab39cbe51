//! Pieces on their way: a question, and chunks in answer, each with its path to the root.

use crate::{
    disk::DiskError,
    limits::{FETCH_BYTES_PER_SECOND_MIN, FETCH_TIMEOUT, STRETCH_BYTES},
};
use codec::Encode as _;
use quern_network::{
    MeshHandle,
    mesh::{Answer, ContentError, Reply},
};
use quern_primitives::merkle::{CHUNK_BYTES, Proof};
use quern_shards::chunks::{
    ChunkError, ChunkHasher, ChunkTree, check_chunk, chunk_count, chunk_root,
};
use quern_swarm_rules::{
    FetchFault, PeerId,
    message::{Chunk, Fetch, Made},
};
use std::{io, path::Path, time::Duration};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _, BufWriter},
    time::timeout,
};

/// Why a piece did not come.
#[derive(Debug)]
pub(super) enum FetchError {
    /// The other did not give it.
    Fault(FetchFault),
    /// It cannot be put aside here.
    Disk(DiskError),
}

/// Brings a piece here, into a file. Each chunk is checked before it is written.
pub(super) async fn fetch(
    mesh: &MeshHandle,
    from: &PeerId,
    made: &Made,
    into: &Path,
) -> Result<(), FetchError> {
    let unable = |source| {
        FetchError::Disk(DiskError::File {
            doing: "write",
            path: into.to_owned(),
            source,
        })
    };
    let file = File::create(into).await.map_err(unable)?;
    let mut file = BufWriter::with_capacity(STRETCH_BYTES, file);
    if made.bytes == 0 {
        // Nothing has to come, and of nothing there is one root.
        return match chunk_root(&[]) == made.root {
            true => Ok(()),
            false => Err(FetchFault::Wrong.into()),
        };
    }
    let count = u32::try_from(chunk_count(made.bytes.into())).unwrap_or(u32::MAX);
    let brought = async {
        let question = Fetch {
            piece: made.piece,
            root: made.root,
            from: 0,
        };
        let asked = mesh.ask(from, &question.encode()).await;
        let mut reply = asked.map_err(|_| FetchFault::Gone)?;
        for index in 0..count {
            let bytes = next_chunk(&mut reply, made, (index, count)).await?;
            file.write_all(&bytes).await.map_err(unable)?;
        }
        file.flush().await.map_err(unable)
    };
    let seconds = u64::from(made.bytes) / FETCH_BYTES_PER_SECOND_MIN;
    let patience = FETCH_TIMEOUT.saturating_add(Duration::from_secs(seconds));
    let brought = timeout(patience, brought).await;
    brought.map_err(|_| FetchError::from(FetchFault::Gone))?
}

/// The next chunk of an answer, if it is that of the piece.
async fn next_chunk(
    reply: &mut Reply,
    made: &Made,
    (index, count): (u32, u32),
) -> Result<Vec<u8>, FetchFault> {
    let part = reply.part().await.map_err(|error| match error {
        ContentError::Long { .. } => FetchFault::Longer,
        _ => FetchFault::Gone,
    })?;
    let part = part.ok_or(FetchFault::Gone)?;
    let Chunk { chunk, bytes, path } = Chunk::decode(&part).map_err(|_| FetchFault::Wrong)?;
    if chunk != index {
        return Err(FetchFault::Wrong);
    }
    let proof = Proof {
        index,
        count,
        siblings: path,
    };
    match check_chunk(&made.root, made.bytes.into(), &proof, &bytes) {
        Ok(()) => Ok(bytes),
        Err(ChunkError::Length { expected, found }) if found as u64 > expected => {
            Err(FetchFault::Longer)
        }
        Err(_) => Err(FetchFault::Wrong),
    }
}

/// Gives a piece, from some chunk on. What is on the disk may have changed since it was asked for; then it
/// is broken off.
pub(super) async fn serve(
    path: &Path,
    bytes_max: u32,
    fetch: &Fetch,
    mut answer: Answer,
) -> io::Result<()> {
    let seconds = u64::from(bytes_max) / FETCH_BYTES_PER_SECOND_MIN;
    let patience = FETCH_TIMEOUT.saturating_add(Duration::from_secs(seconds));
    let given = async {
        let mut file = File::open(path).await?;
        let tree = tree_of(&mut file).await?;
        if tree.root() != fetch.root {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let start = u64::from(fetch.from).saturating_mul(CHUNK_BYTES as u64);
        file.seek(io::SeekFrom::Start(start)).await?;
        let mut stretch = vec![0; STRETCH_BYTES];
        let mut index = fetch.from;
        while index < tree.count() {
            let read = fill(&mut file, &mut stretch).await?;
            let bytes = stretch.get(..read).unwrap_or_default();
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            for chunk in bytes.chunks(CHUNK_BYTES) {
                let proof = tree.proof(index).ok_or(io::ErrorKind::UnexpectedEof)?;
                let chunk = Chunk {
                    chunk: index,
                    bytes: chunk.to_vec(),
                    path: proof.siblings,
                };
                answer.part(&chunk.encode()).await?;
                index = index.saturating_add(1);
            }
        }
        answer.end().await
    };
    // Who takes it slower than that is given no more of it.
    timeout(patience, given).await?
}

/// The tree over a file, and the file at its beginning again.
async fn tree_of(file: &mut File) -> io::Result<ChunkTree> {
    let mut chunks = ChunkHasher::new();
    let mut stretch = vec![0; STRETCH_BYTES];
    loop {
        match file.read(&mut stretch).await? {
            0 => break,
            read => chunks.update(stretch.get(..read).unwrap_or_default()),
        }
    }
    Ok(chunks.finish())
}

/// Reads until a stretch is full, or the file at its end.
async fn fill(file: &mut File, stretch: &mut [u8]) -> io::Result<usize> {
    let mut there = 0;
    while let Some(rest) = stretch.get_mut(there..).filter(|it| !it.is_empty()) {
        match file.read(rest).await? {
            0 => break,
            read => there = there.saturating_add(read),
        }
    }
    Ok(there)
}
