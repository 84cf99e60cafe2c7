//! Scanning a project: areas, accepted findings, bills of material, and trees that are in a bad state.

#![allow(clippy::expect_used, reason = "a test that cannot prepare its world has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const EVIL: &[u8] = b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.";
const GOOD: &[u8] = b"\x80\x04]\x94(K\x01K\x02e.";

fn bartizan(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bartizan"));
    command.current_dir(folder).args(arguments).env_remove("SOURCE_DATE_EPOCH").env_remove("BARTIZAN_INTEL");
    command.env("XDG_DATA_HOME", folder.join(".data")).output().expect("the binary runs")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn world(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }
    folder
}

fn shared(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("Cargo.lock").exists());
    let found = root.and_then(Path::parent).map(|beside| beside.join("shared").join(path)).filter(|path| path.exists());
    if found.is_none() {
        println!("skipped: no shared/{path}");
    }
    found
}

#[test]
fn a_scan_can_be_limited_to_areas() {
    let world = world(&[("p/evil.pkl", EVIL), ("p/requirements.txt", b"requests==2.19.0\n")]);
    let rules = |only: &str| -> Vec<String> {
        let report = json(&bartizan(world.path(), &["scan", "--format", "json", "--only", only, "p"]));
        let findings = report["findings"].as_array().expect("findings").iter();
        findings.filter_map(|finding| finding["rule"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(rules("models"), ["BZ-PKL-001"]);
    assert!(rules("secrets").is_empty());
    assert!(rules("dependencies").iter().all(|rule| rule.starts_with("BZ-DEP")));
    assert_eq!(code(&bartizan(world.path(), &["scan", "--only", "secrets,dependencies", "--fail-on", "high", "p"])), 0);
    assert_eq!(code(&bartizan(world.path(), &["scan", "--only", "weather", "p"])), 3);
}

#[test]
fn what_is_in_the_baseline_does_not_count_and_what_is_new_does() {
    let world = world(&[("p/evil.pkl", EVIL)]);
    let written = bartizan(world.path(), &["scan", "--write-baseline", "known.json", "p"]);
    assert_eq!(code(&written), 1);
    let known = bartizan(world.path(), &["scan", "--baseline", "known.json", "--format", "json", "p"]);
    assert_eq!(code(&known), 0, "{}", text(&known));
    let report = json(&known);
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(0));
    assert_eq!(report["suppressed"][0]["suppressed_by"]["kind"], "baseline");
    std::fs::write(world.path().join("p/other.pkl"), EVIL).expect("a file");
    assert_eq!(code(&bartizan(world.path(), &["scan", "--baseline", "known.json", "p"])), 1);
    std::fs::write(world.path().join("broken.json"), "{").expect("a file");
    assert_eq!(code(&bartizan(world.path(), &["scan", "--baseline", "broken.json", "p"])), 3);
}

#[test]
fn an_ignore_holds_until_its_last_day_and_is_reported_after_it() {
    let ignores = b"[[ignore]]\nrule = \"BZ-PKL-001\"\nowner = \"ada\"\nreason = \"our own\"\nexpires = 2026-12-31\n";
    let world = world(&[("p/evil.pkl", EVIL), ("bartizan-ignores.toml", ignores)]);
    let on = |day: &str, more: &[&str]| {
        let arguments = [&["scan", "--format", "sarif", "--as-of", day][..], more, &["p"]].concat();
        bartizan(world.path(), &arguments)
    };
    let held = on("2026-12-31", &[]);
    assert_eq!(code(&held), 0, "{}", text(&held));
    let suppression = &json(&held)["runs"][0]["results"][0]["suppressions"][0];
    assert_eq!(suppression["justification"], "ignored by ada until 2026-12-31: our own");
    let expired = on("2027-01-01", &[]);
    assert_eq!(code(&expired), 1);
    assert!(text(&expired).contains("BZ-IGN-001") && text(&expired).contains("BZ-PKL-001"));
    // Strict heeds only what it is told of.
    assert_eq!(code(&on("2026-12-31", &["--profile", "strict"])), 1);
    assert_eq!(code(&on("2026-12-31", &["--profile", "strict", "--ignores", "bartizan-ignores.toml"])), 0);
}

#[test]
fn files_that_are_passed_over_are_counted_and_a_scanned_folder_excludes_nothing() {
    let world = world(&[("p/evil.pkl", EVIL), ("p/.bartizanignore", b"*.pkl\n")]);
    assert_eq!(code(&bartizan(world.path(), &["scan", "p"])), 1);
    std::fs::write(world.path().join(".bartizanignore"), "p/*.pkl\n").expect("a file");
    let output = bartizan(world.path(), &["scan", "p"]);
    assert_eq!(code(&output), 0, "{}", text(&output));
    assert!(text(&output).contains("1 files are passed over"), "{}", text(&output));
    assert_eq!(code(&bartizan(world.path(), &["scan", "--profile", "strict", "p"])), 1);
}

#[test]
fn bills_of_material_are_valid_reproducible_and_hash_every_model() {
    let header = br#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    let weights = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 8]].concat();
    let lock = b"requests==2.19.0 --hash=sha256:0000000000000000000000000000000000000000000000000000000000000000\n";
    let world = world(&[("p/model.safetensors", &weights), ("p/requirements.txt", lock), ("p/good.pkl", GOOD)]);
    for format in ["cyclonedx", "cyclonedx-1.6"] {
        let one = bartizan(world.path(), &["scan", "--format", format, "p"]);
        let two = bartizan(world.path(), &["scan", "--format", format, "p"]);
        assert_eq!(text(&one), text(&two));
        let bom = json(&one);
        let components = bom["components"].as_array().expect("components");
        let model = components.iter().find(|part| part["type"] == "machine-learning-model").expect("the model");
        assert_eq!(model["hashes"][0]["alg"], "SHA-256");
        assert!(components.iter().any(|part| part["purl"] == "pkg:pypi/requests@2.19.0"));
        let Some(schemas) = shared("corpora/schemas/cyclonedx") else { continue };
        let version = if format == "cyclonedx" { "1.7" } else { "1.6" };
        let file = world.path().join("bom.json");
        std::fs::write(&file, text(&one)).expect("a file");
        let check = "import json,sys,pathlib,jsonschema\nfrom referencing import Registry,Resource\nd=pathlib.Path(sys.argv[2])\n\
            r=Registry().with_resources([(n,Resource.from_contents(json.loads(p.read_text()))) for p in d.glob('*.json') \
            for n in (p.name,'http://cyclonedx.org/schema/'+p.name)])\n\
            s=json.loads((d/f'bom-{sys.argv[3]}.schema.json').read_text())\n\
            jsonschema.Draft7Validator(s,registry=r).validate(json.load(open(sys.argv[1])))";
        let has_validator = Command::new("python3").args(["-c", "import jsonschema, referencing"]).output();
        if !has_validator.is_ok_and(|output| output.status.success()) {
            println!("skipped: python3 has no jsonschema");
            continue;
        }
        let mut command = Command::new("python3");
        let checked = command.args(["-c", check]).arg(&file).arg(&schemas).arg(version).output().expect("python3");
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn packages_are_compared_with_the_index_that_is_named() {
    let osv =
        br#"{"id":"PYSEC-2018-28","modified":"2026-01-01T00:00:00Z","aliases":["CVE-2018-18074"],"summary":"leaks",
        "affected":[{"package":{"ecosystem":"PyPI","name":"requests"},
        "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"2.20.0"}]}]}]}"#;
    let world = world(&[("p/requirements.txt", b"requests==2.19.0\n"), ("osv/one.json", osv)]);
    let without = bartizan(world.path(), &["scan", "p"]);
    assert_eq!(code(&without), 0, "{}", text(&without));
    assert!(text(&without).contains("not compared with advisories"), "{}", text(&without));
    // Strict does not take "nobody knows" for clean.
    assert_ne!(code(&bartizan(world.path(), &["scan", "--profile", "strict", "--fail-on", "critical", "p"])), 0);
    let imported = bartizan(world.path(), &["intel", "import", "--output", "advisories.idx", "osv"]);
    assert_eq!(code(&imported), 0, "{}", String::from_utf8_lossy(&imported.stderr));
    let with = bartizan(world.path(), &["scan", "--intel", "advisories.idx", "p"]);
    assert_eq!(code(&with), 1, "{}", text(&with));
    assert!(text(&with).contains("CVE-2018-18074") && text(&with).contains("2.20.0"), "{}", text(&with));
}

#[cfg(unix)]
#[test]
fn trees_in_a_bad_state_are_scanned_as_far_as_they_go_and_the_rest_is_said() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let world = world(&[("p/good.pkl", GOOD), ("p/locked/evil.pkl", EVIL)]);
    let p = world.path().join("p");
    symlink("loop", p.join("loop")).expect("a link");
    symlink("..", p.join("parent")).expect("a link");
    let made = Command::new("mkfifo").arg(p.join("pipe.pkl")).status().expect("mkfifo");
    assert!(made.success());
    std::fs::write(p.join(OsStr::from_bytes(b"\xff\x1b[31mred.pkl")), GOOD).expect("a file");
    std::fs::set_permissions(p.join("locked"), std::fs::Permissions::from_mode(0o000)).expect("permissions");
    let is_root = std::fs::read_dir(p.join("locked")).is_ok();
    let begun = std::time::Instant::now();
    let output = bartizan(world.path(), &["scan", "p"]);
    std::fs::set_permissions(p.join("locked"), std::fs::Permissions::from_mode(0o700)).expect("permissions");
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
    let table = text(&output);
    assert_eq!(code(&output), if is_root { 1 } else { 2 }, "{table}");
    assert!(table.contains("pipe.pkl: a pipe, socket or device is not opened"), "{table}");
    assert!(table.contains("loop: a symbolic link leads nowhere"), "{table}");
    assert!(table.contains("parent: a symbolic link leads out"), "{table}");
    assert!(!table.contains('\x1b'), "{table}");
    assert!(is_root || table.contains("can't be walked"), "{table}");
}

#[test]
fn what_a_model_card_claims_stands_beside_the_model_and_is_marked() {
    let card = b"---\nlicense: apache-2.0\nbase_model: google/bert\ndatasets:\n- squad\n---\n# A model\n";
    let net: &[u8] = b"\x80\x02ctorch\nSize\nK\x01\x85\x85R.";
    let world = world(&[("hub/README.md", card), ("hub/model.pkl", net), ("other/model.pkl", net)]);
    let bom = json(&bartizan(world.path(), &["scan", "--format", "cyclonedx", "."]));
    let parts = bom["components"].as_array().expect("components");
    let properties = |name: &str| -> Vec<String> {
        let part = parts.iter().find(|part| part["name"] == name).unwrap_or_else(|| panic!("{name} in {bom:#}"));
        let list = part["properties"].as_array().into_iter().flatten();
        list.map(|property| {
            format!("{}={}", property["name"].as_str().expect("a name"), property["value"].as_str().expect("a value"))
        })
        .collect()
    };
    let claimed = properties("hub/model.pkl");
    assert!(claimed.contains(&"bartizan:claimed:licence=apache-2.0".to_owned()), "{claimed:?}");
    assert!(claimed.contains(&"bartizan:claimed:datasets=squad".to_owned()), "{claimed:?}");
    assert!(!properties("other/model.pkl").iter().any(|property| property.contains("licence")));
    let dataset = parts.iter().find(|part| part["name"] == "squad").expect("the dataset");
    assert_eq!(dataset["type"], "data");
}
