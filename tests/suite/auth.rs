//! Signing in to the API.

use crate::support::{
    Kind, Place, Server, Visitor, Who, data::shape, on_both, on_each_database, server::PASSWORD, wait_for,
};
use insta::{allow_duplicates, assert_snapshot};
use serde_json::json;
use std::time::Duration;

on_both! {
    login_answers_as_oauth2_does,
    login_takes_form_and_json_email_and_username_in_any_case,
    a_wrong_password_and_an_unknown_name_answer_alike,
    a_login_without_fields_is_422_at_them,
    bad_tokens_are_401_even_where_none_is_needed,
    me_is_who_the_token_says,
    an_inactive_user_is_told_only_after_the_right_password,
    a_deactivated_users_token_dies_at_once,
    a_changed_password_ends_the_tokens_made_before,
    a_changed_role_counts_at_once,
    passwords_count_every_byte,
    login_notes_when_it_was,
}

on_each_database! {
    every_refused_sign_in_costs_one_hash_at_the_same_cost,
}

/// Counted, not timed: whoever asks learns nothing from how long it takes.
fn every_refused_sign_in_costs_one_hash_at_the_same_cost(kind: Kind) {
    let place = Place::furnished(kind).with("RUST_LOG", "stockroom=debug").with("BCRYPT_COST", "4");
    let server = place.serve();
    // Known to have no password, and known to be let in no more.
    let invited = json!({"email": "invited@example.com", "username": "invited"});
    server.admin().post("/api/v1/users", &invited).send().expect(201);
    server.admin().patch("/api/v1/users/4", &json!({"is_active": false})).send().expect(200);
    let hashes = || server.printed().matches("hashed a password at cost ").count();
    let at_cost = || server.printed().matches("hashed a password at cost 4").count();
    for (name, password) in [
        ("uma_user", "Wrong1password"),
        ("uma_user@example.com", "Wrong1password"),
        ("nobody", PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("invited", PASSWORD),
        ("gil_guest", "Wrong1password"),
        ("otto_other", &"x".repeat(10_000)),
        ("nul\u{0}l", PASSWORD),
    ] {
        let before = hashes();
        server.post("/api/v1/auth/login").json(&json!({"username": name, "password": password})).send().problem(401);
        wait_for("the hash", Duration::from_secs(5), || (hashes() > before).then_some(()));
        Visitor::stranger(&server).sign_in(name, password).expect(401);
        wait_for("the hash of the page", Duration::from_secs(5), || (hashes() > before + 1).then_some(()));
        assert_eq!(hashes(), before + 2, "{name}: one for each door");
    }
    assert_eq!(hashes(), at_cost(), "all at the cost in force");
}

fn login_answers_as_oauth2_does(server: &Server) {
    let answer = server
        .post("/api/v1/auth/login")
        .json(&json!({"username": "uma_user", "password": PASSWORD}))
        .send()
        .expect(200);
    allow_duplicates! {
        assert_snapshot!(shape(&answer.json()), @r#"
    {
      "access_token": "[access_token]",
      "token_type": "bearer",
      "expires_in": 1800,
      "refresh_token": "[refresh_token]"
    }
    "#);
    }
    let alias = server
        .post("/api/v1/auth/token")
        .form(&[("grant_type", "password"), ("username", "uma_user"), ("password", PASSWORD)])
        .send();
    assert_eq!(alias.expect(200).json()["token_type"], "bearer");
}

fn login_takes_form_and_json_email_and_username_in_any_case(server: &Server) {
    for name in ["uma_user", "UMA_USER", "Uma_User", "uma_user@example.com", "UMA_USER@Example.COM", "  uma_user  "] {
        server.login(name, PASSWORD);
        server.post("/api/v1/auth/login").form(&[("username", name), ("password", PASSWORD)]).send().expect(200);
    }
    let by_email = json!({"email": "Uma_User@example.com", "password": PASSWORD});
    server.post("/api/v1/auth/login").json(&by_email).send().expect(200);
}

fn a_wrong_password_and_an_unknown_name_answer_alike(server: &Server) {
    let attempt = |name: &str, password: &str| {
        let answer = server
            .post("/api/v1/auth/login")
            .header("x-request-id", "same-id-twice")
            .json(&json!({"username": name, "password": password}))
            .send();
        assert_eq!(answer.must("www-authenticate"), "Bearer");
        let text = answer.text();
        answer.problem(401);
        text
    };
    let wrong = attempt("uma_user", "Wrong1horse");
    assert_eq!(wrong, attempt("nobody_here", "Wrong1horse"));
    assert_eq!(wrong, attempt("nobody@example.com", PASSWORD));
    assert_eq!(wrong, attempt("uma_user\0", PASSWORD), "PostgreSQL takes no NUL in a text");
    assert_eq!(wrong, attempt("uma_user", &PASSWORD.to_uppercase()), "passwords are not case-folded");
    assert_eq!(wrong, attempt("uma_user", &format!("{PASSWORD} ")), "nor trimmed");
    assert_eq!(wrong, attempt("uma_user", &format!("{PASSWORD}\0")));
    assert_eq!(wrong, attempt("uma_user", &"x".repeat(5_000)));
}

fn a_login_without_fields_is_422_at_them(server: &Server) {
    server.post("/api/v1/auth/login").json(&json!({})).send().refused_at(&["username", "password"]);
    server.post("/api/v1/auth/login").json(&json!({"username": "uma_user"})).send().refused_at(&["password"]);
    server.post("/api/v1/auth/login").form(&[("username", "uma_user")]).send().refused_at(&["password"]);
    server
        .post("/api/v1/auth/login")
        .json(&json!({"username": 5, "password": true}))
        .send()
        .refused_at(&["username", "password"]);
    server.post("/api/v1/auth/login").body("text/plain", "x").send().problem(415);
}

fn bad_tokens_are_401_even_where_none_is_needed(server: &Server) {
    let good = server.token(Who::User);
    let parts: Vec<&str> = good.split('.').collect();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let mut flipped = good.clone();
    let last = flipped.pop().unwrap();
    flipped.pop();
    flipped.push(if last == 'A' { 'B' } else { 'A' });
    flipped.push('A');
    let bad = [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer x".to_owned(),
        "Bearer a.b.c".to_owned(),
        format!("Bearer {flipped}"),
        format!("Bearer {}.{}.", parts[0], parts[1]),
        format!("Bearer {none}.{}.", parts[1]),
        format!("Bearer {none}.{}.{}", parts[1], parts[2]),
        format!("Bearer {good} {good}"),
        format!("Basic {good}"),
        format!("Token {good}"),
        good.clone(),
        format!("Bearer {}", "x".repeat(3_000)),
    ];
    for value in bad {
        for path in ["/api/v1/users/me", "/api/v1/items", "/api/v1/categories"] {
            let answer = server.get(path).header("authorization", &value).send();
            assert_eq!(answer.status, 401, "{path} with {value:?}: {}", answer.text());
            assert!(answer.must("www-authenticate").starts_with("Bearer"));
            answer.problem(401);
        }
    }
    for value in [format!("bearer {good}"), format!("BEARER {good}")] {
        server.get("/api/v1/users/me").header("authorization", value).send().expect(200);
    }
    // Signed by somebody else.
    let other = Place::furnished(Kind::Sqlite).with("SECRET_KEY", "another-secret-key-another-secret-key").serve();
    other.get("/api/v1/users/me").bearer(&good).send().problem(401);
}

fn me_is_who_the_token_says(server: &Server) {
    let answer = server.user().get("/api/v1/users/me").send().expect(200);
    allow_duplicates! {
        assert_snapshot!(shape(&answer.json()), @r#"
    {
      "success": true,
      "message": "User retrieved successfully",
      "data": {
        "id": 2,
        "email": "uma_user@example.com",
        "username": "uma_user",
        "full_name": null,
        "age": null,
        "website": null,
        "role": "user",
        "is_active": true,
        "created_at": "[created_at]",
        "updated_at": "[updated_at]",
        "last_login_at": "[last_login_at]"
      }
    }
    "#);
    }
    let text = answer.text().to_lowercase();
    assert!(!text.contains("password") && !text.contains("$2"), "{text}");
    for field in ["created_at", "updated_at", "last_login_at"] {
        let time = answer.data()[field].as_str().unwrap().to_owned();
        let read = chrono::DateTime::parse_from_rfc3339(&time).unwrap();
        assert!(time.ends_with('Z') && (chrono::Utc::now() - read.to_utc()).num_minutes() < 60, "{field}: {time}");
    }
    for who in Who::ALL {
        assert_eq!(server.as_who(who).get("/api/v1/users/me").send().expect(200).data()["id"], who.id());
    }
    let profile = server.user().get("/api/v1/users/profile").send().expect(200);
    assert_eq!(profile.data()["username"], "uma_user");
    let anonymous = server.get("/api/v1/users/me").send();
    assert_eq!(anonymous.must("www-authenticate"), "Bearer");
    anonymous.problem(401);
}

fn deactivate(server: &Server, who: Who) {
    server.run(&["user", "deactivate", who.username()]).expect(0);
}

fn an_inactive_user_is_told_only_after_the_right_password(server: &Server) {
    deactivate(server, Who::User);
    let login = |password: &str| {
        server.post("/api/v1/auth/login").json(&json!({"username": "uma_user", "password": password})).send()
    };
    login(PASSWORD).problem(400);
    login("Wrong1horse").problem(401);
}

fn a_deactivated_users_token_dies_at_once(server: &Server) {
    let token = server.token(Who::User);
    server.get("/api/v1/users/me").bearer(&token).send().expect(200);
    deactivate(server, Who::User);
    wait_for("the end of the token", Duration::from_millis(1_500), || {
        (server.get("/api/v1/users/me").bearer(&token).send().status == 401).then_some(())
    });
    server.get("/api/v1/items").bearer(&token).send().problem(401);
}

fn a_changed_password_ends_the_tokens_made_before(server: &Server) {
    let token = server.token(Who::User);
    server.get("/api/v1/users/me").bearer(&token).send().expect(200);
    server.place().run_with_input(&["user", "passwd", "uma_user", "--password-stdin"], b"Another2horse\n").expect(0);
    wait_for("the end of the token", Duration::from_millis(1_500), || {
        (server.get("/api/v1/users/me").bearer(&token).send().status == 401).then_some(())
    });
    server.post("/api/v1/auth/login").json(&json!({"username": "uma_user", "password": PASSWORD})).send().problem(401);
    let fresh = server.login("uma_user", "Another2horse");
    server.get("/api/v1/users/me").bearer(&fresh).send().expect(200);
}

fn a_changed_role_counts_at_once(server: &Server) {
    let token = server.token(Who::User);
    let create = |name: &str, token: &str| {
        server.post("/api/v1/categories").bearer(token).json(&json!({"name": name})).send().status
    };
    assert_eq!(create("One", &token), 403);
    server.run(&["user", "role", "uma_user", "admin"]).expect(0);
    // Either the old token ends or it carries the new role; never the old role for longer than a second.
    wait_for("the end of the old role", Duration::from_millis(1_500), || (create("Two", &token) != 403).then_some(()));
    assert_eq!(create("Three", &server.login("uma_user", PASSWORD)), 201);
}

fn passwords_count_every_byte(server: &Server) {
    // bcrypt alone looks at 72 bytes.
    let long = format!("Aa1{}", "x".repeat(125));
    let args = [
        "user",
        "create",
        "--email",
        "long@example.com",
        "--username",
        "longone",
        "--role",
        "user",
        "--password-stdin",
    ];
    server.place().run_with_input(&args, format!("{long}\n").as_bytes()).expect(0);
    server.login("longone", &long);
    let other_tail = format!("{}y", &long[..127]);
    for wrong in [&long[..100], other_tail.as_str(), &long[..72]] {
        server.post("/api/v1/auth/login").json(&json!({"username": "longone", "password": wrong})).send().problem(401);
    }
}

fn login_notes_when_it_was(server: &Server) {
    let last =
        |server: &Server| server.admin().get("/api/v1/users/me").send().expect(200).data()["last_login_at"].clone();
    let first = last(server);
    server.login("ada_admin", PASSWORD);
    wait_for("a later last_login_at", Duration::from_secs(2), || (last(server) != first).then_some(()));
}

#[test]
fn a_tokens_life_is_as_configured() {
    let server = Place::furnished(Kind::Sqlite).with("ACCESS_TOKEN_EXPIRE_MINUTES", "1").serve();
    let answer = server.post("/api/v1/auth/login").json(&json!({"username": "uma_user", "password": PASSWORD})).send();
    assert_eq!(answer.expect(200).json()["expires_in"], 60);
}

#[test]
fn while_many_sign_in_reads_are_answered() {
    // One login at cost 12 holds a core for a third of a second or more; they must not hold the workers.
    let server = Place::furnished(Kind::Sqlite).with("BCRYPT_COST", "12").serve();
    server.login("uma_user", PASSWORD); // renews the hash to the higher cost
    std::thread::scope(|scope| {
        let logins: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    server
                        .post("/api/v1/auth/login")
                        .json(&json!({"username": "uma_user", "password": PASSWORD}))
                        .send()
                        .status
                })
            })
            .collect();
        let mut reads = 0;
        while logins.iter().any(|l| !l.is_finished()) {
            server.get("/api/v1/items").send().expect(200);
            reads += 1;
        }
        assert!(reads > 20, "only {reads} reads while 8 people signed in");
        for login in logins {
            let status = login.join().unwrap();
            assert!(status == 200 || status == 503, "{status}");
        }
    });
}

#[test]
fn a_stored_hash_of_a_lower_cost_is_renewed_at_login() {
    let server = Place::furnished(Kind::Sqlite).with("BCRYPT_COST", "6").serve();
    let hash = || server.db().texts("SELECT password_hash AS s FROM users WHERE id = 2").remove(0);
    assert!(hash().starts_with("$2b$04$"), "{}", hash());
    server.login("uma_user", PASSWORD);
    wait_for("the renewed hash", Duration::from_secs(2), || hash().starts_with("$2b$06$").then_some(()));
    server.login("uma_user", PASSWORD);
}
