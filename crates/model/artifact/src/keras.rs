//! Keras model configurations: JSON that says which Python objects to make.
//!
//! A configuration names modules, classes and functions, and may carry marshalled Python code. It
//! stands in `config.json` of a `.keras` file, in an attribute of an HDF5 file, in
//! `keras_metadata.pb` of a SavedModel, or alone as `model.to_json()` wrote it.

use bartizan_core::{Completeness, Finding, Link, Rule, Severity, printable};
use bartizan_inspect::{Findings, Format, Inspect, Limits, Source};
use serde_json::{Map, Value};

use crate::json;

/// A Lambda layer carries code.
pub const LAMBDA_CODE: Rule = Rule {
    id: "BZ-KRS-001",
    title: "Keras model carries Python code",
    severity: Severity::Critical,
    explanation: "A Lambda layer holds marshalled Python bytecode. It runs when the model is loaded with safe mode off (the \
        only mode before Keras 2.13, and of legacy HDF5 files for longer) and whenever the layer is called.",
    remedy: "Do not load it. Ask for a model without Lambda layers, or for its weights alone.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Owasp("LLM03:2025"), Link::Cwe(502), Link::Advisory("CVE-2024-3660")],
};

/// A Lambda layer names a function.
pub const LAMBDA_NAME: Rule = Rule {
    id: "BZ-KRS-002",
    title: "Keras model calls a function by name",
    severity: Severity::Medium,
    explanation: "A Lambda layer names a function that is looked up when the model is loaded: which code runs is not in the \
        file.",
    remedy: "Find out which function is meant, and where it comes from.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(470)],
};

/// The configuration imports something that is not Keras.
pub const FOREIGN_MODULE: Rule = Rule {
    id: "BZ-KRS-003",
    title: "Keras model imports a module that is not part of Keras",
    severity: Severity::High,
    explanation: "The configuration names a Python module and an object in it. Keras before 3.9 imports the module and \
        calls the object with arguments from the file, whatever it is.",
    remedy: "Do not load it unless the module is your own.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(502), Link::Advisory("CVE-2025-1550")],
};

/// A part of Keras is used that acts on the machine.
pub const DANGEROUS_OBJECT: Rule = Rule {
    id: "BZ-KRS-004",
    title: "Keras model uses a part of Keras that acts on the machine",
    severity: Severity::High,
    explanation: "The configuration names a function or wrapper of Keras itself that downloads, reads or unpickles: \
        `get_file`, `TorchModuleWrapper`, loaders. Such names pass checks for foreign modules.",
    remedy: "Do not load it.",
    links: &[
        Link::Atlas("AML.T0010.003"),
        Link::Cwe(502),
        Link::Advisory("CVE-2025-8747"),
        Link::Advisory("CVE-2025-49655"),
    ],
};

/// The configuration names a file.
pub const FILE_REFERENCE: Rule = Rule {
    id: "BZ-KRS-005",
    title: "Keras model reads a file of the machine that loads it",
    severity: Severity::Medium,
    explanation: "A preprocessing layer takes its vocabulary from a path: loading the model reads that file, and the \
        model's output can disclose it.",
    remedy: "Ask for a model whose vocabulary is part of the file.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(73), Link::Advisory("CVE-2025-12058")],
};

/// The model needs code that is not in the file.
pub const CUSTOM_OBJECT: Rule = Rule {
    id: "BZ-KRS-006",
    title: "Keras model needs custom classes",
    severity: Severity::Low,
    explanation: "A layer is of a registered custom class. Loading fails without its code, which comes with the model or \
        from elsewhere.",
    remedy: "Review the code of the class as you would review the model.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(829)],
};

/// Every rule about Keras configurations.
pub const RULES: &[&Rule] =
    &[&LAMBDA_CODE, &LAMBDA_NAME, &FOREIGN_MODULE, &DANGEROUS_OBJECT, &FILE_REFERENCE, &CUSTOM_OBJECT];

/// Longest configuration that is read.
const LONGEST: u64 = 64 << 20;
/// Where Keras keeps its own classes.
const OWN_MODULES: &[&str] =
    &["keras", "tensorflow.keras", "tensorflow.python.keras", "tf_keras", "keras_hub", "keras_nlp"];
/// Modules of Keras whose functions are plain mathematics.
const PURE_MODULES: &[&str] = &[
    "activations",
    "losses",
    "metrics",
    "initializers",
    "regularizers",
    "constraints",
    "ops",
    "layers",
    "optimizers",
    "backend",
    "dtype_policies",
    "quantizers",
];
/// Classes and functions of Keras that act on the machine.
const DANGEROUS_NAMES: &[&str] = &[
    "TorchModuleWrapper",
    "FlaxLayer",
    "JaxLayer",
    "TFSMLayer",
    "get_file",
    "load_model",
    "load_weights",
    "deserialize_keras_object",
    "enable_unsafe_deserialization",
    "extract_archive",
    "save_img",
];

/// Checks Keras configurations.
#[derive(Clone, Copy, Debug, Default)]
pub struct KerasConfiguration;

impl Inspect for KerasConfiguration {
    fn name(&self) -> &'static str {
        "keras"
    }

    fn claims(&self, source: &Source, format: Format) -> bool {
        let is_attribute = source.member().ends_with("@model_config") || source.member().ends_with("@training_config");
        let in_archive = source.file_name() == "config.json"
            && (source.has_sibling("metadata.json") || source.has_sibling("model.weights.h5"));
        is_attribute || in_archive || (json::is_text(source, format) && names_a_class(source))
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let length = source.length().min(LONGEST + 1);
        let bytes = match source.read(0, usize::try_from(length).unwrap_or(0)) {
            Ok(bytes) if length <= LONGEST => bytes,
            Ok(_) => return Completeness::Partial("the Keras configuration is too long to be read".to_owned()),
            Err(error) => return Completeness::Partial(format!("the Keras configuration can't be read: {error}")),
        };
        match json::from_bytes(&bytes) {
            Ok(value) => {
                walk(source, &value, findings);
                Completeness::Complete
            }
            Err(reason) => Completeness::Partial(format!("the Keras configuration is not understood: {reason}")),
        }
    }
}

/// Whether the top of a JSON object reads like `model.to_json()`.
fn names_a_class(source: &Source) -> bool {
    let head = json::head(source, 4096);
    head.trim_start_matches('\u{feff}').trim_start().starts_with('{')
        && head.contains("\"class_name\"")
        && head.contains("\"config\"")
}

fn walk(source: &Source, value: &Value, findings: &mut Findings) {
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        match value {
            Value::Array(entries) => pending.extend(entries),
            Value::Object(entries) => {
                object(source, entries, findings);
                pending.extend(entries.values());
            }
            _ => {}
        }
    }
}

fn object(source: &Source, entries: &Map<String, Value>, findings: &mut Findings) {
    let text = |key: &str| entries.get(key).and_then(Value::as_str);
    let Some(class) = text("class_name") else { return };
    let configuration = entries.get("config").unwrap_or(&Value::Null);
    let mut report = |rule: &'static Rule, message: String| {
        findings.push(Finding::new(rule, source.whole(), &message).with_identity(&message));
    };
    let name = configuration.get("name").and_then(Value::as_str).unwrap_or(class);
    if class == "__lambda__" || (class == "Lambda" && carries_code(configuration)) {
        report(&LAMBDA_CODE, format!("`{}` carries bytecode", short(name)));
    } else if class == "Lambda" {
        report(&LAMBDA_NAME, format!("layer `{}` calls a function by name", short(name)));
    }
    let callee = if class == "function" { configuration.as_str().unwrap_or(class) } else { class };
    if let Some(module) = text("module") {
        let own = OWN_MODULES
            .iter()
            .find_map(|own| module.strip_prefix(own))
            .filter(|rest| rest.is_empty() || rest.starts_with('.'));
        match own {
            None if module != "builtins" => {
                report(&FOREIGN_MODULE, format!("imports `{}` from `{}`", short(callee), short(module)));
            }
            Some(rest) if class == "function" => {
                let pure = rest.split('.').any(|part| PURE_MODULES.contains(&part));
                if !pure || DANGEROUS_NAMES.contains(&callee) {
                    report(&DANGEROUS_OBJECT, format!("calls `{}.{}`", short(module), short(callee)));
                }
            }
            _ => {}
        }
    }
    if class != "function" && DANGEROUS_NAMES.contains(&class) {
        report(&DANGEROUS_OBJECT, format!("makes a `{}`", short(class)));
    }
    if let Some(path) = configuration.get("vocabulary").and_then(Value::as_str) {
        report(&FILE_REFERENCE, format!("layer `{}` reads `{}`", short(name), short(path)));
    }
    if let Some((package, _)) = text("registered_name").and_then(|name| name.split_once('>'))
        && !matches!(package, "keras" | "keras_hub" | "keras_nlp" | "Keras")
    {
        report(&CUSTOM_OBJECT, format!("needs the class `{}` of package `{}`", short(class), short(package)));
    }
}

/// Marshalled code stands in a list, as `["4wEAAA…", null, null]`, or in a `__lambda__` object.
fn carries_code(configuration: &Value) -> bool {
    let function = configuration.get("function");
    configuration.get("function_type").and_then(Value::as_str) == Some("lambda")
        || function.is_some_and(Value::is_array)
        || function.and_then(|function| function.get("class_name")).and_then(Value::as_str) == Some("__lambda__")
        || function.and_then(|function| function.get("code")).is_some()
}

fn short(text: &str) -> String {
    printable(&text.chars().take(100).collect::<String>())
}

/// Looks at the configurations that `keras_metadata.pb` holds.
pub(crate) fn configuration(source: &Source, bytes: &[u8], findings: &mut Findings) -> Result<(), String> {
    let value = json::from_bytes(bytes)?;
    walk(source, &value, findings);
    Ok(())
}

/// Reads arbitrary bytes as a configuration; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let source = Source::from_bytes("model.json", bytes.to_vec(), Limits::default());
    let _ = KerasConfiguration.inspect(&source, &mut Findings::new());
}
