//! TensorFlow Lite models (`schema.fbs`): a FlatBuffer whose operators are numbers, or names where
//! they are custom.

use std::collections::BTreeSet;

use bartizan_core::{Completeness, Component, ComponentKind, Finding, Link, Rule, Severity, printable};
use bartizan_inspect::{Findings, Format, Inspect, Limits, Source};

/// A custom operator.
pub const CUSTOM_OPERATOR: Rule = Rule {
    id: "BZ-TFL-001",
    title: "TensorFlow Lite model needs operators of its own",
    severity: Severity::Low,
    explanation: "The model names operators that are not built in: to run it, someone must register native code for them.",
    remedy: "Get the operators from a source that you trust, or a model without custom operators.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(829)],
};

/// A TensorFlow operator that acts on the machine.
pub const DANGEROUS_OPERATOR: Rule = Rule {
    id: "BZ-TFL-002",
    title: "TensorFlow Lite model reads files or calls Python",
    severity: Severity::High,
    explanation: "Through the Flex delegate the model runs operators of full TensorFlow, here one that opens files or calls \
        Python.",
    remedy: "Do not run it with the Flex delegate.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(94)],
};

/// Offsets lead out of the file.
pub const LYING_OFFSET: Rule = Rule {
    id: "BZ-TFL-003",
    title: "TensorFlow Lite model's offsets lead out of the file",
    severity: Severity::Medium,
    explanation: "A table or vector of the FlatBuffer is said to lie beyond the end of the file. Interpreters that do not \
        verify the buffer read memory that is not theirs.",
    remedy: "Do not load it; convert the model again.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(125)],
};

/// Every rule about TensorFlow Lite.
pub const RULES: &[&Rule] = &[&CUSTOM_OPERATOR, &DANGEROUS_OPERATOR, &LYING_OFFSET];

/// Operators that the converter writes as custom ones for detection and ragged text models.
const COMMON: &[&str] =
    &["TFLite_Detection_PostProcess", "Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D"];

/// Checks the operators of TensorFlow Lite models.
#[derive(Clone, Copy, Debug, Default)]
pub struct TensorFlowLite;

impl Inspect for TensorFlowLite {
    fn name(&self) -> &'static str {
        "tflite"
    }

    fn claims(&self, _: &Source, format: Format) -> bool {
        format == Format::TfLite
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        match custom_operators(source) {
            Ok((operators, customs)) => {
                for operator in customs {
                    findings.describe(|contents| contents.operator(&operator));
                    let name: String = printable(&operator).chars().take(100).collect();
                    let rule = match operator.strip_prefix("Flex") {
                        Some(flex) if acts(flex) => &DANGEROUS_OPERATOR,
                        _ if COMMON.contains(&operator.as_str()) => continue,
                        _ => &CUSTOM_OPERATOR,
                    };
                    findings.push(Finding::new(rule, source.whole(), &format!("operator `{name}`")));
                }
                let component = Component::new(ComponentKind::Model, source.name(), source.whole())
                    .derived("format", "tflite")
                    .derived("framework", "tensorflow")
                    .derived("operators", operators.to_string());
                findings.component(component);
                Completeness::Complete
            }
            Err(reason) => {
                findings.push(Finding::new(&LYING_OFFSET, source.whole(), &reason).with_identity("offset"));
                Completeness::Partial(format!("the TensorFlow Lite model can't be followed: {reason}"))
            }
        }
    }
}

fn acts(operator: &str) -> bool {
    let words = ["PyFunc", "ReadFile", "WriteFile", "MatchingFiles", "Reader", "TextLineDataset", "TFRecordDataset"];
    words.iter().any(|word| operator.contains(word))
}

/// How many operator codes there are, and the names of custom ones.
fn custom_operators(source: &Source) -> Result<(u64, BTreeSet<String>), String> {
    let model = indirect(source, 0)?;
    let mut names = BTreeSet::new();
    let Some(codes) = field(source, model, 1)? else { return Ok((0, names)) };
    let codes = indirect(source, codes)?;
    let count = word(source, codes)?;
    if u64::from(count) * 4 > source.length() {
        return Err(format!("{count} operators are stated in {} bytes", source.length()));
    }
    for index in 0..u64::from(count) {
        source.budget().operate(4).map_err(|exhausted| exhausted.to_string())?;
        let code = indirect(source, codes + 4 + 4 * index)?;
        if let Some(name) = field(source, code, 1)? {
            let text = indirect(source, name)?;
            let length = usize::try_from(word(source, text)?.min(1000)).unwrap_or(0);
            let bytes = source.read(text + 4, length).map_err(|error| error.to_string())?;
            names.insert(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Ok((count.into(), names))
}

fn word(source: &Source, at: u64) -> Result<u32, String> {
    let bytes = source.read(at, 4).map_err(|error| format!("byte {at}: {error}"))?;
    Ok(bytes.try_into().map_or(0, u32::from_le_bytes))
}

/// Follows an offset that is relative to where it stands.
fn indirect(source: &Source, at: u64) -> Result<u64, String> {
    let target = at + u64::from(word(source, at)?);
    if target >= source.length() { Err(format!("byte {at}: an offset leads to byte {target}")) } else { Ok(target) }
}

/// Where field `index` of the table at `table` stands; `None` when it is not there.
fn field(source: &Source, table: u64, index: u64) -> Result<Option<u64>, String> {
    let distance = i64::from(word(source, table)?.cast_signed());
    let vtable = table.checked_add_signed(-distance).ok_or_else(|| format!("byte {table}: no vtable"))?;
    let half = |at: u64| -> Result<u64, String> {
        let bytes = source.read(at, 2).map_err(|error| format!("byte {at}: {error}"))?;
        Ok(bytes.try_into().map_or(0, u16::from_le_bytes).into())
    };
    let slot = 4 + 2 * index;
    if half(vtable)? < slot + 2 {
        return Ok(None);
    }
    let offset = half(vtable + slot)?;
    Ok((offset > 0).then_some(table + offset))
}

/// Reads arbitrary bytes as a TensorFlow Lite model; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let source = Source::from_bytes("fuzz.tflite", bytes.to_vec(), Limits { operations: 1 << 20, ..Limits::default() });
    let _ = TensorFlowLite.inspect(&source, &mut Findings::new());
}
