//! Secrets in what a git repository remembers, in repositories that git itself makes and in damaged ones.

#![allow(clippy::expect_used, reason = "a test that cannot prepare its world has failed")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A repository in a temporary folder, written by git in a fixed way.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    /// None where git is not installed.
    fn new() -> Option<Self> {
        if Command::new("git").arg("--version").output().is_err() {
            eprintln!("skipped: git is not installed");
            return None;
        }
        let world = Self { folder: tempfile::tempdir().expect("a folder") };
        std::fs::create_dir(world.at("r")).expect("a folder");
        world.git(&["init", "--quiet", "--initial-branch=main"]);
        Some(world)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.git_on("2024-03-01T12:00:00Z", "r", arguments)
    }

    fn git_on(&self, date: &str, folder: &str, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(self.at(folder))
            .args(["-c", "protocol.file.allow=always", "-c", "gc.auto=0"])
            .args(arguments)
            .env_remove("GIT_DIR")
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
            .envs([("GIT_AUTHOR_NAME", "a"), ("GIT_AUTHOR_EMAIL", "a@example.org"), ("GIT_AUTHOR_DATE", date)])
            .envs([("GIT_COMMITTER_NAME", "c"), ("GIT_COMMITTER_EMAIL", "c@example.org"), ("GIT_COMMITTER_DATE", date)])
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at("r").join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// Commits everything on a day of March 2024 and gives the commit's id.
    fn commit(&self, day: u32) -> String {
        let date = format!("2024-03-{day:02}T12:00:00Z");
        self.git_on(&date, "r", &["add", "--all"]);
        self.git_on(&date, "r", &["commit", "--quiet", "--allow-empty", "--message", "work"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// A secret that was committed on the 2nd and taken out on the 3rd, and the commit that brought it.
    fn with_removed_secret(&self) -> (String, String) {
        let secret = token(1);
        self.write("readme.md", "hello\n");
        self.commit(1);
        self.write("src/config.py", &format!("import os\ntoken = \"{secret}\"\n"));
        let brought = self.commit(2);
        self.write("src/config.py", "import os\ntoken = os.environ['TOKEN']\n");
        self.commit(3);
        (secret, brought)
    }

    fn scan(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bartizan"));
        command.current_dir(self.folder.path()).arg("scan").args(arguments);
        command.env_remove("SOURCE_DATE_EPOCH").env_remove("BARTIZAN_INTEL");
        command.env("XDG_DATA_HOME", self.at(".data")).output().expect("the binary runs")
    }

    fn report(&self, path: &str) -> (i32, Value) {
        let output = self.scan(&["--history", "--only", "secrets", "--format", "json", path]);
        let report = serde_json::from_slice(&output.stdout);
        let report = report.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        (code(&output), report)
    }

    fn objects(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut waiting = vec![self.at("r/.git/objects")];
        while let Some(folder) = waiting.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                if entry.path().is_dir() { waiting.push(entry.path()) } else { files.push(entry.path()) }
            }
        }
        files
    }

    fn loose(&self, id: &str) -> PathBuf {
        let (folder, name) = id.split_at(2);
        self.at("r/.git/objects").join(folder).join(name)
    }
}

fn token(seed: u64) -> String {
    bartizan_sensitive::sample("ghp_{crc62}", seed)
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn findings(report: &Value) -> Vec<&Value> {
    report["findings"].as_array().expect("findings").iter().collect()
}

fn history(report: &Value) -> &Value {
    let mut files = report["files"].as_array().expect("files").iter();
    files.find(|file| file["format"] == "git").expect("the history's entry")
}

fn overwrite(path: &Path, bytes: &[u8]) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).expect("permissions");
    std::fs::write(path, bytes).expect("a file");
}

#[test]
fn a_secret_that_was_removed_again_is_found_in_the_commit_that_brought_it() {
    let Some(world) = World::new() else { return };
    let (_, brought) = world.with_removed_secret();
    let (code, report) = world.report("r");
    assert_eq!(code, 1);
    let found = findings(&report);
    assert_eq!(found.len(), 1, "{report:#}");
    assert_eq!(found[0]["location"]["path"], format!("r/src/config.py@{}", &brought[..12]));
    assert_eq!(found[0]["location"]["position"]["line"], 2);
    let evidence = &found[0]["evidence"];
    assert_eq!(evidence["commit"], brought);
    assert_eq!(evidence["authorDate"], "2024-03-02T12:00:00Z");
    assert_eq!(evidence["path"], "r/src/config.py");
    assert_eq!(evidence["inHead"], false);
    assert_eq!(history(&report)["state"], "complete");
    // Without the flag, the tree alone is looked at.
    assert_eq!(code_of_plain_scan(&world), 0);
}

fn code_of_plain_scan(world: &World) -> i32 {
    code(&world.scan(&["--only", "secrets", "r"]))
}

#[test]
fn a_secret_in_many_versions_and_places_is_one_finding_at_the_oldest() {
    let Some(world) = World::new() else { return };
    let secret = token(2);
    world.write("z.py", &format!("key = \"{secret}\"\n"));
    let brought = world.commit(1);
    for day in 2..6 {
        world.write("z.py", &format!("# version {day}\nkey = \"{secret}\"\n"));
        world.write(&format!("a{day}.py"), &format!("# copy {day}\nkey = \"{secret}\"\n"));
        world.commit(day);
    }
    world.git(&["rm", "-rq", "."]);
    world.commit(7);
    let (_, report) = world.report("r");
    let found = findings(&report);
    assert_eq!(found.len(), 1, "{report:#}");
    assert_eq!(found[0]["evidence"]["commit"], brought);
    assert_eq!(found[0]["evidence"]["versions"], 9);
}

#[test]
fn what_also_stands_in_the_tree_is_one_finding_that_says_so() {
    let Some(world) = World::new() else { return };
    let secret = token(3);
    world.write("old.py", &format!("key = \"{secret}\"\n"));
    let brought = world.commit(1);
    world.git(&["mv", "old.py", "new.py"]);
    world.commit(2);
    let (code, report) = world.report("r");
    assert_eq!(code, 1);
    let found = findings(&report);
    assert_eq!(found.len(), 1, "{report:#}");
    assert_eq!(found[0]["location"]["path"], "r/new.py");
    let past = &found[0]["evidence"]["history"];
    assert_eq!((&past["commit"], &past["path"]), (&Value::from(brought), &Value::from("r/old.py")));
    assert_eq!(past["inHead"], true);
}

#[test]
fn the_fingerprint_in_the_tree_is_the_same_with_and_without_history() {
    let Some(world) = World::new() else { return };
    world.write("a.py", &format!("key = \"{}\"\n", token(4)));
    world.commit(1);
    let plain = world.scan(&["--only", "secrets", "--format", "json", "r"]);
    let plain: Value = serde_json::from_slice(&plain.stdout).expect("JSON");
    let (_, report) = world.report("r");
    assert_eq!(findings(&plain)[0]["fingerprint"], findings(&report)[0]["fingerprint"]);
}

#[test]
fn branches_tags_stash_and_reflog_are_walked() {
    let Some(world) = World::new() else { return };
    world.write("readme.md", "hello\n");
    world.commit(1);
    let holds = |path: &str, seed| world.write(path, &format!("key = \"{}\"\n", token(seed)));
    world.git(&["checkout", "-q", "-b", "side"]);
    holds("branch.py", 10);
    world.commit(2);
    world.git(&["checkout", "-q", "main"]);
    world.git(&["checkout", "-q", "-b", "gone"]);
    holds("deleted_branch.py", 11);
    world.commit(3);
    world.git(&["checkout", "-q", "main"]);
    world.git(&["branch", "-q", "-D", "gone"]);
    holds("tag.py", 12);
    world.commit(4);
    world.git(&["tag", "-a", "-m", "t", "v1"]);
    world.git(&["reset", "-q", "--hard", "HEAD~1"]);
    holds("readme.md", 13);
    world.git(&["stash", "-q"]);
    holds("readme.md", 14);
    world.git(&["stash", "-q"]);
    let (_, report) = world.report("r");
    let mut paths: Vec<&str> =
        findings(&report).iter().map(|finding| finding["evidence"]["path"].as_str().expect("a path")).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["r/branch.py", "r/deleted_branch.py", "r/readme.md", "r/readme.md", "r/tag.py"], "{report:#}");
}

#[test]
fn what_only_a_merge_holds_is_found_and_both_sides_are_walked() {
    let Some(world) = World::new() else { return };
    world.write("readme.md", "hello\n");
    world.commit(1);
    world.git(&["checkout", "-q", "-b", "side"]);
    world.write("side.py", &format!("key = \"{}\"\n", token(20)));
    let side = world.commit(2);
    world.git(&["checkout", "-q", "main"]);
    world.write("main.py", "pass\n");
    world.commit(3);
    world.git_on("2024-03-04T12:00:00Z", "r", &["merge", "-q", "--no-commit", "side"]);
    world.write("evil.py", &format!("key = \"{}\"\n", token(21)));
    let merge = world.commit(4);
    world.git(&["rm", "-q", "evil.py", "side.py"]);
    world.commit(5);
    let (_, report) = world.report("r");
    let commits: Vec<&Value> = findings(&report).iter().map(|finding| &finding["evidence"]["commit"]).collect();
    assert_eq!(commits, [&Value::from(merge), &Value::from(side)], "{report:#}");
}

#[test]
fn the_report_is_the_same_bytes_loose_packed_cloned_and_borrowed() {
    let Some(world) = World::new() else { return };
    for day in 1..20 {
        world.write("text.py", &format!("{}\nday = {day}\n", "line\n".repeat(500)));
        world.write("keys.py", &format!("key = \"{}\"\n", token(30 + u64::from(day) % 4)));
        world.commit(day);
    }
    world.git(&["rm", "-q", "keys.py"]);
    world.commit(20);
    let bytes = |path: &str| {
        let output = world.scan(&["--history", "--only", "secrets", "--format", "json", path]);
        let mut report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        // The files below .git differ, the history and what it holds must not.
        let entry = history(&report).clone();
        report["files"] = Value::Null;
        report["totals"] = Value::Null;
        format!("{report:#}{entry:#}").replace(&format!("`{path}`"), "`r`").replace(&format!("{path}/"), "r/")
    };
    let loose = bytes("r");
    assert_eq!(loose, bytes("r"));
    assert_eq!(loose.matches("\"rule\"").count(), 4, "{loose}");
    world.git_on("2024-03-21T12:00:00Z", ".", &["clone", "-q", "--no-local", "r", "cloned"]);
    world.git_on("2024-03-21T12:00:00Z", ".", &["clone", "-q", "--shared", "r", "borrowed"]);
    let (cloned, borrowed) = (bytes("cloned"), bytes("borrowed"));
    // A fingerprint is over the path, which begins with the folder's name: only that may differ.
    let without_fingerprints = |text: &str| -> Vec<String> {
        let mut lines: Vec<String> =
            text.lines().filter(|line| !line.contains("bz1:")).map(ToOwned::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(without_fingerprints(&loose), without_fingerprints(&cloned));
    assert_eq!(without_fingerprints(&loose), without_fingerprints(&borrowed));
    world.git(&["gc", "-q", "--aggressive", "--prune=now"]);
    assert_eq!(loose, bytes("r"));
    world.git(&["worktree", "add", "-q", "--detach", "../linked"]);
    assert_eq!(without_fingerprints(&loose), without_fingerprints(&bytes("linked")));
}

#[test]
fn a_bare_repository_and_ids_of_sha256_are_read() {
    let Some(world) = World::new() else { return };
    world.with_removed_secret();
    world.git_on("2024-03-21T12:00:00Z", ".", &["clone", "-q", "--bare", "r", "bare.git"]);
    let (code, report) = world.report("bare.git");
    assert_eq!((code, findings(&report).len()), (1, 1), "{report:#}");
    std::fs::remove_dir_all(world.at("r")).expect("removed");
    std::fs::create_dir(world.at("r")).expect("a folder");
    world.git(&["init", "--quiet", "--object-format=sha256"]);
    let (_, brought) = world.with_removed_secret();
    let (code, report) = world.report("r");
    assert_eq!(code, 1);
    assert_eq!(findings(&report)[0]["evidence"]["commit"], brought);
}

#[test]
fn a_history_without_secrets_is_clean() {
    let Some(world) = World::new() else { return };
    assert_eq!(world.report("r").0, 0, "an empty repository");
    world.write("a.py", "print('hello')\n");
    world.commit(1);
    let (code, report) = world.report("r");
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["complete"], true);
}

#[test]
fn a_secret_never_appears_in_any_format() {
    let Some(world) = World::new() else { return };
    let (secret, _) = world.with_removed_secret();
    for format in ["table", "json", "sarif", "cyclonedx", "cyclonedx-1.6", "spdx", "openvex"] {
        let output = world.scan(&["--history", "--format", format, "r"]);
        let all = [output.stdout.clone(), output.stderr.clone()].concat();
        let all = String::from_utf8_lossy(&all);
        assert!(!all.contains(&secret) && !all.contains(&secret[4..20]), "{format}");
        assert!(code(&output) != 3, "{format}: {all}");
        if matches!(format, "table" | "json" | "sarif") {
            assert!(all.contains("config.py@"), "{format}: {all}");
        }
    }
}

#[test]
fn baselines_and_ignores_hold_for_the_history_too() {
    let Some(world) = World::new() else { return };
    let (secret, _) = world.with_removed_secret();
    let scan = |more: &[&str]| code(&world.scan(&[&["--history", "--only", "secrets"], more, &["r"]].concat()));
    assert_eq!(scan(&["--write-baseline", "known.json"]), 1);
    assert_eq!(scan(&["--baseline", "known.json"]), 0);
    // Another version with the same secret changes the count and not the finding.
    world.write("src/config.py", &format!("# again\ntoken = \"{secret}\"\n"));
    world.commit(4);
    world.git(&["rm", "-q", "src/config.py"]);
    world.commit(5);
    assert_eq!(scan(&["--baseline", "known.json"]), 0);
    let ignores = "[[ignore]]\npath = \"r/src/*.py\"\nowner = \"ada\"\nreason = \"revoked\"\nexpires = 2099-01-01\n";
    std::fs::write(world.at("ignores.toml"), ignores).expect("a file");
    assert_eq!(scan(&["--ignores", "ignores.toml"]), 0);
}

#[test]
fn a_secret_within_an_archive_of_the_history_is_found() {
    let (Some(world), Some(other)) = (World::new(), World::new()) else { return };
    other.with_removed_secret();
    let archive = world.at("r/old.zip").display().to_string();
    other.git(&["archive", "--format=zip", &format!("--output={archive}"), "HEAD~1"]);
    let brought = world.commit(4);
    world.git(&["rm", "-q", "old.zip"]);
    world.commit(5);
    let (_, report) = world.report("r");
    let found = findings(&report);
    assert_eq!(found.len(), 1, "{report:#}");
    assert_eq!(found[0]["location"]["path"], format!("r/old.zip@{}!src/config.py", &brought[..12]));
    assert_eq!(found[0]["evidence"]["path"], "r/old.zip");
}

#[test]
fn a_shallow_clone_is_incomplete_and_says_how_many_parents_are_missing() {
    let Some(world) = World::new() else { return };
    world.with_removed_secret();
    let url = format!("file://{}", world.at("r").display());
    world.git_on("2024-03-21T12:00:00Z", ".", &["clone", "-q", "--depth=1", &url, "shallow"]);
    let (code, report) = world.report("shallow");
    assert_eq!(code, 2, "{report:#}");
    assert_eq!(history(&report)["state"], "partial");
    assert_eq!(history(&report)["reason"], "1 parent commit is not here: the clone is shallow");
}

#[test]
fn a_damaged_or_missing_object_is_a_gap_and_the_rest_is_found() {
    let Some(world) = World::new() else { return };
    world.write("other.py", &format!("key = \"{}\"\n", token(40)));
    world.write("first.py", "print(1)\n");
    world.commit(1);
    let damaged = world.git(&["rev-parse", "HEAD:first.py"]);
    world.git(&["rm", "-q", "other.py"]);
    world.commit(2);
    let scan_with = |bytes: Option<&[u8]>| {
        match bytes {
            Some(bytes) => overwrite(&world.loose(&damaged), bytes),
            None => std::fs::remove_file(world.loose(&damaged)).expect("removed"),
        }
        let (_, report) = world.report("r");
        assert_eq!(findings(&report).len(), 1, "{report:#}");
        let low = world.scan(&["--history", "--only", "secrets", "--fail-on", "critical", "r"]);
        assert_eq!(code(&low), 2);
        history(&report)["reason"].as_str().expect("a reason").to_owned()
    };
    let whole = std::fs::read(world.loose(&damaged)).expect("an object");
    let named = &damaged[..12];
    for bytes in [&b"no zlib at all"[..], b"", &whole[..whole.len() / 2], &[0x78, 0x9c, 0xff, 0xff]] {
        assert_eq!(scan_with(Some(bytes)), format!("1 object is damaged ({named})"));
    }
    assert_eq!(scan_with(None), format!("1 object is missing ({named})"));
}

#[test]
fn a_damaged_pack_is_a_gap_and_never_a_crash() {
    let Some(world) = World::new() else { return };
    for day in 1..12 {
        world.write("text.py", &format!("{}day = {day}\n", "print('line')\n".repeat(200)));
        world.commit(day);
    }
    world.git(&["gc", "-q", "--prune=now"]);
    let files = world.objects();
    for end in ["pack", "idx"] {
        let path =
            files.iter().find(|path| path.extension().is_some_and(|extension| extension == end)).expect("a pack");
        let whole = std::fs::read(path).expect("a pack");
        let step = (whole.len() / 24).max(1);
        for at in (0..whole.len()).step_by(step) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x5a;
            overwrite(path, &bytes);
            let code = world.report("r").0;
            assert!(matches!(code, 0 | 2), "byte {at} of the {end}: {code}");
        }
        overwrite(path, &whole[..whole.len() / 3]);
        assert_eq!(world.report("r").0, 2, "a truncated {end}");
        overwrite(path, &whole);
    }
    assert_eq!(world.report("r").0, 0);
}

#[test]
fn an_object_that_claims_or_unpacks_to_too_much_is_a_gap() {
    let Some(world) = World::new() else { return };
    world.write("large.txt", "x\n");
    world.commit(1);
    let id = world.git(&["rev-parse", "HEAD:large.txt"]);
    // Python writes what git would refuse: an object of 1 GiB, and one whose header promises more than there is.
    for program in [
        "import sys,zlib;c=zlib.compressobj(9);o=open(sys.argv[1],'wb');o.write(c.compress(b'blob %d\\0'%(1<<30)));[o.write(c.compress(bytes(1<<20))) for _ in range(1<<10)];o.write(c.flush())",
        "import sys,zlib;open(sys.argv[1],'wb').write(zlib.compress(b'blob 99999999999999\\0x'))",
    ] {
        let _ = std::fs::remove_file(world.loose(&id));
        let made = Command::new("python3").args(["-c", program]).arg(world.loose(&id)).status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("skipped: python3 is not installed");
            return;
        }
        let (code, report) = world.report("r");
        assert_eq!(code, 2);
        assert_eq!(history(&report)["reason"], format!("1 object is too large to be read ({})", &id[..12]));
    }
}

#[test]
fn references_to_no_commit_are_followed_and_said() {
    let Some(world) = World::new() else { return };
    world.write("readme.md", "hello\n");
    world.commit(1);
    world.write("key.py", &format!("key = \"{}\"\n", token(50)));
    let blob = world.git(&["hash-object", "-w", "key.py"]);
    std::fs::remove_file(world.at("r/key.py")).expect("removed");
    world.git(&["tag", "key", &blob]);
    let (code, report) = world.report("r");
    assert_eq!(code, 1);
    let found = findings(&report);
    assert_eq!(found[0]["location"]["path"], format!("r@{}", &blob[..12]));
    assert_eq!(found[0]["evidence"]["commit"], Value::Null);
    assert!(report["notes"].to_string().contains("belong to no commit"), "{}", report["notes"]);
}

#[test]
fn submodules_are_named_links_are_read_and_strange_names_are_escaped() {
    let Some(world) = World::new() else { return };
    world.write("a\u{1b}[2Jb\u{7}.py", &format!("key = \"{}\"\n", token(60)));
    std::os::unix::fs::symlink(format!("https://x/?token={}", token(61)), world.at("r/link")).expect("a link");
    world.commit(1);
    world.git(&["rm", "-rq", "."]);
    let id = world.git(&["rev-parse", "HEAD"]);
    world.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},vendor/lib")]);
    world.git(&["commit", "-q", "-m", "module"]);
    let (_, report) = world.report("r");
    let text = String::from_utf8_lossy(&world.scan(&["--history", "r"]).stdout).into_owned();
    assert!(!text.contains('\u{1b}') && text.contains("a\\u{1b}[2Jb\\u{7}.py@"), "{text}");
    assert_eq!(findings(&report).len(), 2, "{report:#}");
    assert!(report["notes"].to_string().contains("`vendor/lib`"), "{}", report["notes"]);
}

#[test]
fn a_repository_can_not_make_us_run_or_wait_for_anything() {
    let Some(world) = World::new() else { return };
    world.with_removed_secret();
    let witness = world.at("ran");
    let run = format!("touch {}", witness.display());
    for key in ["core.fsmonitor", "core.sshCommand", "core.pager", "filter.x.smudge", "filter.x.clean", "gpg.program"] {
        world.git(&["config", key, &run]);
    }
    world.write(".gitattributes", "* filter=x\n");
    let include = format!("[include]\n\tpath = {}\n", world.at("pipe").display());
    let config = world.at("r/.git/config");
    let text = std::fs::read_to_string(&config).expect("a file");
    std::fs::write(&config, text + &include).expect("a file");
    assert!(Command::new("mkfifo").arg(world.at("pipe")).status().expect("mkfifo").success());
    let (code, report) = world.report("r");
    assert_eq!((code, findings(&report).len()), (1, 1), "{report:#}");
    assert!(!witness.exists());
    // A pipe where a file is expected would be waited for.
    std::fs::remove_file(world.at("r/.git/packed-refs")).ok();
    assert!(Command::new("mkfifo").arg(world.at("r/.git/packed-refs")).status().expect("mkfifo").success());
    let (code, report) = world.report("r");
    assert_eq!(code, 2, "{report:#}");
    assert_eq!(history(&report)["state"], "failed");
}

#[test]
fn a_path_without_a_repository_is_wrong_usage() {
    let Some(world) = World::new() else { return };
    world.write("src/a.py", "pass\n");
    world.commit(1);
    let said = |arguments: &[&str]| {
        let output = world.scan(arguments);
        assert_eq!(code(&output), 3);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    std::fs::create_dir(world.at("plain")).expect("a folder");
    assert!(said(&["--history", "plain"]).contains("`plain` is no git repository"));
    assert!(said(&["--history", "r/src"]).contains("it lies in"));
    assert!(said(&["--history", "-"]).contains("`-` is no git repository"));
    assert!(said(&["--history"]).contains("`.` is no git repository"));
    assert!(said(&["--history", "--only", "models", "r"]).contains("secrets only"));
}
