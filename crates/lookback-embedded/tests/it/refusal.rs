use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use lookback_embedded::{Remedy, ignore_events, is_root};
use nix::unistd::User;

use crate::support::{
    TestServer, allow_in, installation, open_folder, server_at, start, start_error,
};

/// Reads every file below a folder.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn data_folder_of_another_major_version_is_unchanged() {
    let place = TestServer::new();
    let server = place.server();
    start(&server);
    server.stop(&ignore_events).unwrap();
    fs::write(place.data().join("PG_VERSION"), "14\n").unwrap();
    let before = contents(&place.data());

    let error = start_error(&server);
    let major = installation().version().major();
    assert!(error.is_version_mismatch(), "{error:?}");
    let remedy = Remedy::UseMajor {
        major: "14".to_owned(),
    };
    assert_eq!(error.remedy(), Some(remedy));
    let text = error.to_string();
    for part in ["PostgreSQL 14", &format!("PostgreSQL {major}")] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains(&place.data().display().to_string()), "{text}");
    assert_eq!(contents(&place.data()), before);
}

#[test]
fn foreign_data_folder_is_unchanged() {
    let place = TestServer::new();
    fs::create_dir_all(place.data()).unwrap();
    allow_in(place.base());
    fs::write(place.data().join("thesis.txt"), "years of work").unwrap();
    let error = start_error(&place.server());
    assert!(error.is_damaged(), "{error:?}");
    assert_eq!(contents(&place.data()).len(), 1);
}

#[test]
fn lost_password_is_an_error() {
    let place = TestServer::new();
    let server = place.server();
    start(&server);
    let file = place.base().join("password");
    let password = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let error = start_error(&server);
    assert!(error.is_damaged(), "{error:?}");
    assert!(error.to_string().contains("password"), "{error}");
    fs::write(&file, password).unwrap();
    assert!(!start(&server).was_started());
}

#[test]
fn base_folder_that_cannot_be_created_is_an_error() {
    let folder = open_folder();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = start_error(&server_at(&file.join("server")));
    let expected = format!("cannot create {}", file.join("server").display());
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn read_only_base_folder_is_an_error() {
    if is_root() {
        println!("skipped: root may write everywhere; see full_disk for a mount");
        return;
    }
    let place = TestServer::new();
    fs::create_dir(place.base()).unwrap();
    fs::set_permissions(place.base(), fs::Permissions::from_mode(0o555)).unwrap();
    let error = start_error(&place.server());
    assert!(error.to_string().contains("Permission denied"), "{error}");
    let remedy = Remedy::MakeWritable {
        folder: place.base().to_owned(),
    };
    assert_eq!(error.remedy(), Some(remedy));
    assert_eq!(fs::read_dir(place.base()).unwrap().count(), 0);
    fs::set_permissions(place.base(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn folder_that_the_servers_user_cannot_enter_is_an_error() {
    if !is_root() {
        println!("skipped: the caller is not root");
        return;
    }
    let place = TestServer::new();
    let closed = place.folder.path().canonicalize().unwrap().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let error = start_error(&server_at(&closed.join("server")));
    let remedy = Remedy::GrantAccess { barrier: closed };
    assert_eq!(error.remedy(), Some(remedy));
}

#[test]
fn unusable_user_is_an_error() {
    let place = TestServer::new();
    for user in ["root", "no-such-user-here"] {
        if user == "root" || is_root() {
            let error = start_error(&place.server().user(user));
            let expected = format!("PostgreSQL cannot run as {user}");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    }
    assert!(!place.data().exists());
}

#[test]
fn given_user_runs_the_server_of_root() {
    if !is_root() {
        println!("skipped: the caller is not root");
        return;
    }
    use std::os::unix::fs::MetadataExt;
    let accounts = ["nobody", "daemon", "bin"];
    let mut accounts = accounts
        .iter()
        .filter_map(|name| User::from_name(name).unwrap());
    let Some(account) = accounts.find(|account| !account.uid.is_root()) else {
        println!("skipped: there is no account to run it as");
        return;
    };
    let place = TestServer::new();
    let server = place.server().user(&account.name);
    start(&server);
    assert_eq!(
        fs::metadata(place.data()).unwrap().uid(),
        account.uid.as_raw()
    );
    // From now on the owner of the data folder is the default.
    server.stop(&ignore_events).unwrap();
    start(&place.server());
}
