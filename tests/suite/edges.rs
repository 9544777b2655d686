//! What no well-behaved client sends: heads that cannot be read, bodies that never come, hosts that are not ours.
//! Nothing may hang, crash, or be taken for a request that it is not, and every refusal is a whole problem.

use crate::support::{Answer, Kind, Place, Server, Visitor, Who, data::new_category, on_both, wire, wire::Wire};
use serde_json::json;
use std::time::{Duration, Instant};

fn place() -> Place {
    Place::furnished(Kind::Sqlite)
}

/// A refusal that is as whole as any of ours.
#[track_caller]
fn whole(what: &str, answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    for name in ["content-security-policy", "x-content-type-options", "referrer-policy", "permissions-policy", "date"] {
        assert!(answer.header(name).is_some(), "{what}: {name} is missing: {:?}", answer.headers);
    }
    assert_eq!(answer.must("cache-control"), "no-store", "{what}");
    answer.clone().problem(status);
}

const NEXT: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// The whole of what is sent, and the statuses of all the answers, the last of which ends the connection.
fn cases() -> Vec<(&'static str, Vec<u8>, Vec<u16>)> {
    let mut cases: Vec<(&str, Vec<u8>, Vec<u16>)> = Vec::new();
    let mut add =
        |what, bytes: &str, statuses: &[u16]| cases.push((what, bytes.as_bytes().to_vec(), statuses.to_vec()));
    let get = |lines: &str| format!("GET /api/v1/items HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n");
    let post = |lines: &str, rest: &str| {
        format!("POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{lines}\r\n{rest}")
    };

    add("as it should be", &get(""), &[200]);
    // The request line.
    add("garbage", "\x01\x02\x03\r\n\r\n", &[400]);
    add("a TLS hello", "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03\r\n\r\n", &[400]);
    add("no version", "GET /api/v1/items\r\nHost: x\r\n\r\n", &[400]);
    add("HTTP/2.0", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", &[400]);
    add("HTTP/9", "GET / HTTP/9\r\nHost: x\r\n\r\n", &[400]);
    add("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[400]);
    add("a space in the target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", &[400]);
    add("a NUL in the target", "GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n", &[400]);
    add("a control character in the target", "GET /a\x1b[31mb HTTP/1.1\r\nHost: x\r\n\r\n", &[400]);
    add("an empty method", " / HTTP/1.1\r\nHost: x\r\n\r\n", &[400]);
    add("a method with a slash", "GE/T / HTTP/1.1\r\nHost: x\r\n\r\n", &[400]);
    add(
        "a target of 9 KB",
        &format!("GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "a".repeat(9_000)),
        &[414],
    );
    add("a target of 70 KB", &format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(70_000)), &[414]);
    add("a target of 300 KB", &format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(300_000)), &[414]);
    add("a query of 70 KB", &format!("GET /api/v1/items?q={} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(70_000)), &[414]);
    add("a line without an end", &"a".repeat(20_000), &[414]);
    // The other forms of a target.
    add("absolute form", "GET http://x/api/v1/items HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &[200]);
    add("OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &[404]);
    add("CONNECT", &format!("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n{NEXT}"), &[404]);
    add("TRACE", "TRACE /api/v1/items HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &[405]);
    add("a method that nobody knows", "BREW /api/v1/items HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &[405]);
    // The headers.
    add("no Host", "GET /api/v1/items HTTP/1.1\r\n\r\n", &[400]);
    add("two Hosts", "GET /api/v1/items HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", &[400]);
    add("an empty Host", "GET /api/v1/items HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", &[400]);
    add("a Host with a path", "GET /api/v1/items HTTP/1.1\r\nHost: x/y\r\nConnection: close\r\n\r\n", &[400]);
    add("a Host with a user", "GET /api/v1/items HTTP/1.1\r\nHost: a@x\r\nConnection: close\r\n\r\n", &[400]);
    add("a Host with a space", "GET /api/v1/items HTTP/1.1\r\nHost: x y\r\nConnection: close\r\n\r\n", &[400]);
    add("a Host of bytes", "GET /api/v1/items HTTP/1.1\r\nHost: \u{e9}\r\nConnection: close\r\n\r\n", &[400]);
    add("a line without a colon", &get("Nonsense\r\n"), &[400]);
    add("a space before the colon", &get("X-A : b\r\n"), &[400]);
    add("a line that is folded", &get("X-A: b\r\n c\r\n"), &[400]);
    add("the first line folded", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", &[400]);
    add("a NUL in a value", &get("X-A: a\0b\r\n"), &[400]);
    add("a NUL in a name", &get("X\0A: b\r\n"), &[400]);
    add("a bare CR in a value", &get("X-A: a\rb\r\n"), &[400]);
    add("a name with a space", &get("X A: b\r\n"), &[400]);
    add("an empty name", &get(": b\r\n"), &[400]);
    add("a value of 20 KB", &get(&format!("X-A: {}\r\n", "a".repeat(20_000))), &[200]);
    add("a value of 200 KB", &get(&format!("X-A: {}\r\n", "a".repeat(200_000))), &[431]);
    add("100 headers", &get(&"X-A: b\r\n".repeat(100)), &[431]);
    add("20 000 headers", &get(&"X-A: b\r\n".repeat(20_000)), &[431]);
    // How long a body is.
    for (what, lines) in [
        ("two lengths", "Content-Length: 2\r\nContent-Length: 2\r\n"),
        ("two lengths that differ", "Content-Length: 2\r\nContent-Length: 40\r\n"),
        ("a list of lengths", "Content-Length: 2, 2\r\n"),
        ("a negative length", "Content-Length: -1\r\n"),
        ("a length with a plus", "Content-Length: +2\r\n"),
        ("a hexadecimal length", "Content-Length: 0x2\r\n"),
        ("a length that is no number", "Content-Length: two\r\n"),
        ("an empty length", "Content-Length:\r\n"),
        ("a length beyond 64 bits", "Content-Length: 18446744073709551618\r\n"),
        ("a length and chunks", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"),
        ("chunks and a length", "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n"),
        ("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        ("chunked and identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
        ("a list that ends in identity", "Transfer-Encoding: chunked, identity\r\n"),
        ("gzip before chunked", "Transfer-Encoding: gzip, chunked\r\n"),
        ("identity", "Transfer-Encoding: identity\r\n"),
        ("an encoding that nobody knows", "Transfer-Encoding: xchunked\r\n"),
        ("chunked with a tab before it", "Transfer-Encoding:\x0bchunked\r\n"),
        ("a space before the colon of the length", "Content-Length : 2\r\n"),
    ] {
        cases_push(&mut add, what, &post(lines, &format!("0\r\n\r\n{NEXT}")));
    }
    // A body that breaks off or is refused is never the next request.
    add(
        "a refused type",
        &post("Content-Length: 400\r\n", &format!("{}{NEXT}", " ".repeat(10)))
            .replace("application/json", "text/plain"),
        &[415],
    );
    add("too large, announced", &post("Content-Length: 99999999\r\n", NEXT), &[413]);
    add(
        "too large, in chunks",
        &post("Transfer-Encoding: chunked\r\n", &format!("50000\r\n{}\r\n0\r\n\r\n{NEXT}", " ".repeat(0x50000))),
        &[413],
    );
    add(
        "chunks of a refused type",
        &post("Transfer-Encoding: chunked\r\n", &format!("5\r\nhello\r\n0\r\n\r\n{NEXT}"))
            .replace("application/json", "text/plain"),
        &[415],
    );
    add(
        "a chunk's size that is none",
        &post("Transfer-Encoding: chunked\r\n", &format!("xyz\r\nhello\r\n0\r\n\r\n{NEXT}")),
        &[400],
    );
    add(
        "a chunk that is longer than it says",
        &post("Transfer-Encoding: chunked\r\n", &format!("2\r\n{{}}GET\r\n0\r\n\r\n{NEXT}")),
        &[400],
    );
    add(
        "a chunk's size beyond 64 bits",
        &post("Transfer-Encoding: chunked\r\n", &format!("10000000000000002\r\n{{}}\r\n0\r\n\r\n{NEXT}")),
        &[400],
    );
    add(
        "a path that is not there, with a body",
        &format!("POST /api/v1/nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\n\r\n{NEXT}"),
        &[404],
    );
    add(
        "a path that is not there, with chunks",
        &format!(
            "POST /api/v1/nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n{NEXT}"
        ),
        &[404],
    );
    add(
        "a wrong method, with a body",
        &format!("PUT /api/v1/items HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\n\r\n{NEXT}"),
        &[405],
    );
    add(
        "no credentials, with a body",
        &format!(
            "POST /api/v1/items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n{NEXT}"
        ),
        &[401],
    );
    add(
        "a GET with a body",
        &format!("GET /api/v1/items HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n{NEXT}"),
        &[200],
    );
    add(
        "an unreadable body that is there, then another request",
        &post("Content-Length: 1\r\n", &format!("{{{NEXT}")),
        &[400, 200],
    );
    add(
        "an unreadable body in chunks, then another request",
        &post("Transfer-Encoding: chunked\r\n", &format!("1\r\n{{\r\n0\r\n\r\n{NEXT}")),
        &[400, 200],
    );
    // One after the other.
    let one = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
    add("three at once", &format!("{one}{one}{NEXT}"), &[200, 200, 200]);
    add("three at once, empty lines between", &format!("{one}\r\n{one}\r\n{NEXT}"), &[200, 200, 200]);
    add("one, then garbage", &format!("{one}\x01garbage\r\n\r\n{NEXT}"), &[200, 400]);
    add("two, then no Host", &format!("{one}{one}GET / HTTP/1.1\r\n\r\n{NEXT}"), &[200, 200, 400]);
    add(
        "a HEAD, then garbage",
        &format!("HEAD /health/live HTTP/1.1\r\nHost: x\r\n\r\nGET\r\n\r\n{NEXT}"),
        &[200, 400],
    );
    add("an OPTIONS, then garbage", "OPTIONS /api/v1/items HTTP/1.1\r\nHost: x\r\n\r\nGET\r\n\r\n", &[204, 400]);
    add("a close, then another request", &format!("{NEXT}{NEXT}"), &[200]);
    // An older version.
    add("HTTP/1.0", "GET /api/v1/items HTTP/1.0\r\n\r\n", &[200]);
    add("HTTP/1.0 with Host", "GET /api/v1/items HTTP/1.0\r\nHost: x\r\n\r\n", &[200]);
    add(
        "HTTP/1.0 with chunks",
        "POST /api/v1/auth/login HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
    );
    add("HTTP/1.0 without a length", "POST /api/v1/auth/login HTTP/1.0\r\n\r\n{}", &[400]);
    // Expectations.
    add(
        "a body that is awaited and refused",
        &post("Expect: 100-continue\r\nContent-Length: 99999999\r\n", ""),
        &[413],
    );
    add("an expectation that nobody knows", &get("Expect: the-unexpected\r\n"), &[200]);
    // Upgrades.
    add(
        "a WebSocket where there is none",
        &get(
            "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
        ),
        &[200],
    );
    add(
        "h2c",
        &get("Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
        &[200],
    );
    cases
}

fn cases_push<'a>(add: &mut impl FnMut(&'a str, &str, &[u16]), what: &'a str, bytes: &str) {
    add(what, bytes, &[400]);
}

#[test]
fn whatever_comes_over_the_socket_has_its_answer_and_no_more() {
    let server = place().serve();
    let mut wrong = Vec::new();
    for (what, bytes, statuses) in cases() {
        let answers = wire::talk(server.port, &bytes);
        let seen: Vec<u16> = answers.iter().map(|a| a.status).collect();
        if seen != statuses {
            wrong.push(format!("{what}: {seen:?} instead of {statuses:?}"));
            continue;
        }
        for answer in answers
            .iter()
            .filter(|a| a.status >= 400 && a.header("content-type").is_none_or(|t| !t.starts_with("text/html")))
        {
            if answer.text().is_empty() {
                wrong.push(format!("{what}: a bare {}", answer.status));
            } else {
                whole(what, answer, answer.status);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    server.get("/health").send().expect(200);
}

#[test]
fn what_looks_like_a_bare_refusal_inside_an_answer_stays_there() {
    let server = place().serve();
    let category = new_category(&server, "Anything");
    let fake = "HTTP/1.1 400 Bad Request\ncontent-length: 0\n\n";
    let body = json!({"name": "Fake", "description": fake, "price": 1, "category_id": category});
    server.admin().post("/api/v1/items", &body).send().expect(201);
    let list = "GET /api/v1/items HTTP/1.1\r\nHost: x\r\n\r\n";
    let answers = wire::talk(server.port, format!("{list}{list}GET\r\n\r\n").as_bytes());
    assert_eq!(answers.len(), 3);
    for answer in &answers[..2] {
        assert_eq!(answer.clone().expect(200).rows()[0]["description"], fake.trim());
    }
    whole("behind them", &answers[2], 400);
}

#[test]
fn a_head_that_comes_too_slowly_is_408_in_five_seconds() {
    let server = place().serve();
    // Nothing, half a head, and a byte each half second: for a first request and for a later one.
    let scenes: [(&str, bool, &str, bool); 5] = [
        ("nothing", false, "", false),
        ("half a head", false, "GET /api/v1/items HTTP/1.1\r\nHo", false),
        ("a drip", false, "GET / HTTP/1.1\r\nX-Slow: ", true),
        ("half a later head", true, "GET /api/v1/items HTTP/1.1\r\nHo", false),
        ("a drip in a later head", true, "GET / HTTP/1.1\r\nX-Slow: ", true),
    ];
    std::thread::scope(|scope| {
        for (what, later, head, drips) in scenes {
            let port = server.port;
            scope.spawn(move || {
                let mut wire = Wire::open(port);
                if later {
                    wire.send(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
                    assert_eq!(wire.answers(1)[0].status, 200);
                }
                let began = Instant::now();
                wire.send(head.as_bytes());
                while wire.listen(Duration::from_millis(500)) {
                    assert!(began.elapsed() < Duration::from_secs(20), "{what}: it goes on and on");
                    if drips {
                        wire.send(b"a");
                    }
                }
                assert!(began.elapsed() >= Duration::from_secs(4), "{what}: cut too early");
                let answers = wire.until_closed();
                assert_eq!(answers.len(), 1 + usize::from(later), "{what}");
                whole(what, answers.last().unwrap(), 408);
            });
        }
    });
}

#[test]
fn a_connection_that_is_idle_is_closed_without_a_word() {
    let server = place().serve();
    let mut wire = Wire::open(server.port);
    wire.send(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(wire.until_closed().len(), 1);
}

#[test]
fn a_body_that_comes_too_slowly_is_408_and_one_that_keeps_up_is_read() {
    let server = place().serve();
    let token = server.token(Who::Admin);
    let json_head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        )
    };
    let form_head =
        "POST /api/v1/auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let length = "Content-Length: 9000\r\n\r\n";
    let scenes = [
        ("nothing", json_head("/api/v1/categories") + length, 0),
        ("100 B/s", json_head("/api/v1/categories") + length, 50),
        ("100 B/s for a sign-in", json_head("/api/v1/auth/login") + length, 50),
        ("100 B/s of a form", form_head.to_owned() + length, 50),
    ];
    std::thread::scope(|scope| {
        for (what, head, each) in scenes {
            let port = server.port;
            scope.spawn(move || {
                let mut wire = Wire::open(port);
                wire.send(head.as_bytes());
                let began = Instant::now();
                while wire.listen(Duration::from_millis(500)) {
                    assert!(began.elapsed() < Duration::from_secs(20), "{what}: it goes on and on");
                    wire.send(&b" ".repeat(each));
                }
                assert!(began.elapsed() >= Duration::from_secs(4), "{what}: cut too early");
                let answers = wire.until_closed();
                assert_eq!(answers.len(), 1, "{what}");
                whole(what, &answers[0], 408);
                assert_eq!(answers[0].must("connection"), "close", "{what}");
            });
        }
        // The same in chunks, where the end of the body is not known: the connection ends too, and what comes
        // behind is no request.
        let (port, head) = (server.port, json_head("/api/v1/categories") + "Transfer-Encoding: chunked\r\n\r\n");
        scope.spawn(move || {
            let mut wire = Wire::open(port);
            wire.send(head.as_bytes());
            while wire.listen(Duration::from_millis(500)) {
                wire.send(b"1\r\n \r\n");
            }
            wire.send(format!("0\r\n\r\n{NEXT}").as_bytes());
            let answers = wire.until_closed();
            assert_eq!(answers.len(), 1);
            whole("chunks", &answers[0], 408);
        });
        // A slow line, but not too slow, for longer than the grace.
        let head = json_head("/api/v1/categories");
        scope.spawn(move || {
            let body = format!("{}{}", json!({"name": "Slow but steady"}), " ".repeat(5_000));
            let mut wire = Wire::open(port);
            wire.send(format!("{head}Connection: close\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes());
            for part in body.as_bytes().chunks(350) {
                wire.send(part);
                wire.listen(Duration::from_millis(500));
            }
            assert_eq!(wire.until_closed()[0].status, 201);
        });
    });
}

#[test]
fn once_base_url_is_set_other_hosts_are_421() {
    let ask = |server: &Server, path: &str, lines: &str| {
        let request = format!("GET {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n");
        let answers = wire::talk(server.port, request.as_bytes());
        assert_eq!(answers.len(), 1);
        answers[0].clone()
    };
    let check = |base_url: &str, ours: &[&str], others: &[&str]| {
        let server = place().with("BASE_URL", base_url).serve();
        for host in ours {
            assert_eq!(ask(&server, "/api/v1/items", &format!("Host: {host}\r\n")).status, 200, "{base_url}: {host}");
        }
        for host in others {
            let answer = ask(&server, "/api/v1/items", &format!("Host: {host}\r\n"));
            whole(&format!("{base_url}: {host}"), &answer, 421);
            let page = ask(&server, "/admin/login", &format!("Host: {host}\r\n"));
            assert_eq!(page.status, 421);
            assert!(page.must("content-type").starts_with("text/html") && !page.text().contains(host), "{host}");
            // What asks for health knows addresses, not names.
            for path in ["/health", "/health/live", "/health/ready"] {
                assert_eq!(ask(&server, path, &format!("Host: {host}\r\n")).status, 200, "{path}");
            }
            assert_eq!(ask(&server, "/healthy", &format!("Host: {host}\r\n")).status, 421);
        }
        let ours = ours[0];
        assert_eq!(ask(&server, &format!("http://{ours}/api/v1/items"), &format!("Host: {ours}\r\n")).status, 200);
        let mixed = ask(&server, "http://evil.example/api/v1/items", &format!("Host: {ours}\r\n"));
        whole("another host in the target", &mixed, 421);
        let mixed = ask(&server, &format!("http://{ours}/api/v1/items"), "Host: evil.example\r\n");
        whole("another host beside the target", &mixed, 421);
        let forwarded = format!("Host: {ours}\r\nX-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\n");
        assert_eq!(ask(&server, "/api/v1/items", &forwarded).status, 200);
        let answers = wire::talk(server.port, b"GET /api/v1/items HTTP/1.0\r\n\r\n");
        whole("HTTP/1.0 without a host", &answers[0], 421);
    };
    check(
        "http://shop.example",
        &["shop.example", "shop.example:80", "SHOP.Example"],
        &[
            "evil.example",
            "shop.example:443",
            "shop.example:8080",
            "127.0.0.1",
            "shop.example.evil.example",
            "xshop.example",
            "shop.example.",
        ],
    );
    check("https://shop.example", &["shop.example", "shop.example:443"], &["shop.example:80", "shop.example:8443"]);
    check("https://shop.example:8443", &["shop.example:8443"], &["shop.example", "shop.example:443"]);
    check("http://[::1]:8080", &["[::1]:8080"], &["[::1]", "[::2]:8080"]);
}

on_both! {
    what_only_the_server_sets_is_refused_in_a_users_body_when_it_would_change_something,
    after_signing_in_one_goes_on_to_a_page_of_ours_or_to_the_start,
}

fn what_only_the_server_sets_is_refused_in_a_users_body_when_it_would_change_something(server: &Server) {
    let (admin, user) = (server.admin(), server.user());
    let me = user.get("/api/v1/users/me").send().expect(200);
    let version = me.must("etag").trim_matches(['W', '/', '"']).parse::<i64>().unwrap();
    let me = me.data();
    let differing = [
        json!({"id": 7}),
        json!({"id": "7"}),
        json!({"id": "02"}),
        json!({"id": true}),
        json!({"id": [2]}),
        json!({"version": version + 1}),
        json!({"version": (version + 1).to_string()}),
        json!({"created_at": "2001-01-01T00:00:00Z"}),
        json!({"updated_at": 0}),
        json!({"last_login_at": "2001-01-01T00:00:00Z"}),
    ];
    for body in &differing {
        let field = body.as_object().unwrap().keys().next().unwrap();
        for (who, path) in [(&user, "/api/v1/users/me"), (&user, "/api/v1/users/2"), (&admin, "/api/v1/users/2")] {
            let mut body = body.clone();
            body["full_name"] = json!("Somebody Else");
            let problem = who.patch(path, &body).send().problem(403);
            assert!(problem["detail"].as_str().unwrap().contains(field), "{body}: {problem}");
        }
        let mut new = json!({"email": "new@example.com", "username": "new_one", "password": "Correct1horse"});
        new[field] = body[field].clone();
        admin.post("/api/v1/users", &new).send().problem(403);
        server.post("/api/v1/auth/register").json(&new).send().problem(403);
    }
    // What was read may be sent back.
    let mut same = me.clone();
    same["version"] = json!(version);
    same["full_name"] = json!("Uma the User");
    let after = user.patch("/api/v1/users/me", &same).send().expect(200).data();
    assert_eq!(after["full_name"], "Uma the User");
    user.patch("/api/v1/users/me", &json!({"id": "2", "owner_id": 9, "nonsense": [1]})).send().expect(200);
    // A password has a door of its own.
    for (who, path) in [(&user, "/api/v1/users/me"), (&user, "/api/v1/users/2"), (&admin, "/api/v1/users/2")] {
        for password in [json!("Another1horse"), json!("short"), json!(7), json!([])] {
            let problem = who.patch(path, &json!({"password": password})).send().problem(403);
            assert!(problem["detail"].as_str().unwrap().contains("/auth/password/change"), "{problem}");
        }
    }
    server.login("uma_user", crate::support::server::PASSWORD);
}

fn after_signing_in_one_goes_on_to_a_page_of_ours_or_to_the_start(server: &Server) {
    let good = [
        "/admin",
        "/admin?a=b",
        "/admin/items",
        "/admin/items?q=a..b&sort=-price",
        "/admin/items?q=caf%C3%A9%20%2F%2F%5C",
        "/admin/items/7/edit#price",
    ];
    let long = format!("/admin/items?q={}", "a".repeat(3_000));
    let bad = [
        "//evil.example",
        "//evil.example/admin",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "\\/evil.example",
        "/admin\\evil",
        "/admin/\\evil.example",
        "https://evil.example/admin",
        "https:evil.example",
        "https:/evil.example",
        "HTTPS://evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "/%2f%2fevil.example",
        "/%5cevil.example",
        "%2f%2fevil.example",
        "/admin/../evil",
        "/admin/../../evil",
        "/admin/..",
        "/admin/%2e%2e/evil",
        "/admin/%2E./evil",
        "/admin/..%2fevil",
        "/admin//evil.example",
        "/admin/%2f/evil.example",
        "/admin/%5C..",
        "/admin@evil.example",
        "/admin.evil.example",
        "/administrator",
        "/ADMIN/items",
        "@evil.example",
        "evil.example",
        "evil.example/admin/",
        "/",
        "/api/v1/items",
        "/health",
        "/static/app.css",
        " //evil.example",
        " /admin/items",
        "/admin/ items",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        "/admin/\r\nSet-Cookie: a=b",
        "/admin/\r\n\r\n<script>",
        "/admin/\u{7f}",
        "/admin/\u{85}x",
        "/admin/\u{2028}x",
        "/admin/\u{e9}",
        "/admin/\u{ff0f}\u{ff0f}evil.example",
        long.as_str(),
        "?next=/admin",
        "#",
        "",
    ];
    let inside = Visitor::signed_in(server, Who::Admin);
    let query = |next: &str| url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    for (nexts, ours) in [(&good[..], true), (&bad[..], false)] {
        for next in nexts {
            let wanted = |fallback: &str| if ours { (*next).to_owned() } else { fallback.to_owned() };
            let path = format!("/admin/login?{}", query(next));
            assert_eq!(inside.get(&path).leads_to(), wanted("/admin"), "signed in already: {next:?}");
            // The form, as a browser would fill it in and as somebody would forge it.
            let stranger = Visitor::stranger(server);
            let mut form = stranger.get(&path).expect(200).page.form("/admin/login");
            form.set("username", "ada_admin").set("password", crate::support::server::PASSWORD);
            form.fields.retain(|(name, _)| name != "next");
            form.fields.push(("next".to_owned(), (*next).to_owned()));
            let shown = stranger.submit(&form);
            assert_eq!(shown.leads_to(), wanted("/admin/items"), "signing in: {next:?}");
        }
    }
}
