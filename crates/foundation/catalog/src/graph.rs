//! From an advisory to the models that it reaches.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bartizan_core::{Component, ComponentKind, Digest, Severity};
use serde::Serialize;

use crate::Snapshot;

/// Packages that load a model of a framework, or of a format where no framework is known. The first ones are the
/// frameworks themselves; all are names on PyPI.
const LOADERS: &[(&str, &[&str])] = &[
    ("torch", &["torch"]),
    ("tensorflow", &["tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tf-keras", "tflite-runtime"]),
    ("keras", &["keras", "tensorflow", "tensorflow-cpu", "tf-keras"]),
    ("scikit-learn", &["scikit-learn"]),
    ("sklearn", &["scikit-learn"]),
    ("xgboost", &["xgboost", "xgboost-cpu"]),
    ("lightgbm", &["lightgbm"]),
    ("catboost", &["catboost"]),
    ("joblib", &["joblib"]),
    ("numpy", &["numpy"]),
    ("pandas", &["pandas"]),
    ("onnx", &["onnxruntime", "onnxruntime-gpu", "onnx"]),
    ("safetensors", &["safetensors"]),
    ("gguf", &["llama-cpp-python", "ctransformers", "gguf"]),
    ("pytorch-zip", &["torch"]),
    ("hdf5", &["h5py", "keras", "tensorflow"]),
    ("saved-model", &["tensorflow", "tensorflow-cpu", "tensorflow-gpu"]),
    ("tflite", &["tflite-runtime", "tensorflow"]),
    ("npy", &["numpy"]),
];

/// A model that an advisory reaches.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Hit {
    /// The model, by its path.
    pub model: String,
    /// SHA-256 of its bytes, where they were read.
    pub digest: Option<Digest>,
    /// The way: what the model is loaded with, what that requires, the affected package.
    pub through: Vec<String>,
}

/// An affected package of a project, and its models that it reaches.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Affected {
    /// The project.
    pub project: String,
    /// The name that was asked for.
    pub advisory: String,
    /// Other names of the same weakness.
    pub aliases: Vec<String>,
    /// How bad.
    pub severity: Severity,
    /// The package's purl.
    pub package: String,
    /// Where it is fixed to that version.
    pub path: String,
    /// The smallest versions that clear it.
    pub fixed: Vec<String>,
    /// Models that are loaded with it.
    pub models: Vec<Hit>,
}

/// What the advisories of these names (or aliases, in any case) hit in the project.
pub fn affected(snapshot: &Snapshot, advisories: &[String]) -> Vec<Affected> {
    let graph = Graph::of(&snapshot.components);
    let mut all = Vec::new();
    for weakness in &snapshot.weaknesses {
        let asked =
            advisories.iter().find(|asked| weakness.advisories.iter().any(|known| known.eq_ignore_ascii_case(asked)));
        let (Some(asked), Some(package)) = (asked, &weakness.package) else { continue };
        all.push(Affected {
            project: snapshot.project.clone(),
            advisory: asked.clone(),
            aliases: weakness.advisories.iter().filter(|known| !known.eq_ignore_ascii_case(asked)).cloned().collect(),
            severity: weakness.severity,
            package: package.clone(),
            path: weakness.path.clone(),
            fixed: weakness.fixed.clone(),
            models: graph.models_through(package),
        });
    }
    all.sort_by(|a, b| {
        (&a.project, &a.package, &a.path, &a.advisory).cmp(&(&b.project, &b.package, &b.path, &b.advisory))
    });
    all.dedup();
    all
}

struct Graph<'a> {
    models: Vec<&'a Component>,
    /// Packages by purl, with what they require.
    packages: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// Purls by name.
    named: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Graph<'a> {
    fn of(components: &'a [Component]) -> Self {
        let mut graph = Self { models: Vec::new(), packages: BTreeMap::new(), named: BTreeMap::new() };
        for part in components {
            match (part.kind, part.purl.as_deref()) {
                (ComponentKind::Model, _) => graph.models.push(part),
                (ComponentKind::Library, Some(purl)) => {
                    graph.packages.entry(purl).or_default().extend(part.requires.iter().map(String::as_str));
                    graph.named.entry(&part.name).or_default().insert(purl);
                }
                _ => {}
            }
        }
        graph
    }

    /// Models whose loader is the package, or requires it by however many steps.
    fn models_through(&self, package: &str) -> Vec<Hit> {
        let mut hits = Vec::new();
        for model in &self.models {
            if let Some(through) = loaders(model).find_map(|loader| self.way(loader, package)) {
                hits.push(Hit { model: model.name.clone(), digest: model.digest, through });
            }
        }
        hits.sort_by(|a, b| a.model.cmp(&b.model));
        hits.dedup();
        hits
    }

    /// The shortest way from the package of that name to the one of that purl.
    fn way(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let starts = self.named.get(from)?;
        let mut before: BTreeMap<&str, Option<&str>> = starts.iter().map(|purl| (*purl, None)).collect();
        let mut waiting: VecDeque<&str> = starts.iter().copied().collect();
        while let Some(at) = waiting.pop_front() {
            if at == to {
                let mut way = vec![at.to_owned()];
                let mut here = at;
                while let Some(Some(earlier)) = before.get(here) {
                    way.push((*earlier).to_owned());
                    here = earlier;
                }
                way.reverse();
                return Some(way);
            }
            for required in self.packages.get(at).into_iter().flatten() {
                for purl in self.purls_of(required) {
                    before.entry(purl).or_insert_with(|| {
                        waiting.push_back(purl);
                        Some(at)
                    });
                }
            }
        }
        None
    }

    /// A requirement is written as a purl where its version is known, and as a name otherwise.
    fn purls_of(&self, required: &'a str) -> Vec<&'a str> {
        match self.packages.get_key_value(required) {
            Some((purl, _)) => vec![purl],
            None => self.named.get(required).into_iter().flatten().copied().collect(),
        }
    }
}

/// Names of packages that load the model, by its framework first and its format otherwise.
fn loaders(model: &Component) -> impl Iterator<Item = &'static str> {
    let of = |key: &str| model.properties.get(key).map(|property| property.value.as_str());
    let row =
        |word: Option<&str>| LOADERS.iter().find(|(known, _)| Some(*known) == word).map(|(_, packages)| *packages);
    row(of("framework")).or_else(|| row(of("format"))).unwrap_or_default().iter().copied()
}
