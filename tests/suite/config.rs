//! Settings: environment, then `.env`, then defaults; everything wrong at once.

use crate::support::{Kind, Place};
use std::os::unix::fs::PermissionsExt;

#[test]
fn every_wrong_setting_is_reported_at_once_with_its_name() {
    let place = Place::empty(Kind::Sqlite)
        .with("PORT", "70000")
        .with("BCRYPT_COST", "3")
        .with("PUBLIC_READ", "perhaps")
        .with("BASE_URL", "ftp://example.com")
        .with("CORS_ORIGINS", "https://a.example, nonsense")
        .with("SECRET_KEY", "tiny-secret");
    let ran = place.refuses().expect(1);
    let complaints = ran.complaints();
    for name in ["PORT", "BCRYPT_COST", "PUBLIC_READ", "BASE_URL", "CORS_ORIGINS", "SECRET_KEY"] {
        let of: Vec<_> = complaints.iter().filter(|l| l.contains(name)).collect();
        assert_eq!(of.len(), 1, "one line on {name} in {complaints:#?}");
    }
    let port = complaints.iter().find(|l| l.contains("PORT")).unwrap();
    assert!(port.contains("70000") && port.contains("65535"), "the value and the form: {port}");
    assert!(!ran.all().contains("tiny-secret"), "a secret is never shown: {}", ran.all());
    assert!(!place.database_file().exists(), "nothing is begun");
}

#[test]
fn the_environment_goes_before_the_file_and_the_file_before_the_default() {
    let place = Place::empty(Kind::Sqlite).with("BCRYPT_COST", "5").with("SECRET_KEY", "(unset)");
    place.write(
        ".env",
        "BCRYPT_COST=7\nAPP_NAME=Shelf\n# a comment\nSECRET_KEY=0123456789012345678901234567890123456789\n",
    );
    let shown = place.run(&["config"]).expect(0).stdout;
    let line = |name: &str| {
        let found = shown.lines().find(|l| l.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == name));
        found.unwrap_or_else(|| panic!("{name} is not shown in\n{shown}")).to_owned()
    };
    assert!(line("BCRYPT_COST").contains('5') && line("BCRYPT_COST").contains("environment"), "{shown}");
    assert!(line("APP_NAME").contains("Shelf") && line("APP_NAME").contains(".env"), "{shown}");
    assert!(line("PUBLIC_READ").contains("true") && line("PUBLIC_READ").contains("default"), "{shown}");
    assert!(!shown.contains("0123456789"), "secrets are masked: {shown}");
}

#[test]
fn a_line_of_the_file_that_cannot_be_read_is_named_and_not_shown() {
    let place = Place::empty(Kind::Sqlite).with("SECRET_KEY", "(unset)");
    place.write(".env", "PORT=0\nSECRET_KEY=hunter2 secret#of mine\n");
    let ran = place.run(&["config"]).expect(1);
    assert_eq!(ran.complaints().len(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains(".env") && ran.stderr.contains("SECRET_KEY"), "{}", ran.stderr);
    assert!(!ran.all().contains("hunter2") && !ran.all().contains("mine"), "{}", ran.all());
}

#[test]
fn a_password_in_the_database_url_is_masked() {
    let mut place = Place::empty(Kind::Sqlite);
    place.set("DATABASE_URL", "postgres://shop:hunter2secret@db.example/shop");
    let shown = place.run(&["config"]).expect(0).stdout;
    assert!(shown.contains("db.example") && !shown.contains("hunter2secret"), "{shown}");
}

#[test]
fn an_absent_secret_key_is_made_once_and_kept_private() {
    let server = Place::furnished(Kind::Sqlite).with("SECRET_KEY", "(unset)").serve();
    let token = server.login("ada_admin", crate::support::server::PASSWORD);
    let (_, place) = server.stop();
    let secrets: Vec<_> = std::fs::read_dir(place.path("data"))
        .unwrap()
        .map(|f| f.unwrap())
        .filter(|f| f.file_name().to_string_lossy().contains("secret"))
        .collect();
    assert_eq!(secrets.len(), 1, "{secrets:?}");
    assert_eq!(secrets[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let server = place.serve();
    server.get("/api/v1/users/me").bearer(&token).send().expect(200);
}

#[test]
fn files_are_made_for_the_owner_alone() {
    let server = Place::empty(Kind::Sqlite).serve();
    for file in std::fs::read_dir(server.place().path("data")).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{:?} is open to others", file.path());
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    let place = Place::empty(Kind::Sqlite);
    place.run(&["no-such-command"]).expect(2);
    place.run(&["import"]).expect(2);
    place.run(&["user", "create", "--email", "x@example.com"]).expect(2);
    place.run(&["--no-such-flag"]).expect(2);
}

#[test]
fn with_nothing_configured_it_runs_on_a_file_in_the_folder_data() {
    let dir = tempfile::tempdir().unwrap();
    let out = std::process::Command::new(crate::support::server::BINARY)
        .args(["migrate", "run"])
        .current_dir(dir.path())
        .env_clear()
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(dir.path().join("data/stockroom.db").exists());
}
