//! A program's memory as the host sees it: every address is the program's word and is checked.

use super::abi::{Errno, IOVEC_BYTES};

/// Buffers in one call, the bound POSIX systems set.
pub(crate) const IOVECS_MAX: u32 = 1_024;

/// The program's linear memory for the time of one call.
pub(crate) struct Guest<'a>(&'a mut [u8]);

/// One buffer that a program named, known to lie in its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Buffer {
    start: usize,
    bytes: usize,
}

impl Buffer {
    pub(crate) fn len(self) -> usize {
        self.bytes
    }

    /// The first `bytes` of it, or all of it if it is shorter.
    pub(crate) fn first(self, bytes: usize) -> Buffer {
        Buffer {
            start: self.start,
            bytes: self.bytes.min(bytes),
        }
    }
}

impl<'a> Guest<'a> {
    pub(crate) fn new(memory: &'a mut [u8]) -> Self {
        Guest(memory)
    }

    /// The buffer at `address`, if all of it lies in memory.
    pub(crate) fn buffer(&self, address: u32, bytes: u32) -> Result<Buffer, Errno> {
        let (start, bytes) = (address as usize, bytes as usize);
        match start.checked_add(bytes) {
            Some(end) if end <= self.0.len() => Ok(Buffer { start, bytes }),
            _ => Err(Errno::Fault),
        }
    }

    /// The buffers that an array of addresses and lengths names, and their bytes together.
    pub(crate) fn buffers(&self, address: u32, count: u32) -> Result<(Vec<Buffer>, u32), Errno> {
        if count > IOVECS_MAX {
            return Err(Errno::Invalid);
        }
        let array = self.read(self.buffer(address, count * IOVEC_BYTES)?);
        let mut total: u32 = 0;
        let mut buffers = Vec::with_capacity(count as usize);
        for entry in array.chunks_exact(IOVEC_BYTES as usize) {
            let [a, b, c, d, e, f, g, h] = *entry else {
                return Err(Errno::Fault);
            };
            let bytes = u32::from_le_bytes([e, f, g, h]);
            buffers.push(self.buffer(u32::from_le_bytes([a, b, c, d]), bytes)?);
            total = total.checked_add(bytes).ok_or(Errno::Invalid)?;
        }
        Ok((buffers, total))
    }

    /// What a buffer holds. A buffer of another memory reads as empty.
    pub(crate) fn read(&self, buffer: Buffer) -> &[u8] {
        self.0
            .get(buffer.start..buffer.start + buffer.bytes)
            .unwrap_or_default()
    }

    /// The same, to be written.
    pub(crate) fn write(&mut self, buffer: Buffer) -> &mut [u8] {
        self.0
            .get_mut(buffer.start..buffer.start + buffer.bytes)
            .unwrap_or_default()
    }

    /// The `N` bytes at `address`.
    pub(crate) fn load<const N: usize>(&self, address: u32) -> Result<[u8; N], Errno> {
        let start = address as usize;
        let end = start.checked_add(N).ok_or(Errno::Fault)?;
        self.0
            .get(start..end)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(Errno::Fault)
    }

    /// Puts `bytes` at `address`.
    pub(crate) fn store(&mut self, address: u32, bytes: &[u8]) -> Result<(), Errno> {
        let start = address as usize;
        let end = start.checked_add(bytes.len()).ok_or(Errno::Fault)?;
        self.0
            .get_mut(start..end)
            .ok_or(Errno::Fault)?
            .copy_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_buffer_may_end_at_the_end_of_memory_and_not_one_byte_later() {
        let mut memory = [0; 16];
        let mut guest = Guest::new(&mut memory);
        assert_eq!(guest.buffer(8, 8).unwrap().len(), 8);
        assert_eq!(guest.buffer(16, 0).unwrap().len(), 0);
        assert_eq!(guest.buffer(9, 8), Err(Errno::Fault));
        assert_eq!(guest.buffer(u32::MAX, u32::MAX), Err(Errno::Fault));
        assert_eq!(guest.store(13, &[1; 4]), Err(Errno::Fault));
        assert_eq!(guest.load::<4>(13), Err(Errno::Fault));
        assert_eq!(guest.store(12, &[1; 4]), Ok(()));
    }

    #[test]
    fn buffers_whose_lengths_do_not_add_up_to_a_size_are_invalid() {
        // The second buffer is empty only in name: both cover all of memory, 70,000 times over.
        let mut memory = vec![0; 1 << 20];
        let count = IOVECS_MAX;
        for index in 0..count as usize {
            memory[index * 8 + 4..index * 8 + 8].copy_from_slice(&(1u32 << 20).to_le_bytes());
        }
        let guest = Guest::new(&mut memory);
        assert_eq!(guest.buffers(0, count).unwrap().1, 1 << 30);
        assert_eq!(guest.buffers(0, count + 1), Err(Errno::Invalid));
    }

    proptest! {
        #[test]
        fn no_address_reaches_beyond_memory(memory in prop::collection::vec(any::<u8>(), 0..256), address: u32, small in 0u32..300, bytes: u32, count: u32) {
            let mut memory = memory;
            let size = memory.len() as u64;
            let mut guest = Guest::new(&mut memory);
            for address in [address, small] {
                for bytes in [bytes, small, bytes % 300] {
                    let fits = u64::from(address) + u64::from(bytes) <= size;
                    prop_assert_eq!(guest.buffer(address, bytes).is_ok(), fits);
                }
                prop_assert_eq!(guest.store(address, &[0; 8]).is_ok(), u64::from(address) + 8 <= size);
                if let Ok((buffers, total)) = guest.buffers(address, count % 8) {
                    prop_assert_eq!(buffers.iter().map(|buffer| guest.read(*buffer).len() as u64).sum::<u64>(), u64::from(total));
                }
            }
        }
    }
}
