//! What the inspector of secrets says about files.

use std::time::Duration;

use bartizan_core::{Completeness, Confidence, Finding, Position, Severity};
use bartizan_inspect::{Findings, Format, Inspect as _, Limits, Source, mutations, recognise};
use bartizan_sensitive::{kinds, sample};
use bartizan_supply::secrets::{self, Secrets};

fn scan(bytes: &[u8]) -> Vec<Finding> {
    let source = Source::from_bytes("app/settings.py", bytes.to_vec(), Limits::default());
    assert!(Secrets.claims(&source, recognise(&source)), "{}", recognise(&source));
    let mut findings = Findings::new();
    assert_eq!(Secrets.inspect(&source, &mut findings), Completeness::Complete);
    findings.as_slice().to_vec()
}

fn kind(finding: &Finding) -> &str {
    finding.evidence.get("kind").and_then(serde_json::Value::as_str).unwrap_or_default()
}

#[test]
fn a_secret_is_reported_with_kind_line_and_proof() {
    let token = sample("ghp_{crc62}", 1);
    let found = scan(format!("import os\n\ntoken = \"{token}\"\n").as_bytes());
    let [finding] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(finding.rule.id, "BZ-SEC-003");
    assert_eq!(kind(finding), "github-personal-access-token");
    assert_eq!(finding.location.position, Position::Line(3));
    assert_eq!(finding.confidence, Confidence::High);
    assert_eq!(finding.severity, Severity::High);
}

#[test]
fn no_rendered_finding_shows_a_secret() {
    for kind in kinds() {
        for template in kind.examples_of() {
            for seed in [1, 2] {
                let text = sample(template, seed);
                for found in bartizan_sensitive::find(text.as_bytes()) {
                    let (start, end) = (found.secret.start as usize, found.secret.end as usize);
                    let random = &text[start + found.redacted.prefix.len()..end];
                    let shown: String = scan(text.as_bytes())
                        .iter()
                        .map(|finding| format!("{finding:?} {}", serde_json::to_string(finding).unwrap()))
                        .collect();
                    for at in 0..random.len().saturating_sub(7) {
                        if random.is_char_boundary(at) && random.is_char_boundary(at + 7) {
                            assert!(!shown.contains(&random[at..at + 7]), "{} in {shown}", &random[at..at + 7]);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_finding_is_the_same_when_lines_move() {
    let line = sample("OPENAI_API_KEY=sk-proj-{a:74}T3BlbkFJ{a:74}\n", 1);
    let moved = format!("# a new first line\n{line}");
    let (before, after) = (scan(line.as_bytes()), scan(moved.as_bytes()));
    assert_eq!(before[0].identity, after[0].identity);
    assert_ne!(before[0].location, after[0].location);
    let other = scan(sample("OPENAI_API_KEY=sk-proj-{a:74}T3BlbkFJ{a:74}\n", 2).as_bytes());
    assert_ne!(before[0].identity, other[0].identity);
}

#[test]
fn a_secret_on_many_lines_is_one_finding_that_lists_them() {
    let line = sample("x = 'hf_{L:34}'\n", 1);
    let found = scan(line.repeat(25).as_bytes());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].evidence["occurrences"], 25);
    assert_eq!(found[0].evidence["lines"], serde_json::json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
}

#[test]
fn a_comment_lowers_a_finding_and_never_hides_it() {
    for comment in ["bartizan:allow", "gitleaks:allow"] {
        let found = scan(sample(&format!("x = 'hf_{{L:34}}'  # {comment}\n"), 1).as_bytes());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Info);
        assert!(found[0].evidence.contains_key("allowed"));
    }
    let elsewhere = scan(sample("# bartizan:allow\nx = 'hf_{L:34}'\n", 1).as_bytes());
    assert_eq!(elsewhere[0].severity, Severity::High);
    let twice = scan(sample("x = 'hf_{L:34}'\n", 1).repeat(2).replacen('\n', " # bartizan:allow\n", 1).as_bytes());
    assert_eq!(twice[0].severity, Severity::High, "one of two places is not vouched for");
}

#[test]
fn a_secret_deep_in_a_large_file_is_found_with_its_line() {
    let mut text = "one line of harmless text\n".repeat(60_000);
    text.push_str(&sample("key = sk-ant-api03-{w:93}AA\n", 1));
    text.push_str(&"and more of it\n".repeat(60_000));
    let found = scan(text.as_bytes());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].location.position, Position::Line(60_001));
}

#[test]
fn utf16_and_latin1_text_is_read() {
    let text = sample("clé = 'hf_{L:34}'\nnext", 1);
    let little: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
    for bytes in [little, big, latin] {
        let found = scan(&bytes);
        assert_eq!(found.len(), 1);
        assert_eq!(kind(&found[0]), "huggingface-token");
    }
}

#[test]
fn models_and_binaries_are_not_read_as_text() {
    let source = Source::from_bytes("a", vec![0x80, 0x04, 0x95, 0], Limits::default());
    for format in [Format::Pickle, Format::Gguf, Format::Safetensors, Format::Zip, Format::Image, Format::Executable] {
        assert!(!Secrets.claims(&source, format));
    }
    let binary = Source::from_bytes("b", b"\x01\x02\0\x03".to_vec(), Limits::default());
    assert!(!Secrets.claims(&binary, Format::Unknown));
}

#[test]
fn a_file_that_was_not_read_to_its_end_is_never_complete() {
    let text = "harmless\n".repeat(200_000);
    for limits in [Limits { bytes: 600_000, ..Limits::default() }, Limits { time: Duration::ZERO, ..Limits::default() }]
    {
        let source = Source::from_bytes("a.txt", text.clone().into_bytes(), limits);
        assert!(matches!(Secrets.inspect(&source, &mut Findings::new()), Completeness::Partial(_)));
    }
}

#[test]
fn more_secrets_than_can_be_listed_are_not_called_complete() {
    let text: String = (0..1200).map(|seed| sample("'hf_{L:34}'\n", seed)).collect();
    let source = Source::from_bytes("a.txt", text.into_bytes(), Limits::default());
    let mut findings = Findings::new();
    assert!(matches!(Secrets.inspect(&source, &mut findings), Completeness::Partial(_)));
}

#[test]
fn what_looks_random_and_is_no_secret_is_left_alone() {
    const TRAPS: &[&str] = &[
        // Lockfiles and digests.
        "    \"integrity\": \"sha512-{B:86}==\",\n    \"resolved\": \"https://host/a/-/a-1.0.0.tgz\",",
        "checksum = \"{h:64}\"",
        "    --hash=sha256:{h:64} \\\n",
        "FROM image@sha256:{h:64}",
        "github.com/a/b v1.2.3 h1:{B:43}=",
        "token_cache_sha256 = \"{h:64}\"",
        "archive = RemoteFileMetadata(filename=\"a.zip\", checksum=(\"{h:64}\"))",
        // Git objects, UUIDs, versions.
        "commit {h:40}\ntree {h:40}",
        "access_token_revision: {h:40}",
        "secret_name: {h:8}-{h:4}-{h:4}-{h:4}-{h:12}",
        "uuid = \"{h:8}-{h:4}-{h:4}-{h:4}-{h:12}\"",
        // Notebooks, minified code, data.
        "   \"image/png\": \"iVBORw0KGgoAAAANSUhEUgAA{B:400}\"",
        "<img src=\"data:image/png;base64,{B:300}\">",
        "function(e,t){return e.token=t.token,e.key=t.key,e.secret=n(t),e}",
        "var t=e.token||n.secret,r=o(t.password,e.apiKey);return{accessToken:t,secretKey:r}",
        "token=a.b.c.getToken(d,e),password=f.value",
        // Code.
        "tokens = tokenizer.encode(text, max_length=512)",
        "self.token = kwargs.pop(\"token\", None)",
        "def login(username: str, password: str = DEFAULT_PASSWORD_2) -> None:",
        "password = request.form[\"password\"]",
        "api_key = config.get(\"services.openai.api_key_v2\")",
        "secret_key = os.environ.get(\"SECRET_KEY_BASE_64\")",
        "API_KEY = settings.API_KEY_2024_PRODUCTION_EU",
        "PASSWORD_REGEX = r\"^(?=.*[A-Z])(?=.*[0-9]).{8,}$\"",
        "if token == \"[CLS]\" or token == \"<|endoftext|>\":",
        "\"unk_token\": \"<unk>\", \"pad_token_id\": 50256",
        "bos_token = \"<|begin_of_text|>\"",
        "\"tokenizer_class\": \"LlamaTokenizerFast\"",
        "token: ${{ secrets.GITHUB_TOKEN }}",
        "password: \"{{ lookup('env', 'DB_PASSWORD_1') }}\"",
        "export API_KEY=$(vault kv get -field=key secret/app1)",
        "secretKeyRef:\n  name: app-credentials-v2\n  key: database-password-1",
        // Documentation.
        "AKIAIOSFODNN7EXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "OPENAI_API_KEY=sk-your-key-here",
        "OPENAI_API_KEY=\"sk-...\"",
        "export HF_TOKEN=hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "api_key = \"YOUR_API_KEY_1234\"",
        "api_key=\"<your-api-key-here-123>\"",
        "postgres://user:password@localhost:5432/db",
        "mysql://root:${DB_PASSWORD}@db/app",
        "https://user:pass@example.com/",
        "redis://localhost:6379/0",
        "see https://host:8080/path@v1 and http://[::1]:80/",
        "password = \"changeme123\"",
        "token = \"1234567890abcdef1234567890abcdef\"",
        "secret = \"00000000-0000-0000-0000-000000000000\"",
        "-----BEGIN PUBLIC KEY-----\n{B:64}\n-----END PUBLIC KEY-----",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA{B:44} me@host",
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "random_state=42, n_tokens=1024, secret_santa=True",
        "The password must have 8 characters: at least 1 digit, 1 letter.",
    ];
    for trap in TRAPS {
        for seed in 1..6 {
            let text = sample(trap, seed);
            let found: Vec<String> = scan(text.as_bytes()).iter().map(|finding| kind(finding).to_owned()).collect();
            assert!(found.is_empty(), "{found:?} in `{trap}`: {text}");
        }
    }
}

#[test]
fn damaged_text_neither_panics_nor_runs_away() {
    let seeds: Vec<Vec<u8>> =
        kinds().iter().flat_map(|kind| kind.examples_of()).map(|template| sample(template, 1).into_bytes()).collect();
    let end = std::time::Instant::now() + Duration::from_secs(2);
    let mut count = 0;
    for bytes in mutations(&seeds, 0x5eed).take_while(|_| std::time::Instant::now() < end) {
        secrets::fuzz_one(&bytes);
        count += 1;
    }
    println!("{count} inputs");
    assert!(count > 100);
}

#[test]
fn our_own_source_holds_no_secret() {
    let Some(root) =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("Cargo.lock").exists())
    else {
        println!("skipped: not in the workspace");
        return;
    };
    let mut folders = vec![root.join("crates"), root.join("docs"), root.join("bench"), root.join("xtask")];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(source) = Source::open(&path.display().to_string(), &path, Limits::default()) else { continue };
            if !Secrets.claims(&source, recognise(&source)) {
                continue;
            }
            let mut findings = Findings::new();
            let _ = Secrets.inspect(&source, &mut findings);
            let shown: Vec<_> = findings.as_slice().iter().map(|f| (&f.location, &f.message)).collect();
            assert!(shown.is_empty(), "{shown:#?}");
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}
