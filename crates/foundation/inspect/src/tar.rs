//! tar archives: ustar, GNU long names, pax headers (POSIX.1-2017, `pax`).
//!
//! Members lie in the archive byte for byte and are handed on where they lie. The walk is our own,
//! because what a reader skips is what matters here: bytes behind the end mark, headers with a wrong
//! checksum, sizes that a pax header overrides.

use std::collections::BTreeSet;
use std::rc::Rc;

use bartizan_core::{Completeness, Finding, Link, Rule, Severity, printable};
use tar::{EntryType, Header, PaxExtensions};

use crate::{Area, Findings, Format, Inspect, Source};

/// A member's name or link leads out of the folder it is unpacked into.
pub const ESCAPING_MEMBER: Rule = Rule {
    id: "BZ-ARC-002",
    title: "tar member leads out of the target folder",
    severity: Severity::High,
    explanation: "The member's name, or the link that it is, is absolute or climbs with `..`: careless unpacking writes \
        or reads files elsewhere (CVE-2007-4559 in Python's tarfile).",
    remedy: "Do not unpack it, or only with a filter such as Python's `filter=\"data\"`.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(22), Link::Advisory("CVE-2007-4559")],
};

/// Something follows the end mark.
pub const AFTER_THE_END: Rule = Rule {
    id: "BZ-ARC-003",
    title: "Bytes follow the end of the tar archive",
    severity: Severity::Low,
    explanation: "Readers stop at the end mark and never see what follows, unless they are told to ignore zero blocks. \
        The bytes were inspected all the same.",
    remedy: "Find out what the bytes are for.",
    links: &[Link::Cwe(436)],
};

const BLOCK: u64 = 512;
/// Longest name or pax header that is read.
const LONGEST: u64 = 1 << 20;

/// Hands on the members of a tar archive.
#[derive(Clone, Copy, Debug, Default)]
pub struct TarArchive;

impl Inspect for TarArchive {
    fn name(&self) -> &'static str {
        "tar"
    }

    fn area(&self) -> Area {
        Area::Containers
    }

    fn claims(&self, source: &Source, format: Format) -> bool {
        format == Format::Tar || (format == Format::Unknown && header(source, 0).is_some())
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let (members, end, completeness) = walk(source);
        let siblings: Rc<BTreeSet<String>> = Rc::new(members.iter().map(|member| member.name.clone()).collect());
        for member in &members {
            for (what, path) in [("is named", Some(&member.name)), ("links to", member.link.as_ref())] {
                if let Some(path) = path.filter(|path| escapes(path)) {
                    let message = format!("`{}` {what} `{}`", short(&member.name), short(path));
                    findings.push(Finding::new(&ESCAPING_MEMBER, source.at(member.header), &message));
                }
            }
            if member.has_data {
                findings.child(source.slice(&member.name, member.data, member.size).among(&siblings));
            }
        }
        after_the_end(source, end, findings);
        completeness
    }
}

struct Member {
    name: String,
    link: Option<String>,
    header: u64,
    data: u64,
    size: u64,
    has_data: bool,
}

/// All members, where the archive ends, and whether all of it could be followed.
fn walk(source: &Source) -> (Vec<Member>, u64, Completeness) {
    let mut members = Vec::new();
    let (mut long_name, mut long_link, mut pax_size) = (None, None, None);
    let mut offset = 0;
    let partial = |reason: String| Completeness::Partial(format!("the tar archive {reason}"));
    while offset + BLOCK <= source.length() {
        if let Err(exhausted) = source.budget().member() {
            return (members, source.length(), Completeness::Partial(exhausted.to_string()));
        }
        let Ok(block) = source.read(offset, 512) else {
            return (members, offset, partial(format!("can't be read at byte {offset}")));
        };
        if block.iter().all(|byte| *byte == 0) {
            return (members, offset, Completeness::Complete);
        }
        let Some(header) = header(source, offset) else {
            return (members, offset, partial(format!("has no header at byte {offset}: damaged")));
        };
        let Ok(stated) = header.entry_size() else {
            return (members, offset, partial(format!("states no size at byte {offset}")));
        };
        let kind = header.entry_type();
        let is_extra = kind.is_gnu_longname()
            || kind.is_gnu_longlink()
            || kind.is_pax_local_extensions()
            || kind.is_pax_global_extensions();
        let size = if is_extra { stated } else { pax_size.take().unwrap_or(stated) };
        let data = offset + BLOCK;
        if data.saturating_add(size) > source.length() {
            if !is_extra {
                let name = long_name.take().unwrap_or_else(|| lossy(&header.path_bytes()));
                members.push(Member { name, link: None, header: offset, data, size, has_data: true });
            }
            return (members, source.length(), partial("is cut off".to_owned()));
        }
        if is_extra {
            if size > LONGEST {
                return (members, offset, partial(format!("has an oversized name at byte {offset}")));
            }
            let Ok(bytes) = source.read(data, usize::try_from(size).unwrap_or(0)) else {
                return (members, offset, partial(format!("can't be read at byte {data}")));
            };
            if kind.is_gnu_longname() {
                long_name = Some(lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()));
            } else if kind.is_gnu_longlink() {
                long_link = Some(lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()));
            } else if kind.is_pax_local_extensions() {
                for extension in PaxExtensions::new(&bytes).flatten() {
                    match extension.key() {
                        Ok("path") => long_name = Some(lossy(extension.value_bytes())),
                        Ok("linkpath") => long_link = Some(lossy(extension.value_bytes())),
                        Ok("size") => pax_size = extension.value().ok().and_then(|size| size.parse().ok()),
                        _ => {}
                    }
                }
            }
        } else {
            let is_link = matches!(kind, EntryType::Link | EntryType::Symlink);
            let name = long_name.take().unwrap_or_else(|| lossy(&header.path_bytes()));
            let link = long_link.take().or_else(|| header.link_name_bytes().map(|link| lossy(&link)));
            if kind == EntryType::GNUSparse {
                members.push(Member { name, link: None, header: offset, data, size, has_data: true });
                return (members, source.length(), partial("has a sparse member, which is not followed".to_owned()));
            }
            let has_data = !is_link && !kind.is_dir();
            members.push(Member { name, link: link.filter(|_| is_link), header: offset, data, size, has_data });
        }
        offset = data + size.div_ceil(BLOCK) * BLOCK;
    }
    // Without an end mark it may go on elsewhere; readers accept it.
    (members, source.length(), Completeness::Complete)
}

/// The header at `offset`, if its checksum is right.
fn header(source: &Source, offset: u64) -> Option<Header> {
    let block = source.read(offset, 512).ok()?;
    let mut header = Header::new_old();
    header.as_mut_bytes().copy_from_slice(&block);
    let stated = header.cksum().ok()?;
    let sum =
        |blank: u32, byte: (usize, &u8)| blank + if (148..156).contains(&byte.0) { 32 } else { u32::from(*byte.1) };
    let actual = block.iter().enumerate().fold(0, sum);
    (stated == actual && block.first() != Some(&0)).then_some(header)
}

fn after_the_end(source: &Source, end: u64, findings: &mut Findings) {
    let mut offset = end;
    let mut buffer = vec![0; 64 << 10];
    while offset < source.length() {
        let Ok(count @ 1..) = source.read_at(&mut buffer, offset) else { return };
        let bytes = buffer.get(..count).unwrap_or_default();
        if let Some(place) = bytes.iter().position(|byte| *byte != 0) {
            let start = (offset + place as u64) / BLOCK * BLOCK;
            let length = source.length() - start;
            let message = format!("{length} bytes follow the end of the archive");
            findings.push(Finding::new(&AFTER_THE_END, source.at(start), &message).with_identity("after the end"));
            findings.child(source.slice("after-the-end", start, length));
            return;
        }
        offset += count as u64;
    }
}

fn escapes(path: &str) -> bool {
    let mut depth = 0_i64;
    for part in path.split(['/', '\\']) {
        match part {
            ".." => depth -= 1,
            "" | "." => {}
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    path.starts_with(['/', '\\'])
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn short(name: &str) -> String {
    printable(&name.chars().take(100).collect::<String>())
}

/// Reads arbitrary bytes as an archive; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let limits = crate::Limits { members: 200, ..crate::Limits::default() };
    let source = Source::from_bytes("fuzz.tar", bytes.to_vec(), limits);
    let _ = TarArchive.inspect(&source, &mut Findings::new());
}
