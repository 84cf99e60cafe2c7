//! Writing safetensors (format description of safetensors 0.8): header length, JSON header, bytes without gaps.

use std::io::Write;

use bartizan_inspect::Source;
use serde_json::{Map, json};

use super::{TensorView, Weights, WeightsError};

/// Bytes copied at a time.
const CHUNK: usize = 1 << 20;
/// Output beyond this multiple of the file is refused: views that repeat elements can state any size.
const EXPANSION: u64 = 16;
/// Output up to this size is never refused for its expansion.
const SMALL: u64 = 64 << 20;
/// Storage that is gathered in memory where a view is not contiguous.
const GATHERED: u64 = 4 << 30;

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    /// Number of tensors.
    pub tensors: usize,
    /// Bytes of the file.
    pub bytes: u64,
}

impl Weights {
    /// Writes all tensors, sorted by the width of their elements and then by name, as the reference implementation
    /// does. The same tensors give the same bytes.
    pub fn write_safetensors(&self, out: &mut impl Write) -> Result<Written, WeightsError> {
        let mut order: Vec<(&String, &TensorView)> = self.tensors.iter().collect();
        order.sort_by_key(|(name, tensor)| (std::cmp::Reverse(tensor.element.width()), *name));
        let (header, data) = self.header(&order)?;
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        for (name, tensor) in &order {
            self.copy(name, tensor, out)?;
        }
        Ok(Written { tensors: order.len(), bytes: 8 + header.len() as u64 + data })
    }

    fn header(&self, order: &[(&String, &TensorView)]) -> Result<(String, u64), WeightsError> {
        let mut header = Map::new();
        header.insert("__metadata__".to_owned(), json!({"format": "pt"}));
        let mut position = 0_u64;
        for (name, tensor) in order {
            let end = tensor.bytes().and_then(|bytes| position.checked_add(bytes));
            let end = end.filter(|end| *end <= SMALL.max(self.length.saturating_mul(EXPANSION)));
            let end = end.ok_or_else(|| {
                WeightsError::Unsupported(format!("its tensors would take more than {EXPANSION} times its size"))
            })?;
            let entry =
                json!({"dtype": tensor.element.safetensors(), "shape": tensor.shape, "data_offsets": [position, end]});
            if *name == "__metadata__" || header.insert((*name).clone(), entry).is_some() {
                return Err(WeightsError::Unsupported("a tensor is called `__metadata__`".to_owned()));
            }
            position = end;
        }
        let mut text = serde_json::Value::Object(header).to_string();
        // Tensors start at a multiple of eight bytes.
        while !text.len().is_multiple_of(8) {
            text.push(' ');
        }
        Ok((text, position))
    }

    fn copy(&self, name: &str, tensor: &TensorView, out: &mut impl Write) -> Result<(), WeightsError> {
        let bytes = tensor.bytes().unwrap_or(0);
        if bytes == 0 {
            return Ok(());
        }
        let unreadable =
            |what: &str| WeightsError::Unreadable(format!("tensor `{}`: {what}", bartizan_core::printable(name)));
        let storage = self.storages.get(&tensor.storage).ok_or_else(|| unreadable("its storage is not in the file"))?;
        let width = tensor.element.width();
        if storage.length() < tensor.capacity.saturating_mul(width) {
            return Err(unreadable("its storage is shorter than stated"));
        }
        if tensor.is_contiguous() {
            copy_range(storage, tensor.offset * width, bytes, out).map_err(|error| error.named(name))
        } else {
            gather(storage, tensor, out).map_err(|error| error.named(name))
        }
    }
}

enum CopyError {
    Read(String),
    Write(std::io::Error),
}

impl CopyError {
    fn named(self, name: &str) -> WeightsError {
        match self {
            Self::Read(what) => {
                WeightsError::Unreadable(format!("tensor `{}`: {what}", bartizan_core::printable(name)))
            }
            Self::Write(error) => WeightsError::Write(error),
        }
    }
}

fn copy_range(storage: &Source, start: u64, length: u64, out: &mut impl Write) -> Result<(), CopyError> {
    let mut buffer = vec![0; CHUNK.min(usize::try_from(length).unwrap_or(CHUNK))];
    let mut done = 0;
    while done < length {
        let wanted = usize::try_from(length - done).map_or(CHUNK, |left| left.min(CHUNK));
        let part = buffer.get_mut(..wanted).unwrap_or_default();
        match storage.read_at(part, start + done) {
            Ok(0) => return Err(CopyError::Read("the file ended".to_owned())),
            Ok(count) => {
                out.write_all(part.get(..count).unwrap_or_default()).map_err(CopyError::Write)?;
                done += count as u64;
            }
            Err(error) => return Err(CopyError::Read(error.to_string())),
        }
    }
    Ok(())
}

/// Elements of a transposed or otherwise strided view, in the order of its indices.
fn gather(storage: &Source, tensor: &TensorView, out: &mut impl Write) -> Result<(), CopyError> {
    let width = tensor.element.width();
    let last: u64 = tensor.shape.iter().zip(&tensor.stride).map(|(side, stride)| (side - 1) * stride).sum();
    let span = (last + 1) * width;
    let span = usize::try_from(span).ok().filter(|span| *span as u64 <= GATHERED);
    let span = span.ok_or_else(|| CopyError::Read("its elements lie too far apart".to_owned()))?;
    let bytes = storage.read(tensor.offset * width, span).map_err(|error| CopyError::Read(error.to_string()))?;
    let mut index = vec![0_u64; tensor.shape.len()];
    let mut buffer = Vec::with_capacity(CHUNK);
    let mut at = 0_u64;
    loop {
        let start = usize::try_from(at * width).unwrap_or(usize::MAX);
        let element = bytes.get(start..start.saturating_add(usize::try_from(width).unwrap_or(1)));
        buffer.extend_from_slice(element.ok_or_else(|| CopyError::Read("an element lies outside".to_owned()))?);
        if buffer.len() >= CHUNK {
            out.write_all(&buffer).map_err(CopyError::Write)?;
            buffer.clear();
        }
        let mut dimension = tensor.shape.len();
        loop {
            let Some(next) = dimension.checked_sub(1) else {
                out.write_all(&buffer).map_err(CopyError::Write)?;
                return Ok(());
            };
            dimension = next;
            let (Some(place), Some(side), Some(stride)) =
                (index.get_mut(dimension), tensor.shape.get(dimension), tensor.stride.get(dimension))
            else {
                return Ok(());
            };
            *place += 1;
            at += stride;
            if *place < *side {
                break;
            }
            at -= stride * side;
            *place = 0;
        }
    }
}
