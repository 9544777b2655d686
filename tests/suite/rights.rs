//! What somebody may do is what they may at the moment of the commit: identification is believed for half a second,
//! and nothing may be won in it.

use crate::support::{Server, Who, data::new_category, data::new_item, on_both, server::PASSWORD, wait_for};
use serde_json::{Value, json};
use std::time::Duration;

on_both! {
    who_is_demoted_promotes_nobody_any_more,
    who_is_deactivated_writes_nothing_any_more,
    a_key_does_no_more_than_its_owner_may_at_that_moment,
}

/// A second admin: their id and a token.
fn mallory(server: &Server) -> (i64, String) {
    let body = json!({"email": "mallory@example.com", "username": "mallory", "password": PASSWORD, "role": "admin"});
    let id = server.admin().post("/api/v1/users", &body).send().expect(201).data()["id"].as_i64().unwrap();
    (id, server.login("mallory", PASSWORD))
}

/// So that every worker believes the token.
fn warm(server: &Server, header: (&str, &str)) {
    for _ in 0..12 {
        server.get("/api/v1/items").header(header.0, header.1).send().expect(200);
    }
}

fn role_of(server: &Server, id: i64) -> Value {
    server.admin().get(&format!("/api/v1/users/{id}")).send().expect(200).data()["role"].clone()
}

fn who_is_demoted_promotes_nobody_any_more(server: &Server) {
    let (id, mut token) = mallory(server);
    let path = format!("/api/v1/users/{id}");
    for _ in 0..3 {
        let bearer = format!("Bearer {token}");
        warm(server, ("authorization", &bearer));
        server.admin().patch(&path, &json!({"role": "user"})).send().expect(200);
        server.call("PATCH", &path).bearer(&token).json(&json!({"role": "admin"})).send().problem(401);
        let friend = json!({"email": "f@example.com", "username": "friend", "password": PASSWORD, "role": "admin"});
        server.post("/api/v1/users").bearer(&token).json(&friend).send().problem(401);
        server.post("/api/v1/categories").bearer(&token).json(&json!({"name": "Mine"})).send().problem(401);
        assert_eq!(role_of(server, id), "user");
        server.admin().patch(&path, &json!({"role": "admin"})).send().expect(200);
        token = server.login("mallory", PASSWORD);
    }
    // Not by asking all the time, either.
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let body = json!({"role": "admin"});
                    let status = server.call("PATCH", &path).bearer(&token).json(&body).send().status;
                    assert!(matches!(status, 200 | 401 | 503), "{status}");
                }
            });
        }
        server.admin().patch(&path, &json!({"role": "user"})).send().expect(200);
        wait_for("the end of the token", Duration::from_secs(5), || {
            (server.get("/api/v1/users/me").bearer(&token).send().status == 401).then_some(())
        });
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(role_of(server, id), "user");
}

fn who_is_deactivated_writes_nothing_any_more(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    let (id, token) = mallory(server);
    let bearer = format!("Bearer {token}");
    warm(server, ("authorization", &bearer));
    let path = format!("/api/v1/users/{id}");
    server.admin().patch(&path, &json!({"is_active": false})).send().expect(200);
    let call = |method: &str, path: &str, body: Value| server.call(method, path).bearer(&token).json(&body).send();
    call("PATCH", &path, json!({"is_active": true})).problem(401);
    call("PATCH", "/api/v1/users/me", json!({"full_name": "M"})).problem(401);
    call("POST", "/api/v1/api-keys", json!({"name": "back door", "scopes": ["admin"]})).problem(401);
    call("POST", "/api/v1/auth/password/change", json!({"current_password": PASSWORD, "new_password": "Another2one"}))
        .problem(401);
    server.call("DELETE", &item.path()).bearer(&token).send().problem(401);
    server.call("DELETE", "/api/v1/users/4").bearer(&token).send().problem(401);
    assert_eq!(server.admin().get(&path).send().data()["is_active"], false);
    server.get(&item.path()).send().expect(200);
    // Who was only given another password writes with it again at once.
    server.admin().patch(&path, &json!({"is_active": true})).send().expect(200);
    let token = server.login("mallory", PASSWORD);
    let body = json!({"current_password": PASSWORD, "new_password": "Another2one"});
    let fresh = server.post("/api/v1/auth/password/change").bearer(&token).json(&body).send().expect(200).data();
    let token = fresh["access_token"].as_str().unwrap();
    server.post("/api/v1/categories").bearer(token).json(&json!({"name": "More tools"})).send().expect(201);
}

fn a_key_does_no_more_than_its_owner_may_at_that_moment(server: &Server) {
    let (id, token) = mallory(server);
    let body = json!({"name": "k", "scopes": ["admin"]});
    let made = server.post("/api/v1/api-keys").bearer(&token).json(&body).send().expect(201).data();
    let key = made["key"].as_str().unwrap().to_owned();
    warm(server, ("x-api-key", &key));
    let path = format!("/api/v1/users/{id}");
    let promote = || server.call("PATCH", &path).header("x-api-key", &key).json(&json!({"role": "admin"})).send();
    server.admin().patch(&path, &json!({"role": "user"})).send().expect(200);
    assert!(matches!(promote().status, 401 | 403));
    assert_eq!(role_of(server, id), "user");
    // Another password leaves the key as it is.
    server.admin().patch(&path, &json!({"role": "admin"})).send().expect(200);
    wait_for("the owner's role", Duration::from_secs(5), || (promote().status == 200).then_some(()));
    server.place().run_with_input(&["user", "passwd", "mallory", "--password-stdin"], b"Another2one").expect(0);
    let category =
        |name: &str| server.post("/api/v1/categories").header("x-api-key", &key).json(&json!({"name": name})).send();
    category("Tools").expect(201);
    server.as_who(Who::Admin).delete(&format!("/api/v1/api-keys/{}", made["id"])).send().expect(204);
    category("Toys").problem(401);
}
