//! What lists, sets, dictionaries and tuples hold, as far as a call that is given them must know.
//!
//! A function that iterates over a list calls methods of what lies in it. Containers within containers are
//! merged (union-find), because any of them may still grow: whatever reaches one may be reached through all.

use super::value::Value;

/// Most containers that are followed; later ones may hold anything.
const MOST: u32 = 1 << 23;
/// A tuple that holds a restricted value whatever its containers do.
const HOLDS: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    /// Another container of the same group; 0 at the root.
    parent: u32,
    /// At the root: something in the group holds a restricted value.
    holds: bool,
    /// The container itself has a restricted value as an element.
    directly: bool,
    /// A key of the dictionary is computed while loading.
    computed: bool,
}

/// Containers by number.
#[derive(Debug, Default)]
pub(super) struct Containers {
    nodes: Vec<Node>,
    /// By number of a tuple: 0, [`HOLDS`], or a container in it.
    tuples: Vec<u32>,
}

impl Containers {
    /// Takes note that `container` holds `value`, which is restricted or not.
    pub(super) fn put(&mut self, container: u32, value: Value, is_restricted: bool) {
        if is_restricted {
            self.mark(container);
            if let Some(node) = self.node(container) {
                node.directly = true;
            }
        }
        match self.reached(value) {
            0 => {}
            HOLDS => self.mark(container),
            other => self.join(container, other),
        }
    }

    /// Takes note of a tuple's entries, each with whether it is restricted.
    pub(super) fn tuple(&mut self, tuple: Value, entries: &[(Value, bool)]) {
        let Value::Tuple(index) = tuple else { return };
        let mut first = 0;
        for (entry, is_restricted) in entries {
            match self.reached(*entry) {
                _ if *is_restricted => first = HOLDS,
                0 => {}
                HOLDS => first = HOLDS,
                other if first == 0 => first = other,
                other if first != HOLDS => self.join(first, other),
                _ => {}
            }
        }
        if first != 0 {
            let place = index as usize;
            if self.tuples.len() <= place {
                self.tuples.resize(place + 1, 0);
            }
            if let Some(reached) = self.tuples.get_mut(place) {
                *reached = first;
            }
        }
    }

    /// Takes note that a key of the dictionary can't be read.
    pub(super) fn compute_key(&mut self, dictionary: u32) {
        if let Some(node) = self.node(dictionary) {
            node.computed = true;
        }
    }

    /// Whether a key of the dictionary can't be read.
    pub(super) fn has_computed_key(&self, dictionary: u32) -> bool {
        dictionary >= MOST || self.nodes.get(dictionary as usize).is_some_and(|node| node.computed)
    }

    /// Whether a restricted value can be reached through a container or tuple.
    pub(super) fn holds(&mut self, value: Value) -> bool {
        match self.reached(value) {
            0 => false,
            HOLDS | MOST.. => true,
            number => {
                let root = self.root(number);
                self.nodes.get(root as usize).is_some_and(|node| node.holds)
            }
        }
    }

    /// Whether a restricted value is an element of the container itself.
    pub(super) fn holds_directly(&self, value: Value) -> bool {
        let (Value::List(number) | Value::Dict(number)) = value else { return false };
        number >= MOST || self.nodes.get(number as usize).is_some_and(|node| node.directly)
    }

    fn reached(&self, value: Value) -> u32 {
        match value {
            Value::List(number) | Value::Dict(number) => number,
            Value::Tuple(index) => self.tuples.get(index as usize).copied().unwrap_or_default(),
            _ => 0,
        }
    }

    fn mark(&mut self, container: u32) {
        let root = self.root(container);
        if let Some(node) = self.node(root) {
            node.holds = true;
        }
    }

    fn join(&mut self, one: u32, other: u32) {
        // Joined with what isn't followed: anything may come to lie there.
        if one >= MOST || other >= MOST {
            self.mark(one);
            self.mark(other);
            return;
        }
        let (one, other) = (self.root(one), self.root(other));
        if one == other {
            return;
        }
        let held = self.nodes.get(other as usize).is_some_and(|node| node.holds);
        if let Some(node) = self.node(other) {
            node.parent = one;
        }
        if let Some(node) = self.node(one) {
            node.holds |= held;
        }
    }

    fn root(&mut self, mut number: u32) -> u32 {
        loop {
            let parent = self.parent(number);
            if parent == 0 {
                return number;
            }
            let grandparent = self.parent(parent);
            if grandparent != 0
                && let Some(node) = self.nodes.get_mut(number as usize)
            {
                node.parent = grandparent;
            }
            number = parent;
        }
    }

    fn parent(&self, number: u32) -> u32 {
        self.nodes.get(number as usize).map_or(0, |node| node.parent)
    }

    fn node(&mut self, number: u32) -> Option<&mut Node> {
        if number >= MOST {
            return None;
        }
        let place = number as usize;
        if self.nodes.len() <= place {
            self.nodes.resize(place + 1, Node::default());
        }
        self.nodes.get_mut(place)
    }
}
