//! Boosted trees in the formats of their own libraries: XGBoost's JSON and UBJSON, LightGBM's text, CatBoost's CBM.
//!
//! None of them holds code. Their readers are C++ that follows the counts and indices in the file, so these are
//! what is checked.

mod ubjson;

use bartizan_core::{Completeness, Component, ComponentKind, Finding, Link, Rule, Severity};
use bartizan_inspect::{Findings, Format, Inspect, Limits, Source};
use serde_json::Value;

/// Counts or indices of a tree lie.
pub const LYING_TREE: Rule = Rule {
    id: "BZ-TRE-001",
    title: "Boosted tree's counts and indices disagree",
    severity: Severity::Medium,
    explanation: "A tree states another number of nodes than its arrays have, or a child that does not exist. Readers of such \
        files follow these numbers in C++ and read or write memory that is not theirs.",
    remedy: "Do not load it; train or export the model again.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(129), Link::Cwe(1284)],
};

/// Every rule about boosted trees.
pub const RULES: &[&Rule] = &[&LYING_TREE];

/// Longer files are not read; models of thousands of trees stay below.
const LONGEST: u64 = 64 << 20;
/// Arrays of an XGBoost tree that have one entry for each node.
const PER_NODE: &[&str] =
    &["left_children", "right_children", "split_indices", "split_conditions", "base_weights", "parents"];

/// Checks boosted trees.
#[derive(Clone, Copy, Debug, Default)]
pub struct BoostedTrees;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Library {
    XgboostJson,
    XgboostUbjson,
    LightGbm,
    CatBoost,
}

fn library(source: &Source, format: Format) -> Option<Library> {
    let head = source.head(256);
    match format {
        Format::Text if head.starts_with(b"tree\nversion=v") || head.starts_with(b"tree\r\nversion=v") => {
            Some(Library::LightGbm)
        }
        Format::Text => {
            let dense: Vec<u8> = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(40).collect();
            let starts = [&b"{\"learner\":{"[..], b"{\"version\":[", b"{\"Config\":{", b"{\"Model\":{\"learner\""];
            let is_model = starts.iter().any(|start| dense.starts_with(start))
                && memchr::memmem::find(&source.head(4096), b"\"learner\"").is_some();
            is_model.then_some(Library::XgboostJson)
        }
        Format::Unknown if head.starts_with(b"CBM1") => Some(Library::CatBoost),
        Format::Unknown
            if head.starts_with(b"{L\0\0\0\0\0\0\0") && memchr::memmem::find(&head, b"learner").is_some() =>
        {
            Some(Library::XgboostUbjson)
        }
        _ => None,
    }
}

impl Inspect for BoostedTrees {
    fn name(&self) -> &'static str {
        "boosted-trees"
    }

    fn claims(&self, source: &Source, format: Format) -> bool {
        matches!(format, Format::Text | Format::Unknown) && library(source, format).is_some()
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let Some(library) = library(source, bartizan_inspect::recognise(source)) else { return Completeness::Complete };
        if source.length() > LONGEST {
            return Completeness::Partial(format!("boosted trees are read up to {LONGEST} bytes"));
        }
        let bytes = match source.read(0, usize::try_from(source.length()).unwrap_or(0)) {
            Ok(bytes) => bytes,
            Err(error) => return Completeness::Partial(format!("the trees can't be read: {error}")),
        };
        let read = match library {
            Library::XgboostJson => {
                serde_json::from_slice(&bytes).map_err(|error| error.to_string()).and_then(|model| xgboost(&model))
            }
            Library::XgboostUbjson => ubjson::parse(&bytes).and_then(|model| xgboost(&model)),
            Library::LightGbm => lightgbm(&String::from_utf8_lossy(&bytes)),
            Library::CatBoost => catboost(&bytes),
        };
        let (format, framework) = match library {
            Library::XgboostJson => ("xgboost-json", "xgboost"),
            Library::XgboostUbjson => ("xgboost-ubjson", "xgboost"),
            Library::LightGbm => ("lightgbm-text", "lightgbm"),
            Library::CatBoost => ("catboost-cbm", "catboost"),
        };
        let component = Component::new(ComponentKind::Model, source.name(), source.whole())
            .derived("format", format)
            .derived("framework", framework);
        match read {
            Ok(Trees { count, lies }) => {
                for (tree, lie) in lies {
                    let finding = Finding::new(&LYING_TREE, source.whole(), &format!("tree {tree}: {lie}"));
                    findings.push(finding);
                }
                findings.component(match count {
                    Some(count) => component.derived("trees", count.to_string()),
                    None => component,
                });
                Completeness::Complete
            }
            Err(reason) => {
                findings.component(component);
                Completeness::Partial(format!(
                    "the {framework} model can't be followed: {}",
                    bartizan_core::printable(&reason)
                ))
            }
        }
    }
}

/// How many trees there are, and what is wrong with which.
struct Trees {
    count: Option<usize>,
    lies: Vec<(usize, String)>,
}

fn xgboost(model: &Value) -> Result<Trees, String> {
    let learner = model.get("learner").or_else(|| model.pointer("/Model/learner")).ok_or("it has no learner")?;
    let booster = learner.get("gradient_booster").ok_or("it has no booster")?;
    let inner = booster.get("model").or_else(|| booster.pointer("/gbtree/model"));
    let Some(trees) = inner.and_then(|inner| inner.get("trees")).and_then(Value::as_array) else {
        // A linear booster has weights and no trees.
        return if inner.is_some_and(|inner| inner.get("weights").is_some()) {
            Ok(Trees { count: None, lies: Vec::new() })
        } else {
            Err("it has no trees".to_owned())
        };
    };
    let mut lies = Vec::new();
    for (number, tree) in trees.iter().enumerate() {
        if let Err(lie) = xgboost_tree(tree) {
            lies.push((number, lie));
        }
    }
    Ok(Trees { count: Some(trees.len()), lies })
}

fn xgboost_tree(tree: &Value) -> Result<(), String> {
    let stated = tree.pointer("/tree_param/num_nodes");
    let stated = stated.and_then(|number| number.as_u64().or_else(|| number.as_str()?.parse().ok()));
    let stated = stated.ok_or("it states no number of nodes")?;
    for name in PER_NODE {
        let Some(values) = tree.get(name).and_then(Value::as_array) else { continue };
        if values.len() as u64 != stated {
            return Err(format!("`{name}` has {} entries for {stated} nodes", values.len()));
        }
        let is_index = name.ends_with("children");
        let outside = |value: &&Value| {
            is_index && !value.as_i64().is_some_and(|child| child >= -1 && i128::from(child) < i128::from(stated))
        };
        if let Some(child) = values.iter().find(outside) {
            return Err(format!("`{name}` names node {child} of {stated}"));
        }
    }
    Ok(())
}

fn lightgbm(text: &str) -> Result<Trees, String> {
    let mut lies = Vec::new();
    let mut count = 0;
    let blocks = text.split("\nTree=").skip(1);
    for block in blocks {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        if let Err(lie) = lightgbm_tree(field) {
            lies.push((count, lie));
        }
        count += 1;
    }
    let ends = text.contains("\nend of trees");
    if ends {
        Ok(Trees { count: Some(count), lies })
    } else {
        Err("it is cut off before the end of its trees".to_owned())
    }
}

fn lightgbm_tree<'a>(field: impl Fn(&str) -> Option<&'a str>) -> Result<(), String> {
    let leaves: usize =
        field("num_leaves").and_then(|number| number.trim().parse().ok()).ok_or("it states no leaves")?;
    let splits = leaves.saturating_sub(1);
    for (name, expected) in [
        ("split_feature", splits),
        ("threshold", splits),
        ("left_child", splits),
        ("right_child", splits),
        ("leaf_value", leaves),
    ] {
        let values: Vec<&str> = field(name).unwrap_or_default().split_whitespace().collect();
        // A tree of one leaf writes no splits.
        if values.len() != expected && !(splits == 0 && values.is_empty()) {
            return Err(format!("`{name}` has {} entries for {leaves} leaves", values.len()));
        }
        if name.ends_with("child") {
            let outside = |value: &&&str| {
                let child = value.parse::<i64>().ok();
                !child.is_some_and(|child| i128::from(child) < splits as i128 && i128::from(child) >= -(leaves as i128))
            };
            if let Some(child) = values.iter().find(outside) {
                return Err(format!("`{name}` names node {}", bartizan_core::printable(child)));
            }
        }
    }
    Ok(())
}

/// Magic, length, then a FlatBuffers table, then data of categories.
fn catboost(bytes: &[u8]) -> Result<Trees, String> {
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let length = word(4).ok_or("it is cut off")?;
    let root = word(8).ok_or("it is cut off")?;
    let mut lies = Vec::new();
    if u64::from(length) + 8 > bytes.len() as u64 {
        lies.push((0, format!("{length} bytes are stated, {} are there", bytes.len().saturating_sub(8))));
    } else if root >= length {
        lies.push((0, format!("the description starts at byte {root} of {length}")));
    }
    Ok(Trees { count: None, lies })
}

/// Reads arbitrary bytes as each of the formats; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let source = Source::from_bytes("fuzz.ubj", bytes.to_vec(), Limits::default());
    let _ = BoostedTrees.inspect(&source, &mut Findings::new());
    let _ = ubjson::parse(bytes).and_then(|model| xgboost(&model));
    let _ = lightgbm(&String::from_utf8_lossy(bytes));
    let _ = catboost(bytes);
}
