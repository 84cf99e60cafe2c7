//! `bartizan scan --format spdx` as a user runs it, held against the published model.

#![allow(clippy::expect_used, reason = "a test that cannot prepare its world has failed")]

mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use scan::{World, json, shared, text};
use serde_json::Value;

/// A safetensors file of two numbers, whose metadata claim a licence and what it was trained on.
fn weights() -> Vec<u8> {
    let header = br#"{"__metadata__":{"license":"apache-2.0","dataset":"mnist"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    [&(header.len() as u64).to_le_bytes()[..], header, &[0; 8]].concat()
}

fn world() -> World {
    let world = World::with_advisory();
    world.write("p/model.safetensors", &weights());
    world
}

fn of_type<'a>(graph: &'a [Value], class: &str) -> Vec<&'a Value> {
    graph.iter().filter(|element| element["type"] == class).collect()
}

fn graph(document: &Value) -> &[Value] {
    document["@graph"].as_array().expect("a graph")
}

#[test]
fn every_model_is_an_ai_package_in_a_file_with_its_digest() {
    let world = world();
    let document = json(&world.scan(&["--format", "spdx", "p"]));
    let graph = graph(&document);
    let model = of_type(graph, "ai_AIPackage").into_iter().next().expect("a model");
    assert_eq!((&model["name"], &model["software_primaryPurpose"]), (&"p/model.safetensors".into(), &"model".into()));
    let digest = {
        let made = Command::new("sha256sum").arg(world.path().join("p/model.safetensors")).output().expect("sha256sum");
        String::from_utf8_lossy(&made.stdout).split_whitespace().next().expect("a digest").to_owned()
    };
    let files = of_type(graph, "software_File");
    let file = files.iter().find(|file| file["name"] == "p/model.safetensors").expect("its file");
    for element in [model, file] {
        let hash = &element["verifiedUsing"][0];
        assert_eq!((&hash["algorithm"], &hash["hashValue"]), (&"sha256".into(), &digest.as_str().into()));
    }
    let contains = relations(graph, "contains");
    assert!(contains[model["spdxId"].as_str().expect("an id")].contains(file["spdxId"].as_str().expect("an id")));
    let manifest = files.iter().find(|file| file["name"] == "p/requirements.txt").expect("the manifest");
    assert_eq!(manifest.get("verifiedUsing"), None, "nobody hashed it");
}

#[test]
fn models_within_an_archive_stand_in_a_file_with_its_digest() {
    let world = World::with(&[]);
    let inner = weights();
    let mut archive = Vec::new();
    let mut header = [0_u8; 512];
    header[..17].copy_from_slice(b"inner.safetensors");
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{:011o}", inner.len()).as_bytes());
    header[148..156].fill(b' ');
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    archive.extend(header);
    archive.extend(&inner);
    archive.resize(512 + 512 * inner.len().div_ceil(512) + 1024, 0);
    world.write("p/models.tar", &archive);
    let output = world.scan(&["--format", "spdx", "p"]);
    let document = json(&output);
    let graph = graph(&document);
    assert_eq!(of_type(graph, "ai_AIPackage").len(), 1, "{}", text(&output));
    let files = of_type(graph, "software_File");
    let file = files.iter().find(|file| file["name"] == "p/models.tar").expect("the archive");
    assert_eq!(file["verifiedUsing"][0]["hashValue"].as_str().map(str::len), Some(64), "{file}");
}

#[test]
fn what_is_claimed_stays_apart_from_what_follows_from_bytes() {
    let world = world();
    let document = json(&world.scan(&["--format", "spdx", "p"]));
    let graph = graph(&document);
    let model = of_type(graph, "ai_AIPackage").into_iter().next().expect("a model");
    let annotations = of_type(graph, "Annotation");
    let said = |word: &str| -> Value {
        let statement = annotations
            .iter()
            .filter(|annotation| annotation["subject"] == model["spdxId"])
            .filter_map(|annotation| annotation["statement"].as_str())
            .filter_map(|statement| serde_json::from_str::<Value>(statement).ok())
            .find(|statement| statement.get(word).is_some());
        statement.expect("a statement")[word].clone()
    };
    assert_eq!(said("derived")["parameters"], serde_json::json!(["2"]));
    assert_eq!(said("claimed")["licence"], serde_json::json!(["apache-2.0"]));
    assert_eq!(said("derived").get("licence"), None);
    let data = of_type(graph, "dataset_DatasetPackage").into_iter().next().expect("the training data");
    assert_eq!(data["name"], "mnist");
    assert!(data["comment"].as_str().is_some_and(|comment| comment.contains("Claimed")), "{data}");
    let trained = relations(graph, "trainedOn");
    assert!(trained[model["spdxId"].as_str().expect("an id")].contains(data["spdxId"].as_str().expect("an id")));
}

#[test]
fn packages_carry_their_purl_their_dependencies_and_their_weaknesses() {
    let world = world();
    let lock = b"[[package]]\nname = \"outer\"\nversion = \"1.0.0\"\ndependencies = [\"inner\"]\n\
        source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
        [[package]]\nname = \"inner\"\nversion = \"2.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
    world.write("p/Cargo.lock", lock);
    let document = json(&world.scan(&["--format", "spdx", "p"]));
    let graph = graph(&document);
    let package = |purl: &str| {
        let packages = of_type(graph, "software_Package");
        let found = packages.into_iter().find(|package| package["externalIdentifier"][0]["identifier"] == purl);
        found.unwrap_or_else(|| panic!("{purl}"))["spdxId"].as_str().expect("an id")
    };
    let depends = relations(graph, "dependsOn");
    assert!(depends[package("pkg:cargo/outer@1.0.0")].contains(package("pkg:cargo/inner@2.0.0")));
    let weakness = of_type(graph, "security_Vulnerability").into_iter().next().expect("a weakness");
    assert_eq!(weakness["name"], "CVE-2018-18074");
    let names: BTreeSet<&str> = weakness["externalIdentifier"]
        .as_array()
        .expect("names")
        .iter()
        .filter_map(|name| name["identifier"].as_str())
        .collect();
    assert_eq!(names, BTreeSet::from(["CVE-2018-18074", "PYSEC-2018-28"]));
    let associated = relations(graph, "hasAssociatedVulnerability");
    let requests = package("pkg:pypi/requests@2.19.0");
    assert!(associated[requests].contains(weakness["spdxId"].as_str().expect("an id")));
    let affects = of_type(graph, "security_VexAffectedVulnAssessmentRelationship").into_iter().next().expect("one");
    assert_eq!((&affects["from"], &affects["to"][0]), (&weakness["spdxId"], &requests.into()));
    assert!(affects["security_actionStatement"].as_str().is_some_and(|action| action.contains("2.20.0")));
}

#[test]
fn spdx_is_the_same_bytes_for_the_same_input_and_dated_only_where_a_date_is_named() {
    let (here, there) = (world(), world());
    let undated = here.scan(&["--format", "spdx", "p"]);
    assert_eq!(text(&undated), text(&there.scan(&["--format", "spdx", "p"])));
    assert!(!text(&undated).contains(&*here.path().to_string_lossy()));
    let creation = |output| {
        let document = json(output);
        of_type(graph(&document), "CreationInfo").into_iter().next().expect("a creation").clone()
    };
    assert_eq!(creation(&undated)["created"], "1970-01-01T00:00:00Z");
    assert!(creation(&undated)["comment"].as_str().is_some_and(|comment| comment.contains("No date was named")));
    let dated = here.scan(&["--format", "spdx", "--as-of", "2026-11-22", "p"]);
    assert_eq!(creation(&dated)["created"], "2026-11-22T00:00:00Z");
    assert_eq!(creation(&dated).get("comment"), None);
    let ids = |output| {
        let document = json(output);
        let ids = graph(&document).iter().filter_map(|element| element["spdxId"].as_str());
        ids.map(str::to_owned).collect::<BTreeSet<String>>()
    };
    assert!(ids(&undated).is_disjoint(&ids(&dated)), "one name would mean two things");
}

#[test]
fn spdx_uses_only_words_of_the_published_context_and_names_only_elements_that_it_has() {
    let document = json(&world().scan(&["--format", "spdx", "p"]));
    let ids: BTreeSet<&str> = graph(&document).iter().filter_map(|element| element["spdxId"].as_str()).collect();
    let named = |value: &Value| value.as_str().is_none_or(|id| !id.starts_with("urn:") || ids.contains(id));
    for element in graph(&document) {
        for value in element.as_object().expect("an object").values() {
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            assert!(values.iter().all(named), "{element}");
        }
    }
    let Some(file) = shared("corpora/schemas/spdx3/spdx-context.jsonld") else { return };
    let context: Value = serde_json::from_slice(&std::fs::read(file).expect("a context")).expect("JSON");
    let context = &context["@context"];
    let mut waiting: Vec<&Value> = graph(&document).iter().collect();
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    assert!(key == "@id" || context.get(key).is_some(), "{key}");
                    let is_class = key == "type";
                    assert!(!is_class || value.as_str().is_some_and(|class| context.get(class).is_some()), "{value}");
                    waiting.push(value);
                }
            }
            Value::Array(values) => waiting.extend(values),
            _ => {}
        }
    }
}

/// The model is published as SHACL; the published JSON schema is made from it by shacl2code. `spdxId` is the
/// context's other name for `@id`, which the model's file does not tell shacl2code.
#[test]
fn spdx_conforms_to_the_published_model() {
    let Some(model) = shared("corpora/schemas/spdx3/spdx-model.ttl") else { return };
    let Some(context) = shared("corpora/schemas/spdx3/spdx-context.jsonld") else { return };
    let has_validators = Command::new("python3").args(["-c", "import jsonschema, pyshacl, shacl2code"]).output();
    if !has_validators.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: python3 has no jsonschema, pyshacl and shacl2code");
        return;
    }
    let world = world();
    let output = world.scan(&["--format", "spdx", "p"]);
    let document = world.path().join("spdx.json");
    std::fs::write(&document, &output.stdout).expect("a file");
    let check = "import json,subprocess,sys,jsonschema,pyshacl,rdflib\n\
        document,model,context,folder=sys.argv[1:]\n\
        url='https://spdx.org/rdf/3.0.1/spdx-context.jsonld'\n\
        schema=folder+'/spdx.schema.json'\n\
        subprocess.run([sys.executable,'-m','shacl2code','generate','-i',model,'-u',context,url,'jsonschema','-o',schema],check=True)\n\
        read=json.load(open(document))\n\
        named=json.loads(json.dumps(read).replace('\"spdxId\"','\"@id\"'))\n\
        jsonschema.Draft202012Validator(json.load(open(schema))).validate(named)\n\
        read['@context']=json.load(open(context))['@context']\n\
        data=rdflib.Graph().parse(data=json.dumps(read),format='json-ld')\n\
        shapes=rdflib.Graph().parse(model)\n\
        conforms,_,why=pyshacl.validate(data,shacl_graph=shapes,ont_graph=shapes)\n\
        assert conforms,why\n";
    let mut command = Command::new("python3");
    let checked = command.args(["-c", check]).args([&document, &model, &context]).arg(world.path()).output();
    let checked = checked.expect("python3");
    assert!(checked.status.success(), "{}{}", text(&checked), String::from_utf8_lossy(&checked.stderr));
}

/// From each element to what it is related to in that way.
fn relations<'a>(graph: &'a [Value], kind: &str) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut relations: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for relation in of_type(graph, "Relationship").into_iter().filter(|one| one["relationshipType"] == kind) {
        let to = relation["to"].as_array().into_iter().flatten().filter_map(Value::as_str);
        relations.entry(relation["from"].as_str().expect("an id")).or_default().extend(to);
    }
    relations
}
