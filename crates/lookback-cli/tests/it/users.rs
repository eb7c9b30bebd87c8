//! `lookback users`

use lookback::{User, password};

use crate::support::{Lookback, transcript};

#[tokio::test]
async fn password_is_read_from_standard_input_and_hashed() {
    let lookback = Lookback::new().await;
    let create = |email: &str, password: &str| {
        lookback.run_with(
            &["users", "create", email, "--role", "admin"],
            password.as_bytes(),
        )
    };
    transcript!(create("ada@example.com", "correct horse\n"), @"
$ lookback users create ada@example.com --role admin
! created user 1 (ada@example.com, admin)
");
    transcript!(create("ADA@example.com", "another horse\n"), @"
$ lookback users create ADA@example.com --role admin
! error: email: is the e-mail of another user
[exit code 1]
");
    transcript!(create("bob@example.com", "short\n"), @"
$ lookback users create bob@example.com --role admin
! error: password: has 5 characters; at least 8 are needed
[exit code 1]
");
    transcript!(create("bob@example.com", "password1\n"), @"
$ lookback users create bob@example.com --role admin
! error: password: is easy to guess: This is a very common password
[exit code 1]
");
    transcript!(create("bob@example.com", ""), @"
$ lookback users create bob@example.com --role admin
! error: password: has 0 characters; at least 8 are needed
[exit code 1]
");
    transcript!(create(" ", "correct horse"), @"
$ lookback users create   --role admin
! error: email: must not be blank
[exit code 1]
");
    for email in ["ada", "@example.com", "ada@", "ada@exa mple.com"] {
        let ran = create(email, "correct horse").failed(1);
        assert_eq!(
            ran.err,
            "error: email: must be an e-mail address, with text on both sides of an @: \
             ada@example.com\n",
            "{email}"
        );
    }
    let pool = &lookback.db.as_ref().unwrap().pool;
    let user = User::records()
        .with_hidden(User::password_hash())
        .get(pool, 1)
        .await
        .unwrap();
    let hash = user.password_hash.into_inner().unwrap();
    assert!(hash.starts_with("$argon2id$"));
    assert!(password::verify("correct horse", &hash).unwrap());
    assert!(!password::verify("correct horse\n", &hash).unwrap());
    assert_eq!(User::records().count(pool).await.unwrap().value(), 1);

    for call in [
        ["users", "list"].as_slice(),
        &["users", "get", "1"],
        &["users", "list", "--json"],
        &["users", "search", "ada"],
    ] {
        let ran = lookback.run(call).succeeded();
        assert!(ran.out.contains("ada@example.com"), "{ran:?}");
        assert!(!ran.out.contains("argon2"), "{ran:?}");
    }
    transcript!(lookback.run(&["users", "list", "password_hash__like=$argon%"]), @"
$ lookback users list password_hash__like=$argon%
! error: password_hash: is not a field of users, which has id, email, role, created_at, updated_at, deleted_at
[exit code 2]
");
    transcript!(lookback.run(&["users", "list", "--order-by", "password_hash"]), @"
$ lookback users list --order-by password_hash
! error: password_hash: is not a field of users, which has id, email, role, created_at, updated_at, deleted_at
[exit code 2]
");
}

#[tokio::test]
async fn imported_users_have_a_hash_or_no_password() {
    let lookback = Lookback::new().await;
    let hash = password::hash("correct horse").unwrap();
    lookback.write(
        "users.jsonl",
        format!(
            "{{\"email\": \"ada@example.com\", \"role\": \"admin\", \"password_hash\": \"{hash}\"}}\n\
             {{\"email\": \"bob@example.com\"}}\n\
             {{\"email\": \"eve@example.com\", \"password_hash\": \"plain text\"}}\n\
             {{\"email\": \"carl\"}}\n"
        ),
    );
    transcript!(lookback.run(&["import", "users.jsonl", "--on-error", "skip"]), @"
$ lookback import users.jsonl --on-error skip
! warning: line 3: password_hash: must be a hash in PHC form, such as $argon2id$…; leave it out for a user without a password
! warning: line 4: email: must be an e-mail address, with text on both sides of an @: ada@example.com
! users.jsonl: 2 records into users in [time] ([rate] records/s); 2 lines rejected
! users without a password_hash in the input have no password: exports contain none
");
    let pool = &lookback.db.as_ref().unwrap().pool;
    for (id, matches) in [(1, true), (2, false)] {
        let user = User::records()
            .with_hidden(User::password_hash())
            .get(pool, id)
            .await
            .unwrap();
        let hash = user.password_hash.into_inner().unwrap();
        for (tried, right) in [("correct horse", matches), ("", false), ("!", false)] {
            assert_eq!(
                password::verify(tried, &hash).unwrap(),
                right,
                "{id} {tried}"
            );
        }
    }
}

#[tokio::test]
async fn password_that_was_forgotten_is_set_again() {
    let lookback = Lookback::new().await;
    lookback.run_with(
        &["users", "create", "ada@example.com", "--role", "admin"],
        b"correct horse\n",
    );
    let pool = &lookback.db.as_ref().unwrap().pool;
    let hash = async || -> String {
        sqlx::query_scalar("SELECT password_hash FROM users")
            .fetch_one(pool)
            .await
            .unwrap()
    };
    let set = |email: &str, password: &str| {
        lookback.run_with(&["users", "set-password", email], password.as_bytes())
    };
    transcript!(set("Ada@example.com", "another horse\n"), @"
$ lookback users set-password Ada@example.com
! set the password of Ada@example.com
");
    assert!(password::verify("another horse", &hash().await).unwrap());
    transcript!(set("ada@example.com", "password1\n"), @"
$ lookback users set-password ada@example.com
! error: password: is easy to guess: This is a very common password
[exit code 1]
");
    transcript!(set("bob@example.com", "another horse\n"), @"
$ lookback users set-password bob@example.com
! error: there is no user bob@example.com
! hint: `lookback users list` shows all; `lookback users create` makes one
[exit code 1]
");
    assert!(password::verify("another horse", &hash().await).unwrap());

    let call = ["users", "set-password", "ada@example.com", "--one-time"];
    let made = lookback.run(&call).succeeded();
    assert!(password::verify(made.out.trim(), &hash().await).unwrap());
    let must_change = "SELECT user_id FROM one_time_passwords";
    let must_change: Vec<i64> = sqlx::query_scalar(must_change)
        .fetch_all(pool)
        .await
        .unwrap();
    assert_eq!(must_change, [1]);
}
