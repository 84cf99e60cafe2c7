//! HDF5 files: Keras weights and models, pandas and PyTables stores.
//!
//! Text attributes are handed on: a Keras configuration is JSON in one, and PyTables unpickles those
//! that it pickled.

use std::collections::BTreeSet;

use bartizan_core::{Completeness, Component, ComponentKind, Finding, Link, Rule, Severity, printable};
use bartizan_inspect::{Findings, Format, Inspect, Limits, Source, Tensor};

use crate::hdf5::{Contents, contents};

/// Something lies in another file.
pub const EXTERNAL_DATA: Rule = Rule {
    id: "BZ-HDF-001",
    title: "HDF5 file takes data from another file",
    severity: Severity::High,
    explanation: "A link, an external data file or a virtual dataset makes the library open other files when this one is \
        read. Whoever chose the path reads files of the machine that loads the model, and what they hold becomes weights.",
    remedy: "Do not load it; ask for a file that holds its own data.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(73)],
};

/// PyTables will unpickle rows.
pub const PICKLED_ROWS: Rule = Rule {
    id: "BZ-HDF-002",
    title: "HDF5 file holds arrays of pickled objects",
    severity: Severity::Medium,
    explanation: "PyTables marks an array whose rows it pickled, and unpickles them when they are read: pickles run code. \
        The rows are not inspected.",
    remedy: "Do not read it with PyTables or pandas unless you wrote it.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(502)],
};

/// Every rule about HDF5.
pub const RULES: &[&Rule] = &[&EXTERNAL_DATA, &PICKLED_ROWS];

/// Shortest attribute that is handed on: nothing shorter imports and calls.
const SHORTEST: usize = 16;

/// Hands on what HDF5 files hold as text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hdf5;

impl Inspect for Hdf5 {
    fn name(&self) -> &'static str {
        "hdf5"
    }

    fn claims(&self, _: &Source, format: Format) -> bool {
        format == Format::Hdf5
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let contents = match contents(source) {
            Ok(contents) => contents,
            Err(reason) => return Completeness::Partial(reason),
        };
        for (path, target) in &contents.external {
            let (path, target) = (short(path), short(target));
            let message = format!("`{path}` lies in another file: {target}");
            findings.push(Finding::new(&EXTERNAL_DATA, source.whole(), &message));
        }
        let mut completeness = Completeness::Complete;
        let mut seen = BTreeSet::new();
        for attribute in &contents.attributes {
            if attribute.name == "PSEUDOATOM" && attribute.value == b"object" {
                let message = format!("`{}` holds pickled objects", short(&attribute.object));
                findings.push(Finding::new(&PICKLED_ROWS, source.at(attribute.offset), &message));
                completeness = completeness.and(Completeness::Partial("pickled rows are not inspected".to_owned()));
            }
            if attribute.value.len() >= SHORTEST && seen.insert(&attribute.value) {
                if let Err(exhausted) = source.budget().member() {
                    return completeness.and(Completeness::Partial(exhausted.to_string()));
                }
                let name = format!("{}@{}", attribute.object.trim_end_matches('/'), attribute.name);
                findings.child(source.decoded(&name, attribute.value.clone()));
            }
        }
        findings.component(component(source, &contents));
        findings.describe(|described| {
            for array in &contents.arrays {
                let (name, element) = (array.path.clone(), array.dtype.clone());
                described.tensor(Tensor { name, element, shape: array.shape.clone(), bytes: None });
            }
        });
        contents.gaps.into_iter().fold(completeness, |all, gap| all.and(Completeness::Partial(gap)))
    }
}

fn component(source: &Source, contents: &Contents) -> Component {
    let elements = |shape: &[u64]| shape.iter().try_fold(1_u64, |all, side| all.checked_mul(*side));
    let parameters: u64 = contents.arrays.iter().filter_map(|array| elements(&array.shape)).sum();
    let types: BTreeSet<&str> = contents.arrays.iter().map(|array| array.dtype.as_str()).collect();
    let is_keras = contents.attributes.iter().any(|attribute| attribute.name == "keras_version");
    let component = Component::new(ComponentKind::Model, source.name(), source.whole())
        .derived("format", "hdf5")
        .derived("types", types.into_iter().collect::<Vec<_>>().join(", "))
        .derived("arrays", contents.arrays.len().to_string())
        .derived("parameters", parameters.to_string());
    if is_keras { component.derived("framework", "keras") } else { component }
}

fn short(text: &str) -> String {
    printable(&text.chars().take(120).collect::<String>())
}

/// Reads arbitrary bytes as HDF5; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let source = Source::from_bytes("fuzz.h5", bytes.to_vec(), Limits { operations: 1 << 20, ..Limits::default() });
    let _ = Hdf5.inspect(&source, &mut Findings::new());
}
