//! The queue in the browser: what waits, what was given up, trying it again and discarding it.

use crate::support::{
    Kind, Place, Server, Visitor, Who,
    mail::{Mood, Sink},
    on_both, on_each_database,
    server::PASSWORD,
    visitor::Shown,
    wait_for,
};
use serde_json::json;
use std::time::Duration;

on_both! {
    an_empty_queue_says_what_it_is_for,
}

on_each_database! {
    what_was_given_up_is_shown_and_tried_again,
    what_is_discarded_is_in_the_log_and_comes_back,
    all_of_a_kind_are_tried_again_or_discarded,
    what_is_being_done_is_neither_retried_nor_discarded,
    jobs_go_by_steps_and_are_asked_for_by_state_and_kind,
}

/// A server whose mail goes to this sink.
fn serve(kind: Kind, sink: &Sink) -> Server {
    Place::furnished(kind).with("SMTP_URL", sink.url()).serve()
}

fn register(server: &Server, name: &str) {
    let body = json!({"email": format!("{name}@example.com"), "username": name, "password": PASSWORD});
    server.post("/api/v1/auth/register").json(&body).send().expect(201);
}

/// Waits until so many jobs are given up.
#[track_caller]
fn wait_for_parked(server: &Server, count: i64) {
    wait_for("jobs that are given up", Duration::from_secs(60), || {
        let parked = server.db().number("SELECT count(*) AS n FROM jobs WHERE parked_at IS NOT NULL");
        (parked == count).then_some(())
    });
}

fn only_job(server: &Server) -> i64 {
    server.db().number("SELECT max(id) AS n FROM jobs")
}

fn rows(visitor: &Visitor, query: &str) -> Vec<Vec<String>> {
    visitor.get(&format!("/admin/jobs{query}")).expect(200).page.table()
}

/// The address of the link that says this.
#[track_caller]
fn link(shown: &Shown, says: &str) -> String {
    let found = shown.page.elements("a").find(|(at, _)| shown.page.text_at(*at) == says);
    found.unwrap_or_else(|| panic!("no link says {says:?}: {}", shown.page.text())).1["href"].clone()
}

fn an_empty_queue_says_what_it_is_for(server: &Server) {
    let visitor = Visitor::signed_in(server, Who::Admin);
    visitor.get("/admin/jobs").expect(200).says("Nothing to do").says("The queue is empty");
    visitor.get("/admin/jobs?state=asleep").expect(422).says("must be queued, running, waiting or parked");
    visitor.get("/admin/jobs?older=x").expect(400);
    visitor.get("/admin/jobs?kind=mail.welcome&state=parked").expect(200);
    visitor.get("/admin/jobs/1").expect(404);
    visitor.get("/admin/jobs/1/discard").expect(404);
    // Never all of every kind.
    visitor.get("/admin/jobs/retry").expect(400);
    visitor.get("/admin/jobs/discard?state=parked").expect(400);
    visitor.get("/admin/jobs/discard?kind=mail.welcome").expect(200).says("There is no such job any more");
}

fn what_was_given_up_is_shown_and_tried_again(kind: Kind) {
    let sink = Sink::start(Mood::Never);
    let server = serve(kind, &sink);
    register(&server, "ann");
    wait_for_parked(&server, 1);
    let id = only_job(&server);
    let visitor = Visitor::signed_in(&server, Who::Admin);
    let list = rows(&visitor, "");
    assert_eq!(list.len(), 1, "{list:?}");
    assert!(list[0][0].starts_with("Mail: welcome"), "{list:?}");
    assert_eq!((list[0][1].as_str(), list[0][2].as_str()), ("Given up", "1"));
    assert!(list[0][3].contains("550"), "why: {list:?}");
    let shown = visitor.get(&format!("/admin/jobs/{id}")).expect(200);
    shown.says("Given up.").says("550").says("ann").says("mail.welcome");
    assert!(shown.page.links().contains(&"/admin/users/5".to_owned()), "for whom");
    // The mail server is well again.
    sink.set(Mood::Takes);
    let path = format!("/admin/jobs/{id}/retry");
    let done = visitor.submit(&shown.page.form(&path));
    assert_eq!(done.leads_to(), "/admin/jobs");
    wait_for("the mail", Duration::from_secs(30), || (!sink.mails().is_empty()).then_some(()));
    wait_for("an empty queue", Duration::from_secs(10), || (server.db().count("jobs") == 0).then_some(()));
    assert_eq!(
        server
            .db()
            .texts("SELECT summary || ' ' || actor || ' ' || door AS s FROM changesets ORDER BY id DESC LIMIT 1"),
        [format!("Retried job {id} (mail.welcome) ada_admin admin")]
    );
    // What is done needs no second try.
    let again = visitor.submit(&shown.page.form(&path));
    assert_eq!(again.leads_to(), "/admin/jobs");
    visitor.get("/admin/jobs").expect(200).says(&format!("Job {id} is no longer in the queue"));
    visitor.get(&format!("/admin/jobs/{id}")).expect(404);
}

fn what_is_discarded_is_in_the_log_and_comes_back(kind: Kind) {
    let sink = Sink::start(Mood::Never);
    let server = serve(kind, &sink);
    register(&server, "ann");
    wait_for_parked(&server, 1);
    let id = only_job(&server);
    let visitor = Visitor::signed_in(&server, Who::Admin);
    let before = server.db().rows_of("jobs", &[]);
    let path = format!("/admin/jobs/{id}/discard");
    let question = visitor.get(&path).expect(200);
    question.says("Discard this job?").says("Mail: welcome");
    assert_eq!(server.db().count("jobs"), 1, "a question changes nothing");
    assert_eq!(visitor.submit(&question.page.form(&path)).leads_to(), "/admin/jobs");
    assert_eq!(server.db().count("jobs"), 0);
    let changeset = server.db().number("SELECT max(id) AS n FROM changesets");
    let shown = visitor.get(&format!("/admin/audit/{changeset}")).expect(200);
    shown.says(&format!("Discarded job {id} (mail.welcome)")).says("user_id").says("550");
    assert_eq!(rows_of_log(&visitor, "?entity=job"), 1);
    // Brought back as it was, under its id; and taken out again.
    let undo = format!("/admin/audit/{changeset}/revert");
    visitor.get(&undo).expect(200).says("comes back");
    visitor.fill_in(&undo, &[]).leads_to();
    assert_eq!(server.db().rows_of("jobs", &[]), before);
    visitor.get(&undo).expect(200).says("nothing left to undo");
    let undone = server.db().number("SELECT max(id) AS n FROM changesets");
    visitor.fill_in(&format!("/admin/audit/{undone}/revert"), &[]).leads_to();
    assert_eq!(server.db().count("jobs"), 0);
    assert_eq!(server.admin().get("/api/v1/audit?entity=job").send().expect(200).json()["total"], 3);
}

fn rows_of_log(visitor: &Visitor, query: &str) -> usize {
    visitor.get(&format!("/admin/audit{query}")).expect(200).page.table().len()
}

fn all_of_a_kind_are_tried_again_or_discarded(kind: Kind) {
    let sink = Sink::start(Mood::Never);
    let server = serve(kind, &sink);
    for name in ["ann", "ben", "cay"] {
        register(&server, name);
    }
    server.post("/api/v1/auth/password/forgot").json(&json!({"email": Who::User.email()})).send().expect(202);
    wait_for_parked(&server, 4);
    let visitor = Visitor::signed_in(&server, Who::Admin);
    let all = visitor.get("/admin/jobs").expect(200);
    assert!(!all.page.text().contains("Discard all"), "not while every kind is shown");
    all.says("By kind");
    let list = visitor.get("/admin/jobs?kind=mail.welcome&state=parked").expect(200);
    assert_eq!(list.page.table().len(), 3);
    let discard = visitor.get(&link(&list, "Discard all 3…")).expect(200);
    discard.says("Discard 3 jobs?").says("Mail: welcome").says("Given up");
    sink.set(Mood::Takes);
    let retry = visitor.get(&link(&list, "Try all 3 again…")).expect(200);
    retry.says("Try 3 jobs again?");
    assert_eq!(visitor.submit(&retry.page.form("/admin/jobs/retry")).leads_to(), "/admin/jobs");
    wait_for("three mails", Duration::from_secs(30), || (sink.mails().len() == 3).then_some(()));
    wait_for("one job", Duration::from_secs(10), || (server.db().count("jobs") == 1).then_some(()));
    assert_eq!(
        server.db().texts("SELECT summary AS s FROM changesets ORDER BY id DESC LIMIT 1"),
        ["Retried 3 jobs"],
        "one act"
    );
    // An old question finds nothing any more, and what came after it is not meant.
    visitor.submit(&discard.page.form("/admin/jobs/discard")).leads_to();
    visitor.get("/admin/jobs").expect(200).says("Discarded 0 jobs");
    assert_eq!(server.db().count("jobs"), 1, "the other kind stays");
    let path = "/admin/jobs/discard?kind=mail.reset";
    visitor.submit(&visitor.get(path).expect(200).page.form("/admin/jobs/discard")).leads_to();
    assert_eq!(server.db().count("jobs"), 0);
    assert_eq!(server.db().texts("SELECT summary AS s FROM changesets ORDER BY id DESC LIMIT 1"), ["Discarded 1 job"]);
}

fn what_is_being_done_is_neither_retried_nor_discarded(kind: Kind) {
    let sink = Sink::start(Mood::Silent);
    let server = serve(kind, &sink);
    register(&server, "ann");
    wait_for("a mail that hangs", Duration::from_secs(30), || (sink.offered() == 1).then_some(()));
    let id = only_job(&server);
    let visitor = Visitor::signed_in(&server, Who::Admin);
    assert_eq!(rows(&visitor, "?state=running")[0][1], "Running");
    let shown = visitor.get(&format!("/admin/jobs/{id}")).expect(200);
    shown.says("It is being done right now");
    assert!(shown.page.forms().iter().all(|form| !form.action.contains("/jobs/")), "there is nothing to press");
    visitor.get(&format!("/admin/jobs/{id}/discard")).expect(200).says("This job is being done");
    // Whoever had the buttons before is told.
    let token = visitor.get("/admin/account").page.forms()[0].value("_csrf").unwrap().to_owned();
    let fields = |more: &[(&str, &str)]| -> Vec<(String, String)> {
        let all = [("_csrf", token.as_str())].into_iter().chain(more.iter().copied());
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    for act in ["retry", "discard"] {
        let answer = visitor.post(&format!("/admin/jobs/{id}/{act}"), &fields(&[]));
        assert_eq!(answer.leads_to(), format!("/admin/jobs/{id}"));
        visitor.get(&answer.leads_to()).expect(200).says("Wait until it has been tried");
        visitor.post(&format!("/admin/jobs/{act}"), &fields(&[("kind", "mail.welcome")])).leads_to();
    }
    assert_eq!(server.db().number("SELECT count(*) AS n FROM jobs WHERE lease IS NOT NULL"), 1);
    assert_eq!(sink.offered(), 1, "it is not begun a second time");
    assert_eq!(server.db().number("SELECT count(*) AS n FROM changes WHERE entity = 'job'"), 0);
}

fn jobs_go_by_steps_and_are_asked_for_by_state_and_kind(kind: Kind) {
    let server = Place::furnished(kind).serve();
    let mut db = server.db();
    let now = server.db().number("SELECT max(at) AS n FROM changesets");
    for n in 1..=25_i64 {
        let (state, kind) = (n % 2, if n <= 5 { "mail.welcome" } else { "upload.remove" });
        let parked = if state == 0 { now.to_string() } else { "NULL".to_owned() };
        // Far from now, so that the worker leaves them alone.
        let due = now + 3_600_000_000 * 24;
        db.execute(&format!(
            "INSERT INTO jobs (kind, payload, attempts, run_at, error, parked_at, created_at) \
             VALUES ('{kind}', '{{\"key\":\"<b>{n}</b>\"}}', 3, {due}, 'no <i>room</i>', {parked}, {now})"
        ));
    }
    let visitor = Visitor::signed_in(&server, Who::Admin);
    let first = visitor.get("/admin/jobs").expect(200);
    assert_eq!(first.page.table().iter().filter(|row| row.len() == 5 && row[4].contains(' ')).count(), 20);
    assert_eq!(rows(&visitor, "?state=parked").len(), 12);
    assert_eq!(rows(&visitor, "?state=waiting&kind=mail.welcome").len(), 3);
    assert_eq!(rows(&visitor, "?state=queued").len(), 0);
    let older = visitor.get(&link(&first, "Older")).expect(200);
    assert_eq!(older.page.table().len(), 5 + 2, "and the kinds beneath");
    // What is in a job is shown and never run.
    let id = only_job(&server);
    let shown = visitor.get(&format!("/admin/jobs/{id}")).expect(200);
    shown.says("<b>25</b>").says("no <i>room</i>").says("Next try");
    assert!(!shown.page.source.contains("<b>25</b>") && !shown.page.source.contains("<i>room"));
    // All of a kind that stand so, and no other.
    let path = "/admin/jobs/discard?kind=upload.remove&state=parked";
    let question = visitor.get(path).expect(200);
    question.says("Discard 10 jobs?");
    visitor.submit(&question.page.form("/admin/jobs/discard")).leads_to();
    assert_eq!((db.count("jobs"), rows(&visitor, "?state=parked").len()), (15, 2));
}
