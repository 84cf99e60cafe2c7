//! The Open Inference Protocol v2: requests and answers in JSON, with the binary-tensor extension
//! for requests.
//!
//! A parsed request is bounded by the bytes that carried it, and its tensors are still untrusted:
//! hold them against [`crate::Signature::check`] before they reach a model.

use std::fmt;

use bartizan_core::refuse_duplicate_keys;
use serde::de::{self, DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use crate::signature::Signature;
use crate::tensor::{DataType, Tensor, TensorData};

/// Most tensors in one request.
const TENSORS: usize = 64;

/// Why the bytes are not a request. Never repeats the sender's values.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// Not JSON, or JSON of another shape.
    #[error("the body is not an inference request: {0}")]
    Json(String),
    /// An element type the protocol or this server does not know.
    #[error("input `{0}` has an unknown `datatype`; use FP32, INT32, INT64, INT8 or UINT8")]
    DataType(String),
    /// A value that the declared element type can't hold.
    #[error("input `{0}` holds a value that its `datatype` can't hold")]
    Value(String),
    /// The binary part is not as long as the header says.
    #[error(
        "input `{name}` announces {announced} bytes of binary data, its shape and type need {needed}, and {present} are there"
    )]
    ByteLength {
        /// The input.
        name: String,
        /// `binary_data_size`.
        announced: usize,
        /// Product of the shape times the element size.
        needed: usize,
        /// What is left of the body.
        present: usize,
    },
    /// Bytes after the last tensor.
    #[error("{0} bytes follow the last tensor")]
    Trailing(usize),
}

/// A request to infer.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// The caller's own id, repeated in the answer; at most 128 characters.
    pub id: Option<String>,
    /// Inputs.
    pub inputs: Vec<Tensor>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRequest {
    #[serde(default)]
    id: Option<String>,
    inputs: Vec<WireInput>,
    #[serde(default)]
    #[expect(dead_code, reason = "all outputs are always returned; the field is accepted because clients send it")]
    outputs: Option<serde_json::Value>,
    #[serde(default)]
    #[expect(dead_code, reason = "no request parameter changes what is computed")]
    parameters: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireInput {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    #[serde(default)]
    data: Option<Numbers>,
    #[serde(default)]
    parameters: Option<InputParameters>,
}

#[derive(Deserialize)]
struct InputParameters {
    binary_data_size: Option<usize>,
}

impl Request {
    /// Reads a request. `header_length` is the value of `Inference-Header-Content-Length`, where
    /// the client used the binary-tensor extension: the JSON ends there and raw little-endian
    /// tensors follow in the order of the inputs.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(body: &[u8], header_length: Option<usize>) -> Result<Self, Malformed> {
        let split = header_length.unwrap_or(body.len());
        let (header, mut binary) = body
            .split_at_checked(split)
            .ok_or_else(|| Malformed::Json("`Inference-Header-Content-Length` is longer than the body".to_owned()))?;
        let json = |error: serde_json::Error| Malformed::Json(without_values(&error));
        refuse_duplicate_keys(header).map_err(json)?;
        let wire: WireRequest = serde_json::from_slice(header).map_err(json)?;
        if wire.inputs.len() > TENSORS {
            return Err(Malformed::Json(format!("more than {TENSORS} inputs")));
        }
        if wire.id.as_ref().is_some_and(|id| id.chars().count() > 128) {
            return Err(Malformed::Json("`id` is longer than 128 characters".to_owned()));
        }
        let mut inputs = Vec::with_capacity(wire.inputs.len());
        for input in wire.inputs {
            inputs.push(read_input(input, &mut binary)?);
        }
        if !binary.is_empty() {
            return Err(Malformed::Trailing(binary.len()));
        }
        Ok(Self { id: wire.id, inputs })
    }
}

/// serde's messages quote the value they stumbled over; only the kind and place may go out.
fn without_values(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Syntax => "it is not valid JSON (NaN and Infinity are not JSON numbers)",
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data | serde_json::error::Category::Io => {
            "a field is missing, unknown, duplicate, nested too deeply or of the wrong type"
        }
    };
    format!("{kind}, at line {} column {}", error.line(), error.column())
}

fn read_input(input: WireInput, binary: &mut &[u8]) -> Result<Tensor, Malformed> {
    let name = bartizan_core::printable(&input.name);
    let Some(data_type) = DataType::parse(&input.datatype) else { return Err(Malformed::DataType(name)) };
    let announced = input.parameters.and_then(|parameters| parameters.binary_data_size);
    let data = match (input.data, announced) {
        (Some(numbers), None) if !numbers.fits(&input.shape) => {
            return Err(Malformed::Json("`data` must be one flat list, or nested exactly as `shape` says".to_owned()));
        }
        (Some(numbers), None) => from_numbers(data_type, &numbers.values).ok_or(Malformed::Value(name))?,
        (None, Some(announced)) => {
            let needed = input
                .shape
                .iter()
                .try_fold(data_type.size(), |product, size| product.checked_mul(*size))
                .unwrap_or(usize::MAX);
            let present = binary.len();
            if announced != needed || announced > present {
                return Err(Malformed::ByteLength { name, announced, needed, present });
            }
            let (own, rest) = binary.split_at(announced);
            *binary = rest;
            from_bytes(data_type, own).ok_or(Malformed::Value(name))?
        }
        _ => return Err(Malformed::Json("an input needs either `data` or `parameters.binary_data_size`".to_owned())),
    };
    Ok(Tensor { name: input.name, data_type, shape: input.shape, data })
}

fn from_numbers(data_type: DataType, values: &[f64]) -> Option<TensorData> {
    let whole =
        |value: &f64, low: f64, high: f64| (value.fract() == 0.0 && (low..=high).contains(value)).then_some(*value);
    let integer = |value: &f64| whole(value, f64::from(i32::MIN), f64::from(i32::MAX)).map(|value| value as i32);
    Some(match data_type {
        // A double beyond the range of a float becomes infinite here and is refused by the signature.
        DataType::Fp32 => TensorData::Float(values.iter().map(|value| *value as f32).collect()),
        DataType::Int32 | DataType::Int64 => TensorData::Integer(values.iter().map(integer).collect::<Option<_>>()?),
        DataType::Int8 => {
            TensorData::Signed(values.iter().map(|v| whole(v, -128.0, 127.0).map(|v| v as i8)).collect::<Option<_>>()?)
        }
        DataType::Uint8 => {
            TensorData::Unsigned(values.iter().map(|v| whole(v, 0.0, 255.0).map(|v| v as u8)).collect::<Option<_>>()?)
        }
    })
}

fn from_bytes(data_type: DataType, bytes: &[u8]) -> Option<TensorData> {
    Some(match data_type {
        DataType::Fp32 => TensorData::Float(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
        DataType::Int32 => TensorData::Integer(bytes.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b)).collect()),
        DataType::Int64 => TensorData::Integer(
            bytes.as_chunks().0.iter().map(|b| i32::try_from(i64::from_le_bytes(*b)).ok()).collect::<Option<_>>()?,
        ),
        DataType::Int8 => TensorData::Signed(bytes.iter().map(|b| i8::from_le_bytes([*b])).collect()),
        DataType::Uint8 => TensorData::Unsigned(bytes.to_vec()),
    })
}

/// `data`: numbers in one flat list, or nested exactly as the shape is; ragged lists, booleans and
/// strings are refused.
struct Numbers {
    values: Vec<f64>,
    /// Length of the lists at each depth.
    lengths: Vec<usize>,
}

impl Numbers {
    fn fits(&self, shape: &[usize]) -> bool {
        self.lengths.len() == 1 || self.lengths == shape
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut numbers = Self { values: Vec::new(), lengths: Vec::new() };
        deserializer.deserialize_seq(Collect { numbers: &mut numbers, depth: 0 })?;
        Ok(numbers)
    }
}

struct Collect<'a> {
    numbers: &'a mut Numbers,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Collect<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Collect<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        // A number stands below all lists, or the nesting is ragged.
        if self.depth < self.numbers.lengths.len() && !self.numbers.values.is_empty() {
            return Err(E::custom("lists are nested unevenly"));
        }
        self.numbers.values.push(value);
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut length = 0;
        while seq.next_element_seed(Collect { numbers: &mut *self.numbers, depth: self.depth + 1 })?.is_some() {
            length += 1;
        }
        match self.numbers.lengths.get(self.depth) {
            // Inner lists end first: the deepest is entered before the ones around it.
            None => self.numbers.lengths.resize(self.depth + 1, usize::MAX),
            Some(&usize::MAX) => {}
            Some(known) if *known == length => return Ok(()),
            Some(_) => return Err(de::Error::custom("lists are nested unevenly")),
        }
        if let Some(known) = self.numbers.lengths.get_mut(self.depth) {
            *known = length;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct WireResponse<'a> {
    model_name: &'a str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    outputs: Vec<WireOutput<'a>>,
}

#[derive(Serialize)]
struct WireOutput<'a> {
    name: &'a str,
    datatype: &'a str,
    shape: &'a [usize],
    data: serde_json::Value,
}

/// Writes an answer. `version` is the model's digest.
pub fn write_response(model: &str, version: &str, id: Option<&str>, outputs: &[Tensor]) -> Vec<u8> {
    let outputs = outputs
        .iter()
        .map(|output| WireOutput {
            name: &output.name,
            datatype: output.data_type.as_str(),
            shape: &output.shape,
            data: match &output.data {
                TensorData::Float(values) => values.iter().map(|v| shortest(*v)).collect(),
                TensorData::Integer(values) => values.iter().copied().collect(),
                TensorData::Signed(values) => values.iter().copied().collect(),
                TensorData::Unsigned(values) => values.iter().copied().collect(),
            },
        })
        .collect();
    let response = WireResponse { model_name: model, model_version: version, id, outputs };
    serde_json::to_vec(&response).unwrap_or_default()
}

/// A float through its shortest decimal form, so that 0.1f32 is written 0.1; `null` when not finite.
fn shortest(value: f32) -> serde_json::Value {
    let shortest = value.to_string().parse::<f64>().ok();
    shortest.and_then(serde_json::Number::from_f64).map_or(serde_json::Value::Null, serde_json::Value::Number)
}

/// The answer to `GET /v2/models/NAME`.
pub fn metadata(model: &str, version: &str, signature: &Signature) -> serde_json::Value {
    let tensors = |specs: &[crate::TensorSpec]| -> serde_json::Value {
        specs
            .iter()
            .map(|spec| {
                serde_json::json!({
                    "name": spec.name,
                    "datatype": spec.data_type.map_or("FP32", DataType::as_str),
                    "shape": spec.wire_shape(),
                })
            })
            .collect()
    };
    serde_json::json!({
        "name": model,
        "versions": [version],
        "platform": "onnx",
        "inputs": tensors(&signature.inputs),
        "outputs": tensors(&signature.outputs),
    })
}

/// Feeds arbitrary bytes to the parser; for fuzzing.
pub fn fuzz_one(bytes: &[u8]) {
    if let Ok(request) = Request::parse(bytes, None) {
        let _ = Signature::default().check(&request.inputs, 1024);
    }
    let split = bytes.first().map(|first| usize::from(*first));
    let _ = Request::parse(bytes, split);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_and_nested_data_mean_the_same() {
        let flat = br#"{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2.5,3,4]}]}"#;
        let nested = br#"{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2.5],[3,4]]}]}"#;
        assert_eq!(Request::parse(flat, None).unwrap(), Request::parse(nested, None).unwrap());
    }

    #[test]
    fn data_that_is_nested_otherwise_than_the_shape_is_refused() {
        for data in [
            "[[1],[2,3,4]]",
            "[[1,2],3,4]",
            "[1,[2,3],4]",
            "[[[1,2],[3,4]]]",
            "[[1],[2],[3],[4]]",
            "[[1,2],[]]",
            "[[],[]]",
        ] {
            let body = format!(r#"{{"inputs":[{{"name":"x","shape":[2,2],"datatype":"FP32","data":{data}}}]}}"#);
            assert!(Request::parse(body.as_bytes(), None).is_err(), "{data}");
        }
    }

    #[test]
    fn binary_tensors_are_read_and_their_length_is_checked() {
        let header =
            br#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}]}"#;
        let mut body = header.to_vec();
        body.extend([1.5_f32, -2.0].iter().flat_map(|value| value.to_le_bytes()));
        let request = Request::parse(&body, Some(header.len())).unwrap();
        assert_eq!(request.inputs[0].data, TensorData::Float(vec![1.5, -2.0]));
        body.pop();
        assert!(matches!(Request::parse(&body, Some(header.len())), Err(Malformed::ByteLength { present: 7, .. })));
        assert!(matches!(Request::parse(&body, Some(9_999)), Err(Malformed::Json(_))));
    }

    #[test]
    fn what_is_not_a_request_is_refused_without_repeating_it() {
        let secret = "s3cr3t";
        for body in [
            format!(r#"{{"inputs":"{secret}"}}"#),
            format!(r#"{{"{secret}":1,"inputs":[]}}"#),
            format!(r#"{{"inputs":[{{"name":"x","shape":[1],"datatype":"FP32","data":["{secret}"]}}]}}"#),
            r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[NaN]}]}"#.to_owned(),
            r#"{"inputs":[{"name":"x","shape":[1],"datatype":"INT32","data":[1.5]}]}"#.to_owned(),
            r#"{"inputs":[{"name":"x","shape":[-1],"datatype":"FP32","data":[1]}]}"#.to_owned(),
            r#"{"inputs":[],"inputs":[]}"#.to_owned(),
            String::new(),
        ] {
            let refusal = Request::parse(body.as_bytes(), None).unwrap_err().to_string();
            assert!(!refusal.contains(secret), "{refusal}");
        }
    }

    #[test]
    fn floats_are_written_as_short_as_they_can_be() {
        let body = write_response("m", "v", Some("7"), &[Tensor::floats("p", vec![2], vec![0.1, 1.0])]);
        let text = String::from_utf8(body).unwrap();
        assert!(text.contains(r#""data":[0.1,1.0]"#), "{text}");
    }
}
