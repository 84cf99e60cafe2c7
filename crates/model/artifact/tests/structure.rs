//! Lies in the structure of safetensors, GGUF and ONNX files are seen.

use bartizan_artifact::INSPECTORS;
use bartizan_inspect::{Examination, Limits, Source, examine};

fn look(name: &str, bytes: Vec<u8>) -> Examination {
    examine(&Source::from_bytes(name, bytes, Limits::default()), INSPECTORS)
}

#[track_caller]
fn expect(name: &str, bytes: Vec<u8>, rule: Option<&str>) {
    let seen = look(name, bytes);
    assert!(!seen.inspectors.is_empty(), "{seen:?}");
    match rule {
        Some(rule) => assert!(seen.findings.iter().any(|finding| finding.rule.id == rule), "{rule}: {seen:?}"),
        None => assert!(seen.findings.is_empty() && seen.completeness.is_complete(), "{seen:?}"),
    }
}

fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.resize(file.len() + data, 0);
    file
}

#[test]
fn safetensors_headers_must_account_for_every_byte_once() {
    let tensor = |name: &str, start: u64, end: u64| {
        format!(
            r#""{name}":{{"dtype":"F32","shape":[{}],"data_offsets":[{start},{end}]}}"#,
            end.saturating_sub(start) / 4
        )
    };
    let file = |entries: &[String], data| safetensors(&format!("{{{}}}", entries.join(",")), data);
    let check = |entries: &[String], data, rule| expect("m.safetensors", file(entries, data), rule);
    check(&[tensor("a", 0, 8), tensor("b", 8, 16)], 16, None);
    check(&[tensor("a", 0, 8), tensor("b", 4, 16)], 16, Some("BZ-STN-002"));
    check(&[tensor("a", 0, 8), tensor("b", 12, 16)], 16, Some("BZ-STN-002"));
    check(&[tensor("a", 0, 8)], 12, Some("BZ-STN-002"));
    check(&[tensor("a", 0, 32)], 16, Some("BZ-STN-002"));
    check(&[tensor("a", 0, 8), tensor("a", 8, 16)], 16, Some("BZ-STN-003"));
    let lying = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#;
    expect("m.safetensors", safetensors(lying, 8), Some("BZ-STN-004"));
    let script = r#"{"__metadata__":{"note":"import os; os.system('id')"}}"#;
    expect("m.safetensors", safetensors(script, 0), Some("BZ-STN-005"));
    let mut long = (1_u64 << 35).to_le_bytes().to_vec();
    long.extend_from_slice(b"{}");
    expect("m.safetensors", long, Some("BZ-STN-001"));
}

struct Gguf(Vec<u8>);

impl Gguf {
    fn new(tensors: u64, pairs: u64) -> Self {
        let mut file = b"GGUF\x03\0\0\0".to_vec();
        file.extend_from_slice(&tensors.to_le_bytes());
        file.extend_from_slice(&pairs.to_le_bytes());
        Self(file)
    }

    fn text(mut self, text: &str) -> Self {
        self.0.extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn words(mut self, words: &[u32]) -> Self {
        words.iter().for_each(|word| self.0.extend_from_slice(&word.to_le_bytes()));
        self
    }

    fn longs(mut self, longs: &[u64]) -> Self {
        longs.iter().for_each(|long| self.0.extend_from_slice(&long.to_le_bytes()));
        self
    }

    fn data(mut self, length: usize) -> Vec<u8> {
        self.0.resize(self.0.len().next_multiple_of(32) + length, 0);
        self.0
    }
}

#[test]
fn gguf_counts_offsets_and_templates_are_checked() {
    let template = |text: &str| Gguf::new(0, 1).text("tokenizer.chat_template").words(&[8]).text(text).data(0);
    expect("m.gguf", template("{% for m in messages %}{{ m['content'] }}{% endfor %}"), None);
    expect("m.gguf", template("{{ x.__class__.__mro__ }}"), Some("BZ-GGU-003"));
    expect("m.gguf", template("{{ cycler.__init__.__globals__.os.popen('id') }}"), Some("BZ-GGU-003"));
    expect("m.gguf", template("{{ x[u ~ 'init' ~ u] }}"), Some("BZ-GGU-003"));
    let several = Gguf::new(0, 1).text("tokenizer.chat_templates").words(&[9, 8]).longs(&[2]);
    expect("m.gguf", several.text("{{ x }}").text("{{ x | attr(y) }}").data(0), Some("BZ-GGU-003"));
    let tensor = |offset: u64| Gguf::new(1, 0).text("w").words(&[1]).longs(&[8]).words(&[0]).longs(&[offset]);
    expect("m.gguf", tensor(0).data(32), None);
    expect("m.gguf", tensor(64).data(32), Some("BZ-GGU-002"));
    let overflowing = Gguf::new(1, 0).text("w").words(&[2]).longs(&[1 << 40, 1 << 40]).words(&[0]).longs(&[0]);
    expect("m.gguf", overflowing.data(32), Some("BZ-GGU-002"));
    expect("m.gguf", Gguf::new(u64::MAX, 0).data(0), Some("BZ-GGU-001"));
    expect("m.gguf", Gguf::new(0, 1).text("k").words(&[9, 8]).longs(&[1 << 50]).data(0), Some("BZ-GGU-001"));
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 0x7f {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(content);
    out
}

fn onnx(graph: &[u8]) -> Vec<u8> {
    [&[0x08, 0x0a][..], &field(7, graph), &field(8, &[0x10, 0x11])].concat()
}

#[test]
fn onnx_tensors_paths_and_operators_are_checked() {
    let relu = field(1, &field(4, b"Relu"));
    expect("m.onnx", onnx(&relu), None);
    let located = |path: &[u8]| {
        let entry = [field(1, b"location"), field(2, path)].concat();
        onnx(&field(5, &[&[0x10, 0x01][..], &field(13, &entry)].concat()))
    };
    expect("m.onnx", located(b"weights.bin"), None);
    expect("m.onnx", located(b"../../etc/passwd"), Some("BZ-ONX-001"));
    expect("m.onnx", located(b"/etc/passwd"), Some("BZ-ONX-001"));
    expect("m.onnx", onnx(&field(1, &[field(4, b"PyOp"), field(7, b"ai.onnx.contrib")].concat())), Some("BZ-ONX-002"));
    expect("m.onnx", onnx(&field(1, &[field(4, b"Magic"), field(7, b"my.ops")].concat())), Some("BZ-ONX-003"));
    // In a graph in an attribute of a node.
    let inner = field(6, &field(1, &field(4, b"PyOp")));
    expect("m.onnx", onnx(&field(1, &[field(4, b"If"), field(5, &inner)].concat())), Some("BZ-ONX-002"));
    let short = [&[0x08, 0x04, 0x10, 0x01][..], &field(9, &[0; 8])].concat();
    expect("m.onnx", onnx(&field(5, &short)), Some("BZ-ONX-004"));
    let huge = [&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x08, 0x04, 0x10, 0x01][..]].concat();
    expect("m.onnx", onnx(&field(5, &huge)), Some("BZ-ONX-004"));
}

#[test]
fn a_cut_off_model_is_not_clean() {
    let graph = [field(1, &field(4, b"Relu")), field(1, &field(4, b"Relu"))].concat();
    let mut file = [&[0x08, 0x0a][..], &field(8, &[0x10, 0x11]), &field(7, &graph)].concat();
    file.truncate(file.len() - 3);
    assert!(!look("m.onnx", file).completeness.is_complete());
    let file = safetensors(r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, 8);
    assert!(!look("m.safetensors", file).findings.is_empty());
}
