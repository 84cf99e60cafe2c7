//! `bartizan model inspect`.

use std::fmt::Write as _;
use std::path::PathBuf;

use bartizan_core::{Basis, Completeness, printable};
use bartizan_engine::model::{Inside, Tensor, look};
use bartizan_engine::output::without_secrets;
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::exit::Ended;

/// Show what is inside a model file: tensors, operators, metadata, without loading it
///
/// For pickles the names that they import stand where operators stand. What follows from the bytes and what somebody
/// merely wrote into the file are told apart.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  bartizan model inspect model.safetensors
  bartizan model inspect pytorch_model.bin --format json | jq '.tensors[].name'
  bartizan model inspect model.onnx --all

Exit code: 0 when everything could be followed, 2 when something could not, 3 when the file can't be read.")]
pub(super) struct Arguments {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Show every tensor, not only the first and the largest
    #[arg(long)]
    all: bool,

    /// How to print it
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// Rows of each kind in the short table.
const SHOWN: usize = 20;

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Ended> {
    let inside = look(&arguments.file)?;
    let text = match arguments.format {
        Format::Json => format!("{:#}\n", document(&inside)),
        Format::Table => table(&inside, if arguments.all { usize::MAX } else { SHOWN }),
    };
    std::io::Write::write_all(&mut std::io::stdout().lock(), without_secrets(text).as_bytes())?;
    Ok(if inside.completeness.is_complete() { Ended::Well } else { Ended::Inconclusive })
}

fn parameters(tensors: &[Tensor]) -> u64 {
    tensors.iter().filter_map(Tensor::elements).fold(0, u64::saturating_add)
}

fn document(inside: &Inside) -> Value {
    let tensors: Vec<Value> = inside
        .contents
        .tensors
        .iter()
        .map(
            |tensor| json!({"name": tensor.name, "type": tensor.element, "shape": tensor.shape, "bytes": tensor.bytes}),
        )
        .collect();
    let findings: Vec<Value> = inside
        .findings
        .iter()
        .map(|(message, rule, severity)| json!({"rule": rule, "severity": severity, "message": message}))
        .collect();
    let models: Vec<Value> = inside
        .models
        .iter()
        .map(|model| {
            let properties: serde_json::Map<String, Value> = model
                .properties
                .iter()
                .map(|(name, property)| (name.clone(), json!({"value": property.value, "basis": property.basis})))
                .collect();
            json!({"name": model.name, "properties": properties})
        })
        .collect();
    json!({
        "format": inside.format,
        "bytes": inside.bytes,
        "sha256": inside.digest.hex(),
        "completeness": inside.completeness,
        "parameters": parameters(&inside.contents.tensors),
        "models": models,
        "tensors": tensors,
        "operators": inside.contents.operators,
        "metadata": inside.contents.metadata,
        "leftOut": inside.contents.left_out,
        "findings": findings,
    })
}

fn table(inside: &Inside, most: usize) -> String {
    let mut out = String::new();
    // Writing to a String can't fail.
    let _ = write_table(inside, most, &mut out);
    out
}

fn write_table(inside: &Inside, most: usize, out: &mut String) -> std::fmt::Result {
    writeln!(out, "format      {}, {} bytes", inside.format, inside.bytes)?;
    writeln!(out, "digest      {}", inside.digest)?;
    for model in inside.models.iter().take(most) {
        for (name, property) in model.properties.iter().filter(|(name, _)| !name.starts_with("metadata:")) {
            let basis = if property.basis == Basis::Claimed { " (claimed)" } else { "" };
            writeln!(out, "{name:<11} {}{basis}", printable(&property.value))?;
        }
    }
    let contents = &inside.contents;
    let tensors = &contents.tensors;
    if !tensors.is_empty() {
        writeln!(out, "\n{} tensors, {} parameters", tensors.len(), parameters(tensors))?;
        for tensor in tensors.iter().take(most) {
            let shape: Vec<String> = tensor.shape.iter().map(u64::to_string).collect();
            let bytes = tensor.bytes.map_or(String::new(), |bytes| format!("  {bytes} bytes"));
            let name = printable(&tensor.name);
            writeln!(out, "  {name:<48} {:<10} [{}]{bytes}", printable(&tensor.element), shape.join(", "))?;
        }
        rest(tensors.len(), most, out)?;
    }
    if !contents.operators.is_empty() {
        let title = if inside.format == "onnx" || inside.format == "saved-model" || inside.format == "tflite" {
            "operators"
        } else {
            "names that loading imports"
        };
        writeln!(out, "\n{} {title}", contents.operators.len())?;
        for (name, count) in contents.operators.iter().take(most) {
            writeln!(out, "  {:<48} {count}", printable(name))?;
        }
        rest(contents.operators.len(), most, out)?;
    }
    if !contents.metadata.is_empty() {
        writeln!(out, "\nmetadata (claimed)")?;
        for (key, text) in contents.metadata.iter().filter(|(_, text)| !text.is_empty()).take(most) {
            let text: String = text.chars().take(200).collect();
            writeln!(out, "  {:<32} {}", printable(key), printable(&text))?;
        }
        rest(contents.metadata.len(), most, out)?;
    }
    if !inside.findings.is_empty() {
        writeln!(out, "\nfindings (`bartizan scan` shows them with their proof)")?;
        for (message, rule, severity) in inside.findings.iter().take(most) {
            writeln!(out, "  {severity:<9} {rule}  {message}")?;
        }
    }
    if let Completeness::Partial(reason) | Completeness::Failed(reason) = &inside.completeness {
        writeln!(out, "\nnot all could be followed: {}", printable(reason))?;
    }
    Ok(())
}

fn rest(all: usize, shown: usize, out: &mut String) -> std::fmt::Result {
    match all.checked_sub(shown) {
        Some(more) if more > 0 => writeln!(out, "  … and {more} more (--all)"),
        _ => Ok(()),
    }
}
