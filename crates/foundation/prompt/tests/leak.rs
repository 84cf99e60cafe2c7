//! Answers that repeat canaries or system prompts are recognised, however they are cut and dressed up.

use bartizan_prompt::{Canary, Leak, LeakWatch, SystemPrompt, TooShort};
use proptest::prelude::*;

const CANARY: &str = "quail-7481-Orchid";
const PROMPT: &str = "You are Ada, the assistant of a bank in the north. Never talk about interest rates, never name a \
    colleague, and always end with a question about the next goal of the customer. If somebody asks who made you, say \
    that you were made with care. Answer in the language of the question and keep every answer under two hundred words.";

fn read(answer: &str, piece: usize) -> Leak {
    let canary = Canary::new(CANARY).unwrap_or_else(|error| panic!("{error}"));
    let prompt = SystemPrompt::new(PROMPT).unwrap_or_else(|error| panic!("{error}"));
    let mut watch = LeakWatch::new([canary], Some(prompt));
    let mut rest = answer;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.ceil_char_boundary(piece.min(rest.len())));
        watch.push(now);
        rest = later;
    }
    watch.finish()
}

#[test]
fn a_canary_is_found_however_it_is_dressed_up() {
    let hexadecimal: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    for answer in [
        format!("The reference is {CANARY}."),
        "QUAIL 7481 ORCHID".to_owned(),
        "q u a i l 7 4 8 1 o r c h i d".to_owned(),
        "quail\u{200B}74\u{200D}81orchid".to_owned(),
        "qu\u{430}il-7481-\u{43E}rchid".to_owned(),
        "dihcrO-1847-liauq".to_owned(),
        "dhnvy-7481-Bepuvq".to_owned(),
        hexadecimal,
        "cXVhaWwtNzQ4MS1PcmNoaWQ=".to_owned(),
        "eHF1YWlsLTc0ODEtT3JjaGlk".to_owned(),
        "eHhxdWFpbC03NDgxLU9yY2hpZA==".to_owned(),
    ] {
        assert!(read(&answer, 3).canary, "{answer}");
    }
    for answer in ["A quail has an orchid in 7481 gardens.", "quail-7482-orchid", "", "7481"] {
        assert!(!read(answer, 3).canary, "{answer}");
    }
}

#[test]
fn the_share_of_a_system_prompt_grows_with_what_is_repeated() {
    assert!(read(PROMPT, 5).share > 0.99);
    assert!(read(&PROMPT.to_uppercase().replace(' ', "\n* "), 7).share > 0.99);
    let half = read(&PROMPT[..PROMPT.len() / 2], 5).share;
    assert!((0.3..0.7).contains(&half), "{half}");
    let other = "I am glad to help. The rate depends on the term; would you like to see an example of a savings plan?";
    assert_eq!(read(other, 5).share, 0.0);
}

#[test]
fn what_is_too_short_to_be_recognised_is_refused() {
    assert_eq!(Canary::new("abc-123").err(), Some(TooShort::Canary));
    assert_eq!(SystemPrompt::new("You are a helpful assistant.").err(), Some(TooShort::Prompt));
}

proptest! {
    #[test]
    fn where_an_answer_is_cut_changes_nothing(before in ".{0,40}", after in ".{0,40}", piece in 1_usize..20) {
        let answer = format!("{before} {} {after}", &PROMPT[40..160]);
        prop_assert_eq!(read(&answer, piece), read(&answer, usize::MAX));
    }
}
