//! Principals that together look like one extractor.
//!
//! An attacker with ten keys (Douceur, "The Sybil attack", 2002) asks a tenth with each, too little to
//! be noticed by itself. What is pooled is the evidence, not the queries: of each principal the part
//! above ln(N) that one of N honest ones has by chance. Honest evidence x is above s with a chance of
//! at most e^-s, so that the sum of these parts is above t with a chance of at most e · e^(-t/2)
//! (Chernoff's bound), where principals are independent.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_core::Timestamp;

use crate::recent::Recent;
use crate::settings::Settings;
use crate::window::Window;

/// Members that are remembered; the one not suspicious for longest is forgotten.
const MEMBERS: usize = 128;
/// Seconds after which a member's evidence is old.
const OLD: f64 = 86_400.0;
/// Looks at a pool in a day that are independent of one another.
const LOOKS: f64 = 100.0;
/// Fewest principals among which one is the most suspicious by chance.
const FEWEST: usize = 16;
/// Evidence above chance, in nats, from which on a principal is named with others.
const NAMED: f64 = 2.0;
/// Likeness is looked at once in so many suspicious rows: it costs as much as all else together.
const SELDOM: u32 = 8;

/// What brings principals together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bond {
    /// They come from one place, network or program.
    Origin,
    /// Their suspicious queries are alike.
    Likeness,
}

/// Principals that had a suspicious query, with the time of the last.
pub(crate) struct Pool {
    bond: Bond,
    members: BTreeMap<String, Timestamp>,
    told: Option<Timestamp>,
    /// Those who were named.
    named: BTreeSet<String>,
    looks: u32,
}

/// A pool that is over its bound.
pub(crate) struct Together {
    /// Names of windows.
    pub(crate) members: Vec<String>,
    pub(crate) evidence: f64,
    pub(crate) bound: f64,
}

impl Pool {
    pub(crate) const fn new(bond: Bond) -> Self {
        Self { bond, members: BTreeMap::new(), told: None, named: BTreeSet::new(), looks: 0 }
    }

    /// Takes in a suspicious query of the window of that name.
    pub(crate) fn observe(
        &mut self,
        name: &str,
        now: Timestamp,
        windows: &Recent<Window>,
        settings: &Settings,
    ) -> Option<Together> {
        self.note(name, now);
        let cooldown = f64::from(settings.cooldown_seconds);
        // One who joins a pool is news at once.
        if self.named.contains(name) && self.told.is_some_and(|told| now.seconds_since(told) < cooldown) {
            return None;
        }
        let chance = (windows.len().max(FEWEST) as f64).ln();
        let bound = bound(settings);
        let fewest = if self.bond == Bond::Origin { 2 } else { 3 };
        // No member counts for more than its part: one extractor and an unlucky client are no pool.
        let part = |window: &Window| match window.evidence.value() - chance {
            part if part < NAMED => 0.0,
            part => part.min(bound / fewest as f64),
        };
        let own = windows.get(name).filter(|window| part(window) > 0.0)?;
        let fresh = self.members.iter().filter(|(_, last)| now.seconds_since(**last) < OLD);
        let suspects = fresh.filter_map(|(name, _)| Some((name, windows.get(name)?)));
        let mut suspects: Vec<(&String, &Window)> = suspects.filter(|(_, window)| part(window) > 0.0).collect();
        let sum = |suspects: &[(&String, &Window)]| suspects.iter().map(|(_, window)| part(window)).sum::<f64>();
        if suspects.len() < fewest || sum(&suspects) < bound {
            return None;
        }
        if self.bond == Bond::Likeness {
            self.looks = self.looks.wrapping_add(1);
            if self.looks % SELDOM != 1 {
                return None;
            }
            suspects.retain(|(_, window)| window.is_like(own));
        }
        let evidence = sum(&suspects);
        if suspects.len() < fewest || evidence < bound {
            return None;
        }
        self.told = Some(now);
        let members: Vec<String> = suspects.into_iter().map(|(name, _)| name.clone()).collect();
        self.named = members.iter().cloned().collect();
        Some(Together { members, evidence, bound })
    }

    fn note(&mut self, name: &str, now: Timestamp) {
        if let Some(last) = self.members.get_mut(name) {
            *last = now;
            return;
        }
        if self.members.len() >= MEMBERS
            && let Some(oldest) = self.members.iter().min_by_key(|(_, last)| **last).map(|(name, _)| name.clone())
        {
            self.members.remove(&oldest);
        }
        self.members.insert(name.to_owned(), now);
    }
}

/// From which sum on a pool is told of.
fn bound(settings: &Settings) -> f64 {
    2.0 * ((LOOKS / settings.false_alarms()).ln() + 1.0)
}
