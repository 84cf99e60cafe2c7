//! Patterns, checksums and a matcher for secrets in text.
//!
//! Knows bytes, no files: what is scanned, and what a match means for the reader, is up to the caller.
