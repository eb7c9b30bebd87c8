//! The embedding: its properties, and its vectors for ever.

use lookback::{DIMENSIONS, ENCODER_VERSION, Embedding};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

proptest! {
    #[test]
    fn it_is_of_unit_length(text in "\\PC{1,80}") {
        match Embedding::of(&text) {
            Some(embedding) => {
                prop_assert_eq!(embedding.as_slice().len(), DIMENSIONS);
                let length: f32 = embedding.as_slice().iter().map(|x| x * x).sum::<f32>().sqrt();
                prop_assert!((length - 1.0).abs() < 1e-5, "{length}");
            }
            None => prop_assert!(text.trim().is_empty(), "{text:?} has a word"),
        }
    }

    #[test]
    fn it_is_the_same_for_any_case_and_white_space(words in proptest::collection::vec("\\PC{1,12}", 1..8)) {
        let plain = Embedding::of(&words.join(" "));
        prop_assert_eq!(plain, Embedding::of(&words.join(" ")));
        prop_assert_eq!(plain, Embedding::of(&format!("\t{}\r\n", words.join(" \u{a0}\n "))));
        prop_assert_eq!(plain, Embedding::of(&words.join(" ").to_lowercase()));
        prop_assert_eq!(plain, Embedding::of(&words.join(" ").to_uppercase()));
    }

    #[test]
    fn it_does_not_depend_on_the_order_of_words(mut words in proptest::collection::vec("[a-z]{1,9}", 1..9)) {
        let forwards = Embedding::of(&words.join(" "));
        words.reverse();
        prop_assert_eq!(forwards, Embedding::of(&words.join(" ")));
    }
}

/// In 16 dimensions one pair of words may lie anywhere; of many pairs, the
/// misspelt ones are near and the others are not.
#[test]
fn a_wrong_letter_stays_near() {
    let mut runner = TestRunner::deterministic();
    let words = ("[a-z]{8,12}", "[a-z]{8,12}", 1..7_usize);
    let of = |text: &str| Embedding::of(text).expect("words");
    let (mut misspelt, mut other) = (0.0, 0.0);
    for _ in 0..1_000 {
        let (word, unlike, at) = words.new_tree(&mut runner).expect("words").current();
        let mut letters: Vec<char> = word.chars().collect();
        letters.swap(at, at + 1);
        let wrong: String = letters.into_iter().collect();
        misspelt += of(&word).cosine(&of(&wrong)) / 1_000.0;
        other += of(&word).cosine(&of(&unlike)) / 1_000.0;
    }
    // Two letters exchanged leave some six of ten runs, and not the word itself: a third.
    assert!(misspelt > 0.25, "{misspelt}");
    assert!(other.abs() < 0.05, "{other}");
}

/// Every letter that Unicode has in two cases.
#[test]
fn every_letter_is_one_in_every_case() {
    let mut letters = 0;
    for c in '\u{0}'..=char::MAX {
        let text = format!("a{c}b c{c}");
        let (lower, upper) = (text.to_lowercase(), text.to_uppercase());
        if lower == upper {
            continue;
        }
        if c.to_lowercase().ne(c.to_uppercase()) {
            letters += 1;
            let of = Embedding::of(&text);
            assert_eq!(of, Embedding::of(&lower), "{c:?}");
            assert_eq!(of, Embedding::of(&upper), "{c:?}");
        }
    }
    assert!(letters > 2_500, "{letters}");
}

#[test]
fn no_word_is_no_embedding() {
    for text in ["", " ", "\u{2003}\n\t"] {
        assert_eq!(Embedding::of(text), None, "{text:?}");
    }
    assert!(Embedding::of("!!!").is_some());
}

#[test]
fn numbers_do_not_matter_and_words_do() {
    let of = |text| Embedding::of(text).expect("words");
    assert_eq!(of("order 17 sent"), of("order 98 sent"));
    assert_ne!(of("order 17 sent"), of("order 17 lost"));
}

/// Vectors of version 1, once and for all: another platform or another
/// compiler makes the same ones, to the bit. A change here is a new version.
#[test]
fn the_vectors_of_version_1_are_these() {
    assert_eq!(ENCODER_VERSION, 1);
    let texts = [
        "connection refused",
        "a",
        "!!!",
        "Grüße aus Köln, 42 STRAẞE İstanbul ΟΔΟΣ",
        "日本語 テキスト",
        "blk_-1608999687919862906 terminating",
    ];
    let vectors: Vec<String> = texts
        .iter()
        .map(|text| {
            let embedding = Embedding::of(text).expect("words");
            let bits: Vec<String> = embedding
                .as_slice()
                .iter()
                .map(|number| format!("{:08x}", number.to_bits()))
                .collect();
            format!("{text}\n  {}", bits.join(" "))
        })
        .collect();
    insta::assert_snapshot!(vectors.join("\n"));
}
