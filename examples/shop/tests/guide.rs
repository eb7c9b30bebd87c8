//! The walk through one change in docs/guide/migrations.md, to the letter.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::Database;
use testkit::page::{Block, Versions, assert_same, blocks, page};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).unwrap();
        }
    }
}

/// `cargo db` of the edited shop, as a terminal shows what it prints.
fn run(arguments: &str, home: &Path, database: &Database) -> String {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().join("../examples/edited");
    assert!(program.exists(), "built with the tests: {program:?}");
    let output = Command::new("sh")
        .args(["-c", &format!("{} {arguments} 2>&1", program.display())])
        .current_dir(home)
        .env_clear()
        .env("DATABASE_URL", &database.url)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn change_of_the_guide_is_as_the_page_shows_it() {
    let database = testkit::empty_database().await;
    let home = tempfile::tempdir().unwrap();
    copy(&folder(), &home.path().join("migrations"));
    let mut conn = database.pool.acquire().await.unwrap();
    let options = lookback::migrate::ApplyOptions::default();
    lookback::migrate::apply(&mut conn, &shop::migrations(), &options, &mut |_| {})
        .await
        .unwrap();
    shop::stock_shelves(&database.pool).await.unwrap();
    let product = shop::find(&database.pool, "kettle").await.unwrap()[0].id;
    shop::place(&database.pool, "ada", product, 1)
        .await
        .unwrap();

    const PAGE: &str = "docs/guide/migrations.md";
    let mut versions = Versions::default();
    let mut compared = 0;
    let page = page(PAGE);
    let start = page.find("## From an edited model").unwrap();
    let end = page.find("## Commands").unwrap();
    for Block { language, text } in blocks(&page[start..end]) {
        match language.as_str() {
            "sql" => {
                let validated = fs::read_dir(home.path().join("migrations")).unwrap();
                let mut files = validated.map(|entry| entry.unwrap().path());
                let is_it = |path: &PathBuf| path.to_string_lossy().ends_with("_validate.sql");
                fs::write(files.find(is_it).unwrap(), text).unwrap();
            }
            "text" => {
                let mut printed = String::new();
                for command in text.lines().filter_map(|line| line.strip_prefix("$ ")) {
                    writeln!(printed, "$ {command}").unwrap();
                    let arguments = command.strip_prefix("cargo db ").unwrap();
                    printed += &run(arguments, home.path(), &database);
                }
                assert_same(PAGE, &text, &printed, &mut versions);
                compared += 1;
            }
            _ => {}
        }
    }
    assert_eq!(compared, 4);
}
