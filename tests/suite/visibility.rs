//! What somebody may not see is not there, whichever way they look; and what they may not set changes nothing,
//! whichever way they send it.

use crate::support::{
    Answer, Server, Visitor, Who,
    data::{new_category, new_item, new_key},
    on_both,
    server::PASSWORD,
};
use serde_json::{Value, json};

on_both! {
    what_may_not_be_seen_is_answered_as_what_is_missing,
    hidden_items_are_neither_listed_found_sorted_nor_counted,
    what_one_may_not_set_is_refused_at_every_way_in,
}

/// An answer without what differs each time: its id, its times, and the id that was asked for.
fn bare(answer: &Answer, id: i64) -> (u16, String, Vec<String>) {
    let moving = ["x-request-id", "x-process-time", "server-timing", "date", "content-length"];
    let headers = answer.headers.iter().filter(|(name, _)| !moving.contains(&name.as_str()));
    let mut headers: Vec<String> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    headers.sort();
    let mut text = answer.text().replace(&format!("id {id} "), "id ID ");
    if let Some(request) = answer.header("x-request-id") {
        text = text.replace(&request, "REQUEST");
    }
    (answer.status, text, headers)
}

fn what_may_not_be_seen_is_answered_as_what_is_missing(server: &Server) {
    const MISSING: i64 = 987_654;
    let category = new_category(server, "Tools");
    let hidden = new_item(server, category, "Hidden", json!({"is_active": false})).id;
    let (key_id, _) = new_key(server, Who::User, &["read"]);
    let (_, lesser) = new_key(server, Who::Admin, &["write"]);
    let item = json!({"name": "Mine now", "price": 1, "category_id": category});
    let asked: Vec<(&str, &str, i64, Option<Value>)> = vec![
        ("GET", "/api/v1/items/{id}", hidden, None),
        ("HEAD", "/api/v1/items/{id}", hidden, None),
        ("PUT", "/api/v1/items/{id}", hidden, Some(item.clone())),
        ("PATCH", "/api/v1/items/{id}", hidden, Some(json!({"price": 2}))),
        ("PATCH", "/api/v1/items/{id}", hidden, Some(json!({"price": -1, "owner_id": 3}))),
        ("DELETE", "/api/v1/items/{id}", hidden, None),
        ("GET", "/api/v1/users/{id}", Who::User.id(), None),
        ("GET", "/api/v1/users/{id}/items", Who::User.id(), None),
        ("PATCH", "/api/v1/users/{id}", Who::User.id(), Some(json!({"full_name": "X"}))),
        ("PATCH", "/api/v1/users/{id}", Who::User.id(), Some(json!({"role": "admin", "age": 999}))),
        ("DELETE", "/api/v1/users/{id}", Who::User.id(), None),
        ("GET", "/api/v1/api-keys/{id}", key_id, None),
        ("DELETE", "/api/v1/api-keys/{id}", key_id, None),
    ];
    let callers = ["anonymous", "guest", "other", "an admin's key to write"];
    for (method, pattern, id, body) in &asked {
        for who in callers {
            for guard in [None, Some("\"7\"")] {
                let ask = |id: i64| {
                    let mut call = server.call(method, &pattern.replace("{id}", &id.to_string()));
                    call = match who {
                        "guest" => call.bearer(&server.token(Who::Guest)),
                        "other" => call.bearer(&server.token(Who::Other)),
                        "an admin's key to write" => call.api_key(&lesser),
                        _ => call,
                    };
                    if let Some(tag) = guard {
                        call = call.header("if-match", tag).header("if-none-match", "*");
                    }
                    if let Some(body) = body {
                        call = call.json(body);
                    }
                    bare(&call.send(), id)
                };
                let (there, missing) = (ask(*id), ask(MISSING));
                assert_eq!(there, missing, "{method} {pattern} {body:?} as {who}");
                assert!([401, 403, 404].contains(&there.0), "{method} {pattern} as {who}: {there:?}");
            }
        }
    }
    let kept = server.user().get(&format!("/api/v1/items/{hidden}")).send().expect(200).data();
    assert_eq!((&kept["version"], &kept["name"]), (&json!(1), &json!("Hidden")));
}

fn hidden_items_are_neither_listed_found_sorted_nor_counted(server: &Server) {
    let (tools, toys) = (new_category(server, "Tools"), new_category(server, "Toys"));
    for n in 1..=5 {
        new_item(server, tools, &format!("Hammer {n}"), json!({"price": n * 10, "sku": format!("H-{n}")}));
    }
    let mut queries: Vec<String> =
        vec!["/api/v1/categories".into(), "/api/v1/categories?sort=-name&limit=1&include_total=true".into()];
    queries.extend([tools, toys].map(|id| format!("/api/v1/categories/{id}")));
    for filter in [
        "",
        "q=unheard",
        "q=hammer",
        "q=hid",
        "is_active=false",
        "is_active=true",
        "min_price=777",
        "max_price=778&min_price=776",
        "owner_id=2",
        "owner_id=2&is_active=false",
        "created_after=2026-01-01T00:00:00Z",
        "q=hammer&is_active=false",
    ] {
        for sort in ["", "sort=price", "sort=-price", "sort=name", "sort=-created_at", "sort=sku", "sort=-id"] {
            for window in ["", "page=1&page_size=3", "skip=3&limit=3", "limit=3&include_total=true"] {
                let parts: Vec<&str> = [filter, sort, window].into_iter().filter(|part| !part.is_empty()).collect();
                queries.push(format!("/api/v1/items?{}", parts.join("&")));
            }
        }
        queries.push(format!("/api/v1/items?category_id={toys}&{filter}"));
        queries.push(format!("/api/v1/items?category_id={tools}&{filter}"));
    }
    let (_, lesser) = new_key(server, Who::Admin, &["read"]);
    let see = || {
        let mut seen = Vec::new();
        for query in &queries {
            for who in ["anonymous", "guest", "other", "an admin's key to read"] {
                let call = server.get(query);
                let answer = match who {
                    "guest" => call.bearer(&server.token(Who::Guest)),
                    "other" => call.bearer(&server.token(Who::Other)),
                    "an admin's key to read" => call.api_key(&lesser),
                    _ => call,
                }
                .send()
                .expect(200);
                seen.push((format!("{query} as {who}"), bare(&answer, 0)));
            }
        }
        seen
    };
    let before = see();
    let more = json!({"is_active": false, "price": 777, "sku": "HIDDEN-1", "description": "unheard of"});
    let hidden = new_item(server, toys, "Hidden hammer", more);
    let gone = new_item(server, tools, "Hammer 3a", json!({"price": 30, "sku": "H-3a"}));
    server.user().patch(&gone.path(), &json!({"is_active": false})).send().expect(200);
    for (now, then) in see().iter().zip(&before) {
        assert_eq!(now, then, "what is hidden shows");
    }
    // It would be seen: its owner does.
    let own = server.user().get("/api/v1/items?q=unheard").send().expect(200).json();
    assert_eq!((&own["total"], &own["data"][0]["id"]), (&json!(1), &json!(hidden.id)));
}

fn what_one_may_not_set_is_refused_at_every_way_in(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    let mut db = server.db();
    let tables = [("users", ["last_login_at"]), ("items", [""])];
    let before = tables.map(|(table, derived)| db.rows_of(table, &derived));
    let year = "2020-01-01T00:00:00.000000Z";
    let of_items = [("id", json!(77)), ("owner_id", json!(3)), ("version", json!(9)), ("created_at", json!(year))];
    for (field, value) in &of_items {
        let with = |mut body: Value| {
            body[field] = value.clone();
            body
        };
        let whole = || with(json!({"name": "Saw", "price": 1, "category_id": category}));
        server.user().post("/api/v1/items", &whole()).send().problem(403);
        server.user().put(&item.path(), &whole()).send().problem(403);
        server.user().patch(&item.path(), &with(json!({}))).send().problem(403);
    }
    let of_users =
        [("id", json!(77)), ("role", json!("admin")), ("is_active", json!(false)), ("created_at", json!(year))];
    for (field, value) in &of_users {
        let with = |mut body: Value| {
            body[field] = value.clone();
            body
        };
        for path in ["/api/v1/users/me", "/api/v1/users/profile", "/api/v1/users/2"] {
            server.user().patch(path, &with(json!({"full_name": "X"}))).send().problem(403);
        }
        let new = json!({"email": "new@example.com", "username": "new_one", "password": PASSWORD});
        server.post("/api/v1/auth/register").json(&with(new)).send().problem(403);
    }
    let visitor = Visitor::signed_in(server, Who::User);
    for (field, value) in &of_users {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        visitor.fill_in("/admin/account", &[("full_name", "X"), (field, &text)]).expect(403);
    }
    assert_eq!(tables.map(|(table, derived)| db.rows_of(table, &derived)), before);
}
