//! What is known of a Python expression without running it: by which names it was reached, which constant it
//! is, and from where its content comes.

use std::sync::Arc;

/// From where content can come that somebody else decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// The network.
    Download,
    /// A language model.
    Model,
    /// The model that calls a function offered as a tool.
    ToolArgument,
}

/// The call or parameter by which such content entered.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) what: Arc<str>,
    pub(super) offset: u32,
}

/// For each [`Source`] the first entry, where there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins([Option<Entry>; 3]);

impl Origins {
    pub(super) fn of(source: Source, what: &str, offset: u32) -> Self {
        let mut origins = Self::default();
        if let Some(slot) = origins.0.get_mut(source as usize) {
            *slot = Some(Entry { what: Arc::from(what), offset });
        }
        origins
    }

    pub(super) fn get(&self, source: Source) -> Option<&Entry> {
        self.0.get(source as usize)?.as_ref()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    pub(super) fn join(&mut self, other: &Self) {
        for (own, theirs) in self.0.iter_mut().zip(&other.0) {
            if own.is_none() {
                own.clone_from(theirs);
            }
        }
    }
}

/// A constant that checks ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Constant {
    Text(Arc<str>),
    Bool(bool),
    None,
}

/// What is known of an expression.
#[derive(Clone, Debug, Default)]
pub(super) struct Value {
    /// The full name: `torch.load`, `openai.OpenAI().chat.completions.create`.
    pub(super) path: Option<Arc<str>>,
    pub(super) constant: Option<Constant>,
    pub(super) origins: Origins,
    /// The name of the file that an open file writes to or reads from.
    pub(super) file: Option<Arc<str>>,
}

/// Names longer than this are not followed.
const LONGEST_PATH: usize = 160;

impl Value {
    pub(super) fn named(path: &str) -> Self {
        let path = (path.len() <= LONGEST_PATH).then(|| Arc::from(path));
        Self { path, ..Self::default() }
    }

    pub(super) fn text(text: &str) -> Self {
        Self { constant: Some(Constant::Text(Arc::from(text))), ..Self::default() }
    }

    pub(super) fn from(origins: Origins) -> Self {
        Self { origins, ..Self::default() }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.constant {
            Some(Constant::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn is(&self, truth: bool) -> bool {
        self.constant == Some(Constant::Bool(truth))
    }

    /// Both possibilities: what they share stays known, their origins add up.
    pub(super) fn or(mut self, other: &Self) -> Self {
        self.origins.join(&other.origins);
        if self.path.is_none() {
            self.path.clone_from(&other.path);
        }
        if self.constant != other.constant {
            self.constant = None;
        }
        if self.file.is_none() {
            self.file.clone_from(&other.file);
        }
        self
    }

    /// What a file is called, for finding it again: its name as a constant, or the variable that holds it.
    pub(super) fn file_key(&self) -> Option<Arc<str>> {
        match &self.constant {
            Some(Constant::Text(text)) => Some(Arc::from(format!("={text}"))),
            _ => self.path.clone(),
        }
    }
}
