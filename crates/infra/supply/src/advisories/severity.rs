//! How bad an advisory is, from what its publisher wrote.

use bartizan_core::Severity;

/// The severity of a CVSS vector of version 2, 3.0, 3.1 or 4.0 (the qualitative scales of their
/// specifications); `None` where it is not one.
pub(crate) fn of_vector(vector: &str) -> Option<Severity> {
    let vector: cvss::Cvss = vector.trim().parse().ok()?;
    Some(match vector.severity() {
        cvss::Severity::None => Severity::Info,
        cvss::Severity::Low => Severity::Low,
        cvss::Severity::Medium => Severity::Medium,
        cvss::Severity::High => Severity::High,
        cvss::Severity::Critical => Severity::Critical,
    })
}

/// The severity of a word as databases use it (`MODERATE`, `HIGH`, …).
pub(crate) fn of_word(word: &str) -> Option<Severity> {
    match word.to_ascii_lowercase().as_str() {
        "moderate" => Some(Severity::Medium),
        word => Severity::parse(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_three_generations_and_words_are_understood() {
        assert_eq!(of_vector("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), Some(Severity::Critical));
        assert_eq!(of_vector("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"), Some(Severity::Medium));
        assert_eq!(
            of_vector("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"),
            Some(Severity::Critical)
        );
        assert_eq!(of_vector("AV:N/AC:L/Au:N/C:P/I:P/A:P"), Some(Severity::High));
        assert_eq!(of_vector("CVSS:3.1/AV:Q"), None);
        assert_eq!(of_word("MODERATE"), Some(Severity::Medium));
    }
}
