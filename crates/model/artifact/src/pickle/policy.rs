//! What a pickle may name, read from three data files beside this one.
//!
//! `allowed.txt` and `classes.txt` are allowlists of exact (module, name) pairs, the first reviewed by
//! hand, the second found by `bench/allowlist.py`; whatever they don't list is at least unknown. `dangerous.txt` only makes the verdict on unlisted names sharper.

use std::collections::HashMap;
use std::sync::LazyLock;

/// How an allowed name may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    /// Called with any arguments, and its instances given state.
    Call,
    /// Called with any arguments, also with classes that may not be called: it doesn't call them.
    Takes,
    /// Called, and hands its first argument back.
    Identity,
    /// Made empty by NEWOBJ and given state, which runs none of the class's own code.
    New,
    /// Called as `copyreg._reconstructor(class, base, state)`.
    Reconstruct,
    /// Named but not called, such as a dtype.
    Name,
    /// Called as `_rebuild_from_type_v2(function, type, arguments, state)` with a function that rebuilds tensors.
    Rebuild,
    /// Called as `_codecs.encode(text, codec)` with a codec that every Python has built in.
    Encode,
    /// Called with literal bytes that hold a model file of their own, which are then inspected.
    Nested,
}

/// Constructors that keep the elements of what they are given, and call nothing of them but hash and comparison.
const HOLDERS: &[(&str, &str)] = &[
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("builtins", "list"),
    ("builtins", "tuple"),
    ("__builtin__", "set"),
    ("__builtin__", "frozenset"),
    ("__builtin__", "list"),
    ("__builtin__", "tuple"),
    ("collections", "deque"),
    ("_collections", "deque"),
];
/// Constructors of dictionaries: of a list they iterate over each element, a pair.
const MAPPINGS: &[(&str, &str)] = &[
    ("builtins", "dict"),
    ("__builtin__", "dict"),
    ("collections", "OrderedDict"),
    ("_collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("_collections", "defaultdict"),
    ("collections", "Counter"),
];
/// Classes whose objects picklers fill by APPEND, APPENDS and ADDITEMS, beside the holders. Any other object may have
/// an attribute `append`, `extend` or `add` that the file chose.
const FILLED: &[(&str, &str)] = &[
    ("builtins", "bytearray"),
    ("__builtin__", "bytearray"),
    ("array", "array"),
    ("array", "_array_reconstructor"),
    ("pandas.core.indexes.frozen", "FrozenList"),
    ("statsmodels.iolib.table", "Row"),
    ("statsmodels.iolib.table", "SimpleTable"),
    ("torch.autograd.profiler_util", "EventList"),
];

/// What an allowed constructor makes of containers that it is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Making {
    /// A list, set, tuple or deque of the elements.
    Elements,
    /// A dictionary.
    Dictionary,
    /// Anything else.
    Other,
}

pub(super) fn makes(module: &str, name: &str) -> Making {
    if HOLDERS.contains(&(module, name)) {
        Making::Elements
    } else if MAPPINGS.contains(&(module, name)) {
        Making::Dictionary
    } else {
        Making::Other
    }
}

/// Whether picklers append to objects of the class.
pub(super) fn is_filled(module: &str, name: &str) -> bool {
    FILLED.contains(&(module, name))
}

/// What naming an object means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Allowed(Use),
    Dangerous(&'static str),
    Unknown,
}

struct Policy {
    allowed: HashMap<(&'static str, &'static str), Use>,
    dangerous: HashMap<(&'static str, &'static str), &'static str>,
    /// Modules of which everything is dangerous, submodules included.
    modules: HashMap<&'static str, &'static str>,
}

static POLICY: LazyLock<Policy> = LazyLock::new(Policy::embedded);

const ALLOWED: &str = include_str!("allowed.txt");
const CLASSES: &str = include_str!("classes.txt");
const DANGEROUS: &str = include_str!("dangerous.txt");

/// Names that no attribute path may pass: whoever reaches one can reach everything.
const STEPPING_STONES: &[&str] = &[
    "os",
    "sys",
    "posix",
    "subprocess",
    "system",
    "popen",
    "eval",
    "exec",
    "builtins",
    "modules",
    "__builtins__",
    "__globals__",
    "__import__",
    "__subclasses__",
    "__getattribute__",
    "__code__",
    "__class__",
    "__init__",
    "__reduce__",
];

/// Judges an import by its exact module and name.
pub(super) fn judge(module: &str, name: &str) -> Verdict {
    if let Some(usage) = POLICY.allowed.get(&(module, name)) {
        return Verdict::Allowed(*usage);
    }
    if let Some(reason) = POLICY.dangerous.get(&(module, name)) {
        return Verdict::Dangerous(reason);
    }
    let mut prefix = module;
    loop {
        if let Some(reason) = POLICY.modules.get(prefix) {
            return Verdict::Dangerous(reason);
        }
        match prefix.rsplit_once('.') {
            Some((parent, _)) => prefix = parent,
            None => break,
        }
    }
    if name.contains('.') && name.split('.').any(|part| STEPPING_STONES.contains(&part)) {
        return Verdict::Dangerous("walks through attributes to something that runs code");
    }
    Verdict::Unknown
}

impl Policy {
    fn embedded() -> Self {
        let (mut allowed, mut dangerous, mut modules) = (HashMap::new(), HashMap::new(), HashMap::new());
        for line in entries(ALLOWED).chain(entries(CLASSES)) {
            let mut words = line.split_whitespace();
            let (Some(module), Some(name)) = (words.next(), words.next()) else { continue };
            let usage = match words.next() {
                Some("new") => Use::New,
                Some("takes") => Use::Takes,
                Some("identity") => Use::Identity,
                Some("reconstruct") => Use::Reconstruct,
                Some("name") => Use::Name,
                Some("rebuild") => Use::Rebuild,
                Some("encode") => Use::Encode,
                Some("nested") => Use::Nested,
                _ => Use::Call,
            };
            allowed.entry((module, name)).or_insert(usage);
        }
        let mut reason = "runs code";
        for line in DANGEROUS.lines().map(str::trim) {
            if let Some(heading) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                reason = heading;
            } else if let (false, Some((module, name))) = (line.starts_with('#'), line.split_once(' ')) {
                if name.trim() == "*" {
                    modules.insert(module, reason);
                } else {
                    dangerous.insert((module, name.trim()), reason);
                }
            }
        }
        Self { allowed, dangerous, modules }
    }
}

/// Lines that are neither empty, comment nor heading.
fn entries(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '[']))
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test that cannot prepare its world has failed")]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_both_allowed_and_dangerous() {
        for (module, name) in POLICY.allowed.keys() {
            assert!(!POLICY.dangerous.contains_key(&(*module, *name)), "{module}.{name}");
        }
        for line in entries(CLASSES) {
            let (module, name) = line.split_once(' ').expect("a module and a name");
            let mut prefixes = module.match_indices('.').map(|(at, _)| &module[..at]).chain([module]);
            assert!(!prefixes.any(|prefix| POLICY.modules.contains_key(prefix)), "{module}.{name}");
        }
    }

    #[test]
    fn names_are_matched_exactly() {
        assert_eq!(judge("collections", "OrderedDict"), Verdict::Allowed(Use::Call));
        assert_eq!(judge("collections", "OrderedDict.fromkeys"), Verdict::Unknown);
        assert_eq!(judge("collections ", "OrderedDict"), Verdict::Unknown);
        assert!(matches!(judge("collections", "_sys.modules"), Verdict::Dangerous(_)));
        assert!(matches!(judge("asyncio.unix_events", "_UnixSubprocessTransport._start"), Verdict::Dangerous(_)));
    }
}
