//! What the machine knows of a value. Values are eight bytes and never nest, so that a program
//! which builds a huge or self-referring structure costs no more than its opcodes.

use bartizan_core::printable;

/// What is known of one Python object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Value {
    /// A plain object whose content doesn't matter, such as `list`.
    Plain(Plain),
    /// A small integer.
    Integer(i32),
    /// Text that is known.
    Text(u32),
    /// Bytes that lie in the file.
    Bytes(u32),
    /// A tuple.
    Tuple(u32),
    /// An imported object, not called.
    Import(u32),
    /// A list, set or deque, by number.
    List(u32),
    /// A dictionary, by number.
    Dict(u32),
    /// A NumPy dtype, by number.
    Dtype(u32),
    /// A placeholder of joblib, by number.
    Placeholder(u32),
    /// What calling an imported object gave.
    Result(u32),
    /// An object that the loader supplies for a persistent id.
    Persistent,
    /// Anything at all.
    Unknown,
}

/// A plain object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Plain {
    None,
    True,
    False,
    Number,
    LongText,
    Buffer,
    /// The number that starts a file of `torch.save` before 1.6.
    TorchMagic,
}

/// Entries kept of one tuple; no rule looks further.
const KEPT: usize = 32;
/// Most tuples, texts and byte strings that are remembered; later ones are [`Value::Unknown`].
const MOST: usize = 1 << 20;
/// Bytes of text that are remembered.
const TEXT: usize = 8 << 20;

/// The content of values.
#[derive(Debug, Default)]
pub(super) struct Store {
    text: String,
    texts: Vec<(u32, u32)>,
    bytes: Vec<(u64, u64)>,
    entries: Vec<Value>,
    tuples: Vec<(u32, u32, u32)>,
    /// By number of a tuple: its elements, those of tuples in it included.
    weights: Vec<u64>,
    pub(super) overflowed: bool,
}

impl Store {
    pub(super) fn text(&mut self, bytes: &[u8]) -> Value {
        let text = String::from_utf8_lossy(bytes);
        if self.text.len() + text.len() > TEXT || self.texts.len() >= MOST {
            // Padding must not hide a name that rules look for.
            let matters = text.starts_with("__") || text.starts_with("restore_") || text == "formula";
            self.overflowed |= matters && self.text.len() > 2 * TEXT;
            if !matters || self.text.len() > 2 * TEXT {
                return Value::Plain(Plain::LongText);
            }
        }
        let start = self.text.len();
        self.text.push_str(&text);
        self.texts.push((number(start), number(text.len())));
        Value::Text(number(self.texts.len() - 1))
    }

    pub(super) fn bytes(&mut self, offset: u64, length: u64) -> Value {
        if self.bytes.len() >= MOST {
            return Value::Plain(Plain::Buffer);
        }
        self.bytes.push((offset, length));
        Value::Bytes(number(self.bytes.len() - 1))
    }

    pub(super) fn tuple(&mut self, entries: &[Value]) -> Value {
        if self.tuples.len() >= MOST || self.entries.len() >= 2 * MOST {
            self.overflowed = true;
            return Value::Unknown;
        }
        let start = number(self.entries.len());
        self.entries.extend(entries.iter().take(KEPT));
        let weight = entries.iter().fold(1_u64, |weight, entry| weight.saturating_add(self.weight(*entry)));
        self.weights.push(weight);
        self.tuples.push((start, number(entries.len().min(KEPT)), number(entries.len())));
        Value::Tuple(number(self.tuples.len() - 1))
    }

    /// The text, where the value is known text.
    pub(super) fn as_text(&self, value: Value) -> Option<&str> {
        let Value::Text(index) = value else { return None };
        let (start, length) = *self.texts.get(index as usize)?;
        self.text.get(start as usize..(start + length) as usize)
    }

    /// Offset and length, where the value is bytes in the file.
    pub(super) fn as_bytes(&self, value: Value) -> Option<(u64, u64)> {
        let Value::Bytes(index) = value else { return None };
        self.bytes.get(index as usize).copied()
    }

    /// The first entries, where the value is a tuple.
    pub(super) fn as_tuple(&self, value: Value) -> Option<&[Value]> {
        let Value::Tuple(index) = value else { return None };
        let (start, kept, _) = *self.tuples.get(index as usize)?;
        self.entries.get(start as usize..(start + kept) as usize)
    }

    /// All entries, where the value is a tuple of which all are kept.
    pub(super) fn as_whole_tuple(&self, value: Value) -> Option<&[Value]> {
        let Value::Tuple(index) = value else { return None };
        let (start, kept, total) = *self.tuples.get(index as usize)?;
        self.entries.get(start as usize..(start + kept) as usize).filter(|_| kept == total)
    }

    /// Elements of a tuple, counted as often as they are reached; 1 for anything else.
    pub(super) fn weight(&self, value: Value) -> u64 {
        let Value::Tuple(index) = value else { return 1 };
        self.weights.get(index as usize).copied().unwrap_or(1)
    }

    /// How many entries a tuple has, those that are not kept included.
    pub(super) fn tuple_length(&self, value: Value) -> Option<usize> {
        let Value::Tuple(index) = value else { return None };
        self.tuples.get(index as usize).map(|(_, _, total)| *total as usize)
    }

    /// The value as Python would write it, at most about `room` characters; `import` names imports.
    pub(super) fn render(&self, value: Value, room: usize, import: &dyn Fn(u32) -> String) -> String {
        let mut out = String::new();
        self.write(value, 3, room, import, &mut out);
        out
    }

    fn write(&self, value: Value, depth: u32, room: usize, import: &dyn Fn(u32) -> String, out: &mut String) {
        if out.len() >= room {
            if !out.ends_with('…') {
                out.push('…');
            }
            return;
        }
        match value {
            Value::Plain(plain) => out.push_str(plain.as_str()),
            Value::Integer(integer) => out.push_str(&integer.to_string()),
            Value::Text(_) => {
                let text = self.as_text(value).unwrap_or_default();
                let cut: String = text.chars().take(room.saturating_sub(out.len()).min(80)).collect();
                let mark = if cut.len() < text.len() { "…" } else { "" };
                out.push_str(&format!("'{}{mark}'", printable(&cut)));
            }
            Value::Bytes(_) => {
                let (_, length) = self.as_bytes(value).unwrap_or_default();
                out.push_str(&format!("<{length} bytes>"));
            }
            Value::Tuple(index) => {
                let total = self.tuples.get(index as usize).map_or(0, |tuple| tuple.2 as usize);
                let entries = self.as_tuple(value).unwrap_or_default();
                out.push('(');
                for (place, entry) in entries.iter().enumerate() {
                    if depth == 0 {
                        out.push('…');
                        break;
                    }
                    if place > 0 {
                        out.push_str(", ");
                    }
                    self.write(*entry, depth - 1, room, import, out);
                }
                if total > entries.len() {
                    out.push_str(", …");
                }
                out.push(')');
            }
            Value::Import(index) => out.push_str(&import(index)),
            Value::Result(index) => out.push_str(&format!("{}(…)", import(index))),
            Value::List(_) => out.push_str("[…]"),
            Value::Dict(_) => out.push_str("{…}"),
            Value::Dtype(_) => out.push_str("numpy.dtype(…)"),
            Value::Placeholder(_) => out.push_str("<array>"),
            Value::Persistent => out.push_str("<persistent>"),
            Value::Unknown => out.push('?'),
        }
    }
}

impl Plain {
    const fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::True => "True",
            Self::False => "False",
            Self::Number | Self::TorchMagic => "<number>",
            Self::LongText => "<long text>",
            Self::Buffer => "<buffer>",
        }
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
