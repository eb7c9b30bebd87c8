//! `#[model]` for an application's table, and the compiler errors for its misuse.

use std::borrow::Cow;

use chrono::{DateTime, Local, Utc};
use lookback::embedding::Embedding;
use lookback::value::{ErrorRate, Hidden, Patch, Problem};
use lookback::{ColumnEnum, Filter, Level, Log, LogPatch, Metric, Model as _, NewLog, json, model};

/// A model as an application writes it.
#[model(
    table = "notes",
    search(title, body),
    constraint(
        "notes_title_key",
        "UNIQUE (title)",
        problem(title, "is the title of another note")
    )
)]
pub(crate) struct Note {
    /// Primary key.
    pub id: i64,
    /// The title.
    #[column(not_blank, max_bytes = 20)]
    pub title: String,
    /// The text.
    pub body: Option<String>,
    /// The progress.
    #[column(default = State::InProgress)]
    pub state: State,
    /// Stars, from 0 to 5.
    #[column(range(0, 5))]
    pub stars: Option<i64>,
    /// A secret.
    pub key: Hidden<Option<String>>,
    /// Common.
    pub created_at: DateTime<Utc>,
    /// Common.
    pub updated_at: DateTime<Utc>,
    /// Common.
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// Common.
    pub embedding: Hidden<Option<Embedding>>,
}

/// The state of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ColumnEnum)]
pub(crate) enum State {
    /// Not begun.
    Open,
    /// Begun.
    InProgress,
}

#[tokio::test]
async fn model_macro_generates_working_reads_and_writes() {
    let db = testkit::database().await;
    sqlx::query(
        "CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text NOT NULL \
         CONSTRAINT notes_title_key UNIQUE, body text, state text NOT NULL, stars bigint, key text, \
         created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, deleted_at timestamptz, \
         embedding vector(16))",
    )
    .execute(&db.pool)
    .await
    .unwrap();
    let note = Note::records()
        .create(
            &db.pool,
            NewNote::new("milk").body("two bottles").stars(5).key("k"),
        )
        .await
        .unwrap();
    assert_eq!(note.state, State::InProgress);
    assert_eq!(note.key.get(), None);
    let error = Note::records()
        .create(&db.pool, NewNote::new("milk"))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "title: is the title of another note");
    let error = Note::records()
        .create(
            &db.pool,
            NewNote::new("a title of more than twenty bytes").stars(6),
        )
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "title: is 33 bytes long, over the limit of 20; stars: 6 is not from 0 to 5"
    );
    let found = Note::records()
        .filter(Note::state().eq("in_progress") & Note::stars().gte(3))
        .search("botles")
        .with_hidden(Note::key())
        .list(&db.pool)
        .await
        .unwrap();
    assert_eq!(found.data[0].key.get(), Some(&Some("k".to_owned())));
    let changed = Note::records()
        .update(
            &db.pool,
            note.id,
            NotePatch::new().body(None).state(State::Open),
        )
        .await
        .unwrap();
    assert_eq!((changed.body, changed.state), (None, State::Open));
}

#[test]
fn model_macro_table_describes_the_struct() {
    let columns: Vec<String> = Note::TABLE
        .columns()
        .iter()
        .map(|c| {
            let null = if c.is_nullable() { " null" } else { "" };
            let hidden = if c.is_hidden() { " hidden" } else { "" };
            format!("{} {}{null}{hidden}", c.name(), c.column_type().sql())
        })
        .collect();
    insta::assert_snapshot!(columns.join("\n"), @"
id bigint
title text
body text null
state text
stars bigint null
key text null hidden
created_at timestamp with time zone
updated_at timestamp with time zone
deleted_at timestamp with time zone null hidden
embedding vector(16) null hidden
");
    assert_eq!("in_progress".parse(), Ok(State::InProgress));
    assert_eq!(
        "done".parse::<State>(),
        Err(Problem::new("`done` is not one of open, in_progress"))
    );
}

#[test]
fn calls_as_people_write_them_mean_the_same() {
    let name = "API".to_owned();
    let names = vec![name.clone(), "WORKER".to_owned()];
    let expected = Log::source().eq("API");
    assert_eq!(Log::source().eq(&name), expected);
    assert_eq!(Log::source().eq(name.clone()), expected);
    assert_eq!(Log::source().eq(Cow::Borrowed("API")), expected);
    let expected = Log::source().is_in(["API", "WORKER"]);
    assert_eq!(Log::source().is_in(&names), expected);
    assert_eq!(Log::source().is_in(names.clone()), expected);
    let both = &["API", "WORKER"];
    assert_eq!(Log::source().is_in(both), expected);
    assert_eq!(
        Log::source().is_in(names.iter().map(String::as_str)),
        expected
    );
    let (level, text) = (&Level::Error, "error".to_owned());
    let expected = Log::level().eq(Level::Error);
    assert_eq!(Log::level().eq(level), expected);
    assert_eq!(Log::level().eq(&text), expected);
    assert_eq!(Log::level().eq(text), expected);
    assert_eq!(
        Log::level().is_in(Level::ALL),
        Log::level().is_in(Level::ALL.to_vec())
    );
    let ids = vec![1, 2];
    assert_eq!(Log::id().is_in(&ids), Log::id().is_in([1, 2]));
    assert_eq!(
        Log::meta().path("user").eq(&name),
        Log::meta().path("user").eq("API")
    );

    let rate = Metric::error_rate().gt(ErrorRate::new(0.05).unwrap());
    assert_eq!(Metric::error_rate().gt(0.05), rate);
    assert!(Metric::error_rate().gt(1.5).to_text().is_err());
    let now = Utc::now();
    let expected = Log::created_at().lt(now);
    let local = now.with_timezone(&Local);
    assert_eq!(Log::created_at().lt(local), expected);
    assert_eq!(Log::created_at().lt(local.fixed_offset()), expected);
    let reference = &now;
    assert_eq!(Log::created_at().lt(reference), expected);

    let all = [Log::id().eq(1), Log::id().eq(2), Log::id().eq(3)];
    let [one, two, three] = all.clone();
    assert_eq!(
        Filter::any(all.clone()),
        one.clone() | two.clone() | three.clone()
    );
    assert_eq!(Filter::all_of(all), one & two & three);
    assert_eq!(Filter::<Log>::any([]), Filter::none());
    assert_eq!(Filter::<Log>::all_of(Vec::new()), Filter::all());

    let new = || NewLog::new("API", Level::Info, "m");
    let expected = new().trace_id("t");
    assert_eq!(new().trace_id(Some("t")), expected);
    assert_eq!(new().trace_id(Some("t".to_owned())), expected);
    assert_eq!(new().trace_id(Option::<String>::None), new());
    assert_eq!(new().meta(Some(json!(1))), new().meta(json!(1)));
    let expected = LogPatch::new().trace_id(Some("t".to_owned()));
    assert_eq!(LogPatch::new().trace_id("t"), expected);
    assert_eq!(LogPatch::new().trace_id("t".to_owned()), expected);
    assert_eq!(LogPatch::new().trace_id(None).trace_id, Patch::Set(None));
    assert_eq!(LogPatch::new().meta(None).meta, Patch::Set(None));
    assert_eq!(
        LogPatch::new().meta(json!(1)),
        LogPatch::new().meta(Some(json!(1)))
    );
}

#[test]
fn model_macro_misuse_gives_expected_compiler_errors() {
    // `faketime cargo test`: see scripts/clock.c.
    if std::env::var("LD_PRELOAD").is_ok_and(|library| library.contains("faketime")) {
        eprintln!("skipped: rustc hangs under libfaketime");
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/model_with_everything.rs");
    // The compiler's own words around these messages change with its version.
    let version = std::process::Command::new("rustc")
        .arg("--version")
        .output()
        .unwrap();
    if !version.stdout.starts_with(b"rustc 1.95.") {
        return;
    }
    for case in std::fs::read_dir("tests/ui").unwrap() {
        let path = case.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // The errors of this case show lines of std if the toolchain has its source, as with
        // rust-analyzer.
        let is_whole = name != "fail_type_of_another_form.rs" || !has_source_of_std();
        if name.starts_with("fail_") && name.ends_with(".rs") && is_whole {
            cases.compile_fail(&path);
        }
    }
}

fn has_source_of_std() -> bool {
    let printed = std::process::Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .unwrap();
    let sysroot = String::from_utf8(printed.stdout).unwrap();
    std::path::Path::new(sysroot.trim())
        .join("lib/rustlib/src")
        .exists()
}
