//! Mail and the durable queue: what causes it, that it comes also after a crash, and the links in it.

use crate::support::{
    Kind, Place, Server, Visitor, Who,
    mail::{Mood, Sink, mail_to, outbox},
    on_both, on_each_database,
    server::PASSWORD,
    wait_for,
};
use serde_json::{Value, json};
use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

const NEW: &str = "Another2password";

on_both! {
    who_registers_is_welcomed,
    who_is_made_without_a_password_is_invited_and_chooses_one,
    an_invitation_can_be_used_once_and_for_nothing_else,
    forgetting_is_answered_alike_for_everybody,
    a_forgotten_password_is_reset_by_the_link_and_everything_before_ends,
    links_lead_to_where_the_server_is_and_not_to_what_a_request_says,
    a_changed_password_ends_all_that_was_there_and_is_told,
    a_change_needs_the_right_password_and_a_good_new_one,
    the_pages_reset_a_forgotten_password,
    of_one_link_used_by_many_at_once_one_counts,
    the_queue_holds_no_secret_and_is_empty_when_all_is_done,
}

on_each_database! {
    links_are_those_of_the_base_url,
    mail_goes_out_by_smtp,
    a_mail_server_that_is_down_keeps_nobody_waiting_and_loses_nothing,
    mail_survives_a_killed_server,
    what_the_mail_server_refuses_for_good_is_parked_with_its_reason,
    what_it_refuses_for_now_is_tried_again,
    at_the_end_of_the_server_jobs_go_back_to_the_queue,
}

fn register(server: &Server, name: &str) {
    let body = json!({"email": format!("{name}@example.com"), "username": name, "password": PASSWORD});
    server.post("/api/v1/auth/register").json(&body).send().expect(201);
}

fn invite(server: &Server, name: &str) -> String {
    let body = json!({"email": format!("{name}@example.com"), "username": name});
    server.admin().post("/api/v1/users", &body).send().expect(201);
    mail_to(server.place(), &format!("{name}@example.com"), "Invitation").link()
}

fn forgot(server: &Server, email: &str) -> Value {
    let answer = server.post("/api/v1/auth/password/forgot").json(&json!({"email": email})).send().expect(202);
    answer.json()
}

fn reset(server: &Server, token: &str, new: &str) -> crate::support::Answer {
    let body = json!({"token": token, "new_password": new});
    server.post("/api/v1/auth/password/reset").json(&body).send()
}

fn sign_in(server: &Server, name: &str, password: &str) -> crate::support::Answer {
    server.post("/api/v1/auth/login").json(&json!({"username": name, "password": password})).send()
}

/// The path and the token of a link.
fn taken_apart<'l>(server: &Server, link: &'l str) -> (&'l str, &'l str) {
    let path = link.strip_prefix(&server.url).unwrap_or_else(|| panic!("the link leads here: {link}"));
    (path, path.split("?token=").nth(1).unwrap())
}

fn who_registers_is_welcomed(server: &Server) {
    let body =
        json!({"email": "Ann@Example.com", "username": "ann", "full_name": "Ann <b>Ä</b>", "password": PASSWORD});
    server.post("/api/v1/auth/register").json(&body).send().expect(201);
    let mail = mail_to(server.place(), "ann@example.com", "Welcome");
    assert_eq!(mail.header("Subject"), "Welcome to Stockroom");
    assert_eq!(mail.header("From"), "Stockroom <stockroom@localhost>");
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    assert!(mail.header("Message-ID").starts_with("<stockroom-1-"), "{}", mail.raw);
    assert_eq!(mail.link(), format!("{}/admin", server.url));
    assert!(mail.text.contains("Welcome, Ann <b>Ä</b>"), "{}", mail.text);
    assert!(!mail.html.contains("<b>Ä") && mail.html.contains("&#60;b&#62;Ä"), "{}", mail.html);
    // An admin who makes a user with a password tells them in person.
    let body = json!({"email": "bob@example.com", "username": "bob", "password": PASSWORD});
    server.admin().post("/api/v1/users", &body).send().expect(201);
    register(server, "cem");
    mail_to(server.place(), "cem@example.com", "Welcome");
    assert_eq!(outbox(server.place()).len(), 2, "nothing to bob");
}

fn who_is_made_without_a_password_is_invited_and_chooses_one(server: &Server) {
    let link = invite(server, "ann");
    let mail = mail_to(server.place(), "ann@example.com", "Invitation");
    assert!(mail.text.contains("ada_admin has made an account for you"), "{}", mail.text);
    sign_in(server, "ann", PASSWORD).problem(401);
    let (path, _) = taken_apart(server, &link);
    let visitor = Visitor::stranger(server);
    let shown = visitor.get(path).expect(200);
    shown.says("Choose a password");
    let mut form = shown.page.form("/admin/invitation");
    form.set("new_password", "weak");
    let refused = visitor.submit(&form).expect(422);
    assert!(refused.page.error_at("new_password").is_some());
    let mut form = refused.page.form("/admin/invitation");
    form.set("new_password", NEW);
    assert_eq!(visitor.submit(&form).leads_to(), "/admin");
    visitor.get("/admin/account").expect(200).says("ann");
    sign_in(server, "ann", NEW).expect(200);
    let history = server.db().texts("SELECT summary AS s FROM changesets ORDER BY id DESC LIMIT 2");
    assert_eq!(history, ["ann chose a first password", "Invited user ann"]);
    assert_eq!(server.db().texts("SELECT actor AS s FROM changesets ORDER BY id DESC LIMIT 1"), ["ann"]);
    // Nobody is told of a password that they chose just now.
    assert_eq!(outbox(server.place()).len(), 1);
}

fn an_invitation_can_be_used_once_and_for_nothing_else(server: &Server) {
    let link = invite(server, "ann");
    let (path, token) = taken_apart(server, &link);
    reset(server, token, NEW).problem(401);
    server.get("/api/v1/users/me").bearer(token).send().problem(401);
    let visitor = Visitor::stranger(server);
    visitor.get(&path.replace("/invitation", "/reset")).expect(404).says("link is over");
    let form = visitor.get(path).expect(200).page.form("/admin/invitation");
    // Another role does not end it: the invitation is for the person.
    let id = server.db().number("SELECT id AS n FROM users WHERE username = 'ann'");
    server.admin().patch(&format!("/api/v1/users/{id}"), &json!({"role": "guest"})).send().expect(200);
    let mut form = form.clone();
    form.set("new_password", NEW);
    visitor.submit(&form).leads_to();
    let late = Visitor::stranger(server);
    late.get(path).expect(404).says("link is over");
    let mut again = form.clone();
    let csrf = late.get("/admin/login").page.form("/admin/login");
    again.set("_csrf", csrf.value("_csrf").unwrap()).set("new_password", "Yet3another");
    late.submit(&again).expect(404);
    sign_in(server, "ann", NEW).expect(200);
    // Nor of somebody who is not let in any more.
    let link = invite(server, "bob");
    let (path, _) = taken_apart(server, &link);
    let id = server.db().number("SELECT id AS n FROM users WHERE username = 'bob'");
    server.admin().patch(&format!("/api/v1/users/{id}"), &json!({"is_active": false})).send().expect(200);
    Visitor::stranger(server).get(path).expect(404);
}

fn forgetting_is_answered_alike_for_everybody(server: &Server) {
    server.admin().patch("/api/v1/users/4", &json!({"is_active": false})).send().expect(200);
    let known = forgot(server, " UMA_user@example.com ");
    let long = format!("{}@example.com", "x".repeat(4_000));
    let others =
        ["nobody@example.com", "gil_guest@example.com", "not an address", "nul\0@example.com", "uma_user", &long];
    for other in others {
        assert_eq!(forgot(server, other), known, "{other}");
    }
    assert_eq!(known["success"], true);
    for body in [json!({}), json!({"email": null}), json!({"email": 5}), json!({"email": ""})] {
        server.post("/api/v1/auth/password/forgot").json(&body).send().refused_at(&["email"]);
    }
    mail_to(server.place(), "uma_user@example.com", "Reset your password");
    let mut db = server.db();
    wait_for("an empty queue", Duration::from_secs(10), || {
        (db.number("SELECT count(*) AS n FROM jobs") == 0).then_some(())
    });
    assert_eq!(outbox(server.place()).len(), 1, "only who has an account is written to");
}

fn a_forgotten_password_is_reset_by_the_link_and_everything_before_ends(server: &Server) {
    let before = sign_in(server, "uma_user", PASSWORD).expect(200).json();
    let browser = Visitor::signed_in(server, Who::User);
    forgot(server, "uma_user@example.com");
    let link = mail_to(server.place(), "uma_user@example.com", "Reset your password").link();
    let (_, token) = taken_apart(server, &link);
    reset(server, token, "weak").refused_at(&["new_password"]);
    reset(server, &format!("{token}x"), NEW).problem(401);
    reset(server, before["access_token"].as_str().unwrap(), NEW).problem(401);
    reset(server, before["refresh_token"].as_str().unwrap(), NEW).problem(401);
    let answer = reset(server, token, NEW).expect(200);
    assert_eq!(
        answer.json(),
        json!({"success": true, "message": "The password is set; sign in with it", "data": null})
    );
    reset(server, token, "Yet3another").problem(401);
    sign_in(server, "uma_user", PASSWORD).problem(401);
    sign_in(server, "uma_user", NEW).expect(200);
    let access = before["access_token"].as_str().unwrap();
    wait_for("the end of the old token", Duration::from_secs(2), || {
        (server.get("/api/v1/users/me").bearer(access).send().status == 401).then_some(())
    });
    let body = json!({"refresh_token": before["refresh_token"]});
    server.post("/api/v1/auth/refresh").json(&body).send().problem(401);
    assert!(browser.get("/admin/account").leads_to().starts_with("/admin/login"));
    let told = mail_to(server.place(), "uma_user@example.com", "Your password");
    assert!(
        told.text.contains("The password of uma_user was changed on") && !told.text.contains(" by "),
        "{}",
        told.text
    );
    assert_eq!(told.link(), format!("{}/admin/forgotten", server.url));
    // Who was not let in any more stays out, also with a link from before.
    forgot(server, "otto_other@example.com");
    let link = mail_to(server.place(), "otto_other@example.com", "Reset your password").link();
    server.admin().patch("/api/v1/users/3", &json!({"is_active": false})).send().expect(200);
    reset(server, taken_apart(server, &link).1, NEW).problem(401);
    // And a link to an address that is theirs no longer opens nothing.
    server
        .admin()
        .patch("/api/v1/users/3", &json!({"is_active": true, "email": "otto@example.com"}))
        .send()
        .expect(200);
    reset(server, taken_apart(server, &link).1, NEW).problem(401);
}

fn links_lead_to_where_the_server_is_and_not_to_what_a_request_says(server: &Server) {
    let body = json!({"email": "uma_user@example.com"});
    for (name, value) in
        [("host", "evil.example"), ("x-forwarded-host", "evil.example"), ("origin", "http://evil.example")]
    {
        let call = server.post("/api/v1/auth/password/forgot").json(&body).header(name, value);
        assert!(matches!(call.send().status, 202 | 400 | 421));
    }
    forgot(server, "uma_user@example.com");
    mail_to(server.place(), "uma_user@example.com", "Reset your password");
    let mut db = server.db();
    wait_for("an empty queue", Duration::from_secs(10), || {
        (db.number("SELECT count(*) AS n FROM jobs") == 0).then_some(())
    });
    for mail in outbox(server.place()) {
        assert!(mail.link().starts_with(&format!("{}/admin/reset?token=", server.url)), "{}", mail.link());
        assert!(!mail.raw.contains("evil"), "{}", mail.raw);
    }
}

fn links_are_those_of_the_base_url(kind: Kind) {
    let server = Place::furnished(kind).with("BASE_URL", "http://stock.example:8443").serve();
    let body = json!({"email": "uma_user@example.com"});
    let call = server.post("/api/v1/auth/password/forgot").json(&body).header("host", "stock.example:8443");
    call.send().expect(202);
    let link = mail_to(server.place(), "uma_user@example.com", "Reset your password").link();
    assert!(link.starts_with("http://stock.example:8443/admin/reset?token="), "{link}");
}

fn a_changed_password_ends_all_that_was_there_and_is_told(server: &Server) {
    let first = sign_in(server, "uma_user", PASSWORD).expect(200).json();
    let second = sign_in(server, "uma_user", PASSWORD).expect(200).json();
    let browser = Visitor::signed_in(server, Who::User);
    let token = first["access_token"].as_str().unwrap();
    let body = json!({"current_password": PASSWORD, "new_password": NEW});
    let answer = server.post("/api/v1/auth/password/change").bearer(token).json(&body).send().expect(200);
    assert_eq!(answer.must("cache-control"), "no-store");
    let fresh = answer.data();
    wait_for("the end of the old tokens", Duration::from_secs(2), || {
        let ended = |pair: &Value| {
            server.get("/api/v1/users/me").bearer(pair["access_token"].as_str().unwrap()).send().status == 401
        };
        (ended(&first) && ended(&second)).then_some(())
    });
    for pair in [&first, &second] {
        let body = json!({"refresh_token": pair["refresh_token"]});
        server.post("/api/v1/auth/refresh").json(&body).send().problem(401);
    }
    assert!(browser.get("/admin/account").leads_to().starts_with("/admin/login"));
    server.get("/api/v1/users/me").bearer(fresh["access_token"].as_str().unwrap()).send().expect(200);
    server.post("/api/v1/auth/refresh").json(&json!({"refresh_token": fresh["refresh_token"]})).send().expect(200);
    let told = mail_to(server.place(), "uma_user@example.com", "Your password");
    assert!(told.text.contains("from the address 127.0.0.1"), "{}", told.text);
    // By somebody else, who is named.
    server.place().run_with_input(&["user", "passwd", "3", "--password-stdin"], NEW.as_bytes()).expect(0);
    let told = mail_to(server.place(), "otto_other@example.com", "Your password");
    assert!(told.text.contains("by operator"), "{}", told.text);
}

fn a_change_needs_the_right_password_and_a_good_new_one(server: &Server) {
    let change = |body: Value| server.user().post("/api/v1/auth/password/change", &body).send();
    change(json!({})).refused_at(&["current_password", "new_password"]);
    change(json!({"current_password": "Wrong1password", "new_password": NEW})).refused_at(&["current_password"]);
    change(json!({"current_password": PASSWORD, "new_password": "weak"})).refused_at(&["new_password"]);
    change(json!({"current_password": PASSWORD, "new_password": PASSWORD})).refused_at(&["new_password"]);
    change(json!({"current_password": 5, "new_password": null})).refused_at(&["current_password", "new_password"]);
    server
        .post("/api/v1/auth/password/change")
        .json(&json!({"current_password": PASSWORD, "new_password": NEW}))
        .send()
        .problem(401);
    sign_in(server, "uma_user", PASSWORD).expect(200);
    assert!(outbox(server.place()).is_empty());
}

fn the_pages_reset_a_forgotten_password(server: &Server) {
    let visitor = Visitor::stranger(server);
    let links = visitor.get("/admin/login").page.links();
    assert!(links.iter().any(|l| l == "/admin/forgotten"), "{links:?}");
    let empty = visitor.fill_in("/admin/forgotten", &[("email", "  ")]).expect(422);
    assert!(empty.page.error_at("email").is_some());
    let known = visitor.fill_in("/admin/forgotten", &[("email", "uma_user@example.com")]).expect(200);
    let unknown = visitor.fill_in("/admin/forgotten", &[("email", "nobody@example.com")]).expect(200);
    known.says("Look into your mail");
    assert_eq!(known.page.text().replace("uma_user", "nobody"), unknown.page.text());
    let link = mail_to(server.place(), "uma_user@example.com", "Reset your password").link();
    let (path, _) = taken_apart(server, &link);
    let shown = visitor.get(path).expect(200);
    let mut form = shown.page.form("/admin/reset");
    form.set("new_password", "weak");
    let refused = visitor.submit(&form).expect(422);
    assert!(refused.page.error_at("new_password").is_some());
    let mut form = refused.page.form("/admin/reset");
    form.set("new_password", NEW);
    // It leads to the sign-in: a link in a mail is not the whole proof where there is a second factor.
    assert_eq!(visitor.submit(&form).leads_to(), "/admin/login");
    visitor.get("/admin/login").expect(200).says("Your password is set");
    visitor.get(path).expect(404).says("Send me a new link");
    visitor.sign_in("uma_user", NEW).leads_to();
}

fn of_one_link_used_by_many_at_once_one_counts(server: &Server) {
    forgot(server, "uma_user@example.com");
    let link = mail_to(server.place(), "uma_user@example.com", "Reset your password").link();
    let (_, token) = taken_apart(server, &link);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let calls: Vec<_> =
            (0..12).map(|n| scope.spawn(move || reset(server, token, &format!("Number{n}password")).status)).collect();
        calls.into_iter().map(|c| c.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|s| matches!(s, 200 | 401)), "{statuses:?}");
}

fn the_queue_holds_no_secret_and_is_empty_when_all_is_done(server: &Server) {
    invite(server, "ann");
    forgot(server, "uma_user@example.com");
    mail_to(server.place(), "uma_user@example.com", "Reset your password");
    let mut db = server.db();
    wait_for("an empty queue", Duration::from_secs(10), || {
        (db.number("SELECT count(*) AS n FROM jobs") == 0).then_some(())
    });
}

fn mail_goes_out_by_smtp(kind: Kind) {
    let sink = Sink::start(Mood::Takes);
    let place = Place::furnished(kind).with("SMTP_URL", sink.url()).with("MAIL_FROM", "The Shop <shop@stock.example>");
    let server = place.serve();
    register(&server, "ann");
    let mail = wait_for("the mail", Duration::from_secs(10), || sink.mails().pop());
    assert_eq!(mail.header("From"), r#""The Shop" <shop@stock.example>"#);
    assert_eq!(mail.header("To"), "ann@example.com");
    assert!(mail.header("Message-ID").ends_with("@stock.example>"), "{}", mail.raw);
    assert!(!server.place().path("data/mail").exists(), "with a mail server there is no folder");
}

fn a_mail_server_that_is_down_keeps_nobody_waiting_and_loses_nothing(kind: Kind) {
    // A port that nobody listens on, yet.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let server = Place::furnished(kind).with("SMTP_URL", format!("smtp://127.0.0.1:{port}")).serve();
    let asked = Instant::now();
    register(&server, "ann");
    server.admin().post("/api/v1/users", &json!({"email": "bob@example.com", "username": "bob"})).send().expect(201);
    assert!(asked.elapsed() < Duration::from_secs(5), "nobody waits for mail");
    let mut db = server.db();
    wait_for("a first attempt", Duration::from_secs(10), || {
        (db.number("SELECT count(*) AS n FROM jobs WHERE error IS NOT NULL") == 2).then_some(())
    });
    let kept = db.texts("SELECT payload AS s FROM jobs ORDER BY id");
    assert_eq!(kept, [r#"{"user_id":5}"#, r#"{"user_id":6,"invited_by":"ada_admin"}"#], "no link, no address");
    let sink = Sink::on(TcpListener::bind(("127.0.0.1", port)).unwrap(), Mood::Takes);
    let mails = wait_for("both mails", Duration::from_secs(30), || Some(sink.mails()).filter(|m| m.len() == 2));
    let link = mails.iter().find(|m| m.header("Subject").starts_with("Invitation")).unwrap().link();
    Visitor::stranger(&server).get(taken_apart(&server, &link).0).expect(200);
}

fn mail_survives_a_killed_server(kind: Kind) {
    let sink = Sink::start(Mood::Silent);
    let server = Place::furnished(kind).with("SMTP_URL", sink.url()).serve();
    register(&server, "ann");
    wait_for("an offer", Duration::from_secs(10), || (sink.offered() > 0).then_some(()));
    let place = server.kill();
    let after = Sink::start(Mood::Takes);
    if kind == Kind::Postgres {
        // Another replica might hold the lease; here nobody does, and nobody waits two minutes for it.
        place.db().execute("UPDATE jobs SET run_at = 0");
    }
    let _server = place.with("SMTP_URL", after.url()).serve();
    let mail = wait_for("the mail", Duration::from_secs(15), || after.mails().pop());
    assert!(mail.header("Subject").starts_with("Welcome"));
}

fn what_the_mail_server_refuses_for_good_is_parked_with_its_reason(kind: Kind) {
    let sink = Sink::start(Mood::Never);
    let server = Place::furnished(kind).with("SMTP_URL", sink.url()).serve();
    register(&server, "ann");
    let mut db = server.db();
    wait_for("a parked job", Duration::from_secs(10), || {
        (db.number("SELECT count(*) AS n FROM jobs WHERE parked_at IS NOT NULL AND lease IS NULL") == 1).then_some(())
    });
    let error = db.texts("SELECT error AS s FROM jobs").remove(0);
    assert!(error.contains("550") || error.contains("never"), "{error}");
    // It keeps nobody else from being written to.
    sink.set(Mood::Takes);
    register(&server, "bob");
    wait_for("bob's mail", Duration::from_secs(10), || sink.mails().pop());
    assert_eq!(sink.offered(), 2);
}

fn what_it_refuses_for_now_is_tried_again(kind: Kind) {
    let sink = Sink::start(Mood::NotNow);
    let server = Place::furnished(kind).with("SMTP_URL", sink.url()).serve();
    register(&server, "ann");
    let mut db = server.db();
    wait_for("a failed attempt", Duration::from_secs(10), || {
        (db.number("SELECT count(*) AS n FROM jobs WHERE error IS NOT NULL AND attempts = 1") == 1).then_some(())
    });
    sink.set(Mood::Takes);
    wait_for("the mail", Duration::from_secs(20), || sink.mails().pop());
    wait_for("an empty queue", Duration::from_secs(10), || {
        (db.number("SELECT count(*) AS n FROM jobs") == 0).then_some(())
    });
    assert_eq!(sink.mails().len(), 1);
}

fn at_the_end_of_the_server_jobs_go_back_to_the_queue(kind: Kind) {
    let sink = Sink::start(Mood::Silent);
    let server = Place::furnished(kind).with("SMTP_URL", sink.url()).serve();
    register(&server, "ann");
    wait_for("an offer", Duration::from_secs(10), || (sink.offered() > 0).then_some(()));
    let (code, place) = server.stop();
    assert_eq!(code, 0);
    let mut db = place.db();
    assert_eq!(db.number("SELECT count(*) AS n FROM jobs WHERE lease IS NULL AND attempts = 0"), 1);
}

/// Two servers share one queue; each mail goes out once.
#[test]
#[ignore = "needs PostgreSQL: tests/run"]
fn two_servers_on_one_database_share_the_queue() {
    let sink = Sink::start(Mood::Takes);
    let place = Place::furnished(Kind::Postgres).with("SMTP_URL", sink.url());
    let second = place.beside().serve();
    let first = place.serve();
    std::thread::scope(|scope| {
        for n in 0..30 {
            let server = if n % 2 == 0 { &first } else { &second };
            scope.spawn(move || register(server, &format!("user_{n}")));
        }
    });
    let mails = wait_for("thirty mails", Duration::from_secs(20), || Some(sink.mails()).filter(|m| m.len() >= 30));
    let mut db = first.db();
    wait_for("an empty queue", Duration::from_secs(10), || {
        (db.number("SELECT count(*) AS n FROM jobs") == 0).then_some(())
    });
    let mut to: Vec<_> = mails.iter().map(|m| m.header("To")).collect();
    to.sort();
    to.dedup();
    assert_eq!((to.len(), sink.mails().len()), (30, 30), "each once");
}
