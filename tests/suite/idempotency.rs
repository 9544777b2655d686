//! `Idempotency-Key`: what is sent again is answered again and not done again, on both databases, by many at once
//! and across `kill -9`.

use crate::support::{
    Answer, Kind, Place, Server, Who,
    data::{new_category, new_item, routes, some_diamonds},
    http::Call,
    on_both, on_each_database,
    server::{PASSWORD, SECRET},
    wait_for,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

on_both! {
    what_is_sent_again_is_answered_again_and_not_done_again,
    a_key_belongs_to_its_caller_and_its_route,
    another_query_or_body_under_the_same_key_is_422,
    a_key_that_is_none_is_400,
    what_failed_is_not_kept,
    what_is_under_way_is_409,
    after_its_time_a_key_is_new,
    twenty_at_once_make_one,
    every_post_of_the_map_is_done_once,
    a_kept_answer_is_encrypted,
    a_secret_that_is_shown_once_is_shown_again_and_kept_from_the_database,
    an_undo_of_several_transactions_is_done_once,
    an_import_is_done_once_however_its_file_is_sent,
    of_imports_at_once_one_is_done,
}

on_each_database! {
    if_match_is_asked_for_after_who_may_and_what_is_there,
    after_kill_9_there_are_both_effect_and_answer_or_neither,
    a_new_secret_key_still_opens_what_the_previous_one_kept,
    an_import_that_kill_9_cut_off_is_sent_again_and_does_the_rest,
}

#[track_caller]
fn replayed(first: &Answer, again: &Answer) {
    assert_eq!(again.header("idempotent-replayed").as_deref(), Some("true"), "{} {}", again.status, again.text());
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!((again.status, again.text()), (first.status, first.text()));
    for name in ["content-type", "location", "etag"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
}

fn what_is_sent_again_is_answered_again_and_not_done_again(server: &Server) {
    let category = new_category(server, "Tools");
    let body = json!({"name": "Hammer", "price": "19.99", "category_id": category});
    let create = || server.user().post("/api/v1/items", &body);
    let first = create().header("idempotency-key", "k-1").send().expect(201);
    assert_eq!(first.must("location"), "/api/v1/items/1");
    replayed(&first, &create().header("idempotency-key", "k-1").send());
    // As it was then, whatever has become of it.
    server.user().patch("/api/v1/items/1", &json!({"name": "Mallet"})).send().expect(200);
    replayed(&first, &create().header("idempotency-key", "k-1").send());
    assert_eq!(server.db().count("items"), 1);
    assert_eq!(server.db().number("SELECT count(*) AS n FROM changesets WHERE summary LIKE 'Created item%'"), 1);
    let second = create().header("idempotency-key", "k-2").send().expect(201);
    assert_eq!(second.header("idempotent-replayed"), None, "another key is another request");
    create().send().expect(201);
    assert_eq!(server.db().count("items"), 3);
    assert_eq!(server.db().count("idempotency_keys"), 2, "without a key nothing is kept");
}

fn a_key_belongs_to_its_caller_and_its_route(server: &Server) {
    let category = new_category(server, "Tools");
    let body = json!({"name": "Hammer", "price": 1, "category_id": category});
    for who in [Who::User, Who::Other, Who::Admin] {
        let made = server.as_who(who).post("/api/v1/items", &body).header("idempotency-key", "same").send().expect(201);
        assert_eq!(made.header("idempotent-replayed"), None, "{who:?}");
        assert_eq!(made.data()["owner_id"], who.id());
    }
    let other_route = server.admin().post("/api/v1/categories", &json!({"name": "Toys"}));
    other_route.header("idempotency-key", "same").send().expect(201);
    let item = new_item(server, category, "Saw", json!({}));
    server.user().patch(&item.path(), &json!({"price": 2})).send().expect(200);
    let revert = |path: &str| {
        let path = format!("{path}/revert");
        server.admin().post(&path, &json!({"version": 1})).header("idempotency-key", "same").send().expect(200)
    };
    let first = revert(&item.path());
    replayed(&first, &revert(&item.path()));
    assert_eq!(revert("/api/v1/items/1").header("idempotent-replayed"), None, "another item");
    // Who signs in later is another caller than nobody.
    let register = || {
        let body = json!({"email": "nia@example.com", "username": "nia", "password": PASSWORD});
        server.post("/api/v1/auth/register").json(&body).header("idempotency-key", "same")
    };
    let first = register().send().expect(201);
    replayed(&first, &register().send());
    register().bearer(&server.token(Who::User)).send().problem(409);
}

fn another_query_or_body_under_the_same_key_is_422(server: &Server) {
    let category = new_category(server, "Tools");
    let body = json!({"name": "Hammer", "price": 1, "category_id": category});
    let keyed = |path: &str, body: &Value| server.user().post(path, body).header("idempotency-key", "k").send();
    keyed("/api/v1/items", &body).expect(201);
    for other in [json!({"name": "Hammer", "price": 2, "category_id": category}), json!({})] {
        keyed("/api/v1/items", &other).refused_at(&["Idempotency-Key"]);
    }
    keyed("/api/v1/items?a=b", &body).refused_at(&["Idempotency-Key"]);
    assert_eq!(keyed("/api/v1/items", &body).must("idempotent-replayed"), "true");
    assert_eq!(server.db().count("items"), 1);
}

fn a_key_that_is_none_is_400(server: &Server) {
    let category = new_category(server, "Tools");
    let body = json!({"name": "Hammer", "price": 1, "category_id": category});
    let keyed = |key: &[u8]| server.user().post("/api/v1/items", &body).header("idempotency-key", key).send();
    for key in [&b""[..], b"a b", "ü".as_bytes(), b"a\tb", &[b'k'; 256]] {
        let problem = keyed(key).problem(400);
        assert!(problem["detail"].as_str().unwrap().contains("1 to 255"), "{problem}");
    }
    let head = format!(
        "POST /api/v1/items HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\nidempotency-key: a\r\nidempotency-key: b\r\ncontent-length: {}\r\n\r\n{body}",
        server.token(Who::User),
        body.to_string().len(),
    );
    assert!(server.raw(head.as_bytes()).starts_with("HTTP/1.1 400 "));
    assert_eq!(server.db().count("items"), 0);
    let all: Vec<u8> = (b'!'..=b'~').collect();
    for key in [&b"x"[..], &[b'k'; 255], &all, b"8e03978e-40d5-43e8-bc93-6894a57f9324", b"\"quoted\""] {
        keyed(key).expect(201);
    }
    // Who may not is told that first.
    server.post("/api/v1/items").json(&body).header("idempotency-key", "a b").send().problem(401);
}

fn what_failed_is_not_kept(server: &Server) {
    let body = json!({"name": "Hammer", "price": 1, "category_id": 1});
    let keyed = |who: Who| server.as_who(who).post("/api/v1/items", &body).header("idempotency-key", "k").send();
    keyed(Who::User).refused_at(&["category_id"]);
    keyed(Who::Guest).problem(403);
    assert_eq!(server.db().count("idempotency_keys"), 0);
    new_category(server, "Tools");
    let made = keyed(Who::User).expect(201);
    replayed(&made, &keyed(Who::User));
    // A failure under a key that was used is that of another request all the same.
    let wrong = json!({"name": "", "price": 1, "category_id": 1});
    let again = server.user().post("/api/v1/items", &wrong).header("idempotency-key", "k");
    again.send().refused_at(&["Idempotency-Key"]);
}

fn what_is_under_way_is_409(server: &Server) {
    let category = new_category(server, "Tools");
    let body = json!({"name": "Hammer", "price": 1, "category_id": category});
    let keyed = || server.user().post("/api/v1/items", &body).header("idempotency-key", "k").send();
    let made = keyed().expect(201);
    server.db().execute("UPDATE idempotency_keys SET status = NULL");
    let answer = keyed();
    assert_eq!(answer.must("retry-after"), "1");
    assert_eq!(answer.problem(409)["error_type"], "in_flight");
    server.db().execute("UPDATE idempotency_keys SET status = 201");
    replayed(&made, &keyed());
}

fn after_its_time_a_key_is_new(server: &Server) {
    let category = new_category(server, "Tools");
    let body = json!({"name": "Hammer", "price": 1, "category_id": category});
    let keyed = || server.user().post("/api/v1/items", &body).header("idempotency-key", "k").send().expect(201);
    keyed();
    let day = 24 * 60 * 60 * 1_000_000_i64;
    let kept = server
        .db()
        .number("SELECT (SELECT expires_at FROM idempotency_keys) - (SELECT max(created_at) FROM items) AS n");
    assert_eq!(kept, day, "kept for 24 hours");
    server.db().execute("UPDATE idempotency_keys SET expires_at = 1");
    let again = keyed();
    assert_eq!(again.header("idempotent-replayed"), None);
    replayed(&again, &keyed());
    assert_eq!((server.db().count("items"), server.db().count("idempotency_keys")), (2, 1));
}

fn twenty_at_once_make_one(server: &Server) {
    let category = new_category(server, "Tools");
    let token = server.token(Who::User);
    let body = json!({"name": "Hammer", "price": 1, "category_id": category});
    for round in 0..5 {
        let key = format!("round-{round}");
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..20)
                .map(|_| {
                    let call = server.post("/api/v1/items").bearer(&token).json(&body).header("idempotency-key", &key);
                    scope.spawn(move || call.send())
                })
                .collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        let (made, others): (Vec<_>, Vec<_>) =
            answers.iter().partition(|a| a.status == 201 && a.header("idempotent-replayed").is_none());
        assert_eq!(made.len(), 1, "{:?}", answers.iter().map(|a| a.status).collect::<Vec<_>>());
        for other in others {
            match other.status {
                409 => assert_eq!(other.must("retry-after"), "1"),
                _ => replayed(made[0], other),
            }
        }
        assert_eq!(server.db().count("items"), round + 1);
    }
}

/// What ignores the header, by design: its answers are tokens, or it is good for one use anyway.
const IGNORE_IT: [&str; 7] = [
    "/api/v1/auth/login",
    "/api/v1/auth/token",
    "/api/v1/auth/refresh",
    "/api/v1/auth/logout",
    "/api/v1/auth/password/forgot",
    "/api/v1/auth/password/reset",
    "/api/v1/auth/password/change",
];

fn new_webhook(server: &Server) -> i64 {
    let body = json!({"url": "https://hooks.example.com/", "events": ["post.deleted"]});
    server.admin().post("/api/v1/webhooks", &body).send().expect(201).data()["id"].as_i64().unwrap()
}
/// Tested by name: `uploads::an_upload_that_is_sent_again_is_one`, and below.
const NO_JSON: [&str; 2] = ["/api/v1/uploads", "/api/v1/items/import"];

/// A good request of each other POST.
fn good(server: &Server, pattern: &str) -> Option<(String, Value)> {
    let category = new_category(server, &format!("For {pattern}"));
    let item = new_item(server, category, "Hammer", json!({}));
    let body = match pattern {
        "/api/v1/items" => json!({"name": "New", "price": 1, "category_id": category}),
        "/api/v2/items" => json!({"name": "New", "price": {"amount": "1"}, "category_id": category}),
        "/api/v1/items/bulk" => json!([{"name": "One", "price": 1, "category_id": category}, {"name": "", "price": 1}]),
        "/api/v1/categories" => json!({"name": "New"}),
        "/api/v1/users" => {
            json!({"email": "new@example.com", "username": "new", "password": PASSWORD, "role": "user"})
        }
        "/api/v1/auth/register" => json!({"email": "self@example.com", "username": "self", "password": PASSWORD}),
        "/api/v1/api-keys" => json!({"name": "New", "scopes": ["read"]}),
        "/api/v1/items/{id}/revert" => json!({"version": 1}),
        "/api/v1/webhooks" => json!({"url": "https://hooks.example.com/", "events": ["post.deleted"]}),
        "/api/v1/posts" => json!({"title": "New", "content": "Text"}),
        // Nobody reads their bodies.
        "/api/v1/posts/{id}/publish" | "/api/v1/posts/{id}/unpublish" => json!({}),
        // Nobody reads its body.
        "/api/v1/audit/{id}/revert" => json!({}),
        pattern if pattern.starts_with("/api/v1/webhooks/{id}/") => json!({}),
        _ => return None,
    };
    let id = if pattern.starts_with("/api/v1/audit") {
        server.db().number("SELECT max(id) AS n FROM changesets")
    } else if pattern.starts_with("/api/v1/webhooks/{id}") {
        let hook = new_webhook(server);
        server.db().execute(&format!(
            "INSERT INTO deliveries (id, webhook_id, event_id, event, payload, state, attempts, created_at)
             VALUES ({}, {hook}, 'evt_1', 'post.deleted', '{{}}', 'failed', 10, 4000000000000000)",
            hook * 1_000_000
        ));
        let path = pattern.replace("{id}", &hook.to_string());
        return Some((path.replace("{delivery_id}", &(hook * 1_000_000).to_string()), body));
    } else if pattern.starts_with("/api/v1/posts") {
        let published = pattern.ends_with("unpublish");
        let body = json!({"title": "News", "content": "Text", "published": published});
        server.admin().post("/api/v1/posts", &body).send().expect(201).data()["id"].as_i64().unwrap()
    } else {
        item.id
    };
    Some((pattern.replace("{id}", &id.to_string()), body))
}

fn every_post_of_the_map_is_done_once(server: &Server) {
    let posts = routes().into_iter().filter(|(method, path)| method == "POST" && path.starts_with("/api/"));
    let mut walked = 0;
    let others = |path: &str| !IGNORE_IT.contains(&path) && !NO_JSON.contains(&path);
    for (_, pattern) in posts.filter(|(_, path)| others(path)) {
        let Some((path, body)) = good(server, &pattern) else {
            panic!("{pattern}: how is it sent? Does it write through `Once`? (src/web/idempotency.rs)")
        };
        let send = || server.admin().post(&path, &body).header("idempotency-key", "walk").send();
        let first = send();
        assert!((200..300).contains(&first.status), "{pattern}: {} {}", first.status, first.text());
        let changes = server.db().count("changes");
        replayed(&first, &send());
        assert_eq!(server.db().count("changes"), changes, "{pattern}");
        if body != json!({}) {
            let mut other = body.clone();
            match &mut other {
                Value::Array(all) => drop(all.pop()),
                one => one["unknown"] = json!("and yet another body"),
            }
            let other = server.admin().post(&path, &other).header("idempotency-key", "walk").send();
            other.refused_at(&["Idempotency-Key"]);
        }
        walked += 1;
    }
    assert!(walked >= 6, "{walked}");
}

fn a_kept_answer_is_encrypted(server: &Server) {
    let category = new_category(server, "Tools");
    let body = json!({"name": "Conspicuous", "price": 1, "category_id": category});
    server.user().post("/api/v1/items", &body).header("idempotency-key", "conspicuous-key").send().expect(201);
    let kept = server.db().texts("SELECT id || request || headers || body AS s FROM idempotency_keys");
    assert_eq!(kept.len(), 1);
    for word in ["onspicuous", "Q29uc3BpY3VvdX", "NvbnNwaWN1b3Vz", "Db25zcGljdW91c"] {
        assert!(!kept[0].contains(word), "{word}: {}", kept[0]);
    }
}

fn a_secret_that_is_shown_once_is_shown_again_and_kept_from_the_database(server: &Server) {
    let create = || {
        let body = json!({"name": "Robot", "scopes": ["read"]});
        server.user().post("/api/v1/api-keys", &body).header("idempotency-key", "k").send()
    };
    let first = create().expect(201);
    replayed(&first, &create());
    let key = first.data()["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("sr_"), "{key}");
    assert_eq!(server.db().count("api_keys"), 1);
    let kept = server.db().texts("SELECT id || request || headers || body AS s FROM idempotency_keys");
    assert!(!kept[0].contains(&key[3..]), "{}", kept[0]);
    // What a key of somebody did is not what they did themselves.
    let mine = json!({"name": "Writer", "scopes": ["read", "write"]});
    let writer = server.user().post("/api/v1/api-keys", &mine).send().expect(201).data()["key"].clone();
    let body = json!({"name": "Hammer", "price": 1, "category_id": new_category(server, "Tools")});
    let keyed = || server.post("/api/v1/items").json(&body).header("idempotency-key", "item");
    let made = keyed().bearer(&server.token(Who::User)).send().expect(201);
    let other = keyed().header("x-api-key", writer.as_str().unwrap()).send().expect(201);
    assert_ne!(made.data()["id"], other.data()["id"]);
}

/// What is written in bulk names no version.
const WITHOUT_VERSION: [&str; 1] = ["/api/v1/items/bulk"];

fn if_match_is_asked_for_after_who_may_and_what_is_there(kind: Kind) {
    let server = Place::furnished(kind).with("REQUIRE_IF_MATCH", "true").serve();
    let mut walked = 0;
    for (method, pattern) in routes() {
        let writes = matches!(method.as_str(), "PUT" | "PATCH" | "DELETE") && pattern.starts_with("/api/");
        if !writes || WITHOUT_VERSION.contains(&pattern.as_str()) {
            continue;
        }
        walked += 1;
        let category = new_category(&server, &format!("Category {walked}"));
        let id = match pattern.split('/').nth(3).unwrap() {
            "items" => new_item(&server, category, "Hammer", json!({})).id,
            "categories" => category,
            "users" => Who::Other.id(),
            "api-keys" => {
                let body = json!({"name": format!("Key {walked}"), "scopes": ["read"]});
                server.admin().post("/api/v1/api-keys", &body).send().expect(201).data()["id"].as_i64().unwrap()
            }
            "webhooks" => new_webhook(&server),
            "uploads" => {
                let made = crate::uploads::upload(&server, Who::Admin, "a.png", &crate::uploads::png(2, 2));
                made.expect(201).data()["id"].as_i64().unwrap()
            }
            "posts" => {
                let body = json!({"title": "News", "content": "Text", "published": true});
                server.admin().post("/api/v1/posts", &body).send().expect(201).data()["id"].as_i64().unwrap()
            }
            other => panic!("{pattern}: what is an id of {other}?"),
        };
        let image = crate::item_images::image(&server, "front.png");
        let at = |id: i64| pattern.replace("{id}", &id.to_string()).replace("{upload_id}", &image.to_string());
        if method == "DELETE" && pattern.contains("{upload_id}") {
            server.user().call("PUT", &at(id)).header("if-match", "*").send().expect(200);
        }
        let send = |who: Option<Who>, path: &str, if_match: Option<&str>| {
            let mut call = server.call(&method, path).json(&json!({}));
            if let Some(who) = who {
                call = call.bearer(&server.token(who));
            }
            if let Some(tag) = if_match {
                call = call.header("if-match", tag);
            }
            call.send()
        };
        let own = !pattern.contains("{id}");
        for tag in [None, Some("\"77\"")] {
            let refused = if tag.is_some() { 412 } else { 428 };
            send(None, &at(id), tag).problem(401);
            send(Some(Who::Admin), &at(id), tag).problem(refused);
            if own {
                continue;
            }
            let guest = send(Some(Who::Guest), &at(id), tag).status;
            assert!(guest == 403 || guest == 404, "{method} {pattern} with {tag:?} as guest: {guest}");
            send(Some(Who::Admin), &at(424_242), tag).problem(404);
        }
        let found = send(Some(Who::Admin), &at(id), Some("*")).status;
        assert!(matches!(found, 200 | 204 | 422), "{method} {pattern} with *: {found}");
    }
    assert!(walked >= 10, "{walked}");
    // What may not be set is refused before the version is looked at, and what is wrong with the body after it.
    let item = new_item(&server, 1, "Hammer", json!({}));
    let patch = |body: &Value| server.user().patch(&item.path(), body).header("if-match", "\"9\"").send();
    patch(&json!({"owner_id": 1})).problem(403);
    patch(&json!({"price": -1})).problem(412);
    server.user().patch("/api/v1/users/me", &json!({"role": "admin"})).send().problem(403);
}

fn an_undo_of_several_transactions_is_done_once(server: &Server) {
    let file = server.place().write("some.csv", some_diamonds(2_300));
    server.run(&["import", file.to_str().unwrap()]).expect(0);
    let import = server.db().number("SELECT max(id) AS n FROM changesets");
    let undo = || {
        let path = format!("/api/v1/audit/{import}/revert");
        server.call("POST", &path).bearer(&server.token(Who::Admin)).header("idempotency-key", "undo").patient().send()
    };
    let first = undo().expect(200);
    assert!(first.data()["undone"].as_i64().unwrap() >= 2_300, "{}", first.text());
    assert_eq!(server.db().count("items"), 0);
    let changesets = server.db().count("changesets");
    replayed(&first, &undo());
    assert_eq!(server.db().count("changesets"), changesets);
}

fn after_kill_9_there_are_both_effect_and_answer_or_neither(kind: Kind) {
    let server = Place::furnished(kind).serve();
    let category = new_category(&server, "Tools");
    let (token, url, answered) = (server.token(Who::User), server.url.clone(), AtomicUsize::new(0));
    let body = |key: &str| json!({"name": key, "price": 1, "category_id": category});
    let (place, sent) = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..12)
            .map(|w| {
                let (token, url, answered) = (&token, &url, &answered);
                scope.spawn(move || {
                    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
                    let mut mine = Vec::new();
                    for n in 0.. {
                        let key = format!("key-{w}-{n}");
                        let call = Call::new(&client, "POST", format!("{url}/api/v1/items"));
                        let call = call.bearer(token).json(&body(&key)).header("idempotency-key", &key);
                        let answer = call.try_send().ok();
                        let over = answer.is_none();
                        mine.push((key, answer));
                        if over {
                            break;
                        }
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    mine
                })
            })
            .collect();
        while answered.load(Ordering::Relaxed) < 300 {
            std::thread::yield_now();
        }
        let place = server.kill();
        let sent: Vec<(String, Option<Answer>)> = writers.into_iter().flat_map(|w| w.join().unwrap()).collect();
        (place, sent)
    });
    let server = place.serve();
    let mut db = server.db();
    assert_eq!(db.count("items"), db.count("idempotency_keys"), "an effect and its answer are one");
    let there: BTreeSet<String> = db.texts("SELECT name AS s FROM items").into_iter().collect();
    for (key, answer) in &sent {
        let again = server.user().post("/api/v1/items", &body(key)).header("idempotency-key", key).send().expect(201);
        let replay = again.header("idempotent-replayed").is_some();
        assert_eq!(replay, there.contains(key), "{key}: what is there is replayed, the rest is done now");
        if let Some(answer) = answer {
            replayed(answer, &again);
        }
    }
    assert_eq!(db.count("items"), sent.len() as i64, "each key has made one item");
}

fn a_new_secret_key_still_opens_what_the_previous_one_kept(kind: Kind) {
    let server = Place::furnished(kind).serve();
    let category = new_category(&server, "Tools");
    let body = json!({"name": "Hammer", "price": 1, "category_id": category});
    let send = |server: &Server, token: &str| {
        server.post("/api/v1/items").bearer(token).json(&body).header("idempotency-key", "k").send().expect(201)
    };
    let first = send(&server, &server.token(Who::User));
    let (_, mut place) = server.stop();
    place.set("SECRET_KEY", SECRET.replace('5', "6"));
    place.set("SECRET_KEY_PREVIOUS", SECRET);
    let server = place.serve();
    replayed(&first, &send(&server, &server.token(Who::User)));
}

/// An import by the admin of these lines under a key.
fn import<'a>(server: &'a Server, query: &str, csv: &str, key: &str) -> Call<'a> {
    let call = server.call("POST", &format!("/api/v1/items/import{query}")).bearer(&server.token(Who::Admin));
    call.body("text/csv", csv).header("idempotency-key", key).patient()
}

fn an_import_is_done_once_however_its_file_is_sent(server: &Server) {
    // Of two chunks, with a bad line, which is told again too.
    let csv = some_diamonds(1_200) + "X-1,Nameless,,-1,USD,Ideal,true\n";
    let first = import(server, "", &csv, "k").send().expect(200);
    assert_eq!((&first.data()["created"], &first.data()["failed"]), (&json!(1_200), &json!(1)), "{}", first.text());
    let changes = (server.db().count("changes"), server.db().count("changesets"));
    replayed(&first, &import(server, "", &csv, "k").send());
    for boundary in ["one", "two"] {
        let form = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n{csv}\r\n--{boundary}--\r\n"
        );
        let again = import(server, "", &csv, "k").body(&format!("multipart/form-data; boundary={boundary}"), form);
        replayed(&first, &again.send());
    }
    assert_eq!((server.db().count("changes"), server.db().count("changesets")), changes);
    assert_eq!(server.db().count("items"), 1_200);
    import(server, "", &(csv.clone() + "\n"), "k").send().refused_at(&["Idempotency-Key"]);
    import(server, "?mode=upsert", &csv, "k").send().refused_at(&["Idempotency-Key"]);
    // What only says what would be done is said again too.
    let dry = import(server, "?mode=upsert&dry_run=true", &csv, "dry").send().expect(200);
    assert_eq!(dry.data()["updated"], 1_200);
    replayed(&dry, &import(server, "?mode=upsert&dry_run=true", &csv, "dry").send());
    // What failed is not kept.
    import(server, "", "no,such,columns\n", "bad").send().refused_at(&["file"]);
    assert_eq!(server.db().count("idempotency_keys"), 2);
    import(server, "?mode=upsert", &csv, "bad").send().expect(200);
    server.db().execute("UPDATE idempotency_keys SET status = NULL");
    let under_way = import(server, "", &csv, "k").send();
    assert_eq!(under_way.must("retry-after"), "1");
    assert_eq!(under_way.problem(409)["error_type"], "in_flight");
}

fn of_imports_at_once_one_is_done(server: &Server) {
    let csv = some_diamonds(2_500);
    server.token(Who::Admin);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..6).map(|_| scope.spawn(|| import(server, "", &csv, "k").send())).collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    let done: Vec<&Answer> =
        answers.iter().filter(|a| a.status == 200 && a.header("idempotent-replayed").is_none()).collect();
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(done.len(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 409)), "{statuses:?}");
    assert_eq!(done[0].data()["created"], 2_500);
    assert_eq!(server.db().count("items"), 2_500);
    replayed(done[0], &import(server, "", &csv, "k").send());
}

fn an_import_that_kill_9_cut_off_is_sent_again_and_does_the_rest(kind: Kind) {
    const LINES: i64 = 6_000;
    let server = Place::furnished(kind).serve();
    let csv = some_diamonds(LINES as usize);
    server.token(Who::Admin);
    std::thread::scope(|scope| {
        let cut_off = scope.spawn(|| import(&server, "", &csv, "k").try_send());
        let mut db = server.db();
        wait_for("a part of the import", Duration::from_secs(60), || (db.count("items") > 0).then_some(()));
        server.strike_dead();
        assert!(cut_off.join().unwrap().is_err(), "it was not done before the end");
    });
    let server = server.kill().serve();
    let there = server.db().count("items");
    assert!(there > 0 && there < LINES && there % 1_000 == 0, "{there} items, which are not whole chunks of some");
    let again = || import(&server, "", &csv, "k").send();
    if kind == Kind::Postgres {
        // Another server may be at it, as far as this one can know: for as long as the lease goes.
        assert_eq!(again().problem(409)["error_type"], "in_flight");
        let lease = "SELECT expires_at - (SELECT max(created_at) FROM items) AS n FROM idempotency_keys";
        assert!((60_000_000..=121_000_000).contains(&server.db().number(lease)));
        server.db().execute("UPDATE idempotency_keys SET expires_at = 1");
    }
    let rest = again().expect(200);
    assert_eq!((&rest.data()["created"], &rest.data()["failed"]), (&json!(LINES - there), &json!(there)));
    assert_eq!(rest.data()["errors"][0]["field"], "sku", "what is taken is told");
    assert_eq!(server.db().count("items"), LINES);
    replayed(&rest, &again());
    // Both parts are changesets of their own, which can be undone.
    let imports = "SELECT count(DISTINCT changeset_id) AS n FROM changes WHERE entity = 'item'";
    assert_eq!(server.db().number(imports), 2);
}
