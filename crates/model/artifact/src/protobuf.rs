//! Just enough of the protocol-buffers wire format (protobuf.dev, "Encoding").

use bartizan_inspect::{ReadError, Source, Window};

/// A field of a message, and where its content lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) number: u64,
    pub(crate) content: Content,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    /// A number.
    Number(u64),
    /// Bytes, text, a message or packed numbers.
    Range { start: u64, end: u64 },
}

/// The fields of the message in `start..end`, in order; an error ends them.
pub(crate) struct Fields<'a> {
    source: &'a Source,
    window: Window<'a>,
    end: u64,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(source: &'a Source, start: u64, end: u64) -> Self {
        Self { source, window: Window::new(source, start), end }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Field>, String> {
        if self.window.position() >= self.end {
            return Ok(None);
        }
        self.source.budget().operate(1).map_err(|exhausted| exhausted.to_string())?;
        let at = self.window.position();
        let tag = self.varint()?;
        let content = match tag & 7 {
            0 => Content::Number(self.varint()?),
            1 => self.skip(8)?,
            5 => self.skip(4)?,
            2 => {
                let length = self.varint()?;
                self.skip(length)?
            }
            kind => return Err(format!("byte {at}: wire type {kind} is not used")),
        };
        Ok(Some(Field { number: tag >> 3, content }))
    }

    fn skip(&mut self, length: u64) -> Result<Content, String> {
        let start = self.window.position();
        let end = start.checked_add(length).filter(|end| *end <= self.end);
        let end = end.ok_or_else(|| format!("byte {start}: a field of {length} bytes runs past its message"))?;
        self.window.skip(length).map_err(|error| error.to_string())?;
        Ok(Content::Range { start, end })
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.window.byte().and_then(|byte| byte.ok_or(ReadError::End(self.source.length())));
            let byte = byte.map_err(|error| error.to_string())?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(format!("byte {}: a number is longer than ten bytes", self.window.position()))
    }
}

/// Varints packed into `start..end`, or one that stands alone.
pub(crate) fn numbers(source: &Source, content: Content, most: usize) -> Result<Vec<u64>, String> {
    match content {
        Content::Number(value) => Ok(vec![value]),
        Content::Range { start, end } => {
            let mut fields = Fields::new(source, start, end);
            let mut values = Vec::new();
            while fields.window.position() < end {
                if values.len() >= most {
                    return Err("a list of numbers is too long".to_owned());
                }
                values.push(fields.varint()?);
            }
            Ok(values)
        }
    }
}

/// The text of a field, at most `most` bytes of it.
pub(crate) fn text(source: &Source, content: Content, most: u64) -> String {
    let Content::Range { start, end } = content else { return String::new() };
    let length = usize::try_from((end - start).min(most)).unwrap_or(0);
    String::from_utf8_lossy(&source.read(start, length).unwrap_or_default()).into_owned()
}
