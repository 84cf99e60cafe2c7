//! How evenly characters are spread.

/// Shannon entropy in bits per byte (Shannon 1948), from 0 for one repeated byte to 8.
///
/// ```
/// assert_eq!(bartizan_sensitive::entropy(b"aaaa"), 0.0);
/// assert_eq!(bartizan_sensitive::entropy(b"abcd"), 2.0);
/// ```
pub fn entropy(bytes: &[u8]) -> f32 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let length = bytes.len().max(1) as f32;
    let spread: f32 =
        counts.iter().filter(|count| **count > 0).map(|count| *count as f32 * (*count as f32).log2()).sum();
    (length.log2() - spread / length).max(0.0)
}
