//! A [`Source`] as the standard library's `Read` and `Seek`, for decoders that want those.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use crate::Source;

/// A reading position in a source; how far it has come can be watched from outside.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    source: Source,
    position: Rc<Cell<u64>>,
}

impl Reader {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, position: Rc::default() }
    }

    /// Where the reader is, shared.
    pub(crate) fn watch(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.position)
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read_at(buffer, self.position.get()).map_err(io::Error::other)?;
        self.position.set(self.position.get() + count as u64);
        Ok(count)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(delta) => self.source.length().checked_add_signed(delta),
            SeekFrom::Current(delta) => self.position.get().checked_add_signed(delta),
        };
        let position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.position.set(position);
        Ok(position)
    }
}
