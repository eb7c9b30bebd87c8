//! The embedding: its properties, and its vectors for ever.

use lookback::{DIMENSIONS, ENCODER_VERSION, Embedding};
use proptest::prelude::*;

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

    #[test]
    fn a_wrong_letter_stays_near(word in "[a-z]{8,12}", other in "[a-z]{8,12}", at in 1..7_usize) {
        let mut misspelt: Vec<char> = word.chars().collect();
        misspelt.swap(at, at + 1);
        let misspelt: String = misspelt.into_iter().collect();
        let context = "the database said of";
        let near = |text: &str| {
            let a = Embedding::of(&format!("{context} {word}")).expect("words");
            a.cosine(&Embedding::of(&format!("{context} {text}")).expect("words"))
        };
        prop_assert!(near(&misspelt) > 0.5, "{}", near(&misspelt));
        prop_assert!(near(&word) > 0.999);
        prop_assert!(near(&other) <= 1.001);
    }
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
