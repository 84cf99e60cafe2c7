//! What of a history was not seen, and why: said in one line that is the same however the objects are stored.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_core::Completeness;
use gix::ObjectId;

/// Objects of one kind of gap that are named; the others are counted.
const NAMED: usize = 3;

/// Why something was not seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Gap {
    /// A parent beyond the boundary of a shallow clone.
    BeyondShallow,
    /// A reference or reflog that can't be read.
    Reference,
    /// An object that is named and not there.
    Missing,
    /// An object that can't be decoded, or is not of the kind that it is named as.
    Damaged,
    /// An object above the limit on size.
    TooLarge,
    /// A folder below more folders, or under a longer path, than the limit.
    TooDeep,
    /// A file of which the search for secrets saw a part.
    InPart,
    /// Secrets after the limit on different ones.
    Secrets,
    /// Objects that the limit on time left over.
    OutOfTime,
}

impl Gap {
    fn say(self, count: u64) -> String {
        let (one, many) = match self {
            Self::BeyondShallow => {
                ("parent commit is not here: the clone is shallow", "parent commits are not here: the clone is shallow")
            }
            Self::Reference => ("reference or reflog can't be read", "references or reflogs can't be read"),
            Self::Missing => ("object is missing", "objects are missing"),
            Self::Damaged => ("object is damaged", "objects are damaged"),
            Self::TooLarge => ("object is too large to be read", "objects are too large to be read"),
            Self::TooDeep => ("folder lies too deep", "folders lie too deep"),
            Self::InPart => ("file was seen in part", "files were seen in part"),
            Self::Secrets => ("more place of secrets is not listed", "more places of secrets are not listed"),
            Self::OutOfTime => (
                "object was left when the limit on time was reached",
                "objects were left when the limit on time was reached",
            ),
        };
        format!("{count} {}", if count == 1 { one } else { many })
    }
}

/// Everything that was not seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Gaps(BTreeMap<Gap, (u64, BTreeSet<ObjectId>)>);

impl Gaps {
    /// One more gap, of an object where there is one.
    pub(super) fn add(&mut self, gap: Gap, id: Option<ObjectId>) {
        let (count, named) = self.0.entry(gap).or_default();
        *count += 1;
        // Which objects those are is an accident of the machine.
        named.extend(id.filter(|_| gap != Gap::OutOfTime));
        trim(named);
    }

    /// The gaps of another part of the work as well.
    pub(super) fn extend(&mut self, other: Self) {
        for (gap, (count, ids)) in other.0 {
            let (total, named) = self.0.entry(gap).or_default();
            *total += count;
            named.extend(ids);
            trim(named);
        }
    }

    /// What they mean for the verdict.
    pub(super) fn completeness(&self) -> Completeness {
        if self.0.is_empty() {
            return Completeness::Complete;
        }
        let lines: Vec<String> = self.0.iter().map(|(gap, (count, named))| line(*gap, *count, named)).collect();
        Completeness::Partial(lines.join("; "))
    }
}

/// Keeps the smallest ids, so that what is named doesn't depend on the order of work.
fn trim(named: &mut BTreeSet<ObjectId>) {
    while named.len() > NAMED {
        named.pop_last();
    }
}

fn line(gap: Gap, count: u64, named: &BTreeSet<ObjectId>) -> String {
    if named.is_empty() {
        return gap.say(count);
    }
    let ids: Vec<String> = named.iter().map(|id| id.to_hex_with_len(12).to_string()).collect();
    let more = if count > ids.len() as u64 { ", …" } else { "" };
    format!("{} ({}{more})", gap.say(count), ids.join(", "))
}
