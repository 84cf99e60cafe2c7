//! What a program imported and did, kept as proof.

use std::collections::HashMap;

use bartizan_core::{Finding, Rule};
use bartizan_inspect::Source;
use serde_json::json;

use super::policy::{Use, Verdict, judge};
use super::rules::{DANGEROUS_CALLABLE, UNKNOWN_CALLABLE};
use crate::opcodes::{Operation, name};

/// Most imports that are kept apart; real models have dozens.
const MOST: usize = 10_000;
/// Most other observations that are kept.
const NOTES: usize = 100;

/// One imported object: where it is named first, and where it is called first.
#[derive(Clone, Debug)]
pub(super) struct Import {
    pub(super) module: String,
    pub(super) name: String,
    pub(super) verdict: Verdict,
    offset: u64,
    code: u8,
    times: u64,
    call: Option<(u64, u8, String)>,
    /// An object of the class was given state or elements that hold a restricted value.
    pub(super) taken: bool,
    /// A range of it was made that is longer than memory.
    pub(super) counts_far: bool,
}

/// Something else that was seen.
#[derive(Clone, Debug)]
struct Note {
    rule: &'static Rule,
    offset: u64,
    code: u8,
    message: String,
}

/// Everything seen in the pickles of one source.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    imports: Vec<Import>,
    known: HashMap<String, u32>,
    notes: Vec<Note>,
    torch_script: bool,
    /// Calls of any kind.
    pub(super) calls: u64,
}

impl Evidence {
    /// No evidence yet. In a TorchScript archive `__torch__.…` names types of the archive's own restricted
    /// language, which Python can't import.
    pub(super) fn in_torch_script(torch_script: bool) -> Self {
        Self { torch_script, ..Self::default() }
    }

    /// Every name that is imported, and how often.
    pub(super) fn names(&self) -> impl Iterator<Item = (String, u64)> {
        self.imports.iter().map(|import| (import.dotted(), import.times))
    }

    /// Takes note of an import; `None` when there are too many to follow.
    pub(super) fn import(&mut self, module: &str, attribute: &str, operation: Operation) -> Option<u32> {
        let key = format!("{module}\n{attribute}");
        if let Some(index) = self.known.get(&key) {
            if let Some(import) = self.imports.get_mut(*index as usize) {
                import.times += 1;
            }
            return Some(*index);
        }
        if self.imports.len() >= MOST {
            return None;
        }
        let index = u32::try_from(self.imports.len()).ok()?;
        self.imports.push(Import {
            module: module.to_owned(),
            name: attribute.to_owned(),
            verdict: if self.torch_script && (module == "__torch__" || module.starts_with("__torch__.")) {
                Verdict::Allowed(Use::Call)
            } else {
                judge(module, attribute)
            },
            offset: operation.start,
            code: operation.code,
            times: 1,
            call: None,
            taken: false,
            counts_far: false,
        });
        self.known.insert(key, index);
        Some(index)
    }

    pub(super) fn get(&self, index: u32) -> Option<&Import> {
        self.imports.get(index as usize)
    }

    /// `module.name` of an import, cut and escaped.
    pub(super) fn dotted(&self, index: u32) -> String {
        self.get(index).map_or_else(String::new, Import::dotted)
    }

    /// Whether the next call of that import should be described.
    pub(super) fn wants_call(&self, index: u32) -> bool {
        self.get(index).is_some_and(|import| import.call.is_none() && !matches!(import.verdict, Verdict::Allowed(_)))
    }

    /// Takes note that an object of that import holds a restricted value.
    pub(super) fn take(&mut self, index: u32) {
        if let Some(import) = self.imports.get_mut(index as usize) {
            import.taken = true;
        }
    }

    /// Takes note that the import made a range of a great many numbers.
    pub(super) fn count_far(&mut self, index: u32) {
        if let Some(import) = self.imports.get_mut(index as usize) {
            import.counts_far = true;
        }
    }

    pub(super) fn called(&mut self, index: u32, operation: Operation, arguments: String) {
        if let Some(import) = self.imports.get_mut(index as usize) {
            import.call.get_or_insert((operation.start, operation.code, arguments));
        }
    }

    pub(super) fn note(&mut self, rule: &'static Rule, operation: Operation, message: String) {
        let known = self.notes.iter().any(|note| note.rule.id == rule.id && note.message == message);
        if self.notes.len() < NOTES && !known {
            self.notes.push(Note { rule, offset: operation.start, code: operation.code, message });
        }
    }

    /// Adds what another reading of the same bytes imports and this one does not, where that could be
    /// imported at all: array data read as opcodes may name anything.
    pub(super) fn absorb(&mut self, other: Self) {
        for import in other.imports.into_iter().filter(Import::is_plausible) {
            let key = format!("{}\n{}", import.module, import.name);
            if !self.known.contains_key(&key) && self.imports.len() < MOST {
                self.known.insert(key, u32::try_from(self.imports.len()).unwrap_or(u32::MAX));
                self.imports.push(import);
            }
        }
    }

    /// Whether anything that is named is not allowed, or anything else was noted.
    pub(super) fn is_hostile(&self) -> bool {
        !self.notes.is_empty() || self.imports.iter().any(|import| !matches!(import.verdict, Verdict::Allowed(_)))
    }

    /// Whether something is named whose effect is known to be bad.
    pub(super) fn is_dangerous(&self) -> bool {
        self.imports.iter().any(|import| matches!(import.verdict, Verdict::Dangerous(_)))
    }

    /// Whether something is imported that can be and is not allowed.
    pub(super) fn names_something_else(&self) -> bool {
        self.imports.iter().any(|import| import.is_plausible() && !matches!(import.verdict, Verdict::Allowed(_)))
    }

    /// Whether nothing is imported, or something that can be: a module path and an attribute path of
    /// identifiers. One is enough, or else one odd name at the end would hide all before it.
    pub(super) fn is_plausible(&self) -> bool {
        self.imports.is_empty() || self.imports.iter().any(Import::is_plausible)
    }

    /// The library whose objects the pickle holds: the most specific that it imports from.
    pub(super) fn framework(&self) -> Option<&'static str> {
        const FRAMEWORKS: &[&str] = &[
            "xgboost",
            "lightgbm",
            "catboost",
            "statsmodels",
            "keras",
            "tensorflow",
            "transformers",
            "sklearn",
            "torch",
            "spacy",
            "gensim",
        ];
        let comes_from = |framework: &str, import: &Import| import.module.split('.').next() == Some(framework);
        FRAMEWORKS.iter().find(|framework| self.imports.iter().any(|import| comes_from(framework, import))).copied()
    }

    /// The findings, each with the trace that proves it.
    pub(super) fn findings(&self, source: &Source) -> Vec<Finding> {
        let imports = self.imports.iter().filter_map(|import| import.finding(source));
        let notes = self.notes.iter().map(|note| {
            Finding::new(note.rule, source.at(note.offset), &note.message)
                .with_evidence("trace", json!([step(note.offset, note.code, &note.message)]))
        });
        imports.chain(notes).collect()
    }
}

impl Import {
    fn is_plausible(&self) -> bool {
        let identifiers = |path: &str, also: char| {
            path.split('.').all(|part| {
                part.starts_with(|c: char| c == '_' || c.is_alphabetic())
                    && part.chars().all(|c| c == '_' || c == also || c.is_alphanumeric())
            })
        };
        // A module is a file, whose name may have what no identifier has.
        identifiers(&self.module, '-') && identifiers(&self.name, '_')
    }

    fn dotted(&self) -> String {
        let all = format!("{}.{}", self.module, self.name);
        let cut: String = all.chars().take(120).collect();
        bartizan_core::printable(&cut)
    }

    fn finding(&self, source: &Source) -> Option<Finding> {
        let dotted = self.dotted();
        let (rule, meaning) = match self.verdict {
            Verdict::Allowed(_) => return None,
            Verdict::Dangerous(reason) => (&DANGEROUS_CALLABLE, reason),
            Verdict::Unknown => (&UNKNOWN_CALLABLE, "not known to be harmless"),
        };
        let verb = if self.call.is_some() { "calls" } else { "imports" };
        let mut trace = vec![step(self.offset, self.code, &dotted)];
        if let Some((offset, code, arguments)) = &self.call {
            trace.push(step(*offset, *code, &format!("{dotted}{arguments}")));
        }
        let finding = Finding::new(rule, source.at(self.offset), &format!("{verb} `{dotted}`: {meaning}"))
            .with_identity(&format!("{}\n{}", self.module, self.name))
            .with_evidence("callable", json!(dotted))
            .with_evidence("times", json!(self.times))
            .with_evidence("trace", json!(trace));
        Some(finding)
    }
}

fn step(offset: u64, code: u8, value: &str) -> serde_json::Value {
    let value: String = value.chars().take(200).collect();
    json!({ "offset": offset, "opcode": name(code), "value": value })
}
