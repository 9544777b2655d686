//! What the log says: never a secret, at whatever level, and never a line that a client has written.

use crate::support::{Kind, Place, Server, Visitor, Who, on_each_database, server::PASSWORD, wait_for, wire};
use serde_json::{Value, json};
use std::time::Duration;

on_each_database! {
    no_secret_is_ever_logged,
    no_input_writes_a_line_of_its_own,
}

/// Whether a line is one that the product writes: a moment, a level, a message; or what `serve` says on the terminal.
fn is_ours(line: &str, format: &str) -> bool {
    if line.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return false;
    }
    if line.starts_with("Listening on http://") {
        return true;
    }
    let is_moment = |text: &str| text.len() == 27 && chrono::DateTime::parse_from_rfc3339(text).is_ok();
    let is_level = |text: &str| ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&text);
    if format == "json" {
        let Ok(Value::Object(entry)) = serde_json::from_str(line) else { return false };
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let names: Vec<&str> = entry.keys().map(String::as_str).collect();
        return names == ["time", "level", "target", "message"] && is_moment(text("time")) && is_level(text("level"));
    }
    let mut words = line.splitn(3, ' ');
    is_moment(words.next().unwrap_or_default()) && is_level(words.next().unwrap_or_default())
}

/// Everything that the server has printed, once it is known to have printed all that it will.
#[track_caller]
fn printed(server: &Server, format: &str) -> Vec<String> {
    server.get("/health/live").header("x-request-id", "the-last-request").send().expect(200);
    let all = wait_for("the line of the last request", Duration::from_secs(20), || {
        let all = server.printed();
        all.contains("the-last-request").then_some(all)
    });
    let lines: Vec<String> = all.split('\n').map(str::to_owned).collect();
    assert!(lines.len() > 10, "at this level much is logged: {all}");
    for line in &lines {
        assert!(is_ours(line, format), "{format}: a line that is not ours: {line:?}");
    }
    lines
}

fn serve(kind: Kind, format: &str) -> Server {
    Place::furnished(kind).with("RUST_LOG", "trace").with("LOG_FORMAT", format).serve()
}

fn no_secret_is_ever_logged(kind: Kind) {
    for format in ["text", "json"] {
        let server = &serve(kind, format);
        let mut secrets: Vec<String> = Vec::new();
        let mut canary = |name: &str| {
            let secret = format!("Canary1{name}Zq{}", secrets.len());
            secrets.push(secret.clone());
            secret
        };
        let send = |method: &str, path: &str, body: Value| {
            server.call(method, path).json(&body).send();
        };

        // Passwords, right and wrong, by every door.
        for name in ["uma_user", "nobody"] {
            send("POST", "/api/v1/auth/login", json!({"username": name, "password": canary("login")}));
            let form = [("username", name), ("password", &canary("form"))];
            server.post("/api/v1/auth/token").form(&form).send();
            Visitor::stranger(server).sign_in(name, &canary("page"));
        }
        let mut secrets_of_answers = Vec::new();
        let registered = canary("register");
        let body = json!({"email": "can@example.com", "username": "canny", "password": registered});
        server.post("/api/v1/auth/register").json(&body).send().expect(201);
        send("POST", "/api/v1/auth/register", json!({"email": "x", "password": canary("bad")}));
        send(
            "POST",
            "/api/v1/auth/register",
            json!({"email": "can@example.com", "username": "canny", "password": canary("taken")}),
        );
        let login = json!({"username": "canny", "password": registered});
        let tokens = server.post("/api/v1/auth/login").json(&login).send().expect(200).json();
        let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
        secrets_of_answers.extend([access.to_owned(), refresh.to_owned()]);
        let changed = canary("changed");
        let change = json!({"current_password": registered, "new_password": changed});
        server.post("/api/v1/auth/password/change").bearer(access).json(&change).send();
        send(
            "POST",
            "/api/v1/auth/password/change",
            json!({"current_password": canary("old"), "new_password": canary("new")}),
        );
        send("PATCH", "/api/v1/users/me", json!({"password": canary("patch")}));
        server
            .admin()
            .post("/api/v1/users", &json!({"email": "a@example.com", "username": "made", "password": canary("made")}))
            .send();
        // Tokens in bodies, headers and addresses.
        let tokens = server.post("/api/v1/auth/refresh").json(&json!({"refresh_token": refresh})).send();
        if let Some(next) = tokens.json()["refresh_token"].as_str() {
            secrets_of_answers.push(next.to_owned());
            send("POST", "/api/v1/auth/logout", json!({"refresh_token": next}));
        }
        for path in ["/api/v1/auth/refresh", "/api/v1/auth/logout"] {
            send("POST", path, json!({"refresh_token": canary("refresh")}));
            server.post(path).form(&[("refresh_token", canary("refreshform").as_str())]).send();
            server.post(path).body("application/json", format!("{{\"refresh_token\": \"{}\"", canary("broken"))).send();
        }
        send(
            "POST",
            "/api/v1/auth/password/reset",
            json!({"token": canary("reset"), "new_password": canary("resetpw")}),
        );
        for page in ["setup", "reset", "invitation", "login", "items", "nowhere"] {
            server.get(&format!("/admin/{page}?token={}", canary(page))).send();
            let fields = [("token", canary(page)), ("password", canary(page)), ("_csrf", canary("csrf"))];
            let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
            server.post(&format!("/admin/{page}")).form(&fields).send();
        }
        for path in ["/api/v1/items", "/api/v1/nowhere", "/health", "/", "/static/app.css"] {
            server
                .get(&format!("{path}?token={}&api_key={}&access_token={}", canary("q"), canary("q"), canary("q")))
                .send();
            server.get(path).bearer(&canary("bearer")).send();
            server.get(path).header("authorization", format!("Basic {}", canary("basic"))).send();
            server.get(path).header("x-api-key", canary("apikey")).send();
            server.get(path).header("proxy-authorization", canary("proxy")).send();
            let cookies =
                format!("stockroom_session={}; stockroom_form={}; other={}", canary("c"), canary("c"), canary("c"));
            server.get(path).header("cookie", cookies).send();
        }
        // A session: its cookies and its forms' token.
        let visitor = Visitor::signed_in(server, Who::Admin);
        visitor.get("/admin/items").expect(200);
        let form = visitor.get("/admin/items/new").expect(200).page.form("/admin/items/new");
        let csrf = form.fields.iter().find(|(name, _)| name == "_csrf").unwrap().1.clone();
        secrets_of_answers.push(csrf);
        secrets_of_answers.extend(visitor.cookies.lock().unwrap().values().filter(|v| v.len() > 20).cloned());
        // Heads that cannot be read.
        let broken = [
            "GET / HTTP/1.1\r\nAuthorization: Bearer SECRET\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\nCookie: stockroom_session=SECRET\r\n\r\n",
            "GET /?token=SECRET HTTP/9\r\nHost: x\r\n\r\n",
            "GET /?token=SECRET x HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nX-API-Key : SECRET\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer SECRET\0\r\n\r\n",
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: SECRET\r\n\r\n",
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: SECRET\r\n\r\n",
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nSECRET\r\n",
            "SECRET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: SECRET@x\r\nConnection: close\r\n\r\n",
        ];
        // A method, a length, an encoding and a chunk's size are no places for a secret.
        for (index, request) in broken.iter().enumerate() {
            let secret = canary("wire");
            if [6, 7, 8, 9].contains(&index) {
                wire::talk(server.port, request.replace("SECRET", "nothing-secret").as_bytes());
            } else {
                wire::talk(server.port, request.replace("SECRET", &secret).as_bytes());
            }
        }
        secrets_of_answers.push(server.token(Who::Admin));

        let lines = printed(server, format);
        let secrets = secrets
            .into_iter()
            .chain(secrets_of_answers)
            .chain([PASSWORD.to_owned(), crate::support::server::SECRET.to_owned()]);
        for secret in secrets {
            let told = lines.iter().find(|line| line.contains(&secret));
            assert!(told.is_none(), "{format}: {secret} is in the log: {told:?}");
            // A token's signature alone is a secret too.
            if let Some((_, signature)) = secret.rsplit_once('.').filter(|(_, s)| s.len() > 20) {
                assert!(!lines.iter().any(|line| line.contains(signature)), "{format}: a signature is in the log");
            }
        }
        // The test can fail: what is no secret is there.
        assert!(lines.iter().any(|line| line.contains("/api/v1/auth/refresh")), "requests are logged");
    }
}

fn no_input_writes_a_line_of_its_own(kind: Kind) {
    for format in ["text", "json"] {
        let server = &serve(kind, format);
        let line = "2026-01-01T00:00:00.000000Z ERROR forged";
        let entry = r#"{"time":"2026-01-01T00:00:00.000000Z","level":"ERROR","target":"x","message":"forged"}"#;
        let breaks = [
            "\n",
            "\r",
            "\r\n",
            "\x1b[2K\x1b[31m",
            "\u{85}",
            "\u{2028}",
            "\u{2029}",
            "\u{b}",
            "\u{c}",
            "\u{7f}",
            "\u{9b}31m",
        ];
        for cut in breaks {
            for forged in [line, entry] {
                let text = format!("x{cut}{forged}");
                let encoded: String = text.bytes().map(|b| format!("%{b:02X}")).collect();
                for path in ["/", "/api/v1/items/", "/admin/", "/static/", "/api/v1/items?q=", "/admin/login?next="] {
                    server.get(&format!("{path}{encoded}")).send();
                }
                server.post("/api/v1/auth/login").json(&json!({"username": text, "password": text})).send();
                server.post("/api/v1/auth/register").json(&json!({"username": text, "email": text})).send();
                server.post("/api/v1/auth/token").form(&[("username", text.as_str()), ("password", "x")]).send();
                server.post("/api/v1/auth/login").body("application/json", format!("{{\"a\": {text}")).send();
                let body = json!({"name": text, "description": text, "price": text, "category_id": 1});
                server.admin().post("/api/v1/items", &body).send();
                // Where a header cannot carry it, over the wire.
                for name in [
                    "X-Request-ID",
                    "User-Agent",
                    "Referer",
                    "Authorization",
                    "Cookie",
                    "X-Forwarded-For",
                    "Content-Type",
                    "Host",
                ] {
                    let host = if name == "Host" { "" } else { "Host: x\r\n" };
                    let request = format!("GET /nowhere HTTP/1.1\r\n{host}{name}: {text}\r\nConnection: close\r\n\r\n");
                    wire::talk(server.port, request.as_bytes());
                }
                wire::talk(server.port, format!("GET /{text} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
                wire::talk(server.port, format!("{text} / HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
                let chunked = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
                wire::talk(server.port, format!("{chunked}{text}\r\n").as_bytes());
            }
        }
        let lines = printed(server, format);
        for line in lines {
            assert!(
                !line.starts_with("2026-01-01T00:00:00.000000Z") && !line.contains(r#"{"time":"2026-01-01"#),
                "{line}"
            );
        }
    }
}
