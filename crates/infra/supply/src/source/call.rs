//! A call as the checks see it.

use super::value::Value;

/// A call whose function and arguments were evaluated as far as that goes.
pub(super) struct Call {
    /// The full name of what is called; empty where it is not known.
    pub(super) path: String,
    /// Positional arguments.
    pub(super) arguments: Vec<Value>,
    /// Keyword arguments.
    pub(super) keywords: Vec<(String, Value)>,
    /// Whether `**something` may add keywords that are not seen.
    pub(super) is_open: bool,
    /// Whether the first argument is a list or tuple, and its elements.
    pub(super) command: Option<Vec<Value>>,
}

impl Call {
    /// The name for people.
    pub(super) fn shown(&self) -> &str {
        if self.path.is_empty() { "a call" } else { &self.path }
    }

    /// The last part of the name.
    pub(super) fn method(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }

    /// All but the last part of the name.
    pub(super) fn receiver(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(receiver, _)| receiver)
    }

    /// The library that the name starts with.
    pub(super) fn library(&self) -> &str {
        self.path.split('.').next().unwrap_or_default()
    }

    /// The keyword argument of that name.
    pub(super) fn keyword(&self, name: &str) -> Option<&Value> {
        self.keywords.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// An argument by position or by name.
    pub(super) fn argument(&self, position: usize, name: &str) -> Option<&Value> {
        self.keyword(name).or_else(|| self.arguments.get(position))
    }
}
