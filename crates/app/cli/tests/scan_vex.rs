//! `bartizan scan --format openvex` and `bartizan scan --vex` as a user runs them.

#![allow(clippy::expect_used, reason = "a test that cannot prepare its world has failed")]

mod scan;

use std::process::{Command, Output};

use scan::{World, json, shared, text};
use serde_json::{Value, json as object};

const PACKAGE: &str = "pkg:pypi/requests@2.19.0";

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A document of one statement about the package, with `more` fields.
fn document(id: &str, timestamp: &str, statement: &Value) -> Value {
    object!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": id,
        "author": "Ada",
        "timestamp": timestamp,
        "version": 1,
        "statements": [statement],
    })
}

fn about(vulnerability: &str, product: &Value, status: &str) -> Value {
    object!({
        "vulnerability": { "name": vulnerability },
        "products": [product],
        "status": status,
        "impact_statement": "redirects are off",
        "action_statement": "wait",
    })
}

fn not_affected() -> Value {
    about("CVE-2018-18074", &object!({ "@id": PACKAGE }), "not_affected")
}

/// Scans with a document of each statement, written in the order of the months of 2026.
fn scan_with(world: &World, statements: &[Value]) -> Output {
    let mut arguments = vec!["--format".to_owned(), "json".to_owned()];
    for (index, statement) in statements.iter().enumerate() {
        let name = format!("vex-{index}.json");
        let timestamp = format!("2026-{:02}-01T00:00:00Z", index + 1);
        world.write(
            &name,
            document(&format!("https://a.example/{index}"), &timestamp, statement).to_string().as_bytes(),
        );
        arguments.extend(["--vex".to_owned(), name]);
    }
    arguments.push("p".to_owned());
    world.scan(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn counted(output: &Output) -> Vec<String> {
    ids(output, "findings")
}

fn suppressed(output: &Output) -> Vec<String> {
    ids(output, "suppressed")
}

fn ids(output: &Output, list: &str) -> Vec<String> {
    let report = json(output);
    let found = report[list].as_array().expect("a list").iter();
    found.filter_map(|finding| finding["evidence"]["advisory"].as_str().map(str::to_owned)).collect()
}

fn is_valid(world: &World, output: &Output) {
    let Some(schema) = shared("corpora/schemas/openvex/openvex_json_schema.json") else { return };
    let has_validator = Command::new("python3").args(["-c", "import jsonschema"]).output();
    if !has_validator.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: python3 has no jsonschema");
        return;
    }
    world.write("written.json", &output.stdout);
    let check = "import json,sys,jsonschema\n\
        s=json.load(open(sys.argv[2]))\n\
        jsonschema.Draft202012Validator(s,format_checker=jsonschema.FormatChecker()).validate(json.load(open(sys.argv[1])))";
    let mut command = Command::new("python3");
    let checked = command.args(["-c", check]).arg(world.path().join("written.json")).arg(schema).output();
    let checked = checked.expect("python3");
    assert!(checked.status.success(), "{}", complaint(&checked));
}

fn only_statement(output: &Output) -> Value {
    let document = json(output);
    let statements = document["statements"].as_array().expect("statements");
    assert_eq!(statements.len(), 1, "{document:#}");
    statements[0].clone()
}

#[test]
fn a_covered_package_is_affected_and_told_which_version_mends_it() {
    let world = World::with_advisory();
    let output = world.scan(&["--format", "openvex", "p"]);
    assert_eq!(code(&output), 1);
    is_valid(&world, &output);
    let statement = only_statement(&output);
    assert_eq!(statement["status"], "affected");
    assert_eq!(statement["vulnerability"], object!({ "name": "CVE-2018-18074", "aliases": ["PYSEC-2018-28"] }));
    assert_eq!(statement["products"][0]["identifiers"]["purl"], PACKAGE);
    assert!(statement["action_statement"].as_str().is_some_and(|action| action.contains("2.20.0")), "{statement}");
}

#[test]
fn a_package_that_is_mentioned_twice_has_one_statement() {
    let world = World::with_advisory();
    world.write("p/deep/requirements.txt", b"requests==2.19.0\n");
    assert_eq!(only_statement(&world.scan(&["--format", "openvex", "p"]))["status"], "affected");
    // Accepted in one place, it still counts in the other.
    let ignore = "[[ignore]]\npath = \"p/deep/*\"\nowner = \"ada\"\nreason = \"test only\"\nexpires = 2099-01-01\n";
    world.write("bartizan-ignores.toml", ignore.as_bytes());
    assert_eq!(only_statement(&world.scan(&["--format", "openvex", "p"]))["status"], "affected");
}

#[test]
fn a_package_that_no_code_imports_is_not_called_not_affected_for_that() {
    let world = World::with_advisory();
    world.write("p/main.py", b"import json\n");
    let output = world.scan(&["--format", "openvex", "p"]);
    let statement = only_statement(&output);
    assert_eq!(statement["status"], "affected");
    assert!(statement["status_notes"].as_str().is_some_and(|notes| notes.contains("does not import")), "{statement}");
}

#[test]
fn an_accepted_finding_is_not_affected_only_where_its_owner_claims_that() {
    let world = World::with_advisory();
    let ignore =
        "[[ignore]]\nrule = \"BZ-DEP-001\"\nowner = \"ada\"\nreason = \"no redirects\"\nexpires = 2099-01-01\n";
    world.write("bartizan-ignores.toml", ignore.as_bytes());
    let output = world.scan(&["--format", "openvex", "p"]);
    is_valid(&world, &output);
    let statement = only_statement(&output);
    assert_eq!((code(&output), &statement["status"]), (0, &"under_investigation".into()));
    assert_eq!(statement.get("impact_statement"), None);
    let claim = format!("{ignore}justification = \"vulnerable_code_not_in_execute_path\"\n");
    world.write("bartizan-ignores.toml", claim.as_bytes());
    let output = world.scan(&["--format", "openvex", "p"]);
    is_valid(&world, &output);
    let statement = only_statement(&output);
    assert_eq!(statement["status"], "not_affected");
    assert_eq!(statement["justification"], "vulnerable_code_not_in_execute_path");
    assert_eq!(statement["impact_statement"], "no redirects");
    world.write("bartizan-ignores.toml", format!("{ignore}justification = \"because\"\n").as_bytes());
    let refused = world.scan(&["p"]);
    assert_eq!(code(&refused), 3);
    assert!(complaint(&refused).contains("component_not_present"), "{}", complaint(&refused));
}

#[test]
fn openvex_is_the_same_bytes_for_the_same_input_and_dated_only_where_a_date_is_named() {
    let (here, there) = (World::with_advisory(), World::with_advisory());
    let undated = here.scan(&["--format", "openvex", "p"]);
    assert_eq!(text(&undated), text(&there.scan(&["--format", "openvex", "p"])));
    assert_eq!(json(&undated)["timestamp"], "1970-01-01T00:00:00Z");
    assert!(json(&undated)["tooling"].as_str().is_some_and(|tooling| tooling.contains("no date was named")));
    let dated = here.scan(&["--format", "openvex", "--as-of", "2026-11-22", "p"]);
    assert_eq!(json(&dated)["timestamp"], "2026-11-22T00:00:00Z");
    assert_ne!(json(&undated)["@id"], json(&dated)["@id"]);
}

#[test]
fn a_document_without_statements_is_not_written() {
    let world = World::with(&[("p/readme.txt", b"hello")]);
    let output = world.scan(&["--format", "openvex", "p"]);
    assert_eq!((code(&output), text(&output).as_str()), (0, ""));
    assert!(complaint(&output).contains("needs a statement"), "{}", complaint(&output));
}

#[test]
fn what_was_written_and_edited_suppresses_exactly_that_finding() {
    let world = World::with_advisory();
    let other = br#"{"id":"GHSA-x84v-xcm2-53pg","modified":"2026-01-01T00:00:00Z","summary":"other",
        "affected":[{"package":{"ecosystem":"PyPI","name":"requests"},
        "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"2.21.0"}]}]}]}"#;
    world.write("osv/two.json", other);
    world.import();
    let written = world.scan(&["--format", "openvex", "p"]);
    is_valid(&world, &written);
    let mut document = json(&written);
    let statements = document["statements"].as_array_mut().expect("statements");
    assert_eq!(statements.len(), 2);
    world.write("as-it-is.json", &written.stdout);
    assert_eq!(counted(&world.scan(&["--format", "json", "--vex", "as-it-is.json", "p"])).len(), 2);
    let edited = statements.iter_mut().find(|one| one["vulnerability"]["name"] == "CVE-2018-18074").expect("it");
    edited["status"] = "not_affected".into();
    edited["justification"] = "vulnerable_code_not_in_execute_path".into();
    world.write("edited.json", document.to_string().as_bytes());
    let output = world.scan(&["--format", "json", "--vex", "edited.json", "p"]);
    assert_eq!(suppressed(&output), ["CVE-2018-18074"]);
    assert_eq!(counted(&output), ["GHSA-x84v-xcm2-53pg"]);
    // What somebody else said is passed on as what they said.
    let again = world.scan(&["--format", "openvex", "--vex", "edited.json", "p"]);
    is_valid(&world, &again);
    let again = json(&again);
    let passed = again["statements"].as_array().expect("statements").iter();
    let statuses: Vec<&str> = passed.filter_map(|statement| statement["status"].as_str()).collect();
    assert_eq!(statuses, ["not_affected", "affected"]);
}

#[test]
fn a_suppressed_finding_stays_in_json_and_sarif_with_who_said_why_and_where() {
    let world = World::with_advisory();
    let mut statement = not_affected();
    statement["justification"] = "vulnerable_code_not_in_execute_path".into();
    let output = scan_with(&world, &[statement]);
    assert_eq!((code(&output), counted(&output), suppressed(&output)), (0, vec![], vec!["CVE-2018-18074".to_owned()]));
    assert_eq!(
        json(&output)["suppressed"][0]["suppressed_by"],
        object!({
            "kind": "vex",
            "author": "Ada",
            "document": "https://a.example/0",
            "status": "not_affected",
            "justification": "vulnerable_code_not_in_execute_path",
            "impact": "redirects are off",
        })
    );
    let sarif = json(&world.scan(&["--format", "sarif", "--vex", "vex-0.json", "p"]));
    let said = &sarif["runs"][0]["results"][0]["suppressions"][0]["justification"];
    let said = said.as_str().expect("a suppression");
    for part in ["Ada", "https://a.example/0", "vulnerable_code_not_in_execute_path", "redirects are off"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn statements_are_matched_by_id_or_alias_and_by_package_with_or_without_version() {
    let world = World::with_advisory();
    let suppresses = |statement: Value| !suppressed(&scan_with(&world, &[statement])).is_empty();
    let of = |vulnerability: &str, product: Value| about(vulnerability, &product, "not_affected");
    assert!(suppresses(of("PYSEC-2018-28", object!({ "@id": PACKAGE }))));
    assert!(suppresses(of("CVE-2018-18074", object!({ "@id": "pkg:pypi/requests" }))));
    assert!(suppresses(of("CVE-2018-18074", object!({ "identifiers": { "purl": PACKAGE } }))));
    let mut aliased = of("VENDOR-1", object!({ "@id": PACKAGE }));
    aliased["vulnerability"]["aliases"] = object!(["CVE-2018-18074"]);
    assert!(suppresses(aliased));
    assert!(suppresses(about("CVE-2018-18074", &object!({ "@id": PACKAGE }), "fixed")));
    for product in ["pkg:pypi/requests@2.19.1", "pkg:npm/requests@2.19.0", "pkg:pypi/request", "https://a.example/app"]
    {
        assert!(!suppresses(of("CVE-2018-18074", object!({ "@id": product }))), "{product}");
    }
    assert!(!suppresses(of("CVE-2018-1807", object!({ "@id": PACKAGE }))));
    for status in ["affected", "under_investigation"] {
        assert!(!suppresses(about("CVE-2018-18074", &object!({ "@id": PACKAGE }), status)), "{status}");
    }
}

#[test]
fn a_product_is_spoken_of_as_far_as_its_subcomponents_reach() {
    let world = World::with_advisory();
    let of = |product: &str, part: &str, status: &str| {
        about("CVE-2018-18074", &object!({ "@id": product, "subcomponents": [{ "@id": part }] }), status)
    };
    let output = scan_with(&world, &[of("https://a.example/app", PACKAGE, "not_affected")]);
    assert_eq!(suppressed(&output).len(), 1);
    assert_eq!(json(&output)["suppressed"][0]["suppressed_by"]["product"], "https://a.example/app");
    let passed_on = world.scan(&["--format", "openvex", "--vex", "vex-0.json", "p"]);
    is_valid(&world, &passed_on);
    let product = &only_statement(&passed_on)["products"][0];
    assert_eq!(
        (&product["@id"], &product["subcomponents"][0]["@id"]),
        (&"https://a.example/app".into(), &PACKAGE.into())
    );
    assert!(suppressed(&scan_with(&world, &[of(PACKAGE, "pkg:pypi/urllib3", "not_affected")])).is_empty());
    // One product's good news is not another's.
    let both = [of("https://a.example/one", PACKAGE, "affected"), of("https://a.example/two", PACKAGE, "not_affected")];
    assert!(suppressed(&scan_with(&world, &both)).is_empty());
}

#[test]
fn the_newest_statement_counts_and_of_equally_new_ones_that_which_warns() {
    let world = World::with_advisory();
    let affected = about("PYSEC-2018-28", &object!({ "@id": "pkg:pypi/requests" }), "affected");
    assert!(suppressed(&scan_with(&world, &[not_affected(), affected.clone()])).is_empty());
    assert_eq!(suppressed(&scan_with(&world, &[affected.clone(), not_affected()])).len(), 1);
    let at = |mut statement: Value, moment: &str| {
        statement["timestamp"] = moment.into();
        statement
    };
    // A statement's own time outranks that of its document, whatever its zone.
    let zoned = [at(not_affected(), "2026-06-01T01:30:00+02:00"), at(affected.clone(), "2026-06-01T00:00:00Z")];
    assert!(suppressed(&scan_with(&world, &zoned)).is_empty());
    let moment = "2026-06-01T00:00:00Z";
    for pair in [[not_affected(), affected.clone()], [affected, not_affected()]] {
        let [one, two] = pair;
        assert!(suppressed(&scan_with(&world, &[at(one, moment), at(two, moment)])).is_empty());
    }
}

#[test]
fn not_affected_without_a_reason_is_not_heeded_and_said() {
    let world = World::with_advisory();
    let mut statement = not_affected();
    for empty in [Value::Null, " ".into()] {
        statement["impact_statement"] = empty;
        let output = scan_with(&world, std::slice::from_ref(&statement));
        assert_eq!((code(&output), counted(&output).len(), suppressed(&output).len()), (1, 1, 0));
        let said = "statement 1 of vex-0.json is not heeded";
        assert!(complaint(&output).contains(said), "{}", complaint(&output));
        assert!(json(&output)["notes"].to_string().contains(said), "{}", text(&output));
    }
}

#[test]
fn a_malformed_document_is_refused_with_its_name_and_what_is_wrong() {
    let world = World::with_advisory();
    let good = document("https://a.example/1", "2026-01-01T00:00:00Z", &not_affected());
    let with = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).expect("a place") = value;
        changed.to_string()
    };
    for (text, problem) in [
        ("{".to_owned(), "no OpenVEX document"),
        ("[]".to_owned(), "no OpenVEX document"),
        (with("/author", Value::Null), "no OpenVEX document"),
        (with("/author", " ".into()), "`author`"),
        (with("/@context", "https://cyclonedx.org".into()), "`@context`"),
        (with("/timestamp", "yesterday".into()), "yesterday"),
        (with("/statements/0/status", "fine".into()), "statement 1: `status` is `fine`"),
        (with("/statements/0/vulnerability", object!({})), "name"),
        (with("/statements/0/products/0", object!({})), "neither `@id` nor `identifiers`"),
        (with("/statements/0/impact_statement", 3.into()), "no OpenVEX document"),
        (format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), "no OpenVEX document"),
    ] {
        world.write("bad.json", text.as_bytes());
        let output = world.scan(&["--vex", "bad.json", "p"]);
        assert_eq!((code(&output), scan::text(&output).as_str()), (3, ""), "{problem}");
        let said = complaint(&output);
        assert!(said.contains("bad.json") && said.contains(problem), "{problem}: {said}");
    }
    let mut unknown = good;
    unknown["statements"][0]["justification"] = "because".into();
    world.write("bad.json", unknown.to_string().as_bytes());
    assert!(complaint(&world.scan(&["--vex", "bad.json", "p"])).contains("component_not_present"));
    let absent = world.scan(&["--vex", "absent.json", "p"]);
    assert_eq!(code(&absent), 3);
    assert!(complaint(&absent).contains("absent.json"), "{}", complaint(&absent));
}

#[test]
fn a_document_about_other_things_changes_nothing_and_only_advisories_can_be_excused() {
    let world = World::with_advisory();
    world.write("p/evil.pkl", b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.");
    let plain = world.scan(&["--format", "json", "p"]);
    let other = about("CVE-1999-1", &object!({ "@id": "pkg:pypi/other" }), "not_affected");
    assert_eq!(text(&scan_with(&world, &[other])), text(&plain));
    let excused = scan_with(&world, &[not_affected()]);
    assert_eq!((code(&excused), suppressed(&excused).len()), (1, 1));
    assert_eq!(json(&excused)["findings"][0]["rule"], "BZ-PKL-001");
}

#[test]
fn a_statement_about_one_of_two_joined_vulnerabilities_excuses_only_that_one() {
    let world = World::with(&[("p/requirements.txt", b"requests==2.19.0\n")]);
    let joined =
        br#"{"id":"GHSA-aaaa-bbbb-cccc","modified":"2026-01-01T00:00:00Z","aliases":["CVE-2026-1","CVE-2026-2"],
        "affected":[{"package":{"ecosystem":"PyPI","name":"requests"},
        "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]}]}"#;
    world.write("osv/joined.json", joined);
    world.import();
    let of = |name: &str| about(name, &object!({ "@id": PACKAGE }), "not_affected");
    assert!(suppressed(&scan_with(&world, &[of("CVE-2026-1")])).is_empty());
    let mut both = of("CVE-2026-1");
    both["vulnerability"]["aliases"] = object!(["CVE-2026-2"]);
    assert_eq!(suppressed(&scan_with(&world, &[both])).len(), 1);
    assert_eq!(suppressed(&scan_with(&world, &[of("GHSA-aaaa-bbbb-cccc")])).len(), 1);
}

#[test]
fn help_lists_every_format_and_the_option() {
    let help = text(&World::with(&[]).bartizan(&["scan", "--help"]));
    for word in ["spdx", "openvex", "cyclonedx-1.6", "sarif", "--vex"] {
        assert!(help.contains(word), "{word}");
    }
}
