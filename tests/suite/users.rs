//! Users: register, lists, edits, removals through the API; and from the command line.

use crate::support::{
    Answer, Kind, Place, Server, Visitor, Who,
    data::{new_category, new_item, shape, some_diamonds},
    on_both, on_each_database,
    server::PASSWORD,
    wait_for,
};
use insta::{allow_duplicates, assert_snapshot};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

on_both! {
    who_registers_is_a_user,
    register_refuses_what_only_an_admin_sets,
    register_says_all_that_is_wrong_at_once,
    an_admin_makes_a_user_of_any_role,
    each_field_holds_its_bounds_at_every_way_in,
    passwords_hold_their_bounds_and_are_kept_as_they_are,
    text_is_trimmed_and_null_clears,
    who_is_there_is_not_there_twice,
    of_10_who_register_one_name_at_once_one_gets_it,
    others_are_as_if_they_were_not_there,
    the_list_is_for_admins,
    the_list_shows_what_it_has,
    filters_narrow_the_list,
    wrong_filters_sorts_and_windows_are_refused_at_their_name,
    every_sort_walks_the_same_by_page_and_by_cursor,
    one_edits_oneself_but_not_what_one_is,
    an_admin_edits_everything,
    a_patch_sets_no_password,
    what_ends_a_user_ends_the_session_too,
    the_last_active_admin_stays,
    two_admins_who_remove_each_other_leave_one,
    who_owns_items_is_not_removed,
    what_a_leaving_user_owned_goes_to_another,
    a_removed_user_is_not_there,
    versions_guard_users,
    a_users_items_come_with_their_categories,
    passwords_are_shown_nowhere,
}

on_each_database! {
    create_prints_the_id_and_the_user_can_sign_in,
    a_bad_user_is_refused_with_each_reason_and_nothing_is_made,
    emails_and_usernames_are_unique_without_regard_to_case,
    a_user_is_found_by_email_username_or_id,
    the_last_active_admin_keeps_the_role,
    list_shows_everybody_and_no_hash,
}

fn create(place: &Place, email: &str, username: &str, role: &str, password: &[u8]) -> crate::support::Ran {
    let args = ["user", "create", "--email", email, "--username", username, "--role", role, "--password-stdin"];
    place.run_with_input(&args, password)
}

fn create_prints_the_id_and_the_user_can_sign_in(kind: Kind) {
    let place = Place::empty(kind);
    let ran = create(&place, "  Eve@Example.COM ", "Eve_1", "user", b"Correct1horse\n").expect(0);
    assert_eq!(ran.stdout, "1\n", "the id and nothing else, for scripts");
    let server = place.serve();
    let token = server.login("eve_1", PASSWORD);
    let me = server.get("/api/v1/users/me").bearer(&token).send().expect(200).data();
    assert_eq!(
        (me["email"].as_str(), me["username"].as_str(), me["role"].as_str()),
        (Some("eve@example.com"), Some("Eve_1"), Some("user"))
    );
}

fn a_bad_user_is_refused_with_each_reason_and_nothing_is_made(kind: Kind) {
    let place = Place::empty(kind);
    place.run(&["migrate", "run"]).expect(0);
    let ran = create(&place, "no-at-sign", "a b", "user", b"short").expect(1);
    for field in ["email", "username", "password"] {
        assert!(ran.stderr.contains(field), "{field}: {}", ran.stderr);
    }
    let long_name = "x".repeat(51);
    for username in ["ab", &long_name, "admin", "ROOT", "System", "dash-ed", "ünï"] {
        let ran = create(&place, "a@example.com", username, "user", b"Correct1horse").expect(1);
        assert!(ran.stderr.contains("username"), "{username}: {}", ran.stderr);
    }
    let (too_long, long) = (format!("Aa1{}", "x".repeat(126)), format!("Aa1{}", "x".repeat(125)));
    for password in ["Short1a", "nouppercase1", "NoDigitHere", &too_long, "With1Null\0inside", ""] {
        let ran = create(&place, "a@example.com", "alice", "user", password.as_bytes()).expect(1);
        assert!(ran.stderr.contains("password"), "{password}: {}", ran.stderr);
        assert!(password.is_empty() || !ran.all().contains(password), "a password is never shown");
    }
    create(&place, "a@example.com", "alice", "owner", b"Correct1horse").expect(2);
    assert_eq!(place.db().count("users"), 0);
    assert_eq!(place.db().count("changesets"), 0);
    create(&place, "a@example.com", "abc", "user", b"Short1ab").expect(0);
    create(&place, "b@example.com", &"x".repeat(50), "user", long.as_bytes()).expect(0);
    assert_eq!(place.db().count("users"), 2);
}

fn emails_and_usernames_are_unique_without_regard_to_case(kind: Kind) {
    let place = Place::furnished(kind);
    let ran = create(&place, "UMA_user@example.com", "somebody", "user", b"Correct1horse").expect(1);
    assert!(ran.stderr.contains("e-mail") && !ran.stderr.to_lowercase().contains("constraint"), "{}", ran.stderr);
    let ran = create(&place, "new@example.com", "UMA_USER", "user", b"Correct1horse").expect(1);
    assert!(ran.stderr.contains("name"), "{}", ran.stderr);
    assert_eq!(place.db().count("users"), 4);
}

fn a_user_is_found_by_email_username_or_id(kind: Kind) {
    let place = Place::furnished(kind);
    place.run(&["user", "role", "Uma_User@example.com", "guest"]).expect(0);
    place.run(&["user", "role", "UMA_USER", "admin"]).expect(0);
    place.run(&["user", "role", "2", "user"]).expect(0);
    assert_eq!(place.db().number("SELECT version AS n FROM users WHERE id = 2"), 4, "three writes after the first");
    place.run(&["user", "role", "nobody_here", "user"]).expect(1);
    place.run(&["user", "role", "99", "user"]).expect(1);
    place.run(&["user", "role", "2", "emperor"]).expect(2);
    let ran = place.run_with_input(&["user", "passwd", "2", "--password-stdin"], b"weak").expect(1);
    assert!(ran.stderr.contains("password"), "{}", ran.stderr);
}

fn the_last_active_admin_keeps_the_role(kind: Kind) {
    let place = Place::furnished(kind);
    let ran = place.run(&["user", "role", "ada_admin", "user"]).expect(1);
    assert!(ran.stderr.contains("admin"), "{}", ran.stderr);
    place.run(&["user", "role", "uma_user", "admin"]).expect(0);
    place.run(&["user", "role", "ada_admin", "user"]).expect(0);
    place.run(&["user", "role", "uma_user", "guest"]).expect(1);
    assert_eq!(place.db().number("SELECT count(*) AS n FROM users WHERE role = 'admin'"), 1);
}

fn list_shows_everybody_and_no_hash(kind: Kind) {
    let place = Place::furnished(kind);
    let shown = place.run(&["user", "list"]).expect(0).stdout;
    for who in crate::support::Who::ALL {
        assert!(
            shown.lines().any(|l| l.contains(who.username()) && l.contains(&who.email()) && l.contains(who.role())),
            "{shown}"
        );
    }
    assert!(!shown.contains("$2"), "{shown}");
}

fn somebody(name: &str) -> Value {
    json!({"email": format!("{name}@example.com"), "username": name, "password": PASSWORD})
}

/// `base` with the members of `more` in it.
fn with(base: &Value, more: Value) -> Value {
    let mut body = base.clone();
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

fn register(server: &Server, body: &Value) -> Answer {
    server.post("/api/v1/auth/register").json(body).send()
}

#[track_caller]
fn registered(server: &Server, name: &str) -> i64 {
    register(server, &somebody(name)).expect(201).data()["id"].as_i64().unwrap()
}

fn path(who: Who) -> String {
    format!("/api/v1/users/{}", who.id())
}

/// All that a refused write must leave alone.
fn everything(server: &Server) -> Vec<String> {
    let mut db = server.db();
    let mut all: Vec<String> = Vec::new();
    for table in ["users", "items"] {
        all.extend(db.rows_of(table, &["last_login_at"]).into_iter().map(|(id, row)| format!("{table} {id} {row}")));
    }
    all.push(format!("{} changesets, {} changes", db.count("changesets"), db.count("changes")));
    all
}

fn who_registers_is_a_user(server: &Server) {
    let body = json!({
        "email": " New@Example.COM ", "username": "New_One", "password": PASSWORD, "full_name": "New One", "age": 30,
        "website": "https://new.example/", "role": "user", "is_active": true, "nickname": "ignored",
    });
    let answer = register(server, &body).expect(201);
    assert_eq!(answer.must("location"), "/api/v1/users/5");
    assert_eq!(answer.must("etag"), "\"1\"");
    allow_duplicates! {
        assert_snapshot!(shape(&answer.json()), @r#"
    {
      "success": true,
      "message": "User registered successfully",
      "data": {
        "id": 5,
        "email": "new@example.com",
        "username": "New_One",
        "full_name": "New One",
        "age": 30,
        "website": "https://new.example/",
        "role": "user",
        "is_active": true,
        "created_at": "[created_at]",
        "updated_at": "[updated_at]",
        "last_login_at": null
      }
    }
    "#);
    }
    let token = server.login("new_one", PASSWORD);
    let me = server.get(&answer.must("location")).bearer(&token).send().expect(200).data();
    assert_eq!((me["id"].as_i64(), me["role"].as_str()), (Some(5), Some("user")));
    server.post("/api/v1/categories").bearer(&token).json(&json!({"name": "Mine"})).send().problem(403);
    let mut db = server.db();
    let act = "SELECT coalesce(actor_id, 0) || '|' || actor || '|' || door || '|' || summary AS s FROM changesets ORDER BY id DESC LIMIT 1";
    assert_eq!(db.texts(act), ["0|anonymous|api|Registered New_One"]);
    let hash = db.texts("SELECT password_hash AS s FROM users WHERE id = 5").remove(0);
    assert!(hash.starts_with("$2b$04$"), "{hash}");
    register(server, &somebody("nobody_2")).expect(201);
    server.post("/api/v1/auth/register").form(&[("username", "form")]).send().problem(415);
    server.post("/api/v1/auth/register").body("application/json", "[]").send().problem(400);
}

fn register_refuses_what_only_an_admin_sets(server: &Server) {
    let before = everything(server);
    for more in [
        json!({"role": "admin"}),
        json!({"role": "guest"}),
        json!({"is_active": false}),
        json!({"id": 77}),
        json!({"id": 1}),
        json!({"role": "admin", "is_active": true, "full_name": "A"}),
    ] {
        let body = with(&somebody("sneaky"), more);
        register(server, &body).problem(403);
        server.user().post("/api/v1/auth/register", &body).send().problem(403);
        server.as_who(Who::Guest).post("/api/v1/auth/register", &body).send().problem(403);
    }
    assert_eq!(everything(server), before);
}

fn register_says_all_that_is_wrong_at_once(server: &Server) {
    let before = everything(server);
    register(server, &json!({})).refused_at(&["email", "username", "password"]);
    register(server, &json!({"email": null, "username": null, "password": null}))
        .refused_at(&["email", "username", "password"]);
    let wrong = json!({
        "email": "nobody", "username": "a b", "password": "weak", "full_name": "x".repeat(101), "age": -1,
        "website": "ftp://x.example", "role": "emperor", "is_active": "yes",
    });
    let problem = register(server, &wrong).refused_at(&[
        "email",
        "username",
        "password",
        "full_name",
        "age",
        "website",
        "role",
        "is_active",
    ]);
    assert!(!problem.to_string().contains("weak"), "{problem}");
    assert_eq!(everything(server), before);
}

fn an_admin_makes_a_user_of_any_role(server: &Server) {
    for (n, role) in ["admin", "user", "guest"].into_iter().enumerate() {
        let body = with(&somebody(&format!("made_{role}")), json!({"role": role}));
        let answer = server.admin().post("/api/v1/users", &body).send().expect(201);
        let id = 5 + n as i64;
        assert_eq!(answer.must("location"), format!("/api/v1/users/{id}"));
        assert_eq!((answer.data()["id"].as_i64(), answer.data()["role"].as_str()), (Some(id), Some(role)));
        let token = server.login(&format!("MADE_{role}"), PASSWORD);
        let me = server.get("/api/v1/users/me").bearer(&token).send().expect(200);
        assert_eq!(me.data()["role"], role);
    }
    let idle = with(&somebody("idle"), json!({"is_active": false}));
    let answer = server.admin().post("/api/v1/users", &idle).send().expect(201);
    assert_eq!((answer.data()["role"].as_str(), answer.data()["is_active"].as_bool()), (Some("user"), Some(false)));
    server.post("/api/v1/auth/login").json(&json!({"username": "idle", "password": PASSWORD})).send().problem(400);
    let before = everything(server);
    for (field, value) in
        [("role", json!("owner")), ("role", json!("Admin")), ("role", json!(1)), ("is_active", json!(1))]
    {
        let body = with(&somebody("wrong"), json!({field: value}));
        server.admin().post("/api/v1/users", &body).send().refused_at(&[field]);
        server.admin().patch(&path(Who::User), &json!({field: value})).send().refused_at(&[field]);
    }
    server.admin().post("/api/v1/users", &with(&somebody("numbered"), json!({"id": 99}))).send().problem(403);
    assert_eq!(everything(server), before);
    for who in [Who::User, Who::Guest] {
        server.as_who(who).post("/api/v1/users", &somebody("theirs")).send().problem(403);
    }
    assert_eq!(everything(server), before);
}

/// Of each field what is just within its bounds, and what is just beyond them.
fn bounds() -> Vec<(&'static str, Vec<Value>, Vec<Value>)> {
    let host = format!("{0}.{0}.{1}.com", "h".repeat(63), "h".repeat(57));
    let long_email = format!("{}@{host}", "l".repeat(64));
    let long_site = |length: usize| format!("https://x.example/{}", "p".repeat(length - 18));
    vec![
        (
            "email",
            vec![json!(long_email), json!("a@b.example"), json!("first.last+tag@sub.example.com")],
            vec![
                json!(format!("{}h", long_email)),
                json!(format!("{}@x.example", "l".repeat(65))),
                json!(""),
                json!("nobody"),
                json!("a@"),
                json!("@x.example"),
                json!("a@@x.example"),
                json!("a b@x.example"),
                json!("a@x .example"),
                json!("a@x.example\nbcc:b@x.example"),
                json!("a\u{0}@x.example"),
                json!("a@x.example, b@x.example"),
                json!("A <a@x.example>"),
                json!(5),
                json!(["a@x.example"]),
                json!(null),
            ],
        ),
        (
            "username",
            vec![json!("abc"), json!("x".repeat(50)), json!("A_1"), json!("___"), json!("administrator")],
            vec![
                json!("ab"),
                json!("x".repeat(51)),
                json!(""),
                json!("  ab  "),
                json!("a b"),
                json!("a-b"),
                json!("a.b"),
                json!("a@b.example"),
                json!("ünï"),
                json!("adm\u{131}n"),
                json!("abc\u{0}"),
                json!("abc\u{200b}"),
                json!("admin"),
                json!("ADMIN"),
                json!(" Admin "),
                json!("Root"),
                json!("system"),
                json!(5),
                json!({"a": 1}),
                json!(null),
            ],
        ),
        (
            "full_name",
            vec![json!("x".repeat(100)), json!("é".repeat(100)), json!("O'Hara <b>"), json!(""), json!(null)],
            vec![json!("x".repeat(101)), json!("a\u{0}b"), json!("a\nb"), json!("a\tb"), json!(5), json!(true)],
        ),
        (
            "age",
            vec![json!(0), json!(150), json!(null)],
            vec![
                json!(-1),
                json!(151),
                json!(30.5),
                json!("30"),
                json!(true),
                json!(99_999_999_999_i64),
                json!(u64::MAX),
                json!([30]),
            ],
        ),
        (
            "website",
            vec![
                json!("http://x.example"),
                json!("https://x.example/a?b=c#d"),
                json!("HTTPS://X.example"),
                json!(long_site(500)),
                json!(""),
                json!(null),
            ],
            vec![
                json!(long_site(501)),
                json!("x.example"),
                json!("//x.example"),
                json!("/x"),
                json!("ftp://x.example"),
                json!("javascript:alert(1)"),
                json!("data:text/html,x"),
                json!("http://"),
                json!("http:x.example"),
                json!("https:/x.example"),
                json!("https:\\\\x.example"),
                json!("http://a b.example"),
                json!("http://x.example\njavascript:"),
                json!(5),
            ],
        ),
    ]
}

fn each_field_holds_its_bounds_at_every_way_in(server: &Server) {
    let mut n = 0;
    for (field, within, beyond) in bounds() {
        let before = everything(server);
        for value in beyond {
            let body = json!({field: value});
            let fresh = with(&somebody("refused"), body.clone());
            for (way, answer) in [
                ("register", register(server, &fresh)),
                ("POST", server.admin().post("/api/v1/users", &fresh).send()),
                ("PATCH", server.admin().patch(&path(Who::Other), &body).send()),
                ("PATCH me", server.user().patch("/api/v1/users/me", &body).send()),
            ] {
                // One's own address is not one's own to change.
                let forbidden = way == "PATCH me" && field == "email" && answer.status == 403;
                assert!(answer.status == 422 || forbidden, "{way} {body}: {}", answer.text());
                if !forbidden {
                    answer.refused_at(&[field]);
                }
            }
        }
        assert_eq!(everything(server), before, "{field}");
        for value in within {
            n += 1;
            let body = json!({field: value});
            let changed = server.admin().patch(&path(Who::Other), &body).send().expect(200).data();
            let wanted = if value == "" { Value::Null } else { value.clone() };
            assert_eq!(changed[field], wanted);
            server
                .admin()
                .patch(&path(Who::Other), &json!({"email": "o@x.example", "username": "otto_2"}))
                .send()
                .expect(200);
            let made = register(server, &with(&somebody(&format!("within_{n}")), body)).expect(201);
            assert_eq!(made.data()[field], wanted);
            server.admin().delete(&made.must("location")).send().expect(204);
        }
    }
}

fn passwords_hold_their_bounds_and_are_kept_as_they_are(server: &Server) {
    let (long, wide) = (format!("Aa1{}", "x".repeat(125)), format!("É1{}", "é".repeat(126)));
    let within = ["Short1ab", &long, &wide, "  Pass1word\t", "Ünï1cödé", "ABCDEFG1", "' OR 1=1 -- A"];
    for (n, password) in within.into_iter().enumerate() {
        let name = format!("pass_{n}");
        register(server, &with(&somebody(&name), json!({"password": password}))).expect(201);
        server.login(&name, password);
        let mut shorter = password.to_owned();
        shorter.pop();
        for wrong in [shorter.as_str(), &password.to_lowercase(), &format!("{password}x"), &format!(" {password}")] {
            let body = json!({"username": name, "password": wrong});
            server.post("/api/v1/auth/login").json(&body).send().problem(401);
        }
    }
    let before = everything(server);
    let (too_long, too_wide) = (format!("{long}x"), format!("{wide}é"));
    let beyond = ["", "Short1a", &too_long, &too_wide, "nouppercase1", "NoDigitHere", "With1Null\u{0}inside"];
    let beyond =
        beyond.into_iter().map(|text| json!(text)).chain([json!(null), json!(12_345_678), json!(["Short1ab"])]);
    for password in beyond {
        let body = with(&somebody("refused"), json!({"password": password}));
        register(server, &body).refused_at(&["password"]);
    }
    assert_eq!(everything(server), before);
}

fn text_is_trimmed_and_null_clears(server: &Server) {
    let body =
        json!({"username": "  Uma_2 ", "full_name": "  Uma  User\t", "age": 40, "website": " https://u.example "});
    let me = server.user().patch("/api/v1/users/me", &body).send().expect(200).data();
    assert_eq!(
        (me["username"].as_str(), me["full_name"].as_str(), me["website"].as_str()),
        (Some("Uma_2"), Some("Uma  User"), Some("https://u.example"))
    );
    let same = server.user().patch("/api/v1/users/me", &json!({})).send().expect(200).data();
    assert_eq!((&same["full_name"], &same["age"]), (&me["full_name"], &me["age"]), "absent is unchanged");
    let cleared = json!({"full_name": null, "age": null, "website": null});
    let me = server.user().patch("/api/v1/users/me", &cleared).send().expect(200).data();
    assert!(["full_name", "age", "website"].iter().all(|field| me[*field].is_null()), "{me}");
    let email = json!({"email": "  Uma@Example.COM "});
    assert_eq!(server.admin().patch(&path(Who::User), &email).send().expect(200).data()["email"], "uma@example.com");
}

fn who_is_there_is_not_there_twice(server: &Server) {
    let before = everything(server);
    for (field, taken) in [
        ("email", "uma_user@example.com"),
        ("email", "UMA_User@EXAMPLE.com"),
        ("email", "  uma_user@example.com "),
        ("username", "uma_user"),
        ("username", "UMA_USER"),
        ("username", " Uma_User "),
    ] {
        let body = json!({field: taken});
        let fresh = with(&somebody("another"), body.clone());
        for answer in [
            register(server, &fresh),
            server.admin().post("/api/v1/users", &fresh).send(),
            server.admin().patch(&path(Who::Other), &body).send(),
        ] {
            let problem = answer.problem(409);
            assert_eq!(problem["errors"][0]["field"], field, "{problem}");
            assert!(!problem.to_string().contains("otto"), "{problem}");
        }
    }
    let own = json!({"username": "uma_user"});
    server.as_who(Who::Other).patch("/api/v1/users/me", &own).send().problem(409);
    assert_eq!(everything(server), before);
    // One's own name in another case is one's own.
    server.user().patch("/api/v1/users/me", &json!({"username": "UMA_User"})).send().expect(200);
}

fn of_10_who_register_one_name_at_once_one_gets_it(server: &Server) {
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..10)
            .map(|n| {
                let name = if n % 2 == 0 { "wanted" } else { "WANTED" };
                let body = with(&somebody(name), json!({"email": format!("w{n}@example.com")}));
                scope.spawn(move || {
                    let answer = register(server, &body);
                    if answer.status == 201 { 201 } else { answer.problem(409)["status"].as_u64().unwrap() as u16 }
                })
            })
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|s| **s == 201).count(), 1, "{statuses:?}");
    assert_eq!(server.db().count("users"), 5);
}

fn others_are_as_if_they_were_not_there(server: &Server) {
    for (who, caller) in [(Who::Guest, Who::Guest), (Who::User, Who::User), (Who::User, Who::Admin)] {
        let answer = server.as_who(caller).get(&path(who)).send().expect(200);
        assert_eq!(answer.data()["username"], who.username());
    }
    let me = server.user().get("/api/v1/users/me").send().expect(200);
    let own = server.user().get(&path(Who::User)).send().expect(200);
    assert_eq!((me.text(), me.must("etag")), (own.text(), own.must("etag")));
    // The same calls before and after the other one is removed.
    let calls = |id: i64| -> Vec<String> {
        let mut answers = Vec::new();
        for who in [Who::Guest, Who::Other] {
            for (method, rest) in [("GET", ""), ("PATCH", ""), ("GET", "/items"), ("HEAD", "")] {
                let call = server.as_who(who).call(method, &format!("/api/v1/users/{id}{rest}"));
                let call = call.header("x-request-id", "same-id-each-time").header("if-match", "\"9\"");
                let call = if method == "PATCH" { call.json(&json!({"role": "admin", "age": -1})) } else { call };
                let answer = call.send().expect(404);
                let mut headers: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
                headers.sort();
                answers.push(format!("{method} {} {headers:?}", answer.text()));
            }
        }
        answers
    };
    let there = calls(Who::User.id());
    server.admin().delete(&path(Who::User)).send().expect(204);
    assert_eq!(calls(Who::User.id()), there, "byte for byte");
    for strange in ["0", "-1", "99999999999999999999", "you", "1.0", "%31x"] {
        server.as_who(Who::Other).get(&format!("/api/v1/users/{strange}")).send().problem(404);
        server.admin().get(&format!("/api/v1/users/{strange}")).send().problem(404);
    }
}

fn the_list_is_for_admins(server: &Server) {
    for query in ["", "?q=uma", "?sort=nonsense", "?page=0", "?page=x"] {
        let path = format!("/api/v1/users{query}");
        let anonymous = server.get(&path).send();
        assert_eq!(anonymous.must("www-authenticate"), "Bearer");
        anonymous.problem(401);
        for who in [Who::Guest, Who::User, Who::Other] {
            let problem = server.as_who(who).get(&path).send().problem(403);
            assert!(!problem.to_string().contains("example.com"), "{problem}");
        }
    }
}

fn the_list_shows_what_it_has(server: &Server) {
    let answer = server.admin().get("/api/v1/users?page_size=2").send().expect(200);
    allow_duplicates! {
        assert_snapshot!(shape(&answer.json()), @r#"
    {
      "success": true,
      "message": "Users retrieved successfully",
      "data": [
        {
          "id": 1,
          "email": "ada_admin@example.com",
          "username": "ada_admin",
          "full_name": null,
          "age": null,
          "website": null,
          "role": "admin",
          "is_active": true,
          "created_at": "[created_at]",
          "updated_at": "[updated_at]",
          "last_login_at": "[last_login_at]"
        },
        {
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
          "last_login_at": null
        }
      ],
      "total": 4,
      "page": 1,
      "page_size": 2,
      "has_more": true,
      "next_cursor": "[next_cursor]"
    }
    "#);
    }
    let etag = answer.must("etag");
    server.admin().get("/api/v1/users?page_size=2").header("if-none-match", &etag).send().expect(304);
    assert!(answer.must("cache-control").contains("no-store"));
}

fn list(server: &Server, query: &str) -> Value {
    server.admin().get(&format!("/api/v1/users?{query}")).send().expect(200).json()
}

fn ids(list: &Value) -> Vec<i64> {
    list["data"].as_array().unwrap().iter().map(|u| u["id"].as_i64().unwrap()).collect()
}

fn filters_narrow_the_list(server: &Server) {
    for (id, change) in [
        (1, json!({"full_name": "Ada 100% Lovelace", "age": 36})),
        (2, json!({"full_name": "Uma Thorn", "age": 30})),
        (3, json!({"age": 40, "email": "otto@elsewhere.example", "is_active": false})),
    ] {
        server.admin().patch(&format!("/api/v1/users/{id}"), &change).send().expect(200);
    }
    assert_eq!(registered(server, "plain"), 5);
    let all = vec![1, 2, 3, 4, 5];
    for (query, found) in [
        ("", all.clone()),
        ("q=", all.clone()),
        ("q=UMA", vec![2]),
        ("q=thorn", vec![2]),
        ("q=ELSEWHERE", vec![3]),
        ("q=%25", vec![1]),
        ("q=_", vec![1, 2, 3, 4]),
        ("q=%5C", vec![]),
        ("q=%27%20OR%201=1%20--", vec![]),
        ("q=%242b%24", vec![]),
        ("q=%20uma%20", vec![2]),
        ("username=MA_U", vec![2]),
        ("username=thorn", vec![]),
        ("username=_", vec![1, 2, 3, 4]),
        ("username=%25", vec![]),
        ("min_age=30", vec![1, 2, 3]),
        ("min_age=31", vec![1, 3]),
        ("min_age=40", vec![3]),
        ("min_age=41", vec![]),
        ("min_age=-1", vec![1, 2, 3]),
        ("min_age=99999999999", vec![]),
        ("min_age=-99999999999", vec![1, 2, 3]),
        ("role=admin", vec![1]),
        ("role=user", vec![2, 3, 5]),
        ("role=guest", vec![4]),
        ("is_active=true", vec![1, 2, 4, 5]),
        ("is_active=false", vec![3]),
        ("role=user&is_active=true&min_age=30&q=u&username=uma", vec![2]),
        ("role=admin&q=uma", vec![]),
    ] {
        let list = list(server, query);
        assert_eq!(ids(&list), found, "{query}");
        assert_eq!(list["total"], found.len(), "{query}");
    }
}

fn wrong_filters_sorts_and_windows_are_refused_at_their_name(server: &Server) {
    let get = |query: &str| server.admin().get(&format!("/api/v1/users?{query}")).send();
    for (query, field) in [
        ("min_age=old", "min_age"),
        ("min_age=1.5", "min_age"),
        ("role=emperor", "role"),
        ("is_active=perhaps", "is_active"),
        ("sort=nonsense", "sort"),
        ("sort=--id", "sort"),
        ("page=0", "page"),
        ("page_size=0", "page_size"),
        ("page_size=101", "page_size"),
        ("limit=101", "limit"),
        ("skip=-1", "skip"),
    ] {
        get(query).refused_at(&[field]);
    }
    // What is not shown orders nothing.
    for hidden in ["password_hash", "credentials_version", "username_key", "-password_hash"] {
        get(&format!("sort={hidden}")).refused_at(&["sort"]);
    }
    get("min_age=x&role=x&is_active=x&sort=x&page=0").refused_at(&["min_age", "role", "is_active", "sort", "page"]);
    let cursor = list(server, "limit=1&sort=username")["next_cursor"].as_str().unwrap().to_owned();
    let mut tampered = cursor.clone();
    let last = tampered.pop().unwrap();
    tampered.push(if last == 'A' { 'B' } else { 'A' });
    for query in [
        "page=x".to_owned(),
        "limit=x".to_owned(),
        "page=1&limit=5".to_owned(),
        "page=1&skip=1".to_owned(),
        "q=a&q=b".to_owned(),
        "q=%00".to_owned(),
        "q=%ff".to_owned(),
        "cursor=nonsense".to_owned(),
        format!("limit=1&cursor={tampered}&sort=username"),
        format!("limit=1&cursor={cursor}"),
        format!("limit=1&cursor={cursor}&sort=-username"),
        format!("limit=1&cursor={cursor}&sort=username&role=user"),
        format!("page=1&cursor={cursor}&sort=username"),
    ] {
        get(&query).problem(400);
    }
    get(&format!("limit=1&cursor={cursor}&sort=username")).expect(200);
}

fn every_sort_walks_the_same_by_page_and_by_cursor(server: &Server) {
    for name in ["zed", "Amy", "_low", "bob", "BOB_2", "a_1", "A1b"] {
        registered(server, name);
    }
    // Three moments for eleven users: the id breaks the ties.
    server.db().execute("UPDATE users SET created_at = 1000000000000000 + id % 3");
    let mut orders = BTreeSet::new();
    for sort in ["id", "username", "created_at"] {
        let ascending = ids(&list(server, &format!("page_size=100&sort={sort}")));
        assert_eq!(ascending.len(), 11);
        let mut descending = ids(&list(server, &format!("page_size=100&sort=-{sort}")));
        descending.reverse();
        assert_eq!(ascending, descending, "{sort}");
        assert!(orders.insert(ascending.clone()), "{sort} is an order of its own");
        for sort in [sort.to_owned(), format!("-{sort}")] {
            let whole = ids(&list(server, &format!("page_size=100&sort={sort}")));
            let (mut walked, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = list(server, &format!("limit=2&sort={sort}{cursor}"));
                assert!(page.get("total").is_none() && page.get("page").is_none(), "{page}");
                walked.extend(ids(&page));
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
                assert!(walked.len() <= 11, "a walk without an end");
            }
            assert_eq!(walked, whole, "{sort}");
            let mut paged = Vec::new();
            for page in 1..=6 {
                let page = list(server, &format!("page={page}&page_size=2&sort={sort}"));
                assert_eq!(page["total"], 11);
                paged.extend(ids(&page));
            }
            assert_eq!(paged, whole, "{sort}");
            assert_eq!(ids(&list(server, &format!("skip=3&limit=4&sort={sort}"))), whole[3..7]);
        }
    }
    assert_eq!(list(server, "limit=2&include_total=true")["total"], 11);
    let names: Vec<String> = list(server, "page_size=100&sort=username")["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|u| u["username"].as_str().unwrap().to_lowercase())
        .collect();
    assert!(names.is_sorted(), "{names:?}");
    // A walk by cursor does not stumble over who comes meanwhile.
    let first = list(server, "limit=6&sort=username");
    registered(server, "a_0");
    registered(server, "zz_last");
    let rest = format!("limit=20&sort=username&cursor={}", first["next_cursor"].as_str().unwrap());
    let rest = list(server, &rest);
    let mut all: Vec<i64> = ids(&first).into_iter().chain(ids(&rest)).collect();
    all.sort_unstable();
    assert_eq!(all, [(1..=11).collect::<Vec<_>>(), vec![13]].concat());
}

fn one_edits_oneself_but_not_what_one_is(server: &Server) {
    for who in [Who::User, Who::Guest] {
        let before = everything(server);
        for path in ["/api/v1/users/me", "/api/v1/users/profile", &path(who)] {
            for (field, value) in [
                ("email", json!("mine@example.com")),
                ("role", json!("admin")),
                ("is_active", json!(false)),
                ("id", json!(99)),
            ] {
                let body = json!({field: value, "full_name": "Sneaky"});
                let problem = server.as_who(who).patch(path, &body).send().problem(403);
                assert!(problem["detail"].as_str().unwrap().contains(field), "{problem}");
            }
        }
        assert_eq!(everything(server), before);
        // What changes nothing is not refused.
        let same = json!({
            "id": who.id(), "email": who.email().to_uppercase(), "role": who.role(), "is_active": true, "age": 20,
        });
        let answer = server.as_who(who).patch("/api/v1/users/me", &same).send().expect(200);
        assert_eq!((answer.data()["age"].as_i64(), answer.data()["email"].as_str()), (Some(20), Some(&*who.email())));
        let full = json!({"username": format!("new_{}", who.role()), "full_name": "N", "age": 21, "website": "http://n.example"});
        let changed = server.as_who(who).patch(&path(who), &full).send().expect(200);
        assert_eq!(changed.must("etag"), "\"3\"");
        let changed = changed.data();
        for (field, value) in full.as_object().unwrap() {
            assert_eq!(changed[field], *value);
        }
        let sql =
            "SELECT coalesce(actor_id, 0) || '|' || actor || '|' || door AS s FROM changesets ORDER BY id DESC LIMIT 1";
        let acts = server.db().texts(sql);
        assert!(acts[0].starts_with(&format!("{}|", who.id())) && acts[0].ends_with("|api"), "{acts:?}");
    }
}

fn an_admin_edits_everything(server: &Server) {
    let all = json!({
        "email": "Else@Example.com", "username": "Elsie", "full_name": "Elsie E", "age": 99, "website": "http://e.example",
        "role": "guest", "is_active": false,
    });
    let answer = server.admin().patch(&path(Who::User), &all).send().expect(200);
    assert_eq!(answer.must("etag"), "\"2\"");
    let wanted = with(&all, json!({"email": "else@example.com"}));
    for (field, value) in wanted.as_object().unwrap() {
        assert_eq!(answer.data()[field], *value);
    }
    let shown = server.admin().get(&path(Who::User)).send().expect(200);
    assert_eq!(shown.data(), answer.data());
    let before = everything(server);
    server.admin().patch(&path(Who::User), &json!({"id": 99})).send().problem(403);
    server.admin().patch("/api/v1/users/999", &json!({"age": 5})).send().problem(404);
    server.admin().patch(&path(Who::User), &json!({"age": 151, "role": "x"})).send().refused_at(&["age", "role"]);
    server.admin().patch(&path(Who::User), &json!({"username": null})).send().refused_at(&["username"]);
    assert_eq!(everything(server), before);
}

fn a_patch_sets_no_password(server: &Server) {
    let body = json!({"password": "Another2horse", "password_hash": "x", "credentials_version": 9, "version": 1});
    server.user().patch("/api/v1/users/me", &body).send();
    server.admin().patch(&path(Who::User), &body).send();
    server.login("uma_user", PASSWORD);
    let login = json!({"username": "uma_user", "password": "Another2horse"});
    server.post("/api/v1/auth/login").json(&login).send().problem(401);
    assert_eq!(server.db().number("SELECT credentials_version AS n FROM users WHERE id = 2"), 1);
}

fn what_ends_a_user_ends_the_session_too(server: &Server) {
    for change in [json!({"role": "guest"}), json!({"role": "user"}), json!({"is_active": false})] {
        let visitor = Visitor::signed_in(server, Who::User);
        visitor.get("/admin/account").expect(200);
        server.admin().patch(&path(Who::User), &change).send().expect(200);
        wait_for("the end of the session", Duration::from_millis(1_000), || {
            (visitor.get("/admin/account").answer.status == 303).then_some(())
        });
    }
}

fn active_admins(server: &Server) -> i64 {
    server.db().number("SELECT count(*) AS n FROM users WHERE role = 'admin' AND is_active")
}

fn the_last_active_admin_stays(server: &Server) {
    let ways: [(&str, &str, Value); 6] = [
        ("PATCH", "/api/v1/users/1", json!({"role": "user"})),
        ("PATCH", "/api/v1/users/1", json!({"is_active": false, "full_name": "Gone"})),
        ("PATCH", "/api/v1/users/me", json!({"role": "guest"})),
        ("PATCH", "/api/v1/users/me", json!({"is_active": false})),
        ("DELETE", "/api/v1/users/1", Value::Null),
        ("DELETE", "/api/v1/users/1?reassign_to=2", Value::Null),
    ];
    let refused = || {
        let before = everything(server);
        for (method, path, body) in &ways {
            let call = server.admin().call(method, path);
            let problem = if body.is_null() { call } else { call.json(body) }.send().problem(409);
            assert!(problem["detail"].as_str().unwrap().contains("admin"), "{problem}");
        }
        assert_eq!(everything(server), before);
    };
    refused();
    // One who may not come in does not count.
    let idle = with(&somebody("idle"), json!({"role": "admin", "is_active": false}));
    server.admin().post("/api/v1/users", &idle).send().expect(201);
    refused();
    // The rest of oneself can be changed all the time.
    let rest = json!({"full_name": "Ada", "role": "admin", "is_active": true, "email": "ada@elsewhere.example"});
    server.admin().patch("/api/v1/users/me", &rest).send().expect(200);
    server.admin().patch("/api/v1/users/5", &json!({"is_active": true})).send().expect(200);
    server.admin().patch("/api/v1/users/me", &json!({"role": "user"})).send().expect(200);
    assert_eq!(active_admins(server), 1);
}

fn two_admins_who_remove_each_other_leave_one(server: &Server) {
    let rounds: [(&str, &str, Value); 5] = [
        ("PATCH", "other", json!({"role": "user"})),
        ("PATCH", "other", json!({"is_active": false})),
        ("PATCH", "self", json!({"role": "guest"})),
        ("PATCH", "self", json!({"is_active": false})),
        ("DELETE", "other", Value::Null),
    ];
    for (method, whom, body) in rounds {
        server.db().execute("UPDATE users SET role = 'admin', is_active = TRUE WHERE id IN (1, 2)");
        let tokens = [server.login("ada_admin", PASSWORD), server.login("uma_user", PASSWORD)];
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..50)
                .map(|n| {
                    let own = n % 2;
                    let target = if whom == "self" { own + 1 } else { 2 - own };
                    let call = server.call(method, &format!("/api/v1/users/{target}")).bearer(&tokens[own]);
                    let call = if body.is_null() { call } else { call.json(&body) };
                    scope.spawn(move || call.send().status)
                })
                .collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(active_admins(server), 1, "{method} {whom} {body}: {statuses:?}");
        assert!(statuses.iter().any(|s| matches!(s, 200 | 204)), "{statuses:?}");
        assert!(
            // On a busy machine some of fifty find all connections in use for too long.
            statuses.iter().all(|s| matches!(s, 200 | 204 | 401 | 403 | 404 | 409 | 503)),
            "{method} {whom} {body}: {statuses:?}"
        );
    }
}

fn who_owns_items_is_not_removed(server: &Server) {
    let category = new_category(server, "Tools");
    new_item(server, category, "Hammer", json!({}));
    new_item(server, category, "Hidden", json!({"is_active": false}));
    let before = everything(server);
    let problem = server.admin().delete(&path(Who::User)).send().problem(409);
    assert!(problem["detail"].as_str().unwrap().contains("2 items"), "{problem}");
    for (wrong, status) in [("2", 422), ("999", 422), ("0", 422), ("-1", 422), ("you", 422), ("3&reassign_to=4", 400)] {
        let answer = server.admin().delete(&format!("/api/v1/users/2?reassign_to={wrong}")).send();
        if status == 422 {
            answer.refused_at(&["reassign_to"]);
        } else {
            answer.problem(status);
        }
    }
    server.admin().delete("/api/v1/users/999?reassign_to=3").send().problem(404);
    for who in [Who::User, Who::Other, Who::Guest] {
        server.as_who(who).delete(&format!("{}?reassign_to=3", path(Who::User))).send().problem(403);
    }
    server.call("DELETE", "/api/v1/users/2?reassign_to=3").send().problem(401);
    assert_eq!(everything(server), before);
}

fn what_a_leaving_user_owned_goes_to_another(server: &Server) {
    let place = server.place();
    // More than are moved at a time.
    let file = place.write("some.csv", some_diamonds(1_100));
    place.run(&["import", file.to_str().unwrap(), "--owner", "uma_user"]).expect(0);
    let category = new_category(server, "Tools");
    let hidden = new_item(server, category, "Hidden", json!({"is_active": false}));
    let theirs = json!({"name": "Saw", "price": 1, "category_id": category});
    let of_another = server.as_who(Who::Other).post("/api/v1/items", &theirs).send().expect(201).data();
    let mut db = server.db();
    let acts = db.count("changesets");
    server.admin().delete(&format!("{}?reassign_to=4", path(Who::User))).send().expect(204);
    assert_eq!(db.number("SELECT count(*) AS n FROM items WHERE owner_id = 2"), 0);
    assert_eq!(db.number("SELECT count(*) AS n FROM items WHERE owner_id = 4 AND version = 2"), 1_101);
    assert_eq!(db.number("SELECT count(*) AS n FROM items WHERE owner_id = 3 AND version = 1"), 1);
    assert_eq!(db.count("changesets"), acts + 1, "one act");
    let last = "changeset_id = (SELECT max(id) FROM changesets)";
    let actions = format!(
        "SELECT entity || ' ' || action || ' ' || count(*) || ' ' || count(DISTINCT entity_id) AS s FROM changes WHERE {last} GROUP BY entity, action ORDER BY entity"
    );
    assert_eq!(db.texts(&actions), ["item updated 1101 1101", "user deleted 1 1"]);
    let summary = "SELECT actor || '|' || door || '|' || summary AS s FROM changesets ORDER BY id DESC LIMIT 1";
    assert_eq!(db.texts(summary), ["ada_admin|api|Deleted user uma_user"]);
    let change = format!(
        "SELECT before || '#' || after AS s FROM changes WHERE {last} AND entity = 'item' AND entity_id = {}",
        hidden.id
    );
    let change = db.texts(&change).remove(0);
    let (then, now) = change.split_once('#').unwrap();
    assert!(then.contains("\"owner_id\":2") && now.contains("\"owner_id\":4"), "{change}");
    let moved = server.admin().get(&hidden.path()).send().expect(200);
    assert_eq!((moved.data()["owner_id"].as_i64(), moved.must("etag")), (Some(4), "\"2\"".to_owned()));
    assert_eq!(moved.data()["is_active"], false);
    let other = server.get(&format!("/api/v1/items/{}", of_another["id"])).send().expect(200);
    assert_eq!(other.data()["owner_id"], 3);
    // A guest reads no inactive item, be it their own.
    for (who, total) in [(Who::Admin, 1_101), (Who::Guest, 1_100)] {
        let seen = server.as_who(who).get("/api/v1/users/4/items").send().expect(200);
        assert_eq!(seen.json()["total"], total);
    }
}

fn a_removed_user_is_not_there(server: &Server) {
    let answer = server.admin().delete(&path(Who::User)).send().expect(204);
    assert!(answer.body.is_empty());
    assert_eq!(answer.must("cache-control"), "no-store");
    server.admin().get(&path(Who::User)).send().problem(404);
    server.admin().delete(&path(Who::User)).send().problem(404);
    server.post("/api/v1/auth/login").json(&json!({"username": "uma_user", "password": PASSWORD})).send().problem(401);
    assert!(!ids(&list(server, "")).contains(&2));
    let mut db = server.db();
    let change = db.texts("SELECT action || coalesce(before, '-') || coalesce(after, '-') AS s FROM changes ORDER BY changeset_id DESC, seq DESC LIMIT 1").remove(0);
    assert!(change.starts_with("deleted{") && change.ends_with('-') && change.contains("uma_user"), "{change}");
    // The name and the address are free again; the id is not.
    let answer = register(server, &somebody("uma_user")).expect(201);
    assert_eq!(answer.data()["id"], 5);
    server.admin().delete("/api/v1/users/5").send().expect(204);
    assert_eq!(registered(server, "uma_user"), 6, "an id is never used again");
}

fn versions_guard_users(server: &Server) {
    let of = path(Who::User);
    let shown = server.user().get(&of).send().expect(200);
    assert_eq!(shown.must("etag"), "\"1\"");
    server.user().get(&of).header("if-none-match", "\"1\"").send().expect(304);
    let patch = |path: &str, tag: &str| server.user().patch(path, &json!({"age": 5})).header("if-match", tag).send();
    assert_eq!(patch(&of, "\"1\"").expect(200).must("etag"), "\"2\"");
    let before = everything(server);
    for stale in ["\"1\"", "W/\"2\"", "\"nonsense\"", "\"3\", \"1\""] {
        for path in [of.as_str(), "/api/v1/users/me"] {
            patch(path, stale).problem(412);
        }
        server.admin().delete(&of).header("if-match", stale).send().problem(412);
    }
    assert_eq!(everything(server), before);
    assert_eq!(patch("/api/v1/users/me", "\"1\", \"2\"").expect(200).must("etag"), "\"3\"");
    assert_eq!(patch(&of, "*").expect(200).must("etag"), "\"4\"");
    // Of 20 who have seen the same version one writes.
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..20).map(|_| scope.spawn(|| patch(&of, "\"4\"").status)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == 412).count(), 19, "{statuses:?}");
    server.admin().delete(&of).header("if-match", "\"5\"").send().expect(204);
}

fn a_users_items_come_with_their_categories(server: &Server) {
    let (tools, toys) = (new_category(server, "Tools"), new_category(server, "Toys"));
    new_item(server, tools, "Hammer", json!({"sku": "H-1", "price": 12.5}));
    new_item(server, toys, "Ball", json!({}));
    new_item(server, tools, "Hidden", json!({"is_active": false}));
    let theirs = json!({"name": "Saw", "price": 1, "category_id": tools});
    server.as_who(Who::Other).post("/api/v1/items", &theirs).send().expect(201);
    let of = "/api/v1/users/2/items";
    let answer = server.user().get(&format!("{of}?page_size=1")).send().expect(200);
    allow_duplicates! {
        assert_snapshot!(shape(&answer.json()), @r#"
    {
      "success": true,
      "message": "Items retrieved successfully",
      "data": [
        {
          "id": 1,
          "sku": "H-1",
          "name": "Hammer",
          "description": null,
          "price": 12.5,
          "currency": "USD",
          "tax_rate": 0,
          "is_active": true,
          "category_id": 1,
          "owner_id": 2,
          "version": 1,
          "created_at": "[created_at]",
          "updated_at": "[updated_at]",
          "images": [],
          "category": {
            "id": 1,
            "name": "Tools",
            "description": null,
            "version": 1,
            "created_at": "[created_at]",
            "updated_at": "[updated_at]"
          }
        }
      ],
      "total": 3,
      "page": 1,
      "page_size": 1,
      "has_more": true,
      "next_cursor": "[next_cursor]"
    }
    "#);
    }
    let names = |who: Who, path: &str| -> Vec<String> {
        let list = server.as_who(who).get(path).send().expect(200);
        assert!(list.rows().iter().all(|item| item["category"]["id"] == item["category_id"]), "{}", list.text());
        list.rows().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    for who in [Who::User, Who::Admin] {
        assert_eq!(names(who, of), ["Hammer", "Ball", "Hidden"], "what is hidden is one's own too");
    }
    assert_eq!(names(Who::User, &format!("{of}?is_active=true&sort=-name")), ["Hammer", "Ball"]);
    assert_eq!(names(Who::User, &format!("{of}?category_id={toys}")), ["Ball"]);
    assert_eq!(names(Who::User, &format!("{of}?q=ham")), ["Hammer"]);
    assert!(!names(Who::User, &format!("{of}?owner_id=3")).contains(&"Saw".to_owned()), "nobody else's");
    let page = server.user().get(&format!("{of}?limit=2")).send().expect(200).json();
    let next = page["next_cursor"].as_str().unwrap();
    assert_eq!(names(Who::User, &format!("{of}?limit=2&cursor={next}")), ["Hidden"]);
    server.admin().get(&format!("/api/v1/users/3/items?limit=2&cursor={next}")).send().problem(400);
    assert_eq!(names(Who::Guest, "/api/v1/users/4/items"), Vec::<String>::new());
    server.admin().get("/api/v1/users/999/items").send().problem(404);
    server.user().get(&format!("{of}?sort=nonsense")).send().refused_at(&["sort"]);
    server.get(of).send().problem(401);
}

fn passwords_are_shown_nowhere(server: &Server) {
    let (right, wrong, weak) = ("Canary7Feather", "Canary7Wrong", "canary7weak");
    let body = with(&somebody("canary"), json!({"password": right}));
    let login = |password: &str| {
        server.post("/api/v1/auth/login").json(&json!({"username": "canary", "password": password})).send()
    };
    let mut answers = vec![
        register(server, &body).expect(201),
        register(server, &body).expect(409),
        register(server, &with(&body, json!({"password": weak}))).expect(422),
        server
            .admin()
            .post("/api/v1/users", &with(&somebody("canary_2"), json!({"password": right})))
            .send()
            .expect(201),
        server.admin().patch("/api/v1/users/5", &json!({"password": right, "age": 5})).send(),
        server.admin().patch("/api/v1/users/5", &json!({"password": weak})).send(),
        login(right).expect(200),
        login(wrong).expect(401),
        server.post("/api/v1/auth/login").form(&[("username", "canary"), ("password", wrong)]).send().expect(401),
        server.post("/api/v1/auth/login").body("application/json", format!("{{\"password\":\"{right}\"")).send(),
        server.admin().get("/api/v1/users/5").send().expect(200),
        server.admin().get("/api/v1/users?page_size=100").send().expect(200),
        server.admin().get("/api/v1/users?fields=id,password_hash").send(),
        server.admin().patch("/api/v1/users/5", &json!({"is_active": false})).send().expect(200),
        login(right).expect(400),
    ];
    answers.push(server.admin().delete("/api/v1/users/5").send().expect(204));
    let mut seen: Vec<String> = answers.iter().map(|a| format!("{:?} {}", a.headers, a.text())).collect();
    let mut db = server.db();
    seen.extend(db.texts("SELECT coalesce(before, '') || coalesce(after, '') AS s FROM changes"));
    seen.extend(db.texts("SELECT summary AS s FROM changesets"));
    seen.push(server.printed());
    for text in seen {
        for secret in ["canary7", "$2b$", "password_hash", "credentials_version"] {
            let shown = text.to_lowercase();
            // The name of a field that somebody asked for may come back to them.
            assert!(
                !shown.contains(secret) || secret == "password_hash" && shown.contains("fields"),
                "{secret}: {text}"
            );
        }
    }
}

#[test]
fn a_version_may_be_asked_for() {
    let server = Place::furnished(Kind::Sqlite).with("REQUIRE_IF_MATCH", "true").serve();
    for path in ["/api/v1/users/me", "/api/v1/users/2"] {
        server.user().patch(path, &json!({"age": 5})).send().problem(428);
    }
    server.admin().delete("/api/v1/users/2").send().problem(428);
    server.user().patch("/api/v1/users/me", &json!({"age": 5})).header("if-match", "\"1\"").send().expect(200);
    server.admin().delete("/api/v1/users/2").header("if-match", "\"2\"").send().expect(204);
}

#[test]
fn without_public_read_one_can_still_register() {
    let server = Place::furnished(Kind::Sqlite).with("PUBLIC_READ", "false").serve();
    registered(&server, "newcomer");
}
