//! Files beside the weights that loaders obey: Hugging Face configurations, chat templates, adapters.

use bartizan_core::{Completeness, Finding, Link, Rule, Severity, printable};
use bartizan_inspect::{Findings, Format, Inspect, Limits, Source};
use serde_json::Value;

use crate::json;
use crate::template::{Purpose, judged, sign_in};

/// The configuration names Python files of the repository.
pub const REMOTE_CODE: Rule = Rule {
    id: "BZ-REP-001",
    title: "Model repository asks for its own code to be run",
    severity: Severity::Medium,
    explanation: "`auto_map` or `custom_pipelines` names Python classes in the repository (or, with `--`, in another one). \
        Loading with `trust_remote_code=True` downloads and runs them, in whatever version is published then.",
    remedy: "Review the code, pin the revision, or use a model that the library supports itself.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Owasp("LLM03:2025"), Link::Cwe(829)],
};

/// A template holds steps of a sandbox escape.
pub const HOSTILE_TEMPLATE: Rule = Rule {
    id: "BZ-REP-002",
    title: "Template holds code that leaves its sandbox",
    severity: Severity::High,
    explanation: "Chat and prompt templates are Jinja programs that the runtime renders with each request. This one reaches \
        for Python's internals, which harmless templates never do.",
    remedy: "Do not render it; take the template from the model's original publisher.",
    links: &[
        Link::Atlas("AML.T0010.003"),
        Link::Owasp("LLM03:2025"),
        Link::Cwe(1336),
        Link::Advisory("CVE-2024-34359"),
    ],
};

/// A value of the configuration reads like a command.
pub const COMMAND_IN_CONFIGURATION: Rule = Rule {
    id: "BZ-REP-003",
    title: "Model configuration holds what reads like a command",
    severity: Severity::Medium,
    explanation: "A value in a model's configuration is a shell command or code. Loaders that interpret it run it; others \
        pass it on.",
    remedy: "Find out which program reads the value.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(94)],
};

/// An adapter names a module to import.
pub const FOREIGN_LIBRARY: Rule = Rule {
    id: "BZ-REP-004",
    title: "Adapter imports a module that is no library of models",
    severity: Severity::High,
    explanation: "`auto_mapping` of a PEFT adapter names the module of its base model's class. PEFT imports that module and \
        calls a method of the class, whatever they are, also without `trust_remote_code`.",
    remedy: "Do not load it unless the module is your own.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Owasp("LLM03:2025"), Link::Cwe(470)],
};

/// Every rule about files beside the weights.
pub const RULES: &[&Rule] = &[&REMOTE_CODE, &HOSTILE_TEMPLATE, &COMMAND_IN_CONFIGURATION, &FOREIGN_LIBRARY];

/// Libraries whose classes adapters are made for.
const MODEL_LIBRARIES: &[&str] =
    &["transformers", "peft", "diffusers", "sentence_transformers", "timm", "torchvision", "trl"];
/// Where transformers puts the code of repositories.
const REPOSITORY_CODE: &str = "transformers_modules";

/// Longest file that is read; tokenizers with large vocabularies reach tens of MiB.
const LONGEST: u64 = 64 << 20;
const TEMPLATE_EXTENSIONS: &[&str] = &["jinja", "jinja2", "j2", "template", "tmpl"];
const CONFIGURATIONS: &[&str] = &[
    "config.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "processor_config.json",
    "preprocessor_config.json",
    "generation_config.json",
    "adapter_config.json",
    "special_tokens_map.json",
    "chat_template.json",
    "model_index.json",
];

/// Looks at templates and at the configurations of model repositories.
#[derive(Clone, Copy, Debug, Default)]
pub struct Repository;

impl Inspect for Repository {
    fn name(&self) -> &'static str {
        "model-repository"
    }

    fn claims(&self, source: &Source, format: Format) -> bool {
        json::is_text(source, format) && kind(source).is_some()
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let Some(kind) = kind(source) else { return Completeness::Complete };
        if source.length() > LONGEST {
            return Completeness::Partial(format!("a configuration of {} bytes is not read", source.length()));
        }
        let bytes = match source.read(0, usize::try_from(source.length()).unwrap_or(0)) {
            Ok(bytes) => bytes,
            Err(error) => return Completeness::Partial(format!("the configuration can't be read: {error}")),
        };
        match kind {
            Kind::Template => {
                template(source, "the template", &String::from_utf8_lossy(&bytes), is_jinja(source), findings)
            }
            Kind::Configuration => match json::from_bytes(&bytes) {
                Ok(value) => walk(source, &value, findings),
                // Not every `config.json` is a model's; of one that is, somebody's loader may still read it. The text
                // is looked at all the same.
                Err(reason) => {
                    let seen = template(source, "the text", &String::from_utf8_lossy(&bytes), false, findings);
                    if CONFIGURATIONS.contains(&source.file_name()) && speaks_of_a_model(source) {
                        seen.and(Completeness::Partial(format!("the configuration is not understood: {reason}")))
                    } else {
                        seen
                    }
                }
            },
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Configuration,
    Template,
}

fn kind(source: &Source) -> Option<Kind> {
    let name = source.file_name();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if TEMPLATE_EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension)) {
        return Some(Kind::Template);
    }
    let is_structured = matches!(extension, "json" | "yaml" | "yml");
    if !is_structured || !(CONFIGURATIONS.contains(&name) || speaks_of_a_model(source)) {
        return None;
    }
    Some(if extension == "json" { Kind::Configuration } else { Kind::Template })
}

/// Whether the file is named like Jinja's own; `.template` and `.tmpl` are written for many other programs too.
fn is_jinja(source: &Source) -> bool {
    let extension = source.file_name().rsplit_once('.').map_or("", |(_, extension)| extension);
    ["jinja", "jinja2", "j2"].iter().any(|known| known.eq_ignore_ascii_case(extension))
}

fn speaks_of_a_model(source: &Source) -> bool {
    const KEYS: &[&str] = &[
        "chat_template",
        "auto_map",
        "peft_type",
        "tokenizer_class",
        "custom_pipelines",
        "model_type",
        "prompt_template",
        "architectures",
        "model_name",
    ];
    let head = json::head(source, 64 << 10);
    KEYS.iter().any(|key| memchr::memmem::find(head.as_bytes(), key.as_bytes()).is_some())
}

fn walk(source: &Source, value: &Value, findings: &mut Findings) -> Completeness {
    let is_model = speaks_of_a_model(source);
    let mut completeness = Completeness::Complete;
    let mut pending = vec![("", value)];
    while let Some((key, value)) = pending.pop() {
        match value {
            Value::Array(entries) => pending.extend(entries.iter().map(|entry| (key, entry))),
            Value::Object(entries) => {
                for (key, value) in entries {
                    if matches!(key.as_str(), "auto_map" | "custom_pipelines") {
                        remote_code(source, key, value, findings);
                    } else if key == "auto_mapping" {
                        adapter(source, value, findings);
                    }
                    pending.push((key, value));
                }
            }
            Value::String(text) => {
                let is_template = key.contains("template") || (text.contains("{{") || text.contains("{%"));
                if is_template {
                    let is_sure = key.contains("template");
                    completeness = completeness.and(template(source, key, text, is_sure, findings));
                } else if is_model
                    && !matches!(key, "content" | "token" | "vocab" | "merges")
                    && let Some(sign) = sign_in(text, Purpose::Metadata)
                {
                    let message = format!("`{}` holds `{}`", short(key), sign.trim());
                    findings.push(Finding::new(&COMMAND_IN_CONFIGURATION, source.whole(), &message));
                }
            }
            _ => {}
        }
    }
    completeness
}

/// What an adapter imports: `importlib.import_module(parent_library)` (`peft/auto.py`).
fn adapter(source: &Source, value: &Value, findings: &mut Findings) {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let Some(library) = text("parent_library") else { return };
    let top = library.split('.').next().unwrap_or_default();
    if MODEL_LIBRARIES.contains(&top) {
        return;
    }
    let class = text("base_model_class").unwrap_or("?");
    let rule = if top == REPOSITORY_CODE { &REMOTE_CODE } else { &FOREIGN_LIBRARY };
    let message = format!("`auto_mapping` imports `{}` from `{}`", short(class), short(library));
    findings.push(Finding::new(rule, source.whole(), &message).with_identity("auto_mapping"));
}

fn remote_code(source: &Source, key: &str, value: &Value, findings: &mut Findings) {
    let mut names = Vec::new();
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        match value {
            Value::String(name) => names.push(short(name)),
            Value::Array(entries) => pending.extend(entries),
            Value::Object(entries) => pending.extend(entries.values()),
            _ => {}
        }
    }
    names.sort();
    names.dedup();
    if !names.is_empty() {
        names.truncate(8);
        let message = format!("`{key}` names {}", names.join(", "));
        findings.push(Finding::new(&REMOTE_CODE, source.whole(), &message).with_identity(key));
    }
}

/// A template, or text that may be one. `is_sure` says that something renders it: then not to understand it is a gap.
fn template(source: &Source, key: &str, text: &str, is_sure: bool, findings: &mut Findings) -> Completeness {
    let verdict = judged(text);
    if let Some(sign) = verdict.reaches_out {
        let message = format!("{} holds `{}`", short(key), short(&sign));
        findings.push(Finding::new(&HOSTILE_TEMPLATE, source.whole(), &message));
    }
    match verdict.problem.filter(|_| is_sure) {
        Some(problem) => Completeness::Partial(format!("{} is not understood: {problem}", short(key))),
        None => Completeness::Complete,
    }
}

fn short(text: &str) -> String {
    printable(&text.chars().take(80).collect::<String>())
}

/// Reads arbitrary bytes as a configuration; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    for name in ["config.json", "chat_template.jinja"] {
        let source = Source::from_bytes(name, bytes.to_vec(), Limits::default());
        let _ = Repository.inspect(&source, &mut Findings::new());
    }
}
