//! `bartizan model convert`.

use std::path::PathBuf;

use bartizan_core::printable;
use bartizan_engine::model::{Conversion, ModelError, convert};
use clap::ValueEnum;
use serde_json::json;

use crate::exit::Ended;

/// Write the weights of a PyTorch file as safetensors, without running anything of it
///
/// Only the constructors of tensors, dictionaries and lists are interpreted; a file that names anything else is refused,
/// and nothing is written. The tensors are those that `torch.load` would give, bit for bit. Nested dictionaries
/// become dotted names; values that are no tensors are left out and named.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  bartizan model convert pytorch_model.bin --to safetensors
  bartizan model convert checkpoint.pt --to safetensors --key state_dict --output model.safetensors

Exit code: 0 converted, 1 refused (the file would run something, or is damaged), 3 wrong usage.")]
pub(super) struct Arguments {
    /// A file of torch.save: PyTorch 1.6 and later, or before
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The format to write
    #[arg(long, value_enum)]
    to: Target,

    /// The file to write [default: FILE with the extension of the format]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Take only what lies below this key of a checkpoint
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    /// Replace the output if it exists
    #[arg(long)]
    force: bool,

    /// How to say what was done
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    Safetensors,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Ended> {
    let Target::Safetensors = arguments.to;
    let output = arguments.output.clone().unwrap_or_else(|| arguments.file.with_extension("safetensors"));
    let conversion =
        Conversion { input: &arguments.file, output: &output, key: arguments.key.as_deref(), replace: arguments.force };
    let done = match convert(&conversion) {
        Ok(done) => done,
        Err(refusal @ ModelError::Weights { .. }) => {
            eprintln!("refused: {refusal}");
            return Ok(Ended::Refused);
        }
        Err(error) => return Err(error.into()),
    };
    match arguments.format {
        Format::Json => println!(
            "{:#}",
            json!({
                "output": output.to_string_lossy(),
                "tensors": done.written.tensors,
                "bytes": done.written.bytes,
                "inputSha256": done.input.hex(),
                "outputSha256": done.output.hex(),
                "leftOut": done.left_out,
            })
        ),
        Format::Table => {
            let name = printable(&output.to_string_lossy());
            println!("{name}: {} tensors, {} bytes, {}", done.written.tensors, done.written.bytes, done.output);
            if !done.left_out.is_empty() {
                let shown: Vec<&str> = done.left_out.iter().take(10).map(String::as_str).collect();
                let more = if done.left_out.len() > shown.len() { ", …" } else { "" };
                println!("left out, no tensors: {}{more}", shown.join(", "));
            }
        }
    }
    Ok(Ended::Well)
}
