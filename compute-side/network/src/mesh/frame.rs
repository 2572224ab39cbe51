//! What goes over streams of a mesh: four bytes of length, little-endian, and so many bytes.

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use std::io;

/// Bytes of a length.
pub(super) const LENGTH_BYTES: usize = 4;

/// Bytes reserved before any of them has come; more follow as they come.
const FIRST_RESERVATION_BYTES: usize = 4 * 1024;

/// Reads so many bytes, and takes no room for them before they are there.
pub(super) async fn read_bytes<T>(io: &mut T, length: usize, into: &mut Vec<u8>) -> io::Result<()>
where
    T: AsyncRead + Unpin,
{
    into.reserve(length.min(FIRST_RESERVATION_BYTES));
    let read = io.take(length as u64).read_to_end(into).await?;
    match read == length {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Reads the length of what comes next; none if the other side has ended the stream.
pub(super) async fn read_length<T>(io: &mut T) -> io::Result<Option<usize>>
where
    T: AsyncRead + Unpin,
{
    let mut length = [0; LENGTH_BYTES];
    let (first, rest) = length.split_at_mut(1);
    if io.read(first).await? == 0 {
        return Ok(None);
    }
    io.read_exact(rest).await?;
    Ok(Some(u32::from_le_bytes(length) as usize))
}

/// Writes some bytes behind their length. They are on their way when the stream is flushed.
pub(super) async fn write<T>(io: &mut T, bytes: &[u8]) -> io::Result<()>
where
    T: AsyncWrite + Unpin,
{
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // In one buffer they are one write and one encryption.
    io.write_all(&[&length.to_le_bytes(), bytes].concat()).await
}
