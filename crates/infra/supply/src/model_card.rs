//! Model cards: what the maker of a model says of it, in the YAML that heads its `README.md` (Hugging Face's
//! model card metadata).
//!
//! Nobody checked any of it: it enters the inventory as claimed.

use bartizan_core::{Completeness, Component, ComponentKind};
use bartizan_inspect::{Area, Findings, Format, Inspect, Source};

use crate::yaml::{Node, parse};

/// Bytes of a card that are read; the metadata stand at its head.
const HEAD: usize = 64 << 10;
/// Entries of a list that are kept.
const ENTRIES: usize = 64;
/// Longest value that is kept.
const LONGEST: usize = 200;

/// Keys of the metadata, and how the inventory calls them.
const KEYS: &[(&str, &str)] = &[
    ("license", "licence"),
    ("license_name", "licence-name"),
    ("base_model", "base-model"),
    ("library_name", "library"),
    ("pipeline_tag", "task"),
    ("language", "language"),
    ("model_name", "model-name"),
];

/// What a card claims.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Card {
    /// Properties, under the inventory's names.
    pub claims: Vec<(&'static str, String)>,
    /// Names of the datasets that the model was trained on.
    pub datasets: Vec<String>,
}

impl Card {
    /// Reads the metadata at the head of a card; `None` where there are none about a model.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim_start_matches('\u{feff}');
        let rest = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n"))?;
        let end = rest.find("\n---")?;
        let metadata = parse(rest.get(..end)?).ok()?;
        let mut card = Self::default();
        for (key, name) in KEYS {
            let words = metadata.get(key).map(texts).unwrap_or_default();
            if !words.is_empty() {
                card.claims.push((name, words.join(", ").chars().take(LONGEST).collect()));
            }
        }
        card.datasets = metadata.get("datasets").map(texts).unwrap_or_default();
        let is_about_a_model = ["license", "base_model", "library_name", "pipeline_tag", "datasets", "model-index"];
        is_about_a_model.iter().any(|key| metadata.get(key).is_some()).then_some(card)
    }
}

/// A text, or the texts of a list.
fn texts(node: &Node) -> Vec<String> {
    let one = node.text().into_iter();
    let all = one.chain(node.items().iter().filter_map(Node::text));
    all.filter(|text| !text.is_empty() && text.len() <= LONGEST).take(ENTRIES).map(bartizan_core::printable).collect()
}

/// Lists the datasets that model cards name.
#[derive(Clone, Copy, Debug, Default)]
pub struct ModelCard;

impl Inspect for ModelCard {
    fn name(&self) -> &'static str {
        "model-card"
    }

    fn area(&self) -> Area {
        Area::Dependencies
    }

    fn claims(&self, source: &Source, format: Format) -> bool {
        format == Format::Text
            && matches!(source.file_name(), "README.md" | "MODEL_CARD.md" | "modelcard.md")
            && source.head(3) == b"---"
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let head = source.head(HEAD);
        for dataset in Card::read(&String::from_utf8_lossy(&head)).unwrap_or_default().datasets {
            findings.component(
                Component::new(ComponentKind::Dataset, &dataset, source.whole()).claimed("basis", "model card"),
            );
        }
        Completeness::Complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_card_is_read_and_its_text_is_not() {
        let text = "---\nlicense: apache-2.0\ndatasets:\n- squad\n- owner/own\nbase_model: google/bert\ntags: [x]\n---\n# Title\nlicense: no\n";
        let card = Card::read(text).unwrap_or_default();
        assert_eq!(card.claims, [("licence", "apache-2.0".to_owned()), ("base-model", "google/bert".to_owned())]);
        assert_eq!(card.datasets, ["squad", "owner/own"]);
    }

    #[test]
    fn other_documents_are_no_cards() {
        for text in ["# Title\n", "---\ntitle: A page\n---\n", "---\nlicense: mit\n", "---\n: [\n---\n", ""] {
            assert_eq!(Card::read(text), None, "{text}");
        }
    }
}
