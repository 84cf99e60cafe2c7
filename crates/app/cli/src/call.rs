//! One call to the admin API from a verb.

use bartizan_serve::AdminClient;
use serde_json::Value;

use crate::exit::Ended;
use crate::place::Place;

/// Methods that verbs use.
pub(crate) use hyper::Method;

/// How a verb prints what it got.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For machines
    Json,
}

/// Calls the admin API of the daemon, or of the state folder when no daemon runs.
pub(crate) fn call(place: &Place, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let client = AdminClient::connect(&place.state, place.config().as_deref()).await?;
        Ok(client.call(method, path, body).await?)
    })
}

/// Calls, and takes a refusal as an answer: exit code 1 and the reason on stderr.
pub(crate) fn change(
    place: &Place,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Result<Value, Ended>> {
    match call(place, method, path, body) {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) => match error.downcast_ref::<bartizan_serve::ClientError>() {
            Some(bartizan_serve::ClientError::Refused { message, .. }) => {
                eprintln!("refused: {message}");
                Ok(Err(Ended::Refused))
            }
            _ => Err(error),
        },
    }
}

/// Rows with aligned columns. Text from outside is escaped.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| bartizan_core::printable(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(headings.get(column).map(|heading| heading.len())).max().unwrap_or_default()
    };
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> =
            cells.enumerate().map(|(column, cell)| format!("{cell:<width$}", width = width(column))).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    let mut text = line(&mut headings.iter().copied());
    for row in &rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

/// A field as text: strings as they are, lists joined, nothing as `-`.
pub(crate) fn cell(row: &Value, key: &str) -> String {
    match row.get(key) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let words: Vec<String> =
                items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), ToOwned::to_owned)).collect();
            words.join("+")
        }
        Some(other) => other.to_string(),
    }
}

/// The rows of a list answer.
pub(crate) fn rows<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Prints data.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
