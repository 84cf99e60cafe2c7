//! Frames (PEP 3154): opcodes with their arguments lie within one frame, and frames do not overlap.
//!
//! The Python unpickler enforces that; the C one did not before 3.13.15 and 3.14.7, and read other
//! bytes from a file than from memory (cpython#154848). So every breach is a finding.

use crate::opcodes::{Argument, Operation, name};

const FRAME: u8 = 0x95;

/// The frame that is open.
#[derive(Debug, Default)]
pub(super) struct Frames {
    end: Option<u64>,
}

impl Frames {
    /// Where the last frame ends.
    pub(super) fn end(&self) -> Option<u64> {
        self.end
    }

    /// What is wrong with the frames at this operation.
    pub(super) fn check(&mut self, operation: Operation) -> Option<String> {
        let lie = self.end.filter(|end| operation.start < *end).and_then(|end| {
            if operation.end > end {
                Some(format!("{} crosses the end of its frame at byte {end}", name(operation.code)))
            } else if operation.code == FRAME {
                Some(format!("a frame starts inside the frame that ends at byte {end}"))
            } else if operation.code == b'.' && operation.end != end {
                Some(format!("the pickle stops inside the frame that ends at byte {end}"))
            } else {
                None
            }
        });
        if let (FRAME, Argument::Integer(length)) = (operation.code, operation.argument) {
            self.end = Some(operation.end.saturating_add(u64::try_from(length).unwrap_or(u64::MAX)));
        }
        lie
    }
}
