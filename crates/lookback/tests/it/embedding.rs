//! Embeddings: their properties, and golden vectors.

use lookback::embedding::{DIMENSIONS, ENCODER_VERSION, Embedding};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

fn embed(text: &str) -> Embedding {
    Embedding::of(text).expect("words")
}

fn similarity(a: &str, b: &str) -> f32 {
    embed(a).cosine(&embed(b))
}

#[derive(Debug, Default)]
struct Mean {
    sum: f32,
    count: u16,
}

impl Mean {
    fn add(&mut self, value: f32) {
        self.sum += value;
        self.count += 1;
    }

    fn value(&self) -> f32 {
        self.sum / f32::from(self.count)
    }
}

proptest! {
    #[test]
    fn embedding_has_unit_length(text in "\\PC{1,80}") {
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
    fn embedding_ignores_case_and_white_space(words in proptest::collection::vec("\\PC{1,12}", 1..8)) {
        let plain = Embedding::of(&words.join(" "));
        prop_assert_eq!(plain, Embedding::of(&words.join(" ")));
        prop_assert_eq!(plain, Embedding::of(&format!("\t{}\r\n", words.join(" \u{a0}\n "))));
        prop_assert_eq!(plain, Embedding::of(&words.join(" ").to_lowercase()));
        prop_assert_eq!(plain, Embedding::of(&words.join(" ").to_uppercase()));
    }

    #[test]
    fn embedding_ignores_order_of_words(mut words in proptest::collection::vec("[a-z]{1,9}", 1..9)) {
        let forwards = Embedding::of(&words.join(" "));
        words.reverse();
        prop_assert_eq!(forwards, Embedding::of(&words.join(" ")));
    }
}

/// Compares means over many pairs: in 16 dimensions a single pair may lie anywhere.
#[test]
fn misspelt_word_stays_near() {
    let words = [
        "connection",
        "authentication",
        "permission",
        "database",
        "memory",
        "interrupted",
        "partition",
        "certificate",
        "temperature",
        "synchronized",
        "transaction",
        "scheduler",
        "keyboard",
        "repository",
        "bluetooth",
        "unreachable",
    ];
    let (mut misspelt, mut other) = (Mean::default(), Mean::default());
    for word in words {
        for at in 1..word.len() - 2 {
            let mut letters: Vec<char> = word.chars().collect();
            letters.swap(at, at + 1);
            let wrong: String = letters.into_iter().collect();
            if wrong != word {
                misspelt.add(similarity(word, &wrong));
            }
        }
        for unlike in words.iter().filter(|unlike| **unlike != word) {
            other.add(similarity(word, unlike));
        }
    }
    assert!(
        misspelt.value() > other.value() + 0.25,
        "{misspelt:?} {other:?}"
    );
}

/// Compares synonyms with unrelated words whose spelling is equally far apart.
#[test]
fn words_with_similar_meaning_are_near() {
    let pairs = [
        ("denied", "refused"),
        ("login", "authentication"),
        ("delete", "remove"),
        ("begin", "start"),
        ("error", "failure"),
        ("folder", "directory"),
        ("finished", "completed"),
        ("machine", "host"),
        ("screen", "display"),
        ("password", "credentials"),
        ("abort", "cancel"),
        ("picture", "image"),
        ("broken", "corrupt"),
        ("quick", "fast"),
    ];
    let (mut same, mut other) = (Mean::default(), Mean::default());
    let mut nearest = 0;
    for (index, (word, like)) in pairs.iter().enumerate() {
        same.add(similarity(word, like));
        let mut below = true;
        for (at, (_, unlike)) in pairs.iter().enumerate() {
            if at != index {
                other.add(similarity(word, unlike));
                below &= similarity(word, unlike) < similarity(word, like);
            }
        }
        nearest += usize::from(below);
    }
    assert!(same.value() > other.value() + 0.4, "{same:?} {other:?}");
    assert!(nearest >= pairs.len() - 4, "{nearest} of {}", pairs.len());
}

#[test]
fn paraphrase_is_near() {
    let near = similarity(
        "user could not log in: wrong password",
        "authentication failure for account, invalid credentials",
    );
    let far = similarity(
        "user could not log in: wrong password",
        "block replicated to three nodes of the disk array",
    );
    assert!(near > 0.6 && near > far + 0.4, "{near} {far}");
}

/// Numbers, addresses and ids hardly change an embedding.
#[test]
fn lines_that_differ_in_ids_have_similar_embedding() {
    for (a, b) in [
        (
            "Received block blk_-1608999687919862906 of size 67108864 from 10.250.19.102",
            "Received block blk_7503483334202473044 of size 233217 from 10.251.215.16",
        ),
        (
            "request 3f2a9c41-77be-4a1f took 12.5ms at 0x7fff5fbff8c0",
            "request 91bd00ef-1c2d-99aa took 873.25ms at 0x00000001004a1b",
        ),
        (
            "2024-01-02T10:11:12Z worker17 exited",
            "2031-12-30T23:59:01Z worker9 exited",
        ),
    ] {
        assert!(similarity(a, b) > 0.98, "{} {a}", similarity(a, b));
    }
}

/// Camel case, an underscore, a space or no separator make no difference.
#[test]
fn compound_is_near_its_words() {
    assert_eq!(embed("workerThread"), embed("worker thread"));
    assert_eq!(embed("workerthread"), embed("worker_thread"));
}

/// Compares the committed table with the checksum that the training recorded.
#[test]
fn table_matches_training_output() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/embedding");
    let table = std::fs::read(folder.join("table.bin")).expect("the table");
    let record = std::fs::read(folder.join("table.json")).expect("its record");
    let record: serde_json::Value = serde_json::from_slice(&record).expect("JSON");
    let sum: String = Sha256::digest(&table)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(record["sha256"], sum);
    assert_eq!(record["bytes"], table.len());
}

/// Covers every letter that Unicode has in two cases.
#[test]
fn letters_of_both_cases_have_same_embedding() {
    let mut letters = 0;
    for c in '\u{0}'..=char::MAX {
        let text = format!("a{c}b c{c}");
        let (lower, upper) = (text.to_lowercase(), text.to_uppercase());
        if lower == upper {
            continue;
        }
        if c.to_lowercase().ne(c.to_uppercase()) {
            letters += 1;
            let embedding = Embedding::of(&text);
            assert_eq!(embedding, Embedding::of(&lower), "{c:?}");
            assert_eq!(embedding, Embedding::of(&upper), "{c:?}");
        }
    }
    assert!(letters > 2_500, "{letters}");
}

#[test]
fn text_without_word_has_no_embedding() {
    for text in ["", " ", "\u{2003}\n\t"] {
        assert_eq!(Embedding::of(text), None, "{text:?}");
    }
    assert!(Embedding::of("!!!").is_some());
}

#[test]
fn embedding_ignores_numbers_and_not_words() {
    assert_eq!(embed("order 17 sent"), embed("order 98 sent"));
    assert_ne!(embed("order 17 sent"), embed("order 17 lost"));
}

/// Compares golden vectors bit by bit: every platform and compiler computes the same.
/// A change needs a new version.
#[test]
fn vectors_of_version_2_are_unchanged() {
    assert_eq!(ENCODER_VERSION, 2);
    let texts = [
        "connection refused",
        "a",
        "!!!",
        "Grüße aus Köln, 42 STRAẞE İstanbul ΟΔΟΣ",
        "日本語 テキスト",
        "blk_-1608999687919862906 terminating",
        "startWorkerEnv conection",
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
