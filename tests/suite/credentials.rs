//! THE table: every route that the binary has, with each credential. A route that is not in it fails the test.

use crate::support::{
    Kind, Place, Server, Visitor, Who,
    data::{self, new_category, new_item, new_key},
    on_both,
    server::PASSWORD,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How a route answers: anonymous, guest, somebody else than the owner, the owner, admin, and with a bad credential,
/// which a token is too whose user has been deactivated since.
struct Expected {
    route: &'static str,
    anonymous: u16,
    guest: u16,
    other: u16,
    owner: u16,
    admin: u16,
    bad: u16,
    /// With an API key of the admin: with the scope read, write, admin.
    keys: Option<[u16; 3]>,
}

const fn row(route: &'static str, [anonymous, guest, other, owner, admin, bad]: [u16; 6]) -> Expected {
    Expected { route, anonymous, guest, other, owner, admin, bad, keys: None }
}

impl Expected {
    /// What each kind of API key is answered: every row of the API says so.
    const fn keys(mut self, keys: [u16; 3]) -> Expected {
        self.keys = Some(keys);
        self
    }
}

/// The API: a credential is a bearer token, a bad one is one that nobody signed.
const API: &[Expected] = &[
    //                                           anon guest other owner admin bad     keys: read write admin
    row("GET /api/v1/items", [200, 200, 200, 200, 200, 401]).keys([200, 200, 200]),
    row("POST /api/v1/items", [401, 403, 201, 201, 201, 401]).keys([403, 201, 201]),
    row("POST /api/v1/items/bulk", [401, 403, 201, 201, 201, 401]).keys([403, 201, 201]),
    row("PATCH /api/v1/items/bulk", [401, 403, 422, 200, 200, 401]).keys([403, 422, 200]),
    row("DELETE /api/v1/items/bulk", [401, 403, 403, 403, 200, 401]).keys([403, 403, 200]),
    row("GET /api/v1/items/export", [200, 200, 200, 200, 200, 401]).keys([200, 200, 200]),
    row("POST /api/v1/items/import", [401, 403, 415, 415, 415, 401]).keys([403, 415, 415]),
    row("GET /api/v1/items/{id}", [200, 200, 200, 200, 200, 401]).keys([200, 200, 200]),
    row("PUT /api/v1/items/{id}", [401, 403, 403, 200, 200, 401]).keys([403, 403, 200]),
    row("PATCH /api/v1/items/{id}", [401, 403, 403, 200, 200, 401]).keys([403, 403, 200]),
    row("DELETE /api/v1/items/{id}", [401, 403, 403, 403, 204, 401]).keys([403, 403, 204]),
    row("GET /api/v2/items", [200, 200, 200, 200, 200, 401]).keys([200, 200, 200]),
    row("POST /api/v2/items", [401, 403, 201, 201, 201, 401]).keys([403, 201, 201]),
    row("GET /api/v2/items/{id}", [200, 200, 200, 200, 200, 401]).keys([200, 200, 200]),
    row("PUT /api/v2/items/{id}", [401, 403, 403, 200, 200, 401]).keys([403, 403, 200]),
    row("PATCH /api/v2/items/{id}", [401, 403, 403, 200, 200, 401]).keys([403, 403, 200]),
    row("DELETE /api/v2/items/{id}", [401, 403, 403, 403, 204, 401]).keys([403, 403, 204]),
    // Of somebody else's upload no image is made, and what is none is not taken off.
    row("PUT /api/v1/items/{id}/images/{upload_id}", [401, 403, 403, 200, 200, 401]).keys([403, 403, 200]),
    row("DELETE /api/v1/items/{id}/images/{upload_id}", [401, 403, 403, 204, 204, 401]).keys([403, 403, 204]),
    row("GET /api/v1/items/{id}/history", [401, 403, 403, 200, 200, 401]).keys([403, 403, 200]),
    row("POST /api/v1/items/{id}/revert", [401, 403, 403, 200, 200, 401]).keys([403, 403, 200]),
    // A plain request, which is no upgrade.
    row("GET /api/v1/ws", [401, 400, 400, 400, 400, 401]).keys([400, 400, 400]),
    row("GET /api/v1/audit", [401, 403, 403, 403, 200, 401]).keys([403, 403, 200]),
    row("GET /api/v1/audit/{id}", [401, 403, 403, 403, 200, 401]).keys([403, 403, 200]),
    row("POST /api/v1/audit/{id}/revert", [401, 403, 403, 403, 200, 401]).keys([403, 403, 200]),
    row("GET /api/v1/stats", [200, 200, 200, 200, 200, 401]).keys([200, 200, 200]),
    row("GET /api/v1/categories", [200, 200, 200, 200, 200, 401]).keys([200, 200, 200]),
    row("POST /api/v1/categories", [401, 403, 403, 403, 201, 401]).keys([403, 403, 201]),
    row("GET /api/v1/categories/{id}", [200, 200, 200, 200, 200, 401]).keys([200, 200, 200]),
    row("GET /api/v1/categories/{id}/items", [200, 200, 200, 200, 200, 401]).keys([200, 200, 200]),
    row("PUT /api/v1/categories/{id}", [401, 403, 403, 403, 200, 401]).keys([403, 403, 200]),
    row("PATCH /api/v1/categories/{id}", [401, 403, 403, 403, 200, 401]).keys([403, 403, 200]),
    row("DELETE /api/v1/categories/{id}", [401, 403, 403, 403, 204, 401]).keys([403, 403, 204]),
    row("GET /api/v1/posts", [200, 200, 200, 200, 200, 401]).keys([200, 200, 200]),
    row("POST /api/v1/posts", [401, 403, 201, 201, 201, 401]).keys([403, 201, 201]),
    row("GET /api/v1/posts/{id}", [200, 200, 200, 200, 200, 401]).keys([200, 200, 200]),
    row("PUT /api/v1/posts/{id}", [401, 403, 403, 200, 200, 401]).keys([403, 403, 200]),
    row("PATCH /api/v1/posts/{id}", [401, 403, 403, 200, 200, 401]).keys([403, 403, 200]),
    row("DELETE /api/v1/posts/{id}", [401, 403, 403, 204, 204, 401]).keys([403, 403, 204]),
    row("POST /api/v1/posts/{id}/publish", [401, 403, 403, 200, 200, 401]).keys([403, 403, 200]),
    row("POST /api/v1/posts/{id}/unpublish", [401, 403, 403, 200, 200, 401]).keys([403, 403, 200]),
    row("GET /api/v1/uploads", [401, 200, 200, 200, 200, 401]).keys([200, 200, 200]),
    row("POST /api/v1/uploads", [401, 403, 201, 201, 201, 401]).keys([403, 201, 201]),
    row("GET /api/v1/uploads/{id}", [404, 404, 404, 200, 200, 401]).keys([404, 404, 200]),
    row("GET /api/v1/uploads/{id}/content", [404, 404, 404, 200, 200, 401]).keys([404, 404, 200]),
    row("GET /api/v1/uploads/{id}/thumbnail", [404, 404, 404, 200, 200, 401]).keys([404, 404, 200]),
    row("DELETE /api/v1/uploads/{id}", [401, 404, 404, 204, 204, 401]).keys([403, 404, 204]),
    row("POST /api/v1/auth/login", [200, 200, 200, 200, 200, 401]).keys([403, 403, 403]),
    row("POST /api/v1/auth/token", [200, 200, 200, 200, 200, 401]).keys([403, 403, 403]),
    row("POST /api/v1/auth/register", [201, 201, 201, 201, 201, 401]).keys([403, 403, 403]),
    row("POST /api/v1/auth/refresh", [200, 200, 200, 200, 200, 401]).keys([403, 403, 403]),
    row("POST /api/v1/auth/logout", [204, 204, 204, 204, 204, 401]).keys([403, 403, 403]),
    row("POST /api/v1/auth/password/forgot", [202, 202, 202, 202, 202, 401]).keys([403, 403, 403]),
    // The token of a link counts there, and none is sent.
    row("POST /api/v1/auth/password/reset", [401, 401, 401, 401, 401, 401]).keys([403, 403, 403]),
    // With a wrong current password: a right one would end the tokens of this table.
    row("POST /api/v1/auth/password/change", [401, 422, 422, 422, 422, 401]).keys([403, 403, 403]),
    row("GET /api/v1/users", [401, 403, 403, 403, 200, 401]).keys([403, 403, 200]),
    row("POST /api/v1/users", [401, 403, 403, 403, 201, 401]).keys([403, 403, 201]),
    row("GET /api/v1/users/me", [401, 200, 200, 200, 200, 401]).keys([200, 200, 200]),
    row("PATCH /api/v1/users/me", [401, 200, 200, 200, 200, 401]).keys([403, 200, 200]),
    row("GET /api/v1/users/profile", [401, 200, 200, 200, 200, 401]).keys([200, 200, 200]),
    row("PATCH /api/v1/users/profile", [401, 200, 200, 200, 200, 401]).keys([403, 200, 200]),
    // The owner of a user is that user.
    row("GET /api/v1/users/{id}", [401, 404, 404, 200, 200, 401]).keys([404, 404, 200]),
    row("PATCH /api/v1/users/{id}", [401, 404, 404, 200, 200, 401]).keys([403, 404, 200]),
    row("DELETE /api/v1/users/{id}", [401, 403, 403, 403, 204, 401]).keys([403, 403, 204]),
    row("GET /api/v1/users/{id}/items", [401, 404, 404, 200, 200, 401]).keys([404, 404, 200]),
    // A key makes no keys and ends none.
    row("GET /api/v1/api-keys", [401, 200, 200, 200, 200, 401]).keys([403, 403, 403]),
    row("POST /api/v1/api-keys", [401, 201, 201, 201, 201, 401]).keys([403, 403, 403]),
    row("GET /api/v1/api-keys/{id}", [401, 404, 404, 200, 200, 401]).keys([403, 403, 403]),
    row("DELETE /api/v1/api-keys/{id}", [401, 404, 404, 204, 204, 401]).keys([403, 403, 403]),
    row("GET /api/v1/webhooks", [401, 403, 403, 403, 200, 401]).keys([403, 403, 200]),
    row("POST /api/v1/webhooks", [401, 403, 403, 403, 201, 401]).keys([403, 403, 201]),
    row("GET /api/v1/webhooks/{id}", [401, 403, 403, 403, 200, 401]).keys([403, 403, 200]),
    row("PATCH /api/v1/webhooks/{id}", [401, 403, 403, 403, 200, 401]).keys([403, 403, 200]),
    row("DELETE /api/v1/webhooks/{id}", [401, 403, 403, 403, 204, 401]).keys([403, 403, 204]),
    row("POST /api/v1/webhooks/{id}/secret", [401, 403, 403, 403, 200, 401]).keys([403, 403, 200]),
    row("POST /api/v1/webhooks/{id}/test", [401, 403, 403, 403, 202, 401]).keys([403, 403, 202]),
    row("GET /api/v1/webhooks/{id}/deliveries", [401, 403, 403, 403, 200, 401]).keys([403, 403, 200]),
    // What there is no delivery of is not sent again.
    row("POST /api/v1/webhooks/{id}/deliveries/{delivery_id}/replay", [401, 403, 403, 403, 404, 401])
        .keys([403, 403, 404]),
];

/// Open to all: health, what pages need, the way in. What is sent as a credential does not matter here.
const OPEN: &[(&str, u16)] = &[
    ("GET /health", 200),
    ("GET /health/live", 200),
    ("GET /health/ready", 200),
    ("GET /", 303),
    ("GET /admin/login", 200),
    ("GET /admin/login/code", 303),
    ("GET /admin/setup", 404),
    ("GET /admin/forgotten", 200),
    ("GET /admin/reset", 404),
    ("GET /admin/invitation", 404),
    ("GET /static/{version}/{file}", 404),
];

/// The admin site: a credential is a session; a bad one is a cookie that nobody made. `true` for what changes things:
/// it is sent with the token of the session, and again without, which must be 403.
const ADMIN: &[(Expected, bool)] = &[
    //                                               anon guest other owner admin bad
    (row("GET /admin", [303, 303, 303, 303, 303, 303]), false),
    (row("GET /admin/items", [303, 403, 403, 403, 200, 303]), false),
    (row("GET /admin/items/new", [303, 403, 403, 403, 200, 303]), false),
    (row("POST /admin/items/new", [303, 403, 403, 403, 303, 303]), true),
    (row("GET /admin/items/{id}", [303, 403, 403, 403, 200, 303]), false),
    (row("GET /admin/items/{id}/edit", [303, 403, 403, 403, 200, 303]), false),
    (row("POST /admin/items/{id}/edit", [303, 403, 403, 403, 303, 303]), true),
    (row("GET /admin/items/{id}/delete", [303, 403, 403, 403, 200, 303]), false),
    (row("POST /admin/items/{id}/delete", [303, 403, 403, 403, 303, 303]), true),
    (row("POST /admin/items/bulk", [303, 403, 403, 403, 200, 303]), true),
    (row("GET /admin/items/{id}/history", [303, 403, 403, 403, 200, 303]), false),
    (row("GET /admin/categories", [303, 403, 403, 403, 200, 303]), false),
    (row("GET /admin/categories/new", [303, 403, 403, 403, 200, 303]), false),
    (row("POST /admin/categories/new", [303, 403, 403, 403, 303, 303]), true),
    (row("GET /admin/categories/{id}/edit", [303, 403, 403, 403, 200, 303]), false),
    (row("POST /admin/categories/{id}/edit", [303, 403, 403, 403, 303, 303]), true),
    (row("GET /admin/categories/{id}/delete", [303, 403, 403, 403, 200, 303]), false),
    (row("POST /admin/categories/{id}/delete", [303, 403, 403, 403, 303, 303]), true),
    (row("GET /admin/api-keys", [303, 200, 200, 200, 200, 303]), false),
    (row("GET /admin/api-keys/new", [303, 200, 200, 200, 200, 303]), false),
    (row("POST /admin/api-keys/new", [303, 303, 303, 303, 303, 303]), true),
    (row("GET /admin/api-keys/{id}/delete", [303, 404, 404, 200, 200, 303]), false),
    (row("POST /admin/api-keys/{id}/delete", [303, 404, 404, 303, 303, 303]), true),
    (row("GET /admin/api-keys/revoke-all", [303, 200, 200, 200, 200, 303]), false),
    (row("POST /admin/api-keys/revoke-all", [303, 303, 303, 303, 303, 303]), true),
    (row("GET /admin/account", [303, 200, 200, 200, 200, 303]), false),
    (row("POST /admin/account", [303, 303, 303, 303, 303, 303]), true),
    (row("GET /admin/account/password", [303, 303, 303, 303, 303, 303]), false),
    // What is sent to these is no password and no session.
    (row("POST /admin/account/password", [303, 422, 422, 422, 422, 303]), true),
    (row("POST /admin/account/sessions/end", [303, 404, 404, 404, 404, 303]), true),
    (row("GET /admin/account/two-factor", [303, 200, 200, 200, 200, 303]), false),
    (row("POST /admin/account/two-factor", [303, 422, 422, 422, 422, 303]), true),
    (row("POST /admin/account/two-factor/begin", [303, 303, 303, 303, 303, 303]), true),
    (row("GET /admin/account/two-factor/codes", [303, 303, 303, 303, 303, 303]), false),
    (row("POST /admin/account/two-factor/codes", [303, 303, 303, 303, 303, 303]), true),
    (row("GET /admin/account/two-factor/off", [303, 303, 303, 303, 303, 303]), false),
    (row("POST /admin/account/two-factor/off", [303, 303, 303, 303, 303, 303]), true),
    (row("GET /admin/users", [303, 403, 403, 403, 200, 303]), false),
    (row("GET /admin/users/new", [303, 403, 403, 403, 200, 303]), false),
    (row("POST /admin/users/new", [303, 403, 403, 403, 303, 303]), true),
    (row("GET /admin/users/{id}", [303, 403, 403, 403, 200, 303]), false),
    (row("GET /admin/users/{id}/edit", [303, 403, 403, 403, 200, 303]), false),
    (row("POST /admin/users/{id}/edit", [303, 403, 403, 403, 303, 303]), true),
    (row("GET /admin/users/{id}/role", [303, 403, 403, 403, 200, 303]), false),
    (row("POST /admin/users/{id}/role", [303, 403, 403, 403, 303, 303]), true),
    (row("GET /admin/users/{id}/access", [303, 403, 403, 403, 200, 303]), false),
    (row("POST /admin/users/{id}/access", [303, 403, 403, 403, 303, 303]), true),
    (row("GET /admin/users/{id}/end-sessions", [303, 403, 403, 403, 200, 303]), false),
    (row("POST /admin/users/{id}/end-sessions", [303, 403, 403, 403, 303, 303]), true),
    (row("POST /admin/users/{id}/invite", [303, 403, 403, 403, 303, 303]), true),
    (row("GET /admin/users/{id}/delete", [303, 403, 403, 403, 200, 303]), false),
    (row("POST /admin/users/{id}/delete", [303, 403, 403, 403, 303, 303]), true),
    (row("GET /admin/jobs", [303, 403, 403, 403, 200, 303]), false),
    (row("GET /admin/jobs/retry", [303, 403, 403, 403, 200, 303]), false),
    (row("POST /admin/jobs/retry", [303, 403, 403, 403, 303, 303]), true),
    (row("GET /admin/jobs/discard", [303, 403, 403, 403, 200, 303]), false),
    (row("POST /admin/jobs/discard", [303, 403, 403, 403, 303, 303]), true),
    // A job that there is not.
    (row("GET /admin/jobs/{id}", [303, 403, 403, 403, 404, 303]), false),
    (row("POST /admin/jobs/{id}/retry", [303, 403, 403, 403, 303, 303]), true),
    (row("GET /admin/jobs/{id}/discard", [303, 403, 403, 403, 404, 303]), false),
    (row("POST /admin/jobs/{id}/discard", [303, 403, 403, 403, 303, 303]), true),
    (row("GET /admin/audit", [303, 403, 403, 403, 200, 303]), false),
    (row("GET /admin/audit/{id}", [303, 403, 403, 403, 200, 303]), false),
    (row("GET /admin/audit/{id}/revert", [303, 403, 403, 403, 200, 303]), false),
    (row("POST /admin/audit/{id}/revert", [303, 403, 403, 403, 303, 303]), true),
    (row("POST /admin/theme", [303, 303, 303, 303, 303, 303]), true),
    (row("POST /admin/logout", [303, 303, 303, 303, 303, 303]), true),
];

/// Tested by name elsewhere: the way in, with tokens of its own, and what ends the credentials that this table goes on
/// with.
const ELSEWHERE: &[&str] = &[
    // An answer without an end: tests/suite/live.rs.
    "GET /api/v1/events",
    "POST /admin/login",
    "POST /admin/login/code",
    "POST /admin/setup",
    "POST /admin/forgotten",
    "POST /admin/reset",
    "POST /admin/invitation",
    "POST /admin/account/sessions/end-others",
];

#[test]
fn every_route_is_in_the_table_and_every_row_is_a_route() {
    let there: BTreeSet<String> = data::routes().into_iter().map(|(m, p)| format!("{m} {p}")).collect();
    assert_eq!(not_in_the_table(&there), Vec::<String>::new(), "routes without a row in tests/suite/credentials.rs");
    let gone: Vec<_> = table().into_iter().filter(|r| !there.contains(r)).collect();
    assert_eq!(gone, Vec::<String>::new(), "rows without a route");
}

#[test]
fn a_route_that_is_not_in_the_table_would_be_seen() {
    let there = BTreeSet::from(["GET /api/v1/items".to_owned(), "DELETE /api/v1/everything".to_owned()]);
    assert_eq!(not_in_the_table(&there), ["DELETE /api/v1/everything"]);
}

fn table() -> BTreeSet<String> {
    let api = API.iter().map(|e| e.route);
    let rest = OPEN.iter().map(|(r, _)| *r).chain(ADMIN.iter().map(|(e, _)| e.route)).chain(ELSEWHERE.iter().copied());
    api.chain(rest).map(str::to_owned).collect()
}

fn not_in_the_table(there: &BTreeSet<String>) -> Vec<String> {
    let table = table();
    there.iter().filter(|r| !table.contains(*r)).cloned().collect()
}

on_both! {
    every_api_route_answers_each_credential_as_the_table_says,
    every_page_answers_each_credential_as_the_table_says,
    open_routes_are_open,
}

/// The user that a route on users is tried on: the owner, or, since only an admin's call removes, a fresh one.
fn user_path(server: &Server, method: &str, pattern: &str, round: usize) -> String {
    let id = match method {
        "DELETE" => {
            let body = new_user(round + 1_000_000);
            let made = server.post("/api/v1/auth/register").json(&body).send().expect(201);
            made.data()["id"].as_i64().unwrap()
        }
        _ => Who::User.id(),
    };
    pattern.replace("{id}", &id.to_string())
}

fn new_user(round: usize) -> Value {
    json!({"email": format!("new{round}@example.com"), "username": format!("new_{round}"), "password": PASSWORD})
}

/// A body that is right for a route.
fn body_for(server: &Server, method: &str, pattern: &str, round: usize, category: i64) -> Option<Value> {
    let name = format!("New {round}");
    let item = || new_item(server, category, &name, json!({})).id;
    Some(match (method, pattern) {
        ("POST", "/api/v1/items/bulk") => json!([{"name": name, "price": 1, "category_id": category}]),
        ("PATCH", "/api/v1/items/bulk") => json!({"ids": [item()], "changes": {"price": 2}}),
        ("DELETE", "/api/v1/items/bulk") => json!({"ids": [item()]}),
        ("GET" | "DELETE", _) => return None,
        (_, "/api/v1/auth/login" | "/api/v1/auth/token") => json!({"username": "uma_user", "password": PASSWORD}),
        (_, "/api/v1/auth/refresh" | "/api/v1/auth/logout") => {
            let body = json!({"username": "uma_user", "password": PASSWORD});
            let token = server.post("/api/v1/auth/login").json(&body).send().expect(200).json();
            json!({"refresh_token": token["refresh_token"]})
        }
        (_, "/api/v1/auth/password/forgot") => json!({"email": "nobody@example.com"}),
        (_, "/api/v1/auth/password/reset") => json!({"token": "none", "new_password": PASSWORD}),
        (_, "/api/v1/auth/password/change") => json!({"current_password": "Wrong1one", "new_password": PASSWORD}),
        (_, "/api/v1/auth/register") | ("POST", "/api/v1/users") => new_user(round),
        (_, "/api/v1/items/{id}/revert") => json!({"version": 1}),
        (_, "/api/v1/audit/{id}/revert") => json!({}),
        (_, "/api/v1/api-keys") => json!({"name": name, "scopes": ["read"]}),
        ("POST", "/api/v1/webhooks") => json!({"url": "https://hooks.example.com/", "events": ["user.deleted"]}),
        (_, pattern) if pattern.contains("/webhooks") => json!({"description": name}),
        (_, "/api/v1/posts" | "/api/v1/posts/{id}") => json!({"title": name, "content": "Text"}),
        (_, pattern) if pattern.contains("/users") => json!({"full_name": name}),
        (_, pattern) if pattern.contains("/images/") => json!({"position": 1}),
        (_, pattern) if pattern.contains("/v2/items") => {
            json!({"name": name, "price": {"amount": "1"}, "category_id": category})
        }
        (_, pattern) if pattern.contains("items") => json!({"name": name, "price": 1, "category_id": category}),
        _ => json!({"name": name}),
    })
}

/// A fresh item, category or key for each call, so that one call does not spoil the next.
fn fresh_path(server: &Server, path: &str, round: usize) -> (String, i64) {
    let category = new_category(server, &format!("For {path} {round}"));
    let id = match path {
        path if path.contains("items") && !path.ends_with("categories/{id}/items") => {
            new_item(server, category, "Hammer", json!({})).id
        }
        path if path.contains("/api-keys/{id}") => new_key(server, Who::User, &["read"]).0,
        _ => category,
    };
    (path.replace("{id}", &id.to_string()), category)
}

fn every_api_route_answers_each_credential_as_the_table_says(server: &Server) {
    let mut wrong = Vec::new();
    let mut round = 0;
    let gone = deactivated(server);
    let keys = [["read"], ["write"], ["admin"]].map(|scopes| new_key(server, Who::Admin, &scopes).1);
    let [read, write, all] = &keys;
    for expected in API {
        let (method, pattern) = expected.route.split_once(' ').unwrap();
        let by_key = expected.keys.unwrap_or_else(|| panic!("{}: say .keys([read, write, admin])", expected.route));
        let credentials = [
            ("anonymous", None, expected.anonymous),
            ("guest", Some(server.token(Who::Guest)), expected.guest),
            ("other", Some(server.token(Who::Other)), expected.other),
            ("owner", Some(server.token(Who::User)), expected.owner),
            ("admin", Some(server.token(Who::Admin)), expected.admin),
            ("bad", Some("nobody.signed.this".to_owned()), expected.bad),
            ("deactivated", Some(gone.clone()), expected.bad),
            ("a key to read", Some(read.clone()), by_key[0]),
            ("a key to write", Some(write.clone()), by_key[1]),
            ("a key for everything", Some(all.clone()), by_key[2]),
        ];
        for (who, token, status) in credentials {
            round += 1;
            let (mut path, category) = fresh_path(server, pattern, round);
            if pattern.starts_with("/api/v1/users/{id}") {
                path = user_path(server, method, pattern, round);
            }
            if pattern.starts_with("/api/v1/uploads/{id}") {
                let id = crate::uploads::upload(server, Who::User, "a.png", &crate::uploads::png(4, 4))
                    .expect(201)
                    .data()["id"]
                    .clone();
                path = pattern.replace("{id}", &id.to_string());
                crate::uploads::thumbnail_of(server, &id);
            }
            if pattern.ends_with("/images/{upload_id}") {
                let id = crate::item_images::image(server, "a.png");
                path = path.replace("{upload_id}", &id.to_string());
                if method == "DELETE" {
                    server.user().call("PUT", &path).send().expect(200);
                }
            }
            if pattern.starts_with("/api/v1/posts/{id}") {
                let body = json!({"title": "News", "content": "Text", "published": true});
                let made = server.user().post("/api/v1/posts", &body).send().expect(201).data();
                path = pattern.replace("{id}", &made["id"].to_string());
            }
            if pattern.starts_with("/api/v1/audit/{id}") {
                let newest = server.db().number("SELECT max(id) AS n FROM changesets");
                path = pattern.replace("{id}", &newest.to_string());
            }
            if pattern.starts_with("/api/v1/webhooks/{id}") {
                let body = json!({"url": "https://hooks.example.com/", "events": ["user.deleted"]});
                let hook = server.admin().post("/api/v1/webhooks", &body).send().expect(201).data()["id"].to_string();
                path = pattern.replace("{id}", &hook).replace("{delivery_id}", "999999");
            }
            let mut call = server.call(method, &path);
            if let Some(token) = token {
                call = if token.starts_with("sr_") { call.api_key(&token) } else { call.bearer(&token) };
            }
            if let Some(body) = body_for(server, method, pattern, round, category) {
                call = call.json(&body);
            }
            if expected.route == "POST /api/v1/uploads" {
                let (kind, body) = crate::uploads::multipart(&[("file", Some("a.png"), &crate::uploads::png(4, 4))]);
                call = call.body(&kind, body);
            }
            let answer = call.send();
            if answer.status != status {
                wrong.push(format!(
                    "{} as {who}: {} instead of {status}: {}",
                    expected.route,
                    answer.status,
                    answer.text()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A token that was good until its user was deactivated.
fn deactivated(server: &Server) -> String {
    let body = json!({"email": "gone@example.com", "username": "gone_user", "password": PASSWORD});
    let id = server.admin().post("/api/v1/users", &body).send().expect(201).data()["id"].as_i64().unwrap();
    let token = server.login("gone_user", PASSWORD);
    server.admin().patch(&format!("/api/v1/users/{id}"), &json!({"is_active": false})).send().expect(200);
    token
}

fn every_page_answers_each_credential_as_the_table_says(server: &Server) {
    let mut wrong = Vec::new();
    let mut round = 1_000;
    let bad = || {
        let visitor = Visitor::stranger(server);
        visitor.cookies.lock().unwrap().insert("stockroom_session".into(), "nobody-made-this-session".into());
        visitor
    };
    for (expected, writes) in ADMIN {
        let (_, pattern) = expected.route.split_once(' ').unwrap();
        let visitors = [
            ("anonymous", Visitor::stranger(server), expected.anonymous),
            ("guest", Visitor::signed_in(server, Who::Guest), expected.guest),
            ("other", Visitor::signed_in(server, Who::Other), expected.other),
            ("owner", Visitor::signed_in(server, Who::User), expected.owner),
            ("admin", Visitor::signed_in(server, Who::Admin), expected.admin),
            ("bad", bad(), expected.bad),
        ];
        for (who, visitor, status) in visitors {
            round += 1;
            let (mut path, category) = fresh_path(server, pattern, round);
            if pattern.starts_with("/admin/users/{id}") {
                path = user_path(server, "DELETE", pattern, round);
            }
            if pattern.starts_with("/admin/audit/{id}") {
                let newest = server.db().number("SELECT max(id) AS n FROM changesets");
                path = pattern.replace("{id}", &newest.to_string());
            }
            if pattern.starts_with("/admin/jobs/") {
                path = format!("{}?kind=mail.welcome", pattern.replace("{id}", "999999"));
            }
            let mut fields: Vec<(String, String)> = Vec::new();
            if *writes {
                let name = format!("New {round}");
                for (field, value) in [
                    ("name", name.as_str()),
                    ("price", "1"),
                    ("currency", "USD"),
                    ("category_id", &category.to_string()),
                    ("version", "1"),
                    ("scopes", "read"),
                    ("expires_at", "30"),
                    ("kind", "mail.welcome"),
                ] {
                    fields.push((field.into(), value.into()));
                }
                if pattern.starts_with("/admin/users") {
                    let (email, username) = (format!("made{round}@example.com"), format!("made_{round}"));
                    for (field, value) in [("email", email.as_str()), ("username", &username), ("role", "guest")] {
                        fields.push((field.into(), value.into()));
                    }
                    fields.push(("is_active".into(), "false".into()));
                    if pattern.ends_with("new") {
                        fields.retain(|(field, _)| field != "version");
                    }
                }
                if pattern.ends_with("bulk") {
                    let (item, _) = fresh_path(server, "/admin/items/{id}", round + 100_000);
                    fields = vec![
                        ("action".into(), "deactivate".into()),
                        ("ids".into(), item.rsplit('/').next().unwrap().into()),
                    ];
                }
                let signed_in = !matches!(who, "anonymous" | "bad");
                if signed_in {
                    let without = visitor.post(&path, &fields).answer.status;
                    if without != 403 {
                        wrong.push(format!(
                            "{} as {who} without the CSRF token: {without} instead of 403",
                            expected.route
                        ));
                    }
                    // Every page of a session carries its token: in the form that signs out, or in that of signing in.
                    let page = visitor.get("/admin/account").page;
                    let token = page.forms().iter().find_map(|f| f.value("_csrf").map(str::to_owned));
                    fields.push(("_csrf".into(), token.expect("a page with a form has the token")));
                }
            }
            let answer = if *writes { visitor.post(&path, &fields).answer } else { visitor.get(&path).answer };
            let to_login = answer.status == 303 && answer.must("location").starts_with("/admin/login");
            let known = !matches!(who, "anonymous" | "bad");
            let logout = pattern.ends_with("logout");
            // A stranger who writes may also be refused for the missing token, but nothing else.
            let fine = answer.status == status
                && (known && !to_login || !known && (to_login || status != 303) || logout)
                || *writes && !known && answer.status == 403;
            if !fine {
                wrong.push(format!(
                    "{} as {who}: {} {:?} instead of {status}",
                    expected.route,
                    answer.status,
                    answer.header("location")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn open_routes_are_open(server: &Server) {
    for (route, status) in OPEN {
        let (method, path) = route.split_once(' ').unwrap();
        let answer = server
            .call(method, &path.replace("{version}", "1").replace("{file}", "nowhere.css"))
            .header("accept", "text/html")
            .send();
        assert_eq!(answer.status, *status, "{route}: {}", answer.text());
        assert!(answer.header("www-authenticate").is_none(), "{route}");
    }
}

#[test]
fn without_public_read_nothing_is_read_anonymously() {
    let server = Place::furnished(Kind::Sqlite).with("PUBLIC_READ", "false").serve();
    let category = new_category(&server, "Tools");
    let item = new_item(&server, category, "Hammer", json!({}));
    for path in [
        "/api/v1/items",
        &item.path(),
        "/api/v1/categories",
        &format!("/api/v1/categories/{category}"),
        "/api/v1/items/999",
    ] {
        server.get(path).send().problem(401);
    }
    server.as_who(Who::Guest).get(&item.path()).send().expect(200);
    server.get("/health").send().expect(200);
}
