//! Jupyter notebooks (nbformat 4, and 3 with its worksheets): code cells as one program, shell cells, and outputs
//! that hold scripts.

use serde_json::Value as Json;

use super::checks::Verdict;
use super::commands::judge;
use super::program::Program;
use super::rules::ACTIVE_OUTPUT;
use crate::shell;

/// What a notebook holds.
pub(super) struct Read {
    /// The code cells; `None` where the kernel's language is another.
    pub(super) program: Option<Program>,
    /// What shell cells do, by line of the file.
    pub(super) scripts: Vec<(u64, Verdict)>,
    /// What outputs hold, by line of the file.
    pub(super) outputs: Vec<(u64, Verdict)>,
}

/// Reads the notebook's JSON.
pub(super) fn read(text: &str) -> Result<Read, String> {
    let notebook: Json = serde_json::from_str(text).map_err(|error| format!("it is no notebook: {error}"))?;
    let cells = cells(&notebook).ok_or("it is no notebook: it has no list of cells")?;
    let language = ["/metadata/language_info/name", "/metadata/kernelspec/language"];
    let language = language.iter().find_map(|pointer| notebook.pointer(pointer)?.as_str());
    let is_python = language.is_none_or(|language| language.to_ascii_lowercase().contains("python"));
    let mut place = Place { text, offset: 0, line: 1 };
    let (mut program, mut lines) = (String::new(), Vec::new());
    let (mut scripts, mut outputs) = (Vec::new(), Vec::new());
    for (number, cell) in cells.into_iter().enumerate() {
        if cell.get("cell_type").and_then(Json::as_str) != Some("code") {
            continue;
        }
        let source = cell.get("source").or_else(|| cell.get("input")).map(joined).unwrap_or_default();
        match source.lines().next().and_then(|first| first.trim_start().strip_prefix("%%")) {
            Some(magic) if is_shell(magic) => {
                let line = place.of(source.lines().next().unwrap_or_default());
                let script = source.split_once('\n').map_or("", |(_, script)| script);
                scripts.extend(judge(&shell::commands(script)).into_iter().map(|verdict| (line, verdict)));
            }
            // `%%time` and the like run Python; `%%html`, `%%writefile` and the like do not.
            Some(magic) if !runs_python(magic) => {}
            _ if is_python => {
                for line in source.lines() {
                    lines.push((place.of(line), number + 1));
                    // A cell magic is no Python, what stands under it is.
                    program.push_str(if line.trim_start().starts_with("%%") { "" } else { line });
                    program.push('\n');
                }
            }
            _ => {}
        }
        let results = cell.get("outputs").and_then(Json::as_array);
        for html in results.into_iter().flatten().flat_map(active_parts) {
            let line = place.of(html.lines().next().unwrap_or_default());
            outputs.push((
                line,
                Verdict::new(&ACTIVE_OUTPUT, format!("an output of cell {} loads a script from elsewhere", number + 1)),
            ));
        }
    }
    let program = is_python.then(|| Program::cells(program, lines));
    Ok(Read { program, scripts, outputs })
}

fn cells(notebook: &Json) -> Option<Vec<&Json>> {
    if let Some(cells) = notebook.get("cells").and_then(Json::as_array) {
        return Some(cells.iter().collect());
    }
    let sheets = notebook.get("worksheets").and_then(Json::as_array)?;
    Some(sheets.iter().filter_map(|sheet| sheet.get("cells")?.as_array()).flatten().collect())
}

/// Text as one string or as a list of lines.
fn joined(source: &Json) -> String {
    match source {
        Json::String(text) => text.clone(),
        Json::Array(lines) => lines.iter().filter_map(Json::as_str).collect(),
        _ => String::new(),
    }
}

fn is_shell(magic: &str) -> bool {
    matches!(
        magic.split_whitespace().next(),
        Some("bash" | "sh" | "script" | "system" | "sx" | "!" | "cmd" | "powershell")
    )
}

fn runs_python(magic: &str) -> bool {
    matches!(
        magic.split_whitespace().next(),
        Some("time" | "timeit" | "capture" | "prun" | "memit" | "mprun" | "python" | "python3" | "pypy" | "debug")
    )
}

/// HTML and JavaScript of an output that reach for another host.
fn active_parts(output: &Json) -> Vec<String> {
    let Some(data) = output.get("data").and_then(Json::as_object) else { return Vec::new() };
    let parts = data.iter().filter_map(|(kind, content)| {
        let content = joined(content);
        let lower = content.to_ascii_lowercase();
        let active = match kind.as_str() {
            "text/html" | "image/svg+xml" => {
                lower.contains("<script")
                    && lower.contains("src=")
                    && (lower.contains("src=\"http")
                        || lower.contains("src='http")
                        || lower.contains("src=http")
                        || lower.contains("src=\"//"))
                    || lower.contains("onerror=")
                    || lower.contains("onload=")
                    || lower.contains("href=\"javascript:")
            }
            "application/javascript" => {
                lower.contains("fetch(")
                    || lower.contains("xmlhttprequest")
                    || lower.contains("ipython.notebook.kernel")
                    || lower.contains(".execute(")
            }
            _ => false,
        };
        active.then_some(content)
    });
    parts.collect()
}

/// Finds lines of cells again in the notebook's JSON, in their order.
struct Place<'a> {
    text: &'a str,
    offset: usize,
    line: u64,
}

impl Place<'_> {
    /// The line of the file on which the text stands; that of the text before where it is spelled otherwise.
    fn of(&mut self, line: &str) -> u64 {
        let quoted = serde_json::to_string(line).unwrap_or_default();
        let inner = quoted.get(1..quoted.len().saturating_sub(1)).filter(|inner| !inner.is_empty());
        let rest = self.text.as_bytes().get(self.offset..).unwrap_or_default();
        if let Some(at) = inner.and_then(|inner| memchr::memmem::find(rest, inner.as_bytes())) {
            let passed = rest.get(..at).unwrap_or_default();
            self.line += memchr::memchr_iter(b'\n', passed).count() as u64;
            self.offset += at;
        }
        self.line
    }
}
