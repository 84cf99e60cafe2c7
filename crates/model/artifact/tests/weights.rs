//! Weights of PyTorch files, beside what `torch.load` makes of the same files.

#![allow(clippy::unwrap_used, reason = "a test that cannot prepare its world has failed")]

use std::collections::BTreeMap;
use std::path::Path;

use bartizan_artifact::weights::{Weights, WeightsError};
use bartizan_inspect::{Limits, Source};
use serde_json::Value;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn read(bytes: Vec<u8>) -> Result<Weights, WeightsError> {
    Weights::read(&Source::from_bytes("model.pt", bytes, Limits::default()))
}

/// Name, type, shape and bytes in hexadecimal of each tensor of a safetensors file.
fn tensors(file: &[u8]) -> BTreeMap<String, Value> {
    let length = usize::try_from(u64::from_le_bytes(file[..8].try_into().unwrap())).unwrap();
    let header: Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
    let data = &file[8 + length..];
    let mut end = 0;
    let tensors: BTreeMap<String, Value> = header
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| *name != "__metadata__")
        .map(|(name, entry)| {
            let range = |at: usize| usize::try_from(entry["data_offsets"][at].as_u64().unwrap()).unwrap();
            end += range(1) - range(0);
            let bytes: String = data[range(0)..range(1)].iter().map(|byte| format!("{byte:02x}")).collect();
            (name.clone(), serde_json::json!([entry["dtype"], entry["shape"], bytes]))
        })
        .collect();
    assert_eq!(end, data.len(), "tensors tile the file");
    tensors
}

#[test]
fn weights_equal_what_torch_loads() {
    let expected: BTreeMap<String, Value> = serde_json::from_slice(&fixture("checkpoint.json")).unwrap();
    for name in ["checkpoint.pt", "checkpoint-old.pt"] {
        let weights = read(fixture(name)).unwrap();
        let others: Vec<&str> = weights.others().iter().map(String::as_str).collect();
        assert_eq!(others, ["epoch", "options.dtype", "options.lr"], "{name}");
        let mut out = Vec::new();
        let written = weights.below("state_dict").unwrap().write_safetensors(&mut out).unwrap();
        assert_eq!((written.tensors, written.bytes), (expected.len(), out.len() as u64));
        assert_eq!(tensors(&out), expected, "{name}");
    }
}

#[test]
fn names_of_nested_dictionaries_are_joined_and_unknown_keys_refused() {
    let weights = read(fixture("checkpoint.pt")).unwrap();
    assert!(weights.tensors().contains_key("state_dict.plain"));
    let Err(WeightsError::Empty(what)) = weights.below("model") else { panic!("there is no such key") };
    assert!(what.contains("state_dict"), "{what}");
}

#[test]
fn whatever_is_no_tensor_constructor_is_refused_by_its_name() {
    let calls = b"\x80\x02}q\0X\x01\0\0\0aq\x01cposix\nsystem\nX\x02\0\0\0id\x85Rs.".to_vec();
    for (bytes, name) in [(fixture("module.pt"), "torch.nn.modules.linear.Linear"), (stream(&calls), "posix.system")] {
        match read(bytes) {
            Err(WeightsError::Foreign { name: found, .. }) => assert_eq!(found, name),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("{name} was let through"),
        }
    }
}

/// A file of torch.save before 1.6 around one object and no storage.
fn stream(object: &[u8]) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
    let (protocol, system, keys) = (b"\x80\x02M\xe9\x03.", b"\x80\x02}.", b"\x80\x02].");
    [&magic[..], protocol, system, object, keys].concat()
}

#[test]
fn tensors_that_leave_their_storage_or_grow_without_bound_are_refused() {
    let storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0" as &[u8];
    let tensor = |elements: u32, shape: u32, stride: u32| {
        let mut object = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(".to_vec();
        object.extend_from_slice(storage);
        object.extend_from_slice(b"0X\x03\0\0\0cpuJ");
        object.extend_from_slice(&elements.to_le_bytes());
        object.extend_from_slice(b"tQK\0J");
        object.extend_from_slice(&shape.to_le_bytes());
        object.extend_from_slice(b"\x85J");
        object.extend_from_slice(&stride.to_le_bytes());
        object.extend_from_slice(b"\x85\x89}tR.");
        object
    };
    let keyed = |object: Vec<u8>| {
        let mut file = stream(&object);
        file.truncate(file.len() - 1);
        file.extend_from_slice(b"X\x01\0\0\x000a.");
        file.extend_from_slice(&4_u64.to_le_bytes());
        file.extend_from_slice(&[1; 16]);
        file
    };
    let mut out = Vec::new();
    assert!(read(keyed(tensor(4, 4, 1))).unwrap().write_safetensors(&mut out).is_ok());
    assert!(read(keyed(tensor(4, 5, 1))).is_err(), "it reaches past the storage");
    assert!(read(keyed(tensor(4, 2, 4))).is_err(), "it steps past the storage");
    assert!(
        read(keyed(tensor(400, 400, 1))).unwrap().write_safetensors(&mut Vec::new()).is_err(),
        "the storage is shorter"
    );
    let bomb = read(keyed(tensor(4, 2_000_000_000, 0))).unwrap().write_safetensors(&mut std::io::sink());
    assert!(matches!(bomb, Err(WeightsError::Unsupported(_))));
}

#[test]
fn an_archive_that_two_loaders_would_read_differently_is_refused() {
    let mut bytes = fixture("checkpoint.pt");
    let at = bytes.windows(8).position(|window| window == b"data.pkl").unwrap();
    bytes[at] = b'D';
    assert!(read(bytes).is_err());
}
