//! Users from the command line: the only door to them for now.

use crate::support::{Kind, Place, on_each_database, server::PASSWORD};

on_each_database! {
    create_prints_the_id_and_the_user_can_sign_in,
    a_bad_user_is_refused_with_each_reason_and_nothing_is_made,
    emails_and_usernames_are_unique_without_regard_to_case,
    a_user_is_found_by_email_username_or_id,
    the_last_active_admin_keeps_the_role,
    list_shows_everybody_and_no_hash,
}

fn create(place: &Place, email: &str, username: &str, role: &str, password: &[u8]) -> crate::support::Ran {
    let args = ["user", "create", "--email", email, "--username", username, "--role", role, "--password-stdin"];
    place.run_with_input(&args, password)
}

fn create_prints_the_id_and_the_user_can_sign_in(kind: Kind) {
    let place = Place::empty(kind);
    let ran = create(&place, "  Eve@Example.COM ", "Eve_1", "user", b"Correct1horse\n").expect(0);
    assert_eq!(ran.stdout, "1\n", "the id and nothing else, for scripts");
    let server = place.serve();
    let token = server.login("eve_1", PASSWORD);
    let me = server.get("/api/v1/users/me").bearer(&token).send().expect(200).data();
    assert_eq!(
        (me["email"].as_str(), me["username"].as_str(), me["role"].as_str()),
        (Some("eve@example.com"), Some("Eve_1"), Some("user"))
    );
}

fn a_bad_user_is_refused_with_each_reason_and_nothing_is_made(kind: Kind) {
    let place = Place::empty(kind);
    place.run(&["migrate", "run"]).expect(0);
    let ran = create(&place, "no-at-sign", "a b", "user", b"short").expect(1);
    for field in ["email", "username", "password"] {
        assert!(ran.stderr.contains(field), "{field}: {}", ran.stderr);
    }
    let long_name = "x".repeat(51);
    for username in ["ab", &long_name, "admin", "ROOT", "System", "dash-ed", "ünï"] {
        let ran = create(&place, "a@example.com", username, "user", b"Correct1horse").expect(1);
        assert!(ran.stderr.contains("username"), "{username}: {}", ran.stderr);
    }
    let (too_long, long) = (format!("Aa1{}", "x".repeat(126)), format!("Aa1{}", "x".repeat(125)));
    for password in ["Short1a", "nouppercase1", "NoDigitHere", &too_long, "With1Null\0inside", ""] {
        let ran = create(&place, "a@example.com", "alice", "user", password.as_bytes()).expect(1);
        assert!(ran.stderr.contains("password"), "{password}: {}", ran.stderr);
        assert!(password.is_empty() || !ran.all().contains(password), "a password is never shown");
    }
    create(&place, "a@example.com", "alice", "owner", b"Correct1horse").expect(2);
    assert_eq!(place.db().count("users"), 0);
    assert_eq!(place.db().count("changesets"), 0);
    create(&place, "a@example.com", "abc", "user", b"Short1ab").expect(0);
    create(&place, "b@example.com", &"x".repeat(50), "user", long.as_bytes()).expect(0);
    assert_eq!(place.db().count("users"), 2);
}

fn emails_and_usernames_are_unique_without_regard_to_case(kind: Kind) {
    let place = Place::furnished(kind);
    let ran = create(&place, "UMA_user@example.com", "somebody", "user", b"Correct1horse").expect(1);
    assert!(ran.stderr.contains("e-mail") && !ran.stderr.to_lowercase().contains("constraint"), "{}", ran.stderr);
    let ran = create(&place, "new@example.com", "UMA_USER", "user", b"Correct1horse").expect(1);
    assert!(ran.stderr.contains("name"), "{}", ran.stderr);
    assert_eq!(place.db().count("users"), 4);
}

fn a_user_is_found_by_email_username_or_id(kind: Kind) {
    let place = Place::furnished(kind);
    place.run(&["user", "role", "Uma_User@example.com", "guest"]).expect(0);
    place.run(&["user", "role", "UMA_USER", "admin"]).expect(0);
    place.run(&["user", "role", "2", "user"]).expect(0);
    assert_eq!(place.db().number("SELECT version AS n FROM users WHERE id = 2"), 4, "three writes after the first");
    place.run(&["user", "role", "nobody_here", "user"]).expect(1);
    place.run(&["user", "role", "99", "user"]).expect(1);
    place.run(&["user", "role", "2", "emperor"]).expect(2);
    let ran = place.run_with_input(&["user", "passwd", "2", "--password-stdin"], b"weak").expect(1);
    assert!(ran.stderr.contains("password"), "{}", ran.stderr);
}

fn the_last_active_admin_keeps_the_role(kind: Kind) {
    let place = Place::furnished(kind);
    let ran = place.run(&["user", "role", "ada_admin", "user"]).expect(1);
    assert!(ran.stderr.contains("admin"), "{}", ran.stderr);
    place.run(&["user", "role", "uma_user", "admin"]).expect(0);
    place.run(&["user", "role", "ada_admin", "user"]).expect(0);
    place.run(&["user", "role", "uma_user", "guest"]).expect(1);
    assert_eq!(place.db().number("SELECT count(*) AS n FROM users WHERE role = 'admin'"), 1);
}

fn list_shows_everybody_and_no_hash(kind: Kind) {
    let place = Place::furnished(kind);
    let shown = place.run(&["user", "list"]).expect(0).stdout;
    for who in crate::support::Who::ALL {
        assert!(
            shown.lines().any(|l| l.contains(who.username()) && l.contains(&who.email()) && l.contains(who.role())),
            "{shown}"
        );
    }
    assert!(!shown.contains("$2"), "{shown}");
}
