//! Webhooks: who is told of what, how it is signed, tried again and never lost, and where it may not lead.

use crate::support::{
    Kind, Place, Server, Who,
    data::{self, new_category, new_item, some_diamonds},
    on_each_database,
    receiver::{Receiver, Reply},
    wait_for,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

on_each_database! {
    a_webhook_is_made_read_changed_and_removed,
    what_is_wrong_with_a_webhook_is_said_at_its_field,
    webhooks_are_for_admins,
    each_change_is_told_signed_and_once,
    what_is_told_is_the_thing_as_it_was_right_after_the_change,
    what_fails_is_tried_again_under_the_same_id,
    gone_deactivates_a_webhook_for_good,
    a_hanging_endpoint_keeps_nobody_else_waiting,
    a_redirect_is_not_followed_and_an_answer_is_cut,
    nothing_is_lost_when_the_server_is_killed,
    an_import_is_told_whole_each_item_once,
    a_delivery_is_replayed_and_a_test_is_sent,
    a_rotated_secret_signs_along_for_a_day,
    secrets_survive_a_new_key_and_are_shown_nowhere,
    an_address_is_checked_again_when_it_is_used,
    webhooks_are_undone_but_for_their_deletion,
    without_a_webhook_nothing_is_noted,
}

const HOOKS: &str = "/api/v1/webhooks";

fn serve(kind: Kind) -> Server {
    Place::furnished(kind).with("WEBHOOK_ALLOW_PRIVATE", "true").serve()
}

/// The admin makes a webhook: its path and its secret.
#[track_caller]
fn hook(server: &Server, url: &str, events: &[&str]) -> (String, String) {
    let answer = server.admin().post(HOOKS, &json!({"url": url, "events": events})).send().expect(201);
    let data = answer.data();
    (format!("{HOOKS}/{}", data["id"]), data["secret"].as_str().unwrap().to_owned())
}

#[track_caller]
fn deliveries(server: &Server, hook: &str) -> Vec<Value> {
    server.admin().get(&format!("{hook}/deliveries?page_size=100")).send().expect(200).rows()
}

/// Waits until the newest delivery is as it should be.
#[track_caller]
fn wait_for_delivery(server: &Server, hook: &str, is: impl Fn(&Value) -> bool) -> Value {
    wait_for("a delivery as it should be", Duration::from_secs(180), || {
        deliveries(server, hook).into_iter().next().filter(|delivery| is(delivery))
    })
}

fn last_changeset(server: &Server) -> i64 {
    server.db().number("SELECT max(id) AS n FROM changesets")
}

fn a_webhook_is_made_read_changed_and_removed(kind: Kind) {
    let server = Place::furnished(kind).serve();
    let body = json!({
        "url": "https://hooks.example.com/stock?key=1",
        "events": ["user.deleted", "item.created", "item.created"],
        "description": "  The shop ",
    });
    let answer = server.admin().post(HOOKS, &body).send().expect(201);
    let mut made = answer.json();
    let secret = made["data"].as_object_mut().unwrap().remove("secret").unwrap();
    assert!(secret.as_str().unwrap().starts_with("whsec_"), "{secret}");
    insta::allow_duplicates! {
        insta::assert_snapshot!(data::shape(&made), @r#"
        {
          "success": true,
          "message": "Webhook created successfully",
          "data": {
            "id": 1,
            "url": "https://hooks.example.com/stock?key=1",
            "events": [
              "item.created",
              "user.deleted"
            ],
            "description": "The shop",
            "is_active": true,
            "disabled_reason": null,
            "version": 1,
            "created_at": "[created_at]",
            "updated_at": "[updated_at]"
          }
        }
        "#);
    }
    let path = answer.must("location");
    assert_eq!(answer.must("etag"), "\"1\"");
    assert_eq!(server.admin().get(&path).send().expect(200).data(), made["data"], "never again");
    let patched =
        server.admin().patch(&path, &json!({"events": ["*", "item.created"], "is_active": false, "description": null}));
    let patched = patched.header("if-match", "\"1\"").send().expect(200);
    insta::allow_duplicates! {
        insta::assert_snapshot!(data::shape(&patched.data()), @r#"
        {
          "id": 1,
          "url": "https://hooks.example.com/stock?key=1",
          "events": [
            "*"
          ],
          "description": null,
          "is_active": false,
          "disabled_reason": null,
          "version": 2,
          "created_at": "[created_at]",
          "updated_at": "[updated_at]"
        }
        "#);
    }
    server.admin().patch(&path, &json!({})).header("if-match", "\"1\"").send().problem(412);
    // A thing that was read can be sent back as it is.
    server.admin().patch(&path, &patched.data()).send().expect(200);
    for (field, value) in [("secret", json!("whsec_mine")), ("id", json!(99)), ("disabled_reason", json!("because"))] {
        server.admin().patch(&path, &json!({field: value})).send().problem(403);
    }
    for n in 2..=3 {
        hook(&server, &format!("https://{n}.example.com/"), &["*"]);
    }
    let list = server.admin().get(&format!("{HOOKS}?is_active=true&sort=-id&limit=1")).send().expect(200).json();
    assert_eq!((list["data"][0]["id"].as_i64(), list["has_more"].as_bool()), (Some(3), Some(true)));
    let next = format!("{HOOKS}?is_active=true&sort=-id&limit=1&cursor={}", list["next_cursor"].as_str().unwrap());
    let rest = server.admin().get(&next).send().expect(200).json();
    assert_eq!((rest["data"][0]["id"].as_i64(), rest["has_more"].as_bool()), (Some(2), Some(false)));
    assert_eq!(server.admin().get(HOOKS).send().expect(200).json()["total"], 3);
    server.admin().delete(&path).send().expect(204);
    server.admin().get(&path).send().problem(404);
    server.admin().delete(&path).send().problem(404);
    let entities = "SELECT action AS s FROM changes WHERE entity = 'webhook' AND entity_id = 1 ORDER BY changeset_id";
    assert_eq!(server.db().texts(entities), ["created", "updated", "updated", "deleted"]);
}

fn what_is_wrong_with_a_webhook_is_said_at_its_field(kind: Kind) {
    let server = Place::furnished(kind).serve();
    let refused = |body: Value, fields: &[&str]| {
        server.admin().post(HOOKS, &body).send().refused_at(fields);
    };
    refused(json!({}), &["url", "events"]);
    refused(json!({"url": null, "events": null}), &["url", "events"]);
    let good = "https://hooks.example.com/";
    refused(json!({"url": good, "events": []}), &["events"]);
    refused(json!({"url": good, "events": "item.created"}), &["events"]);
    refused(json!({"url": good, "events": [1]}), &["events"]);
    refused(
        json!({"url": good, "events": ["item.created", "item.renamed", "webhook.created"]}),
        &["events[1]", "events[2]"],
    );
    let long = "x".repeat(501);
    refused(
        json!({"url": 1, "events": ["*"], "description": long, "is_active": "yes"}),
        &["url", "description", "is_active"],
    );
    refused(json!({"url": format!("{good}{}", "x".repeat(2_000)), "events": ["*"]}), &["url"]);
    for url in [
        "ftp://example.com/",
        "https://user:word@example.com/",
        "https://user@example.com/",
        "http://127.0.0.1/",
        "http://127.0.0.1:8080/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://0.0.0.0/",
        "http://0/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://192.0.2.1/",
        "http://198.18.0.1/",
        "http://[::]/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001::1]/",
        "http://[fd00::1]/",
        "http://[fe80::1]/",
        "http://[fec0::1]/",
        "http://[ff02::1]/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://a.localhost/",
        "http://db.internal/",
        "http://printer.local/",
        "http://intranet/",
        "http://127.0.0.1./",
        "http://１２７.０.０.１/",
        "http://%31%32%37.0.0.1/",
        "https://example.com:22/",
        "https://example.com:0/",
    ] {
        refused(json!({"url": url, "events": ["*"]}), &["url"]);
    }
    assert_eq!(server.db().count("webhooks"), 0);
    for n in 0..100 {
        hook(&server, &format!("https://{n}.example.com/"), &["post.deleted"]);
    }
    server.admin().post(HOOKS, &json!({"url": good, "events": ["*"]})).send().problem(409);
}

fn webhooks_are_for_admins(kind: Kind) {
    let server = Place::furnished(kind).serve();
    let (path, _) = hook(&server, "https://hooks.example.com/", &["*"]);
    let calls = |who: Who| {
        let who = server.as_who(who);
        let delivery = format!("{path}/deliveries");
        [
            who.get(HOOKS).send(),
            who.post(HOOKS, &json!({"url": "https://a.example/", "events": ["*"]})).send(),
            who.get(&path).send(),
            who.get("/api/v1/webhooks/999").send(),
            who.patch(&path, &json!({"is_active": false})).send(),
            who.delete(&path).send(),
            who.post(&format!("{path}/secret"), &json!({})).send(),
            who.post(&format!("{path}/test"), &json!({})).send(),
            who.get(&delivery).send(),
            who.post(&format!("{delivery}/1/replay"), &json!({})).send(),
        ]
    };
    for who in [Who::User, Who::Guest, Who::Other] {
        for answer in calls(who) {
            answer.problem(403);
        }
    }
    server.get(HOOKS).send().problem(401);
    assert_eq!(server.admin().get(&path).send().data()["version"], 1);
}

fn each_change_is_told_signed_and_once(kind: Kind) {
    let server = serve(kind);
    let (all, items) = (Receiver::content(), Receiver::content());
    let (_, secret) = hook(&server, &all.url(), &["*"]);
    hook(&server, &items.url(), &["item.deleted"]);
    let category = new_category(&server, "Tools");
    let item = new_item(&server, category, "Hammer", json!({"price": 19.99}));
    let patched = server.user().patch(&item.path(), &json!({"price": 0.1})).send().expect(200).data();
    server.admin().delete(&item.path()).send().expect(204);
    let register = json!({"email": "n@example.com", "username": "nina", "password": "Correct1horse"});
    let user = server.post("/api/v1/auth/register").json(&register).send().expect(201).data();
    // What is refused and what is only read tells nothing; neither does a webhook of itself.
    server.user().patch("/api/v1/items/999", &json!({"price": 1})).send().problem(404);
    let received = all.wait(5);
    let told: Vec<String> = received.iter().map(|r| r.event()).collect();
    assert_eq!(told, ["category.created", "item.created", "item.updated", "item.deleted", "user.created"]);
    let ids: BTreeSet<&str> = received.iter().map(|r| r.id()).collect();
    assert_eq!(ids.len(), 5);
    for one in &received {
        assert_eq!(one.line, "POST /hook HTTP/1.1");
        assert_eq!(one.header("content-type"), "application/json");
        assert!(one.header("user-agent").starts_with("Stockroom/"));
        assert_eq!(one.signed_by(&secret), [true]);
        let sent: i64 = one.header("webhook-timestamp").parse().unwrap();
        assert!((chrono::Utc::now().timestamp() - sent).abs() < 120);
        let body = one.json();
        let members: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(members, ["type", "timestamp", "data"]);
        assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
    }
    let mut shown = server.admin().get(&format!("/api/v1/categories/{category}")).send().data();
    shown["item_count"] = received[0].json()["data"]["item_count"].clone();
    assert_eq!(received[0].json()["data"], shown, "as the API shows it");
    assert_eq!(received[1].json()["data"], item.data);
    assert_eq!(received[2].json()["data"], patched);
    assert!(received[1].body.contains("\"price\":19.99,"), "exactly: {}", received[1].body);
    assert_eq!(received[3].json()["data"], patched, "as it was last");
    assert_eq!(received[4].json()["data"], user);
    assert!(!received[4].body.contains("password"), "{}", received[4].body);
    let only = items.wait(1);
    assert_eq!((only.len(), only[0].event().as_str()), (1, "item.deleted"));
    assert_eq!(only[0].id(), received[3].id(), "one event, one id");
    assert_ne!(only[0].signed_by(&secret), [true], "each webhook has a secret of its own");
}

fn what_is_told_is_the_thing_as_it_was_right_after_the_change(kind: Kind) {
    let server = serve(kind);
    let category = new_category(&server, "Tools");
    let item = new_item(&server, category, "Hammer", json!({"price": 5}));
    let first = last_changeset(&server);
    let one = server.user().patch(&item.path(), &json!({"price": 6, "description": "d"})).send().expect(200).data();
    let two = server.user().patch(&item.path(), &json!({"name": "Mallet"})).send().expect(200).data();
    server.admin().delete(&item.path()).send().expect(204);
    let receiver = Receiver::content();
    hook(&server, &receiver.url(), &["*"]);
    // As if they had been made while it was there, and nobody had had the time to tell.
    for changeset in first..=first + 3 {
        server.db().execute(&format!(
            "INSERT INTO fan_outs (changeset_id, from_seq, to_seq, at) VALUES ({changeset}, 1, 1, 4000000000000000)"
        ));
    }
    let received = receiver.wait(4);
    let told: Vec<Value> = received.iter().map(|r| r.json()["data"].clone()).collect();
    assert_eq!(told, [item.data, one, two.clone(), two]);
    assert_eq!(server.db().count("fan_outs"), 0);
}

fn what_fails_is_tried_again_under_the_same_id(kind: Kind) {
    let server = serve(kind);
    let mut tries = 0;
    let receiver = Receiver::new(move |_| {
        tries += 1;
        Reply::Status(if tries == 1 { 500 } else { 200 })
    });
    let (path, secret) = hook(&server, &receiver.url(), &["category.created"]);
    new_category(&server, "Tools");
    let failed = wait_for_delivery(&server, &path, |delivery| delivery["attempts"] == 1);
    assert_eq!((failed["state"].as_str(), failed["status"].as_i64()), (Some("waiting"), Some(500)));
    assert_eq!(failed["error"], "the endpoint answered 500");
    let time = |name: &str| chrono::DateTime::parse_from_rfc3339(failed[name].as_str().unwrap()).unwrap();
    let pause = time("next_attempt_at") - time("last_attempt_at");
    assert!(pause.num_seconds() <= 30, "the second try comes within 30 s, not {pause}");
    let received = receiver.wait(2);
    assert_eq!(received[0].id(), received[1].id());
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(received[1].signed_by(&secret), [true], "signed anew");
    let done = wait_for_delivery(&server, &path, |delivery| delivery["state"] == "done");
    assert_eq!(
        (done["attempts"].as_i64(), &done["error"], &done["next_attempt_at"]),
        (Some(2), &Value::Null, &Value::Null)
    );
    // Nobody at the other end at all.
    let (dead, _) = hook(&server, "http://127.0.0.1:1/", &["category.created"]);
    new_category(&server, "Toys");
    let failed = wait_for_delivery(&server, &dead, |delivery| delivery["attempts"] == 1);
    assert!(failed["error"].as_str().unwrap().starts_with("could not connect"), "{failed}");
    // The tenth failure is the last.
    server.db().execute(&format!("UPDATE deliveries SET attempts = 9, next_at = 0 WHERE id = {}", failed["id"]));
    wait_for_delivery(&server, &dead, |delivery| delivery["state"] == "failed" && delivery["attempts"] == 10);
    // One that has failed for days is told no more.
    server.db().execute("UPDATE webhooks SET failing_since = 1000000 WHERE id = 2");
    server.admin().post(&format!("{dead}/test"), &json!({})).send().expect(202);
    let disabled = wait_for("the webhook to be deactivated", Duration::from_secs(30), || {
        Some(server.admin().get(&dead).send().data()).filter(|hook| hook["is_active"] == false)
    });
    assert_eq!(disabled["disabled_reason"], "Every attempt has failed since 1970-01-01 00:00 UTC.");
}

fn gone_deactivates_a_webhook_for_good(kind: Kind) {
    let server = serve(kind);
    let receiver = Receiver::new(|_| Reply::Status(410));
    let (path, _) = hook(&server, &receiver.url(), &["category.created"]);
    new_category(&server, "Tools");
    let gone = wait_for("the webhook to be deactivated", Duration::from_secs(30), || {
        Some(server.admin().get(&path).send().data()).filter(|hook| hook["is_active"] == false)
    });
    assert_eq!(gone["disabled_reason"], "The endpoint answered 410 Gone.");
    let delivery = &deliveries(&server, &path)[0];
    assert_eq!((delivery["state"].as_str(), delivery["status"].as_i64()), (Some("failed"), Some(410)));
    let log = server.admin().get("/api/v1/audit?entity=webhook&action=updated").send().expect(200).rows();
    assert_eq!((log[0]["door"].as_str(), log[0]["actor"].as_str()), (Some("job"), Some("system")));
    new_category(&server, "Toys");
    for call in ["test", &format!("deliveries/{}/replay", delivery["id"])] {
        server.admin().post(&format!("{path}/{call}"), &json!({})).send().problem(409);
    }
    receiver.answer(|_| Reply::Status(200));
    let again = server.admin().patch(&path, &json!({"is_active": true})).send().expect(200).data();
    assert_eq!(again["disabled_reason"], Value::Null);
    new_category(&server, "Books");
    let received = receiver.wait(2);
    assert_eq!(received[1].json()["data"]["name"], "Books", "it was told nothing while it was not active");
}

fn a_hanging_endpoint_keeps_nobody_else_waiting(kind: Kind) {
    let server = serve(kind);
    let hanging: Vec<Receiver> = (0..20).map(|_| Receiver::new(|_| Reply::Nothing)).collect();
    for receiver in &hanging {
        hook(&server, &receiver.url(), &["*"]);
    }
    let good = Receiver::content();
    hook(&server, &good.url(), &["*"]);
    for n in 0..30 {
        new_category(&server, &format!("Tools {n}"));
    }
    let received = good.wait(30);
    assert_eq!(received.len(), 30);
    for receiver in &hanging {
        assert!(receiver.received().len() <= 2, "one at a time, and each keeps its place for 15 s");
    }
    wait_for("a hanging endpoint to be left", Duration::from_secs(180), || {
        let hook = format!("{HOOKS}/1/deliveries?sort=id");
        let first = server.admin().get(&hook).send().expect(200).rows()[0].clone();
        (first["error"] == "there was no answer within 15 seconds").then_some(())
    });
}

fn a_redirect_is_not_followed_and_an_answer_is_cut(kind: Kind) {
    let server = serve(kind);
    let inside = Receiver::content();
    let to = inside.url();
    let body = format!("a\0b\u{1b}[31m{}", "ü".repeat(200_000)).into_bytes();
    let receiver = Receiver::new(move |_| Reply::Whole {
        status: 307,
        headers: vec![("location".into(), to.clone())],
        body: body.clone(),
    });
    let (path, _) = hook(&server, &receiver.url(), &["category.created"]);
    new_category(&server, "Tools");
    let delivery = wait_for_delivery(&server, &path, |delivery| delivery["attempts"] == 1);
    assert_eq!(delivery["error"], "the endpoint answered 307; redirects are not followed");
    let kept = delivery["response"].as_str().unwrap();
    assert!(kept.starts_with("ab[31mü") && kept.len() <= 1_024, "{} bytes: {kept}", kept.len());
    assert_eq!(inside.received().len(), 0);
}

fn nothing_is_lost_when_the_server_is_killed(kind: Kind) {
    let server = serve(kind);
    let receiver = Receiver::new(|_| Reply::Nothing);
    hook(&server, &receiver.url(), &["category.created"]);
    for n in 0..20 {
        new_category(&server, &format!("Before {n}"));
    }
    receiver.wait(1);
    for n in 0..20 {
        new_category(&server, &format!("Last {n}"));
    }
    let place = server.kill();
    receiver.answer(|_| Reply::Status(200));
    let before = receiver.received().len();
    let server = place.serve();
    let names = wait_for("every category to be told", Duration::from_secs(100), || {
        let after = receiver.received().into_iter().skip(before);
        let names: BTreeMap<String, String> =
            after.map(|r| (r.json()["data"]["name"].as_str().unwrap().to_owned(), r.id().to_owned())).collect();
        (names.len() == 40).then_some(names)
    });
    assert_eq!(names.values().collect::<BTreeSet<_>>().len(), 40);
    assert_eq!(receiver.received()[0].id(), names["Before 0"], "tried again under its id");
    wait_for("all to be settled", Duration::from_secs(30), || {
        (server.db().number("SELECT count(*) AS n FROM deliveries WHERE state = 'done'") == 40).then_some(())
    });
    assert_eq!(server.db().count("deliveries"), 40, "each event once");
}

fn an_import_is_told_whole_each_item_once(kind: Kind) {
    let server = serve(kind);
    let receiver = Receiver::content();
    hook(&server, &receiver.url(), &["item.created"]);
    hook(&server, "https://hooks.example.com/", &["post.created"]);
    let file = server.place().write("some.csv", some_diamonds(3_000));
    server.run(&["import", file.to_str().unwrap()]).expect(0);
    assert_eq!(server.db().count("jobs"), 0, "no job for each");
    let received = receiver.wait(3_000);
    let ids: BTreeSet<&str> = received.iter().map(|r| r.id()).collect();
    let skus: BTreeSet<String> =
        received.iter().map(|r| r.json()["data"]["sku"].as_str().unwrap().to_owned()).collect();
    assert_eq!((received.len(), ids.len(), skus.len()), (3_000, 3_000, 3_000));
    assert_eq!((server.db().count("deliveries"), server.db().count("fan_outs")), (3_000, 0));
}

fn a_delivery_is_replayed_and_a_test_is_sent(kind: Kind) {
    let server = serve(kind);
    let receiver = Receiver::content();
    let (path, secret) = hook(&server, &receiver.url(), &["category.created"]);
    let queued = server.admin().post(&format!("{path}/test"), &json!({})).send().expect(202).data();
    assert_eq!((queued["event"].as_str(), queued["state"].as_str()), (Some("webhook.test"), Some("waiting")));
    let test = &receiver.wait(1)[0];
    assert_eq!((test.event().as_str(), test.signed_by(&secret)), ("webhook.test", vec![true]));
    assert_eq!(test.json()["data"]["url"], receiver.url());
    assert!(!test.body.contains("secret"), "{}", test.body);
    new_category(&server, "Tools");
    receiver.wait(2);
    let done = wait_for_delivery(&server, &path, |d| d["event"] == "category.created" && d["state"] == "done");
    assert_eq!((done["attempts"].as_i64(), done["status"].as_i64()), (Some(1), Some(204)));
    assert_eq!(done["payload"], receiver.received()[1].json());
    let replay = format!("{path}/deliveries/{}/replay", done["id"]);
    let keyed = || server.admin().post(&replay, &json!({})).header("idempotency-key", "again").send().expect(202);
    let again = keyed().data();
    assert_ne!(again["id"], done["id"]);
    assert_eq!(keyed().data(), again, "a repeated request is no further replay");
    let received = receiver.wait(3);
    assert_eq!((received[2].id(), &received[2].body), (received[1].id(), &received[1].body));
    assert_eq!(received[2].signed_by(&secret), [true]);
    // Only what is this webhook's, and settled.
    let (other, _) = hook(&server, "http://127.0.0.1:1/", &["*"]);
    server.admin().post(&format!("{other}/deliveries/{}/replay", done["id"]), &json!({})).send().problem(404);
    let test = server.admin().post(&format!("{other}/test"), &json!({})).send().expect(202).data();
    server.admin().post(&format!("{other}/deliveries/{}/replay", test["id"]), &json!({})).send().problem(409);
    let filtered = |query: &str| server.admin().get(&format!("{path}/deliveries?{query}")).send();
    assert_eq!(filtered("event=webhook.test").expect(200).json()["total"], 1);
    assert_eq!(filtered("state=failed").expect(200).json()["total"], 0);
    let page = filtered("limit=2").expect(200).json();
    let rest = filtered(&format!("limit=2&cursor={}", page["next_cursor"].as_str().unwrap())).expect(200).json();
    assert_eq!((page["data"].as_array().unwrap().len(), rest["data"].as_array().unwrap().len()), (2, 1));
    filtered("state=lost").refused_at(&["state"]);
    // Old ones are forgotten, what waits is not.
    server.db().execute("UPDATE deliveries SET created_at = 0");
    let place = server.kill();
    let server = place.serve();
    wait_for("old deliveries to be forgotten", Duration::from_secs(30), || {
        deliveries(&server, &path).is_empty().then_some(())
    });
    assert_eq!(deliveries(&server, &other).len(), 1);
}

fn a_rotated_secret_signs_along_for_a_day(kind: Kind) {
    let server = serve(kind);
    let receiver = Receiver::content();
    let (path, old) = hook(&server, &receiver.url(), &["category.created"]);
    let rotate = format!("{path}/secret");
    server.admin().post(&rotate, &json!({})).header("if-match", "\"9\"").send().problem(412);
    let answer = server.admin().post(&rotate, &json!({})).send().expect(200);
    let new = answer.data()["secret"].as_str().unwrap().to_owned();
    assert_eq!((answer.must("etag").as_str(), new == old), ("\"2\"", false));
    new_category(&server, "Tools");
    let both = &receiver.wait(1)[0];
    assert_eq!((both.signed_by(&new), both.signed_by(&old)), (vec![true, false], vec![false, true]));
    server.db().execute("UPDATE webhooks SET previous_until = 1000000");
    new_category(&server, "Toys");
    assert_eq!(receiver.wait(2)[1].signed_by(&new), [true], "the old one signs no more");
}

fn secrets_survive_a_new_key_and_are_shown_nowhere(kind: Kind) {
    let server = Place::furnished(kind).with("WEBHOOK_ALLOW_PRIVATE", "true").with("RUST_LOG", "trace").serve();
    let receiver = Receiver::content();
    let (path, old) = hook(&server, &receiver.url(), &["category.created"]);
    let rotated = server.admin().post(&format!("{path}/secret"), &json!({})).send().expect(200);
    let new = rotated.data()["secret"].as_str().unwrap().to_owned();
    new_category(&server, "Tools");
    receiver.wait(1);
    wait_for_delivery(&server, &path, |delivery| delivery["state"] == "done");
    let mut seen = server.printed();
    for place in [HOOKS, &path, &format!("{path}/deliveries"), "/api/v1/audit"] {
        seen += &server.admin().get(place).send().expect(200).text();
    }
    for id in 1..=last_changeset(&server) {
        seen += &server.admin().get(&format!("/api/v1/audit/{id}")).send().text();
    }
    let stored = "SELECT secret || previous_secret || events || url AS s FROM webhooks";
    seen += &server.db().texts(stored).join(" ");
    for secret in [old, new.clone()] {
        assert!(!seen.contains(secret.trim_start_matches("whsec_").trim_end_matches('=')), "{secret} is shown");
    }
    // A new key: what lay under the old one is put under it, and the old one is needed no more.
    let mut place = server.kill();
    place.set("SECRET_KEY_PREVIOUS", crate::support::server::SECRET);
    place.set("SECRET_KEY", "another-secret-key-of-more-than-32-characters");
    let server = place.serve();
    new_category(&server, "Toys");
    assert_eq!(receiver.wait(2)[1].signed_by(&new), [true, false]);
    let mut place = server.kill();
    place.set("SECRET_KEY_PREVIOUS", "(unset)");
    let server = place.serve();
    new_category(&server, "Books");
    assert_eq!(receiver.wait(3)[2].signed_by(&new), [true, false]);
    // A key that was lost is said, and a new secret helps.
    let mut place = server.kill();
    place.set("SECRET_KEY", "a-third-secret-key-of-more-than-32-characters");
    let server = place.serve();
    new_category(&server, "Games");
    let failed = wait_for_delivery(&server, &path, |d| d["payload"]["data"]["name"] == "Games" && d["attempts"] == 1);
    assert!(failed["error"].as_str().unwrap().contains("rotate the secret"), "{failed}");
}

fn an_address_is_checked_again_when_it_is_used(kind: Kind) {
    let server = serve(kind);
    let receiver = Receiver::content();
    let (by_number, _) = hook(&server, &receiver.url(), &["category.created"]);
    let (by_name, _) = hook(&server, &receiver.url().replace("127.0.0.1", "localhost"), &["category.created"]);
    new_category(&server, "Tools");
    receiver.wait(2);
    let mut place = server.kill();
    place.set("WEBHOOK_ALLOW_PRIVATE", "false");
    let server = place.serve();
    new_category(&server, "Toys");
    for hook in [by_number, by_name] {
        let failed =
            wait_for_delivery(&server, &hook, |d| d["payload"]["data"]["name"] == "Toys" && d["attempts"] == 1);
        assert_eq!(failed["error"], "the URL must not lead to a private, local or reserved address");
        // It can still be changed in other ways.
        server.admin().patch(&hook, &json!({"description": "old"})).send().expect(200);
        server.admin().patch(&hook, &json!({"url": receiver.url()})).send().refused_at(&["url"]);
    }
    assert_eq!(receiver.received().len(), 2);
}

fn webhooks_are_undone_but_for_their_deletion(kind: Kind) {
    let server = serve(kind);
    let undo = |id: i64| server.admin().post(&format!("/api/v1/audit/{id}/revert"), &json!({})).send();
    let receiver = Receiver::content();
    let (path, secret) = hook(&server, &receiver.url(), &["category.created"]);
    let made = last_changeset(&server);
    server.admin().patch(&path, &json!({"is_active": false, "events": ["*"]})).send().expect(200);
    undo(last_changeset(&server)).expect(200);
    let hook = server.admin().get(&path).send().data();
    assert_eq!(
        (&hook["is_active"], &hook["events"], &hook["version"]),
        (&json!(true), &json!(["category.created"]), &json!(3))
    );
    new_category(&server, "Tools");
    assert_eq!(receiver.wait(1)[0].signed_by(&secret), [true], "with its secret");
    server.admin().delete(&path).send().expect(204);
    let problem = undo(last_changeset(&server)).problem(409);
    assert!(problem.to_string().contains("deleted with its signing secret"), "{problem}");
    server.admin().get(&path).send().problem(404);
    undo(made).problem(409);
    let (path, _) = self::hook(&server, &receiver.url(), &["*"]);
    undo(last_changeset(&server)).expect(200);
    server.admin().get(&path).send().problem(404);
}

fn without_a_webhook_nothing_is_noted(kind: Kind) {
    let server = serve(kind);
    new_category(&server, "Tools");
    let receiver = Receiver::content();
    let (path, _) = hook(&server, &receiver.url(), &["*"]);
    server.admin().patch(&path, &json!({"is_active": false})).send().expect(200);
    new_category(&server, "Toys");
    assert_eq!((server.db().count("fan_outs"), server.db().count("deliveries")), (0, 0));
    server.admin().patch(&path, &json!({"is_active": true})).send().expect(200);
    new_category(&server, "Books");
    assert_eq!(receiver.wait(1)[0].json()["data"]["name"], "Books");
}
