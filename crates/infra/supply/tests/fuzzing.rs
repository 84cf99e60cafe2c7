//! Readers of manifests and advisories survive damaged input. Two seconds by default;
//! `BARTIZAN_LONG=1` runs fifty times as many.

use std::time::{Duration, Instant};

use bartizan_inspect::mutations;
use bartizan_supply::{advisories, manifests};

const SEEDS: &[&str] = &[
    "-r other.txt\n--extra-index-url https://u:p@example.org\ntorch[a,b]==2.1.0 ; python_version>'3' \\\n  --hash=sha256:00\n-e git+https://example.org/a.git@v1#egg=a\n",
    "version = 4\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"00\"\ndependencies = [\"b 1.0.0\"]\n",
    "[[package]]\nname = \"a\"\nversion = \"1\"\nsource = {git = \"https://x#y\"}\nwheels = [{hash = \"sha256:00\"}]\n[package.dependencies]\nx = {version = \"1\"}\n[metadata.files]\na = [{hash=\"x\"}]\n",
    "{\"_meta\": {\"sources\": [{\"url\": \"https://x\"}]}, \"default\": {\"a\": {\"version\": \"==1\", \"hashes\": [\"sha256:00\"]}}}",
    "{\"packages\": {\"node_modules/@a/b\": {\"version\": \"1.2.3\", \"resolved\": \"git+ssh://git@x/c.git#main\", \"hasInstallScript\": true}}, \"dependencies\": {\"a\": {\"version\": \"1\", \"dependencies\": {}}}}",
    "lockfileVersion: '6.0'\npackages:\n  /@a/b@1.0.0(react@17.0.2):\n    resolution: {integrity: sha512-x}\n    dev: true\n",
    "__metadata:\n  version: 8\n\"@a/b@npm:^1\":\n  version: 1.2.3\n  resolution: \"@a/b@npm:1.2.3\"\n",
    "\"@a/b@^1\", c@2:\n  version \"1.2.3\"\n  resolved \"https://x/-/y#z\"\n  dependencies:\n    d \"^2\"\n",
    "module x\nrequire (\n a v1.2.3 // indirect\n)\nreplace a => ../b\n",
    "dependencies:\n  - c::numpy=1.2.3=b\n  - pip:\n    - torch==1\npackage:\n- name: a\n  version: 1\n  hash: {sha256: 00}\n",
    "Name: a\nVersion: 1\nRequires-Dist: b>=1\n\n",
    "[project]\ndependencies = [\"torch>=2\"]\n[tool.poetry.dependencies]\na = {git = \"x\"}\n[[tool.uv.index]]\nurl = \"https://x\"\n[options]\ninstall_requires =\n  a==1\n",
    "```toml\n[advisory]\nid = \"RUSTSEC-2020-0001\"\npackage = \"x\"\ndate = \"2020-01-01\"\ncvss = \"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"\n[versions]\npatched = [\"^0.2.3\", \">= 0.4\", \"=18446744073709551615.1\"]\n```\n# T\n",
    "id: X\naffected:\n- package: {ecosystem: PyPI, name: x}\n  ranges:\n  - {type: ECOSYSTEM, events: [{introduced: '0'}, {fixed: '1'}]}\n  versions: ['1!1.0rc1']\n",
    "#score_date:2026-01-01\ncve,epss,percentile\nCVE-2024-1,0.5,0.9\n",
];

#[test]
fn damaged_input_neither_panics_nor_runs_away() {
    let mut seeds: Vec<Vec<u8>> = SEEDS.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    let mut importer = advisories::Importer::new();
    importer.add("x.yaml", seeds.iter().nth_back(1).map(Vec::as_slice).unwrap_or_default());
    let mut contents = advisories::Contents::default();
    importer.finish("seed", "2026-01-01", &mut contents);
    seeds.push(contents.compile().unwrap_or_default());
    let time = if std::env::var_os("BARTIZAN_LONG").is_some() { 100 } else { 2 };
    let end = Instant::now() + Duration::from_secs(time);
    for (count, bytes) in mutations(&seeds, 0x5eed).enumerate() {
        let start = Instant::now();
        manifests::fuzz_one(&bytes);
        advisories::fuzz_one(&bytes);
        assert!(start.elapsed() < Duration::from_secs(5), "input {count} runs away: {bytes:02x?}");
        if Instant::now() > end {
            println!("{count} inputs");
            assert!(count > 100);
            return;
        }
    }
}
