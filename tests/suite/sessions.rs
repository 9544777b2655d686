//! The account page: profile, password, and the sessions that one is signed in with.

use crate::support::{Server, Visitor, Who, on_both, server::PASSWORD, visitor::Shown, wait_for};
use serde_json::json;
use std::time::Duration;

on_both! {
    one_sees_ones_own_sessions_with_device_address_and_use,
    an_ended_session_opens_nothing_from_then_on,
    nobody_ends_a_session_of_somebody_else,
    what_names_no_session_is_not_found,
    ending_all_others_ends_tokens_too_and_leaves_this_session,
    ending_sessions_needs_a_session_and_its_token,
    ones_own_session_ended_from_the_list_signs_out,
    sessions_that_open_nothing_are_not_listed,
    a_device_is_kept_short_and_shown_as_text,
    a_session_of_an_ended_id_is_never_taken_up_again,
    a_new_password_ends_every_other_session_and_token,
    a_password_is_changed_only_by_who_knows_it,
    a_session_that_goes_on_under_a_new_key_does_not_begin_anew,
    a_profile_is_saved_with_its_mistakes_shown,
    a_profile_keeps_what_an_admin_changed_meanwhile,
    a_profile_conflict_is_told_at_its_field,
    nobody_raises_themselves_through_the_profile,
}

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                      Version/19.1 Mobile/15E148 Safari/604.1";
const ACCOUNT: &str = "/admin/account";
const END: &str = "/admin/account/sessions/end";
const OTHERS: &str = "/admin/account/sessions/end-others";
const NEW: &str = "Another2horse";

fn signed_in<'a>(server: &'a Server, who: Who, agent: &str) -> Visitor<'a> {
    let visitor = Visitor::in_browser(server, agent);
    visitor.sign_in(who.username(), PASSWORD).leads_to();
    visitor
}

fn account(visitor: &Visitor) -> Shown {
    visitor.get(ACCOUNT).expect(200)
}

fn is_in(visitor: &Visitor) -> bool {
    visitor.get(ACCOUNT).answer.status == 200
}

/// The public ids of the sessions that can be ended in the list.
fn endable(visitor: &Visitor) -> Vec<String> {
    let forms = account(visitor).page.forms();
    forms.iter().filter(|f| f.action == END).map(|f| f.value("session").unwrap().to_owned()).collect()
}

fn end(visitor: &Visitor, id: &str) -> Shown {
    let csrf = account(visitor).page.form(OTHERS).value("_csrf").unwrap().to_owned();
    visitor.post(END, &[("_csrf".into(), csrf), ("session".into(), id.into())])
}

fn cookie(visitor: &Visitor) -> String {
    visitor.cookies.lock().unwrap()["stockroom_session"].clone()
}

fn tokens(server: &Server, who: Who) -> (String, String) {
    let body = json!({"username": who.username(), "password": PASSWORD});
    let tokens = server.post("/api/v1/auth/login").json(&body).send().expect(200).json();
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

/// Within a second, as contract 3 has it; the rest is for the machine.
#[track_caller]
fn tokens_end(server: &Server, (access, refresh): &(String, String)) {
    wait_for("the end of the access token", Duration::from_millis(1_500), || {
        (server.get("/api/v1/users/me").bearer(access).send().status == 401).then_some(())
    });
    server.post("/api/v1/auth/refresh").json(&json!({"refresh_token": refresh})).send().problem(401);
}

fn one_sees_ones_own_sessions_with_device_address_and_use(server: &Server) {
    let desk = signed_in(server, Who::User, FIREFOX);
    let phone = signed_in(server, Who::User, IPHONE);
    signed_in(server, Who::Other, "curl/8.14");
    let seen = |visitor: &Visitor| {
        let page = account(visitor).page;
        let (at, _) = page.elements("ul").find(|(_, a)| a.get("class").is_some_and(|c| c == "devices")).unwrap();
        page.text_at(at).replace("127.0.0.1", "[address]")
    };
    assert_eq!(
        seen(&desk),
        "Firefox on Linux This session [address] · signed in just now Safari on iPhone [address] · signed in just now · \
         last used just now End the session Safari on iPhone, signed in just now"
    );
    assert!(seen(&phone).starts_with("Safari on iPhone This session"), "{}", seen(&phone));
    assert_eq!(endable(&desk).len(), 1);
}

fn an_ended_session_opens_nothing_from_then_on(server: &Server) {
    let desk = signed_in(server, Who::User, FIREFOX);
    let phone = signed_in(server, Who::User, IPHONE);
    let tablet = signed_in(server, Who::User, "curl/8.14");
    let ids = endable(&desk);
    let hashes = server.db().texts("SELECT key_hash AS s FROM sessions");
    let source = account(&desk).page.source;
    for hash in &hashes {
        assert!(!source.contains(hash.as_str()), "the page gives the hash of a key away");
    }
    for id in &ids {
        assert!(id.len() == 16 && hashes.iter().any(|hash| hash.starts_with(id.as_str())), "{id}");
    }
    let of_phone = endable(&tablet).into_iter().find(|id| !endable(&phone).contains(id)).unwrap();
    let shown = end(&desk, &of_phone);
    assert_eq!(shown.leads_to(), "/admin/account#sessions");
    account(&desk).says("Ended the session");
    assert!(!is_in(&phone), "the ended session still opens the account");
    assert!(is_in(&desk) && is_in(&tablet));
    // Again: it has ended already, which is what was wanted.
    end(&desk, &of_phone).leads_to();
}

fn nobody_ends_a_session_of_somebody_else(server: &Server) {
    let mine = signed_in(server, Who::User, FIREFOX);
    signed_in(server, Who::User, IPHONE);
    let of_mine = endable(&mine).remove(0);
    let thief = signed_in(server, Who::Admin, FIREFOX);
    let before = server.db().count("sessions");
    end(&thief, &of_mine).leads_to();
    assert_eq!(server.db().count("sessions"), before);
    thief.submit(&account(&thief).page.form(OTHERS)).leads_to();
    assert!(is_in(&mine), "ending one's own others touched those of somebody else");
}

fn what_names_no_session_is_not_found(server: &Server) {
    let visitor = signed_in(server, Who::User, FIREFOX);
    signed_in(server, Who::User, IPHONE);
    for id in ["", "%", "%%%%%%%%%%%%%%%%", "________________", "0123456789ABCDEF", "../../../../etc/"] {
        end(&visitor, id).expect(404);
    }
    assert_eq!(server.db().count("sessions"), 2);
}

fn ending_all_others_ends_tokens_too_and_leaves_this_session(server: &Server) {
    let desk = signed_in(server, Who::User, FIREFOX);
    let phone = signed_in(server, Who::User, IPHONE);
    let bystander = signed_in(server, Who::Other, FIREFOX);
    let (theirs, bystanders) = (tokens(server, Who::User), tokens(server, Who::Other));
    account(&desk).says("API keys stay");
    let old = cookie(&desk);
    desk.submit(&account(&desk).page.form(OTHERS)).leads_to();
    tokens_end(server, &theirs);
    assert!(!is_in(&phone) && is_in(&bystander));
    server.get("/api/v1/users/me").bearer(&bystanders.0).send().expect(200);
    assert_eq!(endable(&desk), Vec::<String>::new());
    account(&desk).says("There is no other session");
    assert_ne!(cookie(&desk), old, "a copy of this session's cookie must end too");
    let copy = Visitor::stranger(server);
    copy.cookies.lock().unwrap().insert("stockroom_session".into(), old);
    assert!(!is_in(&copy));
    let said = server.db().texts("SELECT summary AS s FROM changesets ORDER BY id DESC LIMIT 1");
    assert_eq!(said, ["Ended the sessions of uma_user"]);
    server.login(Who::User.username(), PASSWORD);
}

fn ending_sessions_needs_a_session_and_its_token(server: &Server) {
    let desk = signed_in(server, Who::User, FIREFOX);
    let phone = signed_in(server, Who::User, IPHONE);
    let stranger = Visitor::stranger(server);
    for (path, fields) in [(OTHERS, vec![]), (END, vec![("session".to_owned(), endable(&desk).remove(0))])] {
        desk.post(path, &fields).expect(403);
        assert!(stranger.post(path, &fields).leads_to().starts_with("/admin/login"));
    }
    assert!(is_in(&desk) && is_in(&phone));
}

fn ones_own_session_ended_from_the_list_signs_out(server: &Server) {
    let visitor = signed_in(server, Who::User, FIREFOX);
    let hash = server.db().texts("SELECT key_hash AS s FROM sessions").remove(0);
    assert_eq!(end(&visitor, &hash[..16]).leads_to(), "/admin/login");
    assert_eq!(server.db().count("sessions"), 0);
    assert!(!is_in(&visitor));
}

fn sessions_that_open_nothing_are_not_listed(server: &Server) {
    let desk = signed_in(server, Who::User, FIREFOX);
    signed_in(server, Who::User, IPHONE);
    signed_in(server, Who::User, "curl/8.14");
    assert_eq!(endable(&desk).len(), 2);
    server.db().execute("UPDATE sessions SET expires_at = created_at WHERE device LIKE 'curl%'");
    assert_eq!(endable(&desk).len(), 1);
    server.run(&["user", "role", Who::User.username(), "guest"]).expect(0);
    let again = signed_in(server, Who::User, FIREFOX);
    assert_eq!(endable(&again), Vec::<String>::new(), "a session of before the change of role is listed");
}

fn a_device_is_kept_short_and_shown_as_text(server: &Server) {
    let other = signed_in(server, Who::User, &format!("<b onclick=alert(1)>\t{}", "ü".repeat(400)));
    let kept = server.db().texts("SELECT device AS s FROM sessions").remove(0);
    assert_eq!(kept.chars().count(), 300);
    assert!(!kept.chars().any(char::is_control), "{kept:?}");
    let source = account(&other).page.source;
    assert!(!source.contains("<b onclick") && source.contains("ü"), "{source}");
    let silent = Visitor::signed_in(server, Who::User);
    account(&silent).says("Unknown device");
}

fn a_session_of_an_ended_id_is_never_taken_up_again(server: &Server) {
    let visitor = signed_in(server, Who::User, FIREFOX);
    let ended = cookie(&visitor);
    visitor.submit(&account(&visitor).page.form("/admin/logout")).leads_to();
    assert_eq!(server.db().count("sessions"), 0, "signing out ends the session on the server");
    // The cookie is signed by the server itself, and yet names nothing.
    let planted = Visitor::stranger(server);
    planted.cookies.lock().unwrap().insert("stockroom_session".into(), ended.clone());
    assert!(!is_in(&planted));
    planted.sign_in(Who::User.username(), PASSWORD).leads_to();
    assert_ne!(cookie(&planted), ended);
    let copy = Visitor::stranger(server);
    copy.cookies.lock().unwrap().insert("stockroom_session".into(), ended);
    assert!(!is_in(&copy));
}

/// Fills the form of the password in.
fn change(visitor: &Visitor, current: &str, new: &str) -> Shown {
    let mut form = account(visitor).page.form("/admin/account/password");
    form.set("current_password", current).set("new_password", new);
    visitor.submit(&form)
}

fn a_new_password_ends_every_other_session_and_token(server: &Server) {
    let desk = signed_in(server, Who::User, FIREFOX);
    let phone = signed_in(server, Who::User, IPHONE);
    let theirs = tokens(server, Who::User);
    let old = cookie(&desk);
    assert_eq!(change(&desk, PASSWORD, NEW).leads_to(), ACCOUNT);
    account(&desk).says("Every other session has ended");
    tokens_end(server, &theirs);
    assert!(!is_in(&phone));
    assert_ne!(cookie(&desk), old);
    let said = server.db().texts("SELECT summary AS s FROM changesets ORDER BY id DESC LIMIT 1");
    assert_eq!(said, ["Changed the password of uma_user"]);
    let stranger = Visitor::stranger(server);
    stranger.sign_in(Who::User.username(), PASSWORD).expect(401);
    stranger.sign_in(Who::User.username(), NEW).leads_to();
    // A new password may begin and end as it likes: it is not trimmed.
    assert_eq!(change(&desk, NEW, " Spaces3around ").leads_to(), ACCOUNT);
    server.login(Who::User.username(), " Spaces3around ");
}

fn a_password_is_changed_only_by_who_knows_it(server: &Server) {
    let visitor = signed_in(server, Who::User, FIREFOX);
    let hash = |server: &Server| server.db().texts("SELECT password_hash AS s FROM users WHERE id = 2");
    let before = hash(server);
    for (current, new, field, error) in [
        ("Wrong1horse", NEW, "current_password", "Is not your password"),
        ("", NEW, "current_password", "Is required"),
        (PASSWORD, "", "new_password", "Is required"),
        (PASSWORD, PASSWORD, "new_password", "Must be another than the current one"),
        (PASSWORD, "short1A", "new_password", "Must have 8 to 128 characters"),
        (PASSWORD, "nodigitsHere", "new_password", "Must have at least one upper-case letter and one digit"),
    ] {
        let shown = change(&visitor, current, new).expect(422);
        let said = shown.page.error_at(field).unwrap_or_else(|| panic!("no error at {field}"));
        assert!(said.starts_with(error), "{said}");
        for typed in [current, new].iter().filter(|typed| !typed.is_empty()) {
            assert!(!shown.page.source.contains(*typed), "the page shows a password again");
        }
    }
    assert_eq!(hash(server), before);
    assert_eq!(visitor.get("/admin/account/password").leads_to(), "/admin/account#password");
}

fn a_session_that_goes_on_under_a_new_key_does_not_begin_anew(server: &Server) {
    let visitor = signed_in(server, Who::User, FIREFOX);
    server.db().execute("UPDATE sessions SET created_at = created_at - 7200000000");
    let kept = |server: &Server| {
        let mut db = server.db();
        (db.number("SELECT created_at AS n FROM sessions"), db.texts("SELECT device AS s FROM sessions"))
    };
    let before = kept(server);
    change(&visitor, PASSWORD, NEW).leads_to();
    assert_eq!(kept(server), before);
    visitor.submit(&account(&visitor).page.form(OTHERS)).leads_to();
    assert_eq!(kept(server), before);
    let state = server.db().texts("SELECT state AS s FROM sessions").remove(0);
    assert!(!state.contains("Firefox") && !state.contains("begun"), "what has its column is kept twice: {state}");
}

fn a_profile_is_saved_with_its_mistakes_shown(server: &Server) {
    let visitor = signed_in(server, Who::User, FIREFOX);
    let shown = visitor
        .fill_in(ACCOUNT, &[("username", "x"), ("full_name", "Uma U."), ("age", "151"), ("website", "ftp://a.example")])
        .expect(422);
    for field in ["username", "age", "website"] {
        assert!(shown.page.error_at(field).is_some(), "no error at {field}");
    }
    assert_eq!(shown.page.form(ACCOUNT).value("full_name"), Some("Uma U."));
    let taken = visitor.fill_in(ACCOUNT, &[("username", "ADA_admin")]).expect(409);
    assert!(taken.page.error_at("username").unwrap().contains("exists already"));
    let fine = [("username", "uma_2"), ("full_name", "Uma U."), ("age", "41"), ("website", "https://uma.example")];
    assert_eq!(visitor.fill_in(ACCOUNT, &fine).leads_to(), ACCOUNT);
    let form = account(&visitor).page.form(ACCOUNT);
    for (field, value) in fine {
        assert_eq!(form.value(field), Some(value));
    }
    visitor.fill_in(ACCOUNT, &[("full_name", ""), ("age", ""), ("website", "")]).leads_to();
    let user = server.admin().get("/api/v1/users/2").send().expect(200).data();
    assert_eq!((&user["full_name"], &user["age"], &user["website"]), (&json!(null), &json!(null), &json!(null)));
}

fn a_profile_keeps_what_an_admin_changed_meanwhile(server: &Server) {
    let visitor = signed_in(server, Who::User, FIREFOX);
    let mut form = account(&visitor).page.form(ACCOUNT);
    server.admin().patch("/api/v1/users/2", &json!({"full_name": "Uma Admin-Given"})).send().expect(200);
    form.set("age", "33");
    assert_eq!(visitor.submit(&form).leads_to(), ACCOUNT);
    let user = server.admin().get("/api/v1/users/2").send().expect(200).data();
    assert_eq!((&user["full_name"], &user["age"]), (&json!("Uma Admin-Given"), &json!(33)));
}

fn a_profile_conflict_is_told_at_its_field(server: &Server) {
    let visitor = signed_in(server, Who::User, FIREFOX);
    let mut form = account(&visitor).page.form(ACCOUNT);
    server.admin().patch("/api/v1/users/2", &json!({"full_name": "Theirs", "age": 50})).send().expect(200);
    form.set("full_name", "Mine");
    let shown = visitor.submit(&form).expect(409);
    assert!(shown.page.error_at("full_name").unwrap().contains("“Theirs”"));
    let again = shown.page.form(ACCOUNT);
    assert_eq!((again.value("full_name"), again.value("age")), (Some("Mine"), Some("50")));
    visitor.submit(&again).leads_to();
    let user = server.admin().get("/api/v1/users/2").send().expect(200).data();
    assert_eq!((&user["full_name"], &user["age"]), (&json!("Mine"), &json!(50)));
}

fn nobody_raises_themselves_through_the_profile(server: &Server) {
    let visitor = signed_in(server, Who::User, FIREFOX);
    for (field, value) in [("role", "admin"), ("email", "other@example.com"), ("is_active", "false"), ("id", "1")] {
        let mut form = account(&visitor).page.form(ACCOUNT);
        form.add(field, value).set("full_name", "Uma");
        visitor.submit(&form).expect(403).says(field);
    }
    let user = server.admin().get("/api/v1/users/2").send().expect(200).data();
    assert_eq!(
        (&user["role"], &user["email"], &user["is_active"], &user["full_name"]),
        (&json!("user"), &json!("uma_user@example.com"), &json!(true), &json!(null))
    );
}
