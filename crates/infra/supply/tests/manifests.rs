//! Manifests and lockfiles as a scan meets them.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot prepare its world has failed")]

use std::path::Path;

use bartizan_core::{Completeness, Component, Position, Severity};
use bartizan_inspect::{Examination, Limits, Source, examine, zip};
use bartizan_supply::INSPECTORS;

fn look(name: &str, text: &str) -> Examination {
    examine(&Source::from_bytes(name, text.as_bytes().to_vec(), Limits::default()), INSPECTORS)
}

fn rules(examination: &Examination) -> Vec<&'static str> {
    let ours = examination.findings.iter().map(|finding| finding.rule.id).filter(|id| id.starts_with("BZ-DEP-"));
    ours.collect()
}

fn property<'a>(component: &'a Component, name: &str) -> &'a str {
    component.properties.get(name).map(|property| property.value.as_str()).unwrap_or_default()
}

fn on_disk(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn look_at(folder: &Path, name: &str) -> Examination {
    let path = folder.join(name);
    examine(&Source::open(name, &path, Limits::default()).unwrap().within(&path, folder), INSPECTORS)
}

#[test]
fn a_package_is_listed_with_purl_line_digest_and_requirements() {
    let hash = "1".repeat(64);
    let examination = look(
        "poetry.lock",
        &format!(
            "[[package]]\nname = \"Torch\"\nversion = \"2.1.0\"\nfiles = [{{file = \"f\", hash = \"sha256:{hash}\"}}]\n\
             [package.dependencies]\nSymPy = \"*\"\n[[package]]\nname = \"sympy\"\nversion = \"1.12\"\n\
             files = [{{file = \"f\", hash = \"sha256:{hash}\"}}]\n"
        ),
    );
    assert_eq!(examination.completeness, Completeness::Complete);
    assert_eq!(rules(&examination), [""; 0]);
    let [torch, sympy] = examination.components.as_slice() else { panic!("{examination:?}") };
    assert_eq!((torch.name.as_str(), torch.version.as_deref()), ("torch", Some("2.1.0")));
    assert_eq!(torch.purl.as_deref(), Some("pkg:pypi/torch@2.1.0"));
    assert_eq!(torch.location.position, Position::Line(2));
    assert_eq!(torch.digest.map(|digest| digest.hex()), Some(hash));
    assert_eq!(torch.requires, ["pkg:pypi/sympy@1.12"]);
    assert_eq!(
        (
            property(torch, "ecosystem"),
            property(torch, "manifest"),
            property(torch, "scope"),
            property(sympy, "hashed")
        ),
        ("PyPI", "poetry-lock", "runtime", "true")
    );
}

#[test]
fn a_file_named_from_requirements_is_followed_once_and_never_out_of_the_folder() {
    let folder = on_disk(&[
        ("project/requirements.txt", "-r extra/more.txt\n-c constraints.txt\n-r ../outside.txt\na==1\n"),
        ("project/extra/more.txt", "-r ../requirements.txt\n-r more.txt\nb==2\n"),
        ("project/constraints.txt", "c==3\n"),
        ("outside.txt", "d==4\n"),
    ]);
    let examination = look_at(&folder.path().join("project"), "requirements.txt");
    let mut found: Vec<(String, String)> = examination
        .components
        .iter()
        .map(|component| (component.name.clone(), component.location.path.clone()))
        .collect();
    found.sort();
    // constraints.txt is met by the walk under its own name.
    let row = |name: &str, path: &str| (name.to_owned(), path.to_owned());
    assert_eq!(found, [row("a", "requirements.txt"), row("b", "extra/more.txt")]);
    let Completeness::Partial(reason) = examination.completeness else { panic!("not partial") };
    assert!(reason.contains("../outside.txt") && reason.contains("line 3"), "{reason}");
}

#[test]
fn an_ordinary_project_is_not_flooded() {
    let requirements: String = (0..500).map(|number| format!("package-{number}>={number}\n")).collect();
    let examination = look("requirements.txt", &requirements);
    assert_eq!(examination.completeness, Completeness::Complete);
    assert_eq!(rules(&examination), ["BZ-DEP-007"]);
    assert!(examination.findings.iter().all(|finding| finding.severity == Severity::Info));
    assert_eq!(rules(&look("pyproject.toml", "[project]\ndependencies = [\"torch>=2\", \"numpy\"]\n")), [""; 0]);
}

#[test]
fn where_packages_come_from_is_checked_and_passwords_are_not_shown() {
    let examination = look(
        "requirements.txt",
        "--index-url http://user:opensesame@packages.example.org/simple\n--extra-index-url https://pypi.org/simple\n\
         a==1\nb @ http://example.org/b.tar.gz\nc @ git+https://tok:opensesame@example.org/c.git@main\n",
    );
    assert_eq!(rules(&examination), ["BZ-DEP-009", "BZ-DEP-006", "BZ-DEP-009", "BZ-DEP-010"]);
    let shown = format!("{:?}{:?}", examination.findings, examination.components);
    assert!(!shown.contains("opensesame"), "{shown}");
}

#[test]
fn what_hashes_and_scripts_leave_open_is_said() {
    let hash = "0".repeat(64);
    let examination = look("requirements.txt", &format!("a==1 --hash=sha256:{hash}\nb==2\n"));
    assert_eq!(rules(&examination), ["BZ-DEP-008"]);
    let npm = look(
        "package-lock.json",
        r#"{"lockfileVersion": 3, "packages": {"node_modules/a": {"version": "1.0.0", "integrity": "sha512-x",
            "resolved": "https://registry.npmjs.org/a/-/a-1.0.0.tgz", "hasInstallScript": true}}}"#,
    );
    assert_eq!(rules(&npm), ["BZ-DEP-011"]);
}

#[test]
fn a_lockfile_that_cannot_be_read_is_never_clean() {
    for (name, text, place) in [
        ("uv.lock", "version = 1\n[[package]\n", "line 2"),
        ("Cargo.lock", "[[package]]\nname = 1\n", "line 2"),
        ("package-lock.json", "{\n\"packages\": [\n", "line 2"),
        ("pnpm-lock.yaml", "packages:\n  a: [\n", "line"),
        ("yarn.lock", "\nnot an entry\n", "line 2"),
        ("go.mod", "module x\nfrobnicate y\n", "line 2"),
        ("Pipfile.lock", "[]", "line 1"),
        ("torch-2.1.0.dist-info/METADATA", "Name: torch\n\n", "no version"),
    ] {
        let examination = look(name, text);
        let Completeness::Failed(reason) = &examination.completeness else { panic!("{name}: {examination:?}") };
        assert!(reason.contains(place), "{name}: {reason}");
    }
    let examination = look("requirements.txt", "torch==2.1.0\n{{ jinja }}\n");
    assert!(matches!(examination.completeness, Completeness::Partial(_)));
}

#[test]
fn a_wheel_is_listed_by_its_metadata() {
    // A stored member, written by hand: local header, bytes, directory.
    let (name, body) = (b"x-1.0.dist-info/METADATA", b"Metadata-Version: 2.1\nName: X\nVersion: 1.0\n");
    let mut crc = flate2::Crc::new();
    crc.update(body);
    let number = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
    let sizes = [crc.sum().to_le_bytes(), number(body.len()), number(body.len())].concat();
    let length = u16::try_from(name.len()).unwrap().to_le_bytes();
    let fields = [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &sizes, &length, &[0, 0]].concat();
    let local = [b"PK\x03\x04", &fields[..], name, body].concat();
    let directory = [b"PK\x01\x02\x14\0", &fields[..], &[0; 14], name].concat();
    let end = [b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &number(directory.len())[..], &number(local.len()), &[0, 0]].concat();
    let wheel = Source::from_bytes("x-1.0-py3-none-any.whl", [local, directory, end].concat(), Limits::default());
    let mut inspectors = INSPECTORS.to_vec();
    inspectors.push(&zip::ZipArchive);
    let examination = examine(&wheel, &inspectors);
    let [component] = examination.components.as_slice() else { panic!("{examination:?}") };
    assert_eq!(component.purl.as_deref(), Some("pkg:pypi/x@1.0"));
}
