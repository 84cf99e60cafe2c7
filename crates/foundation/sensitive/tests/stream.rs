//! Promises of the matcher: where a stream is cut changes nothing, time is linear, secrets stay hidden.

use std::time::{Duration, Instant};

use bartizan_sensitive::{Match, Stream, find, kinds, sample};

/// Text with one example of every kind, among prose.
fn corpus(seed: u64) -> Vec<u8> {
    let mut text = String::new();
    for (index, kind) in kinds().iter().enumerate() {
        for template in kind.examples_of() {
            text.push_str(&format!("# line {index} is about the {} of nobody\n", kind.title));
            text.push_str(&sample(template, seed));
            text.push('\n');
        }
    }
    text.into_bytes()
}

fn shape(found: &[Match]) -> Vec<(&'static str, u64, u64, String)> {
    let row = |found: &Match| {
        (found.kind.id, found.secret.start, found.secret.end, format!("{:?} {:?}", found.redacted, found.proof))
    };
    found.iter().map(row).collect()
}

fn find_in_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Match> {
    let (mut stream, mut found) = (Stream::new(), Vec::new());
    for piece in pieces {
        stream.push(piece, &mut found);
    }
    stream.finish(&mut found);
    found
}

#[test]
fn any_single_cut_gives_the_same_matches() {
    for kind in kinds() {
        for template in kind.examples_of() {
            let text = format!("before {} after\n", sample(template, 11)).into_bytes();
            let whole = shape(&find(&text));
            let step = (text.len() / 200).max(1);
            for cut in (0..text.len()).step_by(step) {
                let (head, tail) = text.split_at(cut);
                assert_eq!(shape(&find_in_pieces([head, tail].into_iter())), whole, "{} cut at {cut}", kind.id);
            }
        }
    }
}

#[test]
fn any_chunking_of_a_long_text_gives_the_same_matches() {
    let text: Vec<u8> = (1..12).flat_map(corpus).collect();
    assert!(text.len() > 2 * Stream::lag(), "{}", text.len());
    let whole = shape(&find(&text));
    assert!(whole.len() > 2000, "{}", whole.len());
    for size in [1, 7, 511, 4096, 65_535, 65_536, 65_537, 300_001] {
        assert_eq!(shape(&find_in_pieces(text.chunks(size))), whole, "pieces of {size}");
    }
    let mut state = 7_u64;
    let mut rest = text.as_slice();
    let pieces = std::iter::from_fn(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let size = usize::try_from(state >> 33).unwrap_or(1) % 20_000;
        let (piece, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        (!piece.is_empty() || !after.is_empty()).then_some(piece)
    });
    assert_eq!(shape(&find_in_pieces(pieces)), whole, "random pieces");
}

#[test]
fn matches_do_not_overlap_and_the_specific_kind_wins() {
    let text = sample("OPENAI_API_KEY=sk-proj-{a:74}T3BlbkFJ{a:74}\napi_key = \"ghp_{crc62}\"\n", 3);
    let found: Vec<&str> = find(text.as_bytes()).iter().map(|found| found.kind.id).collect();
    assert_eq!(found, ["openai-api-key", "github-personal-access-token"]);
    let found = find(&corpus(5));
    for pair in found.windows(2) {
        assert!(pair[0].secret.end <= pair[1].secret.start, "{pair:?}");
    }
}

#[test]
fn equal_secrets_have_equal_fingerprints_and_show_nothing() {
    let text =
        sample("first ghp_{crc62}", 3) + " " + &sample("again ghp_{crc62}", 3) + " " + &sample("other ghp_{crc62}", 4);
    let found = find(text.as_bytes());
    assert_eq!(found.len(), 3);
    assert_eq!(found[0].redacted.fingerprint, found[1].redacted.fingerprint);
    assert_ne!(found[0].redacted.fingerprint, found[2].redacted.fingerprint);
    let secret = &text[10..46];
    for found in &found {
        let shown = format!("{found:?} {}", found.redacted);
        for at in 0..secret.len() - 5 {
            assert!(!shown.contains(&secret[at..at + 5]), "{shown}");
        }
    }
}

#[test]
fn a_megabyte_of_traps_costs_a_bounded_multiple_of_plain_text() {
    const SIZE: usize = if cfg!(debug_assertions) { 1 << 20 } else { 16 << 20 };
    let fill_to = |unit: &str, size: usize| unit.as_bytes().iter().copied().cycle().take(size).collect::<Vec<u8>>();
    let fill = |unit: &str| fill_to(unit, SIZE);
    let time = |text: &[u8]| {
        let start = Instant::now();
        let found = find(text).len();
        (start.elapsed(), found)
    };
    let plain = fill("The quick brown fox jumps over the lazy dog, and nothing else happens here.\n");
    time(&plain);
    let reference = time(&plain).0.max(Duration::from_millis(5));
    let mut slowest = (Duration::ZERO, String::new());
    let mut units: Vec<String> = Vec::new();
    for kind in kinds() {
        for template in kind.examples_of().iter().chain(kind.counterexamples_of()) {
            let text = sample(template, 1);
            units.push(text.clone());
            let half = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            units.push(text[..half].to_owned());
        }
    }
    units.extend(
        [
            "sk-",
            "eyJ",
            "eyJ-eyJ.",
            "://a:b",
            "://a:bcdef",
            "token=",
            "token=\"a",
            "-----BEGIN ",
            "AKIA",
            "key:key:",
            "hf_",
            "password=a;",
            "Bearer ",
        ]
        .map(str::to_owned),
    );
    units.push(format!("-----BEGIN PRIVATE KEY-----{}", "A".repeat(70)));
    // The traps by class get the full size; every kind's own texts, a megabyte each outside debug builds.
    let classes = units.split_off(units.len() - 14);
    if cfg!(debug_assertions) {
        units.clear();
    }
    let share = 1.0 / (SIZE >> 20) as f64;
    let sized = classes.iter().map(|unit| (unit, SIZE, 1.0)).chain(units.iter().map(|unit| (unit, 1 << 20, share)));
    for (unit, size, share) in sized.filter(|(unit, ..)| !unit.is_empty()) {
        let took = time(&fill_to(unit, size)).0.div_f64(share);
        if took > slowest.0 {
            slowest = (took, unit.chars().take(12).collect());
        }
    }
    println!("plain {reference:?}, slowest {:?} for `{}`", slowest.0, slowest.1);
    assert!(slowest.0 < reference * 300, "{slowest:?} against {reference:?}");
}
