//! Pickles, and the PyTorch files that are made of them.
//!
//! A pickle is a program, and whoever loads it runs it. The program is run here on abstract values:
//! which objects it imports, which it calls and with what follows from the bytes alone. Every name
//! that is not on the list of harmless ones is a finding, with the opcodes that prove it.

mod containers;
mod dtype;
mod effects;
mod evidence;
mod formula;
mod frames;
mod handing;
mod joblib;
mod machine;
mod memo;
mod policy;
mod rules;
mod state;
mod value;

use bartizan_core::{Completeness, Component, ComponentKind, Finding, Location, Position};
use bartizan_inspect::{Contents, Findings, Format, Inspect, Limits, Source, Tensor, named_like_a_model, recognise};

use evidence::Evidence;
use machine::{Ending, run};
use state::Loader;
use value::{Plain, Value};

use crate::weights::Weights;

pub use rules::{
    CHANGED_IMPORT, COMPUTED_CALL, COMPUTED_IMPORT, DANGEROUS_CALLABLE, EXTENSION_CODE, FORBIDDEN_ARGUMENT,
    HIDDEN_PICKLE, LYING_FRAME, NESTED_PICKLE, RULES, SPECIAL_ATTRIBUTE, TRAILING_BYTES, UNKNOWN_CALLABLE,
};

/// Pickles in one file after another that are followed.
const STREAMS: usize = 1000;
/// Opcodes after which bytes are taken for a pickle whatever follows: padding must not hide one.
const LONG: u64 = 1 << 14;
/// Longest text that is tried for an encoded pickle.
const ENCODED: usize = 8 << 20;
/// Bytes after the last pickle that are searched for another one.
const SEARCHED: usize = 1 << 20;

/// Looks into pickles of every protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pickle;

impl Inspect for Pickle {
    fn name(&self) -> &'static str {
        "pickle"
    }

    fn claims(&self, source: &Source, format: Format) -> bool {
        if source.is_loaded_as(Format::Pickle) {
            return true;
        }
        if crate::torch::is_storage(source) || format == Format::Empty {
            return false;
        }
        format == Format::Pickle || is_pickle(source, 0) || is_named_pickle(source) || imports_at_once(source)
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let mut evidence = Evidence::in_torch_script(crate::torch::is_script(source));
        let mut completeness = Completeness::Complete;
        let mut offset = 0;
        let mut legacy_torch = false;
        for stream in 0.. {
            let ending = run(source, offset, &mut evidence, Loader::Joblib);
            if ending.arrays {
                // The same file given to `pickle.load`.
                let mut plain = Evidence::in_torch_script(crate::torch::is_script(source));
                run(source, offset, &mut plain, Loader::Pickle);
                evidence.absorb(plain);
            }
            nested(source, &ending, findings);
            offset = ending.end;
            legacy_torch |= stream == 0 && ending.result == Some(Value::Plain(Plain::TorchMagic));
            if let Some(problem) = &ending.problem {
                completeness =
                    completeness.and(Completeness::Partial(format!("the pickle can't be followed: {problem}")));
            }
            // `torch.save` before 1.6: magic number, version, system, object, storage keys, then raw storage.
            let storage_follows = legacy_torch && stream == 4;
            if ending.result.is_none() || offset >= source.length() || storage_follows {
                break;
            }
            if stream >= STREAMS {
                completeness = completeness.and(Completeness::Partial("too many pickles in one file".to_owned()));
                break;
            }
            if !is_pickle(source, offset) && !legacy_torch {
                trailing(source, offset, findings);
                if crate::torch::is_tar_part(source) {
                    let reason = "pickles and raw tensors in turn (torch before 0.2) are searched, not followed";
                    completeness = completeness.and(Completeness::Partial(reason.to_owned()));
                }
                break;
            }
        }
        for finding in evidence.findings(source) {
            findings.push(finding);
        }
        if let Some(component) = component(source, &evidence) {
            findings.component(component);
        }
        findings.describe(|contents| describe(source, &evidence, legacy_torch, contents));
        completeness
    }
}

/// What is imported, and the tensors where the pickle makes nothing else.
fn describe(source: &Source, evidence: &Evidence, legacy_torch: bool, contents: &mut Contents) {
    evidence.names().for_each(|(name, times)| contents.operators_of(&name, times));
    let weights = if legacy_torch { Weights::read(source) } else { Weights::described_by(source) };
    for (name, tensor) in weights.iter().flat_map(Weights::tensors) {
        contents.tensor(Tensor {
            name: name.clone(),
            element: tensor.element.torch().to_owned(),
            shape: tensor.shape.clone(),
            bytes: tensor.bytes(),
        });
    }
}

/// The model that a pickle is, or the main pickle of a PyTorch archive; pickled data are no component.
fn component(source: &Source, evidence: &Evidence) -> Option<Component> {
    let framework = evidence.framework()?;
    let is_archive = source.member().ends_with("data.pkl") && source.depth() > 0;
    let (name, format) = if is_archive && framework == "torch" {
        (source.name().rsplit_once('!')?.0, "pytorch-zip")
    } else {
        (source.name(), "pickle")
    };
    let place = Location { path: name.to_owned(), position: Position::Whole };
    let component = Component::new(ComponentKind::Model, name, place);
    Some(component.derived("format", format).derived("framework", framework))
}

/// Whether the bytes at `offset` act like a pickle: they reach STOP, import and call before they
/// break, or run for long. Text rarely does, and never with names that could be imported.
fn is_pickle(source: &Source, offset: u64) -> bool {
    let mut evidence = Evidence::default();
    let ending = run(source, offset, &mut evidence, Loader::Joblib);
    // `P` of a ZIP's signature is PERSID, and bytes after it may well do something: only names that are not allowed count there.
    let is_archive = source.read(offset, 4).is_ok_and(|start| start == b"PK\x03\x04");
    // One opcode that fails at once is a line of text: `isympy` in a list of names is INST without a mark.
    if ending.result.is_none() && ending.operations < 2 {
        return false;
    }
    let acts = if is_archive { evidence.names_something_else() } else { evidence.calls > 0 || evidence.is_dangerous() };
    let stops = ending.result.is_some() && ending.operations > 1;
    let whole = stops && (ending.end >= source.length() || source.read(offset, 1).is_ok_and(|byte| byte == [0x80]));
    evidence.is_plausible() && (acts || (!is_archive && whole) || ending.operations > LONG)
}

/// A file that people load as a model and whose bytes import something before they break: the import has
/// happened then.
fn is_named_pickle(source: &Source) -> bool {
    let mut evidence = Evidence::default();
    named_like_a_model(source.member()) && {
        run(source, 0, &mut evidence, Loader::Joblib);
        evidence.names_something_else() && source.read(0, 2).is_ok_and(|start| start != b"PK")
    }
}

/// A file without a name that says so whose first opcodes import something that is not allowed: the import has
/// happened when the rest breaks. Two words below each other are such an opcode too, so text that says it is
/// text, and text that goes on with something else, is let be.
fn imports_at_once(source: &Source) -> bool {
    const TEXTS: &[&str] = &[
        "txt", "md", "rst", "in", "cfg", "conf", "ini", "csv", "tsv", "list", "lst", "words", "dic", "log", "toml",
        "yaml", "yml", "json", "lock", "py", "pyi", "c", "h", "cc", "cpp", "rs", "go", "js", "ts", "sh", "sql",
    ];
    if !matches!(recognise(source), Format::Text | Format::Unknown) {
        return false;
    }
    let mut evidence = Evidence::default();
    let ending = run(source, 0, &mut evidence, Loader::Joblib);
    let is_at_end = ending.end >= source.length();
    let extension = source.file_name().rsplit_once('.').map_or("", |(_, extension)| extension);
    let says_text = TEXTS.iter().any(|known| known.eq_ignore_ascii_case(extension));
    evidence.names_something_else()
        && match ending.succeeded {
            0 => false,
            1 | 2 if says_text => false,
            1 | 2 => is_at_end,
            _ => true,
        }
}

fn nested(source: &Source, ending: &Ending, findings: &mut Findings) {
    for (offset, length) in &ending.nested {
        let child = source.slice(&format!("bytes@{offset}"), *offset, *length);
        let is_archive = matches!(recognise(&child), Format::Zip | Format::Tar);
        let child = if is_archive { child } else { child.loaded_as(Format::Pickle) };
        let message = format!("{length} bytes at {offset} are a pickle of their own");
        findings.push(Finding::new(&NESTED_PICKLE, source.at(*offset), &message));
        findings.child(child);
    }
    for (start, end) in &ending.encoded {
        if let Some(bytes) = decoded(source, *start, *end) {
            let message = format!("text at {start} decodes to a pickle of {} bytes", bytes.len());
            findings.push(Finding::new(&NESTED_PICKLE, source.at(*start), &message));
            findings.child(source.decoded(&format!("text@{start}"), bytes));
        }
    }
}

/// What the text of the opcode in `start..end` decodes to, from hexadecimal or base64, where that is a
/// whole pickle.
fn decoded(source: &Source, start: u64, end: u64) -> Option<Vec<u8>> {
    let length = usize::try_from(end - start).ok().filter(|length| *length <= ENCODED)?;
    let operation = source.read(start, length).ok()?;
    let first = operation.windows(2).position(|pair| matches!(pair, b"gA" | b"80"))?;
    let is_digit = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_');
    let digits: Vec<u8> = operation.get(first..)?.iter().take_while(is_digit).copied().collect();
    let bytes = if digits.starts_with(b"80") { hexadecimal(&digits)? } else { base64(&digits)? };
    (matches!(bytes.as_slice(), [0x80, 2..=5, .., b'.'])).then_some(bytes)
}

fn hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    digits.chunks(2).map(|pair| Some(value(*pair.first()?)? << 4 | value(*pair.get(1)?)?)).collect()
}

fn base64(digits: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut bits, mut held) = (Vec::with_capacity(digits.len()), 0_u32, 0);
    for digit in digits.iter().take_while(|digit| **digit != b'=') {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(out)
}

/// Bytes that no pickle accounts for: say so, and look for another pickle in them.
fn trailing(source: &Source, offset: u64, findings: &mut Findings) {
    let left = usize::try_from(source.length() - offset).unwrap_or(usize::MAX);
    let bytes = source.read(offset, left.min(SEARCHED)).unwrap_or_default();
    if bytes.iter().all(|byte| *byte == 0) && left <= SEARCHED {
        return;
    }
    let message = format!("{left} bytes follow the end of the pickle");
    findings.push(Finding::new(&TRAILING_BYTES, source.at(offset), &message).with_identity("trailing bytes"));
    for (place, pair) in bytes.windows(2).enumerate() {
        if !matches!(pair, [0x80, 2..=5]) {
            continue;
        }
        let mut evidence = Evidence::default();
        let start = offset + place as u64;
        run(source, start, &mut evidence, Loader::Joblib);
        if evidence.is_plausible() && evidence.is_hostile() {
            findings.push(Finding::new(&HIDDEN_PICKLE, source.at(start), "a pickle that calls something starts here"));
            evidence.findings(source).into_iter().for_each(|finding| findings.push(finding));
            return;
        }
    }
}

/// Runs arbitrary bytes as a pickle; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let source = Source::from_bytes("fuzz.pkl", bytes.to_vec(), Limits { operations: 1 << 20, ..Limits::default() });
    let _ = Pickle.inspect(&source, &mut Findings::new());
}
