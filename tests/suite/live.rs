//! What happens, told as it happens: server-sent events and WebSockets.

use crate::support::{
    Kind, Place, Server, Who,
    data::{new_category, new_item},
    on_both, on_each_database, wait_for,
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tungstenite::{Message, client::IntoClientRequest};

on_both! {
    what_happens_is_told_as_the_api_shows_it,
    each_hears_what_they_may_know_of,
    who_comes_back_is_told_what_they_missed_and_nothing_twice,
    listening_ends_with_the_credentials,
    rights_are_those_of_the_moment,
    what_the_command_line_does_is_heard_too,
    a_message_is_acknowledged_and_told_to_the_others,
    who_may_only_read_may_listen_and_not_send,
    a_socket_has_its_bounds,
    the_way_in_is_checked_before_the_upgrade,
}

on_each_database! {
    the_server_ends_though_somebody_listens,
    without_public_read_nobody_unknown_listens,
}

/// One event, as a browser would see it.
#[derive(Clone, Debug, PartialEq)]
struct Event {
    id: String,
    kind: String,
    data: Value,
}

/// Somebody who listens to server-sent events.
struct Sse {
    stream: TcpStream,
    events: Arc<Mutex<Vec<Event>>>,
    ended: std::thread::JoinHandle<()>,
    head: String,
}

impl Sse {
    fn open(server: &Server, headers: &[(&str, &str)]) -> Sse {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut head = format!("GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", server.port);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut answer = String::new();
        for line in lines.by_ref() {
            let line = line.unwrap();
            if line.is_empty() {
                break;
            }
            answer.push_str(&line.to_lowercase());
            answer.push('\n');
        }
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = events.clone();
        let ended = std::thread::spawn(move || {
            let (mut id, mut kind) = (String::new(), String::new());
            for line in lines.map_while(Result::ok) {
                if let Some(text) = line.strip_prefix("id: ") {
                    id = text.to_owned();
                } else if let Some(text) = line.strip_prefix("event: ") {
                    kind = text.to_owned();
                } else if let Some(text) = line.strip_prefix("data: ") {
                    let data = serde_json::from_str(text).unwrap();
                    seen.lock().unwrap().push(Event { id: id.clone(), kind: kind.clone(), data });
                }
            }
        });
        Sse { stream, events, ended, head: answer }
    }

    fn of(server: &Server, who: Who) -> Sse {
        let bearer = format!("Bearer {}", server.token(who));
        let sse = Sse::open(server, &[("Authorization", &bearer)]);
        assert!(sse.head.starts_with("http/1.1 200"), "{}", sse.head);
        sse
    }

    fn seen(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    fn kinds(&self) -> Vec<String> {
        self.seen().into_iter().map(|e| e.kind).collect()
    }

    #[track_caller]
    fn wait(&self, count: usize) -> Vec<Event> {
        wait_for(&format!("{count} events"), Duration::from_secs(10), || Some(self.seen()).filter(|e| e.len() >= count))
    }

    #[track_caller]
    fn wait_for_end(&self) {
        wait_for("the end of the stream", Duration::from_secs(5), || self.ended.is_finished().then_some(()));
    }
}

impl Drop for Sse {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

/// A marker that everybody hears, after which nothing before it is still on its way.
fn mark(server: &Server, name: &str) {
    new_category(server, name);
}

fn up_to_mark(sse: &Sse, name: &str) -> Vec<Event> {
    wait_for(&format!("the mark {name}"), Duration::from_secs(10), || {
        let seen = sse.seen();
        let at = seen.iter().position(|e| e.kind == "category.created" && e.data["name"] == name)?;
        Some(seen[..at].to_vec())
    })
}

fn what_happens_is_told_as_the_api_shows_it(server: &Server) {
    let sse = Sse::open(server, &[]);
    for line in ["content-type: text/event-stream", "cache-control: no-store", "x-content-type-options: nosniff"] {
        assert!(sse.head.contains(line), "{}", sse.head);
    }
    let category = new_category(server, "Tools");
    let item = new_item(server, category, "Hammer", json!({"price": 19.9, "description": "two\nlines"}));
    server.user().patch(&item.path(), &json!({"price": 21})).send().expect(200);
    sse.wait(3);
    let now = server.get(&item.path()).send().expect(200).data();
    server.admin().delete(&item.path()).send().expect(204);
    let events = sse.wait(4);
    let kinds: Vec<_> = events.iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(kinds, ["category.created", "item.created", "item.updated", "item.deleted"]);
    assert_eq!(events[0].data["name"], "Tools");
    assert_eq!(events[3].data, now, "of what is deleted, what it was last");
    // An event shows what is when it is sent; later changes have events of their own.
    assert_eq!(events[2].data["id"], now["id"]);
    let mut ids: Vec<(i64, i64)> = Vec::new();
    for event in &events {
        let (changeset, seq) = event.id.split_once('-').unwrap();
        ids.push((changeset.parse().unwrap(), seq.parse().unwrap()));
    }
    assert!(ids.is_sorted() && ids.iter().all(|(_, seq)| *seq == 1), "{ids:?}");
}

fn each_hears_what_they_may_know_of(server: &Server) {
    let category = new_category(server, "Tools");
    for who in Who::ALL {
        server.token(who);
    }
    let anonymous = Sse::open(server, &[]);
    let listeners: Vec<(Who, Sse)> = Who::ALL.into_iter().map(|who| (who, Sse::of(server, who))).collect();
    let item = new_item(server, category, "Secret hammer", json!({"is_active": false}));
    server.user().patch(&item.path(), &json!({"name": "Still secret"})).send().expect(200);
    server.user().patch("/api/v1/users/me", &json!({"full_name": "Uma"})).send().expect(200);
    // Of what is deleted before it could be told, only the deletion is.
    listeners[0].1.wait(3);
    server.admin().delete(&item.path()).send().expect(204);
    mark(server, "mark");
    assert_eq!(up_to_mark(&anonymous, "mark"), []);
    for (who, sse) in &listeners {
        let heard: Vec<_> = up_to_mark(sse, "mark").into_iter().map(|e| e.kind).collect();
        let all = ["item.created", "item.updated", "user.updated", "item.deleted"];
        match who {
            Who::Admin | Who::User => assert_eq!(heard, all, "{who:?}"),
            Who::Other | Who::Guest => assert!(heard.is_empty(), "{who:?}: {heard:?}"),
        }
    }
}

fn who_comes_back_is_told_what_they_missed_and_nothing_twice(server: &Server) {
    let first = Sse::open(server, &[]);
    new_category(server, "One");
    let last = first.wait(1).remove(0).id;
    drop(first);
    new_category(server, "Two");
    new_category(server, "Three");
    let back = Sse::open(server, &[("Last-Event-ID", &last)]);
    let names = |events: Vec<Event>| -> Vec<String> {
        events.iter().map(|e| e.data["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(back.wait(2)), ["Two", "Three"]);
    new_category(server, "Four");
    mark(server, "mark");
    assert_eq!(names(up_to_mark(&back, "mark")), ["Two", "Three", "Four"]);
    for bad in ["x", "1", "-1-1", "1-x", "999999999999999999999-1"] {
        server.get("/api/v1/events").header("last-event-id", bad).send().problem(400);
    }
    // What they may not know of is not told of the past either.
    let category = server.db().number("SELECT min(id) AS n FROM categories");
    new_item(server, category, "Secret", json!({"is_active": false}));
    mark(server, "second mark");
    let back = Sse::open(server, &[("Last-Event-ID", &last)]);
    let told = up_to_mark(&back, "second mark");
    assert!(told.iter().all(|e| e.kind == "category.created"), "{told:?}");
}

fn listening_ends_with_the_credentials(server: &Server) {
    server.token(Who::Admin);
    let user = Sse::of(server, Who::User);
    let other = Sse::of(server, Who::Other);
    let key = server.admin().post("/api/v1/api-keys", &json!({"name": "k", "scopes": ["read"]}));
    let answer = key.send().expect(201).data();
    let by_key = Sse::open(server, &[("X-API-Key", answer["key"].as_str().unwrap())]);
    assert!(by_key.head.starts_with("http/1.1 200"), "{}", by_key.head);
    server.admin().patch("/api/v1/users/2", &json!({"is_active": false})).send().expect(200);
    user.wait_for_end();
    server.admin().delete(&format!("/api/v1/api-keys/{}", answer["id"])).send().expect(204);
    by_key.wait_for_end();
    mark(server, "mark");
    up_to_mark(&other, "mark");
    assert!(!other.ended.is_finished(), "nobody else's ends");
}

fn rights_are_those_of_the_moment(server: &Server) {
    let category = new_category(server, "Tools");
    let second = json!({"email": "second@example.com", "username": "second", "password": crate::support::server::PASSWORD, "role": "admin"});
    let id = server.admin().post("/api/v1/users", &second).send().expect(201).data()["id"].clone();
    let token = server.login("second", crate::support::server::PASSWORD);
    let sse = Sse::open(server, &[("Authorization", &format!("Bearer {token}"))]);
    new_item(server, category, "Secret", json!({"is_active": false}));
    sse.wait(1);
    server.admin().patch(&format!("/api/v1/users/{id}"), &json!({"role": "user"})).send().expect(200);
    sse.wait_for_end();
    new_item(server, category, "Second secret", json!({"is_active": false}));
    assert_eq!(sse.kinds(), ["item.created"]);
}

fn what_the_command_line_does_is_heard_too(server: &Server) {
    let sse = Sse::of(server, Who::Admin);
    // From the moment that the log was first looked at.
    mark(server, "mark");
    up_to_mark(&sse, "mark");
    server.place().run(&["user", "role", "3", "guest"]).expect(0);
    wait_for("the event", Duration::from_secs(10), || sse.seen().into_iter().find(|e| e.kind == "user.updated"));
}

type Socket = tungstenite::WebSocket<TcpStream>;

fn try_connect(server: &Server, headers: &[(&str, &str)]) -> Result<Socket, u16> {
    let mut request = format!("ws://127.0.0.1:{}/api/v1/ws", server.port).into_client_request().unwrap();
    for (name, value) in headers {
        let name: tungstenite::http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    match tungstenite::client(request, stream) {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => Err(answer.status().as_u16()),
        Err(other) => panic!("{other:?}"),
    }
}

fn connect(server: &Server, who: Who) -> Socket {
    try_connect(server, &[("Authorization", &format!("Bearer {}", server.token(who)))]).unwrap()
}

fn say(socket: &mut Socket, frame: &Value) {
    socket.send(Message::text(frame.to_string())).unwrap();
}

/// The next frame of this type.
#[track_caller]
fn hear(socket: &mut Socket, kind: &str) -> Value {
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < Duration::from_secs(10), "no {kind}");
        if let Message::Text(text) = socket.read().unwrap() {
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["type"] == kind {
                return frame;
            }
        }
    }
}

fn a_message_is_acknowledged_and_told_to_the_others(server: &Server) {
    let mut ada = connect(server, Who::Admin);
    let mut uma = connect(server, Who::User);
    assert_eq!(hear(&mut ada, "joined")["user"], "uma_user");
    say(&mut uma, &json!({"type": "message", "content": " Hello, \"ada\" ü "}));
    let ack = hear(&mut uma, "ack");
    let told = hear(&mut ada, "message");
    assert_eq!(
        (&told["id"], &told["from"], &told["content"]),
        (&ack["id"], &json!("uma_user"), &json!("Hello, \"ada\" ü"))
    );
    // Events come the same way.
    let category = new_category(server, "Tools");
    let event = hear(&mut uma, "category.created");
    assert_eq!(event["data"]["id"], category);
    // The sender does not hear themselves: the next message is the other's.
    say(&mut ada, &json!({"type": "message", "content": "Hello, uma"}));
    assert_eq!(hear(&mut uma, "message")["from"], "ada_admin");
    uma.close(None).unwrap();
    assert_eq!(hear(&mut ada, "left")["user"], "uma_user");
}

fn who_may_only_read_may_listen_and_not_send(server: &Server) {
    let answer = server.admin().post("/api/v1/api-keys", &json!({"name": "k", "scopes": ["read"]})).send().expect(201);
    let key = answer.data()["key"].as_str().unwrap().to_owned();
    let mut readers = vec![try_connect(server, &[("X-API-Key", &key)]).unwrap(), connect(server, Who::Guest)];
    for reader in &mut readers {
        say(reader, &json!({"type": "message", "content": "hello"}));
        assert!(hear(reader, "error")["message"].as_str().unwrap().contains("listen"));
    }
    new_category(server, "Tools");
    for reader in &mut readers {
        hear(reader, "category.created");
    }
    let answer = server.user().post("/api/v1/api-keys", &json!({"name": "w", "scopes": ["write"]})).send().expect(201);
    let mut writer = try_connect(server, &[("X-API-Key", answer.data()["key"].as_str().unwrap())]).unwrap();
    say(&mut writer, &json!({"type": "message", "content": "hello"}));
    hear(&mut writer, "ack");
}

fn a_socket_has_its_bounds(server: &Server) {
    let mut socket = connect(server, Who::User);
    for bad in [
        "no JSON",
        "[]",
        "{}",
        r#"{"type":"other"}"#,
        r#"{"type":"message"}"#,
        r#"{"type":"message","content":" "}"#,
        r#"{"type":"message","content":5}"#,
        r#"{"type":"message","content":"a\u0000b"}"#,
    ] {
        socket.send(Message::text(bad)).unwrap();
        hear(&mut socket, "error");
    }
    say(&mut socket, &json!({"type": "message", "content": "x".repeat(1_000)}));
    hear(&mut socket, "ack");
    say(&mut socket, &json!({"type": "message", "content": "x".repeat(1_001)}));
    hear(&mut socket, "error");
    for _ in 0..30 {
        say(&mut socket, &json!({"type": "message", "content": "again"}));
    }
    assert!(hear(&mut socket, "error")["message"].as_str().unwrap().contains("too many"));
    // Too large, and of another kind: the connection ends.
    for message in [Message::text("x".repeat(20_000)), Message::binary(vec![1, 2, 3])] {
        let mut socket = connect(server, Who::User);
        socket.send(message).unwrap();
        let ended = loop {
            match socket.read() {
                Ok(Message::Close(_)) | Err(_) => break true,
                Ok(_) => {}
            }
        };
        assert!(ended);
    }
}

fn the_way_in_is_checked_before_the_upgrade(server: &Server) {
    assert_eq!(try_connect(server, &[]).err(), Some(401));
    assert_eq!(try_connect(server, &[("Authorization", "Bearer nobody.signed.this")]).err(), Some(401));
    let bearer = format!("Bearer {}", server.token(Who::User));
    assert_eq!(try_connect(server, &[("Authorization", &bearer), ("Origin", "https://evil.example")]).err(), Some(403));
    let own = server.url.clone();
    assert!(try_connect(server, &[("Authorization", &bearer), ("Origin", &own)]).is_ok());
    let cookie = crate::support::Visitor::signed_in(server, Who::User).cookie_header();
    assert_eq!(try_connect(server, &[("Cookie", &cookie)]).err(), Some(401), "a cookie never opens the API");
    server.user().get("/api/v1/ws").send().problem(400);
    // Credentials that end, end the socket.
    let mut socket = connect(server, Who::Other);
    server.admin().patch("/api/v1/users/3", &json!({"is_active": false})).send().expect(200);
    let start = Instant::now();
    while !matches!(socket.read(), Ok(Message::Close(_)) | Err(_)) {
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

fn the_server_ends_though_somebody_listens(kind: Kind) {
    let server = Place::furnished(kind).serve();
    let sse = Sse::open(&server, &[]);
    let _socket = connect(&server, Who::User);
    mark(&server, "mark");
    up_to_mark(&sse, "mark");
    let (code, _place) = server.stop();
    assert_eq!(code, 0);
    sse.wait_for_end();
}

fn without_public_read_nobody_unknown_listens(kind: Kind) {
    let server = Place::furnished(kind).with("PUBLIC_READ", "false").serve();
    server.get("/api/v1/events").send().problem(401);
    Sse::of(&server, Who::Guest);
}

/// Two servers: what happens at one is heard at the other.
#[test]
#[ignore = "needs PostgreSQL: tests/run"]
fn events_and_messages_cross_from_server_to_server() {
    let place = Place::furnished(Kind::Postgres);
    let second = place.beside().serve();
    let first = place.serve();
    let sse = Sse::of(&second, Who::Admin);
    let mut there = connect(&second, Who::Admin);
    let mut here = connect(&first, Who::User);
    assert_eq!(hear(&mut there, "joined")["user"], "uma_user");
    new_category(&first, "Tools");
    assert_eq!(sse.wait(1)[0].data["name"], "Tools");
    say(&mut here, &json!({"type": "message", "content": "across"}));
    hear(&mut here, "ack");
    assert_eq!(hear(&mut there, "message")["content"], "across");
    // Each once, though both ways of hearing of it are there.
    new_category(&second, "Toys");
    mark(&first, "mark");
    let names: Vec<_> = up_to_mark(&sse, "mark").into_iter().map(|e| e.data["name"].clone()).collect();
    assert_eq!(names, ["Tools", "Toys"]);
}
