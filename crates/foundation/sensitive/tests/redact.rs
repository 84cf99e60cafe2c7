//! Promises of the redactor: where text is cut changes nothing, no secret gets out, and prose is not held up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bartizan_sensitive::{Redaction, Redactor, WINDOW, find, fuzz_redactor, kinds, personal_kinds, sample};

fn rules() -> Arc<Redaction> {
    Arc::new(Redaction::default())
}

fn redact_pieces<'a>(pieces: impl IntoIterator<Item = &'a str>) -> String {
    let (mut redactor, mut out) = (Redactor::new(&rules()), String::new());
    for piece in pieces {
        redactor.push(piece, &mut out);
    }
    redactor.finish(&mut out);
    out
}

fn redact(text: &str) -> String {
    redact_pieces([text])
}

fn long() -> bool {
    std::env::var_os("BARTIZAN_LONG").is_some()
}

/// xorshift64* (Vigna 2016).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }
}

/// Texts with one secret or one piece of personal data each, and the id of its kind.
fn texts(seed: u64) -> Vec<(&'static str, String)> {
    let secrets = kinds().iter().flat_map(|kind| {
        kind.examples_of()
            .iter()
            .map(|template| (kind.id, format!("Well, here it is:\n{}\nand on.", sample(template, seed))))
    });
    let personal = personal_kinds().iter().flat_map(|kind| {
        kind.examples.iter().map(|example| (kind.id, format!("Reach me at {example} or write to us, please.")))
    });
    secrets.chain(personal).collect()
}

/// All texts in one, in an order that the seed decides, with prose between.
fn corpus(seed: u64) -> String {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut texts = texts(seed);
    let mut corpus = String::new();
    while !texts.is_empty() {
        let (_, text) = texts.swap_remove(random.below(texts.len()));
        corpus.push_str(&text);
        corpus.push_str(
            [" ", "\n", "\n\n", "\u{4f60}\u{597d}", " na\u{ef}ve \u{1f642} ", " 12 345 6 ", " token ", ""]
                [random.below(8)],
        );
    }
    corpus
}

fn pieces<'a>(text: &'a str, random: &mut Random, most: usize) -> Vec<&'a str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.ceil_char_boundary((1 + random.below(most)).min(rest.len())));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[test]
fn what_a_scan_calls_a_secret_never_gets_out() {
    let mut failures = Vec::new();
    for seed in 1..4 {
        for (id, text) in texts(seed) {
            let out = redact(&text);
            for found in find(text.as_bytes()) {
                let secret = &text[found.secret.start as usize..found.secret.end as usize];
                let shown = secret.as_bytes().windows(8.min(secret.len())).any(|run| {
                    let is_telling = run.iter().any(u8::is_ascii_digit) || run.len() < 8;
                    is_telling && out.as_bytes().windows(run.len()).any(|there| there == run)
                });
                if shown {
                    failures.push(format!("{id}: {text:?} -> {out:?}"));
                }
            }
            if out == text {
                failures.push(format!("{id} is not masked in {text:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_two_way_split_gives_the_redaction_of_the_whole() {
    for (id, text) in texts(7) {
        let whole = redact(&text);
        for cut in (0..=text.len()).filter(|cut| text.is_char_boundary(*cut)) {
            let (head, tail) = text.split_at(cut);
            assert_eq!(redact_pieces([head, tail]), whole, "{id} cut at {cut}");
        }
    }
}

#[test]
fn any_chunking_of_any_text_gives_the_redaction_of_the_whole() {
    let mut random = Random(5);
    let rounds = if long() { 100_000 } else { 1500 };
    let mut text = corpus(1);
    let mut whole = redact(&text);
    assert!(text.len() > 2 * WINDOW / 3, "{}", text.len());
    for round in 0..rounds {
        if round % 50 == 0 {
            text = corpus(round as u64);
            let from = text.ceil_char_boundary(random.below(text.len()));
            let to = text.ceil_char_boundary((from + random.below(3000)).min(text.len()));
            text = if round % 500 == 0 { text } else { text[from..to].to_owned() };
            whole = redact(&text);
        }
        let most = [1, 2, 4, 9, 40, 700][random.below(6)];
        assert_eq!(redact_pieces(pieces(&text, &mut random, most)), whole, "round {round}, pieces up to {most}");
    }
}

#[test]
fn text_without_white_space_is_cut_where_the_text_says() {
    let mut text = String::new();
    for seed in 0..40 {
        text.push_str(&sample("{a:3000};\"ghp_{crc62}\";jane@example.org,4111-1111-1111-1111;", seed));
    }
    assert!(text.len() > 2 * WINDOW);
    let whole = redact(&text);
    assert_eq!(whole.matches("[SECRET:github-personal-access-token]").count(), 40);
    assert_eq!(whole.matches("[EMAIL],[PAYMENT-CARD]").count(), 40);
    let mut random = Random(9);
    for most in [5, 100, 5000, 50_000] {
        assert_eq!(redact_pieces(pieces(&text, &mut random, most)), whole, "pieces up to {most}");
    }
}

#[test]
fn examples_of_personal_data_are_masked_and_counterexamples_are_not() {
    for kind in personal_kinds() {
        for example in kind.examples {
            let out = redact(&format!("see {example} there"));
            assert!(out.contains(kind.mask), "{}: {example} -> {out}", kind.id);
            let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
            assert_eq!(digits(&out), 0, "{}: {example} -> {out}", kind.id);
        }
        for example in kind.counterexamples {
            let out = redact(&format!("see {example} there"));
            assert!(!out.contains(kind.mask), "{}: {example} -> {out}", kind.id);
        }
    }
}

#[test]
fn prose_is_held_back_for_one_word_only() {
    let text = "Hello world, how are you today? The year 2024 has 366 days (as 2020 had), and 3.14 is not pi. \
                Costs rose by 12%, from $1,200 to $1,344. Let me explain the social aspects: delicious!";
    let (mut redactor, mut out, mut held) = (Redactor::new(&rules()), String::new(), 0);
    for (at, character) in text.char_indices() {
        redactor.push(character.encode_utf8(&mut [0; 4]), &mut out);
        let word = text[..at].rfind(' ').map_or(0, |space| at - space);
        held = held.max((at + 1 - out.len()).saturating_sub(word));
    }
    assert!(held <= 12, "{held}");
    redactor.finish(&mut out);
    assert_eq!(out, text);
}

#[test]
fn a_name_that_says_secret_is_held_until_no_value_can_follow() {
    let (mut redactor, mut out) = (Redactor::new(&rules()), String::new());
    redactor.push("The token, as you know, ", &mut out);
    assert_eq!(out, "The token, as you know, ");
    redactor.push("but the password ", &mut out);
    assert_eq!(out, "The token, as you know, but the ");
    redactor.push("is not something that I would tell ", &mut out);
    assert!(out.len() > 40, "{out}");
    redactor.finish(&mut out);
    assert_eq!(
        redact("the password is: Hunter2x9Qa7 and so on"),
        "the password is: [SECRET:generic-password] and so on"
    );
    // Put together, as our own source is scanned.
    let assigned = format!("password: str = '{}'", ["Hunter2", "x9Qa7"].concat());
    assert_eq!(redact(&assigned), "password: str = '[SECRET:generic-password]'");
}

#[test]
fn a_private_key_is_swallowed_and_what_follows_is_not() {
    let key = sample(
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{B:64}\n{B:64}\n{B:20}==\n-----END RSA PRIVATE KEY-----",
        3,
    );
    let text = format!("Your key:\n{key}\nKeep it.");
    assert_eq!(redact(&text), "Your key:\n[SECRET:private-key]\nKeep it.");
    let escaped = format!("{{\"key\": \"{}\", \"mail\": \"a@example.org\"}}", key.replace('\n', "\\n"));
    assert_eq!(redact(&escaped), "{\"key\": \"[SECRET:private-key]\", \"mail\": \"[EMAIL]\"}");
    let plain = "A key begins with -----BEGIN PRIVATE KEY----- and nobody should paste what follows that line anywhere, ever, as we all know.";
    assert_eq!(redact(plain), plain);
    let endless = sample("-----BEGIN PRIVATE KEY-----\n{B:60000}{B:60000}", 4);
    assert_eq!(redact(&endless), "[SECRET:private-key]");
}

#[test]
fn a_text_behind_a_name_is_judged_by_that_name() {
    let value = sample("{a:32}", 8);
    let (mut redactor, mut out) = (Redactor::between(&rules(), "\"api_key\": \""), String::new());
    redactor.push(&value, &mut out);
    redactor.finish_before("\"", &mut out);
    assert_eq!(out, "[SECRET:generic-api-key]");
    assert_eq!(redactor.counts(), [("generic-api-key", 1)]);
}

#[test]
fn excepted_kinds_pass() {
    let rules = Arc::new(Redaction { except: ["email".to_owned()].into(), ..Redaction::default() });
    let (mut redactor, mut out) = (Redactor::new(&rules), String::new());
    redactor.push("jane@example.org has 4111111111111111", &mut out);
    redactor.finish(&mut out);
    assert_eq!(out, "jane@example.org has [PAYMENT-CARD]");
}

#[test]
fn traps_cost_a_bounded_multiple_of_plain_text() {
    const SIZE: usize = if cfg!(debug_assertions) { 128 << 10 } else { 4 << 20 };
    let fill = |unit: &str| unit.repeat(SIZE / unit.len() + 1);
    let time = |text: &str| {
        let started = Instant::now();
        redact(text);
        started.elapsed()
    };
    let plain = fill("The quick brown fox jumps over the lazy dog, and nothing else happens here.\n");
    time(&plain);
    let reference = time(&plain).max(Duration::from_millis(1));
    let traps = [
        "token ",
        "token=",
        "token = ",
        "token: str ",
        "password: a ",
        "1,",
        "1 ",
        "4111 ",
        "300 ",
        "300-",
        "+1 ",
        "(415) ",
        "DE89 ",
        "+(",
        "a@",
        "a@b.",
        "@",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY----- ",
        "-----BEGIN PRIVATE KEY-----\na1B2c3D4e5F6g7H8",
        "PuTTY-User-Key-File-",
        "Bearer ",
        "PrivateKey = ",
        "eyJ",
        "https://a:b",
        "\u{4f60}",
        "415-555-2671,",
        "4111111111111111,",
        "-----END",
        "\u{a0}1",
        "a.b.c.d.",
        "password=\"",
    ];
    let mut slowest = (Duration::ZERO, "");
    for trap in traps {
        let took = time(&fill(trap));
        if took > slowest.0 {
            slowest = (took, trap);
        }
    }
    println!("plain {reference:?}, slowest {slowest:?}");
    assert!(slowest.0 < reference * 1000, "{slowest:?} against {reference:?}");
}

#[test]
fn damaged_text_is_redacted_alike_in_whatever_pieces() {
    let mut random = Random(11);
    let seed = corpus(2).into_bytes();
    for _ in 0..if long() { 100_000 } else { 1500 } {
        let from = random.below(seed.len());
        let mut bytes = seed[from..(from + random.below(1200)).min(seed.len())].to_vec();
        for _ in 0..random.below(12) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 if !bytes.is_empty() => bytes[at] = random.below(256) as u8,
                1 if !bytes.is_empty() => drop(bytes.remove(at)),
                2 => bytes.insert(at.min(bytes.len()), b" -@:=\"\n0"[random.below(8)]),
                _ => bytes.truncate(bytes.len() - at.min(bytes.len()) / 4),
            }
        }
        fuzz_redactor(&bytes);
    }
}

#[test]
fn passwords_of_addresses_within_addresses_are_both_masked() {
    let (first, second) = (sample("{a:20}", 3), sample("{a:20}", 4));
    let text = format!("proxy https://a:{first}@https://b:{second}@db.internal/ now");
    for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
        let (head, tail) = text.split_at(at);
        let masked = redact_pieces([head, tail]);
        assert!(!masked.contains(&first) && !masked.contains(&second), "cut at {at}: {masked}");
    }
}
