//! The admin's pages of users.

use crate::support::{
    Kind, Place, Server, Visitor, Who, data::new_category, mail::outbox, on_both, server::PASSWORD, visitor::Shown,
    wait_for,
};
use serde_json::{Value, json};
use std::time::Duration;

on_both! {
    the_list_searches_filters_sorts_and_pages,
    a_list_that_is_asked_wrongly_says_so,
    somebody_is_invited_and_the_invitation_is_sent_again,
    a_first_password_may_be_set_instead_of_an_invitation,
    a_wrong_invitation_keeps_what_was_typed,
    a_user_is_shown_with_items_and_history,
    a_user_is_edited_with_all_that_an_admin_may_set,
    an_edit_that_meets_somebody_elses_shows_both_sides,
    a_new_password_meanwhile_is_no_conflict,
    another_role_signs_out_and_counts_at_once,
    a_deactivated_user_is_out_and_may_be_let_in_again,
    an_admin_ends_the_sessions_of_somebody,
    ones_own_sessions_are_ended_in_the_account,
    who_owns_items_is_deleted_once_an_heir_is_chosen,
    who_owns_nothing_is_deleted_after_a_question,
    a_delete_of_what_was_changed_is_asked_again,
    the_last_admin_stays_and_is_told_why,
    what_is_not_there_is_404,
    what_is_typed_is_shown_and_never_run,
}

const USERS: &str = "/admin/users";

fn admin(server: &Server) -> Visitor<'_> {
    Visitor::signed_in(server, Who::Admin)
}

fn user(server: &Server, id: i64) -> Value {
    server.admin().get(&format!("/api/v1/users/{id}")).send().expect(200).data()
}

fn summary(server: &Server) -> String {
    server.db().texts("SELECT summary AS s FROM changesets ORDER BY id DESC LIMIT 1").remove(0)
}

/// The names in the list.
fn listed(visitor: &Visitor, query: &str) -> Vec<String> {
    let page = visitor.get(&format!("{USERS}?{query}")).expect(200).page;
    let names = page
        .links()
        .into_iter()
        .filter(|link| link.strip_prefix("/admin/users/").is_some_and(|id| id.parse::<i64>().is_ok()));
    names.collect()
}

/// Opens a question, answers it.
#[track_caller]
fn confirm(visitor: &Visitor, path: &str) -> Shown {
    visitor.submit(&visitor.get(path).expect(200).page.form(path))
}

fn the_list_searches_filters_sorts_and_pages(server: &Server) {
    server.db().execute("UPDATE users SET password_hash = NULL WHERE id = 4");
    server
        .db()
        .execute("UPDATE users SET is_active = (1 = 0), full_name = 'Otto Ötzi', last_login_at = NULL WHERE id = 3");
    server.db().execute("UPDATE users SET last_login_at = 1000000 WHERE id = 2");
    let visitor = admin(server);
    let ids = |query: &str| -> Vec<i64> {
        listed(&visitor, query).iter().map(|link| link.rsplit('/').next().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(ids(""), [1, 4, 3, 2], "by name without a sort");
    assert_eq!(ids("sort=-username"), [2, 3, 4, 1]);
    assert_eq!(ids("sort=-email"), [2, 3, 4, 1]);
    assert_eq!(ids("sort=created_at").len(), 4);
    assert_eq!(ids("sort=-last_login_at"), [1, 2, 4, 3], "who never signed in comes last");
    assert_eq!(ids("q=UMA"), [2]);
    assert_eq!(ids("role=user"), [3, 2]);
    assert_eq!(ids("status=active"), [1, 2]);
    assert_eq!(ids("status=invited"), [4]);
    assert_eq!(ids("status=inactive"), [3]);
    assert_eq!(ids("role=user&status=active"), [2]);
    let page = visitor.get("/admin/users?q=otto&status=inactive").expect(200);
    page.says("Otto Ötzi").says("Inactive");
    let nobody = visitor.get("/admin/users?q=nobody").expect(200);
    nobody.says("Nobody matches").says("Clear filters");
    // A second page: as many as a page has, and one.
    for n in 0..17 {
        let body = json!({"email": format!("p{n}@example.com"), "username": format!("page_{n:02}")});
        server.admin().post("/api/v1/users", &body).send().expect(201);
    }
    let first = visitor.get("/admin/users?role=user").expect(200);
    first.says("19 users");
    let all = visitor.get(USERS).expect(200);
    assert_eq!(all.page.table().len(), 20);
    let next = all.page.links().into_iter().find(|link| link.contains("page=2")).unwrap();
    assert_eq!(visitor.get(&next).expect(200).page.table().len(), 1);
}

fn a_list_that_is_asked_wrongly_says_so(server: &Server) {
    let visitor = admin(server);
    visitor.get("/admin/users?role=emperor").expect(422).says("must be admin, user or guest");
    visitor.get("/admin/users?sort=password_hash").expect(422).says("must be one of");
    visitor.get("/admin/users?page=x").expect(400);
    visitor.get("/admin/users?status=nonsense").expect(200);
}

fn somebody_is_invited_and_the_invitation_is_sent_again(server: &Server) {
    let visitor = admin(server);
    let fields = [("email", "Nina@Example.com"), ("username", "nina"), ("full_name", "Nina N."), ("role", "guest")];
    let at = visitor.fill_in("/admin/users/new", &fields).leads_to();
    assert_eq!(at, "/admin/users/5");
    let shown = visitor.get(&at).expect(200);
    shown.says("Invited nina at nina@example.com").says("They have not chosen a password yet");
    let made = user(server, 5);
    assert_eq!(
        (&made["email"], &made["role"], &made["full_name"]),
        (&json!("nina@example.com"), &json!("guest"), &json!("Nina N."))
    );
    let mails = |count: usize| {
        wait_for(&format!("{count} invitations"), Duration::from_secs(10), || {
            (outbox(server.place()).len() == count).then_some(())
        });
    };
    mails(1);
    visitor.submit(&shown.page.form("/admin/users/5/invite")).leads_to();
    visitor.get(&at).expect(200).says("Sent the invitation to nina@example.com again");
    mails(2);
    // Who has a password is not invited; the page has no such form, so it is sent by hand.
    let csrf = shown.page.form("/admin/users/5/invite").value("_csrf").unwrap().to_owned();
    visitor.post("/admin/users/2/invite", &[("_csrf".into(), csrf)]).leads_to();
    visitor.get("/admin/users/2").expect(200).says("cannot be invited");
    mails(2);
}

fn a_first_password_may_be_set_instead_of_an_invitation(server: &Server) {
    let visitor = admin(server);
    let fields = [("email", "nina@example.com"), ("username", "nina"), ("password", " Spaces3around ")];
    let at = visitor.fill_in("/admin/users/new", &fields).leads_to();
    visitor.get(&at).expect(200).says("Created nina");
    server.login("nina", " Spaces3around ");
    assert_eq!(summary(server), "Created user nina");
}

fn a_wrong_invitation_keeps_what_was_typed(server: &Server) {
    let visitor = admin(server);
    let fields =
        [("email", "nina"), ("username", "x"), ("full_name", "Nina N."), ("role", "guest"), ("password", "weak")];
    let shown = visitor.fill_in("/admin/users/new", &fields).expect(422);
    for field in ["email", "username", "password"] {
        assert!(shown.page.error_at(field).is_some(), "no error at {field}");
    }
    let form = shown.page.form("/admin/users/new");
    for (field, value) in &fields[..4] {
        assert_eq!(form.value(field), Some(*value));
    }
    assert_eq!(form.value("password"), Some(""), "a password is not shown again");
    let fields = [("email", "UMA_user@example.com"), ("username", "nina")];
    let taken = visitor.fill_in("/admin/users/new", &fields).expect(409);
    assert!(taken.page.error_at("email").unwrap().contains("exists already"));
    assert_eq!(server.db().count("users"), 4);
}

fn a_user_is_shown_with_items_and_history(server: &Server) {
    let category = new_category(server, "Tools");
    let item = json!({"name": "Saw", "price": 2, "category_id": category});
    server.user().post("/api/v1/items", &item).send().expect(201);
    server.admin().patch("/api/v1/users/2", &json!({"full_name": "Uma U."})).send().expect(200);
    let visitor = admin(server);
    let shown = visitor.get("/admin/users/2").expect(200);
    shown
        .says("Uma U.")
        .says("ada_admin updated it")
        .says("uma_user@example.com")
        .says("Full name empty after: Uma U.");
    assert!(!shown.page.source.contains("$2b$"), "the hash of a password is shown");
    assert!(shown.page.links().contains(&"/admin/items?owner_id=2".to_owned()));
    let items = visitor.get("/admin/items?owner_id=2").expect(200);
    items.says("Owner: uma_user").says("Saw");
    assert_eq!(items.page.form("/admin/items").value("owner_id"), Some("2"), "another filter keeps the owner");
}

fn a_user_is_edited_with_all_that_an_admin_may_set(server: &Server) {
    let visitor = admin(server);
    let fields = [
        ("email", "Uma@Example.com"),
        ("username", "uma2"),
        ("full_name", "Uma U."),
        ("age", "41"),
        ("website", "https://uma.example"),
        ("role", "guest"),
    ];
    assert_eq!(visitor.fill_in("/admin/users/2/edit", &fields).leads_to(), "/admin/users/2");
    visitor.get("/admin/users/2").expect(200).says("Saved uma2");
    let saved = user(server, 2);
    assert_eq!(
        [
            &saved["email"],
            &saved["username"],
            &saved["full_name"],
            &saved["age"],
            &saved["website"],
            &saved["role"],
            &saved["is_active"]
        ],
        [
            &json!("uma@example.com"),
            &json!("uma2"),
            &json!("Uma U."),
            &json!(41),
            &json!("https://uma.example"),
            &json!("guest"),
            &json!(true)
        ]
    );
    let mut form = visitor.get("/admin/users/2/edit").expect(200).page.form("/admin/users/2/edit");
    form.set("age", "").set("full_name", "").remove("is_active");
    visitor.submit(&form).leads_to();
    let saved = user(server, 2);
    assert_eq!([&saved["age"], &saved["full_name"], &saved["is_active"]], [&json!(null), &json!(null), &json!(false)]);
    let wrong = visitor
        .fill_in("/admin/users/2/edit", &[("age", "old"), ("username", "ada_ADMIN"), ("website", "x")])
        .expect(422);
    assert!(wrong.page.error_at("age").is_some() && wrong.page.error_at("website").is_some());
    assert_eq!(wrong.page.form("/admin/users/2/edit").value("username"), Some("ada_ADMIN"));
    form.remove("version");
    visitor.submit(&form).expect(400);
}

fn an_edit_that_meets_somebody_elses_shows_both_sides(server: &Server) {
    let visitor = admin(server);
    let mut form = visitor.get("/admin/users/2/edit").expect(200).page.form("/admin/users/2/edit");
    server.user().patch("/api/v1/users/2", &json!({"full_name": "Hers", "age": 30})).send().expect(200);
    form.set("full_name", "Mine").set("website", "https://mine.example");
    let shown = visitor.submit(&form).expect(409);
    shown.says("uma_user").says("Hers").says("Mine");
    let mut choice = shown.page.form("/admin/users/2/edit");
    assert_eq!(choice.value("pick_full_name"), Some("mine"), "what I changed is mine at first");
    assert_eq!(choice.value("pick_age"), Some("theirs"), "what only they changed is theirs at first");
    choice.set("pick_full_name", "theirs");
    visitor.submit(&choice).leads_to();
    let saved = user(server, 2);
    assert_eq!(
        [&saved["full_name"], &saved["age"], &saved["website"]],
        [&json!("Hers"), &json!(30), &json!("https://mine.example")]
    );
}

fn a_new_password_meanwhile_is_no_conflict(server: &Server) {
    let visitor = admin(server);
    let mut form = visitor.get("/admin/users/2/edit").expect(200).page.form("/admin/users/2/edit");
    server.place().run_with_input(&["user", "passwd", "uma_user", "--password-stdin"], b"Another2horse\n").expect(0);
    form.set("full_name", "Mine");
    visitor.submit(&form).leads_to();
    assert_eq!(user(server, 2)["full_name"], "Mine");
}

fn another_role_signs_out_and_counts_at_once(server: &Server) {
    let theirs = Visitor::signed_in(server, Who::User);
    let visitor = admin(server);
    let question = visitor.get("/admin/users/2/role").expect(200);
    question.says("signed out everywhere");
    let mut form = question.page.form("/admin/users/2/role");
    assert_eq!(form.value("role"), Some("user"));
    // The same again ends nothing.
    visitor.submit(&form).leads_to();
    assert_eq!(theirs.get("/admin/account").answer.status, 200);
    form.set("role", "emperor");
    visitor.submit(&form).expect(422).says("Must be admin, user or guest");
    form.set("role", "admin");
    visitor.submit(&form).leads_to();
    assert_eq!(user(server, 2)["role"], "admin");
    assert_eq!(theirs.get("/admin/account").answer.status, 303);
    assert_eq!(Visitor::signed_in(server, Who::User).get(USERS).answer.status, 200);
}

fn a_deactivated_user_is_out_and_may_be_let_in_again(server: &Server) {
    let theirs = Visitor::signed_in(server, Who::User);
    let visitor = admin(server);
    visitor.get("/admin/users/2/access").expect(200).says("Deactivate uma_user?").says("cannot sign in again");
    confirm(&visitor, "/admin/users/2/access").leads_to();
    visitor.get("/admin/users/2").expect(200).says("Deactivated uma_user").says("May not sign in");
    assert_eq!(theirs.get("/admin/account").answer.status, 303);
    Visitor::stranger(server).sign_in("uma_user", PASSWORD).expect(400);
    visitor.get("/admin/users/2/access").expect(200).says("Activate uma_user?");
    confirm(&visitor, "/admin/users/2/access").leads_to();
    Visitor::stranger(server).sign_in("uma_user", PASSWORD).leads_to();
    assert_eq!(summary(server), "Activated uma_user");
}

fn an_admin_ends_the_sessions_of_somebody(server: &Server) {
    let theirs = Visitor::signed_in(server, Who::User);
    let others = Visitor::signed_in(server, Who::Other);
    let token = server.login("uma_user", PASSWORD);
    let visitor = admin(server);
    visitor.get("/admin/users/2/end-sessions").expect(200).says("API keys stay");
    assert_eq!(confirm(&visitor, "/admin/users/2/end-sessions").leads_to(), "/admin/users/2");
    assert_eq!(summary(server), "Ended the sessions of uma_user");
    visitor.get("/admin/users/2").expect(200).says("Ended the sessions of uma_user");
    assert_eq!(theirs.get("/admin/account").answer.status, 303);
    wait_for("the end of the access token", Duration::from_millis(1_500), || {
        (server.get("/api/v1/users/me").bearer(&token).send().status == 401).then_some(())
    });
    assert_eq!(others.get("/admin/account").answer.status, 200);
    theirs.sign_in("uma_user", PASSWORD).leads_to();
}

fn ones_own_sessions_are_ended_in_the_account(server: &Server) {
    let visitor = admin(server);
    let other = admin(server);
    assert_eq!(visitor.get("/admin/users/1/end-sessions").leads_to(), "/admin/account#sessions");
    let csrf = visitor.get("/admin/users/1/edit").page.form("/admin/users/1/edit").value("_csrf").unwrap().to_owned();
    let sent = visitor.post("/admin/users/1/end-sessions", &[("_csrf".into(), csrf)]);
    assert_eq!(sent.leads_to(), "/admin/account#sessions");
    assert_eq!(other.get(USERS).answer.status, 200);
}

fn who_owns_items_is_deleted_once_an_heir_is_chosen(server: &Server) {
    let category = new_category(server, "Tools");
    for name in ["Saw", "Hammer"] {
        let item = json!({"name": name, "price": 2, "category_id": category});
        server.user().post("/api/v1/items", &item).send().expect(201);
    }
    server.db().execute("UPDATE users SET is_active = (1 = 0) WHERE id = 4");
    let visitor = admin(server);
    let path = "/admin/users/2/delete";
    let question = visitor.get(path).expect(200);
    question.says("Who takes 2 items over?").says("ada_admin (you)");
    assert!(!question.page.source.contains("otto_other"), "nobody is offered before they are searched for");
    let mut form = question.page.forms().into_iter().find(|f| f.method == "post" && f.action == path).unwrap();
    assert_eq!(form.value("reassign_to"), Some("1"));
    form.remove("reassign_to");
    let refused = visitor.submit(&form).expect(409);
    assert!(refused.page.error_at("reassign_to").unwrap().starts_with("Choose who takes that over"));
    for nobody in ["2", "999", "x"] {
        form.set("reassign_to", nobody);
        visitor.submit(&form).expect(422).says("must be the id of another user");
    }
    let offered = |q: &str| -> Vec<String> {
        let page = visitor.get(&format!("{path}?q={q}")).expect(200).page;
        let form = page.forms().into_iter().find(|f| f.method == "post" && f.action == path).unwrap();
        form.choices.into_iter().filter(|(name, _)| name == "reassign_to").map(|(_, id)| id).collect()
    };
    assert_eq!(offered("OTTO"), ["3"]);
    assert_eq!(offered("uma_user"), Vec::<String>::new(), "nobody inherits from themselves");
    assert_eq!(offered("gil_guest"), Vec::<String>::new(), "who is not active inherits nothing");
    visitor.get(&format!("{path}?q=nobody")).expect(200).says("Nobody active is called");
    form.set("reassign_to", "3");
    assert_eq!(visitor.submit(&form).leads_to(), USERS);
    visitor.get(USERS).expect(200).says("Deleted uma_user");
    server.admin().get("/api/v1/users/2").send().problem(404);
    assert_eq!(server.db().number("SELECT count(*) AS n FROM items WHERE owner_id = 3"), 2);
}

fn who_owns_nothing_is_deleted_after_a_question(server: &Server) {
    let theirs = Visitor::signed_in(server, Who::Guest);
    let visitor = admin(server);
    let path = "/admin/users/4/delete";
    visitor.get(path).expect(200).says("Delete gil_guest?");
    assert_eq!(confirm(&visitor, path).leads_to(), USERS);
    assert_eq!(theirs.get("/admin/account").answer.status, 303);
    visitor.get("/admin/users/4").expect(404);
}

fn a_delete_of_what_was_changed_is_asked_again(server: &Server) {
    let visitor = admin(server);
    let path = "/admin/users/4/delete";
    let form = visitor.get(path).expect(200).page.form(path);
    server.admin().patch("/api/v1/users/4", &json!({"role": "user"})).send().expect(200);
    assert_eq!(visitor.submit(&form).leads_to(), path);
    visitor.get(path).expect(200).says("Somebody changed this user just now");
    assert_eq!(server.db().count("users"), 4);
}

fn the_last_admin_stays_and_is_told_why(server: &Server) {
    let visitor = admin(server);
    for act in ["role", "access", "delete"] {
        let path = format!("/admin/users/1/{act}");
        let shown = visitor.get(&path).expect(200);
        shown.says("This is the last active admin");
        assert!(!shown.page.forms().iter().any(|f| f.action == path), "{act} is offered");
    }
    // Sent all the same, by hand.
    let csrf = visitor.get("/admin/users/1/edit").page.form("/admin/users/1/edit").value("_csrf").unwrap().to_owned();
    let send = |act: &str, field: (&str, &str)| {
        let fields = [("_csrf", csrf.as_str()), ("version", "1"), field].map(|(n, v)| (n.to_owned(), v.to_owned()));
        visitor.post(&format!("/admin/users/1/{act}"), &fields)
    };
    send("role", ("role", "user")).leads_to();
    visitor.get("/admin/users/1").expect(200).says("last active admin");
    send("access", ("is_active", "false")).leads_to();
    send("delete", ("reassign_to", "2")).expect(409).says("last active admin");
    visitor.fill_in("/admin/users/1/edit", &[("role", "user")]).expect(409).says("last active admin");
    let still = user(server, 1);
    assert_eq!((&still["role"], &still["is_active"]), (&json!("admin"), &json!(true)));
}

fn what_is_not_there_is_404(server: &Server) {
    let visitor = admin(server);
    for path in ["", "/edit", "/role", "/access", "/end-sessions", "/delete"] {
        visitor.get(&format!("/admin/users/999{path}")).expect(404);
    }
    visitor.get("/admin/users/x").expect(404);
}

fn what_is_typed_is_shown_and_never_run(server: &Server) {
    let nasty = "<script>alert(1)</script>\"'&";
    server.admin().patch("/api/v1/users/2", &json!({"full_name": nasty})).send().expect(200);
    let visitor = admin(server);
    for path in ["/admin/users", "/admin/users/2", "/admin/users/2/edit"] {
        let shown = visitor.get(path).expect(200);
        assert!(!shown.page.source.contains("<script>alert"), "{path}");
        assert!(shown.page.source.contains("alert(1)"), "{path}");
    }
    let shown = visitor.get("/admin/users/2/delete?q=%3Cscript%3Ealert(1)").expect(200);
    assert!(!shown.page.source.contains("<script>alert"));
}

#[test]
fn who_is_alone_is_told_to_invite_somebody() {
    let place = Place::empty(Kind::Sqlite);
    place.user("ada_admin@example.com", "ada_admin", "admin");
    let server = place.serve();
    let visitor = Visitor::stranger(&server);
    visitor.sign_in("ada_admin", PASSWORD).leads_to();
    visitor.get(USERS).expect(200).says("Just you so far");
    visitor.get("/admin/users/1").expect(200).says("The last active admin: cannot be deactivated");
}
