//! A project with a package that an advisory covers, and the binary that scans it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const ADVISORY: &[u8] =
    br#"{"id":"PYSEC-2018-28","modified":"2026-01-01T00:00:00Z","aliases":["CVE-2018-18074"],"summary":"leaks",
    "affected":[{"package":{"ecosystem":"PyPI","name":"requests"},
    "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"2.20.0"}]}]}]}"#;

pub(crate) struct World(tempfile::TempDir);

impl World {
    pub(crate) fn with(files: &[(&str, &[u8])]) -> Self {
        let world = Self(tempfile::tempdir().expect("a folder"));
        for (name, bytes) in files {
            world.write(name, bytes);
        }
        world
    }

    /// `p/requirements.txt` pins a package, and an index holds an advisory that covers it.
    pub(crate) fn with_advisory() -> Self {
        let world = Self::with(&[("p/requirements.txt", b"requests==2.19.0\n"), ("osv/one.json", ADVISORY)]);
        world.import();
        world
    }

    /// Imports the advisories of `osv`.
    pub(crate) fn import(&self) {
        let imported = self.bartizan(&["intel", "import", "--output", "advisories.idx", "osv"]);
        assert_eq!(imported.status.code(), Some(0), "{}", String::from_utf8_lossy(&imported.stderr));
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }

    pub(crate) fn bartizan(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bartizan"));
        command.current_dir(self.path()).args(arguments).env_remove("SOURCE_DATE_EPOCH").env_remove("BARTIZAN_INTEL");
        command.env("XDG_DATA_HOME", self.path().join(".data")).output().expect("the binary runs")
    }

    /// Scans with the index, if there is one.
    pub(crate) fn scan(&self, arguments: &[&str]) -> Output {
        let has_index = self.path().join("advisories.idx").exists();
        let index: &[&str] = if has_index { &["--intel", "advisories.idx"] } else { &[] };
        self.bartizan(&[&["scan"], index, arguments].concat())
    }
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// A file of the shared folder beside the project; its absence is said.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("Cargo.lock").exists());
    let found = root.and_then(Path::parent).map(|beside| beside.join("shared").join(path)).filter(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: no shared/{path}");
    }
    found
}
