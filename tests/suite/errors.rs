//! Every failure of every layer: a whole problem on the API, a whole page elsewhere, one request id.

use crate::support::{Server, Who, data::new_category, data::shape, html::Page, on_both};
use insta::{allow_duplicates, assert_snapshot};
use serde_json::json;

on_both! {
    what_is_not_there_is_a_whole_problem,
    a_wrong_method_says_which_are_allowed,
    malformed_json_is_400_with_its_position,
    wrong_types_are_422_at_their_fields_all_at_once,
    a_body_of_another_type_is_415,
    a_body_that_is_too_large_is_413,
    a_malformed_query_is_400,
    elsewhere_an_error_is_a_page_with_the_same_request_id,
    ids_that_are_no_ids_are_404,
    text_with_control_characters_is_refused_at_its_field,
}

fn what_is_not_there_is_a_whole_problem(server: &Server) {
    let answer = server.get("/api/v1/items/999").send();
    assert_eq!(answer.must("content-type"), "application/problem+json");
    allow_duplicates! {
        assert_snapshot!(shape(&answer.problem(404)), @r#"
    {
      "type": "urn:stockroom:problem:not_found",
      "title": "Not Found",
      "status": 404,
      "detail": "Item with id 999 not found",
      "success": false,
      "message": "Item with id 999 not found",
      "error_type": "not_found",
      "request_id": "[request_id]"
    }
    "#);
    }
    server.get("/api/v1/categories/999").send().problem(404);
    for path in [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v1/nowhere",
        "/api/v9/items",
        "/api/v1/items/1/nowhere",
        "/api/v1/items/",
    ] {
        server.get(path).send().problem(404);
    }
    let as_admin = server.admin().get("/api/v1/nowhere").send();
    as_admin.problem(404);
}

fn a_wrong_method_says_which_are_allowed(server: &Server) {
    let allowed = |method: &str, path: &str| {
        let answer = server.admin().call(method, path).send();
        let allow = answer.must("allow");
        answer.problem(405);
        let mut methods: Vec<String> =
            allow.split(',').map(|m| m.trim().to_owned()).filter(|m| m != "HEAD" && m != "OPTIONS").collect();
        methods.sort();
        methods.join(" ")
    };
    assert_eq!(allowed("DELETE", "/api/v1/items"), "GET POST");
    assert_eq!(allowed("PATCH", "/api/v1/items"), "GET POST");
    assert_eq!(allowed("POST", "/api/v1/items/1"), "DELETE GET PATCH PUT");
    assert_eq!(allowed("GET", "/api/v1/auth/login"), "POST");
    assert_eq!(allowed("PUT", "/api/v1/categories"), "GET POST");
    assert_eq!(allowed("TRACE", "/api/v1/items"), "GET POST");
    assert_eq!(allowed("BREW", "/api/v1/items"), "GET POST");
    server.call("DELETE", "/health").send().expect(405).must("allow");
}

fn malformed_json_is_400_with_its_position(server: &Server) {
    let deep = format!("{}1{}", r#"{"name":"#.repeat(33), "}".repeat(33));
    let wide = format!(r#"{{"name":{}1{}}}"#, "[".repeat(33), "]".repeat(33));
    let bodies: [(&str, &[u8]); 16] = [
        ("nothing", b""),
        ("white space", b"  \n "),
        ("a comma too many", br#"{"name":"x",}"#),
        ("cut off", br#"{"name":"x""#),
        ("trailing bytes", br#"{"name":"x","price":1,"category_id":1} x"#),
        ("two documents", br#"{"name":"x"}{"name":"y"}"#),
        ("a key twice", br#"{"name":"x","price":1,"category_id":1,"name":"y"}"#),
        ("a key twice, escaped", br#"{"name":"x","price":1,"category_id":1,"n\u0061me":"y"}"#),
        ("a nested key twice", br#"{"name":"x","other":{"a":1,"a":2}}"#),
        ("too deep", deep.as_bytes()),
        ("too deep in arrays", wide.as_bytes()),
        ("an array for an object", b"[1,2]"),
        ("NaN", br#"{"name":"x","price":NaN,"category_id":1}"#),
        ("Infinity", br#"{"name":"x","price":-Infinity,"category_id":1}"#),
        ("a lone surrogate", br#"{"name":"\ud800","price":1,"category_id":1}"#),
        ("bytes that are not UTF-8", b"{\"name\":\"\xff\xfe\",\"price\":1,\"category_id\":1}"),
    ];
    for (what, body) in bodies {
        for path in ["/api/v1/items", "/api/v1/categories"] {
            let problem = server.admin().call("POST", path).body("application/json", body).send().problem(400);
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("line ") && detail.contains("column "), "{what} at {path}: where? {detail}");
        }
        let login = server.post("/api/v1/auth/login").body("application/json", body).send();
        login.problem(400);
    }
    for body in ["\"text\"", "12", "null", "true"] {
        server.admin().call("POST", "/api/v1/items").body("application/json", body).send().problem(400);
    }
    let problem = server
        .admin()
        .call("POST", "/api/v1/items")
        .body("application/json", "{\"name\": \"x\",\n  \"price\": 1,,}")
        .send()
        .problem(400);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("line 2") && detail.contains("column 14"), "the place of the second comma: {detail}");
    let fits = format!(r#"{{"name":"x","price":1,"category_id":9,"other":{}1{}}}"#, "[".repeat(31), "]".repeat(31));
    let at_the_bound = server.admin().call("POST", "/api/v1/items").body("application/json", fits).send();
    at_the_bound.refused_at(&["category_id"]);
    assert_eq!(server.db().count("items"), 0, "nothing half-done");
}

fn wrong_types_are_422_at_their_fields_all_at_once(server: &Server) {
    let body = json!({
        "name": 5, "sku": true, "description": ["x"], "price": "dear", "currency": 840,
        "tax_rate": {}, "is_active": "yes", "category_id": "1",
    });
    let answer = server.user().post("/api/v1/items", &body).send();
    let fields = ["name", "sku", "description", "price", "currency", "tax_rate", "is_active", "category_id"];
    answer.refused_at(&fields);
    let answer = server.user().post("/api/v1/items", &json!({"name": "", "price": 0, "category_id": 7})).send();
    let problem = answer.refused_at(&["name", "price", "category_id"]);
    allow_duplicates! {
        assert_snapshot!(shape(&problem), @r#"
    {
      "type": "urn:stockroom:problem:validation_error",
      "title": "Unprocessable Entity",
      "status": 422,
      "detail": "3 fields are not valid",
      "success": false,
      "message": "3 fields are not valid",
      "error_type": "validation_error",
      "request_id": "[request_id]",
      "errors": [
        {
          "field": "name",
          "message": "must have 1 to 100 characters",
          "type": "length"
        },
        {
          "field": "price",
          "message": "must be greater than 0",
          "type": "range"
        },
        {
          "field": "category_id",
          "message": "must be the id of a category; 7 is none",
          "type": "unknown"
        }
      ]
    }
    "#);
    }
}

fn a_body_of_another_type_is_415(server: &Server) {
    let category = new_category(server, "Tools");
    let body = format!(r#"{{"name":"x","price":1,"category_id":{category}}}"#);
    for wrong in [
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "nonsense",
    ] {
        server.user().call("POST", "/api/v1/items").body(wrong, body.clone()).send().problem(415);
    }
    for right in
        ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/vnd.shop+json"]
    {
        server.user().call("POST", "/api/v1/items").body(right, body.clone()).send().expect(201);
    }
    assert_eq!(server.db().count("items"), 4);
}

fn a_body_that_is_too_large_is_413(server: &Server) {
    let body = format!(r#"{{"name":"{}"}}"#, "x".repeat(3 * 1024 * 1024));
    server.user().call("POST", "/api/v1/items").body("application/json", body).send().problem(413);
}

fn a_malformed_query_is_400(server: &Server) {
    for query in [
        "page=x",
        "page=1.5",
        "page_size=ten",
        "limit=-",
        "page=1&page=2",
        "q=a&q=b",
        "cursor=x&cursor=y",
        "q=%ff",
        "q=%",
        "q=%zz",
        "q=a%00b",
    ] {
        let answer = server.get(&format!("/api/v1/items?{query}")).send();
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
        answer.problem(400);
    }
    for query in ["page=1&cursor=x", "page=1&limit=5", "page_size=5&limit=5", "page_size=5&cursor=x"] {
        let problem = server.get(&format!("/api/v1/items?{query}")).send().problem(400);
        assert_eq!(problem["error_type"], "bad_request", "two styles mixed: {query}");
    }
}

fn elsewhere_an_error_is_a_page_with_the_same_request_id(server: &Server) {
    for (method, path, status) in
        [("GET", "/nowhere", 404), ("GET", "/static/nowhere.css", 404), ("DELETE", "/admin/login", 405)]
    {
        let answer = server.call(method, path).header("accept", "text/html").send().expect(status);
        assert_eq!(answer.must("content-type"), "text/html; charset=utf-8", "{path}");
        let page = Page::parse(&answer.text());
        let id = answer.must("x-request-id");
        assert!(page.text().contains(&id), "{path}: the page names the request: {}", page.text());
        assert!(page.text_in("h1").is_some(), "{path}: a page, not a line");
        assert!(page.text_in("title").is_some());
    }
    let visitor = crate::support::Visitor::signed_in(server, Who::Admin);
    let shown = visitor.get("/admin/items/999").expect(404);
    shown.says(&shown.answer.must("x-request-id"));
    visitor.get("/admin/nowhere").expect(404).says("404");
}

fn ids_that_are_no_ids_are_404(server: &Server) {
    for id in ["0", "-1", "abc", "1.5", "9223372036854775807", "9223372036854775808", "1e3", "%31%00", "+1"] {
        let answer = server.get(&format!("/api/v1/items/{id}")).send();
        assert_eq!(answer.status, 404, "{id}: {}", answer.text());
        answer.problem(404);
    }
}

fn text_with_control_characters_is_refused_at_its_field(server: &Server) {
    let category = new_category(server, "Tools");
    for bad in ["a\u{0}b", "a\u{7}b", "a\u{1b}[31m", "a\u{7f}", "a\u{85}b"] {
        for field in ["name", "sku", "description"] {
            let mut body = json!({"name": "x", "price": 1, "category_id": category});
            body[field] = json!(bad);
            server.user().post("/api/v1/items", &body).send().refused_at(&[field]);
        }
        server.admin().post("/api/v1/categories", &json!({"name": bad})).send().refused_at(&["name"]);
    }
    for (field, bad) in [("name", "two\nlines"), ("sku", "tab\tbed")] {
        let mut body = json!({"name": "x", "price": 1, "category_id": category});
        body[field] = json!(bad);
        server.user().post("/api/v1/items", &body).send().refused_at(&[field]);
    }
    let body = json!({"name": "x", "price": 1, "category_id": category, "description": "two\nlines\tand a tab"});
    let kept = server.user().post("/api/v1/items", &body).send().expect(201).data();
    assert_eq!(kept["description"], "two\nlines\tand a tab");
}
