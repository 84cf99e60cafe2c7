//! Masks secrets and personal data in text that comes in pieces, and lets everything else pass at once.
//!
//! Text is cut into *units*: what stands between white space, together with the white space character behind it
//! (scripts that are written without spaces count as space). A unit is looked at once, when it is complete. If nothing
//! in it can be, or begin, what is looked for, it is let through. Otherwise it opens a *window* that is held
//! back until nothing in it can go on, and then judged as a whole. Every decision is taken at the end of a unit,
//! on the text up to there and on nothing behind it; so what comes out is a function of the text alone, whatever
//! the pieces it came in.

mod interest;
mod key_block;
mod rules;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::assignment::{Progress, progress};
use crate::matcher::BEHIND;
use crate::personal::{find_personal, number_probe};
use crate::stream::find;
use interest::{Interest, Mark, Sign, first_unit, last_unit};
use key_block::{Block, BlockState, Swallow};
pub use rules::Redaction;

/// Text in, masked text out. Memory is bounded by a constant.
///
/// ```
/// use bartizan_sensitive::{Redaction, Redactor};
///
/// let rules = std::sync::Arc::new(Redaction::default());
/// let (mut redactor, mut masked) = (Redactor::new(&rules), String::new());
/// redactor.push("Hello world, how", &mut masked);
/// assert_eq!(masked, "Hello world, ");
/// redactor.push(" is jane@exa", &mut masked);
/// redactor.push("mple.org?", &mut masked);
/// redactor.finish(&mut masked);
/// assert_eq!(masked, "Hello world, how is [EMAIL]?");
/// ```
pub struct Redactor {
    rules: Arc<Redaction>,
    /// Some text that has been let through, for what stands before a window, and then the window.
    text: String,
    /// Where the window begins: all before has gone out.
    start: usize,
    /// The end of the last unit that has been looked at.
    seen: usize,
    /// The end of the last complete unit, up to which signs have been gathered.
    ready: usize,
    /// Up to here there is no other end of a unit.
    sought: usize,
    /// Signs of something in the units between `seen` and `ready`.
    marks: VecDeque<Mark>,
    /// What began in the window and may go on.
    live: Vec<Live>,
    /// A private key that is being swallowed.
    swallowing: Option<Swallow>,
    has_secret: bool,
    has_personal: bool,
    /// Text that is read and never put out: before and behind what is redacted.
    hidden: (usize, usize),
    counts: Vec<(&'static str, u64)>,
}

/// Something that began in the window and may go on.
#[derive(Debug)]
struct Live {
    /// The unit in which it began: the window reaches back to here.
    start: usize,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// The keyword of a name that ends here; whether its sign has been seen.
    Assignment(usize, bool),
    /// So many units more may belong to it.
    Words(u8),
    /// Digits that begin here.
    Number(usize),
    /// A private key that may begin here.
    Block(Block),
}

/// A window without a place to cut it, such as text without white space, is judged when it is this long in bytes,
/// and its last half kept: more than any kind of secret reaches, private keys apart, which are swallowed.
pub const WINDOW: usize = 40 << 10;
/// Text before the window that is kept, in bytes, before it is dropped.
const KEPT: usize = 4 << 10;

/// Most private keys that may begin in one unit: each is looked for up to the unit's end.
const BLOCKS: usize = 8;

/// So many keywords, of three bytes and more, are longer than what may stand between a name and its value.
const NAMES: usize = 64;

impl Live {
    /// One unit more has come.
    fn count(&mut self) {
        if let What::Words(left) = &mut self.what {
            *left = left.saturating_sub(1);
        }
    }

    fn shift(&mut self, by: usize) {
        self.start = self.start.saturating_sub(by);
        match &mut self.what {
            What::Assignment(at, _) | What::Number(at) => *at = at.saturating_sub(by),
            What::Block(block) => block.shift(by),
            What::Words(_) => {}
        }
    }
}

/// A place that has to be masked.
struct Masked {
    range: Range<usize>,
    id: &'static str,
    mask: Option<&'static str>,
}

impl Redactor {
    /// Nothing read yet.
    pub fn new(rules: &Arc<Redaction>) -> Self {
        Self::between(rules, "")
    }

    /// For a text that stands behind `lead`, such as a value behind its name: `lead` is read, not put out.
    pub fn between(rules: &Arc<Redaction>, lead: &str) -> Self {
        Self {
            rules: rules.clone(),
            text: lead.to_owned(),
            start: 0,
            seen: 0,
            ready: 0,
            sought: 0,
            marks: VecDeque::new(),
            live: Vec::new(),
            swallowing: None,
            has_secret: false,
            has_personal: false,
            hidden: (lead.len(), usize::MAX),
            counts: Vec::new(),
        }
    }

    /// Takes `piece` in and adds to `out` what is certain by now.
    pub fn push(&mut self, piece: &str, out: &mut String) {
        let mut rest = piece;
        while !rest.is_empty() {
            let (block, after) = rest.split_at(rest.floor_char_boundary(WINDOW.min(rest.len())));
            self.text.push_str(block);
            rest = after;
            self.advance(out);
        }
    }

    /// The text is over: adds what is left, and leaves the redactor as new.
    pub fn finish(&mut self, out: &mut String) {
        self.finish_before("", out);
    }

    /// The text is over and `trail` stands behind it, such as a quote: `trail` is read, not put out.
    pub fn finish_before(&mut self, trail: &str, out: &mut String) {
        self.hidden.1 = self.text.len();
        self.text.push_str(trail);
        self.advance(out);
        self.gather(self.text.len());
        self.units(out);
        if self.swallowing.is_none() {
            self.release(self.text.len(), out);
        }
        let counts = std::mem::take(&mut self.counts);
        *self = Self { counts, ..Self::new(&self.rules) };
    }

    /// How often what was masked so far, by id of its kind.
    pub fn counts(&self) -> &[(&'static str, u64)] {
        &self.counts
    }

    /// The same, to be counted from zero again.
    pub fn take_counts(&mut self) -> Vec<(&'static str, u64)> {
        std::mem::take(&mut self.counts)
    }

    fn advance(&mut self, out: &mut String) {
        if let Some(end) = last_unit(&self.text, self.sought.max(self.ready)) {
            self.gather(end);
        }
        self.sought = self.text.len();
        self.units(out);
        while self.text.len() > self.start + WINDOW {
            self.cut(out);
            self.units(out);
        }
        if self.start > KEPT {
            self.forget();
        }
    }

    /// Notes the signs in the complete units up to `end`.
    fn gather(&mut self, end: usize) {
        let from = self.ready.max(self.seen);
        Interest::shared().gather(&self.text, from..end, &self.rules, &mut self.marks);
        self.ready = end;
    }

    /// Looks at all complete units.
    fn units(&mut self, out: &mut String) {
        while self.seen < self.ready {
            let is_quiet = self.live.is_empty() && !self.has_secret && !self.has_personal;
            let is_idle = is_quiet && self.swallowing.is_none();
            if is_idle {
                let Some(mark) = self.marks.front() else {
                    self.release(self.ready, out);
                    return;
                };
                let unit = last_unit(self.text.get(..mark.at).unwrap_or_default(), self.seen).unwrap_or(self.seen);
                self.release(unit, out);
            }
            let end = first_unit(&self.text, self.seen).unwrap_or(self.ready);
            if end > self.start + WINDOW {
                self.cut(out);
            } else if self.swallowing.is_some() {
                self.swallow(end);
            } else {
                self.unit(end, out);
            }
        }
    }

    /// Looks at the unit that ends at `end`.
    fn unit(&mut self, end: usize, out: &mut String) {
        let begin = self.seen;
        let held = self.live.iter().filter(|live| !matches!(live.what, What::Assignment(_, false) | What::Number(_)));
        let start = held.map(|live| live.start).min().unwrap_or(begin);
        let is_blank = end - begin <= 1;
        if !is_blank {
            self.live.iter_mut().for_each(Live::count);
        }
        let (mut blocks, mut names) = (0, Vec::new());
        while let Some(mark) = self.marks.front().copied().filter(|mark| mark.at < end) {
            self.marks.pop_front();
            match mark.sign {
                Sign::At => self.has_personal = true,
                Sign::Digits => self.live.push(Live { start, what: What::Number(mark.at) }),
                Sign::Keyword(keyword_end, span) => {
                    self.has_secret |= span.inside;
                    let live = &mut self.live;
                    let mut begins = |what| live.push(Live { start, what });
                    if span.assigns {
                        names.push(keyword_end);
                    }
                    if span.words {
                        begins(What::Words(interest::WORDS));
                    }
                    if let Some(block) = span.block.filter(|_| blocks < BLOCKS) {
                        begins(What::Block(block.at(mark.at)));
                        blocks += 1;
                    }
                }
            }
        }
        // Further ahead of the unit's end no name reaches beyond it: its value is there, or never will be.
        let earlier = names.len().saturating_sub(NAMES);
        self.has_secret |= earlier > 0;
        let names = names.into_iter().skip(earlier);
        self.live.extend(names.map(|end| Live { start, what: What::Assignment(end, false) }));
        self.seen = end;
        if let Some(block) = self.settle(end) {
            self.begin_swallowing(block, end, out);
            return;
        }
        let cut = self.live.iter().map(|live| live.start).min().unwrap_or(end);
        self.release(cut, out);
    }

    /// Drops what can't go on behind `end`; where a private key turns out to begin, says so.
    fn settle(&mut self, end: usize) -> Option<Block> {
        let text = self.text.get(..end).unwrap_or_default();
        let mut numbers: Vec<Range<usize>> = Vec::new();
        let mut key = None;
        let is_wanted = |id: &str| !self.rules.except.contains(id);
        self.live.retain_mut(|live| match &mut live.what {
            What::Assignment(keyword_end, is_signed) => match progress(text.as_bytes(), *keyword_end) {
                Progress::Never => false,
                Progress::Name => true,
                Progress::Whole => {
                    self.has_secret = true;
                    false
                }
                Progress::Value => {
                    (self.has_secret, *is_signed) = (true, true);
                    true
                }
            },
            What::Words(left) => *left > 0,
            What::Number(at) => {
                let probe = number_probe(text.as_bytes(), *at);
                self.has_personal |= probe.end.is_some();
                numbers.extend(probe.end.map(|end| live.start..end));
                probe.is_open
            }
            What::Block(block) => match block.state(text) {
                BlockState::None => false,
                BlockState::Open => true,
                BlockState::Key => {
                    if is_wanted(block.id(text)) {
                        key = key.filter(|first: &Block| first.begin() <= block.begin()).or(Some(*block));
                    }
                    false
                }
            },
        });
        // A number that is there is not cut by what began inside it.
        for live in &mut self.live {
            for number in &numbers {
                if number.contains(&live.start) {
                    live.start = number.start;
                }
            }
        }
        key
    }

    /// Lets the text before `to` go, masked where it has to be. Nothing in it can go on.
    fn release(&mut self, to: usize, out: &mut String) {
        if to > self.start {
            if self.has_secret || self.has_personal {
                let masked = self.judge(to);
                self.write(to, &masked, out);
            } else {
                self.write(to, &[], out);
            }
            self.start = to;
        }
        self.seen = self.seen.max(to);
        if self.live.is_empty() {
            self.has_secret = false;
            self.has_personal = false;
        }
    }

    /// What has to be masked between the window's start and `to`, in order and apart.
    fn judge(&self, to: usize) -> Vec<Masked> {
        let from = self.text.floor_char_boundary(self.start.saturating_sub(BEHIND));
        let text = self.text.get(from..to).unwrap_or_default();
        let is_wanted = |id: &str| !self.rules.except.contains(id);
        let mut all: Vec<Masked> = Vec::new();
        if self.has_secret && self.rules.secrets {
            for found in find(text.as_bytes()).into_iter().filter(|found| is_wanted(found.kind.id)) {
                let (start, end) = (found.secret.start as usize, found.secret.end as usize);
                let range = text.floor_char_boundary(start) + from..text.ceil_char_boundary(end) + from;
                all.push(Masked { range, id: found.kind.id, mask: None });
            }
        }
        let secrets = all.len();
        if self.has_personal && self.rules.personal_data {
            for found in find_personal(text, self.start - from).into_iter().filter(|found| is_wanted(found.kind.id)) {
                let range = found.range.start + from..found.range.end + from;
                // Secrets come in order and apart.
                let next =
                    all.get(..secrets).unwrap_or_default().partition_point(|other| other.range.end <= range.start);
                if all.get(next).is_none_or(|other| next >= secrets || other.range.start >= range.end) {
                    all.push(Masked { range, id: found.kind.id, mask: Some(found.kind.mask) });
                }
            }
        }
        all.retain(|masked| masked.range.end > self.start);
        all.sort_by_key(|masked| (masked.range.start, std::cmp::Reverse(masked.range.end)));
        all
    }

    fn write(&mut self, to: usize, masked: &[Masked], out: &mut String) {
        let mut at = self.start;
        for found in masked {
            self.show(at..found.range.start.max(at), out);
            if found.range.end > self.hidden.0 && found.range.start < self.hidden.1 {
                self.mask(found, out);
            }
            at = at.max(found.range.end);
        }
        self.show(at..to, out);
    }

    fn show(&self, range: Range<usize>, out: &mut String) {
        let shown = range.start.max(self.hidden.0)..range.end.min(self.hidden.1);
        out.push_str(self.text.get(shown).unwrap_or_default());
    }

    fn mask(&mut self, found: &Masked, out: &mut String) {
        match found.mask {
            Some(mask) => out.push_str(mask),
            None => {
                out.push_str("[SECRET:");
                out.push_str(found.id);
                out.push(']');
            }
        }
        match self.counts.iter_mut().find(|(id, _)| *id == found.id) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((found.id, 1)),
        }
    }

    /// Puts a mask in the place of the private key at `block` and swallows it up to `end`.
    fn begin_swallowing(&mut self, block: Block, end: usize, out: &mut String) {
        self.release(block.begin(), out);
        let (swallow, body) = block.swallow(self.text.get(..end).unwrap_or_default());
        let masked = Masked { range: block.begin()..end, id: swallow.id, mask: None };
        self.mask(&masked, out);
        self.live.clear();
        (self.has_secret, self.has_personal) = (false, false);
        self.swallowing = Some(swallow);
        (self.start, self.seen) = (body, body);
        self.swallow(end);
    }

    /// Swallows the unit that ends at `end`, or as much of it as belongs to the key.
    fn swallow(&mut self, end: usize) {
        let unit = self.text.get(self.seen..end).unwrap_or_default();
        let over = self.swallowing.as_mut().and_then(|swallow| swallow.take(unit));
        let to = over.map_or(end, |length| self.seen + length);
        if over.is_some() {
            self.swallowing = None;
        }
        self.skip_to(to);
    }

    /// Judges a window that has become too long as it is, and keeps its last half.
    fn cut(&mut self, out: &mut String) {
        let limit = self.text.floor_char_boundary(self.start + WINDOW);
        if self.swallowing.is_some() {
            self.swallow(limit);
            return;
        }
        if let Some(block) = self.settle(limit) {
            self.begin_swallowing(block, limit, out);
            return;
        }
        (self.has_secret, self.has_personal) = (true, true);
        let mut masked = self.judge(limit);
        let mut cut = self.text.floor_char_boundary(limit - WINDOW / 2);
        for found in &masked {
            if found.range.start < cut && cut < found.range.end {
                cut = if found.range.start > self.start { found.range.start } else { found.range.end };
            }
        }
        masked.retain(|found| found.range.start < cut);
        self.write(cut, &masked, out);
        self.live.clear();
        self.skip_to(cut);
    }

    fn skip_to(&mut self, place: usize) {
        (self.start, self.seen) = (place, place);
        self.ready = self.ready.max(place);
        while self.marks.front().is_some_and(|mark| mark.at < place) {
            self.marks.pop_front();
        }
    }

    /// Drops text that has gone out.
    fn forget(&mut self) {
        let drop = self.text.floor_char_boundary(self.start.saturating_sub(BEHIND));
        self.text.drain(..drop);
        self.start -= drop;
        self.seen -= drop;
        self.ready = self.ready.saturating_sub(drop);
        self.hidden.0 = self.hidden.0.saturating_sub(drop);
        self.sought = self.sought.saturating_sub(drop);
        if self.hidden.1 != usize::MAX {
            self.hidden.1 = self.hidden.1.saturating_sub(drop);
        }
        for mark in &mut self.marks {
            mark.shift(drop);
        }
        for live in &mut self.live {
            live.shift(drop);
        }
    }
}
