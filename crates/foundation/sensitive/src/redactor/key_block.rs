//! Private keys that take many lines: from their first line on they are swallowed, however long they are.

/// How a block of key material is fenced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BlockKind {
    /// `-----BEGIN … PRIVATE KEY-----` (RFC 7468, and OpenPGP's armour of RFC 9580, section 6.2).
    Pem,
    /// PuTTY's own format.
    Putty,
}

/// A block that may begin at a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    kind: BlockKind,
    begin: usize,
}

/// What a block that may begin has turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BlockState {
    /// No private key.
    None,
    /// Not known yet.
    Open,
    /// A private key: there is key material.
    Key,
}

const PEM: &str = "-----BEGIN ";
const PUTTY: &str = "PuTTY-User-Key-File-";
const DASHES: &str = "-----";
/// Most bytes of a label between dashes.
const LABEL: usize = 64;
/// Words in a row that are no key material, after which a block is over: headers such as `Comment: …` have some.
const STRANGERS: usize = 12;
/// Fewest bytes of a word that is taken for key material.
const MATERIAL: usize = 16;

impl BlockKind {
    /// The block that a keyword opens.
    pub(super) fn behind(keyword: &str) -> Option<Self> {
        match keyword {
            PEM => Some(Self::Pem),
            PUTTY => Some(Self::Putty),
            _ => None,
        }
    }

    pub(super) fn at(self, begin: usize) -> Block {
        Block { kind: self, begin }
    }
}

impl Block {
    pub(super) fn begin(self) -> usize {
        self.begin
    }

    pub(super) fn shift(&mut self, by: usize) {
        self.begin = self.begin.saturating_sub(by);
    }

    /// What is known of the block from `text`, which may go on.
    pub(super) fn state(self, text: &str) -> BlockState {
        let Some(body) = self.body(text) else {
            let length = text.len().saturating_sub(self.begin);
            return if length <= PEM.len() + LABEL { BlockState::Open } else { BlockState::None };
        };
        let label = text.get(self.begin..body).unwrap_or_default();
        if self.kind == BlockKind::Pem && !label.contains("PRIVATE KEY") {
            return BlockState::None;
        }
        let body = text.get(body..).unwrap_or_default();
        if body.split_whitespace().any(is_material) {
            return BlockState::Key;
        }
        let is_over = body.contains(DASHES) || body.split_whitespace().count() > STRANGERS;
        if is_over { BlockState::None } else { BlockState::Open }
    }

    /// Where the first line ends.
    fn body(self, text: &str) -> Option<usize> {
        match self.kind {
            BlockKind::Putty => Some(self.begin + PUTTY.len()),
            BlockKind::Pem => {
                let from = self.begin + PEM.len();
                let end = text.get(from..)?.find(DASHES)?;
                Some(from + end + DASHES.len())
            }
        }
    }

    /// The id of its kind.
    pub(super) fn id(self, text: &str) -> &'static str {
        let body = self.body(text).unwrap_or(self.begin);
        let label = text.get(self.begin..body).unwrap_or_default();
        match self.kind {
            BlockKind::Putty => "putty-private-key",
            BlockKind::Pem if label.contains("PGP") => "pgp-private-key",
            BlockKind::Pem if label.contains("ENCRYPTED PRIVATE") => "encrypted-private-key",
            BlockKind::Pem => "private-key",
        }
    }

    /// What swallows the key, and where its material begins.
    pub(super) fn swallow(self, text: &str) -> (Swallow, usize) {
        let body = self.body(text).unwrap_or(self.begin);
        (Swallow { id: self.id(text), kind: self.kind, strangers: 0, closing: None }, body)
    }
}

/// A private key of which more is expected.
#[derive(Debug)]
pub(super) struct Swallow {
    pub(super) id: &'static str,
    kind: BlockKind,
    strangers: usize,
    /// Words that the closing line may still take.
    closing: Option<usize>,
}

impl Swallow {
    /// Takes the next unit; says where in it the key is over, if it is.
    pub(super) fn take(&mut self, unit: &str) -> Option<usize> {
        let mark = if self.kind == BlockKind::Pem { "-----END" } else { "Private-MAC:" };
        let from = match self.closing {
            Some(_) => 0,
            None => match unit.find(mark) {
                Some(at) => {
                    self.closing = Some(if self.kind == BlockKind::Pem { 6 } else { 2 });
                    at + mark.len()
                }
                None => return self.count(unit),
            },
        };
        let rest = unit.get(from..).unwrap_or_default();
        if self.kind == BlockKind::Pem
            && let Some(dashes) = rest.find(DASHES)
        {
            return Some(from + dashes + DASHES.len());
        }
        let left = self.closing.as_mut()?;
        if self.kind == BlockKind::Pem || !rest.trim().is_empty() || from > 0 {
            *left -= 1;
        }
        (*left == 0).then(|| from + rest.trim_end().len())
    }

    fn count(&mut self, unit: &str) -> Option<usize> {
        for word in unit.split_whitespace() {
            self.strangers = if is_material(word) { 0 } else { self.strangers + 1 };
        }
        (self.strangers > STRANGERS).then_some(0)
    }
}

/// Whether a word looks like a line of key material: a long run in base 64 that is no word.
fn is_material(word: &str) -> bool {
    let is_base = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    word.as_bytes().split(|byte| !is_base(byte)).any(|run| {
        let is_mixed = run.iter().skip(1).any(|byte| !byte.is_ascii_lowercase());
        run.len() >= MATERIAL && is_mixed
    })
}
