//! ZIP archives, seen the way every loader might see them.
//!
//! Loaders disagree: Python's `zipfile` goes by the central directory and refuses what its flags
//! forbid, PyTorch's reader ignores flags, names in local headers and checksums, streaming readers
//! never see the directory. So both accounts are read, every stretch of bytes that either calls a
//! member is looked into, and where the accounts differ that is a finding.

mod directory;

use std::collections::BTreeSet;
use std::rc::Rc;

use bartizan_core::{Completeness, Finding, Link, Rule, Severity, printable};

use crate::codec::Codec;
use crate::format::ends_like_a_zip;
use crate::unpacked::unpack;
use crate::{Area, Findings, Format, Inspect, Source};
use directory::{Directory, Member, central, hidden, local};

const LINKS: &[Link] = &[Link::Atlas("AML.T0010.003"), Link::Cwe(436)];

/// A member has another name, method or size in its local header than in the directory.
pub const DISAGREEING_HEADERS: Rule = Rule {
    id: "BZ-ZIP-001",
    title: "ZIP member differs between its two headers",
    severity: Severity::High,
    explanation: "A ZIP archive describes each member twice: in the central directory and in a header before the \
        member's bytes. Here the two disagree, so that one reader opens other content than the next: a scanner can be \
        shown something harmless while the loader gets the payload.",
    remedy: "Do not load it; ask its producer for an archive written by an ordinary tool.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(436), Link::Advisory("CVE-2025-1944")],
};

/// A member is marked as encrypted or patched although its bytes are plain.
pub const LYING_FLAGS: Rule = Rule {
    id: "BZ-ZIP-002",
    title: "ZIP member is marked unreadable although its bytes are plain",
    severity: Severity::High,
    explanation: "Flag bits of the member say that it is encrypted or a patch, which makes many scanners skip it. Its \
        bytes are plain, and loaders such as PyTorch's ignore the bits and load it.",
    remedy: "Do not load it; this does not happen by accident.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(436), Link::Advisory("CVE-2025-1945")],
};

/// The checksum of a member is wrong.
pub const WRONG_CHECKSUM: Rule = Rule {
    id: "BZ-ZIP-003",
    title: "ZIP member's checksum is wrong",
    severity: Severity::Medium,
    explanation: "The CRC-32 in the archive is not that of the member's bytes. Readers that check it refuse the member, \
        readers that do not (PyTorch) load it: a scanner that checks can be blinded with one wrong byte.",
    remedy: "Fetch the file again and compare its digest with the publisher's.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(354), Link::Advisory("CVE-2025-10156")],
};

/// Two members have the same name.
pub const DUPLICATE_MEMBER: Rule = Rule {
    id: "BZ-ZIP-004",
    title: "ZIP archive holds two members of one name",
    severity: Severity::Medium,
    explanation: "Some readers open the first member of a name, others the last, so that two readers get different \
        content from one archive.",
    remedy: "Rebuild the archive from its unpacked content.",
    links: LINKS,
};

/// A member lies in the archive that the directory does not list.
pub const HIDDEN_MEMBER: Rule = Rule {
    id: "BZ-ZIP-005",
    title: "ZIP archive holds a member that its directory does not list",
    severity: Severity::Medium,
    explanation: "Between the listed members lies another one with a header of its own. Readers that go by the \
        directory never see it, streaming readers do.",
    remedy: "Rebuild the archive from its unpacked content, and find out who added the member.",
    links: LINKS,
};

/// A member's name leads out of the folder it is unpacked into.
pub const ESCAPING_NAME: Rule = Rule {
    id: "BZ-ZIP-006",
    title: "ZIP member's name leads out of the target folder",
    severity: Severity::High,
    explanation: "The name is absolute or climbs with `..`: careless unpacking overwrites files elsewhere (Zip Slip).",
    remedy: "Do not unpack it.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(22)],
};

/// A member expands without measure.
pub const DECOMPRESSION_BOMB: Rule = Rule {
    id: "BZ-ZIP-007",
    title: "ZIP member decompresses like a bomb",
    severity: Severity::Low,
    explanation: "A few bytes expand to so many that whoever unpacks it runs out of memory or disk. Tensors do not \
        compress like that.",
    remedy: "Do not unpack it.",
    links: &[Link::Cwe(409)],
};

/// Every rule of this module.
pub const RULES: &[&Rule] = &[
    &DISAGREEING_HEADERS,
    &LYING_FLAGS,
    &WRONG_CHECKSUM,
    &DUPLICATE_MEMBER,
    &HIDDEN_MEMBER,
    &ESCAPING_NAME,
    &DECOMPRESSION_BOMB,
];

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Encrypted, patched data, strong encryption, masked headers (APPNOTE 4.4.4).
const UNREADABLE: u16 = 0x1 | 0x20 | 0x40 | 0x2000;
/// Stored members up to this size have their checksum verified; larger ones are tensors, and
/// reading them all would turn a look at kilobytes into a read of gigabytes.
const VERIFIED: u64 = 4 << 20;

/// Looks into ZIP archives and hands out their members.
#[derive(Clone, Copy, Debug, Default)]
pub struct ZipArchive;

impl Inspect for ZipArchive {
    fn name(&self) -> &'static str {
        "zip"
    }

    fn area(&self) -> Area {
        Area::Containers
    }

    fn claims(&self, source: &Source, format: Format) -> bool {
        format == Format::Zip || (ends_like_a_zip(source) && central(source).is_some())
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let directory = central(source);
        let mut completeness = match &directory {
            None => Completeness::Partial("the ZIP archive has no central directory: cut off or damaged".to_owned()),
            Some(Directory { damage: Some(damage), .. }) => Completeness::Partial(printable(damage)),
            Some(_) => Completeness::Complete,
        };
        let is_whole = directory.as_ref().is_some_and(|directory| directory.damage.is_none());
        let (listed, start) = directory.map_or((Vec::new(), source.length()), |found| (found.members, found.start));
        let mut opened = Opened { source, findings, siblings: names(&listed), done: BTreeSet::new() };
        opened.names_are_sound(&listed);
        let mut covered = vec![];
        for member in &listed {
            let (range, seen) = opened.listed(member);
            covered.extend(range);
            completeness = completeness.and(seen);
        }
        covered.sort_unstable();
        let (unlisted, all) = hidden(source, &covered, start);
        if !all {
            completeness =
                completeness.and(Completeness::Partial("gaps between ZIP members were not searched".to_owned()));
        }
        for member in &unlisted {
            completeness = completeness.and(opened.unlisted(member, is_whole));
        }
        completeness
    }
}

fn names(members: &[Member]) -> Rc<BTreeSet<String>> {
    Rc::new(members.iter().map(Member::name).collect())
}

struct Opened<'a, 'v> {
    source: &'a Source,
    findings: &'a mut Findings<'v>,
    siblings: Rc<BTreeSet<String>>,
    done: BTreeSet<(u64, u16)>,
}

impl Opened<'_, '_> {
    fn report(&mut self, rule: &'static Rule, member: &Member, message: &str) {
        let finding = Finding::new(rule, self.source.at(member.header), message).with_identity(&format!(
            "{}\n{}",
            rule.id,
            member.name()
        ));
        self.findings.push(finding);
    }

    fn names_are_sound(&mut self, members: &[Member]) {
        let mut seen = BTreeSet::new();
        for member in members {
            let name = member.name();
            if !seen.insert(name.clone()) {
                self.report(&DUPLICATE_MEMBER, member, &format!("`{}` is listed more than once", short(&name)));
            }
            let climbs = name.split(['/', '\\']).any(|part| part == "..");
            if climbs || name.starts_with(['/', '\\']) || name.get(1..3) == Some(":\\") {
                self.report(&ESCAPING_NAME, member, &format!("`{}` leads out of the target folder", short(&name)));
            }
        }
    }

    /// Looks into a member of the directory; returns the bytes that it accounts for.
    fn listed(&mut self, member: &Member) -> (Option<(u64, u64)>, Completeness) {
        let name = member.name();
        let Some(header) = local(self.source, member.header) else {
            let reason = format!("ZIP member `{}` has no local header", short(&name));
            return (None, Completeness::Partial(reason));
        };
        let mut differences = Vec::new();
        if header.name != member.name {
            differences.push(format!("is called `{}` in its local header", short(&header.name())));
        }
        if header.method != member.method {
            differences.push(format!("has method {} in the directory and {} locally", member.method, header.method));
        }
        if !header.sizes_follow() && header.compressed != member.compressed {
            differences
                .push(format!("has {} bytes in the directory and {} locally", member.compressed, header.compressed));
        }
        if !differences.is_empty() {
            let message = format!("`{}` {}", short(&name), differences.join(", "));
            self.report(&DISAGREEING_HEADERS, member, &message);
        }
        let member = Member { data: header.data, flags: member.flags | header.flags, ..member.clone() };
        let mut completeness = self.content(&member, true);
        if header.method != member.method {
            completeness = completeness.and(self.content(&Member { method: header.method, ..member.clone() }, false));
        }
        (Some((member.header, member.data.saturating_add(member.compressed))), completeness)
    }

    fn unlisted(&mut self, member: &Member, directory_is_whole: bool) -> Completeness {
        let name = member.name();
        if directory_is_whole {
            self.report(
                &HIDDEN_MEMBER,
                member,
                &format!("`{}` is in the archive but not in its directory", short(&name)),
            );
        }
        let rest = self.source.length().saturating_sub(member.data);
        let unknown = member.sizes_follow() || (member.compressed == 0 && member.method == DEFLATED);
        let compressed = if unknown { rest } else { member.compressed.min(rest) };
        self.content(&Member { compressed, ..member.clone() }, !unknown)
    }

    fn content(&mut self, member: &Member, checksum_known: bool) -> Completeness {
        let name = member.name();
        if !self.done.insert((member.data, member.method)) || (name.ends_with('/') && member.compressed == 0) {
            return Completeness::Complete;
        }
        if member.data.saturating_add(member.compressed) > self.source.length() {
            let cut = self.source.slice(&name, member.data, member.compressed).among(&self.siblings);
            if member.method == STORED {
                self.findings.child(cut);
            }
            return Completeness::Partial(format!("ZIP member `{}` runs past the end of the file", short(&name)));
        }
        let (child, plain, problem) = match member.method {
            STORED => {
                let child = self.source.slice(&name, member.data, member.compressed);
                let plain = (child.length() <= VERIFIED).then(|| child.head(usize::MAX)).map(|bytes| crc(&bytes));
                (child, plain, None)
            }
            method => {
                let Some(codec) = codec(method, member.uncompressed) else {
                    let reason = format!("ZIP member `{}` uses compression method {method}", short(&name));
                    return Completeness::Partial(reason);
                };
                let packed = self.source.slice(&name, member.data, member.compressed);
                let unpacked = unpack(self.source, &name, &packed, codec);
                if unpacked.is_bomb {
                    self.report(&DECOMPRESSION_BOMB, member, &format!("`{}` decompresses like a bomb", short(&name)));
                }
                (unpacked.source, unpacked.checksum, unpacked.problem)
            }
        };
        self.findings.child(child.among(&self.siblings));
        let sound = plain == Some(member.crc) && checksum_known;
        if member.flags & UNREADABLE != 0 {
            if sound {
                let message = format!("`{}` has flag bits {:#06x} but plain bytes", short(&name), member.flags);
                self.report(&LYING_FLAGS, member, &message);
                return Completeness::Complete;
            }
            return Completeness::Partial(format!("ZIP member `{}` is encrypted", short(&name)));
        }
        if checksum_known && plain.is_some() && !sound {
            self.report(&WRONG_CHECKSUM, member, &format!("`{}` does not have the checksum it claims", short(&name)));
        }
        match problem {
            Some(problem) => Completeness::Partial(format!("ZIP member `{}`: {problem}", short(&name))),
            None => Completeness::Complete,
        }
    }
}

/// The decoder of a compression method (APPNOTE 4.4.5).
fn codec(method: u16, length: u64) -> Option<Codec> {
    Some(match method {
        DEFLATED => Codec::Deflate,
        12 => Codec::Bzip2,
        14 => Codec::ZipLzma(length),
        20 | 93 => Codec::Zstandard,
        95 => Codec::Xz,
        _ => return None,
    })
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn short(name: &str) -> String {
    let cut: String = name.chars().take(100).collect();
    printable(&cut)
}

/// Reads arbitrary bytes as an archive; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let limits = crate::Limits { member: 1 << 20, inflated: 4 << 20, members: 200, ..crate::Limits::default() };
    let source = Source::from_bytes("fuzz.zip", bytes.to_vec(), limits);
    let _ = ZipArchive.inspect(&source, &mut Findings::new());
}
