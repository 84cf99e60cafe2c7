//! Widths, addresses and numbers of HDF5.

use bartizan_inspect::Source;

/// Widths and base of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) base: u64,
    pub(super) offset: usize,
    pub(super) length: usize,
}

/// A little-endian number of up to eight bytes.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

impl Layout {
    /// Whether the address stands for "none".
    pub(super) fn is_undefined(self, address: u64) -> bool {
        address == u64::MAX >> (64 - 8 * self.offset)
    }

    /// Reads `length` bytes at an address.
    pub(super) fn read(self, source: &Source, address: u64, length: usize) -> Result<Vec<u8>, String> {
        if length > 64 << 20 {
            return Err(format!("an HDF5 object of {length} bytes is not read"));
        }
        let at = self.base.checked_add(address).ok_or("an HDF5 address overflows")?;
        source.read(at, length).map_err(|error| format!("the HDF5 file is damaged or cut off: {error}"))
    }
}

/// Reads numbers off the front of some bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (front, rest) = self.0.split_at_checked(length).ok_or("an HDF5 message is too short")?;
        self.0 = rest;
        Ok(front)
    }

    pub(super) fn number(&mut self, width: usize) -> Result<u64, String> {
        self.take(width).map(number)
    }

    pub(super) fn size(&mut self, width: usize) -> Result<usize, String> {
        usize::try_from(self.number(width)?).map_err(|_| "an HDF5 size is too large".to_owned())
    }
}
