//! Reading stretches of a wanted length from a source that gives them in its own.

use std::io::{self, Read};

/// Reads into a buffer until it has `length` bytes or the input ends; what it held is gone. A buffer
/// that had room for them is not allocated anew.
pub(crate) fn read_up_to(
    input: &mut impl Read,
    length: usize,
    buffer: &mut Vec<u8>,
) -> io::Result<()> {
    buffer.resize(length, 0);
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                buffer.clear();
                return Err(error);
            }
        }
    }
    buffer.truncate(filled);
    Ok(())
}
