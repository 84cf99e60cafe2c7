//! Upstreams and aliases as they are in force: who is asked for a model, and in which order.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Instant;

use crate::proxy::ProxyError;
use crate::routing::budget::RetryBudget;
use crate::routing::settings::RoutingSettings;
use crate::routing::upstream::{Upstream, UpstreamStanding, UpstreamWithKey};

/// What requests are routed by.
pub(crate) struct Table {
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    pub(crate) settings: RoutingSettings,
    pub(crate) retries: RetryBudget,
}

impl Table {
    /// Upstreams whose settings did not change are those of `old`, with their connections and what is known of them.
    pub(crate) fn new(
        upstreams: &[UpstreamWithKey],
        settings: RoutingSettings,
        old: Option<&Self>,
    ) -> Result<Self, ProxyError> {
        let old = old.filter(|old| {
            let figures = |settings: &RoutingSettings| (settings.failures, settings.open_seconds);
            figures(&old.settings) == figures(&settings)
        });
        let kept = |upstream: &UpstreamWithKey| {
            let same = |old: &&Arc<Upstream>| {
                old.settings == upstream.settings && old.proxy.has_credential(upstream.key.as_ref())
            };
            old.and_then(|old| old.upstreams.iter().find(same).cloned())
        };
        let upstreams = upstreams
            .iter()
            .map(|upstream| kept(upstream).map_or_else(|| Upstream::new(upstream, &settings).map(Arc::new), Ok))
            .collect::<Result<_, _>>()?;
        Ok(Self { upstreams, retries: RetryBudget::new(settings.retry_percent), settings })
    }

    /// The model that `name` stands for.
    pub(crate) fn resolve<'a>(&'a self, name: &'a str) -> &'a str {
        self.settings.aliases.get(name).map_or(name, String::as_str)
    }

    /// Whether the configuration says which models there are, so that no upstream has to be asked.
    pub(crate) fn names_models(&self) -> bool {
        !self.model_names().is_empty()
    }

    /// Aliases, and models that upstreams serve by their whole name; in order.
    pub(crate) fn model_names(&self) -> std::collections::BTreeSet<&str> {
        let served = self.upstreams.iter().filter(|upstream| upstream.settings.shadow_percent == 0);
        let served = served.flat_map(|upstream| &upstream.settings.models).filter(|model| !model.ends_with('*'));
        self.settings.aliases.keys().chain(served).map(String::as_str).collect()
    }

    /// Those that serve `model`, in the order in which they are asked: by priority, then at random by weight, where
    /// the same `seed` gives the same order (weighted rendezvous hashing; Schindelhauer and Schomaker, 2005).
    pub(crate) fn candidates(&self, model: &str, seed: &str) -> Vec<&Arc<Upstream>> {
        let serving = |upstream: &&Arc<Upstream>| upstream.settings.shadow_percent == 0 && upstream.serves(model);
        let mut found: Vec<_> = self.upstreams.iter().filter(serving).collect();
        if found.len() > 1 {
            found.sort_by_cached_key(|upstream| {
                let score = -chance(seed, &upstream.settings.name).ln() / f64::from(upstream.settings.weight.max(1));
                // Scores are positive, so their bits are in their order.
                (upstream.settings.priority, score.to_bits())
            });
        }
        found
    }

    /// Shadows that are sent a copy.
    pub(crate) fn shadows<'a>(&'a self, model: &'a str, seed: &'a str) -> impl Iterator<Item = &'a Arc<Upstream>> {
        self.upstreams.iter().filter(move |upstream| {
            let percent = upstream.settings.shadow_percent;
            percent > 0 && upstream.serves(model) && chance(seed, &upstream.settings.name) * 100.0 <= f64::from(percent)
        })
    }

    /// How the upstreams stand.
    pub(crate) fn standings(&self) -> Vec<UpstreamStanding> {
        let now = Instant::now();
        self.upstreams.iter().map(|upstream| upstream.standing(now)).collect()
    }
}

/// A number above 0 and at most 1 that follows from two words, evenly spread.
fn chance(seed: &str, name: &str) -> f64 {
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    name.hash(&mut hasher);
    ((hasher.finish() >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::settings::UpstreamSettings;

    fn table(upstreams: &[(&str, u32, u32, &str)]) -> Table {
        let upstreams: Vec<_> = upstreams
            .iter()
            .map(|(name, weight, priority, model)| UpstreamWithKey {
                settings: UpstreamSettings {
                    name: (*name).to_owned(),
                    url: "http://127.0.0.1:9".to_owned(),
                    weight: *weight,
                    priority: *priority,
                    models: vec![(*model).to_owned()],
                    ..UpstreamSettings::default()
                },
                key: None,
            })
            .collect();
        Table::new(&upstreams, RoutingSettings::default(), None).unwrap()
    }

    fn first(table: &Table, model: &str, seed: &str) -> String {
        table.candidates(model, seed).first().map(|upstream| upstream.settings.name.clone()).unwrap_or_default()
    }

    #[test]
    fn shares_follow_the_weights_and_priorities_come_first() {
        let table =
            table(&[("stable", 90, 0, "*"), ("canary", 10, 0, "*"), ("spare", 1000, 1, "*"), ("other", 9, 0, "b*")]);
        let canary = (0..10_000).filter(|seed| first(&table, "a", &seed.to_string()) == "canary").count();
        assert!((850..1150).contains(&canary), "{canary}");
        let order: Vec<_> = table.candidates("a", "x").iter().map(|upstream| upstream.settings.name.as_str()).collect();
        assert_eq!((order.len(), order.last()), (3, Some(&"spare")));
        assert_eq!(first(&table, "a", "x"), first(&table, "a", "x"));
        assert_eq!(table.candidates("bert", "x").len(), 4);
    }

    #[test]
    fn a_change_of_one_weight_moves_only_the_share_that_changed() {
        let (before, after) =
            (table(&[("a", 50, 0, "*"), ("b", 50, 0, "*")]), table(&[("a", 50, 0, "*"), ("b", 60, 0, "*")]));
        let moved: Vec<_> = (0..10_000)
            .map(|seed: u32| (first(&before, "m", &seed.to_string()), first(&after, "m", &seed.to_string())))
            .filter(|(before, after)| before != after)
            .collect();
        assert!(moved.len() < 700 && moved.iter().all(|(before, _)| before == "a"), "{}", moved.len());
    }

    #[test]
    fn models_are_served_by_name_or_beginning() {
        let table = table(&[("a", 1, 0, "llama-*"), ("b", 1, 0, "gpt")]);
        assert_eq!(first(&table, "llama-3", "s"), "a");
        assert_eq!(first(&table, "gpt", "s"), "b");
        assert!(table.candidates("gpt-4", "s").is_empty());
    }
}
