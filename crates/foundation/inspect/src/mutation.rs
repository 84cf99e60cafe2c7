//! Seeded mutation of sample inputs, for tests of parsers.

/// An endless, reproducible series of damaged copies of `seeds`: flipped bits, inserted, removed and
/// repeated pieces, pieces of another seed, extreme integers.
pub fn mutations(seeds: &[Vec<u8>], seed: u64) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut random = Random(seed | 1);
    std::iter::from_fn(move || {
        let mut bytes = random.pick(seeds)?.clone();
        for _ in 0..=random.below(6) {
            damage(&mut bytes, seeds, &mut random);
        }
        bytes.truncate(1 << 16);
        Some(bytes)
    })
}

fn damage(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let length = random.below(16).min(bytes.len() - at);
    match random.below(6) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => drop(bytes.drain(at..at + length)),
        2 => {
            let piece: Vec<u8> = bytes.iter().skip(at).take(length).copied().collect();
            bytes.splice(at..at, piece);
        }
        3 => {
            let piece = random.pick(seeds).map(Vec::as_slice).unwrap_or_default();
            let from = random.below(piece.len() + 1);
            let piece: Vec<u8> = piece.iter().skip(from).take(random.below(64)).copied().collect();
            bytes.splice(at..at, piece);
        }
        4 => {
            for byte in bytes.iter_mut().skip(at).take([1, 2, 4, 8].get(random.below(4)).copied().unwrap_or(1)) {
                *byte = 0xff;
            }
        }
        _ => {
            let byte = random.next().to_le_bytes()[0];
            bytes.insert(at, byte);
        }
    }
}

/// xorshift64* (Vigna 2016): reproducible, and good enough to choose where to break something.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or(0) % limit.max(1)
    }

    fn pick<'a>(&mut self, seeds: &'a [Vec<u8>]) -> Option<&'a Vec<u8>> {
        seeds.get(self.below(seeds.len()))
    }
}
