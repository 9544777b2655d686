//! Refresh tokens: each good for one use, in families that end when one is used twice.

use crate::support::{Answer, Db, Kind, Place, Server, Who, data::shape, on_both, server::PASSWORD, wait_for};
use insta::{allow_duplicates, assert_snapshot};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeSet, time::Duration};

on_both! {
    a_use_gives_the_next_token_and_ends_this_one,
    both_forms_of_a_body_are_read,
    a_token_used_twice_ends_its_whole_family_and_no_other,
    of_20_uses_at_once_one_counts,
    what_is_no_live_token_is_401_and_all_of_it_alike,
    an_expired_token_is_401,
    each_kind_of_token_opens_only_its_own_door,
    logout_ends_the_family_and_no_other,
    a_deactivated_users_families_end,
    a_changed_role_or_password_ends_the_families,
    a_profile_change_ends_nothing,
    a_removed_users_tokens_are_gone,
    tokens_are_kept_hashed_and_never_logged,
    a_body_without_a_token_is_refused_at_it,
}

/// Signs in; the access token and the refresh token.
fn sign_in(server: &Server, who: Who) -> (String, String) {
    let body = json!({"username": who.username(), "password": PASSWORD});
    pair(&server.post("/api/v1/auth/login").json(&body).send().expect(200))
}

fn pair(answer: &Answer) -> (String, String) {
    let tokens = answer.json();
    let text = |name: &str| tokens[name].as_str().unwrap_or_else(|| panic!("no {name}: {tokens}")).to_owned();
    (text("access_token"), text("refresh_token"))
}

fn refresh(server: &Server, token: &str) -> Answer {
    server.post("/api/v1/auth/refresh").json(&json!({"refresh_token": token})).send()
}

fn logout(server: &Server, token: &str) -> Answer {
    server.post("/api/v1/auth/logout").json(&json!({"refresh_token": token})).send()
}

/// The next token of a family.
#[track_caller]
fn next(server: &Server, token: &str) -> String {
    pair(&refresh(server, token).expect(200)).1
}

/// 401, with what the client is to do about it.
#[track_caller]
fn refused(answer: Answer) -> Value {
    assert_eq!(answer.must("www-authenticate"), "Bearer");
    answer.problem(401)
}

fn me(server: &Server, token: &str) -> u16 {
    server.get("/api/v1/users/me").bearer(token).send().status
}

/// How many families there are, tokens in all, and tokens that could still be used.
fn kept(db: &mut Db) -> (i64, i64, i64) {
    (
        db.number("SELECT count(DISTINCT family) AS n FROM refresh_tokens"),
        db.count("refresh_tokens"),
        db.number("SELECT count(*) AS n FROM refresh_tokens WHERE used_at IS NULL AND revoked_at IS NULL"),
    )
}

fn a_use_gives_the_next_token_and_ends_this_one(server: &Server) {
    let (access, first) = sign_in(server, Who::User);
    let answer = refresh(server, &first).expect(200);
    assert!(answer.must("cache-control").contains("no-store"));
    assert_eq!(answer.must("content-type"), "application/json");
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
    let (renewed, second) = pair(&answer);
    let of_whom = server.get("/api/v1/users/me").bearer(&renewed).send().expect(200);
    assert_eq!(of_whom.data()["id"], Who::User.id());
    assert_eq!(me(server, &access), 200, "the access token of before lives out its time");
    let mut token = second.clone();
    let mut seen = BTreeSet::from([first.clone(), second]);
    for _ in 0..5 {
        token = next(server, &token);
        assert!(seen.insert(token.clone()), "every token is a new one");
    }
    assert_eq!(kept(&mut server.db()), (1, 7, 1), "one family, of which the last can be used");
    refused(refresh(server, &first));
}

fn both_forms_of_a_body_are_read(server: &Server) {
    let (_, token) = sign_in(server, Who::User);
    let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    let (_, token) = pair(&server.post("/api/v1/auth/refresh").form(&form).send().expect(200));
    let answer = server.post("/api/v1/auth/logout").form(&[("refresh_token", &token)]).send().expect(204);
    assert!(answer.body.is_empty());
    refused(refresh(server, &token));
    for path in ["/api/v1/auth/refresh", "/api/v1/auth/logout"] {
        server.post(path).body("text/plain", token.as_str()).send().problem(415);
        server.post(path).body("application/json", "{").send().problem(400);
        server.get(path).send().problem(405);
    }
}

fn a_token_used_twice_ends_its_whole_family_and_no_other(server: &Server) {
    let (_, first) = sign_in(server, Who::User);
    let (_, elsewhere) = sign_in(server, Who::User);
    let (_, of_another) = sign_in(server, Who::Other);
    let second = next(server, &first);
    let third = next(server, &second);
    // Whoever has the copy, thief or owner: what came of it ends for both.
    refused(refresh(server, &first));
    refused(refresh(server, &third));
    refused(refresh(server, &second));
    refused(refresh(server, &first));
    assert_eq!(kept(&mut server.db()), (3, 5, 2));
    next(server, &elsewhere);
    next(server, &of_another);
}

fn of_20_uses_at_once_one_counts(server: &Server) {
    for round in 1..=3 {
        let (_, token) = sign_in(server, Who::User);
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let uses: Vec<_> = (0..20).map(|_| scope.spawn(|| refresh(server, &token))).collect();
            uses.into_iter().map(|u| u.join().unwrap()).collect()
        });
        let (right, wrong): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 200);
        assert_eq!(right.len(), 1, "one use counts");
        for answer in wrong {
            refused(answer);
        }
        // Whether one of them came late enough to look like a thief's is chance; this one does.
        refused(refresh(server, &token));
        assert_eq!(kept(&mut server.db()), (round, 2 * round, 0), "one family with one successor, and it has ended");
        refused(refresh(server, &pair(&right[0]).1));
    }
}

fn what_is_no_live_token_is_401_and_all_of_it_alike(server: &Server) {
    let (_, token) = sign_in(server, Who::User);
    let (_, used) = sign_in(server, Who::User);
    next(server, &used);
    let (_, ended) = sign_in(server, Who::User);
    logout(server, &ended).expect(204);
    let mut changed = token.clone();
    let last = changed.pop().unwrap();
    changed.push(if last == 'A' { 'B' } else { 'A' });
    let mut answers = BTreeSet::new();
    let bare = token.trim_start_matches("srr_");
    let cut = &token[..token.len() - 1];
    let hashed = hex::encode(Sha256::digest(token.as_bytes()));
    let long = "x".repeat(5_000);
    let padded = format!(" {token}");
    let upper = token.to_uppercase();
    let ones = [&used, &ended, &changed, bare, cut, &hashed, &long, &padded, &upper, "x", "srr_", "\0", "' OR 1=1 --"];
    for wrong in ones {
        let answer = server
            .post("/api/v1/auth/refresh")
            .header("x-request-id", "same-id-each-time")
            .json(&json!({"refresh_token": wrong}))
            .send();
        answers.insert(answer.text());
        refused(answer);
    }
    assert_eq!(answers.len(), 1, "the answer does not say what is wrong: {answers:?}");
    next(server, &token);
}

fn an_expired_token_is_401(server: &Server) {
    let (_, token) = sign_in(server, Who::User);
    let life = "SELECT (expires_at - created_at) / 86400000000 AS n FROM refresh_tokens";
    assert_eq!(server.db().number(life), 30);
    let soon = chrono::Utc::now().timestamp_micros() + 60_000_000;
    server.db().execute(&format!("UPDATE refresh_tokens SET expires_at = {soon}"));
    let token = next(server, &token);
    let now = chrono::Utc::now().timestamp_micros();
    server.db().execute(&format!("UPDATE refresh_tokens SET expires_at = {now}"));
    refused(refresh(server, &token));
    assert_eq!(server.db().number("SELECT count(*) AS n FROM refresh_tokens WHERE expires_at > created_at"), 2);
    assert_eq!(server.db().count("refresh_tokens"), 2, "and no next one");
}

fn each_kind_of_token_opens_only_its_own_door(server: &Server) {
    let (access, token) = sign_in(server, Who::User);
    refused(refresh(server, &access));
    for path in ["/api/v1/users/me", "/api/v1/items", "/api/v1/auth/refresh"] {
        refused(server.get(path).bearer(&token).send());
    }
    // A refresh token is read from the body and from nowhere else.
    let in_url = format!("/api/v1/auth/refresh?refresh_token={token}");
    server.post(&in_url).json(&json!({})).send().refused_at(&["refresh_token"]);
    let in_cookie = server.post("/api/v1/auth/refresh").header("cookie", format!("refresh_token={token}"));
    in_cookie.json(&json!({})).send().refused_at(&["refresh_token"]);
    logout(server, &access).expect(204);
    assert_eq!(me(server, &access), 200);
    next(server, &token);
}

fn logout_ends_the_family_and_no_other(server: &Server) {
    let (_, first) = sign_in(server, Who::User);
    let (_, elsewhere) = sign_in(server, Who::User);
    let second = next(server, &first);
    // Any token of the family, also a used one, and as often as one likes.
    for token in [&first, &second, &first] {
        let answer = logout(server, token).expect(204);
        assert!(answer.body.is_empty());
        assert_eq!(answer.must("cache-control"), "no-store");
    }
    refused(refresh(server, &second));
    logout(server, "srr_nobody-has-this").expect(204);
    next(server, &elsewhere);
}

/// Within a second, says the contract; refresh tokens are asked for at every use, so at once.
fn ends(server: &Server, access: &str, token: &str) {
    refused(refresh(server, token));
    wait_for("the end of the access token", Duration::from_millis(1_500), || (me(server, access) == 401).then_some(()));
}

fn a_deactivated_users_families_end(server: &Server) {
    let (access, token) = sign_in(server, Who::User);
    let (_, elsewhere) = sign_in(server, Who::User);
    assert_eq!(me(server, &access), 200);
    server.admin().patch("/api/v1/users/2", &json!({"is_active": false})).send().expect(200);
    ends(server, &access, &token);
    // Nor do they come back with the user.
    server.admin().patch("/api/v1/users/2", &json!({"is_active": true})).send().expect(200);
    for dead in [&token, &elsewhere] {
        refused(refresh(server, dead));
    }
    assert_eq!(me(server, &access), 401);
    sign_in(server, Who::User);
}

fn a_changed_role_or_password_ends_the_families(server: &Server) {
    for role in ["admin", "guest"] {
        let (access, token) = sign_in(server, Who::User);
        assert_eq!(me(server, &access), 200);
        server.admin().patch("/api/v1/users/2", &json!({"role": role})).send().expect(200);
        ends(server, &access, &token);
    }
    let (access, token) = sign_in(server, Who::User);
    server.place().run_with_input(&["user", "passwd", "2", "--password-stdin"], b"Another2horse\n").expect(0);
    ends(server, &access, &token);
}

fn a_profile_change_ends_nothing(server: &Server) {
    let (access, token) = sign_in(server, Who::User);
    let same = json!({"full_name": "Uma", "username": "uma_2", "role": "user", "is_active": true});
    server.admin().patch("/api/v1/users/2", &same).send().expect(200);
    let email = json!({"email": "uma@elsewhere.example"});
    server.admin().patch("/api/v1/users/2", &email).send().expect(200);
    next(server, &token);
    assert_eq!(me(server, &access), 200);
}

fn a_removed_users_tokens_are_gone(server: &Server) {
    let (access, token) = sign_in(server, Who::User);
    server.admin().delete("/api/v1/users/2").send().expect(204);
    ends(server, &access, &token);
    assert_eq!(server.db().number("SELECT count(*) AS n FROM refresh_tokens WHERE user_id = 2"), 0);
}

fn tokens_are_kept_hashed_and_never_logged(server: &Server) {
    let (_, first) = sign_in(server, Who::User);
    let second = next(server, &first);
    refused(refresh(server, &first));
    for token in [&first, &second] {
        assert!(token.starts_with("srr_") && token.len() >= 47, "256 bits behind a name: {token}");
        let hash = hex::encode(Sha256::digest(token.as_bytes()));
        let found = format!("SELECT count(*) AS n FROM refresh_tokens WHERE token_hash = '{hash}'");
        assert_eq!(server.db().number(&found), 1);
        assert!(!server.printed().contains(token.trim_start_matches("srr_")));
    }
    let all = "SELECT family || token_hash AS s FROM refresh_tokens";
    let texts = server.db().texts(all).concat();
    assert!(!texts.contains(&first[4..]) && !texts.contains(&second[4..]));
}

fn a_body_without_a_token_is_refused_at_it(server: &Server) {
    for path in ["/api/v1/auth/refresh", "/api/v1/auth/logout"] {
        for body in
            [json!({}), json!({"refresh_token": null}), json!({"refresh_token": ""}), json!({"refresh_token": 5})]
        {
            server.post(path).json(&body).send().refused_at(&["refresh_token"]);
        }
        server.post(path).form(&[("token", "x")]).send().refused_at(&["refresh_token"]);
    }
}

/// While the second token of a family is being used, the first is used again: the third must not outlive that.
#[test]
#[ignore = "needs PostgreSQL: tests/run"]
fn a_family_that_grows_while_it_ends_ends_whole() {
    let server = Place::furnished(Kind::Postgres).serve();
    let (_, first) = sign_in(&server, Who::User);
    let second = next(&server, &first);
    let mut db = server.db();
    let waiting = |n: i64| {
        let sql = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        wait_for("a wait for the lock", Duration::from_secs(10), || (server.db().number(sql) == n).then_some(()));
    };
    let third = std::thread::scope(|scope| {
        db.execute("BEGIN");
        let hash = hex::encode(Sha256::digest(second.as_bytes()));
        db.texts(&format!("SELECT family AS s FROM refresh_tokens WHERE token_hash = '{hash}' FOR UPDATE"));
        let growing = scope.spawn(|| refresh(&server, &second));
        waiting(1);
        let ending = scope.spawn(|| refresh(&server, &first));
        waiting(2);
        db.execute("COMMIT");
        refused(ending.join().unwrap());
        growing.join().unwrap()
    });
    if third.status == 200 {
        refused(refresh(&server, &pair(&third).1));
    }
    assert_eq!(kept(&mut server.db()).2, 0);
}

#[test]
fn a_refresh_tokens_life_is_as_configured() {
    let server = Place::furnished(Kind::Sqlite).with("REFRESH_TOKEN_EXPIRE_DAYS", "1").serve();
    let (_, token) = sign_in(&server, Who::User);
    next(&server, &token);
    let life = "SELECT count(*) AS n FROM refresh_tokens WHERE expires_at - created_at = 86400000000";
    assert_eq!(server.db().number(life), 2);
    for wrong in ["0", "366", "-1", "soon"] {
        let ran = Place::empty(Kind::Sqlite).with("REFRESH_TOKEN_EXPIRE_DAYS", wrong).refuses().expect(1);
        assert!(ran.stderr.contains("REFRESH_TOKEN_EXPIRE_DAYS"), "{wrong}: {}", ran.stderr);
    }
}

#[test]
fn without_public_read_one_can_still_refresh_and_leave() {
    let server = Place::furnished(Kind::Sqlite).with("PUBLIC_READ", "false").serve();
    let (_, token) = sign_in(&server, Who::User);
    let token = next(&server, &token);
    logout(&server, &token).expect(204);
}
