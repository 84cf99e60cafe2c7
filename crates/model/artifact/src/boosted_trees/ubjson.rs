//! Universal Binary JSON (draft 12) as XGBoost writes it, with big-endian numbers and typed arrays.

use serde_json::{Map, Number, Value};

/// Objects and arrays within one another.
const DEPTH: u32 = 32;

/// Reads one value; what follows it is an error.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, String> {
    let mut reader = Reader { rest: bytes };
    let marker = reader.byte()?;
    let value = reader.value(marker, 0)?;
    if reader.rest.is_empty() { Ok(value) } else { Err(format!("{} bytes follow its end", reader.rest.len())) }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or("it is cut off")?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.take(1)?.first().copied().ok_or_else(|| "it is cut off".to_owned())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "it is cut off".to_owned())
    }

    fn value(&mut self, marker: u8, depth: u32) -> Result<Value, String> {
        if depth > DEPTH {
            return Err("it is nested too deep".to_owned());
        }
        let float = |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number);
        Ok(match marker {
            b'Z' | b'N' => Value::Null,
            b'T' => Value::Bool(true),
            b'F' => Value::Bool(false),
            b'i' => i8::from_be_bytes(self.array()?).into(),
            b'U' => self.byte()?.into(),
            b'I' => i16::from_be_bytes(self.array()?).into(),
            b'l' => i32::from_be_bytes(self.array()?).into(),
            b'L' => i64::from_be_bytes(self.array()?).into(),
            b'd' => float(f32::from_be_bytes(self.array()?).into()),
            b'D' => float(f64::from_be_bytes(self.array()?)),
            b'C' => char::from(self.byte()?).to_string().into(),
            b'S' => {
                let marker = self.byte()?;
                self.text(marker)?.into()
            }
            b'[' => self.list(depth)?,
            b'{' => self.object(depth)?,
            marker => return Err(format!("{marker:#04x} begins no value")),
        })
    }

    fn length(&mut self, marker: u8) -> Result<usize, String> {
        match marker {
            b'i' | b'U' | b'I' | b'l' | b'L' => {
                let number = self.value(marker, 0)?.as_u64().ok_or("a length is negative")?;
                usize::try_from(number).map_err(|_| "a length is too large".to_owned())
            }
            marker => Err(format!("{marker:#04x} begins no length")),
        }
    }

    fn text(&mut self, marker: u8) -> Result<String, String> {
        let length = self.length(marker)?;
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn list(&mut self, depth: u32) -> Result<Value, String> {
        let mut kind = None;
        let mut marker = self.byte()?;
        if marker == b'$' {
            kind = Some(self.byte()?);
            marker = self.byte()?;
            if marker != b'#' {
                return Err("a typed array has no count".to_owned());
            }
        }
        let mut items = Vec::new();
        if marker == b'#' {
            let marker = self.byte()?;
            let count = self.length(marker)?;
            // Each item takes a byte at least, so that no count makes more work than the file has bytes.
            if count > self.rest.len() || matches!(kind, Some(b'Z' | b'N' | b'T' | b'F')) {
                return Err(format!("an array of {count} is stated, {} bytes are left", self.rest.len()));
            }
            for _ in 0..count {
                let marker = match kind {
                    Some(kind) => kind,
                    None => self.byte()?,
                };
                items.push(self.value(marker, depth + 1)?);
            }
        } else {
            while marker != b']' {
                items.push(self.value(marker, depth + 1)?);
                marker = self.byte()?;
            }
        }
        Ok(Value::Array(items))
    }

    fn object(&mut self, depth: u32) -> Result<Value, String> {
        let mut entries = Map::new();
        let mut marker = self.byte()?;
        while marker != b'}' {
            let key = self.text(marker)?;
            let kind = self.byte()?;
            let value = self.value(kind, depth + 1)?;
            entries.insert(key, value);
            marker = self.byte()?;
        }
        Ok(Value::Object(entries))
    }
}
