//! Two-factor sign-in: set up in the account, asked for at both doors, and the ways out of it.

use crate::support::{
    Answer, Kind, Place, Server, Visitor, Who, data::shape, html::Page, mail::mail_to, on_both, server::PASSWORD,
    wait_for,
};
use insta::{allow_duplicates, assert_snapshot};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use totp_rs::{Builder, Secret, Totp};

on_both! {
    setting_up_takes_the_password_and_the_first_code,
    the_page_to_set_it_up_shows_one_secret_as_picture_and_text,
    until_it_is_confirmed_nothing_asks_for_it,
    an_offer_of_an_hour_ago_is_none,
    the_api_asks_for_the_code,
    a_wrong_password_is_answered_as_ever,
    a_code_is_good_once,
    codes_of_the_step_before_and_after_are_taken_and_no_others,
    of_20_uses_of_one_code_at_once_one_counts,
    of_20_uses_of_one_recovery_code_at_once_one_counts,
    a_recovery_code_is_good_once_however_it_is_typed,
    the_pages_ask_for_the_code_after_the_password,
    a_recovery_code_opens_the_pages_too,
    a_right_password_alone_opens_nothing,
    after_five_wrong_codes_the_password_is_asked_for_again,
    after_five_minutes_the_password_is_asked_for_again,
    what_changes_between_the_pages_ends_the_sign_in,
    turning_it_on_ends_every_other_session_and_token,
    a_refresh_needs_no_code,
    wrong_codes_make_the_account_wait_whatever_the_password,
    wrong_codes_in_the_account_wait_too,
    turning_it_off_takes_the_password_and_a_code,
    new_recovery_codes_end_the_old_ones,
    what_is_done_is_recorded_without_secrets,
    nothing_secret_is_kept_or_logged_in_plain,
    a_secret_counts_only_for_its_user,
    a_password_reset_by_mail_does_not_go_around_it,
    the_operator_can_turn_it_off,
    a_removed_user_leaves_nothing_behind,
    forms_for_another_state_lead_back,
}

const PATH: &str = "/admin/account/two-factor";

/// Somebody with two-factor sign-in: the session that turned it on, the app, the recovery codes.
struct Guarded<'a> {
    visitor: Visitor<'a>,
    app: Totp,
    secret: String,
    codes: Vec<String>,
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The app's code of so many steps from now.
fn code(app: &Totp, steps: i64) -> String {
    app.generate(seconds().saturating_add_signed(30 * steps)).to_string()
}

/// A code that no step near this one has.
fn wrong_code(app: &Totp) -> String {
    let near: Vec<String> = (-3..=3).map(|steps| code(app, steps)).collect();
    (0..).map(|n| format!("{n:06}")).find(|code| !near.contains(code)).unwrap()
}

/// As if no step had been used yet: a test signs in more often than twice a minute.
fn forget_steps(server: &Server) {
    server.db().execute("UPDATE second_factors SET last_step = 0");
}

/// Begins to set it up: what the page shows for typing, and the app that has it.
fn begin(visitor: &Visitor) -> (String, Totp) {
    let form = visitor.get(PATH).expect(200).page.form("/admin/account/two-factor/begin");
    assert_eq!(visitor.submit(&form).leads_to(), PATH);
    let page = visitor.get(PATH).expect(200).page;
    let text = page.by_id("secret").expect("the secret as text");
    (text.clone(), app_of(&text))
}

fn app_of(text: &str) -> Totp {
    let secret = Secret::try_from_base32(text.replace(' ', "")).unwrap();
    Builder::new().with_secret(secret).with_account_name("me").build().unwrap()
}

fn set_up(server: &Server, who: Who) -> Guarded<'_> {
    let visitor = Visitor::signed_in(server, who);
    let (secret, app) = begin(&visitor);
    let shown = visitor.fill_in(PATH, &[("code", &code(&app, 0)), ("password", PASSWORD)]).expect(200);
    let codes = recovery_codes(&shown.page);
    assert_eq!(codes.len(), 10);
    forget_steps(server);
    Guarded { visitor, app, secret, codes }
}

fn recovery_codes(page: &Page) -> Vec<String> {
    page.elements("code").map(|(at, _)| page.text_at(at)).collect()
}

fn sign_in(server: &Server, who: Who, otp: Option<&str>) -> Answer {
    let mut body = json!({"username": who.username(), "password": PASSWORD});
    if let Some(otp) = otp {
        body["otp"] = json!(otp);
    }
    server.post("/api/v1/auth/login").json(&body).send()
}

/// 401 of this kind, with what a client needs to go on.
#[track_caller]
fn refused(answer: Answer, kind: &str) -> Value {
    assert_eq!(answer.must("www-authenticate"), "Bearer");
    assert_eq!(answer.must("cache-control"), "no-store");
    let problem = answer.problem(401);
    assert_eq!(problem["error_type"], kind, "{problem}");
    problem
}

fn setting_up_takes_the_password_and_the_first_code(server: &Server) {
    let visitor = Visitor::signed_in(server, Who::User);
    visitor.get("/admin/account").says("Two-factor sign-in");
    visitor.get(PATH).says("Your password alone signs you in");
    let (_, app) = begin(&visitor);
    let right = code(&app, 0);
    for (typed, password, wrong) in [
        ("", "", vec!["code", "password"]),
        (right.as_str(), "", vec!["password"]),
        ("", PASSWORD, vec!["code"]),
        (&right, "Wrong1horse", vec!["password"]),
        (&wrong_code(&app), PASSWORD, vec!["code"]),
        ("12345", PASSWORD, vec!["code"]),
        ("aaaaa-aaaaa-aaaaa", PASSWORD, vec!["code"]),
    ] {
        let page = visitor.fill_in(PATH, &[("code", typed), ("password", password)]).expect(422).page;
        for field in ["code", "password"] {
            assert_eq!(page.error_at(field).is_some(), wrong.contains(&field), "{typed} {password}: {field}");
        }
        assert!(!page.source.contains("Wrong1horse"), "a password is not sent back");
    }
    sign_in(server, Who::User, None).expect(200);
    // A code that was typed beside a wrong password was not used up.
    let shown = visitor.fill_in(PATH, &[("code", &right), ("password", PASSWORD)]).expect(200);
    assert!(shown.answer.must("cache-control").contains("no-store"));
    shown.says("Two-factor sign-in is on");
    let codes: BTreeSet<String> = recovery_codes(&shown.page).into_iter().collect();
    assert_eq!(codes.len(), 10);
    for code in &codes {
        assert!(shown.page.source.contains(&format!("%0A{code}")), "{code} is in the file too");
    }
    let state = visitor.get(PATH).expect(200);
    state.says("10 of 10 are left");
    for code in &codes {
        assert!(!state.page.source.contains(code), "codes are shown once");
    }
    assert!(state.page.by_id("secret").is_none(), "nor is the secret shown again");
    visitor.get("/admin/account").expect(200).says("On Manage");
}

fn the_page_to_set_it_up_shows_one_secret_as_picture_and_text(server: &Server) {
    let visitor = Visitor::signed_in(server, Who::User);
    let (text, _) = begin(&visitor);
    let shown = visitor.get(PATH).expect(200);
    assert!(shown.answer.must("cache-control").contains("no-store"));
    assert_eq!(text.len(), 39, "160 bits in groups of four: {text}");
    let url = shown.page.links().into_iter().find(|link| link.starts_with("otpauth://")).expect("a link for the app");
    let of_url = Totp::from_url(&url).unwrap();
    assert_eq!(of_url.secret().to_base32(), text.replace(' ', ""));
    assert_eq!((of_url.issuer(), of_url.account_name()), (Some("Stockroom"), "uma_user"));
    assert_eq!((of_url.digits(), of_url.step()), (6, 30));
    assert_eq!(drawn(&shown.page), qrcodegen(&url), "the picture says the same");
    let field = shown.page.elements("input").find(|(_, a)| a.get("name").is_some_and(|n| n == "code")).unwrap().1;
    assert_eq!((field["inputmode"].as_str(), field["autocomplete"].as_str()), ("numeric", "one-time-code"));
    assert!(!shown.page.elements("*").any(|(_, a)| a.contains_key("style")), "no inline style");
    // Begun again, it is another one.
    let form = visitor.post("/admin/account/two-factor/begin", &csrf(&shown.page));
    assert_eq!(form.leads_to(), PATH);
    assert_ne!(visitor.get(PATH).page.by_id("secret").unwrap(), text);
}

fn csrf(page: &Page) -> Vec<(String, String)> {
    let token = page.forms().iter().find_map(|form| form.value("_csrf").map(str::to_owned)).unwrap();
    vec![("_csrf".to_owned(), token)]
}

/// The dark modules of the picture, read from its path.
fn drawn(page: &Page) -> BTreeSet<(i32, i32)> {
    let (_, attributes) = page.elements("path").find(|(_, a)| a.get("fill").is_some_and(|f| f == "#000")).unwrap();
    let mut dark = BTreeSet::new();
    for bar in attributes["d"].split('M').filter(|bar| !bar.is_empty()) {
        let (x, rest) = bar.split_once(' ').unwrap();
        let (y, rest) = rest.split_once('h').unwrap();
        let run: i32 = rest.split_once('v').unwrap().0.parse().unwrap();
        let (x, y): (i32, i32) = (x.parse().unwrap(), y.parse().unwrap());
        dark.extend((x..x + run).map(|x| (x, y)));
    }
    dark
}

/// The same, as the library has it, with the light margin of four.
fn qrcodegen(url: &str) -> BTreeSet<(i32, i32)> {
    let code = qrcodegen::QrCode::encode_text(url, qrcodegen::QrCodeEcc::Medium).unwrap();
    let all = (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (x, y)));
    all.filter(|(x, y)| code.get_module(*x, *y)).map(|(x, y)| (x + 4, y + 4)).collect()
}

fn until_it_is_confirmed_nothing_asks_for_it(server: &Server) {
    let visitor = Visitor::signed_in(server, Who::User);
    begin(&visitor);
    sign_in(server, Who::User, None).expect(200);
    sign_in(server, Who::User, Some("123456")).expect(200);
    Visitor::signed_in(server, Who::User).get("/admin/account").expect(200).says("Off Set up");
}

fn an_offer_of_an_hour_ago_is_none(server: &Server) {
    let visitor = Visitor::signed_in(server, Who::User);
    let (_, app) = begin(&visitor);
    let page = visitor.get(PATH).expect(200).page;
    server.db().execute("UPDATE second_factors SET created_at = created_at - 3600000000");
    let mut form = page.form(PATH);
    form.set("code", &code(&app, 0)).set("password", PASSWORD);
    assert_eq!(visitor.submit(&form).leads_to(), PATH);
    let shown = visitor.get(PATH).expect(200);
    shown.says("expired").says("Set up");
    assert!(shown.page.by_id("secret").is_none());
    sign_in(server, Who::User, None).expect(200);
}

fn the_api_asks_for_the_code(server: &Server) {
    let guarded = set_up(server, Who::User);
    let mut problem = refused(sign_in(server, Who::User, None), "second_factor_required");
    allow_duplicates! {
        assert_snapshot!(shape(&problem), @r#"
    {
      "type": "urn:stockroom:problem:second_factor_required",
      "title": "Unauthorized",
      "status": 401,
      "detail": "This account has two-factor sign-in. Send `otp` too: the code of the authenticator app, or a recovery code.",
      "success": false,
      "message": "This account has two-factor sign-in. Send `otp` too: the code of the authenticator app, or a recovery code.",
      "error_type": "second_factor_required",
      "request_id": "[request_id]"
    }
    "#);
    }
    problem = refused(sign_in(server, Who::User, Some(&wrong_code(&guarded.app))), "second_factor_invalid");
    allow_duplicates! {
        assert_snapshot!(shape(&problem), @r#"
    {
      "type": "urn:stockroom:problem:second_factor_invalid",
      "title": "Unauthorized",
      "status": 401,
      "detail": "The code is wrong or was used already. Send the app's next code, or another recovery code.",
      "success": false,
      "message": "The code is wrong or was used already. Send the app's next code, or another recovery code.",
      "error_type": "second_factor_invalid",
      "request_id": "[request_id]"
    }
    "#);
    }
    for empty in ["", "  "] {
        refused(sign_in(server, Who::User, Some(empty)), "second_factor_required");
    }
    let typed = json!({"username": "uma_user", "password": PASSWORD, "otp": 123456});
    server.post("/api/v1/auth/login").json(&typed).send().refused_at(&["otp"]);
    let answer = sign_in(server, Who::User, Some(&code(&guarded.app, 0))).expect(200);
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    server.get("/api/v1/users/me").bearer(&token).send().expect(200);
    // As a form, with a space as apps show it, at the other address.
    forget_steps(server);
    let spaced = code(&guarded.app, 0);
    let spaced = format!("{} {}", &spaced[..3], &spaced[3..]);
    let form = [("username", "uma_user"), ("password", PASSWORD), ("otp", spaced.as_str())];
    server.post("/api/v1/auth/token").form(&form).send().expect(200);
    // Nobody else is asked.
    sign_in(server, Who::Other, None).expect(200);
}

fn a_wrong_password_is_answered_as_ever(server: &Server) {
    let guarded = set_up(server, Who::User);
    let attempt = |username: &str, otp: Option<String>| {
        let mut body = json!({"username": username, "password": "Wrong1horse"});
        if let Some(otp) = otp {
            body["otp"] = json!(otp);
        }
        let call = server.post("/api/v1/auth/login").header("x-request-id", "same-id-each-time");
        let answer = call.json(&body).send();
        let text = answer.text();
        refused(answer, "unauthenticated");
        text
    };
    let right = code(&guarded.app, 0);
    let mut answers = BTreeSet::from([attempt("otto_other", None), attempt("nobody_at_all", None)]);
    answers.extend([attempt("uma_user", None), attempt("uma_user", Some(right.clone()))]);
    answers.insert(attempt("uma_user", Some(guarded.codes[0].clone())));
    assert_eq!(answers.len(), 1, "nobody learns who has two-factor sign-in: {answers:?}");
    let page = Visitor::stranger(server).sign_in("uma_user", "Wrong1horse").expect(401);
    assert!(page.page.error_at("password").is_some());
    // Nor was anything used up.
    sign_in(server, Who::User, Some(&right)).expect(200);
    sign_in(server, Who::User, Some(&guarded.codes[0])).expect(200);
}

fn a_code_is_good_once(server: &Server) {
    let visitor = Visitor::signed_in(server, Who::User);
    let (_, app) = begin(&visitor);
    let first = code(&app, 0);
    visitor.fill_in(PATH, &[("code", &first), ("password", PASSWORD)]).expect(200);
    refused(sign_in(server, Who::User, Some(&first)), "second_factor_invalid");
    forget_steps(server);
    let now = code(&app, 0);
    sign_in(server, Who::User, Some(&now)).expect(200);
    refused(sign_in(server, Who::User, Some(&now)), "second_factor_invalid");
    // Not at the other door either.
    let stranger = Visitor::stranger(server);
    assert_eq!(stranger.sign_in("uma_user", PASSWORD).leads_to(), "/admin/login/code");
    stranger.fill_in("/admin/login/code", &[("code", &now)]).expect(401);
    let step = "SELECT last_step AS n FROM second_factors";
    let used = server.db().number(step);
    assert!(used.abs_diff(i64::try_from(seconds() / 30).unwrap()) <= 2, "{used}");
}

fn codes_of_the_step_before_and_after_are_taken_and_no_others(server: &Server) {
    let guarded = set_up(server, Who::User);
    for far in [-3, 3] {
        refused(sign_in(server, Who::User, Some(&code(&guarded.app, far))), "second_factor_invalid");
    }
    // At the border of a step a neighbour may have become a stranger while it was sent: then once more.
    let taken = |steps: i64| (0..3).any(|_| sign_in(server, Who::User, Some(&code(&guarded.app, steps))).status == 200);
    assert!(taken(-1), "the step before");
    forget_steps(server);
    assert!(taken(1), "the step after");
    // Time does not run backwards: what is older than a used one is used.
    refused(sign_in(server, Who::User, Some(&code(&guarded.app, -1))), "second_factor_invalid");
}

fn at_once(count: usize, act: impl Fn() -> u16 + Sync) -> Vec<u16> {
    std::thread::scope(|scope| {
        let acts: Vec<_> = (0..count).map(|_| scope.spawn(&act)).collect();
        acts.into_iter().map(|act| act.join().unwrap()).collect()
    })
}

fn of_20_uses_of_one_code_at_once_one_counts(server: &Server) {
    let guarded = set_up(server, Who::User);
    let now = code(&guarded.app, 0);
    let statuses = at_once(20, || sign_in(server, Who::User, Some(&now)).status);
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 401, 429].contains(status)), "{statuses:?}");
    assert_eq!(server.db().count("refresh_tokens"), 1, "and one began something");
}

fn of_20_uses_of_one_recovery_code_at_once_one_counts(server: &Server) {
    let guarded = set_up(server, Who::User);
    let statuses = at_once(20, || sign_in(server, Who::User, Some(&guarded.codes[3])).status);
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 401, 429].contains(status)), "{statuses:?}");
    assert_eq!(server.db().count("refresh_tokens"), 1, "and one began something");
    guarded.visitor.get(PATH).says("9 of 10 are left");
}

fn a_recovery_code_is_good_once_however_it_is_typed(server: &Server) {
    let guarded = set_up(server, Who::User);
    let [first, second, third] = &guarded.codes[..3] else { panic!("{:?}", guarded.codes) };
    sign_in(server, Who::User, Some(first)).expect(200);
    refused(sign_in(server, Who::User, Some(first)), "second_factor_invalid");
    sign_in(server, Who::User, Some(&format!(" {} ", second.to_uppercase()))).expect(200);
    refused(sign_in(server, Who::User, Some(second)), "second_factor_invalid");
    sign_in(server, Who::User, Some(&third.replace('-', ""))).expect(200);
    guarded.visitor.get(PATH).says("7 of 10 are left");
    // They are their owner's alone.
    set_up(server, Who::Other);
    refused(sign_in(server, Who::Other, Some(&guarded.codes[4])), "second_factor_invalid");
    server.db().execute("UPDATE recovery_codes SET used_at = 1 WHERE id BETWEEN 6 AND 10");
    guarded.visitor.get(PATH).says("Only 2 of 10 are left. Make new ones");
}

fn the_pages_ask_for_the_code_after_the_password(server: &Server) {
    let guarded = set_up(server, Who::Admin);
    let visitor = Visitor::stranger(server);
    let session = |visitor: &Visitor| visitor.cookies.lock().unwrap().get("stockroom_session").cloned();
    let mut form = visitor.get("/admin/login?next=/admin/categories").expect(200).page.form("/admin/login");
    form.set("username", "ada_admin").set("password", PASSWORD);
    assert_eq!(visitor.submit(&form).leads_to(), "/admin/login/code");
    let half = session(&visitor).expect("a session between the pages");
    let shown = visitor.get("/admin/login/code").expect(200);
    assert!(shown.answer.must("cache-control").contains("no-store"));
    let field = shown.page.elements("input").find(|(_, a)| a.get("name").is_some_and(|n| n == "code")).unwrap().1;
    assert_eq!((field["inputmode"].as_str(), field["autocomplete"].as_str()), ("numeric", "one-time-code"));
    let empty = visitor.fill_in("/admin/login/code", &[("code", " ")]).expect(422);
    assert!(empty.page.error_at("code").is_some());
    let wrong = visitor.fill_in("/admin/login/code", &[("code", &wrong_code(&guarded.app))]).expect(401);
    assert!(wrong.page.error_at("code").unwrap().contains("wrong"));
    let entered = visitor.fill_in("/admin/login/code", &[("code", &code(&guarded.app, 0))]);
    assert_eq!(entered.leads_to(), "/admin/categories");
    assert_ne!(session(&visitor), Some(half.clone()), "a new session at each step");
    visitor.get("/admin/categories").expect(200);
    assert_eq!(visitor.get("/admin/login/code").leads_to(), "/admin");
    let old = Visitor::stranger(server);
    old.cookies.lock().unwrap().insert("stockroom_session".into(), half);
    assert_eq!(old.get("/admin/login/code").leads_to(), "/admin/login", "what was between is over");
    let note = "SELECT count(*) AS n FROM users WHERE id = 1 AND last_login_at IS NOT NULL";
    assert_eq!(server.db().number(note), 1);
}

fn a_recovery_code_opens_the_pages_too(server: &Server) {
    let guarded = set_up(server, Who::User);
    let visitor = Visitor::stranger(server);
    visitor.sign_in("uma_user", PASSWORD).leads_to();
    let page = visitor.get("/admin/login/code").expect(200).page;
    let mut form = page.forms().into_iter().find(|form| form.value("recovery_code").is_some()).unwrap();
    form.set("recovery_code", "aaaaa-aaaaa-aaaaa");
    let wrong = visitor.submit(&form).expect(401);
    assert!(wrong.page.error_at("recovery_code").unwrap().contains("recovery code"));
    form.set("recovery_code", &guarded.codes[0]);
    assert_eq!(visitor.submit(&form).leads_to(), "/admin/account");
    visitor.get("/admin/account").expect(200);
    let again = Visitor::stranger(server);
    again.sign_in("uma_user", PASSWORD).leads_to();
    form =
        again.get("/admin/login/code").page.forms().into_iter().find(|f| f.value("recovery_code").is_some()).unwrap();
    form.set("recovery_code", &guarded.codes[0]);
    again.submit(&form).expect(401);
}

fn a_right_password_alone_opens_nothing(server: &Server) {
    set_up(server, Who::Admin);
    let visitor = Visitor::stranger(server);
    visitor.sign_in("ada_admin", PASSWORD).leads_to();
    for path in ["/admin", "/admin/items", "/admin/account", PATH, "/admin/account/two-factor/off"] {
        let to = visitor.get(path).leads_to();
        assert!(to.starts_with("/admin/login?"), "{path}: {to}");
    }
    let token = csrf(&visitor.get("/admin/login/code").expect(200).page);
    for path in ["/admin/categories/new", "/admin/account/two-factor/off", "/admin/account/two-factor/begin"] {
        let to = visitor.post(path, &token).leads_to();
        assert!(to.starts_with("/admin/login?"), "{path}: {to}");
    }
    assert_eq!(server.db().number("SELECT count(*) AS n FROM users WHERE last_login_at IS NOT NULL"), 1);
    assert_eq!(server.db().number("SELECT count(*) AS n FROM sessions WHERE user_id IS NOT NULL"), 1);
    // Who has typed no password is asked for it.
    let stranger = Visitor::stranger(server);
    assert_eq!(stranger.get("/admin/login/code").leads_to(), "/admin/login");
    let token = csrf(&stranger.get("/admin/login").expect(200).page);
    assert_eq!(stranger.post("/admin/login/code", &token).leads_to(), "/admin/login");
    stranger.post("/admin/login/code", &[("code".into(), "123456".into())]).expect(403);
}

fn after_five_wrong_codes_the_password_is_asked_for_again(server: &Server) {
    let guarded = set_up(server, Who::User);
    let visitor = Visitor::stranger(server);
    let mut form = visitor.get("/admin/login?next=/admin/account").expect(200).page.form("/admin/login");
    form.set("username", "uma_user").set("password", PASSWORD);
    visitor.submit(&form).leads_to();
    form = visitor.get("/admin/login/code").expect(200).page.form("/admin/login/code");
    form.set("code", &wrong_code(&guarded.app));
    for _ in 0..4 {
        visitor.submit(&form).expect(401);
    }
    assert_eq!(visitor.submit(&form).leads_to(), "/admin/login?next=%2Fadmin%2Faccount");
    visitor.get("/admin/login?next=%2Fadmin%2Faccount").expect(200).says("Too many wrong codes");
    form.set("code", &code(&guarded.app, 0));
    assert_eq!(visitor.submit(&form).leads_to(), "/admin/login");
    visitor.get("/admin/account").leads_to();
}

/// Changes what the session between the pages keeps.
fn age_pending(server: &Server, by: i64) {
    let mut db = server.db();
    for state in db.texts("SELECT state AS s FROM sessions WHERE user_id IS NULL") {
        let mut held: Value = serde_json::from_str(&state).unwrap();
        let mut pending: Value = serde_json::from_str(held["pending"].as_str().unwrap()).unwrap();
        pending["since"] = json!(pending["since"].as_i64().unwrap() - by);
        held["pending"] = json!(pending.to_string());
        db.execute(&format!("UPDATE sessions SET state = '{held}' WHERE user_id IS NULL"));
    }
}

fn after_five_minutes_the_password_is_asked_for_again(server: &Server) {
    let guarded = set_up(server, Who::User);
    let visitor = Visitor::stranger(server);
    visitor.sign_in("uma_user", PASSWORD).leads_to();
    let mut form = visitor.get("/admin/login/code").expect(200).page.form("/admin/login/code");
    age_pending(server, 240_000_000);
    visitor.get("/admin/login/code").expect(200);
    age_pending(server, 60_000_000);
    form.set("code", &code(&guarded.app, 0));
    assert_eq!(visitor.submit(&form).leads_to(), "/admin/login");
    visitor.get("/admin/login").expect(200).says("took too long");
    visitor.get("/admin/account").leads_to();
}

fn what_changes_between_the_pages_ends_the_sign_in(server: &Server) {
    let guarded = set_up(server, Who::User);
    let half_way = || {
        let visitor = Visitor::stranger(server);
        visitor.sign_in("uma_user", PASSWORD).leads_to();
        visitor
    };
    let (first, second, third) = (half_way(), half_way(), half_way());
    let forms: Vec<_> = [&first, &second, &third]
        .map(|visitor| visitor.get("/admin/login/code").expect(200).page.form("/admin/login/code"))
        .into_iter()
        .map(|mut form| form.set("code", &code(&guarded.app, 0)).clone())
        .collect();
    server.place().run(&["user", "deactivate", "uma_user"]).expect(0);
    assert_eq!(first.submit(&forms[0]).leads_to(), "/admin/login");
    server.place().run(&["user", "activate", "uma_user"]).expect(0);
    server.place().run_with_input(&["user", "passwd", "uma_user", "--password-stdin"], b"Another2horse\n").expect(0);
    assert_eq!(second.submit(&forms[1]).leads_to(), "/admin/login");
    second.get("/admin/login").says("has changed");
    server.admin().delete("/api/v1/users/2").send().expect(204);
    assert_eq!(third.submit(&forms[2]).leads_to(), "/admin/login");
}

fn turning_it_on_ends_every_other_session_and_token(server: &Server) {
    let elsewhere = Visitor::signed_in(server, Who::User);
    let tokens = sign_in(server, Who::User, None).expect(200).json();
    let other = Visitor::signed_in(server, Who::Other);
    let guarded = set_up(server, Who::User);
    guarded.visitor.get("/admin/account").expect(200);
    assert!(elsewhere.get("/admin/account").leads_to().starts_with("/admin/login"));
    server.post("/api/v1/auth/refresh").json(&json!({"refresh_token": tokens["refresh_token"]})).send().problem(401);
    server.get("/api/v1/users/me").bearer(tokens["access_token"].as_str().unwrap()).send().problem(401);
    other.get("/admin/account").expect(200);
    // New codes and turning it off end nothing.
    let elsewhere = Visitor::stranger(server);
    elsewhere.sign_in("uma_user", PASSWORD).leads_to();
    elsewhere.fill_in("/admin/login/code", &[("code", &code(&guarded.app, 0))]).leads_to();
    guarded.visitor.fill_in("/admin/account/two-factor/codes", &[("password", PASSWORD)]).expect(200);
    forget_steps(server);
    let proof = code(&guarded.app, 0);
    let off = &[("password", PASSWORD), ("code", proof.as_str())];
    guarded.visitor.fill_in("/admin/account/two-factor/off", off).leads_to();
    elsewhere.get("/admin/account").expect(200);
}

fn a_refresh_needs_no_code(server: &Server) {
    let guarded = set_up(server, Who::User);
    let tokens = sign_in(server, Who::User, Some(&code(&guarded.app, 0))).expect(200).json();
    let body = json!({"refresh_token": tokens["refresh_token"]});
    server.post("/api/v1/auth/refresh").json(&body).send().expect(200);
}

fn wrong_codes_make_the_account_wait_whatever_the_password(server: &Server) {
    let guarded = set_up(server, Who::User);
    let wrong = wrong_code(&guarded.app);
    for _ in 0..5 {
        refused(sign_in(server, Who::User, Some(&wrong)), "second_factor_invalid");
        // The right password beside no code is no failure, and makes none forgotten.
        refused(sign_in(server, Who::User, None), "second_factor_required");
    }
    // On a slow machine the first wait may be over already; each is twice as long as the one before.
    let answer = (0..8).map(|_| sign_in(server, Who::User, Some(&wrong))).find(|answer| answer.status == 429).unwrap();
    let wait: u32 = answer.must("retry-after").parse().unwrap();
    assert!((1..=300).contains(&wait), "{wait}");
    assert_eq!(answer.problem(429)["error_type"], "too_many_requests");
    // At the other door too, also for the right one, which is not used up by that.
    let right = code(&guarded.app, 0);
    let visitor = Visitor::stranger(server);
    visitor.sign_in("uma_user", PASSWORD).leads_to();
    let shown = visitor.fill_in("/admin/login/code", &[("code", &right)]);
    if shown.answer.status == 429 {
        assert!(shown.page.error_at("code").unwrap().contains("Try again in"));
        assert!(shown.answer.header("retry-after").is_some());
    }
    // Nobody else waits.
    sign_in(server, Who::Other, None).expect(200);
    wait_for("the end of the wait", Duration::from_secs(60), || {
        let answer = sign_in(server, Who::User, Some(&guarded.codes[0]));
        (answer.status == 200 || answer.status == 401).then_some(())
    });
    // A success forgets what was before.
    for _ in 0..5 {
        refused(sign_in(server, Who::User, Some(&wrong)), "second_factor_invalid");
    }
}

fn wrong_codes_in_the_account_wait_too(server: &Server) {
    let guarded = set_up(server, Who::User);
    let path = "/admin/account/two-factor/off";
    let with = [("password", PASSWORD), ("code", "aaaaa-aaaaa-aaaaa")];
    for _ in 0..5 {
        guarded.visitor.fill_in(path, &with).expect(422);
    }
    let waits = |with: &[(&str, &str)]| {
        (0..8).map(|_| guarded.visitor.fill_in(path, with)).find(|shown| shown.answer.status == 429).unwrap()
    };
    let shown = waits(&with);
    shown.says("Nothing was changed").says("Try again in");
    assert!(shown.answer.header("retry-after").is_some());
    let wrong = [("password", "Wrong1horse"), ("code", "aaaaa-aaaaa-aaaaa")];
    for _ in 0..5 {
        guarded.visitor.fill_in(path, &wrong).expect(422);
    }
    waits(&wrong).says("Try again in");
}

fn turning_it_off_takes_the_password_and_a_code(server: &Server) {
    let guarded = set_up(server, Who::User);
    let visitor = &guarded.visitor;
    let path = "/admin/account/two-factor/off";
    let right = code(&guarded.app, 0);
    for (password, typed, wrong) in [
        ("", "", vec!["password", "code"]),
        ("Wrong1horse", right.as_str(), vec!["password"]),
        (PASSWORD, &wrong_code(&guarded.app), vec!["code"]),
        (PASSWORD, "aaaaa-aaaaa-aaaaa", vec!["code"]),
    ] {
        let page = visitor.fill_in(path, &[("password", password), ("code", typed)]).expect(422).page;
        for field in ["code", "password"] {
            assert_eq!(page.error_at(field).is_some(), wrong.contains(&field), "{typed} {password}: {field}");
        }
    }
    refused(sign_in(server, Who::User, None), "second_factor_required");
    assert_eq!(visitor.fill_in(path, &[("password", PASSWORD), ("code", &right)]).leads_to(), PATH);
    visitor.get(PATH).expect(200).says("is off").says("Set up");
    sign_in(server, Who::User, None).expect(200);
    assert_eq!((server.db().count("second_factors"), server.db().count("recovery_codes")), (0, 0));
    // With a recovery code too; and what was kept before opens nothing afterwards.
    let again = set_up(server, Who::User);
    refused(sign_in(server, Who::User, Some(&guarded.codes[0])), "second_factor_invalid");
    let with = &[("password", PASSWORD), ("code", again.codes[9].as_str())];
    assert_eq!(again.visitor.fill_in(path, with).leads_to(), PATH);
    sign_in(server, Who::User, None).expect(200);
}

fn new_recovery_codes_end_the_old_ones(server: &Server) {
    let guarded = set_up(server, Who::User);
    let path = "/admin/account/two-factor/codes";
    for password in ["", "Wrong1horse"] {
        let page = guarded.visitor.fill_in(path, &[("password", password)]).expect(422).page;
        assert!(page.error_at("password").is_some());
    }
    sign_in(server, Who::User, Some(&guarded.codes[0])).expect(200);
    let shown = guarded.visitor.fill_in(path, &[("password", PASSWORD)]).expect(200);
    assert!(shown.answer.must("cache-control").contains("no-store"));
    let codes = recovery_codes(&shown.page);
    assert_eq!(codes.len(), 10);
    assert!(codes.iter().all(|code| !guarded.codes.contains(code)));
    refused(sign_in(server, Who::User, Some(&guarded.codes[1])), "second_factor_invalid");
    sign_in(server, Who::User, Some(&codes[0])).expect(200);
    sign_in(server, Who::User, Some(&code(&guarded.app, 0))).expect(200);
}

fn what_is_done_is_recorded_without_secrets(server: &Server) {
    let guarded = set_up(server, Who::User);
    guarded.visitor.fill_in("/admin/account/two-factor/codes", &[("password", PASSWORD)]).expect(200);
    let proof = code(&guarded.app, 0);
    let off = &[("password", PASSWORD), ("code", proof.as_str())];
    guarded.visitor.fill_in("/admin/account/two-factor/off", off).leads_to();
    let all = "SELECT actor || ' ' || door || ': ' || summary || ' | ' || entity || ' ' || entity_id || ' ' || action || ' v' || version
               || ' ' || before || ' -> ' || after AS s FROM changesets JOIN changes ON changeset_id = changesets.id
               WHERE changesets.id > 4 ORDER BY changesets.id";
    let lines: Vec<String> = server.db().texts(all).iter().map(|line| without_times(line)).collect();
    allow_duplicates! {
        assert_snapshot!(lines.join("\n"), @r#"
    uma_user admin: Turned on two-factor sign-in of uma_user | user 2 updated v2 {"updated_at":"…","two_factor":false} -> {"updated_at":"…","two_factor":true}
    uma_user admin: Made new recovery codes of uma_user | user 2 updated v3 {"updated_at":"…"} -> {"updated_at":"…"}
    uma_user admin: Turned off two-factor sign-in of uma_user | user 2 updated v4 {"updated_at":"…","two_factor":true} -> {"updated_at":"…","two_factor":false}
    "#);
    }
    // A sign-in is none of it, and a user looks as ever from outside.
    let me = server.user().get("/api/v1/users/me").send().expect(200);
    assert!(me.data().get("two_factor").is_none());
    assert_eq!(me.must("etag"), "\"4\"");
}

/// `…` for every moment.
fn without_times(line: &str) -> String {
    let mut parts = line.split("\"updated_at\":\"");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        out.push_str("\"updated_at\":\"…");
        out.push_str(&part[part.find('"').unwrap()..]);
    }
    out
}

fn nothing_secret_is_kept_or_logged_in_plain(server: &Server) {
    let guarded = set_up(server, Who::User);
    let now = code(&guarded.app, 0);
    sign_in(server, Who::User, Some(&now)).expect(200);
    sign_in(server, Who::User, Some(&guarded.codes[0])).expect(200);
    sign_in(server, Who::User, Some(&guarded.codes[0])).expect(401);
    let base32 = guarded.secret.replace(' ', "");
    let raw = guarded.app.secret().as_bytes().to_vec();
    let mut needles = vec![raw.clone(), base32.clone().into_bytes(), base32.to_lowercase().into_bytes()];
    needles.push(hex::encode(&raw).into_bytes());
    for code in &guarded.codes {
        needles.extend([code.clone().into_bytes(), code.replace('-', "").into_bytes()]);
    }
    let mut haystack = server.printed().into_bytes();
    let mut db = server.db();
    for table in ["second_factors", "recovery_codes", "sessions", "changes", "changesets"] {
        let columns: Vec<String> = db.columns(table).into_keys().collect();
        let cells: Vec<String> = columns.iter().map(|c| format!("coalesce(CAST(\"{c}\" AS TEXT), '')")).collect();
        haystack.extend(db.texts(&format!("SELECT {} AS s FROM {table}", cells.join(" || ' ' || "))).concat().bytes());
    }
    if server.place().kind == Kind::Sqlite {
        let mut bytes = std::fs::read(server.place().database_file()).unwrap();
        bytes.extend(std::fs::read(server.place().path("data/stockroom.db-wal")).unwrap_or_default());
        let sealed = db.texts("SELECT secret AS s FROM second_factors").concat();
        assert!(holds(&bytes, sealed.as_bytes()), "the files are those that were written");
        haystack.extend(bytes);
    }
    assert!(haystack.len() > 500);
    for needle in needles {
        assert!(!holds(&haystack, &needle), "{:?} lies open", String::from_utf8_lossy(&needle));
    }
    let log = server.printed();
    assert!(!log.contains(&format!(" {now}")) && !log.contains("otpauth"), "{log}");
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn a_secret_counts_only_for_its_user(server: &Server) {
    let (ours, theirs) = (set_up(server, Who::User), set_up(server, Who::Other));
    // Who can write the database still cannot give one user the other's app.
    server.db().execute(
        "UPDATE second_factors SET secret = (SELECT s.secret FROM second_factors s WHERE s.user_id = 3) WHERE user_id = 2",
    );
    for app in [&ours.app, &theirs.app] {
        refused(sign_in(server, Who::User, Some(&code(app, 0))), "second_factor_invalid");
    }
    sign_in(server, Who::Other, Some(&code(&theirs.app, 0))).expect(200);
    assert!(server.printed().contains("cannot be decrypted"));
    // The way out is still open.
    sign_in(server, Who::User, Some(&ours.codes[0])).expect(200);
}

fn a_password_reset_by_mail_does_not_go_around_it(server: &Server) {
    let guarded = set_up(server, Who::User);
    let forgotten = json!({"email": Who::User.email()});
    server.post("/api/v1/auth/password/forgot").json(&forgotten).send().expect(202);
    let link = mail_to(server.place(), &Who::User.email(), "Reset your password").link();
    let visitor = Visitor::stranger(server);
    let mut form = visitor.get(link.strip_prefix(&server.url).unwrap()).expect(200).page.form("/admin/reset");
    form.set("new_password", "Another2horse");
    assert_eq!(visitor.submit(&form).leads_to(), "/admin/login");
    assert!(visitor.get("/admin/account").leads_to().starts_with("/admin/login"));
    assert_eq!(visitor.sign_in("uma_user", "Another2horse").leads_to(), "/admin/login/code");
    let body = json!({"username": "uma_user", "password": "Another2horse"});
    refused(server.post("/api/v1/auth/login").json(&body).send(), "second_factor_required");
    visitor.fill_in("/admin/login/code", &[("code", &code(&guarded.app, 0))]).leads_to();
    visitor.get("/admin/account").expect(200);
}

fn the_operator_can_turn_it_off(server: &Server) {
    let guarded = set_up(server, Who::User);
    let run = |user: &str| server.place().run(&["user", "two-factor-off", user]);
    assert!(run("uma_user@example.com").expect(0).stdout.contains("uma_user signs in with the password alone now"));
    sign_in(server, Who::User, None).expect(200);
    guarded.visitor.get("/admin/account").expect(200);
    assert!(run("2").expect(0).stdout.contains("nothing was changed"));
    assert!(run("nobody").expect(1).stderr.contains("nobody"));
    let last = "SELECT actor || ' ' || door || ' ' || summary AS s FROM changesets ORDER BY id DESC";
    assert_eq!(server.db().texts(last)[0], "operator cli Turned off two-factor sign-in of uma_user");
    let count = "SELECT count(*) AS n FROM changesets WHERE summary LIKE 'Turned off%'";
    assert_eq!(server.db().number(count), 1);
}

fn a_removed_user_leaves_nothing_behind(server: &Server) {
    set_up(server, Who::User);
    set_up(server, Who::Other);
    server.admin().delete("/api/v1/users/2").send().expect(204);
    assert_eq!((server.db().count("second_factors"), server.db().count("recovery_codes")), (1, 10));
}

fn forms_for_another_state_lead_back(server: &Server) {
    let visitor = Visitor::signed_in(server, Who::User);
    let (_, app) = begin(&visitor);
    let waiting = visitor.get(PATH).expect(200).page;
    for path in ["/admin/account/two-factor/codes", "/admin/account/two-factor/off"] {
        assert_eq!(visitor.get(path).leads_to(), PATH, "{path} while it is off");
    }
    let mut form = waiting.form(PATH);
    form.set("code", &code(&app, 0)).set("password", PASSWORD);
    visitor.submit(&form).expect(200);
    // On already: neither a second time nor another secret.
    assert_eq!(visitor.submit(&form).leads_to(), PATH);
    visitor.get(PATH).says("on already");
    let sealed = server.db().texts("SELECT secret AS s FROM second_factors");
    assert_eq!(visitor.post("/admin/account/two-factor/begin", &csrf(&waiting)).leads_to(), PATH);
    visitor.get(PATH).says("on already");
    assert_eq!(server.db().texts("SELECT secret AS s FROM second_factors"), sealed);
    assert_eq!(server.db().count("recovery_codes"), 10);
}

/// With another key the app's codes are worth nothing, and the recovery codes, which need no key, still are.
#[test]
fn with_another_secret_key_recovery_codes_are_the_way_in() {
    let server = Place::furnished(Kind::Sqlite).serve();
    let guarded = set_up(&server, Who::User);
    let (app, codes) = (guarded.app, guarded.codes);
    drop(guarded.visitor);
    let (_, mut place) = server.stop();
    place.set("SECRET_KEY", "another-key-of-enough-characters-0123456789");
    let server = place.serve();
    refused(sign_in(&server, Who::User, Some(&code(&app, 0))), "second_factor_invalid");
    sign_in(&server, Who::User, Some(&codes[0])).expect(200);
    assert!(server.printed().contains("SECRET_KEY"));
}

/// With `SECRET_KEY_PREVIOUS` the app's codes stay good, and each sign-in brings one more secret under today's key.
#[test]
fn after_a_change_of_keys_a_sign_in_brings_the_secret_under_todays() {
    let server = Place::furnished(Kind::Sqlite).serve();
    let guarded = set_up(&server, Who::User);
    let app = guarded.app;
    drop(guarded.visitor);
    let sealed = |server: &Server| server.db().texts("SELECT secret AS s FROM second_factors").concat();
    let before = sealed(&server);
    let (_, mut place) = server.stop();
    place.set("SECRET_KEY", "another-key-of-enough-characters-0123456789");
    place.set("SECRET_KEY_PREVIOUS", crate::support::server::SECRET);
    let server = place.serve();
    refused(sign_in(&server, Who::User, Some(&wrong_code(&app))), "second_factor_invalid");
    assert_eq!(sealed(&server), before);
    sign_in(&server, Who::User, Some(&code(&app, 0))).expect(200);
    assert_ne!(sealed(&server), before);
    forget_steps(&server);
    let (_, mut place) = server.stop();
    place.set("SECRET_KEY_PREVIOUS", "");
    let server = place.serve();
    sign_in(&server, Who::User, Some(&code(&app, 0))).expect(200);
}

#[test]
fn an_app_name_with_a_colon_is_no_trouble() {
    let server = Place::furnished(Kind::Sqlite).with("APP_NAME", "Shop: the store & more").serve();
    let visitor = Visitor::signed_in(&server, Who::User);
    begin(&visitor);
    let links = visitor.get(PATH).expect(200).page.links();
    let url = links.iter().find(|link| link.starts_with("otpauth://")).unwrap();
    assert_eq!(Totp::from_url(url).unwrap().issuer(), Some("Shop  the store & more"));
}
