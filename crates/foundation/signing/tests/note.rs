//! Signed notes as C2SP signed-note describes them.

#![allow(clippy::unwrap_used)]

use bartizan_core::Secret;
use bartizan_signing::{NoteError, NoteSigner, NoteVerifier, SignedNote, SigningKey};
use proptest::prelude::*;

fn signer(name: &str) -> NoteSigner {
    NoteSigner::new(name, SigningKey::from_seed(&Secret::new([9; 32])).unwrap()).unwrap()
}

/// The example of golang.org/x/mod/sumdb/note, the format's first implementation.
#[test]
fn a_note_of_the_reference_implementation_verifies() {
    let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let note = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\
        \n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let verifier: NoteVerifier = key.parse().unwrap();
    assert_eq!(verifier.to_string(), key);
    assert!(verifier.verify(note.as_bytes()).is_ok());
    let changed = note.replace("your problem is", "my problem is");
    assert!(matches!(verifier.verify(changed.as_bytes()), Err(NoteError::WrongSignature(_))));
}

#[test]
fn every_changed_byte_of_a_note_is_refused() {
    let signer = signer("bartizan/node");
    let note = signer.sign("bartizan/node\n12\nAAAA\n").unwrap();
    let verifier = signer.verifier();
    assert!(verifier.verify(note.as_bytes()).is_ok());
    for at in 0..note.len() {
        for bit in 0..8 {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            assert!(verifier.verify(&bytes).is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn a_note_signed_by_somebody_else_is_unsigned_for_us() {
    let note = signer("other/node").sign("text\n").unwrap();
    let refused = signer("bartizan/node").verifier().verify(note.as_bytes()).unwrap_err();
    assert_eq!(refused, NoteError::Unsigned("bartizan/node".to_owned()));
}

#[test]
fn a_cosignature_of_an_unknown_kind_does_not_stand_in_the_way() {
    let signer = signer("bartizan/node");
    let note = signer.sign("text\n").unwrap() + "\u{2014} witness.example AAAAAAAA\n";
    assert_eq!(signer.verifier().verify(note.as_bytes()).unwrap().text(), "text\n");
}

#[test]
fn names_that_can_not_stand_in_a_note_are_refused() {
    for name in ["", "two words", "a+b", "line\nbreak"] {
        assert!(NoteSigner::new(name, SigningKey::generate().unwrap()).is_err(), "`{name}`");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_fall(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = SignedNote::split(&bytes);
        let _ = signer("bartizan/node").verifier().verify(&bytes);
    }

    #[test]
    fn no_text_makes_the_key_parser_fall(text in ".{0,80}") {
        let _ = text.parse::<NoteVerifier>();
    }
}
