//! `bartizan up`: guard an endpoint.

use std::io::Write as _;
use std::path::PathBuf;

use bartizan_serve::{Announcement, Exposed, ModelSource, Overrides, run as serve};
use clap::ValueEnum;

use crate::exit::Ended;
use crate::place::Place;

/// Guard an endpoint: a model of your own, a running server, or the small model that ships with Bartizan.
///
/// The first start makes `.bartizan/` with keys, an administrator (one-time password) and one client
/// key, each shown once. Without `--enforce`, guards and playbooks that can be wrong only record.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  bartizan up                                   guard the shipped digits model
  bartizan up model.onnx --enforce              guard your own model, and refuse and contain
  bartizan up --upstream http://127.0.0.1:8000  guard a server that speaks OpenAI or Open Inference Protocol
  kill -HUP PID                                 take bartizan.toml, policies and rules into use anew")]
pub(crate) struct Arguments {
    /// ONNX model to guard; MODEL.profile.json beside it gives range and reference inputs
    #[arg(value_name = "MODEL.onnx", conflicts_with = "upstream")]
    model: Option<PathBuf>,
    /// Running server to guard instead
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Let guards that can be wrong refuse, and playbooks contain
    #[arg(long)]
    enforce: bool,
    /// Address of the guarded endpoint [default: 127.0.0.1:8470]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Address of console and admin API [default: 127.0.0.1:8471]
    #[arg(long, value_name = "ADDRESS")]
    console: Option<String>,
    /// When a decision must be on disk [default: overlap]
    #[arg(long, value_enum)]
    durability: Option<Durability>,
    /// How to announce what is served
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, ValueEnum)]
enum Durability {
    /// Before the model sees the request
    Strict,
    /// Before the first byte of the answer
    Overlap,
    /// Within some milliseconds; answers do not wait
    Batched,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One line of JSON on stdout
    Json,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Ended> {
    let overrides = Overrides {
        listen: arguments.listen.clone(),
        console: arguments.console.clone(),
        enforce: arguments.enforce,
        durability: arguments.durability.map(|durability| match durability {
            Durability::Strict => bartizan_gateway::Durability::Strict,
            Durability::Overlap => bartizan_gateway::Durability::Overlap,
            Durability::Batched => bartizan_gateway::Durability::Batched,
        }),
        upstream: arguments.upstream.clone(),
    };
    let model = arguments.model.clone().map_or(ModelSource::Shipped, ModelSource::File);
    let format = arguments.format;
    let announce = |announcement: &Announcement| {
        let text = match format {
            Format::Text => text(announcement),
            Format::Json => json(announcement),
        };
        // Somebody who closed our stdout does not want to know.
        let _ = std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let config = arguments.place.config();
    runtime.block_on(serve(&arguments.place.state, config.as_deref(), overrides, &model, announce))?;
    Ok(Ended::Well)
}

fn text(a: &Announcement) -> String {
    let mut lines = Vec::new();
    if let (Some(password), Some(key)) = (&a.password, &a.key) {
        lines.push("First start. Both of these are shown once:".to_owned());
        lines.push(format!("  console log-in   admin / {}", password.expose()));
        lines.push(format!("  client API key   {}", key.expose()));
        lines.push(String::new());
    }
    let target = a.upstream.as_ref().map_or_else(|| format!("model `{}`, in process", a.model), Clone::clone);
    lines.push(format!("guarding   {target}"));
    lines.push(format!("endpoint   {}", a.endpoint()));
    lines.push(format!("console    http://{}", a.console));
    lines.push(format!("state      {}", a.state.display()));
    lines.push(match a.mode {
        bartizan_gateway::Mode::Shadow => {
            "mode       shadow: guards and playbooks that can be wrong record only; `--enforce` lets them act"
                .to_owned()
        }
        bartizan_gateway::Mode::Enforce => "mode       enforce: guards refuse and playbooks contain".to_owned(),
    });
    lines.push(match &a.anchor {
        Some(folder) => format!(
            "ledger     checkpoints are kept in {} on this machine; not anchored outside it (`bartizan audit verify --against`)",
            folder.display()
        ),
        None => "ledger     NOT ANCHORED: no place outside the state folder; set `ledger.anchor`".to_owned(),
    });
    if let Some(conflict) = &a.anchor_conflict {
        lines.push(format!(
            "WARNING    the ledger contradicts its anchor: {}. If you restored a backup, move that file away; if not, somebody changed the ledger",
            bartizan_core::printable(conflict)
        ));
    }
    lines.push("root key   file keys/ in the state folder, readable for you only".to_owned());
    match &a.exposed {
        Exposed::NotApplicable => {}
        Exposed::Open(address) => lines.push(format!(
            "WARNING    the upstream answers without a key at {address}: a way round this door. Bind it to loopback or close the port"
        )),
        Exposed::NotSeen(tried) if tried.is_empty() => lines.push("bypass     not tried: no address of the upstream but loopback is known".to_owned()),
        Exposed::NotSeen(tried) => {
            let tried = tried.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            lines.push(format!("bypass     none seen: no answer without a key at {tried}"));
        }
        Exposed::Unknown(why) => lines.push(format!("bypass     unknown: {}", bartizan_core::printable(why))),
    }
    for issuer in &a.issuers {
        lines.push(match (&issuer.failure, issuer.keys) {
            (_, 0) => format!(
                "WARNING    tokens of {} are refused until its keys are there: {}",
                issuer.name,
                issuer.failure.as_deref().unwrap_or("they are still being fetched")
            ),
            (_, keys) => format!("tokens     {}: {keys} keys held", issuer.name),
        });
    }
    lines.push(String::new());
    lines.push("Try it:".to_owned());
    lines.push(curl(a));
    lines.push(String::new());
    lines.join("\n")
}

/// A command that can be pasted and works.
fn curl(a: &Announcement) -> String {
    let key = a.key.as_ref().map_or("$BARTIZAN_KEY", |key| key.expose().as_str());
    match (&a.example, &a.upstream) {
        (Some((input, width)), None) => {
            let data = sample(&a.model, *width);
            format!(
                "  curl -s {}/v2/models/{}/infer -H \"authorization: Bearer {key}\" \\\n    -d '{{\"inputs\":[{{\"name\":\"{input}\",\"shape\":[1,{width}],\"datatype\":\"FP32\",\"data\":[{data}]}}]}}'",
                a.endpoint(),
                a.model
            )
        }
        (None, None) => {
            format!("  curl -s {}/v2/models/{} -H \"authorization: Bearer {key}\"", a.endpoint(), a.model)
        }
        (_, Some(_)) => format!("  curl -s {}/v1/models -H \"authorization: Bearer {key}\"", a.endpoint()),
    }
}

/// A seven for the shipped model, zeros for any other.
fn sample(model: &str, width: usize) -> String {
    const SEVEN: [u8; 64] = [
        0, 0, 7, 8, 13, 16, 15, 1, 0, 0, 7, 7, 4, 11, 12, 0, 0, 0, 0, 0, 8, 13, 1, 0, 0, 4, 8, 8, 15, 15, 6, 0, //
        0, 2, 11, 15, 15, 4, 0, 0, 0, 0, 0, 16, 5, 0, 0, 0, 0, 0, 9, 15, 1, 0, 0, 0, 0, 0, 13, 5, 0, 0, 0, 0,
    ];
    if model == "digits" && width == SEVEN.len() {
        SEVEN.map(|pixel| pixel.to_string()).join(",")
    } else {
        vec!["0"; width].join(",")
    }
}

fn json(a: &Announcement) -> String {
    let exposed = match &a.exposed {
        Exposed::NotApplicable => serde_json::json!({ "state": "not-applicable" }),
        Exposed::Open(address) => serde_json::json!({ "state": "open", "address": address }),
        Exposed::NotSeen(tried) => serde_json::json!({ "state": "not-seen", "tried": tried }),
        Exposed::Unknown(why) => serde_json::json!({ "state": "unknown", "reason": why }),
    };
    let issuers: Vec<_> = a
        .issuers
        .iter()
        .map(|issuer| serde_json::json!({ "name": issuer.name, "keys": issuer.keys, "failure": issuer.failure }))
        .collect();
    let line = serde_json::json!({
        "endpoint": a.endpoint(),
        "console": format!("http://{}", a.console),
        "model": a.model,
        "upstream": a.upstream,
        "mode": a.mode,
        "durability": a.durability,
        "anchor": a.anchor,
        "anchored_outside_this_machine": false,
        "anchor_conflict": a.anchor_conflict,
        "state": a.state,
        "password": a.password.as_ref().map(|password| password.expose().as_str()),
        "key": a.key.as_ref().map(|key| key.expose().as_str()),
        "exposed": exposed,
        "issuers": issuers,
    });
    format!("{line}\n")
}
