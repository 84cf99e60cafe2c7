//! Python objects that a state dictionary is made of.

use std::collections::HashMap;

use super::{Element, TensorView};

/// An object, by its place in the [`Heap`].
pub(super) type Id = usize;

/// Most objects of one file; a state dictionary has about ten for each tensor.
const MOST: usize = 8 << 20;

/// A callable or constant that may be named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Known {
    OrderedDict,
    RebuildTensor,
    RebuildTensorV2,
    RebuildTensorV3,
    RebuildParameter,
    RebuildFromType,
    /// `torch.Tensor`, `torch.nn.Parameter`: classes that only say what a tensor is to be.
    TensorClass,
    Storage(Element),
    UntypedStorage,
    Size,
    /// Makes a value that holds no tensor: `torch.device`, NumPy scalars and their types.
    Inert,
}

/// What an object is.
#[derive(Clone, Debug)]
pub(super) enum Object {
    None,
    Bool(bool),
    Integer(i64),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Dict),
    Known(Known),
    Element(Element),
    Storage {
        key: String,
        element: Option<Element>,
        capacity: u64,
        view: u64,
    },
    Tensor(TensorView),
    /// A value that holds no tensor and that nothing here looks into.
    Inert,
}

/// Keys in the order in which they came, the last value of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Dict {
    entries: Vec<(Id, Id)>,
    places: HashMap<Key, usize>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Key {
    Text(String),
    Integer(i64),
}

impl Dict {
    pub(super) fn entries(&self) -> &[(Id, Id)] {
        &self.entries
    }
}

/// All objects of a file. They name one another by number, so that cycles cost nothing.
#[derive(Default)]
pub(super) struct Heap {
    objects: Vec<Object>,
}

impl Heap {
    pub(super) fn add(&mut self, object: Object) -> Result<Id, String> {
        if self.objects.len() >= MOST {
            return Err("it makes too many objects".to_owned());
        }
        self.objects.push(object);
        Ok(self.objects.len() - 1)
    }

    pub(super) fn get(&self, id: Id) -> &Object {
        self.objects.get(id).unwrap_or(&Object::Inert)
    }

    pub(super) fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter()
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Object::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn number(&self, id: Id) -> Option<u64> {
        match self.get(id) {
            Object::Integer(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// Elements of a tuple or list.
    pub(super) fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Object::Tuple(items) | Object::List(items) => Some(items),
            _ => None,
        }
    }

    /// A tuple of sizes.
    pub(super) fn sizes(&self, id: Id) -> Option<Vec<u64>> {
        self.sequence(id)?.iter().map(|item| self.number(*item)).collect()
    }

    pub(super) fn append(&mut self, list: Id, item: Id) -> Result<(), String> {
        match self.objects.get_mut(list) {
            Some(Object::List(items)) => items.push(item),
            Some(Object::Inert) => {}
            _ => return Err("something is appended to what is no list".to_owned()),
        }
        Ok(())
    }

    pub(super) fn set(&mut self, dict: Id, key: Id, value: Id) -> Result<(), String> {
        let name = match self.get(key) {
            Object::Text(text) => Some(Key::Text(text.clone())),
            Object::Integer(number) => Some(Key::Integer(*number)),
            Object::Bool(truth) => Some(Key::Integer(i64::from(*truth))),
            _ => None,
        };
        match self.objects.get_mut(dict) {
            Some(Object::Dict(dict)) => {
                let known = name.as_ref().and_then(|name| dict.places.get(name)).copied();
                if let Some(entry) = known.and_then(|place| dict.entries.get_mut(place)) {
                    entry.1 = value;
                } else {
                    if let Some(name) = name {
                        dict.places.insert(name, dict.entries.len());
                    }
                    dict.entries.push((key, value));
                }
                Ok(())
            }
            Some(Object::Inert) => Ok(()),
            _ => Err("a key is set on what is no dictionary".to_owned()),
        }
    }
}
