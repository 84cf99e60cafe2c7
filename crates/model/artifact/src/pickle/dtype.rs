//! NumPy dtypes as pickles make them: a name, and a state that says how large elements are and whether they hold objects.
//!
//! `arraydescr_setstate` (`numpy/_core/src/multiarray/descriptor.c`) believes the state. One that lies has NumPy take
//! bytes of the file for pointers, or write beside an array.

use super::value::{Plain, Store, Value};

/// `NPY_ITEM_HASOBJECT` and `NPY_LIST_PICKLE`: elements are objects, and arrays of them are pickled as lists.
const OBJECTS: i32 = 0b11;
/// Those and `NPY_ITEM_IS_POINTER`.
const POINTERS: i32 = 0b111;

/// What one element is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Layout {
    /// Bytes.
    pub(super) size: u64,
    /// Whether it is an object or holds one.
    pub(super) holds_objects: bool,
}

/// What is wrong with a state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Doubt {
    /// No pickler writes it, and NumPy believes it.
    Lie(&'static str),
    /// What NumPy makes of it is not known.
    Unclear,
}

/// A field of a structure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) dtype: Value,
    pub(super) offset: Option<Value>,
}

/// One dtype.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dtype {
    kind: Option<char>,
    named: Option<Layout>,
    /// What its elements are, where that is known.
    pub(super) layout: Option<Layout>,
    /// Whether it was given state.
    pub(super) is_built: bool,
    /// Whether an array or a structure is made of it.
    pub(super) is_used: bool,
}

impl Dtype {
    /// What `numpy.dtype(name)` gives.
    pub(super) fn named(name: Value, store: &Store) -> Self {
        let (kind, named) = match name {
            // `numpy.record`, of which structures are made.
            Value::Import(_) => (Some('V'), None),
            _ => store.as_text(name).and_then(parse).map_or((None, None), |(kind, layout)| (Some(kind), Some(layout))),
        };
        // A structure is nothing before it has fields.
        let layout = named.filter(|_| kind != Some('V'));
        Self { kind, named, layout, is_built: false, is_used: false }
    }

    /// The layout that `state` gives it. `fields` are the fields that a dictionary lists, where all are known, and
    /// `layout` what is known of another dtype.
    pub(super) fn built(
        self,
        state: Value,
        store: &Store,
        fields: &dyn Fn(Value) -> Option<Vec<Field>>,
        layout: &dyn Fn(Value) -> Option<Layout>,
    ) -> Result<Layout, Doubt> {
        // (version, byte order, subarray, names, fields, size, alignment, flags), and metadata from version 4 on.
        let entries = store.as_whole_tuple(state).ok_or(Doubt::Unclear)?;
        let [_, _, subarray, names, listed, size, alignment, flags, metadata @ ..] = entries else {
            return Err(Doubt::Unclear);
        };
        let (Value::Integer(size), Value::Integer(alignment), Value::Integer(flags)) = (*size, *alignment, *flags)
        else {
            return Err(Doubt::Unclear);
        };
        let kind = self.kind.filter(|_| metadata.len() < 2).ok_or(Doubt::Unclear)?;
        let none = Value::Plain(Plain::None);
        let is_whole = [*subarray, *names, *listed].iter().all(|entry| *entry == none);
        let agrees = |named: Layout| u64::try_from(size) == Ok(named.size);
        if let Some(named) = self.named
            && kind != 'V'
        {
            let is_flexible = matches!(kind, 'S' | 'a' | 'U');
            return if !is_whole {
                Err(Doubt::Lie("gives fields to a dtype that has none"))
            } else if !(agrees(named) || size == -1 && !is_flexible) {
                Err(Doubt::Lie("gives a dtype another size than its name"))
            } else if named.holds_objects != (flags & OBJECTS == OBJECTS)
                || (!named.holds_objects && flags & POINTERS != 0)
            {
                Err(Doubt::Lie("gives a dtype flags that lie about objects"))
            } else {
                Ok(named)
            };
        }
        let size = u64::try_from(size).map_err(|_| Doubt::Lie("gives a dtype a negative size"))?;
        if self.named.is_some_and(|named| named.size != size) {
            return Err(Doubt::Lie("gives a dtype another size than its name"));
        }
        if !matches!(alignment, 1 | 2 | 4 | 8 | 16 | 32) {
            return Err(Doubt::Lie("gives a dtype an alignment that no type has"));
        }
        let holds_objects = if is_whole {
            false
        } else if *subarray != none {
            let base = Self::subarray(*subarray, store, layout)?;
            if base.size != size {
                return Err(Doubt::Lie("gives a dtype another size than its parts have"));
            }
            base.holds_objects
        } else {
            structure(*names, fields(*listed).ok_or(Doubt::Unclear)?, size, store, layout)?
        };
        let may_point = *subarray != none && holds_objects;
        let lies = if holds_objects {
            flags & OBJECTS != OBJECTS || (flags & POINTERS == POINTERS && !may_point)
        } else {
            flags & POINTERS != 0
        };
        if lies {
            return Err(Doubt::Lie("gives a dtype flags that lie about objects"));
        }
        Ok(Layout { size, holds_objects })
    }

    /// All elements of `(dtype, shape)`.
    fn subarray(subarray: Value, store: &Store, layout: &dyn Fn(Value) -> Option<Layout>) -> Result<Layout, Doubt> {
        let Some([base, shape]) = store.as_whole_tuple(subarray) else { return Err(Doubt::Unclear) };
        let base = layout(*base).ok_or(Doubt::Unclear)?;
        let sides = match shape {
            Value::Integer(_) => std::slice::from_ref(shape),
            _ => store.as_whole_tuple(*shape).ok_or(Doubt::Unclear)?,
        };
        let mut size = base.size;
        for side in sides {
            let Value::Integer(side) = side else { return Err(Doubt::Unclear) };
            let side = u64::try_from(*side).map_err(|_| Doubt::Lie("gives a dtype a negative side"))?;
            size = size.checked_mul(side).ok_or(Doubt::Unclear)?;
        }
        Ok(Layout { size, ..base })
    }
}

/// Whether a structure holds objects.
fn structure(
    names: Value,
    fields: Vec<Field>,
    size: u64,
    store: &Store,
    layout: &dyn Fn(Value) -> Option<Layout>,
) -> Result<bool, Doubt> {
    let count = store.tuple_length(names).ok_or(Doubt::Unclear)?;
    // A field with a title stands twice among the fields.
    if fields.len() < count {
        return Err(Doubt::Lie("names fields that a dtype does not have"));
    }
    let mut holds_objects = false;
    for field in fields {
        let part = layout(field.dtype).ok_or(Doubt::Unclear)?;
        let Some(Value::Integer(offset)) = field.offset else { return Err(Doubt::Unclear) };
        let end = u64::try_from(offset).ok().and_then(|offset| offset.checked_add(part.size));
        if end.is_none_or(|end| end > size) {
            return Err(Doubt::Lie("puts a field of a dtype outside its element"));
        }
        holds_objects |= part.holds_objects;
    }
    Ok(holds_objects)
}

/// Kind and layout of a name as NumPy's pickles spell it: a letter and the number of bytes or characters.
fn parse(name: &str) -> Option<(char, Layout)> {
    let mut characters = name.chars();
    let kind = characters.next()?;
    let digits = characters.as_str();
    let number: Option<u64> = if digits.is_empty() { None } else { Some(digits.parse().ok()?) };
    let size = match (kind, number) {
        ('O', None | Some(4 | 8)) => 8,
        ('?', None) => 1,
        ('b' | 'i' | 'u' | 'f' | 'c' | 'M' | 'm' | 'S' | 'a' | 'V', Some(size)) => size,
        ('U', Some(size)) => size.checked_mul(4)?,
        _ => return None,
    };
    Some((kind, Layout { size, holds_objects: kind == 'O' }))
}
