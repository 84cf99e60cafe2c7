//! PyTorch's two containers: the ZIP of 1.6 and later, and the stream before it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use bartizan_inspect::zip::ZipArchive;
use bartizan_inspect::{Findings, Format, Inspect as _, Source, recognise};

use super::interpreter::interpret;
use super::object::{Heap, Id, Object};
use super::{Element, TensorView, WeightsError};

/// Containers within containers.
const DEEPEST: usize = 64;
/// Longest name of a tensor.
const LONGEST_NAME: usize = 4096;

/// The tensors of a file by their dotted names, and where their bytes are.
pub struct Weights {
    pub(super) tensors: BTreeMap<String, TensorView>,
    pub(super) storages: BTreeMap<String, Source>,
    /// Values beside the tensors, by name.
    pub(super) others: BTreeSet<String>,
    pub(super) length: u64,
}

impl Weights {
    /// Reads the file's description; the tensors' bytes are not looked at.
    pub fn read(source: &Source) -> Result<Self, WeightsError> {
        match recognise(source) {
            Format::Zip => Self::archive(source),
            Format::Pickle => Self::stream(source),
            format => Err(WeightsError::Unreadable(format!("it is {format}, not a file of torch.save"))),
        }
    }

    /// The tensors that one pickle describes, whose bytes lie elsewhere.
    pub fn described_by(source: &Source) -> Result<Self, WeightsError> {
        let mut heap = Heap::default();
        let root = interpret(source, 0, &mut heap)?.value;
        Self::collect(&heap, root, BTreeMap::new(), source.length())
    }

    fn archive(source: &Source) -> Result<Self, WeightsError> {
        let members = RefCell::new(Vec::new());
        let visitor = |member: Source| members.borrow_mut().push(member);
        let mut findings = Findings::visiting(&visitor);
        let completeness = ZipArchive.inspect(source, &mut findings);
        if let Some(finding) = findings.as_slice().first() {
            let what = format!("{}: {}: loaders would not agree on its content", finding.rule.id, finding.message);
            return Err(WeightsError::Unreadable(what));
        }
        if !completeness.is_complete() {
            return Err(WeightsError::Unreadable("the ZIP archive can't be read as a whole".to_owned()));
        }
        let members = members.into_inner();
        let mut pickles = members.iter().filter(|member| member.file_name() == "data.pkl");
        let (Some(pickle), None) = (pickles.next(), pickles.next()) else {
            return Err(WeightsError::Unreadable("it holds no data.pkl, or several".to_owned()));
        };
        let prefix = pickle.member().strip_suffix("data.pkl").unwrap_or_default().to_owned();
        if members.iter().any(|member| member.member() == format!("{prefix}constants.pkl")) {
            return Err(WeightsError::Unsupported(
                "it is a TorchScript program, whose weights are attributes of its own classes; save `model.state_dict()` instead".to_owned(),
            ));
        }
        let order = members.iter().find(|member| member.member() == format!("{prefix}byteorder"));
        if order.is_some_and(|order| order.head(16) != b"little") {
            return Err(WeightsError::Unsupported("its byte order is not little-endian".to_owned()));
        }
        let mut heap = Heap::default();
        let ended = interpret(pickle, 0, &mut heap)?;
        let folder = format!("{prefix}data/");
        let storages = members.iter().filter_map(|member| {
            let key = member.member().strip_prefix(&folder)?;
            Some((key.to_owned(), member.clone()))
        });
        Self::collect(&heap, ended.value, storages.collect(), source.length())
    }

    /// Magic number, protocol, system, object, keys of storages; then for each its length and bytes.
    fn stream(source: &Source) -> Result<Self, WeightsError> {
        let damaged = |what: &str| WeightsError::Unreadable(what.to_owned());
        let mut heap = Heap::default();
        let mut offset = 0;
        let mut parts = Vec::new();
        for _ in 0..5 {
            let ended = interpret(source, offset, &mut heap)?;
            offset = ended.end;
            parts.push(ended.value);
        }
        let [_, protocol, system, root, keys] = parts.as_slice() else { return Err(damaged("it ends too early")) };
        if heap.number(*protocol) != Some(1001) {
            return Err(damaged("it is no file of torch.save before 1.6"));
        }
        if let Object::Dict(system) = heap.get(*system) {
            let big = system.entries().iter().any(|(key, value)| {
                heap.text(*key) == Some("little_endian") && matches!(heap.get(*value), Object::Bool(false))
            });
            if big {
                return Err(WeightsError::Unsupported("its byte order is not little-endian".to_owned()));
            }
        }
        let elements = elements_of_storages(&heap);
        let mut storages = BTreeMap::new();
        for key in heap.sequence(*keys).ok_or_else(|| damaged("it has no list of storages"))? {
            let key = heap.text(*key).ok_or_else(|| damaged("a storage has no name"))?;
            let length = source.read(offset, 8).map_err(|error| damaged(&error.to_string()))?;
            let count = length.try_into().map_or(0, u64::from_le_bytes);
            let element = elements.get(key).ok_or_else(|| damaged("a storage belongs to nothing"))?;
            let bytes = count.checked_mul(element.width()).ok_or_else(|| damaged("a storage is too long"))?;
            offset += 8;
            if source.length().saturating_sub(offset) < bytes {
                return Err(damaged("a storage is cut off"));
            }
            storages.insert(key.to_owned(), source.slice(key, offset, bytes));
            offset += bytes;
        }
        if offset != source.length() {
            return Err(damaged("bytes follow the last storage"));
        }
        Self::collect(&heap, *root, storages, source.length())
    }

    fn collect(heap: &Heap, root: Id, storages: BTreeMap<String, Source>, length: u64) -> Result<Self, WeightsError> {
        let mut weights = Self { tensors: BTreeMap::new(), storages, others: BTreeSet::new(), length };
        weights.walk(heap, root, "", 0)?;
        if weights.tensors.is_empty() {
            return Err(WeightsError::Empty("it holds no tensor".to_owned()));
        }
        Ok(weights)
    }

    fn walk(&mut self, heap: &Heap, id: Id, name: &str, depth: usize) -> Result<(), WeightsError> {
        if depth > DEEPEST || name.len() > LONGEST_NAME {
            return Err(WeightsError::Unsupported(
                "its dictionaries are nested too deep, or hold themselves".to_owned(),
            ));
        }
        let below = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
        match heap.get(id) {
            Object::Tensor(tensor) => {
                let name = if name.is_empty() { "tensor" } else { name };
                if self.tensors.insert(name.to_owned(), tensor.clone()).is_some() {
                    let what = format!("two tensors would be called `{}`", bartizan_core::printable(name));
                    return Err(WeightsError::Unsupported(what));
                }
            }
            Object::Dict(dict) => {
                for (key, value) in dict.entries() {
                    let part = match heap.get(*key) {
                        Object::Text(text) => text.clone(),
                        Object::Integer(number) => number.to_string(),
                        _ => {
                            return Err(WeightsError::Unsupported(
                                "a key of a dictionary is neither text nor number".to_owned(),
                            ));
                        }
                    };
                    self.walk(heap, *value, &below(&part), depth + 1)?;
                }
            }
            Object::List(items) | Object::Tuple(items) => {
                let is_sizes = items.iter().all(|item| !holds_more(heap.get(*item)));
                if is_sizes {
                    self.other(name);
                    return Ok(());
                }
                for (index, item) in items.iter().enumerate() {
                    self.walk(heap, *item, &below(&index.to_string()), depth + 1)?;
                }
            }
            Object::Storage { .. } => {
                return Err(WeightsError::Unsupported(format!(
                    "`{}` is a storage without a tensor",
                    bartizan_core::printable(name)
                )));
            }
            _ => self.other(name),
        }
        Ok(())
    }

    fn other(&mut self, name: &str) {
        if self.others.len() < 1000 {
            self.others.insert(bartizan_core::printable(name));
        }
    }

    /// The same weights, only those below `key`, whose names lose it.
    pub fn below(mut self, key: &str) -> Result<Self, WeightsError> {
        let prefix = format!("{key}.");
        let known: BTreeSet<&str> =
            self.tensors.keys().filter_map(|name| name.split_once('.')).map(|(first, _)| first).collect();
        let known = known.into_iter().take(20).collect::<Vec<_>>().join(", ");
        let tensors = self
            .tensors
            .iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?.to_owned(), tensor.clone())));
        let tensors: BTreeMap<_, _> = tensors.collect();
        if tensors.is_empty() {
            let what = format!(
                "no tensor lies below `{}`; there is: {}",
                bartizan_core::printable(key),
                bartizan_core::printable(&known)
            );
            return Err(WeightsError::Empty(what));
        }
        self.tensors = tensors;
        Ok(self)
    }

    /// The tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, TensorView> {
        &self.tensors
    }

    /// Names of values that are no tensors: step counters, options.
    pub fn others(&self) -> &BTreeSet<String> {
        &self.others
    }
}

/// Whether tensors can lie in such an object.
fn holds_more(object: &Object) -> bool {
    matches!(object, Object::Tensor(_) | Object::Dict(_) | Object::List(_) | Object::Tuple(_) | Object::Storage { .. })
}

/// What the elements of each storage are, by its key.
fn elements_of_storages(heap: &Heap) -> BTreeMap<String, Element> {
    let storages = heap.objects().filter_map(|object| match object {
        Object::Storage { key, element: Some(element), .. } => Some((key.clone(), *element)),
        _ => None,
    });
    storages.collect()
}
