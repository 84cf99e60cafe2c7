//! Hardening of answers of the Open Inference Protocol (KServe's version 2) that an upstream gave, as
//! JSON and with the extension for binary tensor data. Pure functions: what can't be hardened is an
//! error, so that the caller refuses instead of passing scores on.

use serde_json::{Number, Value};
use thiserror::Error;

use super::row::harden_values;
use crate::settings::Hardening;

/// An answer could not be hardened, and must not be passed on as one that is.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Unhardened {
    /// It has no list of outputs, or one of them lacks name, shape or data type.
    #[error("the answer is not one of the open inference protocol: {0}")]
    Malformed(&'static str),
    /// The numbers are not those that the shape promises.
    #[error("output `{0}` holds other numbers than its shape says")]
    Shape(String),
    /// A data type that scores can have, in a form that is not read.
    #[error("output `{output}` holds `{data_type}` in a form that can't be hardened; ask for JSON data")]
    DataType {
        /// The output's name.
        output: String,
        /// Its data type.
        data_type: String,
    },
}

/// Takes out of each floating-point output what `hardening` says, in place. An output whose data follow
/// the JSON as bytes is an error: see [`harden_binary`].
///
/// # Errors
/// The answer is not understood; it may be changed in part.
pub fn harden_json(answer: &mut Value, hardening: Hardening) -> Result<(), Unhardened> {
    harden_outputs(answer, &mut [], hardening)
}

/// The same for an answer whose outputs may lie, little-endian and in their order, in `bytes`: what
/// follows the JSON of `Inference-Header-Content-Length` bytes. Lengths never change.
///
/// # Errors
/// The answer is not understood; it may be changed in part.
pub fn harden_binary(answer: &mut Value, bytes: &mut [u8], hardening: Hardening) -> Result<(), Unhardened> {
    harden_outputs(answer, bytes, hardening)
}

fn harden_outputs(answer: &mut Value, mut bytes: &mut [u8], hardening: Hardening) -> Result<(), Unhardened> {
    let outputs = answer.get_mut("outputs").and_then(Value::as_array_mut);
    for output in outputs.ok_or(Unhardened::Malformed("it has no `outputs`"))? {
        let (name, data_type, shape) = head(output)?;
        let size = output.pointer("/parameters/binary_data_size").and_then(Value::as_u64);
        let own = match size {
            None => None,
            Some(size) => {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                let Some((own, rest)) = std::mem::take(&mut bytes).split_at_mut_checked(size) else {
                    return Err(Unhardened::Shape(name));
                };
                bytes = rest;
                Some(own)
            }
        };
        if hardening == Hardening::default() || !is_floating(&data_type) {
            continue;
        }
        match (own, output.get_mut("data")) {
            (Some(own), None) => harden_bytes(&name, &data_type, &shape, own, hardening)?,
            (None, Some(data)) => harden_data(name, &shape, data, hardening)?,
            _ => return Err(Unhardened::Malformed("an output has both `data` and binary data, or neither")),
        }
    }
    if bytes.is_empty() { Ok(()) } else { Err(Unhardened::Malformed("bytes follow that belong to no output")) }
}

fn head(output: &Value) -> Result<(String, String, Vec<usize>), Unhardened> {
    let text = |field: &str| output.get(field).and_then(Value::as_str).map(str::to_owned);
    let name = text("name").ok_or(Unhardened::Malformed("an output has no `name`"))?;
    let data_type = text("datatype").ok_or(Unhardened::Malformed("an output has no `datatype`"))?;
    let shape = output
        .get("shape")
        .and_then(Value::as_array)
        .and_then(|shape| shape.iter().map(|size| size.as_u64().and_then(|size| usize::try_from(size).ok())).collect());
    Ok((name, data_type, shape.ok_or(Unhardened::Malformed("an output has no `shape`"))?))
}

fn is_floating(data_type: &str) -> bool {
    data_type.starts_with("FP") || data_type.starts_with("BF")
}

fn volume(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |volume, size| volume.checked_mul(*size))
}

/// Numbers of JSON, flat or nested as the shape is.
fn harden_data(name: String, shape: &[usize], data: &mut Value, hardening: Hardening) -> Result<(), Unhardened> {
    let mut leaves = Vec::new();
    collect(data, &mut leaves);
    let values: Option<Vec<f32>> = leaves.iter().map(|leaf| leaf.as_f64().map(|value| value as f32)).collect();
    let Some(mut values) = values.filter(|values| Some(values.len()) == volume(shape)) else {
        return Err(Unhardened::Shape(name));
    };
    harden_values(shape, &mut values, hardening);
    for (leaf, value) in leaves.into_iter().zip(values) {
        // The shortest decimal that names the 32-bit number, as the rounding is meant.
        let shortest = value.to_string().parse::<f64>().ok().and_then(Number::from_f64);
        *leaf = shortest.map_or(Value::Null, Value::Number);
    }
    Ok(())
}

fn collect<'a>(data: &'a mut Value, leaves: &mut Vec<&'a mut Value>) {
    match data {
        Value::Array(items) => items.iter_mut().for_each(|item| collect(item, leaves)),
        leaf => leaves.push(leaf),
    }
}

fn harden_bytes(
    name: &str,
    data_type: &str,
    shape: &[usize],
    bytes: &mut [u8],
    hardening: Hardening,
) -> Result<(), Unhardened> {
    let width = match data_type {
        "FP32" => 4,
        "FP64" => 8,
        _ => return Err(Unhardened::DataType { output: name.to_owned(), data_type: data_type.to_owned() }),
    };
    if volume(shape).and_then(|volume| volume.checked_mul(width)) != Some(bytes.len()) {
        return Err(Unhardened::Shape(name.to_owned()));
    }
    let read = |bytes: &[u8]| match bytes.try_into() {
        Ok(bytes) => f32::from_le_bytes(bytes),
        Err(_) => bytes.try_into().map_or(f64::NAN, f64::from_le_bytes) as f32,
    };
    let mut values: Vec<f32> = bytes.chunks_exact(width).map(read).collect();
    harden_values(shape, &mut values, hardening);
    for (place, value) in bytes.chunks_exact_mut(width).zip(values) {
        match width {
            4 => place.copy_from_slice(&value.to_le_bytes()),
            _ => place.copy_from_slice(&f64::from(value).to_le_bytes()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TOP: Hardening = Hardening { top_k: 1, decimals: 2, label_only: false };

    fn output(shape: &Value, data_type: &str, data: &Value) -> Value {
        json!({ "name": "p", "shape": shape, "datatype": data_type, "data": data })
    }

    fn hardened(outputs: &Value) -> Result<Value, Unhardened> {
        let mut answer = json!({ "model_name": "m", "outputs": outputs });
        harden_json(&mut answer, TOP)?;
        Ok(answer["outputs"].take())
    }

    #[test]
    fn each_output_of_an_upstream_is_hardened_flat_or_nested_and_labels_are_left() {
        let outputs = hardened(&json!([
            output(&json!([1]), "INT64", &json!([1])),
            output(&json!([2, 3]), "FP32", &json!([0.123, 0.654, 0.223, 0.9, 0.06, 0.04])),
            output(&json!([2, 2]), "FP64", &json!([[-1.239, -4.0], [2.0, 3.456]])),
            output(&json!([2]), "BYTES", &json!(["cat", "dog"])),
        ]));
        let outputs = outputs.unwrap();
        assert_eq!(outputs[0]["data"], json!([1]));
        assert_eq!(outputs[1]["data"], json!([0.0, 0.65, 0.0, 0.9, 0.0, 0.0]));
        assert_eq!(outputs[2]["data"], json!([[-1.24, -1e9], [0.0, 3.46]]));
        assert_eq!(outputs[3]["data"], json!(["cat", "dog"]));
    }

    #[test]
    fn binary_outputs_are_hardened_in_place() {
        let binary = |data_type: &str, size: usize| json!({ "name": data_type, "shape": [1, 2], "datatype": data_type, "parameters": { "binary_data_size": size } });
        let mut answer = json!({ "outputs": [binary("INT32", 8), binary("FP32", 8), binary("FP64", 16)] });
        let mut bytes = [1_i32, 2].iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        bytes.extend([0.254_f32, 0.746].iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend([0.746_f64, 0.254].iter().flat_map(|value| value.to_le_bytes()));
        harden_binary(&mut answer, &mut bytes, TOP).unwrap();
        assert_eq!(bytes[..8], [1, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(bytes[8..16], [0.0_f32, 0.75].map(f32::to_le_bytes).concat());
        assert_eq!(bytes[16..], [f64::from(0.75_f32), 0.0].map(f64::to_le_bytes).concat());
    }

    #[test]
    fn what_is_not_understood_is_refused_and_never_passed_on() {
        let malformed = [
            json!({ "error": "no" }),
            json!({ "outputs": [{ "name": "p", "datatype": "FP32", "data": [0.5] }] }),
            json!({ "outputs": [{ "name": "p", "datatype": "FP32", "shape": [1] }] }),
            json!({ "outputs": [output(&json!([1, 3]), "FP32", &json!([0.5, 0.5]))] }),
            json!({ "outputs": [output(&json!([1, 2]), "FP32", &json!([0.5, "0.5"]))] }),
            json!({ "outputs": [output(&json!([u64::MAX, 4]), "FP32", &json!([0.5]))] }),
            json!({ "outputs": [{ "name": "p", "shape": [1, 2], "datatype": "FP32", "parameters": { "binary_data_size": 8 } }] }),
        ];
        for mut answer in malformed {
            assert!(harden_json(&mut answer, TOP).is_err(), "{answer}");
        }
        let half = json!({ "name": "p", "shape": [1, 2], "datatype": "FP16", "parameters": { "binary_data_size": 4 } });
        let refused = harden_binary(&mut json!({ "outputs": [half] }), &mut [0; 4], TOP);
        assert!(matches!(refused, Err(Unhardened::DataType { .. })), "{refused:?}");
        let more = harden_binary(&mut json!({ "outputs": [] }), &mut [0; 4], TOP);
        assert!(matches!(more, Err(Unhardened::Malformed(_))), "{more:?}");
    }
}
