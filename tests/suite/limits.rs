//! Limits: requests by caller, failed sign-ins by account and by address, where a request comes from. Whatever
//! counts is told twice, once for the memory of one server and once for a Redis.

use crate::support::{
    Answer, Kind, Place, Server, Visitor, Who, on_both,
    proxy::{Proxy, Wire},
    redis,
    server::PASSWORD,
    wait_for,
};
use insta::{allow_duplicates, assert_snapshot};
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};
use stockroom::limits::{
    Key,
    failures::{Failures, State},
};

/// Makes `name::memory` and `name::redis` of each `fn name(place: Place)`.
macro_rules! wherever_it_is_counted {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            #[test]
            fn memory() {
                super::$name(super::place());
            }
            #[test]
            #[ignore = "needs Redis: tests/run"]
            fn redis() {
                super::$name(super::place().with("REDIS_URL", crate::support::redis::server_url()));
            }
        }
    )+ };
}

wherever_it_is_counted! {
    an_address_has_its_quota_and_the_headers_count_down,
    a_user_has_ten_times_as_much_and_nobody_elses,
    bad_credentials_count_against_the_address,
    only_trusted_proxies_say_where_a_request_comes_from,
    an_ipv6_network_is_one_client_and_a_mapped_ipv4_is_itself,
    an_admin_makes_5_users_a_minute,
    an_address_registers_10_users_a_minute,
    a_forgotten_password_is_mailed_5_times_in_15_minutes,
    pages_are_limited_and_say_so_as_a_page,
    after_5_failures_each_further_one_makes_the_account_wait_longer,
    a_name_and_an_email_of_one_account_are_one,
    a_name_that_nobody_has_waits_like_any_other,
    of_20_wrong_passwords_at_once_few_are_listened_to,
    right_passwords_at_once_are_all_let_in,
    an_address_fails_30_times_whatever_the_names,
    the_sign_in_page_makes_one_wait_too,
}

on_both! {
    failures_at_one_door_count_at_the_other,
    whoever_changes_a_password_guesses_no_more_often,
    the_changeset_keeps_the_clients_address,
}

fn place() -> Place {
    Place::furnished(Kind::Sqlite).with("SECRET_KEY", redis::own_secret())
}

/// A server that counts: so many a minute, and believes 127.0.0.1.
fn serve(place: Place, per_minute: u32) -> Server {
    place.with("RATE_LIMIT_PER_MINUTE", per_minute.to_string()).with("TRUSTED_PROXIES", "127.0.0.1").serve()
}

/// A request that came through the trusted proxy.
fn from(server: &Server, forwarded_for: &str) -> Answer {
    server.get("/api/v1/items").header("x-forwarded-for", forwarded_for).send()
}

/// A sign-in, each from an address of its own (which only a server that believes 127.0.0.1 sees).
fn attempt(server: &Server, name: &str, password: &str) -> Answer {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let [a, b] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    attempt_from(server, &format!("198.18.{a}.{b}"), name, password)
}

fn attempt_from(server: &Server, address: &str, name: &str, password: &str) -> Answer {
    let body = json!({"username": name, "password": password});
    server.post("/api/v1/auth/login").header("x-forwarded-for", address).json(&body).send()
}

/// Fails `times` times, and is listened to each time.
fn fail(server: &Server, name: &str, times: usize) {
    for _ in 0..times {
        attempt(server, name, "Wrong1horse").problem(401);
    }
}

fn retry_after(answer: &Answer) -> u64 {
    answer.must("retry-after").parse().unwrap()
}

fn an_address_has_its_quota_and_the_headers_count_down(place: Place) {
    let server = serve(place, 3);
    // How much is missing decides, not how fast this test is.
    for (remaining, reset) in [(2, 20), (1, 40), (0, 20)] {
        let answer = from(&server, "192.0.2.1").expect(200);
        assert_eq!(answer.must("ratelimit-policy"), "\"default\";q=3;w=60");
        assert_eq!(answer.must("ratelimit"), format!("\"default\";r={remaining};t={reset}"));
        assert!(answer.header("retry-after").is_none());
    }
    let refused = from(&server, "192.0.2.1");
    assert_eq!(refused.must("ratelimit-policy"), "\"default\";q=3;w=60");
    let wait = retry_after(&refused);
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(refused.must("ratelimit"), format!("\"default\";r=0;t={wait}"));
    assert_eq!(refused.must("cache-control"), "no-store");
    let problem = refused.problem(429);
    let mut shown = problem.clone();
    for member in ["detail", "message", "request_id"] {
        shown[member] = format!("[{member}]").into();
    }
    allow_duplicates! {
        assert_snapshot!(serde_json::to_string_pretty(&shown).unwrap(), @r#"
    {
      "type": "urn:stockroom:problem:too_many_requests",
      "title": "Too Many Requests",
      "status": 429,
      "detail": "[detail]",
      "success": false,
      "message": "[message]",
      "error_type": "too_many_requests",
      "request_id": "[request_id]"
    }
    "#);
    }
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("3 a minute") && detail.contains(&format!("in {wait} second")), "{detail}");
    // Every path of the API counts, also one that is not there; nobody else is meant.
    server.get("/api/v1/nothing").header("x-forwarded-for", "192.0.2.1").send().problem(429);
    from(&server, "192.0.2.2").expect(200);
    for path in ["/health", "/health/live", "/health/ready", "/static/app.css"] {
        let answer = server.get(path).header("x-forwarded-for", "192.0.2.1").send();
        assert!(answer.status != 429 && answer.header("ratelimit").is_none(), "{path} is never limited");
    }
}

fn a_user_has_ten_times_as_much_and_nobody_elses(place: Place) {
    let server = serve(place, 2);
    let token = server.token(Who::User);
    for left in (0..20).rev() {
        let answer = server.get("/api/v1/users/me").bearer(&token).send().expect(200);
        assert_eq!(answer.must("ratelimit-policy"), "\"default\";q=20;w=60");
        let said = answer.must("ratelimit");
        if left == 19 {
            assert_eq!(said, "\"default\";r=19;t=3");
        }
    }
    // It fills again by one in three seconds.
    let refused = (0..20).map(|_| server.get("/api/v1/users/me").bearer(&token).send()).find(|a| a.status == 429);
    assert!((1..=3).contains(&retry_after(&refused.expect("an end of the quota"))));
    // The sign-in counted against the address, what the user did did not; another user has their own.
    server.get("/api/v1/items").send().expect(200);
    server.get("/api/v1/items").send().problem(429);
    let other =
        attempt(&server, "otto_other", PASSWORD).expect(200).json()["access_token"].as_str().unwrap().to_owned();
    let answer = server.get("/api/v1/users/me").bearer(&other).send().expect(200);
    assert_eq!(answer.must("ratelimit"), "\"default\";r=19;t=3");
}

fn bad_credentials_count_against_the_address(place: Place) {
    let server = serve(place, 2);
    for left in [1, 0] {
        let answer = server.get("/api/v1/items").bearer("nobody.signed.this").send();
        assert!(answer.must("ratelimit").starts_with(&format!("\"default\";r={left};")));
        answer.problem(401);
    }
    server.get("/api/v1/items").bearer("nobody.signed.this").send().problem(429);
    server.get("/api/v1/items").send().problem(429);
}

fn only_trusted_proxies_say_where_a_request_comes_from(place: Place) {
    let place = place.with("RATE_LIMIT_PER_MINUTE", "1");
    let server = place.with("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,2001:db8:ffff::/48").serve();
    // Each of these lines names one client in another way; the second request of that client is refused.
    let again = |first: &[&str], second: &[&str], status: u16| {
        let send = |lines: &[&str]| {
            let lines: String = lines.iter().map(|line| format!("X-Forwarded-For: {line}\r\n")).collect();
            let head = format!("GET /api/v1/items HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n");
            let answer = server.raw(head.as_bytes());
            answer.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
        };
        assert_eq!((send(first), send(second)), (200, status), "{first:?}, then {second:?}");
    };
    again(&["203.0.113.1"], &["203.0.113.1"], 429);
    again(&["203.0.113.2"], &["203.0.113.3"], 200);
    again(&["203.0.113.4"], &["203.0.113.4:4711"], 429);
    // What stands left of the client was written by the client.
    again(&["203.0.113.5"], &["198.51.100.1, 203.0.113.5"], 429);
    again(&["203.0.113.6"], &["198.51.100.1,198.51.100.2 , 203.0.113.6"], 429);
    // Trusted proxies behind one another, on one line or on several.
    again(&["203.0.113.7"], &["198.51.100.3, 203.0.113.7, 10.1.2.3"], 429);
    again(&["203.0.113.8"], &["198.51.100.3", "203.0.113.8", "10.1.2.3, 2001:db8:ffff::7"], 429);
    again(&["203.0.113.9, 10.9.9.9:81"], &["203.0.113.9"], 429);
    // Nobody but trusted ones: the farthest of them.
    again(&["10.3.0.1"], &["10.3.0.1, 10.3.0.2"], 429);
    // What is no address ends the belief; the client is whoever handed it on.
    again(&["garbage, 10.4.0.1"], &["198.51.100.9, unknown, 10.4.0.1"], 429);
    again(&["203.0.113.11, , 10.4.0.2"], &["10.4.0.2"], 429);
    again(&[""], &["not an address"], 429);
    again(&["2001:db8:1::1"], &["[2001:db8:1::1]:443"], 429);
    again(&["2001:db8:2::1"], &["[2001:db8:2::1]"], 429);
    drop(server);
    // The other end of the socket is no proxy that is trusted.
    let server = self::place().with("RATE_LIMIT_PER_MINUTE", "1").with("TRUSTED_PROXIES", "10.0.0.0/8").serve();
    from(&server, "203.0.113.1").expect(200);
    from(&server, "203.0.113.2").problem(429);
    drop(server);
    let server = self::place().with("RATE_LIMIT_PER_MINUTE", "1").serve();
    from(&server, "203.0.113.1").expect(200);
    from(&server, "203.0.113.2").problem(429);
}

fn an_ipv6_network_is_one_client_and_a_mapped_ipv4_is_itself(place: Place) {
    let server = serve(place, 1);
    from(&server, "2001:db8:5:6:1:2:3:4").expect(200);
    from(&server, "2001:db8:5:6:ffff:eeee:dddd:cccc").problem(429);
    from(&server, "2001:db8:5:7::1").expect(200);
    from(&server, "192.0.2.1").expect(200);
    from(&server, "::ffff:192.0.2.1").problem(429);
    from(&server, "::ffff:192.0.2.2").expect(200);
}

fn new_user(n: usize) -> Value {
    json!({"email": format!("new{n}@example.com"), "username": format!("new_{n}"), "password": PASSWORD})
}

fn an_admin_makes_5_users_a_minute(place: Place) {
    let server = serve(place, 600);
    for n in 0..5 {
        let answer = server.admin().post("/api/v1/users", &new_user(n)).send().expect(201);
        assert_eq!(answer.must("ratelimit-policy"), "\"default\";q=6000;w=60, \"create-user\";q=5;w=60");
        let (said, left) = (answer.must("ratelimit"), 4 - n);
        assert!(said.contains(&format!(", \"create-user\";r={left};t=")), "{said}");
    }
    let refused = server.admin().post("/api/v1/users", &new_user(5)).send();
    assert!((1..=12).contains(&retry_after(&refused)));
    assert!(refused.must("ratelimit").contains("\"create-user\";r=0;t="));
    refused.problem(429);
    // It is the making that is limited, and for an admin: others are told what they may not.
    server.admin().get("/api/v1/users").send().expect(200);
    server.user().post("/api/v1/users", &new_user(6)).send().problem(403);
    server.run(&["user", "role", "uma_user", "admin"]).expect(0);
    let second = server.login("uma_user", PASSWORD);
    server.post("/api/v1/users").bearer(&second).json(&new_user(7)).send().expect(201);
}

fn an_address_registers_10_users_a_minute(place: Place) {
    let server = serve(place, 600);
    let register = |n: usize, address: &str| {
        server.post("/api/v1/auth/register").header("x-forwarded-for", address).json(&new_user(n)).send()
    };
    for n in 0..10 {
        register(n, "192.0.2.1").expect(201);
    }
    let refused = register(10, "192.0.2.1");
    assert!((1..=6).contains(&retry_after(&refused)));
    assert!(refused.must("ratelimit-policy").ends_with(", \"register\";q=10;w=60"));
    refused.problem(429);
    register(11, "192.0.2.2").expect(201);
}

fn a_forgotten_password_is_mailed_5_times_in_15_minutes(place: Place) {
    let server = serve(place, 600);
    let forgot = |email: &str, address: &str| {
        let call = server.post("/api/v1/auth/password/forgot").header("x-forwarded-for", address);
        call.json(&json!({"email": email})).send()
    };
    // Who has an account and who has none are limited alike, from wherever they ask.
    for email in ["uma_user@example.com", "nobody@example.com"] {
        for n in 0..5 {
            forgot(&email.to_uppercase(), &format!("192.0.2.{n}")).expect(202);
        }
        let refused = forgot(email, "192.0.2.9");
        assert!((1..=180).contains(&retry_after(&refused)));
        assert!(refused.must("ratelimit-policy").ends_with(", \"forgot-email\";q=5;w=900"));
        assert!(refused.problem(429)["detail"].as_str().unwrap().contains("5 in 15 minutes"));
    }
    let page = Visitor::stranger(&server).fill_in("/admin/forgotten", &[("email", "uma_user@example.com")]).expect(429);
    assert!((1..=180).contains(&retry_after(&page.answer)));
    assert!(page.page.error_at("email").unwrap().contains("5 in 15 minutes"));
    // And nobody asks for more than 20 addresses.
    for n in 0..20 {
        forgot(&format!("nobody_{n}@example.com"), "2001:db8::1").expect(202);
    }
    let refused = forgot("nobody_20@example.com", "2001:db8::2");
    assert!((1..=45).contains(&retry_after(&refused)));
    refused.problem(429);
}

fn pages_are_limited_and_say_so_as_a_page(place: Place) {
    let server = serve(place, 2);
    let visitor = Visitor::stranger(&server);
    let first = visitor.get("/admin/login").expect(200);
    assert_eq!(first.answer.must("ratelimit"), "\"default\";r=1;t=30");
    visitor.get("/admin/items").leads_to();
    let refused = visitor.get("/admin/login").expect(429);
    assert!(refused.answer.must("content-type").starts_with("text/html"));
    assert!((1..=30).contains(&retry_after(&refused.answer)));
    refused.says("Too many requests").says("Try again in");
    assert_eq!(refused.page.text_in("h1").as_deref(), Some("Too Many Requests"));
}

fn after_5_failures_each_further_one_makes_the_account_wait_longer(place: Place) {
    let server = serve(place, 0);
    fail(&server, "uma_user", 5);
    for (name, password) in [("uma_user", "Wrong1horse"), ("uma_user", PASSWORD)] {
        let refused = attempt(&server, name, password);
        assert!((1..=2).contains(&retry_after(&refused)), "also the right password waits");
        assert!(refused.header("www-authenticate").is_none());
        let problem = refused.problem(429);
        assert!(problem["detail"].as_str().unwrap().starts_with("Too many failed attempts."), "{problem}");
    }
    server.login("otto_other", PASSWORD);
    let wait = |what: &str, password: &str, status: u16| {
        wait_for(what, Duration::from_secs(15), || {
            (attempt(&server, "uma_user", password).status == status).then_some(())
        });
    };
    wait("the sixth failure", "Wrong1horse", 401);
    let longer = retry_after(&attempt(&server, "uma_user", "Wrong1horse"));
    assert!((3..=4).contains(&longer), "{longer}");
    wait("the right password", PASSWORD, 200);
    // All is forgotten.
    fail(&server, "uma_user", 5);
    attempt(&server, "uma_user", "Wrong1horse").problem(429);
}

fn a_name_and_an_email_of_one_account_are_one(place: Place) {
    let server = serve(place, 0);
    for name in ["uma_user", "UMA_USER", "uma_user@example.com", "  Uma_User@Example.com ", "Uma_User"] {
        fail(&server, name, 1);
    }
    for name in ["uma_user", "uma_user@example.com"] {
        attempt(&server, name, PASSWORD).problem(429);
    }
}

fn a_name_that_nobody_has_waits_like_any_other(place: Place) {
    let server = serve(place, 0);
    let refusal = |name: &str| {
        fail(&server, name, 5);
        let problem = attempt(&server, &name.to_uppercase(), "Wrong1horse").problem(429);
        let detail = problem["detail"].as_str().unwrap().trim_end_matches("s.").replace(char::is_numeric, "");
        (problem["title"].clone(), problem["error_type"].clone(), detail.trim_end_matches('.').to_owned())
    };
    assert_eq!(refusal("nobody_here"), refusal("gil_guest"));
    fail(&server, "nobody_else", 1);
}

fn at_once(server: &Server, password: &str, count: usize) -> Vec<u16> {
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..count).map(|_| scope.spawn(|| attempt(server, "uma_user", password).status)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

fn of_20_wrong_passwords_at_once_few_are_listened_to(place: Place) {
    let server = serve(place, 0);
    let statuses = at_once(&server, "Wrong1horse", 20);
    let heard = statuses.iter().filter(|s| **s == 401).count();
    // Five, and a sixth if these took more than two seconds.
    assert!((5..=6).contains(&heard), "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == 429).count(), 20 - heard, "{statuses:?}");
}

fn right_passwords_at_once_are_all_let_in(place: Place) {
    let server = serve(place, 0);
    fail(&server, "uma_user", 4);
    assert_eq!(at_once(&server, PASSWORD, 40), [200; 40], "none of them is taken for a failure meanwhile");
}

fn an_address_fails_30_times_whatever_the_names(place: Place) {
    let server = serve(place, 0);
    let here = "2001:db8:1:2::3";
    for n in 0..30 {
        attempt_from(&server, here, &format!("nobody_{n}"), "Wrong1horse").problem(401);
    }
    attempt_from(&server, "2001:db8:1:2:ffff::", "nobody_30", "Wrong1horse").problem(429);
    let refused = attempt_from(&server, here, "uma_user", PASSWORD);
    assert!((1..=30).contains(&retry_after(&refused)));
    refused.problem(429);
    // Another address is not meant, and one that gets in is not counted.
    let elsewhere = |password: &str| attempt_from(&server, "2001:db8:1:3::3", "uma_user", password).status;
    for _ in 0..35 {
        assert_eq!(elsewhere(PASSWORD), 200);
    }
    assert_eq!(elsewhere("Wrong1horse"), 401);
}

fn the_sign_in_page_makes_one_wait_too(place: Place) {
    let server = serve(place, 0);
    let visitor = Visitor::stranger(&server);
    for _ in 0..5 {
        visitor.sign_in("uma_user", "Wrong1horse").expect(401);
    }
    let refused = visitor.sign_in("uma_user", PASSWORD).expect(429);
    assert!((1..=2).contains(&retry_after(&refused.answer)));
    refused.says("Too many failed attempts");
    let form = refused.page.form("/admin/login");
    assert_eq!(form.value("username"), Some("uma_user"), "what was typed is kept");
    assert_eq!(form.value("password").unwrap_or_default(), "");
    assert!(refused.page.error_at("password").is_some());
    wait_for("the way in", Duration::from_secs(10), || {
        (visitor.sign_in("uma_user", PASSWORD).answer.status == 303).then_some(())
    });
}

fn failures_at_one_door_count_at_the_other(server: &Server) {
    fail(server, "uma_user", 3);
    let visitor = Visitor::stranger(server);
    visitor.sign_in("uma_user@example.com", "Wrong1horse").expect(401);
    visitor.sign_in("uma_user", "Wrong1horse").expect(401);
    visitor.sign_in("uma_user", "Wrong1horse").expect(429);
    attempt(server, "uma_user", PASSWORD).problem(429);
    let answer = attempt(server, "otto_other", PASSWORD).expect(200);
    assert!(answer.header("ratelimit").is_none(), "requests are not limited, sign-ins are");
}

fn whoever_changes_a_password_guesses_no_more_often(server: &Server) {
    let token = server.token(Who::User);
    let visitor = Visitor::signed_in(server, Who::User);
    let change = |current: &str| {
        let body = json!({"current_password": current, "new_password": "Another2horse"});
        server.post("/api/v1/auth/password/change").bearer(&token).json(&body).send()
    };
    let on_the_page = |current: &str| {
        let mut form = visitor.get("/admin/account").expect(200).page.form("/admin/account/password");
        form.set("current_password", current).set("new_password", "Another2horse");
        visitor.submit(&form)
    };
    for _ in 0..4 {
        change("Wrong1horse").refused_at(&["current_password"]);
    }
    on_the_page("Wrong1horse").expect(422);
    let refused = on_the_page(PASSWORD).expect(429);
    assert!((1..=2).contains(&retry_after(&refused.answer)));
    assert!(refused.page.error_at("current_password").unwrap().contains("Too many failed attempts"));
    change(PASSWORD).problem(429);
    attempt(server, "uma_user", PASSWORD).problem(429);
    wait_for("the right one", Duration::from_secs(10), || (change(PASSWORD).status == 200).then_some(()));
}

fn the_changeset_keeps_the_clients_address(server: &Server) {
    let add = |server: &Server, name: &str| {
        let call = server.admin().post("/api/v1/categories", &json!({"name": name}));
        call.header("x-forwarded-for", "198.51.100.1, 203.0.113.9").send().expect(201);
        server.db().texts("SELECT address AS s FROM changesets ORDER BY id DESC LIMIT 1").remove(0)
    };
    assert_eq!(add(server, "Spoofed"), "127.0.0.1");
    let behind = Place::furnished(server.place().kind).with("TRUSTED_PROXIES", "127.0.0.0/8").serve();
    assert_eq!(add(&behind, "Forwarded"), "203.0.113.9");
}

#[test]
fn without_a_limit_nothing_is_counted_but_failures() {
    let server = serve(place(), 0);
    for n in 0..12 {
        let answer = server.post("/api/v1/auth/register").json(&new_user(n)).send().expect(201);
        assert!(answer.header("ratelimit").is_none() && answer.header("ratelimit-policy").is_none());
    }
    for n in 12..20 {
        server.admin().post("/api/v1/users", &new_user(n)).send().expect(201);
    }
}

#[test]
fn by_default_an_address_has_60_a_minute() {
    let server = Place::furnished(Kind::Sqlite).with("RATE_LIMIT_PER_MINUTE", "(unset)").serve();
    let answer = server.get("/api/v1/items").send().expect(200);
    assert_eq!(answer.must("ratelimit-policy"), "\"default\";q=60;w=60");
    assert_eq!(answer.must("ratelimit"), "\"default\";r=59;t=1");
    let me = server.admin().get("/api/v1/users/me").send().expect(200);
    assert_eq!(me.must("ratelimit-policy"), "\"default\";q=600;w=60");
    let refused = (0..500).map(|_| server.get("/api/v1/items").send()).find(|answer| answer.status == 429);
    assert_eq!(retry_after(&refused.expect("an end of the quota")), 1);
}

#[test]
fn scripts_of_other_sites_may_read_how_they_stand() {
    let server = serve(place().with("CORS_ORIGINS", "https://shop.example"), 1);
    for status in [200, 429] {
        let answer = server.get("/api/v1/items").header("origin", "https://shop.example").send().expect(status);
        assert_eq!(answer.must("access-control-allow-origin"), "https://shop.example");
        let exposed = answer.must("access-control-expose-headers").to_lowercase();
        for name in ["ratelimit", "ratelimit-policy", "retry-after"] {
            assert!(exposed.split(',').any(|e| e.trim() == name), "{name}: {exposed}");
        }
    }
}

#[test]
fn waits_double_up_to_5_minutes_and_end_after_15_without_a_failure() {
    const SECOND: i64 = 1_000_000;
    let (account, address) = (Key::User(1), Key::Unknown);
    let mut failures = Failures::default();
    let mut now = 0;
    let mut waits = Vec::new();
    for _ in 0..16 {
        // As patient as an account must be, each from an address that nobody used.
        let State { wait, .. } = failures.begin(account, Key::V4(waits.len() as u32), now);
        assert!(wait <= 0, "it was waited for");
        let State { wait, count, .. } = failures.begin(account, address, now);
        if wait > 0 {
            assert_eq!(count as usize, waits.len() + 1, "what is refused is not counted");
        } else {
            failures.give_back(account, address);
        }
        waits.push(wait.max(0) / SECOND);
        now += wait.max(0);
    }
    assert_eq!(waits, [0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]);
    // Just short of a quarter of an hour it still counts; then it begins anew.
    now += 599 * SECOND;
    assert!(failures.begin(account, address, now).count > 16);
    now += 900 * SECOND;
    assert_eq!(failures.begin(account, address, now), State { wait: 0, count: 1, age: 0, debt: 30 * SECOND });
    failures.forget_old(now + 900 * SECOND);
    assert_eq!(failures.begin(account, address, now).count, 1, "what no longer counts is not kept");
}

#[test]
fn wrong_settings_are_refused_and_no_password_is_shown() {
    for (name, value, said) in [
        ("TRUSTED_PROXIES", "10.0.0.0/8, 10.0.0.0/33", "10.0.0.0/33"),
        ("TRUSTED_PROXIES", "proxy.example", "proxy.example"),
        ("RATE_LIMIT_PER_MINUTE", "-1", "-1"),
        ("RATE_LIMIT_PER_MINUTE", "1000001", "1000001"),
        ("REDIS_URL", "http://user:hunter2@cache.example", "cache.example"),
        ("REDIS_URL", "rediss://user:hunter2@cache.example", "TLS"),
        ("REDIS_URL", "redis://user:hunter2@cache.example/x", "cache.example"),
    ] {
        let ran = Place::empty(Kind::Sqlite).with(name, value).run(&["serve"]).expect(1);
        let complaints = ran.complaints();
        assert!(
            complaints.len() == 1 && complaints[0].contains(&format!(" {name}: ")) && complaints[0].contains(said),
            "{complaints:?}"
        );
        assert!(!ran.all().contains("hunter2"), "{}", ran.all());
    }
    let shown =
        Place::empty(Kind::Sqlite).with("REDIS_URL", "redis://:hunter2@cache.example/1").run(&["config"]).expect(0);
    assert!(shown.stdout.contains("cache.example") && !shown.all().contains("hunter2"), "{}", shown.all());
}

#[test]
#[ignore = "needs Redis: tests/run"]
fn two_servers_count_as_one() {
    let secret = redis::own_secret();
    let serve = || {
        let place = Place::furnished(Kind::Sqlite).with("SECRET_KEY", &secret).with("REDIS_URL", redis::server_url());
        serve(place, 3)
    };
    let (one, other) = (serve(), serve());
    for (server, left) in [(&one, 2), (&other, 1), (&one, 0)] {
        assert!(from(server, "192.0.2.1").expect(200).must("ratelimit").starts_with(&format!("\"default\";r={left};")));
    }
    from(&other, "192.0.2.1").problem(429);
    from(&one, "192.0.2.1").problem(429);
    let answers = [&one, &other, &one, &other, &one, &other].map(|s| attempt(s, "uma_user", "Wrong1horse").status);
    assert_eq!(answers, [401, 401, 401, 401, 401, 429]);
    wait_for("the way in", Duration::from_secs(10), || {
        (attempt(&other, "uma_user", PASSWORD).status == 200).then_some(())
    });
    fail(&one, "uma_user", 5); // Who got in at one is clear at the other.
}

#[test]
#[ignore = "needs Redis: tests/run"]
fn installations_that_share_a_redis_do_not_share_counts() {
    let serve = || serve(place().with("REDIS_URL", redis::server_url()), 1);
    from(&serve(), "192.0.2.1").expect(200);
    from(&serve(), "192.0.2.1").expect(200);
}

#[test]
#[ignore = "needs Redis: tests/run"]
fn what_is_kept_in_redis_names_nobody_and_ends_by_itself() {
    let server = serve(place().with("REDIS_URL", redis::server_url()), 60);
    fail(&server, "uma_user", 2);
    fail(&server, "nobody_called_so@example.com", 1);
    server.user().get("/api/v1/items").send().expect(200);
    let kept = redis::keys();
    assert!(kept.iter().any(|(key, _)| key.contains(":account:text:")), "{kept:?}");
    for (key, ends_in) in kept {
        assert!(key.starts_with("stockroom:") && !key.contains("nobody_called") && !key.contains("uma"), "{key}");
        assert!((0..=900_000).contains(&ends_in), "{key} ends in {ends_in} ms");
    }
}

/// With Redis gone, requests and sign-ins go on, limited; when it is back, it counts again.
fn without_redis(gone: Wire) {
    let wire = Proxy::to(redis::address());
    let place = place().with("REDIS_URL", format!("redis://127.0.0.1:{}", wire.port));
    let server = serve(place, 2);
    from(&server, "192.0.2.1").expect(200);
    from(&server, "192.0.2.1").expect(200);
    from(&server, "192.0.2.1").problem(429);
    fail(&server, "uma_user", 3);
    fail(&server, "otto_other", 5);
    wire.set(gone);
    let said = || server.printed().matches("Redis cannot be asked").count();
    assert_eq!(said(), 0);
    // The memory's own buckets are full, and have an end.
    from(&server, "192.0.2.1").expect(200);
    from(&server, "192.0.2.1").expect(200);
    from(&server, "192.0.2.1").problem(429);
    // What this server has seen of failures it still knows.
    attempt(&server, "otto_other", PASSWORD).problem(429);
    fail(&server, "uma_user", 2);
    attempt(&server, "uma_user", PASSWORD).problem(429);
    fail(&server, "nobody_here", 5);
    attempt(&server, "nobody_here", "Wrong1horse").problem(429);
    assert_eq!(said(), 1, "an outage is told once:\n{}", server.printed());
    wire.set(Wire::Whole);
    wait_for("Redis to be asked again", Duration::from_secs(15), || {
        from(&server, "192.0.2.200");
        server.printed().contains("Redis answers again").then_some(())
    });
    assert!(redis::keys().iter().any(|(key, _)| key.ends_with(":default:ip4:c00002c8")));
}

#[test]
#[ignore = "needs Redis: tests/run"]
fn when_redis_is_killed_each_server_counts_for_itself() {
    without_redis(Wire::Cut);
}

#[test]
#[ignore = "needs Redis: tests/run"]
fn when_redis_is_silent_nobody_hangs() {
    without_redis(Wire::Silent);
}

#[test]
fn it_starts_without_the_redis_that_it_should_ask() {
    // Nothing listens there.
    let server = serve(place().with("REDIS_URL", "redis://:hunter2@127.0.0.1:1"), 1);
    from(&server, "192.0.2.1").expect(200);
    from(&server, "192.0.2.1").problem(429);
    fail(&server, "uma_user", 5);
    attempt(&server, "uma_user", PASSWORD).problem(429);
    let said = server.printed();
    assert_eq!(said.matches("Redis cannot be asked").count(), 1, "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}
