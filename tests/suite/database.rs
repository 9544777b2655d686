//! What the databases may do to a start and to a running server.

use crate::support::{
    Kind, Place, Server,
    data::{new_category, new_item},
    on_each_database, postgres,
    proxy::{Proxy, Wire},
    wait_for,
};
use serde_json::json;
use std::time::{Duration, Instant};

/// Refused: exit 1, nothing served, one line that says why.
#[track_caller]
fn refused_in_one_line(place: &Place, words: &[&str]) {
    let ran = place.refuses().expect(1);
    assert!(!ran.stdout.contains("Listening"), "{}", ran.stdout);
    let complaints = ran.complaints();
    assert_eq!(complaints.len(), 1, "one clear line, not: {}", ran.stderr);
    for word in words {
        assert!(complaints[0].to_lowercase().contains(word), "the line should say {word:?}: {}", complaints[0]);
    }
}

on_each_database! { a_schema_newer_than_the_binary_is_refused }

fn a_schema_newer_than_the_binary_is_refused(kind: Kind) {
    let place = Place::furnished(kind);
    place.db().execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231235959')");
    refused_in_one_line(&place, &["newer"]);
    let ran = place.run(&["import", "nothing.csv"]);
    assert_eq!(ran.code, 1, "no command works on it: {ran:?}");
}

#[test]
fn a_corrupt_file_is_refused_and_left_as_it_is() {
    let place = Place::empty(Kind::Sqlite);
    let garbage = "this is not a database at all, only text. ".repeat(500);
    std::fs::write(place.database_file(), &garbage).unwrap();
    refused_in_one_line(&place, &["stockroom.db"]);
    assert_eq!(std::fs::read_to_string(place.database_file()).unwrap(), garbage);
}

#[test]
fn a_damaged_database_is_refused() {
    let place = Place::furnished(Kind::Sqlite);
    let mut bytes = std::fs::read(place.database_file()).unwrap();
    // The header stays, the pages behind it are overwritten.
    for byte in &mut bytes[100..8192] {
        *byte = 0xA5;
    }
    std::fs::write(place.database_file(), bytes).unwrap();
    refused_in_one_line(&place, &["stockroom.db"]);
}

#[test]
fn a_zero_length_file_is_refused_and_left_as_it_is() {
    let place = Place::empty(Kind::Sqlite);
    std::fs::write(place.database_file(), "").unwrap();
    refused_in_one_line(&place, &["stockroom.db", "empty"]);
    assert_eq!(std::fs::metadata(place.database_file()).unwrap().len(), 0);
}

#[test]
fn a_scheme_that_is_not_known_is_refused() {
    for url in ["mysql://localhost/x", "file:///tmp/x.db", "just-a-name", "sqlite://"] {
        let place = Place::empty(Kind::Sqlite).with("DATABASE_URL", url);
        refused_in_one_line(&place, &["database_url", "sqlite", "postgres"]);
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let place = Place::empty(Kind::Sqlite).with("DATABASE_URL", "sqlite:///proc/nowhere/x.db");
    refused_in_one_line(&place, &["/proc/nowhere"]);
}

#[test]
fn a_postgresql_that_is_not_there_is_refused_without_the_password() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://shop:hunter2secret@127.0.0.1:{free}/shop");
    let place = Place::empty(Kind::Sqlite).with("DATABASE_URL", url);
    let start = Instant::now();
    let ran = place.refuses().expect(1);
    assert!(start.elapsed() < Duration::from_secs(15));
    assert_eq!(ran.complaints().len(), 1, "{}", ran.stderr);
    assert!(!ran.all().contains("hunter2secret"), "{}", ran.all());
    assert!(ran.stderr.contains(&free.to_string()), "{}", ran.stderr);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run"]
fn a_postgresql_database_that_does_not_exist_is_refused() {
    let place = Place::empty(Kind::Sqlite).with("DATABASE_URL", postgres::url_of("there_is_no_such_database"));
    refused_in_one_line(&place, &["there_is_no_such_database"]);
}

#[test]
fn a_second_server_on_one_sqlite_file_is_refused() {
    let server = Place::furnished(Kind::Sqlite).serve();
    refused_in_one_line(server.place(), &["stockroom.db"]);
    server.get("/health/ready").send().expect(200);
}

#[test]
fn a_second_server_on_a_link_to_the_same_file_is_refused_too() {
    let server = Place::furnished(Kind::Sqlite).serve();
    let second = Place::empty(Kind::Sqlite);
    let link = second.path("link.db");
    std::os::unix::fs::symlink(server.place().database_file(), &link).unwrap();
    let second = second.with("DATABASE_URL", format!("sqlite://{}", link.display()));
    refused_in_one_line(&second, &["another server"]);
}

#[test]
fn tables_are_not_taken_away_under_a_running_server() {
    let server = Place::furnished(Kind::Sqlite).serve();
    for act in ["revert", "redo"] {
        let ran = server.run(&["migrate", act]).expect(1);
        assert!(ran.stderr.contains("another server"), "{}", ran.stderr);
    }
    server.run(&["migrate", "run"]).expect(0);
    server.get("/health/ready").send().expect(200);
    assert_eq!(server.db().count("users"), 4);
}

/// A furnished PostgreSQL database, reached over a wire that can be cut.
fn wired() -> (Server, Proxy) {
    let target = url::Url::parse(&postgres::server_url()).unwrap();
    let proxy = Proxy::to(format!("{}:{}", target.host_str().unwrap(), target.port().unwrap()));
    let mut place = Place::furnished(Kind::Postgres);
    let mut url = url::Url::parse(&place.database_url).unwrap();
    url.set_port(Some(proxy.port)).unwrap();
    place.set("DATABASE_URL", url.to_string());
    (place.serve(), proxy)
}

fn dies_and_comes_back(broken: Wire) {
    let (server, proxy) = wired();
    let category = new_category(&server, "Tools");
    let item = new_item(&server, category, "Hammer", json!({}));
    let token = server.token(crate::support::Who::User);
    proxy.set(broken);
    let body = json!({"name": "Saw", "price": 1, "category_id": category});
    for round in 0..3 {
        for (method, path) in
            [("GET", item.path()), ("GET", "/api/v1/items?q=hammer".into()), ("POST", "/api/v1/items".into())]
        {
            let start = Instant::now();
            let mut call = server.call(method, &path).bearer(&token);
            if method == "POST" {
                call = call.json(&body);
            }
            let answer = call.send();
            let took = start.elapsed();
            assert_eq!(answer.status, 503, "round {round}, {method} {path}: {}", answer.text());
            assert!(took < Duration::from_millis(2_500), "round {round}, {method} {path} took {took:?}");
            let wait: u32 = answer.must("retry-after").parse().unwrap();
            assert!((1..=60).contains(&wait));
            answer.problem(503);
        }
    }
    // Alive, but not ready.
    server.get("/health/live").send().expect(200);
    let start = Instant::now();
    server.get("/health/ready").send().expect(503).must("retry-after");
    assert!(start.elapsed() < Duration::from_millis(2_500));
    let page = server.get("/admin/login").header("accept", "text/html").send();
    assert!(page.status == 200 || page.status == 503, "a page is a page or a page of the error: {}", page.status);
    assert!(page.must("content-type").starts_with("text/html"));
    proxy.set(Wire::Whole);
    wait_for("the recovery", Duration::from_secs(15), || {
        (server.get(&item.path()).bearer(&token).send().status == 200).then_some(())
    });
    wait_for("the recovery of writing", Duration::from_secs(15), || {
        let answer = server.post("/api/v1/items").bearer(&token).json(&body).send();
        (answer.status == 201).then_some(())
    });
    server.get("/health/ready").send().expect(200);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run"]
fn a_postgresql_that_dies_is_503_within_two_seconds_and_comes_back() {
    dies_and_comes_back(Wire::Cut);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run"]
fn a_postgresql_that_falls_silent_is_503_within_two_seconds_and_comes_back() {
    dies_and_comes_back(Wire::Silent);
}

#[test]
fn sigterm_ends_the_server_with_0_and_what_was_written_is_there() {
    let server = Place::furnished(Kind::Sqlite).serve();
    let category = new_category(&server, "Tools");
    let (code, place) = server.stop();
    assert_eq!(code, 0);
    let server = place.serve();
    server.get(&format!("/api/v1/categories/{category}")).send().expect(200);
}
