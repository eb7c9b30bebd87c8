//! `lookback completions` and `lookback man`.

use std::process::Command;

use crate::support::{Lookback, transcript};

#[test]
fn completions_of_each_shell_know_the_commands() {
    let lookback = Lookback::with(None);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = lookback.run(&["completions", shell]).succeeded().out;
        for word in [
            "lookback",
            "migrate",
            "baseline",
            "database-url",
            "prune",
            "doctor",
            "pg-setting",
        ] {
            assert!(script.contains(word), "{word} in the script of {shell}");
        }
    }
    transcript!(lookback.run(&["completions", "tcsh"]), @"
$ lookback completions tcsh
! error: invalid value 'tcsh' for '<SHELL>'
!   [possible values: bash, elvish, fish, powershell, zsh]
! 
!   tip: a similar value exists: 'zsh'
! 
! For more information, try '--help'.
[exit code 2]
");
}

#[test]
fn completions_of_bash_complete_a_command() {
    let lookback = Lookback::with(None);
    let script = lookback.run(&["completions", "bash"]).succeeded().out;
    let typed = "COMP_WORDS=(lookback db mig) COMP_CWORD=2
        _lookback lookback mig db
        echo \"${COMPREPLY[@]}\"";
    let Ok(ran) = Command::new("bash")
        .args(["--norc", "-c", &format!("{script}\n{typed}")])
        .output()
    else {
        // A machine without bash.
        return;
    };
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "migrate\n", "{ran:?}");
}

#[test]
fn man_without_folder_prints_the_page_of_the_program() {
    let lookback = Lookback::with(None);
    let page = lookback.run(&["man"]).succeeded().out;
    assert!(page.contains(".TH lookback 1"), "{page}");
    for command in ["import", "logs", "storage", "doctor", "completions"] {
        assert!(page.contains(&format!("lookback\\-{command}(1)")), "{page}");
    }
}

#[test]
fn man_with_folder_writes_a_page_for_each_command() {
    let lookback = Lookback::with(None);
    transcript!(lookback.run(&["man", "share/man1"]), @"
$ lookback man share/man1
! wrote the manual pages to share/man1
");
    let page = String::from_utf8(lookback.read("share/man1/lookback-db-migrate.1")).unwrap();
    assert!(
        page.contains("Apply the migrations that are pending"),
        "{page}"
    );
    lookback.write("file", "");
    transcript!(lookback.run(&["man", "file/man1"]), @"
$ lookback man file/man1
! error: cannot write pages to file/man1: Not a directory (os error 20)
[exit code 1]
");
}

#[test]
fn completions_with_wrong_configuration_are_printed() {
    let lookback = Lookback::with(None);
    lookback.write("lookback.toml", "databse_url = \"x\"\n");
    lookback.run(&["completions", "fish"]).succeeded();
    lookback.run(&["man"]).succeeded();
}
