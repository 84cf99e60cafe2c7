//! What Python projects declare: pyproject.toml and setup.cfg.

use toml::{Table, Value};

use super::cargo::unreadable;
use super::dependency::{Dependency, Index, Manifest, Origin, Scope, Unreadable, is_commit};
use super::keys::KeyLines;
use super::requirements::requirement;
use crate::ecosystem::Ecosystem;

/// Reads pyproject.toml: PEP 621, dependency groups (PEP 735), and the tables of poetry, uv and PDM.
pub(super) fn pyproject(text: &str) -> Result<Manifest, Unreadable> {
    let document: Table = toml::from_str(text).map_err(|error| unreadable(text, &error))?;
    let mut reading = Reading { lines: KeyLines::of(text), manifest: Manifest::default() };
    let root = Value::Table(document);
    let at = |path: &[&str]| path.iter().try_fold(&root, |value, key| value.get(key));
    reading.requirements(at(&["project", "dependencies"]), Scope::Runtime);
    reading.requirements(at(&["build-system", "requires"]), Scope::Development);
    for (path, scope) in [
        (&["project", "optional-dependencies"][..], Scope::Optional),
        (&["dependency-groups"][..], Scope::Development),
        (&["tool", "pdm", "dev-dependencies"][..], Scope::Development),
    ] {
        for (_, list) in at(path).and_then(Value::as_table).into_iter().flatten() {
            reading.requirements(Some(list), scope);
        }
    }
    reading.requirements(at(&["tool", "uv", "dev-dependencies"]), Scope::Development);
    reading.poetry(at(&["tool", "poetry", "dependencies"]), Scope::Runtime);
    reading.poetry(at(&["tool", "poetry", "dev-dependencies"]), Scope::Development);
    for (_, group) in at(&["tool", "poetry", "group"]).and_then(Value::as_table).into_iter().flatten() {
        reading.poetry(group.get("dependencies"), Scope::Development);
    }
    for (name, source) in at(&["tool", "uv", "sources"]).and_then(Value::as_table).into_iter().flatten() {
        reading.source(name, source);
    }
    for path in [["tool", "uv", "index"], ["tool", "poetry", "source"], ["tool", "pdm", "source"]] {
        for index in at(&path).and_then(Value::as_array).into_iter().flatten() {
            reading.index(index);
        }
    }
    for url in at(&["tool", "uv", "extra-index-url"]).and_then(Value::as_array).into_iter().flatten() {
        let url = url.as_str().unwrap_or_default();
        let index = Index { url: url.to_owned(), line: reading.lines.line(url), is_extra: true, is_explicit: false };
        reading.manifest.indexes.push(index);
    }
    Ok(reading.manifest)
}

struct Reading<'a> {
    lines: KeyLines<'a>,
    manifest: Manifest,
}

impl Reading<'_> {
    fn requirements(&mut self, list: Option<&Value>, scope: Scope) {
        for text in list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            let line = self.lines.line(text);
            match requirement(line, text) {
                Some(mut dependency) => {
                    dependency.scope = scope;
                    self.manifest.dependencies.push(dependency);
                }
                None => {
                    let shown: String = bartizan_core::printable(text).chars().take(80).collect();
                    self.manifest.partly(format!("line {line}: `{shown}` is no requirement"));
                }
            }
        }
    }

    fn poetry(&mut self, table: Option<&Value>, scope: Scope) {
        for (name, value) in table.and_then(Value::as_table).into_iter().flatten() {
            if name == "python" {
                continue;
            }
            let mut dependency = Dependency::new(Ecosystem::PyPi, name, self.lines.line(name));
            dependency.scope = scope;
            let specifier = value.as_str().or_else(|| value.get("version").and_then(Value::as_str)).unwrap_or_default();
            // Poetry's bare version is exact.
            let is_bare =
                specifier.starts_with(|c: char| c.is_ascii_digit()) && !specifier.contains([',', '*', '|', ' ']);
            let version = if is_bare { Some(specifier) } else { super::requirements::exact(specifier) };
            dependency.version = version.map(str::to_owned);
            specifier.clone_into(&mut dependency.specifier);
            dependency.origin = origin(value);
            self.manifest.dependencies.push(dependency);
        }
    }

    /// uv keeps the place of a dependency in a table of its own.
    fn source(&mut self, name: &str, source: &Value) {
        let place = origin(source);
        if place == Origin::Registry {
            return;
        }
        let wanted = Ecosystem::PyPi.canonical(name);
        for dependency in &mut self.manifest.dependencies {
            if Ecosystem::PyPi.canonical(&dependency.name) == wanted {
                dependency.origin = place.clone();
            }
        }
    }

    fn index(&mut self, index: &Value) {
        let text = |key: &str| index.get(key).and_then(Value::as_str).unwrap_or_default();
        let is = |key: &str| index.get(key).and_then(Value::as_bool).unwrap_or_default();
        let url = text("url");
        let is_extra = !is("default") && text("priority") != "primary" && text("priority") != "default";
        let is_explicit = is("explicit") || text("priority") == "explicit";
        let line = self.lines.line(url);
        self.manifest.indexes.push(Index { url: url.to_owned(), line, is_extra, is_explicit });
    }
}

fn origin(value: &Value) -> Origin {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    match (text("git"), text("url"), text("path"), value.get("workspace")) {
        (Some(url), ..) => Origin::Git { url: url.to_owned(), is_fixed: text("rev").is_some_and(is_commit) },
        (None, Some(url), ..) => Origin::parse(url),
        (None, None, Some(_), _) | (None, None, None, Some(_)) => Origin::Local,
        (None, None, None, None) => Origin::Registry,
    }
}

/// Reads setup.cfg: the lists of setuptools.
pub(super) fn setup_cfg(text: &str) -> Manifest {
    let mut manifest = Manifest::default();
    let (mut section, mut key) = ("", "");
    for (number, line) in (1..).zip(text.lines()) {
        let content = line.split(" #").next().unwrap_or_default().trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        let is_continued = line.starts_with(char::is_whitespace);
        if let (false, Some(name)) = (is_continued, content.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))) {
            (section, key) = (name, "");
            continue;
        }
        let value = if is_continued {
            content
        } else {
            let Some((name, value)) = content.split_once('=') else { continue };
            key = name.trim();
            value.trim()
        };
        let scope = match (section, key) {
            ("options", "install_requires") => Scope::Runtime,
            ("options", "setup_requires" | "tests_require") => Scope::Development,
            ("options.extras_require", _) => Scope::Optional,
            _ => continue,
        };
        if value.is_empty() {
            continue;
        }
        match requirement(number, value) {
            Some(mut dependency) => {
                dependency.scope = scope;
                manifest.dependencies.push(dependency);
            }
            None => manifest.partly(format!("line {number}: not a requirement that is understood")),
        }
    }
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(manifest: &Manifest) -> Vec<(String, Option<String>, u64, &'static str)> {
        let row = |one: &Dependency| (one.name.clone(), one.version.clone(), one.line, one.scope.as_str());
        manifest.dependencies.iter().map(row).collect()
    }

    #[test]
    fn every_table_of_a_project_is_read() {
        let manifest = pyproject(
            "[project]\ndependencies = [\n  \"torch>=2\",\n  \"numpy==1.26.0; python_version > '3'\",\n]\n\
             [project.optional-dependencies]\ndev = [\"black\"]\n[tool.poetry.dependencies]\npython = \"^3\"\nrequests = \"2.31.0\"\n\
             mine = { git = \"https://example.org/mine.git\", branch = \"main\" }\n[[tool.uv.index]]\nname = \"x\"\nurl = \
             \"https://packages.example.org/simple\"\n",
        )
        .unwrap();
        assert_eq!(
            summary(&manifest),
            [
                ("torch".to_owned(), None, 3, "runtime"),
                ("numpy".to_owned(), Some("1.26.0".to_owned()), 4, "runtime"),
                ("black".to_owned(), None, 7, "optional"),
                ("mine".to_owned(), None, 11, "runtime"),
                ("requests".to_owned(), Some("2.31.0".to_owned()), 10, "runtime"),
            ]
        );
        let [index] = manifest.indexes.as_slice() else { panic!("{manifest:?}") };
        assert!(index.is_extra && !index.is_explicit && index.line == 14, "{index:?}");
        assert_eq!(pyproject("[project\n").unwrap_err().line, Some(1));
    }

    #[test]
    fn lists_of_setuptools_are_read() {
        let manifest = setup_cfg(
            "[metadata]\nname = x\n[options]\ninstall_requires =\n    torch>=2\n    numpy==1.26.0 # why\n[options.extras_require]\ndev = black\n",
        );
        assert_eq!(
            summary(&manifest),
            [
                ("torch".to_owned(), None, 5, "runtime"),
                ("numpy".to_owned(), Some("1.26.0".to_owned()), 6, "runtime"),
                ("black".to_owned(), None, 8, "optional"),
            ]
        );
    }
}
