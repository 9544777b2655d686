//! HTTP as it is meant: headers, ids, encodings, methods, who may be called from where.

use crate::support::{
    Answer, Kind, Place, Server, Visitor, Who,
    data::{new_category, new_item},
    on_both,
};
use serde_json::json;
use std::io::Read;

on_both! {
    security_headers_are_on_every_answer,
    the_start_answers_head_options_and_405,
    a_sane_request_id_is_kept_and_an_insane_one_replaced,
    every_answer_says_how_long_it_took,
    big_answers_are_compressed_as_asked_and_small_ones_are_not,
    head_answers_as_get_without_a_body,
    options_says_what_is_allowed,
    health_answers_say_what_is_so,
    a_cookie_never_opens_the_api_and_a_token_never_the_admin_site,
    what_a_credential_saw_is_not_stored_by_caches,
}

#[track_caller]
fn the_start_answers_head_options_and_405(server: &Server) {
    server.call("HEAD", "/").send().expect(303);
    let options = server.call("OPTIONS", "/").send().expect(204);
    assert_eq!(options.must("allow"), "GET, HEAD, OPTIONS");
    assert_eq!(server.call("POST", "/").send().expect(405).must("allow"), "GET, HEAD, OPTIONS");
}

fn is_secured(answer: &Answer) {
    let csp = answer.must("content-security-policy");
    assert!(csp.contains("default-src 'none'") && csp.contains("frame-ancestors 'none'"), "{csp}");
    assert!(!csp.contains("unsafe-inline") && !csp.contains("unsafe-eval"), "{csp}");
    assert_eq!(answer.must("x-content-type-options"), "nosniff");
    assert!(!answer.must("referrer-policy").is_empty());
    assert!(!answer.must("permissions-policy").is_empty());
    assert_eq!(answer.must("cross-origin-opener-policy"), "same-origin");
    assert_eq!(answer.must("cross-origin-resource-policy"), "same-origin");
    assert!(answer.header("strict-transport-security").is_none(), "HSTS only under TLS");
    assert!(answer.header("server").is_none_or(|s| !s.contains('/')), "no versions");
}

fn security_headers_are_on_every_answer(server: &Server) {
    let visitor = Visitor::signed_in(server, Who::Admin);
    let answers = [
        server.get("/").send(),
        server.get("/health").send(),
        server.get("/nowhere").send(),
        server.get("/api/v1/items").send(),
        server.get("/api/v1/items/1").send(),
        server.get("/api/v1/users/me").send(),
        server.call("PUT", "/api/v1/items").send(),
        server.call("OPTIONS", "/api/v1/items").send(),
        server.call("HEAD", "/api/v1/items").send(),
        server.admin().call("POST", "/api/v1/items").body("application/json", "{").send(),
        server.get("/admin").send(),
        server.get("/admin/login").send(),
        server.post("/admin/login").send(),
        visitor.get("/admin/items").answer,
        server.get("/static/nowhere").send(),
    ];
    for answer in answers {
        is_secured(&answer);
    }
    let page = visitor.get("/admin/items");
    assert!(!page.page.source.contains("style=\""), "an inline style would be blocked");
    for (_, script) in page.page.elements("script") {
        assert!(script.contains_key("src"), "an inline script would be blocked: {script:?}");
    }
    for attributes in page.page.elements("*").map(|(_, a)| a) {
        for (name, value) in attributes {
            assert!(!name.starts_with("on"), "an inline handler would be blocked: {name}={value}");
            let outside = (name == "src" || name == "href") && (value.starts_with("http") || value.starts_with("//"));
            assert!(!outside || value.starts_with(&server.url), "no request to any other host: {value}");
        }
    }
}

fn a_sane_request_id_is_kept_and_an_insane_one_replaced(server: &Server) {
    for sane in ["abc-123", "7c9e6679-7425-40de-944b-e07fc1f90ae7", "A_b.9"] {
        let answer = server.get("/api/v1/items/1").header("x-request-id", sane).send();
        assert_eq!(answer.must("x-request-id"), sane);
        assert_eq!(answer.json()["request_id"], sane);
    }
    let long = "x".repeat(500);
    for insane in ["", "two words", "a\"b", "<script>", "ünï", &long] {
        let made = server.get("/health").header("x-request-id", insane).send().must("x-request-id");
        assert_ne!(made, insane);
        assert!((8..=64).contains(&made.len()), "{made}");
    }
    let ids: std::collections::BTreeSet<_> =
        (0..20).map(|_| server.get("/health/live").send().must("x-request-id")).collect();
    assert_eq!(ids.len(), 20, "each request has its own");
    let raw = server.raw(
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\r\nX-Request-ID: b\r\nConnection: close\r\n\r\n",
    );
    let given: Vec<_> = raw.lines().filter(|l| l.to_lowercase().starts_with("x-request-id")).collect();
    assert_eq!(given.len(), 1, "{raw}");
}

fn every_answer_says_how_long_it_took(server: &Server) {
    for path in ["/health/live", "/api/v1/items", "/api/v1/items/1", "/nowhere", "/admin/login"] {
        let took = server.get(path).send().must("x-process-time");
        let number: f64 =
            took.trim_end_matches("ms").trim_end_matches('s').parse().unwrap_or_else(|_| panic!("{took}"));
        assert!((0.0..60_000.0).contains(&number), "{took}");
    }
}

fn big_answers_are_compressed_as_asked_and_small_ones_are_not(server: &Server) {
    let category = new_category(server, "Tools");
    for n in 0..30 {
        new_item(server, category, &format!("Hammer number {n}"), json!({"description": "A hammer. ".repeat(20)}));
    }
    let list = "/api/v1/items?page_size=30";
    let plain = server.get(list).send().expect(200);
    assert!(plain.header("content-encoding").is_none());
    assert!(plain.body.len() > 4_000);
    for encoding in ["gzip", "br", "zstd"] {
        let answer = server.get(list).header("accept-encoding", encoding).send().expect(200);
        assert_eq!(answer.must("content-encoding"), encoding);
        assert!(answer.must("vary").to_lowercase().contains("accept-encoding"));
        assert!(answer.body.len() < plain.body.len() / 2, "{encoding}: {}", answer.body.len());
        let mut text = Vec::new();
        match encoding {
            "gzip" => flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut text).unwrap(),
            "br" => brotli::Decompressor::new(&answer.body[..], 4096).read_to_end(&mut text).unwrap(),
            _ => zstd::stream::read::Decoder::new(&answer.body[..]).unwrap().read_to_end(&mut text).unwrap(),
        };
        assert_eq!(text, plain.body, "{encoding}");
    }
    let refused = server.get(list).header("accept-encoding", "gzip;q=0, br;q=0, zstd;q=0").send().expect(200);
    assert!(refused.header("content-encoding").is_none());
    let small = server.get("/health/live").header("accept-encoding", "gzip, br, zstd").send().expect(200);
    assert!(small.header("content-encoding").is_none());
}

fn head_answers_as_get_without_a_body(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    for path in [
        item.path().as_str(),
        "/api/v1/items",
        "/api/v1/categories",
        "/health",
        "/health/live",
        "/health/ready",
        "/admin/login",
    ] {
        let (get, head) = (server.get(path).send().expect(200), server.call("HEAD", path).send().expect(200));
        assert!(head.body.is_empty(), "{path}");
        assert_eq!(get.header("content-type"), head.header("content-type"), "{path}");
        assert_eq!(get.header("etag"), head.header("etag"), "{path}");
        if let Some(length) = head.header("content-length") {
            // The login page carries a token of its own each time, of one length.
            assert_eq!(length, get.body.len().to_string(), "{path}");
        }
    }
    let missing = server.call("HEAD", "/api/v1/items/999").send().expect(404);
    assert!(missing.body.is_empty());
}

fn options_says_what_is_allowed(server: &Server) {
    let answer = server.call("OPTIONS", "/api/v1/items").send();
    assert!(answer.status == 204 || answer.status == 200, "{}", answer.status);
    let allow = answer.must("allow");
    for method in ["GET", "HEAD", "OPTIONS", "POST"] {
        assert!(allow.split(',').any(|m| m.trim() == method), "{allow}");
    }
    let allow = server.call("OPTIONS", "/api/v1/items/1").send().must("allow");
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        assert!(allow.split(',').any(|m| m.trim() == method), "{allow}");
    }
    server.call("OPTIONS", "/api/v1/nowhere").send().problem(404);
}

fn health_answers_say_what_is_so(server: &Server) {
    let health = server.get("/health").send().expect(200).json();
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"), "{health}");
    assert!(health["status"].is_string() && !health["database"].is_null(), "{health}");
    server.get("/health/live").send().expect(200);
    server.get("/health/ready").send().expect(200);
    let answer = server.get("/health").send();
    assert!(answer.must("cache-control").contains("no-store"));
}

fn a_cookie_never_opens_the_api_and_a_token_never_the_admin_site(server: &Server) {
    let visitor = Visitor::signed_in(server, Who::Admin);
    visitor.get("/admin/items").expect(200);
    server.get("/api/v1/users/me").header("cookie", visitor.cookie_header()).send().problem(401);
    let by_cookie =
        server.post("/api/v1/categories").header("cookie", visitor.cookie_header()).json(&json!({"name": "x"})).send();
    by_cookie.problem(401);
    let by_token = server.admin().get("/admin/items").send().expect(303);
    assert!(by_token.must("location").starts_with("/admin/login"));
    let token = server.token(Who::Admin);
    for path in [format!("/api/v1/users/me?access_token={token}"), format!("/api/v1/users/me?token={token}")] {
        let answer = server.get(&path).send();
        assert!(answer.status == 401 || answer.status == 400, "no credential is read from a URL: {}", answer.status);
    }
    assert_eq!(server.db().count("categories"), 0);
}

fn what_a_credential_saw_is_not_stored_by_caches(server: &Server) {
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({}));
    for path in [item.path().as_str(), "/api/v1/items", "/api/v1/users/me", "/api/v1/categories"] {
        assert!(server.user().get(path).send().expect(200).must("cache-control").contains("no-store"), "{path}");
    }
    for path in [item.path().as_str(), "/api/v1/items", "/api/v1/categories"] {
        let answer = server.get(path).send().expect(200);
        let policy = answer.must("cache-control");
        assert!(policy.contains("public") && policy.contains("max-age"), "{path}: {policy}");
        assert!(answer.must("vary").to_lowercase().contains("authorization"), "{path}");
    }
    let login =
        server.post("/api/v1/auth/login").json(&json!({"username": "uma_user", "password": "Correct1horse"})).send();
    assert!(login.expect(200).must("cache-control").contains("no-store"));
    let visitor = Visitor::signed_in(server, Who::Admin);
    assert!(visitor.get("/admin/items").answer.must("cache-control").contains("no-store"));
}

#[test]
fn other_origins_are_refused_by_default_and_let_in_by_name() {
    let closed = Place::furnished(Kind::Sqlite).serve();
    let answer = closed.get("/api/v1/items").header("origin", "https://shop.example").send();
    assert!(answer.header("access-control-allow-origin").is_none());
    let open =
        Place::furnished(Kind::Sqlite).with("CORS_ORIGINS", "https://shop.example, https://other.example").serve();
    let answer = open.get("/api/v1/items").header("origin", "https://shop.example").send().expect(200);
    assert_eq!(answer.must("access-control-allow-origin"), "https://shop.example");
    assert!(answer.must("vary").to_lowercase().contains("origin"));
    assert!(answer.header("access-control-allow-credentials").is_none_or(|v| v != "true"), "cookies never count here");
    let foreign = open.get("/api/v1/items").header("origin", "https://evil.example").send();
    assert!(foreign.header("access-control-allow-origin").is_none());
    let preflight = |origin: &str| {
        open.call("OPTIONS", "/api/v1/items")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,if-match")
            .send()
    };
    let asked = preflight("https://other.example");
    assert!(asked.status == 200 || asked.status == 204, "{}", asked.status);
    assert_eq!(asked.must("access-control-allow-origin"), "https://other.example");
    assert!(asked.must("access-control-allow-methods").contains("POST"));
    let headers = asked.must("access-control-allow-headers").to_lowercase();
    assert!(headers.contains("authorization") && headers.contains("if-match"), "{headers}");
    assert!(preflight("https://evil.example").header("access-control-allow-origin").is_none());
    let page = open.get("/admin/login").header("origin", "https://shop.example").send();
    assert!(page.header("access-control-allow-origin").is_none(), "the pages are for nobody else");
    let error = open.get("/api/v1/items/999").header("origin", "https://shop.example").send().expect(404);
    assert_eq!(
        error.must("access-control-allow-origin"),
        "https://shop.example",
        "a script must be able to read the error"
    );
    let exposed = answer.must("access-control-expose-headers").to_lowercase();
    assert!(exposed.contains("etag") && exposed.contains("x-request-id"), "{exposed}");
}

#[test]
fn the_address_may_have_8_kib_and_no_more() {
    let server = Place::furnished(Kind::Sqlite).serve();
    let fits = format!("/api/v1/items?q={}", "x".repeat(7_000));
    assert_ne!(server.get(&fits).send().status, 414);
    let long = format!("/api/v1/items?q={}", "x".repeat(9_000));
    server.get(&long).send().problem(414);
}

#[test]
fn under_https_cookies_are_secure_and_hsts_is_sent() {
    let server = Place::furnished(Kind::Sqlite).with("BASE_URL", "https://shop.example").serve();
    let answer = server.get("/admin/login").header("host", "shop.example").send().expect(200);
    assert!(answer.must("strict-transport-security").contains("max-age="));
    let visitor = Visitor::stranger(&server);
    let first = visitor.get("/admin/login").expect(200);
    let shown = visitor.sign_in("ada_admin", crate::support::server::PASSWORD);
    shown.leads_to();
    let set =
        [&first, &shown].map(|s| s.answer.headers.get_all("set-cookie").iter().cloned().collect::<Vec<_>>()).concat();
    let cookies: Vec<&str> = set.iter().map(|c| c.to_str().unwrap()).collect();
    for cookie in &cookies {
        let lower = cookie.to_lowercase();
        assert!(
            lower.contains("; secure") && lower.contains("; httponly") && lower.contains("samesite=lax"),
            "{cookie}"
        );
        assert!(!lower.contains("domain="), "{cookie}");
    }
    let session = cookies.iter().find(|c| c.starts_with("__Host-stockroom_session=")).expect("the session's cookie");
    assert!(session.to_lowercase().contains("path=/;") || session.to_lowercase().ends_with("path=/"), "{session}");
}

#[test]
fn static_files_are_served_typed_and_cached_and_never_leave_their_folder() {
    let server = Place::furnished(Kind::Sqlite).serve();
    let login = Visitor::stranger(&server).get("/admin/login").expect(200);
    let mut found: Vec<String> = login.page.elements("link").filter_map(|(_, a)| a.get("href").cloned()).collect();
    found.extend(login.page.elements("script").filter_map(|(_, a)| a.get("src").cloned()));
    let found: Vec<_> = found.into_iter().filter(|f| f.starts_with("/static/")).collect();
    assert!(found.iter().any(|f| f.contains(".css")), "{found:?}");
    for file in &found {
        let answer = server.get(file).send().expect(200);
        assert!(!answer.body.is_empty());
        let kind = answer.must("content-type");
        let right = if file.contains(".css") {
            "text/css"
        } else if file.contains(".js") {
            "javascript"
        } else {
            "image/"
        };
        assert!(kind.contains(right), "{file}: {kind}");
        assert!(answer.header("set-cookie").is_none(), "{file}");
    }
    for path in [
        "/static/../Cargo.toml",
        "/static/..%2fCargo.toml",
        "/static/%2e%2e/Cargo.toml",
        "/static/../../../../etc/passwd",
        "/static//etc/passwd",
    ] {
        let raw = server.raw(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes());
        let status = raw.split(' ').nth(1).unwrap_or_default().to_owned();
        assert!(status.starts_with('4'), "{path}: {raw}");
        assert!(!raw.contains("[package]") && !raw.contains("root:"), "{path}: {raw}");
    }
}
