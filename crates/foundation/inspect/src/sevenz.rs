//! 7-Zip archives.
//!
//! Members of a solid block come out one after the other; each is held in memory as far as the limit
//! on members allows while it is looked at.

use std::cell::RefCell;
use std::io::Read;

use bartizan_core::{Completeness, Finding, Link, Rule, Severity};
use sevenz_rust2::{ArchiveReader, EntryDecision, Password};

use crate::reader::Reader;
use crate::{Area, Findings, Format, Inspect, Source};

/// A member expands without measure.
pub const MEMBER_BOMB: Rule = Rule {
    id: "BZ-ARC-004",
    title: "7-Zip member decompresses like a bomb",
    severity: Severity::Low,
    explanation: "A few bytes expand to so many that whoever unpacks it runs out of memory or disk.",
    remedy: "Do not unpack it.",
    links: &[Link::Cwe(409)],
};

/// Dictionary that a block may ask for, in KiB: what the strongest preset of 7-Zip uses.
const DICTIONARY: usize = 66 << 10;

/// Hands on the members of a 7-Zip archive.
#[derive(Clone, Copy, Debug, Default)]
pub struct SevenZipArchive;

impl Inspect for SevenZipArchive {
    fn name(&self) -> &'static str {
        "7z"
    }

    fn area(&self) -> Area {
        Area::Containers
    }

    fn claims(&self, _: &Source, format: Format) -> bool {
        format == Format::SevenZip
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let reader = Reader::new(source.clone());
        let mut archive = match ArchiveReader::new_with_memory_limit(reader, Password::empty(), DICTIONARY) {
            Ok(archive) => archive,
            Err(error) => return Completeness::Partial(format!("the 7-Zip archive can't be read: {error}")),
        };
        archive.set_thread_count(1);
        let completeness = RefCell::new(Completeness::Complete);
        let note = |reason: String| {
            let so_far = completeness.take();
            completeness.replace(so_far.and(Completeness::Partial(reason)));
        };
        let outcome = archive.for_each_entries_with_decision_allowing_surplus(|entry, content| {
            if let Err(exhausted) = source.budget().member() {
                note(exhausted.to_string());
                return Ok(EntryDecision::Stop);
            }
            if entry.is_directory() {
                return Ok(EntryDecision::Continue);
            }
            let member = read(source, content);
            if member.is_bomb {
                findings.push(Finding::new(&MEMBER_BOMB, source.whole(), "a member decompresses like a bomb"));
            }
            findings.child(source.decoded(entry.name(), member.bytes));
            match member.problem {
                None => Ok(EntryDecision::Continue),
                Some(problem) => {
                    note(format!("7-Zip member: {problem}"));
                    Ok(EntryDecision::SkipBlock)
                }
            }
        });
        if let Err(error) = outcome {
            note(format!("the 7-Zip archive can't be read to its end: {error}"));
        }
        completeness.into_inner()
    }
}

struct Member {
    bytes: Vec<u8>,
    problem: Option<String>,
    is_bomb: bool,
}

fn read(source: &Source, content: &mut dyn Read) -> Member {
    let limits = source.budget().limits();
    let mut member = Member { bytes: Vec::new(), problem: None, is_bomb: false };
    let mut chunk = vec![0; 64 << 10];
    loop {
        let part = match content.read(&mut chunk) {
            Ok(0) => return member,
            Ok(count) => chunk.get(..count).unwrap_or_default(),
            Err(error) => {
                member.problem = Some(format!("the compressed data is damaged: {error}"));
                return member;
            }
        };
        let room = usize::try_from(limits.member).unwrap_or(usize::MAX).saturating_sub(member.bytes.len());
        member.bytes.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        if room < part.len() {
            member.problem = Some(format!("more than {} bytes come out", limits.member));
        } else if let Err(exhausted) = source.budget().inflate(part.len() as u64) {
            member.problem = Some(exhausted.to_string());
        } else if member.bytes.len() as u64 > (1 << 20)
            && member.bytes.len() as u64 / source.length().max(1) > limits.ratio
        {
            member.problem = Some("decompresses like a bomb".to_owned());
            member.is_bomb = true;
        }
        if member.problem.is_some() {
            return member;
        }
    }
}

/// Reads arbitrary bytes as an archive; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let limits = crate::Limits { member: 1 << 20, inflated: 4 << 20, members: 200, ..crate::Limits::default() };
    let source = Source::from_bytes("fuzz.7z", bytes.to_vec(), limits);
    let _ = SevenZipArchive.inspect(&source, &mut Findings::new());
}
