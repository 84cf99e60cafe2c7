//! What model cards claim, given to the models that lie beside them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bartizan_core::{Component, ComponentKind};
use bartizan_inspect::{Limits, Source};
use bartizan_supply::model_card::Card;

use super::walk::Met;

/// Names of cards, the first that is there counts.
const NAMES: [&str; 3] = ["README.md", "MODEL_CARD.md", "modelcard.md"];
/// Bytes of a card that are read.
const HEAD: usize = 64 << 10;

/// Adds to each model what the card in its folder claims; what follows from bytes is never replaced.
pub(super) fn claim(components: Vec<Component>, met: &[Met]) -> Vec<Component> {
    if !components.iter().any(|part| part.kind == ComponentKind::Model) {
        return components;
    }
    let paths: BTreeMap<&str, &Path> = met
        .iter()
        .filter(|file| file.obstacle.is_none())
        .map(|file| (file.name.as_str(), file.path.as_path()))
        .collect();
    let mut cards: BTreeMap<String, Option<Card>> = BTreeMap::new();
    let claimed = components.into_iter().map(|part| {
        if part.kind != ComponentKind::Model {
            return part;
        }
        let file = part.location.path.split('!').next().unwrap_or_default();
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let card = cards.entry(folder).or_insert_with_key(|folder| card(folder, &paths));
        let claims = card.iter().flat_map(|card| &card.claims);
        let part = claims.fold(part, |part, (name, value)| part.claimed(name, value.clone()));
        match card.as_ref().filter(|card| !card.datasets.is_empty()) {
            Some(card) => part.claimed("datasets", card.datasets.join(", ")),
            None => part,
        }
    });
    claimed.collect()
}

fn card(folder: &str, paths: &BTreeMap<&str, &Path>) -> Option<Card> {
    let path: PathBuf = NAMES.iter().find_map(|name| {
        let name = if folder.is_empty() { (*name).to_owned() } else { format!("{folder}/{name}") };
        paths.get(name.as_str()).map(|path| path.to_path_buf())
    })?;
    let source = Source::open("card", &path, Limits::default()).ok()?;
    Card::read(&String::from_utf8_lossy(&source.head(HEAD)))
}
