//! API keys: made, shown once, used, ended; what they open and what they never open.

use crate::support::{
    Answer, Kind, Place, Server, Visitor, Who,
    data::{new_category, new_item, new_key, shape},
    on_both, on_each_database,
    server::PASSWORD,
    wait_for,
};
use insta::{allow_duplicates, assert_snapshot};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

on_both! {
    a_form_makes_one_key_also_when_its_answer_is_loaded_again,
    a_key_is_shown_once_and_kept_as_its_hash,
    each_field_of_a_key_holds_its_bounds,
    a_key_ends_in_90_days_unless_it_says_when,
    what_only_the_server_sets_is_refused,
    a_scope_beyond_ones_role_is_refused,
    a_user_has_at_most_50_live_keys,
    of_8_who_make_the_50th_at_once_one_does,
    others_keys_are_as_if_they_were_not_there,
    an_admin_sees_and_ends_everybodys,
    every_sort_walks_the_same_by_page_and_by_cursor,
    a_revoked_key_is_refused_within_a_second_and_stays_listed,
    an_expired_key_is_refused,
    the_owners_present_role_caps_a_key,
    a_key_falls_with_its_owner,
    a_new_password_ends_no_key,
    a_key_of_a_removed_owner_opens_nothing_and_is_kept,
    an_admins_lesser_key_is_no_admin,
    a_key_makes_no_keys_and_signs_nobody_in,
    a_key_is_a_credential_in_its_header_alone,
    two_credentials_at_once_are_none,
    what_is_no_key_never_asks_the_database,
    a_use_is_noted_at_most_once_a_minute,
    a_change_says_with_which_key_it_was_made,
    no_undo_brings_a_key_back,
    no_key_is_written_down_anywhere,
    answers_to_a_key_are_nobody_elses,
    versions_guard_keys,
    a_person_makes_a_key_on_a_page_and_sees_it_once,
    a_person_ends_a_key_after_a_question,
    a_person_ends_all_their_keys_and_stays_signed_in,
    the_pages_show_an_admin_everybodys_keys,
    the_form_keeps_what_was_typed_and_says_what_is_wrong,
}

on_each_database! {
    without_public_read_a_key_reads,
}

fn make(server: &Server, who: Who, body: &Value) -> Answer {
    server.as_who(who).post("/api/v1/api-keys", body).send()
}

/// Asks until the key is answered so; the cache of callers believes for half a second.
fn until(server: &Server, key: &str, path: &str, status: u16) {
    wait_for(&format!("{status} at {path}"), Duration::from_secs(1), || {
        (server.get(path).api_key(key).send().status == status).then_some(())
    });
}

const ME: &str = "/api/v1/users/me";

fn a_key_is_shown_once_and_kept_as_its_hash(server: &Server) {
    let body = json!({"name": " ci-robot ", "scopes": ["write", "read"]});
    let made = make(server, Who::User, &body).expect(201);
    allow_duplicates! {
        assert_snapshot!(shape(&made.json()), @r#"
        {
          "success": true,
          "message": "API key created successfully",
          "data": {
            "id": 1,
            "user_id": 2,
            "name": "ci-robot",
            "prefix": "[prefix]",
            "scopes": [
              "read",
              "write"
            ],
            "expires_at": "[expires_at]",
            "last_used_at": null,
            "revoked_at": null,
            "created_at": "[created_at]",
            "key": "[key]"
          }
        }
        "#);
    }
    let key = made.data()["key"].as_str().unwrap().to_owned();
    let digits = key.strip_prefix("sr_").unwrap();
    assert_eq!(digits.len(), 64 + 8, "256 bits and a checksum: {key}");
    assert!(digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{key}");
    assert_eq!(made.data()["prefix"].as_str(), key.get(..11));

    let location = made.must("location");
    let one = server.user().get(&location).send().expect(200);
    allow_duplicates! {
        assert_snapshot!(shape(&one.json()), @r#"
        {
          "success": true,
          "message": "API key retrieved successfully",
          "data": {
            "id": 1,
            "user_id": 2,
            "name": "ci-robot",
            "prefix": "[prefix]",
            "scopes": [
              "read",
              "write"
            ],
            "expires_at": "[expires_at]",
            "last_used_at": null,
            "revoked_at": null,
            "created_at": "[created_at]"
          }
        }
        "#);
    }
    let list = server.user().get("/api/v1/api-keys").send().expect(200);
    assert_eq!(list.rows(), [one.data()]);
    assert!(!one.text().contains(&key) && !list.text().contains(&key));

    let kept = server.db().texts("SELECT key_hash AS s FROM api_keys");
    let sha256 = sha2_hex(&key);
    assert_eq!(kept, [sha256]);
    let (_, other) = new_key(server, Who::User, &["read"]);
    assert_ne!(key, other);
}

fn sha2_hex(text: &str) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(text.as_bytes()))
}

fn each_field_of_a_key_holds_its_bounds(server: &Server) {
    let refused = |body: Value, fields: &[&str]| make(server, Who::Admin, &body).refused_at(fields);
    refused(json!({}), &["name", "scopes"]);
    refused(json!({"name": null, "scopes": null}), &["name", "scopes"]);
    refused(json!({"name": " ", "scopes": []}), &["name", "scopes"]);
    refused(json!({"name": "x".repeat(101), "scopes": ["read", "read"]}), &["name", "scopes"]);
    refused(json!({"name": "a\u{7}b", "scopes": ["READ"]}), &["name", "scopes"]);
    refused(json!({"name": 5, "scopes": "read"}), &["name", "scopes"]);
    refused(json!({"name": "ok", "scopes": ["read", 1]}), &["scopes"]);
    refused(json!({"name": "ok", "scopes": {"read": true}}), &["scopes"]);
    refused(json!({"name": "ok", "scopes": [["read"]]}), &["scopes"]);
    refused(json!({"name": "ok", "scopes": ["read", "delete"], "expires_at": "tomorrow"}), &["scopes", "expires_at"]);
    for wrong in ["2020-01-01T00:00:00Z", "2400-01-01T00:00:00Z", "2027-01-01", ""] {
        refused(json!({"name": "ok", "scopes": ["read"], "expires_at": wrong}), &["expires_at"]);
    }
    let now = chrono::Utc::now();
    let at = |time: chrono::DateTime<chrono::Utc>| json!({"name": "ok", "scopes": ["read"], "expires_at": time.to_rfc3339()});
    let problem = refused(at(now + chrono::TimeDelta::days(366)), &["expires_at"]);
    assert!(problem["errors"][0]["message"].as_str().unwrap().contains("365 days"), "{problem}");
    refused(at(now - chrono::TimeDelta::seconds(1)), &["expires_at"]);
    assert_eq!(server.db().count("api_keys"), 0);
    make(server, Who::Admin, &at(now + chrono::TimeDelta::days(365))).expect(201);
    make(server, Who::Admin, &json!({"name": "é".repeat(100), "scopes": ["admin"]})).expect(201);
    let made = make(server, Who::Admin, &json!({"name": "all", "scopes": ["admin", "read", "write"]})).expect(201);
    assert_eq!(made.data()["scopes"], json!(["read", "write", "admin"]));
}

fn a_key_ends_in_90_days_unless_it_says_when(server: &Server) {
    let time = |text: &Value| chrono::DateTime::parse_from_rfc3339(text.as_str().unwrap()).unwrap();
    for body in [json!({"name": "a", "scopes": ["read"]}), json!({"name": "a", "scopes": ["read"], "expires_at": null})]
    {
        let key = make(server, Who::Guest, &body).expect(201).data();
        assert_eq!(time(&key["expires_at"]) - time(&key["created_at"]), chrono::TimeDelta::days(90));
    }
    let year = chrono::Utc::now() + chrono::TimeDelta::days(300);
    let at = year.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let key = make(server, Who::Guest, &json!({"name": "a", "scopes": ["read"], "expires_at": at})).expect(201).data();
    assert_eq!(key["expires_at"], json!(at));
}

fn what_only_the_server_sets_is_refused(server: &Server) {
    let fields = [
        ("id", json!(7)),
        ("user_id", json!(Who::Admin.id())),
        ("key", json!("sr_mine")),
        ("prefix", json!("sr_mine")),
        ("last_used_at", json!("2026-01-01T00:00:00Z")),
        ("revoked_at", json!("2026-01-01T00:00:00Z")),
        ("created_at", json!("2026-01-01T00:00:00Z")),
    ];
    for (field, value) in fields {
        let mut body = json!({"name": "a", "scopes": ["read"]});
        body[field] = value;
        let problem = make(server, Who::User, &body).problem(403);
        assert!(problem["detail"].as_str().unwrap().contains(field), "{problem}");
    }
    make(server, Who::Admin, &json!({"name": "a", "scopes": ["read"], "user_id": Who::User.id()})).problem(403);
    assert_eq!(server.db().count("api_keys"), 0);
    let body = json!({"name": "a", "scopes": ["read"], "user_id": Who::User.id(), "unknown": 1});
    assert_eq!(make(server, Who::User, &body).expect(201).data()["user_id"], Who::User.id());
}

fn a_scope_beyond_ones_role_is_refused(server: &Server) {
    for (who, scopes) in [
        (Who::Guest, json!(["write"])),
        (Who::Guest, json!(["read", "admin"])),
        (Who::User, json!(["admin"])),
        (Who::User, json!(["read", "write", "admin"])),
    ] {
        let problem = make(server, who, &json!({"name": "a", "scopes": scopes})).problem(403);
        assert!(problem["detail"].as_str().unwrap().contains("scope"), "{problem}");
    }
    assert_eq!(server.db().count("api_keys"), 0);
    new_key(server, Who::Guest, &["read"]);
    new_key(server, Who::User, &["write"]);
    new_key(server, Who::Admin, &["admin"]);
}

fn a_user_has_at_most_50_live_keys(server: &Server) {
    let first = new_key(server, Who::User, &["read"]).0;
    for _ in 1..50 {
        new_key(server, Who::User, &["read"]);
    }
    let body = json!({"name": "one more", "scopes": ["read"]});
    let problem = make(server, Who::User, &body).problem(409);
    assert!(problem["detail"].as_str().unwrap().contains("50"), "{problem}");
    new_key(server, Who::Other, &["read"]);
    server.user().delete(&format!("/api/v1/api-keys/{first}")).send().expect(204);
    make(server, Who::User, &body).expect(201);
    make(server, Who::User, &body).problem(409);
    server.db().execute(&format!("UPDATE api_keys SET expires_at = 1 WHERE id = {}", first + 1));
    make(server, Who::User, &body).expect(201);
}

fn of_8_who_make_the_50th_at_once_one_does(server: &Server) {
    for _ in 1..50 {
        new_key(server, Who::User, &["read"]);
    }
    let body = json!({"name": "the last", "scopes": ["read"]});
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| make(server, Who::User, &body).status)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|s| **s == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == 409).count(), 7, "{statuses:?}");
    assert_eq!(server.db().count("api_keys"), 50);
}

fn others_keys_are_as_if_they_were_not_there(server: &Server) {
    let (id, _) = new_key(server, Who::User, &["read"]);
    for who in [Who::Other, Who::Guest] {
        for method in ["GET", "DELETE"] {
            let ask = |id: i64| {
                let path = format!("/api/v1/api-keys/{id}");
                let problem = server.call(method, &path).bearer(&server.token(who)).send().problem(404);
                problem["detail"].as_str().unwrap().replace(&id.to_string(), "ID")
            };
            assert_eq!(ask(id), ask(987_654), "{method}");
        }
        for query in ["", "?user_id=2", "?user_id=2&limit=5&include_total=true"] {
            let list = server.as_who(who).get(&format!("/api/v1/api-keys{query}")).send().expect(200).json();
            assert_eq!((&list["data"], &list["total"]), (&json!([]), &json!(0)), "{query}");
        }
    }
    assert_eq!(server.db().number("SELECT count(*) AS n FROM api_keys WHERE revoked_at IS NULL"), 1);
}

fn an_admin_sees_and_ends_everybodys(server: &Server) {
    let (id, key) = new_key(server, Who::User, &["read"]);
    let (own, _) = new_key(server, Who::Admin, &["read"]);
    let ids = |query: &str| -> Vec<i64> {
        let list = server.admin().get(&format!("/api/v1/api-keys{query}")).send().expect(200);
        list.rows().iter().map(|row| row["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(ids(""), [id, own]);
    assert_eq!(ids("?user_id=2"), [id]);
    assert_eq!(ids("?user_id=3"), Vec::<i64>::new());
    server.admin().get("/api/v1/api-keys?user_id=x").send().refused_at(&["user_id"]);
    let path = format!("/api/v1/api-keys/{id}");
    assert_eq!(server.admin().get(&path).send().expect(200).data()["user_id"], 2);
    until(server, &key, ME, 200);
    server.admin().delete(&path).send().expect(204);
    until(server, &key, ME, 401);
}

fn every_sort_walks_the_same_by_page_and_by_cursor(server: &Server) {
    for n in 0..7 {
        let at = chrono::Utc::now() + chrono::TimeDelta::days(1 + n % 3);
        let body = json!({"name": format!("key {}", n % 2), "scopes": ["read"], "expires_at": at.to_rfc3339()});
        make(server, Who::User, &body).expect(201);
        new_key(server, Who::Other, &["read"]);
    }
    for sort in ["id", "-id", "name", "-name", "created_at", "-created_at", "expires_at", "-expires_at"] {
        let whole = server.user().get(&format!("/api/v1/api-keys?sort={sort}&page_size=100")).send().expect(200);
        assert_eq!(whole.json()["total"], 7, "{sort}");
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/api-keys?sort={sort}&limit=2{cursor}");
            let part = server.user().get(&path).send().expect(200).json();
            walked.extend(part["data"].as_array().unwrap().clone());
            match part["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
            // A cursor is of one view.
            server.admin().get(&format!("/api/v1/api-keys?sort={sort}&limit=2{cursor}")).send().problem(400);
        }
        assert_eq!(walked, whole.rows(), "{sort}");
    }
    server.user().get("/api/v1/api-keys?sort=key_hash").send().refused_at(&["sort"]);
    server.user().get("/api/v1/api-keys?page=1&limit=5").send().problem(400);
}

fn a_revoked_key_is_refused_within_a_second_and_stays_listed(server: &Server) {
    let (id, key) = new_key(server, Who::User, &["read"]);
    let path = format!("/api/v1/api-keys/{id}");
    until(server, &key, ME, 200);
    server.user().delete(&path).send().expect(204);
    until(server, &key, ME, 401);
    let ended = server.user().get(&path).send().expect(200).data();
    assert!(ended["revoked_at"].is_string(), "{ended}");
    assert_eq!(server.user().get("/api/v1/api-keys").send().expect(200).rows(), std::slice::from_ref(&ended));
    let again = server.user().delete(&path).send().expect(204);
    assert_eq!(again.text(), "");
    assert_eq!(server.user().get(&path).send().expect(200).data(), ended, "the first end counts");
}

fn an_expired_key_is_refused(server: &Server) {
    let (id, key) = new_key(server, Who::User, &["read"]);
    until(server, &key, ME, 200);
    server.db().execute(&format!("UPDATE api_keys SET expires_at = 1 WHERE id = {id}"));
    until(server, &key, ME, 401);
    // One that ends while it is believed ends at its moment all the same.
    let soon = chrono::Utc::now() + chrono::TimeDelta::milliseconds(300);
    let body = json!({"name": "short", "scopes": ["read"], "expires_at": soon.to_rfc3339()});
    let made = make(server, Who::User, &body).expect(201).data();
    until(server, made["key"].as_str().unwrap(), ME, 401);
}

fn the_owners_present_role_caps_a_key(server: &Server) {
    let category = new_category(server, "Tools");
    let (_, all) = new_key(server, Who::Admin, &["admin"]);
    let (_, write) = new_key(server, Who::User, &["write"]);
    let second = json!({"email": "two@example.com", "username": "second_admin", "password": PASSWORD, "role": "admin"});
    server.admin().post("/api/v1/users", &second).send().expect(201);
    let boss = server.login("second_admin", PASSWORD);
    let set = |who: Who, role: &str| {
        let path = format!("/api/v1/users/{}", who.id());
        server.call("PATCH", &path).bearer(&boss).json(&json!({"role": role})).send().expect(200);
    };
    until(server, &all, "/api/v1/users", 200);
    set(Who::Admin, "user");
    until(server, &all, "/api/v1/users", 403);
    set(Who::Admin, "admin");
    until(server, &all, "/api/v1/users", 200);

    let item = json!({"name": "Hammer", "price": 1, "category_id": category});
    let post = || server.post("/api/v1/items").api_key(&write).json(&item).send().status;
    assert_eq!(post(), 201);
    set(Who::User, "guest");
    wait_for("403 for a guest's key", Duration::from_secs(1), || (post() == 403).then_some(()));
    // Not even what a guest may: scopes are never more than a guest's key could have.
    server.call("PATCH", ME).api_key(&write).json(&json!({"age": 30})).send().problem(403);
    server.get(ME).api_key(&write).send().expect(200);
}

fn a_key_falls_with_its_owner(server: &Server) {
    let (_, key) = new_key(server, Who::User, &["read"]);
    let set = |active: bool| server.admin().patch("/api/v1/users/2", &json!({"is_active": active})).send().expect(200);
    until(server, &key, ME, 200);
    set(false);
    until(server, &key, ME, 401);
    set(true);
    until(server, &key, ME, 200);
}

fn a_new_password_ends_no_key(server: &Server) {
    let (_, key) = new_key(server, Who::User, &["read"]);
    let token = server.token(Who::User);
    server.run(&["user", "passwd", "uma_user", "--password-stdin"]).expect(1);
    server.place().run_with_input(&["user", "passwd", "uma_user", "--password-stdin"], b"Another1horse").expect(0);
    wait_for("the token's end", Duration::from_secs(1), || {
        (server.get(ME).bearer(&token).send().status == 401).then_some(())
    });
    server.get(ME).api_key(&key).send().expect(200);
}

fn a_key_of_a_removed_owner_opens_nothing_and_is_kept(server: &Server) {
    let (id, key) = new_key(server, Who::Other, &["read"]);
    until(server, &key, ME, 200);
    server.admin().delete(&format!("/api/v1/users/{}", Who::Other.id())).send().expect(204);
    until(server, &key, ME, 401);
    // What it did is told by its name, so it stays.
    let left = server.admin().get(&format!("/api/v1/api-keys/{id}")).send().expect(200).data();
    assert_eq!(left["user_id"], Who::Other.id());
    Visitor::signed_in(server, Who::Admin).get("/admin/api-keys?whose=all").expect(200).says("Owner removed");
}

fn an_admins_lesser_key_is_no_admin(server: &Server) {
    let category = new_category(server, "Tools");
    let hidden = new_item(server, category, "Hidden hammer", json!({"is_active": false}));
    let own = json!({"name": "Own hammer", "price": 1, "category_id": category, "is_active": false});
    server.admin().post("/api/v1/items", &own).send().expect(201);
    for scope in ["read", "write"] {
        let (_, key) = new_key(server, Who::Admin, &[scope]);
        let get = |path: &str| server.get(path).api_key(&key).send();
        get("/api/v1/users").problem(403);
        get("/api/v1/users/2").problem(404);
        get(&hidden.path()).problem(404);
        let list = get("/api/v1/items").expect(200).json();
        assert_eq!((&list["total"], list["data"][0]["name"].as_str()), (&json!(1), Some("Own hammer")));
        assert_eq!(get(ME).expect(200).data()["role"], "admin", "who it is, not what the key may");
    }
    let (_, key) = new_key(server, Who::Admin, &["admin"]);
    server.get(&hidden.path()).api_key(&key).send().expect(200);
    server.call("DELETE", &hidden.path()).api_key(&key).send().expect(204);
}

fn a_key_makes_no_keys_and_signs_nobody_in(server: &Server) {
    let (id, key) = new_key(server, Who::Admin, &["read", "write", "admin"]);
    let path = format!("/api/v1/api-keys/{id}");
    let call = |method: &str, path: &str| server.call(method, path).api_key(&key);
    call("GET", "/api/v1/api-keys").send().problem(403);
    call("GET", &path).send().problem(403);
    call("DELETE", &path).send().problem(403);
    call("POST", "/api/v1/api-keys").json(&json!({"name": "a", "scopes": ["read"]})).send().problem(403);
    let login = json!({"username": "uma_user", "password": PASSWORD});
    // Whatever lies under /auth, also what will.
    for path in ["/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/auth/register", "/api/v1/auth/anything"] {
        call("POST", path).json(&login).send().problem(403);
    }
    assert_eq!(server.db().count("api_keys"), 1);
}

fn a_key_is_a_credential_in_its_header_alone(server: &Server) {
    let (_, key) = new_key(server, Who::Admin, &["admin"]);
    // Known to the cache, and still no token.
    server.get(ME).api_key(&key).send().expect(200);
    for name in ["api_key", "x-api-key", "X-API-Key", "key", "access_token"] {
        server.get(&format!("{ME}?{name}={key}")).send().problem(401);
    }
    server.get(ME).bearer(&key).send().problem(401);
    server.get(ME).header("authorization", format!("Basic {key}")).send().problem(401);
    server.get(ME).header("authorization", format!("ApiKey {key}")).send().problem(401);
    server.get(ME).header("cookie", format!("X-API-Key={key}; stockroom_session={key}")).send().problem(401);
    let page = server.get("/admin/items").api_key(&key).header("accept", "text/html").send();
    assert_eq!((page.status, page.must("location").starts_with("/admin/login")), (303, true));
    server.get(ME).api_key(&server.token(Who::Admin)).send().problem(401);
}

fn two_credentials_at_once_are_none(server: &Server) {
    let (_, key) = new_key(server, Who::User, &["read"]);
    let token = server.token(Who::User);
    server.get(ME).api_key(&key).bearer(&token).send().problem(401);
    server.get("/api/v1/items").api_key(&key).bearer(&token).send().problem(401);
    let raw = |headers: String| {
        let text = format!("GET {ME} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n");
        server.raw(text.as_bytes())
    };
    assert!(raw(format!("X-API-Key: {key}\r\n")).starts_with("HTTP/1.1 200"));
    assert!(raw(format!("X-API-Key: {key}\r\nX-API-Key: {key}\r\n")).starts_with("HTTP/1.1 401"));
    assert!(raw(format!("X-API-Key: {key}, {key}\r\n")).starts_with("HTTP/1.1 401"));
    assert!(raw("X-API-Key:\r\n".to_owned()).starts_with("HTTP/1.1 401"), "an empty one is sent, and bad");
    let upper = key.to_uppercase().replace("SR_", "sr_");
    assert!(raw(format!("X-API-Key: {upper}\r\n")).starts_with("HTTP/1.1 401"));
}

fn what_is_no_key_never_asks_the_database(server: &Server) {
    let (_, key) = new_key(server, Who::User, &["read"]);
    let flipped = |at: usize| {
        let mut bytes = key.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        String::from_utf8(bytes).unwrap()
    };
    // Without the table, whoever asks it fails.
    server.db().execute("ALTER TABLE api_keys RENAME TO api_keys_away");
    for wrong in
        [flipped(3), flipped(40), flipped(74), key[..74].to_owned(), format!("{key}0"), "sr_".into(), "x".into()]
    {
        server.get(ME).api_key(&wrong).send().problem(401);
    }
    server.get(ME).header("x-api-key", [0xff, 0xfe]).send().problem(401);
    server.get(ME).api_key(&key).send().problem(500);
    server.db().execute("ALTER TABLE api_keys_away RENAME TO api_keys");
    server.get(ME).api_key(&key).send().expect(200);
}

fn a_use_is_noted_at_most_once_a_minute(server: &Server) {
    let (id, key) = new_key(server, Who::User, &["read"]);
    let noted = || server.db().number(&format!("SELECT coalesce(last_used_at, 0) AS n FROM api_keys WHERE id = {id}"));
    let set = |ago: i64| {
        let at = chrono::Utc::now().timestamp_micros() - ago * 1_000_000;
        server.db().execute(&format!("UPDATE api_keys SET last_used_at = {at} WHERE id = {id}"));
        at
    };
    assert_eq!(noted(), 0);
    server.get(ME).api_key(&key).send().expect(200);
    let first = wait_for("the first use", Duration::from_secs(5), || Some(noted()).filter(|at| *at > 0));
    assert!(first <= chrono::Utc::now().timestamp_micros());
    let old = set(61);
    wait_for("a use a minute later", Duration::from_secs(5), || {
        server.get(ME).api_key(&key).send().expect(200);
        Some(noted()).filter(|at| *at > old)
    });
    // A key that is asked for beside it tells when the database was asked anew.
    let recent = set(30);
    let (other, fresh) = new_key(server, Who::User, &["read"]);
    wait_for("another key's use", Duration::from_secs(5), || {
        server.get(ME).api_key(&key).send().expect(200);
        server.get(ME).api_key(&fresh).send().expect(200);
        let sql = format!("SELECT count(*) AS n FROM api_keys WHERE id = {other} AND last_used_at > 0");
        (server.db().number(&sql) == 1).then_some(())
    });
    assert_eq!(noted(), recent);
    let shown = server.user().get(&format!("/api/v1/api-keys/{id}")).send().expect(200).data();
    assert!(shown["last_used_at"].is_string(), "{shown}");
}

fn a_change_says_with_which_key_it_was_made(server: &Server) {
    let category = new_category(server, "Tools");
    let body = json!({"name": "ci-robot", "scopes": ["write"]});
    let made = make(server, Who::User, &body).expect(201).data();
    let (id, key) = (made["id"].as_i64().unwrap(), made["key"].as_str().unwrap());
    let item = json!({"name": "Hammer", "price": 1, "category_id": category});
    let answer = server.post("/api/v1/items").api_key(key).json(&item).send().expect(201);
    let item = answer.data()["id"].as_i64().unwrap();
    let sql = "SELECT actor || ' ' || door || ' ' || coalesce(api_key_id, 0) AS s FROM changesets ORDER BY id DESC";
    assert_eq!(server.db().texts(sql)[..2], [format!("uma_user api {id}"), "uma_user api 0".to_owned()]);
    let history = Visitor::signed_in(server, Who::Admin).get(&format!("/admin/items/{item}/history")).expect(200);
    history.says("uma_user created it").says("API key ci-robot");
    assert_eq!(answer.data()["owner_id"], Who::User.id());
    let log = server.admin().get("/api/v1/audit?entity=item").send().expect(200).rows();
    assert_eq!((&log[0]["api_key_id"], &log[0]["actor_id"]), (&json!(id), &json!(Who::User.id())));
}

fn no_undo_brings_a_key_back(server: &Server) {
    let (id, key) = new_key(server, Who::User, &["read"]);
    server.user().delete(&format!("/api/v1/api-keys/{id}")).send().expect(204);
    let log = server.admin().get("/api/v1/audit?entity=api_key").send().expect(200).rows();
    assert_eq!(log.len(), 2, "made and revoked: {log:?}");
    for act in &log {
        server.admin().post(&format!("/api/v1/audit/{}/revert?force=true", act["id"]), &json!({})).send().problem(409);
    }
    until(server, &key, ME, 401);
}

fn no_key_is_written_down_anywhere(server: &Server) {
    let (id, key) = new_key(server, Who::User, &["read"]);
    server.get(ME).api_key(&key).send().expect(200);
    server.user().delete(&format!("/api/v1/api-keys/{id}")).send().expect(204);
    let sql = "SELECT action || ' ' || coalesce(before, '') || ' ' || coalesce(after, '') AS s FROM changes WHERE entity = 'api_key' ORDER BY changeset_id";
    let changes = server.db().texts(sql);
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(changes[0].starts_with("created") && changes[1].starts_with("updated"), "{changes:?}");
    assert!(changes[1].contains("revoked_at") && !changes[1].contains("prefix"), "{changes:?}");
    let secrets = [key.clone(), key[11..].to_owned(), sha2_hex(&key)];
    let summaries = server.db().texts("SELECT summary AS s FROM changesets").join(" ");
    let printed = server.printed();
    for secret in &secrets {
        assert!(!changes.join(" ").contains(secret) && !summaries.contains(secret) && !printed.contains(secret));
    }
}

fn answers_to_a_key_are_nobody_elses(server: &Server) {
    let (_, key) = new_key(server, Who::User, &["read"]);
    let answer = server.get("/api/v1/items").api_key(&key).send().expect(200);
    assert_eq!(answer.must("cache-control"), "no-store");
    let public = server.get("/api/v1/items").send().expect(200);
    assert!(public.must("cache-control").contains("public"));
    let vary = public.must("vary").to_lowercase();
    assert!(
        vary.contains("x-api-key")
            || public.headers.get_all("vary").iter().any(|v| v.to_str().unwrap().to_lowercase().contains("x-api-key")),
        "{vary}"
    );
}

fn versions_guard_keys(server: &Server) {
    let (id, _) = new_key(server, Who::User, &["read"]);
    let path = format!("/api/v1/api-keys/{id}");
    let etag = server.user().get(&path).send().expect(200).must("etag");
    server.user().get(&path).header("if-none-match", &etag).send().expect(304);
    server.user().delete(&path).header("if-match", "\"9\"").send().problem(412);
    server.user().delete(&path).header("if-match", &etag).send().expect(204);
    server.user().delete(&path).header("if-match", &etag).send().problem(412);
    assert_ne!(server.user().get(&path).send().expect(200).must("etag"), etag);
}

fn without_public_read_a_key_reads(kind: Kind) {
    let server =
        Place::furnished(kind).with("PUBLIC_READ", "false").with("CORS_ORIGINS", "https://shop.example").serve();
    server.get("/api/v1/items").send().problem(401);
    let (_, key) = new_key(&server, Who::Guest, &["read"]);
    server.get("/api/v1/items").api_key(&key).send().expect(200);
    let asked = server
        .call("OPTIONS", "/api/v1/items")
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "x-api-key")
        .send()
        .expect(200);
    assert!(asked.must("access-control-allow-headers").to_lowercase().contains("x-api-key"));
}

/// The key that a page shows.
fn shown_key(source: &str) -> Option<String> {
    let at = source.find("value=\"sr_")? + 7;
    source.get(at..at + 75).map(str::to_owned)
}

fn a_person_makes_a_key_on_a_page_and_sees_it_once(server: &Server) {
    for (who, offered) in [(Who::Guest, 1), (Who::User, 2), (Who::Admin, 3)] {
        let visitor = Visitor::signed_in(server, who);
        visitor.get("/admin/api-keys").expect(200).says("You have no API keys yet");
        let form = visitor.get("/admin/api-keys/new").expect(200).page.form("/admin/api-keys/new");
        assert_eq!(form.choices.iter().filter(|(name, _)| name == "scopes").count(), offered, "{who:?}");
        assert_eq!((form.value("scopes"), form.value("expires_at")), (Some("read"), Some("90")));
        let made = visitor.fill_in("/admin/api-keys/new", &[("name", "ci-robot"), ("expires_at", "7")]).expect(200);
        made.says("Copy the key now");
        let key = shown_key(&made.page.source).expect("the page shows the key");
        server.get(ME).api_key(&key).send().expect(200);
        let list = visitor.get("/admin/api-keys").expect(200);
        list.says("ci-robot").says("Live").says(&key[..11]);
        assert!(!list.page.source.contains(&key[11..]), "a key is shown once");
        assert_eq!(made.answer.must("cache-control"), "no-store");
    }
    let visitor = Visitor::signed_in(server, Who::User);
    let form = [("name", "robot"), ("scopes", "write")];
    let key = shown_key(&visitor.fill_in("/admin/api-keys/new", &form).expect(200).page.source).unwrap();
    let list = server.user().get("/api/v1/api-keys?sort=-id").send().expect(200).rows();
    assert_eq!(list[0]["scopes"], json!(["read", "write"]));
    assert_eq!(list[0]["prefix"].as_str(), key.get(..11));
}

fn a_person_ends_a_key_after_a_question(server: &Server) {
    let (id, key) = new_key(server, Who::User, &["read"]);
    let visitor = Visitor::signed_in(server, Who::User);
    let path = format!("/admin/api-keys/{id}/delete");
    let list = visitor.get("/admin/api-keys").expect(200);
    assert!(list.page.links().contains(&path), "{:?}", list.page.links());
    visitor.get(&path).expect(200).says("Revoke this key?").says("key of uma_user");
    until(server, &key, ME, 200);
    assert_eq!(visitor.fill_in(&path, &[]).leads_to(), "/admin/api-keys");
    until(server, &key, ME, 401);
    visitor.get("/admin/api-keys").expect(200).says("Revoked key of uma_user");
    let list = visitor.get("/admin/api-keys").expect(200);
    assert!(!list.page.links().contains(&path));
    visitor.get(&path).expect(200).says("has ended already");
    // Another's is not there.
    let (id, _) = new_key(server, Who::Other, &["read"]);
    visitor.get(&format!("/admin/api-keys/{id}/delete")).expect(404);
}

fn a_person_ends_all_their_keys_and_stays_signed_in(server: &Server) {
    let keys = [new_key(server, Who::User, &["read"]).1, new_key(server, Who::User, &["write"]).1];
    let (_, others) = new_key(server, Who::Other, &["read"]);
    let visitor = Visitor::signed_in(server, Who::User);
    assert!(visitor.get("/admin/api-keys").page.links().contains(&"/admin/api-keys/revoke-all".to_owned()));
    visitor.get("/admin/api-keys/revoke-all").expect(200).says("End 2 keys");
    assert_eq!(visitor.fill_in("/admin/api-keys/revoke-all", &[]).leads_to(), "/admin/api-keys");
    for key in &keys {
        until(server, key, ME, 401);
    }
    server.get(ME).api_key(&others).send().expect(200);
    visitor.get("/admin/api-keys").expect(200).says("Revoked 2 API keys");
    server.user().get(ME).send().expect(200);
    visitor.get("/admin/api-keys/revoke-all").expect(200).says("You have no live keys");
    assert_eq!(
        server.db().number("SELECT count(*) AS n FROM changes WHERE entity = 'api_key' AND action = 'updated'"),
        2
    );
}

fn the_pages_show_an_admin_everybodys_keys(server: &Server) {
    let (id, _) = new_key(server, Who::User, &["read"]);
    let admin = Visitor::signed_in(server, Who::Admin);
    admin.get("/admin/api-keys").expect(200).says("You have no API keys yet");
    admin.get("/admin/api-keys?whose=all").expect(200).says("key of uma_user");
    let path = format!("/admin/api-keys/{id}/delete");
    admin.get(&path).expect(200).says("of uma_user");
    assert_eq!(admin.fill_in(&path, &[]).leads_to(), "/admin/api-keys?whose=all");
    // Asking for everybody's makes nobody an admin.
    let other = Visitor::signed_in(server, Who::Other);
    let names: BTreeSet<String> =
        other.get("/admin/api-keys?whose=all").expect(200).page.table().concat().into_iter().collect();
    assert!(names.is_empty(), "{names:?}");
}

fn the_form_keeps_what_was_typed_and_says_what_is_wrong(server: &Server) {
    let visitor = Visitor::signed_in(server, Who::User);
    let long = "x".repeat(101);
    let again = visitor
        .fill_in("/admin/api-keys/new", &[("name", &long), ("scopes", "write"), ("expires_at", "400")])
        .expect(422);
    assert!(again.page.error_at("name").unwrap().contains("1 to 100"));
    assert!(again.page.error_at("expires_at").unwrap().contains("365 days"));
    let form = again.page.form("/admin/api-keys/new");
    assert_eq!((form.value("name"), form.value("scopes")), (Some(long.as_str()), Some("write")));
    let again = visitor.fill_in("/admin/api-keys/new", &[("name", "ok"), ("scopes", "everything")]).expect(422);
    assert!(again.page.error_at("scopes").is_some());
    // A form that was made up gets no further than JSON does.
    visitor.fill_in("/admin/api-keys/new", &[("name", "ok"), ("scopes", "admin")]).expect(403);
    visitor.fill_in("/admin/api-keys/new", &[("name", "ok"), ("user_id", "1")]).expect(403);
    assert_eq!(server.db().count("api_keys"), 0);
}

fn a_form_makes_one_key_also_when_its_answer_is_loaded_again(server: &Server) {
    let visitor = Visitor::signed_in(server, Who::User);
    let mut form = visitor.get("/admin/api-keys/new").expect(200).page.form("/admin/api-keys/new");
    form.set("name", "nightly");
    visitor.submit(&form).expect(200).says("Copy the key now");
    assert_eq!(visitor.submit(&form).leads_to(), "/admin/api-keys");
    visitor.get("/admin/api-keys").expect(200).says("shown only once");
    assert_eq!(server.db().number("SELECT count(*) AS n FROM api_keys WHERE name = 'nightly'"), 1);
    // A second form beside it is another one, and one with a mistake can be sent again.
    let (first, second) = (visitor.get("/admin/api-keys/new"), visitor.get("/admin/api-keys/new"));
    for shown in [first, second] {
        let mut form = shown.page.form("/admin/api-keys/new");
        form.set("name", "");
        let again = visitor.submit(&form).expect(422);
        let mut form = again.page.form("/admin/api-keys/new");
        form.set("name", "beside");
        visitor.submit(&form).expect(200);
    }
    assert_eq!(server.db().number("SELECT count(*) AS n FROM api_keys WHERE name = 'beside'"), 2);
}
