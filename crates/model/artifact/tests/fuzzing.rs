//! Parsers survive damaged input. Two seconds by default; `BARTIZAN_LONG=1` runs fifty times as many.

use std::path::Path;
use std::time::{Duration, Instant};

use bartizan_artifact::{
    boosted_trees, gguf, hdf5_file, keras, npy, onnx, pickle, repository, safetensors, saved_model, tflite, weights,
};
use bartizan_inspect::{mutations, zip};

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = vec![
        b"\x80\x04\x95\x14\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.".to_vec(),
        b"cos\nsystem\n(S'id'\ntR.".to_vec(),
        b"\x80\x02]q\0(K\x01M\xe8\x03J\xff\xff\xff\x7f\x8a\x03abcG\0\0\0\0\0\0\0\0U\x02hiX\x02\0\0\0hoe}(K\x01Nu\x86b.".to_vec(),
        b"\x80\x05\x96\x03\0\0\0\0\0\0\0abc\x97\x98\x8f(K\x01\x90\x82\x01P1\nN\x91(ios\nx\n2\x92.".to_vec(),
        b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0k\x04\0\0\0\x07\0\0\0\x01\0\0\0\0\0\0\0w".to_vec(),
        b"\x08\x0a\x3a\x08\x0a\x06\x22\x04Relu\x42\x02\x10\x11".to_vec(),
        b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0aNPK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0aPK\x05\x06\0\0\0\0\x01\0\x01\0\x2f\0\0\0\x20\0\0\0\0\0".to_vec(),
    ];
    seeds.push(
        b"\x93NUMPY\x01\0\x46\0{'descr': [('a', '<i4', (2,))], 'fortran_order': False, 'shape': (2,), }".to_vec(),
    );
    seeds.push(
        b"{%- set u = '_' * 2 %}{{ x[u ~ 'a'] | map(attribute='b') }}{% macro m(k, j=1) %}{# c #}{% endmacro %}"
            .to_vec(),
    );
    seeds.push(b"{\0\"\0a\0\"\0:\0N\0a\0N\0}\0".to_vec());
    let header = br#"{"__metadata__":{"a":"b"},"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    seeds.push([&(header.len() as u64).to_le_bytes()[..], header, &[0; 8]].concat());
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let fixture = |name: &str| std::fs::read(fixtures.join(name)).unwrap_or_default();
    seeds.extend(
        [
            "dense.h5",
            "lambda.h5",
            "external-link.h5",
            "arrays.joblib",
            "checkpoint.pt",
            "checkpoint-old.pt",
            "boost.json",
            "boost.ubj",
            "boost.lgb.txt",
            "boost.cbm",
        ]
        .map(fixture),
    );
    seeds.push(br#"{"class_name":"Lambda","config":{"function":["4wEA"],"layers":[{"module":"os"}]}}"#.to_vec());
    seeds.push(b"\x08\x01\x12\x0c\x12\x0a\x0a\x08\x12\x06PyFunc".to_vec());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("Cargo.lock").exists());
    let corpora = root.and_then(Path::parent).map(|beside| beside.join("shared/corpora/scan/picklescan"));
    match corpora.and_then(|folder| std::fs::read_dir(folder).ok()) {
        Some(entries) => {
            let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
            paths.sort();
            seeds.extend(paths.iter().filter_map(|path| std::fs::read(path).ok()).filter(|bytes| bytes.len() < 4096));
        }
        None => println!("skipped: no corpora as seeds, built-in ones only"),
    }
    seeds
}

#[test]
fn damaged_input_neither_panics_nor_runs_away() {
    let seeds = seeds();
    let time = if std::env::var_os("BARTIZAN_LONG").is_some() { 100 } else { 2 };
    let end = Instant::now() + Duration::from_secs(time);
    for (count, bytes) in mutations(&seeds, 0x5eed).enumerate() {
        let start = Instant::now();
        pickle::fuzz_one(&bytes);
        npy::fuzz_one(&bytes);
        zip::fuzz_one(&bytes);
        safetensors::fuzz_one(&bytes);
        onnx::fuzz_one(&bytes);
        gguf::fuzz_one(&bytes);
        hdf5_file::fuzz_one(&bytes);
        keras::fuzz_one(&bytes);
        saved_model::fuzz_one(&bytes);
        tflite::fuzz_one(&bytes);
        weights::fuzz_one(&bytes);
        boosted_trees::fuzz_one(&bytes);
        repository::fuzz_one(&bytes);
        assert!(start.elapsed() < Duration::from_secs(5), "input {count} runs away: {bytes:02x?}");
        if Instant::now() > end {
            println!("{count} inputs");
            assert!(count > 100);
            return;
        }
    }
}
