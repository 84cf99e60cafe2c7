//! Seeded mutations of valid requests: the tensor parser neither panics nor hangs.

use bartizan_inference::protocol::fuzz_one;
use proptest::prelude::*;

const SEEDS: [&[u8]; 3] = [
    br#"{"id":"1","inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2.5],[3,4e3]]}]}"#,
    br#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"INT64","parameters":{"binary_data_size":16}}]}0123456789abcdef"#,
    br#"{"inputs":[{"name":"x","shape":[],"datatype":"UINT8","data":[255]}],"outputs":[],"parameters":{}}"#,
];

fn cases() -> u32 {
    if std::env::var_os("BARTIZAN_LONG").is_some() { 500_000 } else { 10_000 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_requests_end_in_a_request_or_a_refusal(
        seed in 0..SEEDS.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..12),
    ) {
        let mut bytes = SEEDS[seed].to_vec();
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len().max(1));
            match kind {
                0 if at < bytes.len() => bytes[at] = byte,
                1 => bytes.insert(at.min(bytes.len()), byte),
                2 if at < bytes.len() => { bytes.remove(at); }
                _ => bytes.truncate(at),
            }
        }
        fuzz_one(&bytes);
    }
}
