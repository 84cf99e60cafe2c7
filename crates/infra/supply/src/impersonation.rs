//! Names that imitate those of popular packages.
//!
//! Whoever registers `reqeusts` waits for a slip of somebody's finger. A name is compared with a list
//! of popular ones by one slip (an adjacent key, a swapped, doubled or missing letter), by letters that
//! look alike, by separators and by `python-` around it. The list can be replaced.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bartizan_core::{Component, Confidence, Finding, Link, Rule, Severity};
use serde_json::json;
use thiserror::Error;

use crate::ecosystem::Ecosystem;
use crate::portions::in_portions;

/// A name comes close to a popular one.
pub const IMITATED_NAME: Rule = Rule {
    id: "BZ-DEP-005",
    title: "Package's name imitates a popular one",
    severity: Severity::Medium,
    explanation: "The name differs from a popular package's by one slip of a finger, by letters that look alike, or by what \
        people put around names. Packages under such names are a common way of attack: they run code when they are \
        installed, and often pass calls on to the real one so that nobody notices.",
    remedy: "Check that this very package is meant; if it is, add its name after `!` to a list of popular packages of your own.",
    links: &[Link::Atlas("AML.T0010.001"), Link::Owasp("LLM03:2025"), Link::Cwe(1007)],
};

/// Every rule of this module.
pub const RULES: &[&Rule] = &[&IMITATED_NAME];

const BUILT_IN: &str = include_str!("../data/popular-packages.txt");
const HEADING: &str = "# bartizan popular packages 1";
/// Shorter names have too many neighbours of their own.
const SHORTEST: usize = 5;

/// The text is not a list of popular packages.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PopularityError {
    /// It does not begin as one.
    #[error("line 1: a list of popular packages begins with `{HEADING}`")]
    Heading,
    /// A line is not a name.
    #[error("line {0}: not the name of a package")]
    Name(usize),
}

/// Popular names, and names known to be packages of their own.
#[derive(Clone, Debug)]
pub struct Popularity {
    popular: BTreeSet<String>,
    known: BTreeSet<String>,
    /// Names by hashes of what is left of them when one character is dropped: two names within one
    /// slip share an entry. What shares one by chance is told apart by the comparison that follows.
    slips: HashMap<u64, Vec<String>>,
    /// Names by how they look.
    looks: BTreeMap<String, String>,
    /// Names without separators.
    joined: BTreeMap<String, String>,
}

impl Default for Popularity {
    /// The list that comes with this crate.
    fn default() -> Self {
        Self::of(BUILT_IN.lines())
    }
}

impl Popularity {
    /// Reads a list: the heading, then a name a line; `#` begins a comment, names after `!` are never
    /// called imitations.
    ///
    /// # Errors
    /// The heading is missing or a line is not a name.
    pub fn parse(text: &str) -> Result<Self, PopularityError> {
        if text.lines().next().map(str::trim_end) != Some(HEADING) {
            return Err(PopularityError::Heading);
        }
        let is_name = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        let bad =
            text.lines().position(|line| content(line).is_some_and(|name| !is_name(name.trim_start_matches('!'))));
        match bad {
            Some(line) => Err(PopularityError::Name(line + 1)),
            None => Ok(Self::of(text.lines())),
        }
    }

    fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let (mut popular, mut known) = (BTreeSet::new(), BTreeSet::new());
        for name in lines.filter_map(content) {
            match name.strip_prefix('!') {
                Some(name) => known.insert(Ecosystem::PyPi.canonical(name)),
                None => popular.insert(Ecosystem::PyPi.canonical(name)),
            };
        }
        let (mut slips, mut looks, mut joined) = (HashMap::new(), BTreeMap::new(), BTreeMap::new());
        for name in popular.iter().filter(|name| name.len() >= SHORTEST) {
            for slip in without_one(name) {
                let names: &mut Vec<String> = slips.entry(slip).or_default();
                names.push(name.clone());
            }
            looks.insert(look(name), name.clone());
            joined.insert(name.replace('-', ""), name.clone());
        }
        Self { popular, known, slips, looks, joined }
    }

    /// What a canonical name imitates, and how; `None` where it imitates nothing.
    pub fn imitated_by(&self, name: &str) -> Option<Imitation<'_>> {
        if name.len() < SHORTEST - 1 || self.popular.contains(name) || self.known.contains(name) {
            return None;
        }
        if let Some(popular) = self.looks.get(&look(name)) {
            return Some(Imitation { popular, how: How::LooksAlike });
        }
        if let Some(popular) = self.joined.get(&name.replace('-', "")) {
            return Some(Imitation { popular, how: How::Separator });
        }
        let near = without_one(name).filter_map(|slip| self.slips.get(&slip)).flatten();
        let slip = near.filter_map(|popular| Some(Imitation { popular, how: slip(popular, name)? }));
        slip.min_by_key(|imitation| imitation.popular).or_else(|| self.dressed(name))
    }

    fn dressed(&self, name: &str) -> Option<Imitation<'_>> {
        let bare = name.strip_prefix("python-").or_else(|| name.strip_suffix("-python"))?;
        let popular = self.popular.get(bare).filter(|popular| popular.len() >= SHORTEST)?;
        Some(Imitation { popular, how: How::Dressed })
    }
}

fn content(line: &str) -> Option<&str> {
    let name = line.split('#').next().unwrap_or_default().trim();
    Some(name).filter(|name| !name.is_empty())
}

/// A popular name and how another one imitates it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Imitation<'a> {
    /// The popular name.
    pub popular: &'a str,
    /// The way.
    pub how: How,
}

/// How a name imitates another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// Characters that look alike.
    LooksAlike,
    /// A missing or added separator.
    Separator,
    /// Two letters swapped.
    Swapped,
    /// The key beside the right one.
    NeighbouringKey,
    /// A letter twice.
    Doubled,
    /// A letter left out.
    LeftOut,
    /// A letter too many.
    Added,
    /// `python-` before or `-python` behind it.
    Dressed,
}

impl How {
    /// In words, to go between the name and the popular one.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::LooksAlike => "looks like",
            Self::Separator => "differs by separators from",
            Self::Swapped => "has two letters of it swapped:",
            Self::NeighbouringKey => "is one key away from",
            Self::Doubled => "repeats a letter of",
            Self::LeftOut => "leaves out a letter of",
            Self::Added => "adds a letter to",
            Self::Dressed => "is dressed up as",
        }
    }
}

/// Findings for the components whose names imitate popular ones.
pub fn impersonations(components: &[Component], popularity: &Popularity) -> Vec<Finding> {
    let is_python = |component: &&Component| {
        let property = |name: &str| component.properties.get(name).map(|property| property.value.as_str());
        property("ecosystem") == Some(Ecosystem::PyPi.as_str()) && property("origin") != Some("local")
    };
    let near = |component: &Component| {
        let Imitation { popular, how } = popularity.imitated_by(&component.name)?;
        let message = format!("{} {} the popular {popular}", component.name, how.describe());
        let finding = Finding::new(&IMITATED_NAME, component.location.clone(), &message)
            .with_identity(&format!("{} {popular}", component.name))
            .with_evidence("package", json!(component.purl))
            .with_evidence("popular", json!(popular));
        Some(match how {
            How::Dressed => finding.with_severity(Severity::Low).with_confidence(Confidence::Low),
            _ => finding.with_confidence(Confidence::Medium),
        })
    };
    let portion = |portion: &[Component]| portion.iter().filter(is_python).filter_map(near).collect::<Vec<_>>();
    in_portions(components, portion).into_iter().flatten().collect()
}

/// Hashes of a name and of what is left of it when one byte is dropped. The hash is a polynomial modulo
/// 2^64, so that each is put together from the part before the byte and the part behind it.
fn without_one(name: &str) -> impl Iterator<Item = u64> {
    const BASE: u64 = 0x0000_0100_0000_01b3;
    let value = |byte: u8| u64::from(byte) + 1;
    // (hash of the part behind, base to the power of its length), for every place from the end.
    let mut behind = Vec::with_capacity(name.len() + 1);
    behind.push((0_u64, 1_u64));
    for byte in name.bytes().rev() {
        let (hash, power) = behind.last().copied().unwrap_or((0, 1));
        behind.push((hash.wrapping_add(value(byte).wrapping_mul(power)), power.wrapping_mul(BASE)));
    }
    let whole = behind.last().map_or(0, |(hash, _)| *hash);
    behind.pop();
    let mut before = 0_u64;
    let dropped: Vec<u64> = name
        .bytes()
        .zip(behind.into_iter().rev())
        .map(|(byte, (hash, power))| {
            let left = before.wrapping_mul(power).wrapping_add(hash);
            before = before.wrapping_mul(BASE).wrapping_add(value(byte));
            left
        })
        .collect();
    dropped.into_iter().chain([whole])
}

/// One look for characters and pairs that are hard to tell apart in common typefaces.
fn look(name: &str) -> String {
    let single: String = name
        .chars()
        .map(|c| match c {
            '0' => 'o',
            '1' | 'i' => 'l',
            '5' => 's',
            other => other,
        })
        .collect();
    single.replace("rn", "m").replace("vv", "w").replace("cl", "d")
}

/// How `name` comes from `popular` by one slip, where that is a likely one.
fn slip(popular: &str, name: &str) -> Option<How> {
    let (popular, name): (Vec<char>, Vec<char>) = (popular.chars().collect(), name.chars().collect());
    let start = popular.iter().zip(&name).take_while(|(one, other)| one == other).count();
    let (popular_rest, name_rest) = (popular.get(start..)?, name.get(start..)?);
    let end = popular_rest.iter().rev().zip(name_rest.iter().rev()).take_while(|(one, other)| one == other).count();
    let left = popular_rest.get(..popular_rest.len() - end)?;
    let right = name_rest.get(..name_rest.len() - end)?;
    match (left, right) {
        ([a, b], [c, d]) if a == d && b == c => Some(How::Swapped),
        ([wanted], [typed]) if are_neighbours(*wanted, *typed) => Some(How::NeighbouringKey),
        ([_], []) => Some(How::LeftOut),
        // A digit at the end is a generation: httplib2, urllib3.
        ([], [added]) if added.is_ascii_digit() => None,
        ([], [added]) => {
            let is_doubled = start.checked_sub(1).and_then(|before| name.get(before)) == Some(added);
            // At the start or the end stand marks of one's own, such as `x` or `s`, as often as slips.
            let is_inside = start > 0 && end > 0;
            if is_doubled { Some(How::Doubled) } else { is_inside.then_some(How::Added) }
        }
        _ => None,
    }
}

/// Keys beside each other on the common layout.
fn are_neighbours(one: char, other: char) -> bool {
    const ROWS: [&str; 4] = ["1234567890-", "qwertyuiop", "asdfghjkl", "zxcvbnm"];
    let place = |key: char| {
        ROWS.iter()
            .enumerate()
            .find_map(|(row, keys)| keys.chars().position(|one| one == key).map(|column| (row, column)))
    };
    match (place(one), place(other)) {
        (Some((row, column)), Some((other_row, other_column))) => {
            // Each row is shifted to the right of the one above it.
            let across = other_column.abs_diff(column);
            match other_row.abs_diff(row) {
                0 => across == 1,
                1 if other_row > row => column == other_column || column == other_column + 1,
                1 => column == other_column || other_column == column + 1,
                _ => false,
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_name_hashes_like_that_name() {
        let whole = |name: &str| without_one(name).last().unwrap_or_default();
        for name in ["numpy", "scikit-learn", "a", "caf\u{e9}"] {
            let bytes = name.as_bytes();
            for (at, hash) in without_one(name).take(bytes.len()).enumerate() {
                let left: Vec<u8> = [&bytes[..at], &bytes[at + 1..]].concat();
                // Hashing looks at bytes only, whatever they spell.
                let left: String = left.iter().map(|byte| char::from(byte & 0x7f)).collect();
                if name.is_ascii() {
                    assert_eq!(hash, whole(&left), "{name} without byte {at}");
                }
            }
        }
    }

    #[test]
    fn slips_looks_and_dresses_are_told_apart() {
        let popularity = Popularity::default();
        for (name, popular, how) in [
            ("reqeusts", "requests", How::Swapped),
            ("rewuests", "requests", How::NeighbouringKey),
            ("requessts", "requests", How::Doubled),
            ("request", "requests", How::LeftOut),
            ("nurnpy", "numpy", How::LooksAlike),
            ("t0rch", "torch", How::LooksAlike),
            ("scikitlearn", "scikit-learn", How::Separator),
            ("langchian", "langchain", How::Swapped),
            ("tensorfIow".to_ascii_lowercase().as_str(), "tensorflow", How::LooksAlike),
            ("transfomers", "transformers", How::LeftOut),
            ("python-openai", "openai", How::Dressed),
        ] {
            assert_eq!(popularity.imitated_by(name), Some(Imitation { popular, how }), "{name}");
        }
    }

    #[test]
    fn popular_names_and_their_known_neighbours_imitate_nothing() {
        let popularity = Popularity::default();
        for name in popularity.popular.iter().chain(&popularity.known) {
            assert_eq!(popularity.imitated_by(name), None, "{name}");
        }
        for name in ["httplib2", "torchx", "my-package", "jax2", "dash-core"] {
            assert_eq!(popularity.imitated_by(name), None, "{name}");
        }
    }

    #[test]
    fn a_list_of_ones_own_replaces_the_built_in_one() {
        let own = Popularity::parse("# bartizan popular packages 1\nacme-models\n!acmemodels\n").unwrap();
        assert_eq!(own.imitated_by("acme-model").map(|found| found.popular), Some("acme-models"));
        assert_eq!((own.imitated_by("acmemodels"), own.imitated_by("reqeusts")), (None, None));
        assert!(matches!(Popularity::parse("requests\n"), Err(PopularityError::Heading)));
        assert!(matches!(Popularity::parse("# bartizan popular packages 1\na b\n"), Err(PopularityError::Name(2))));
    }
}
