//! The parts of HDF5 that say what a file holds: groups, attributes, shapes (HDF5 File Format
//! Specification 3.0).
//!
//! Superblocks 0 to 3, object headers 1 and 2, symbol tables and compact links, and attributes that
//! are text. Tensor data are never read. What is stored densely (in fractal heaps, which h5py writes
//! only when it is asked to) is not followed, and that is said.

mod header;
mod heap;
mod layout;

use std::collections::BTreeSet;

use bartizan_inspect::Source;

use header::{Message, messages};
use layout::{Layout, number};

/// Objects that are visited in one file.
const OBJECTS: usize = 100_000;
/// Groups within groups.
const DEPTH: u32 = 64;

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Attributes that are text: path of the object, name, value.
    pub(crate) attributes: Vec<Attribute>,
    /// Arrays.
    pub(crate) arrays: Vec<Array>,
    /// Where something lies in another file: path, and what is said of the other.
    pub(crate) external: Vec<(String, String)>,
    /// What was not followed.
    pub(crate) gaps: BTreeSet<String>,
}

/// An attribute that is text.
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) object: String,
    pub(crate) name: String,
    pub(crate) value: Vec<u8>,
    pub(crate) offset: u64,
}

/// An array as its header describes it.
#[derive(Debug)]
pub(crate) struct Array {
    pub(crate) path: String,
    pub(crate) dtype: String,
    pub(crate) shape: Vec<u64>,
}

/// Reads what the file at `source` holds; an error says why nothing can be said.
pub(crate) fn contents(source: &Source) -> Result<Contents, String> {
    let (layout, root) = superblock(source)?;
    let mut contents = Contents::default();
    let mut visited = BTreeSet::new();
    let mut pending = vec![(root, "/".to_owned(), 0)];
    while let Some((address, path, depth)) = pending.pop() {
        if !visited.insert(address) {
            continue;
        }
        if visited.len() > OBJECTS || depth > DEPTH {
            contents.gaps.insert("too many objects".to_owned());
            break;
        }
        source.budget().operate(64).map_err(|exhausted| exhausted.to_string())?;
        let found = match messages(source, layout, address) {
            Ok(found) => found,
            Err(reason) => {
                contents.gaps.insert(reason);
                continue;
            }
        };
        let mut shape = None;
        let mut dtype = None;
        for message in found {
            match message {
                Message::Child(name, child) => pending.push((child, join(&path, &name), depth + 1)),
                Message::External(name, target) => contents.external.push((join(&path, &name), target)),
                Message::Attribute { name, value, offset } => {
                    contents.attributes.push(Attribute { object: path.clone(), name, value, offset });
                }
                Message::Shape(sides) => shape = Some(sides),
                Message::Type(name) => dtype = Some(name),
                Message::Gap(reason) => {
                    contents.gaps.insert(reason);
                }
            }
        }
        if let (Some(shape), Some(dtype)) = (shape, dtype) {
            contents.arrays.push(Array { path, dtype, shape });
        }
    }
    contents.arrays.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(contents)
}

fn join(path: &str, name: &str) -> String {
    if path == "/" { format!("/{name}") } else { format!("{path}/{name}") }
}

/// Layout and address of the root group's header (specification, section II.A).
fn superblock(source: &Source) -> Result<(Layout, u64), String> {
    let head = source.head(128);
    let byte = |at: usize| head.get(at).copied().ok_or_else(|| "the HDF5 file is cut off".to_owned());
    let version = byte(8)?;
    let (sizes, addresses) = match version {
        0 => (13, 24),
        1 => (13, 28),
        2 | 3 => (9, 12),
        _ => return Err(format!("HDF5 superblock version {version} is not known")),
    };
    let (offset, length) = (usize::from(byte(sizes)?), usize::from(byte(sizes + 1)?));
    if !matches!(offset, 2 | 4 | 8) || !matches!(length, 2 | 4 | 8) {
        return Err("HDF5 addresses have an impossible width".to_owned());
    }
    let address = |index: usize| {
        let start = addresses + index * offset;
        head.get(start..start + offset).map(number).ok_or_else(|| "the HDF5 file is cut off".to_owned())
    };
    let layout = Layout { base: address(0)?, offset, length };
    // Before version 2 a symbol table entry follows four addresses: its second address is the header.
    let root = if version < 2 { address(5)? } else { address(3)? };
    Ok((layout, root))
}
