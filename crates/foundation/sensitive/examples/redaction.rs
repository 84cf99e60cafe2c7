//! Measures the redactor on one core: megabytes a second on chat, whole and in deltas, and on text full of secrets.
//!
//! Run by `cargo xtask bench redaction`. With a word, only the figures whose names hold it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bartizan_sensitive::{Redaction, Redactor, find, kinds, personal_kinds, sample};

/// What assistants write: prose with some numbers and some code.
const CHAT: &str = "\
Sure, happy to help! There are a few ways to approach this, and which one is right depends on how large your team is
and how often you expect the requirements to change. Let me walk you through the main options one by one.

The simplest approach is to keep everything in a single repository. New colleagues find their way around more quickly,
refactoring across boundaries is cheap, and there is only one place where the history lives. The drawback is that the
build becomes slower over time, so you will want some kind of caching once it takes longer than 10 minutes.

Another option is to split the code into separate services. Each of them can be deployed on its own, which sounds great
at first, but keep in mind that every call over the network can fail. In 2019 a survey of about 1,200 engineers found
that most of them underestimated that cost. You need timeouts, retries with a growing pause, and a way to follow a
request through the whole system.

```python
def retry(call, attempts=3, pause=0.5):
    for attempt in range(attempts):
        try:
            return call()
        except ConnectionError:
            if attempt == attempts - 1:
                raise
            time.sleep(pause * 2 ** attempt)
```

In short: start simple, measure what hurts, and only then add moving parts. A good rule of thumb is that a boundary
should follow the way people work together, not the way a diagram looks nice. If you tell me a bit more about your
situation, such as how many people work on it and how often you release, I can give you a more concrete suggestion.

";

/// Megabytes a second that `pieces` of `text` take, the best of five runs.
fn rate(text: &str, size: usize) -> f64 {
    let rules = Arc::new(Redaction::default());
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let (mut redactor, mut out) = (Redactor::new(&rules), String::with_capacity(text.len() + 4096));
        let started = Instant::now();
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.ceil_char_boundary(size.min(rest.len())));
            redactor.push(piece, &mut out);
            rest = after;
        }
        redactor.finish(&mut out);
        best = best.min(started.elapsed());
        std::hint::black_box(&out);
    }
    text.len() as f64 / 1e6 / best.as_secs_f64()
}

fn main() {
    let chat = CHAT.repeat((16 << 20) / CHAT.len());
    let mut secrets = String::new();
    for seed in 0..40 {
        for kind in kinds() {
            secrets.push_str("Here you are:\n");
            secrets.push_str(&sample(kind.examples_of().first().unwrap_or(&""), seed));
            secrets.push_str("\n\n");
        }
        for kind in personal_kinds() {
            secrets.push_str(&format!("Reach me at {} please.\n", kind.examples.join(" or ")));
        }
    }
    let started = Instant::now();
    std::hint::black_box(find(chat.as_bytes()));
    let scan = chat.len() as f64 / 1e6 / started.elapsed().as_secs_f64();
    for (name, text, size) in [
        ("chat, pieces of 16 KiB", &chat, 16 << 10),
        ("chat, deltas of 5 bytes", &chat, 5),
        ("text full of secrets, pieces of 16 KiB", &secrets, 16 << 10),
        ("text full of secrets, deltas of 5 bytes", &secrets, 5),
    ] {
        if std::env::args().nth(1).is_some_and(|only| !name.contains(&only)) {
            continue;
        }
        println!("{name}: {:.0} MB/s a core", rate(text, size));
    }
    println!("for comparison, the scan for secrets alone on that chat: {scan:.0} MB/s a core");
}
