//! Posts by JSON.

use crate::support::{Answer, Server, Who, data::shape, on_both};
use insta::{allow_duplicates, assert_snapshot};
use serde_json::{Value, json};

on_both! {
    a_post_is_written_read_changed_and_deleted,
    only_authors_and_admins_see_what_is_not_published,
    who_may_change_a_post,
    a_post_keeps_the_time_of_its_first_publication,
    markdown_becomes_html_that_is_safe,
    bounds_of_a_post_hold_on_both_sides,
    put_and_patch_differ_in_what_is_absent_from_a_post,
    writes_of_a_post_are_guarded_by_if_match,
    the_list_of_posts_is_filtered_sorted_counted_and_walked,
    changes_of_posts_are_undone,
    an_author_who_is_deleted_gives_the_posts_away,
}

fn new_post(server: &Server, title: &str, published: bool) -> String {
    let body = json!({"title": title, "content": format!("About *{title}*"), "published": published});
    server.user().post("/api/v1/posts", &body).send().expect(201).must("location")
}

fn publish(server: &Server, path: &str) -> Answer {
    server.user().call("POST", &format!("{path}/publish")).send().expect(200)
}

fn unpublish(server: &Server, path: &str) -> Answer {
    server.user().call("POST", &format!("{path}/unpublish")).send().expect(200)
}

fn a_post_is_written_read_changed_and_deleted(server: &Server) {
    let body = json!({"title": "  Hello ", "content": "# Hello\n\nIt is *open*."});
    let made = server.user().post("/api/v1/posts", &body).send().expect(201);
    let path = made.must("location");
    allow_duplicates! {
        assert_snapshot!(shape(&made.json()), @r##"
    {
      "success": true,
      "message": "Post created successfully",
      "data": {
        "id": 1,
        "title": "Hello",
        "content": "# Hello\n\nIt is *open*.",
        "published": false,
        "published_at": null,
        "author_id": 2,
        "version": 1,
        "created_at": "[created_at]",
        "updated_at": "[updated_at]",
        "content_html": "<h1>Hello</h1>\n<p>It is <em>open</em>.</p>\n"
      }
    }
    "##);
    }
    let read = server.user().get(&path).send().expect(200);
    assert_eq!((read.data(), read.must("etag")), (made.data(), made.must("etag")));
    let changed = server.user().patch(&path, &json!({"title": "Hello again"})).send().expect(200);
    assert_eq!((&changed.data()["title"], &changed.data()["version"]), (&json!("Hello again"), &json!(2)));
    assert_eq!(changed.data()["content"], "# Hello\n\nIt is *open*.");
    let gone = server.user().delete(&path).send().expect(204);
    assert!(gone.body.is_empty());
    server.admin().get(&path).send().problem(404);
    server.user().delete(&path).send().problem(404);
    assert_ne!(new_post(server, "Next", false), path, "ids are never used again");
}

fn only_authors_and_admins_see_what_is_not_published(server: &Server) {
    let (hidden, open) = (new_post(server, "Hidden", false), new_post(server, "Open", true));
    let titles = |answer: Answer| -> Vec<String> {
        let answer = answer.expect(200).json();
        let rows = answer["data"].as_array().unwrap();
        assert_eq!(answer["total"], rows.len(), "the counters are right");
        rows.iter().map(|row| row["title"].as_str().unwrap().to_owned()).collect()
    };
    for who in [Who::User, Who::Admin] {
        server.as_who(who).get(&hidden).send().expect(200);
        assert_eq!(titles(server.as_who(who).get("/api/v1/posts?sort=id").send()), ["Hidden", "Open"]);
    }
    let words = |problem: Value| problem["detail"].as_str().unwrap().replace(char::is_numeric, "");
    for who in [Who::Other, Who::Guest] {
        let there = server.as_who(who).get(&hidden).send().problem(404);
        let never = server.as_who(who).get("/api/v1/posts/999").send().problem(404);
        assert_eq!(words(there), words(never));
        server.as_who(who).patch(&hidden, &json!({"title": "Mine"})).send().problem(404);
        server.as_who(who).get(&open).send().expect(200);
        assert_eq!(titles(server.as_who(who).get("/api/v1/posts").send()), ["Open"]);
    }
    server.get(&hidden).send().problem(404);
    server.get(&open).send().expect(200);
    assert_eq!(titles(server.get("/api/v1/posts").send()), ["Open"]);
    assert_eq!(titles(server.get("/api/v1/posts?published=false").send()), Vec::<String>::new());
    assert_eq!(titles(server.user().get("/api/v1/posts?published=false").send()), ["Hidden"]);
    unpublish(server, &open);
    server.get(&open).send().problem(404);
    assert_eq!(titles(server.get("/api/v1/posts").send()), Vec::<String>::new());
    publish(server, &hidden);
    assert_eq!(titles(server.get("/api/v1/posts").send()), ["Hidden"]);
}

fn who_may_change_a_post(server: &Server) {
    let path = new_post(server, "News", true);
    for who in [Who::Other, Who::Guest] {
        let caller = server.as_who(who);
        caller.patch(&path, &json!({"title": "Mine"})).send().problem(403);
        caller.delete(&path).send().problem(403);
        caller.call("POST", &format!("{path}/unpublish")).send().problem(403);
    }
    server.as_who(Who::Guest).post("/api/v1/posts", &json!({"title": "x", "content": "x"})).send().problem(403);
    let changed = server.admin().patch(&path, &json!({"title": "Edited"})).send().expect(200).data();
    assert_eq!((&changed["title"], &changed["author_id"]), (&json!("Edited"), &json!(Who::User.id())));
    // What only the server sets: refused where it would change something.
    for (field, value) in [
        ("author_id", json!(3)),
        ("published_at", json!("2020-01-01T00:00:00Z")),
        ("version", json!(9)),
        ("id", json!(9)),
    ] {
        server.admin().patch(&path, &json!({field: value})).send().problem(403);
    }
    let now = server.user().get(&path).send().data();
    let mut same = now.clone();
    same.as_object_mut().unwrap().remove("content_html");
    server.user().put(&path, &same).send().expect(200);
    server.user().post("/api/v1/posts", &json!({"title": "x", "content": "x", "author_id": 1})).send().problem(403);
}

fn a_post_keeps_the_time_of_its_first_publication(server: &Server) {
    let path = new_post(server, "News", false);
    assert_eq!(server.user().get(&path).send().data()["published_at"], Value::Null);
    let first = publish(server, &path).data();
    assert_eq!((&first["published"], &first["published_at"]), (&json!(true), &first["updated_at"]));
    let again = publish(server, &path).data();
    assert_eq!(again, first, "again changes nothing");
    let hidden = unpublish(server, &path).data();
    assert_eq!((&hidden["published"], &hidden["published_at"]), (&json!(false), &first["published_at"]));
    let back = server.user().patch(&path, &json!({"published": true})).send().expect(200).data();
    assert_eq!((&back["published_at"], &back["version"]), (&first["published_at"], &json!(4)));
    let summaries = server.db().texts("SELECT summary AS s FROM changesets ORDER BY id DESC LIMIT 3");
    assert_eq!(summaries, ["Updated post 1", "Unpublished post 1", "Published post 1"]);
}

fn markdown_becomes_html_that_is_safe(server: &Server) {
    let html = |content: &str| {
        let body = json!({"title": "x", "content": content});
        let data = server.user().post("/api/v1/posts", &body).send().expect(201).data();
        assert_eq!(data["content"], content, "the Markdown itself is kept");
        data["content_html"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        html("# A\n\n*b* **c** `d` ~~e~~"),
        "<h1>A</h1>\n<p><em>b</em> <strong>c</strong> <code>d</code> <del>e</del></p>\n"
    );
    assert!(html("| a | b |\n|---|---|\n| 1 | 2 |").contains("<td>1</td>"));
    assert_eq!(
        html("[here](https://example.com)"),
        "<p><a href=\"https://example.com\" rel=\"noopener noreferrer\">here</a></p>\n"
    );
    for hostile in [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "<a href=\"jAvAsCrIpT:alert(1)\">x</a>",
        "<iframe src=\"https://evil.example\"></iframe>",
        "<svg><script>alert(1)</script></svg>",
        "<p style=\"position:fixed\" onclick=\"x()\">x</p>",
        "<form action=\"https://evil.example\"><input></form>",
        "<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)></style></mglyph></math>",
    ] {
        let made = html(hostile).to_lowercase();
        let tags: Vec<&str> = made.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()).collect();
        for tag in tags {
            let name = tag.trim_start_matches('/').split(' ').next().unwrap();
            assert!(["p", "a"].contains(&name), "{hostile} became {made}");
            for word in ["javascript:", "data:", "onclick", "onerror", "style"] {
                assert!(!tag.contains(word), "{hostile} became {made}");
            }
        }
    }
    assert_eq!(html("a <b>c</b>"), "<p>a &lt;b&gt;c&lt;/b&gt;</p>\n", "HTML is shown, not obeyed");
    // Deep or many: neither the stack nor the clock gives out.
    for deep in [">".repeat(50_000) + " x", "*".repeat(99_999), "[".repeat(99_999), "<b>".repeat(33_000)] {
        let body = json!({"title": "deep", "content": deep});
        server.user().post("/api/v1/posts", &body).patient().send().expect(201);
    }
    server.get("/health").send().expect(200);
}

fn bounds_of_a_post_hold_on_both_sides(server: &Server) {
    let create = |body: Value| server.user().post("/api/v1/posts", &body).send();
    create(json!({"title": "x", "content": "y"})).expect(201);
    create(json!({"title": "ä".repeat(255), "content": "y"})).expect(201);
    create(json!({"title": "ä".repeat(256), "content": "y"})).refused_at(&["title"]);
    create(json!({"title": " ", "content": " \n "})).refused_at(&["content", "title"]);
    create(json!({"title": "x\ny", "content": "a\n\tb"})).refused_at(&["title"]);
    create(json!({"title": "x", "content": "nul \u{0}"})).refused_at(&["content"]);
    create(json!({})).refused_at(&["content", "title"]);
    create(json!({"title": 5, "content": ["x"], "published": "yes"})).refused_at(&["content", "published", "title"]);
    let longest = "😀".repeat(100_000);
    let made = create(json!({"title": "x", "content": longest})).expect(201).data();
    assert_eq!(made["content"], longest);
    create(json!({"title": "x", "content": "😀".repeat(100_001)})).refused_at(&["content"]);
    // Written in escapes it is longer, and as welcome.
    let escaped = format!("{{\"title\":\"x\",\"content\":\"{}\"}}", "\\ud83d\\ude00".repeat(100_000));
    let call = server.user().call("POST", "/api/v1/posts").body("application/json", escaped);
    assert_eq!(call.send().expect(201).data()["content"], longest);
    let too_large = format!("{{\"title\":\"x\",\"content\":\"{}\"}}", "y".repeat(1_400_000));
    server.user().call("POST", "/api/v1/posts").body("application/json", too_large).send().problem(413);
}

fn put_and_patch_differ_in_what_is_absent_from_a_post(server: &Server) {
    let path = new_post(server, "News", true);
    assert_eq!(server.user().patch(&path, &json!({})).send().expect(200).data()["published"], true);
    server.user().patch(&path, &json!({"title": null})).send().refused_at(&["title"]);
    server.user().put(&path, &json!({"title": "x"})).send().refused_at(&["content"]);
    let put = server.user().put(&path, &json!({"title": "x", "content": "y"})).send().expect(200).data();
    assert_eq!(put["published"], false);
}

fn writes_of_a_post_are_guarded_by_if_match(server: &Server) {
    let path = new_post(server, "News", false);
    let tag = server.user().get(&path).send().must("etag");
    server.user().get(&path).header("if-none-match", &tag).send().expect(304);
    publish(server, &path);
    let user = server.user();
    user.patch(&path, &json!({"title": "x"})).header("if-match", &tag).send().problem(412);
    user.put(&path, &json!({"title": "x", "content": "y"})).header("if-match", &tag).send().problem(412);
    user.delete(&path).header("if-match", &tag).send().problem(412);
    user.call("POST", &format!("{path}/unpublish")).header("if-match", &tag).send().problem(412);
    user.delete(&path).header("if-match", "\"2\"").send().expect(204);
}

fn the_list_of_posts_is_filtered_sorted_counted_and_walked(server: &Server) {
    for title in ["delta", "Äpfel", "charlie", "Bravo", "bravo", "100%"] {
        new_post(server, title, true);
    }
    server.admin().post("/api/v1/posts", &json!({"title": "Admin's", "content": "x"})).send().expect(201);
    let titles = |query: &str| -> Vec<String> {
        let rows = server.get(&format!("/api/v1/posts?{query}")).send().expect(200).rows();
        rows.iter().map(|r| r["title"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(titles(""), ["100%", "bravo", "Bravo", "charlie", "Äpfel", "delta"], "newest first");
    assert_eq!(titles("sort=title"), ["100%", "Bravo", "bravo", "charlie", "delta", "Äpfel"]);
    assert_eq!(titles("sort=-id&page=2&page_size=2"), ["Bravo", "charlie"]);
    assert_eq!(titles("q=%C3%84PF"), ["Äpfel"]);
    assert_eq!(titles("q=%25"), ["100%"]);
    assert_eq!(titles("author_id=1"), Vec::<String>::new());
    let own = server.admin().get("/api/v1/posts?author_id=1").send().expect(200).json();
    assert_eq!((&own["total"], &own["data"][0]["title"]), (&json!(1), &json!("Admin's")));
    assert_eq!(own["data"][0].get("content_html"), None, "only of a single one");
    let all = server.admin().get("/api/v1/posts").send().expect(200);
    assert_eq!(all.json()["total"], 7);
    server.admin().get("/api/v1/posts").header("if-none-match", all.must("etag")).send().expect(304);
    for sort in ["title", "-title", "created_at", "-created_at", "id", "-id"] {
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = server.get(&format!("/api/v1/posts?limit=2&sort={sort}{cursor}")).send().expect(200).json();
            walked.extend(page["data"].as_array().unwrap().iter().map(|r| r["title"].as_str().unwrap().to_owned()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(walked, titles(&format!("sort={sort}")), "{sort}");
    }
    for (query, field) in
        [("sort=content", "sort"), ("published=maybe", "published"), ("author_id=x", "author_id"), ("page=0", "page")]
    {
        server.get(&format!("/api/v1/posts?{query}")).send().refused_at(&[field]);
    }
}

fn last(server: &Server) -> i64 {
    server.db().number("SELECT max(id) AS n FROM changesets")
}

fn undo(server: &Server, changeset: i64) -> Answer {
    server.admin().post(&format!("/api/v1/audit/{changeset}/revert"), &json!({})).send()
}

fn changes_of_posts_are_undone(server: &Server) {
    let path = new_post(server, "News", false);
    let made = last(server);
    let state = || {
        let mut data = server.admin().get(&path).send().expect(200).data();
        for moving in ["version", "updated_at"] {
            data.as_object_mut().unwrap().remove(moving);
        }
        data
    };
    let before = state();
    server.user().patch(&path, &json!({"title": "Olds", "content": "Else"})).send().expect(200);
    undo(server, last(server)).expect(200);
    assert_eq!(state(), before);
    publish(server, &path);
    undo(server, last(server)).expect(200);
    assert_eq!(state(), before, "published_at too");
    assert_eq!(server.get("/api/v1/posts").send().json()["total"], 0);
    server.user().delete(&path).send().expect(204);
    undo(server, last(server)).expect(200);
    assert_eq!(state(), before, "under its old id");
    let found = server.user().get("/api/v1/posts?q=NEWS").send().expect(200).json();
    assert_eq!(found["total"], 1);
    undo(server, made).problem(409);
    server.admin().post(&format!("/api/v1/audit/{made}/revert?force=true"), &json!({})).send().expect(200);
    server.admin().get(&path).send().problem(404);
    assert_eq!(server.admin().get("/api/v1/posts").send().json()["total"], 0);
}

fn an_author_who_is_deleted_gives_the_posts_away(server: &Server) {
    let path = new_post(server, "News", false);
    let user = format!("/api/v1/users/{}", Who::User.id());
    let problem = server.admin().delete(&user).send().problem(409);
    assert_eq!(problem["detail"], "uma_user still owns 1 post. Give them to somebody with reassign_to.");
    server.admin().delete(&format!("{user}?reassign_to={}", Who::Other.id())).send().expect(204);
    let other = server.as_who(Who::Other);
    assert_eq!(other.get(&path).send().expect(200).data()["author_id"], Who::Other.id());
    assert_eq!(other.get("/api/v1/posts").send().json()["total"], 1);
    let gone = last(server);
    undo(server, gone).expect(200);
    assert_eq!(server.admin().get(&path).send().data()["author_id"], Who::User.id());
    assert_eq!(other.get("/api/v1/posts").send().json()["total"], 0);
}
