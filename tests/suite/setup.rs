//! The first run: a link on the terminal makes the first admin, once.

use crate::support::{Kind, Place, Server, Visitor, on_each_database, server::PASSWORD, wait_for};
use std::time::Duration;

on_each_database! {
    the_link_on_the_terminal_makes_the_first_admin_once,
    a_wrong_form_at_setup_says_what_is_wrong_and_can_be_sent_again,
    without_the_right_token_there_is_no_setup,
    with_a_user_there_is_no_link,
}

/// The path of the link that the server printed.
fn link(server: &Server) -> String {
    wait_for("the line `First run: …`", Duration::from_secs(5), || {
        let printed = server.printed();
        let line = printed.lines().find(|l| l.contains("First run: make the first admin at "))?.to_owned();
        let url = line.split(" at ").nth(1).unwrap().trim().to_owned();
        Some(url.strip_prefix(&server.url).unwrap_or_else(|| panic!("the link leads here: {url}")).to_owned())
    })
}

fn the_link_on_the_terminal_makes_the_first_admin_once(kind: Kind) {
    let server = Place::empty(kind).serve();
    let link = link(&server);
    assert!(link.starts_with("/admin/setup?token=") && link.len() > 40, "{link}");
    let visitor = Visitor::stranger(&server);
    let mut form = visitor.get(&link).expect(200).page.form("/admin/setup");
    form.set("email", "first@example.com").set("username", "first").set("password", PASSWORD);
    let shown = visitor.submit(&form);
    shown.leads_to();
    let token = server.login("first", PASSWORD);
    let me = server.get("/api/v1/users/me").bearer(&token).send().expect(200).data();
    assert_eq!(me["role"], "admin");
    // Once: neither the link nor the form sent again.
    let late = Visitor::stranger(&server);
    assert!(matches!(late.get(&link).answer.status, 303 | 404 | 410), "{}", late.get(&link).answer.status);
    let mut again = form.clone();
    again.set("email", "second@example.com").set("username", "second");
    let status = visitor.submit(&again).answer.status;
    assert!(matches!(status, 303 | 403 | 404 | 410), "{status}");
    assert_eq!(server.db().count("users"), 1);
    let (_, place) = server.stop();
    let server = place.serve();
    server.get("/health/ready").send().expect(200);
    assert!(!server.printed().contains("First run"), "only while there is nobody");
}

fn a_wrong_form_at_setup_says_what_is_wrong_and_can_be_sent_again(kind: Kind) {
    let server = Place::empty(kind).serve();
    let visitor = Visitor::stranger(&server);
    let mut form = visitor.get(&link(&server)).expect(200).page.form("/admin/setup");
    form.set("email", "nobody").set("username", "a b").set("password", "weak");
    let shown = visitor.submit(&form).expect(422);
    for field in ["email", "username", "password"] {
        assert!(shown.page.error_at(field).is_some(), "no error at {field}");
    }
    let mut form = shown.page.form("/admin/setup");
    assert_eq!((form.value("email"), form.value("username")), (Some("nobody"), Some("a b")));
    assert_ne!(form.value("password"), Some("weak"));
    assert_eq!(server.db().count("users"), 0);
    form.set("email", "first@example.com").set("username", "first").set("password", PASSWORD);
    visitor.submit(&form).leads_to();
    assert_eq!(server.db().count("users"), 1);
}

fn without_the_right_token_there_is_no_setup(kind: Kind) {
    let server = Place::empty(kind).serve();
    let link = link(&server);
    let visitor = Visitor::stranger(&server);
    for wrong in ["/admin/setup", "/admin/setup?token=", "/admin/setup?token=x", &link[..link.len() - 1]] {
        let status = visitor.get(wrong).answer.status;
        assert!(matches!(status, 403 | 404), "{wrong}: {status}");
    }
    let mut form = visitor.get(&link).expect(200).page.form("/admin/setup");
    form.set("email", "first@example.com").set("username", "first").set("password", PASSWORD).set("token", "guessed");
    form.action = "/admin/setup".into();
    let status = visitor.submit(&form).answer.status;
    assert!(matches!(status, 403 | 404), "{status}");
    assert_eq!(server.db().count("users"), 0);
}

fn with_a_user_there_is_no_link(kind: Kind) {
    let place = Place::empty(kind);
    place.user("a@example.com", "someone", "admin");
    let server = place.serve();
    server.get("/health/ready").send().expect(200);
    assert!(!server.printed().contains("/admin/setup"), "{}", server.printed());
    let status = server.get("/admin/setup?token=x").send().status;
    assert!(matches!(status, 303 | 403 | 404), "{status}");
}
