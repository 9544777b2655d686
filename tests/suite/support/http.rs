//! One call and its answer.

use reqwest::{Method, blocking::Client, header::HeaderMap};
use serde_json::Value;

pub struct Call<'a> {
    client: &'a Client,
    method: Method,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
    patience: std::time::Duration,
}

impl<'a> Call<'a> {
    pub fn new(client: &'a Client, method: &str, url: String) -> Call<'a> {
        Call {
            client,
            method: method.parse().unwrap(),
            url,
            headers: Vec::new(),
            body: None,
            patience: std::time::Duration::from_secs(30),
        }
    }

    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// For what takes its time in a debug build on a busy machine.
    pub fn patient(mut self) -> Self {
        self.patience = std::time::Duration::from_secs(240);
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub fn api_key(self, key: &str) -> Self {
        self.header("x-api-key", key)
    }

    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", content_type)
    }

    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub fn form<T: AsRef<str>>(self, fields: &[(T, T)]) -> Self {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            text.append_pair(name.as_ref(), value.as_ref());
        }
        self.body("application/x-www-form-urlencoded", text.finish())
    }

    pub fn try_send(self) -> Result<Answer, reqwest::Error> {
        let mut request = self.client.request(self.method, &self.url).timeout(self.patience);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = self.body {
            request = request.body(body);
        }
        let response = request.send()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes()?.to_vec() })
    }

    #[track_caller]
    pub fn send(self) -> Answer {
        let what = format!("{} {}", self.method, self.url);
        self.try_send().unwrap_or_else(|e| panic!("{what}: no answer: {e:?}"))
    }
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "status; the answer:\n{:?}\n{}", self.headers, self.text());
        self
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("not JSON ({e}): {} {}", self.status, self.text()))
    }

    #[track_caller]
    pub fn data(&self) -> Value {
        self.json()["data"].clone()
    }

    /// Of a list: its rows.
    #[track_caller]
    pub fn rows(&self) -> Vec<Value> {
        self.json()["data"].as_array().unwrap_or_else(|| panic!("not a list: {}", self.text())).clone()
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
    }

    #[track_caller]
    pub fn must(&self, name: &str) -> String {
        self.header(name).unwrap_or_else(|| panic!("the header {name} is missing: {:?}", self.headers))
    }

    /// The answer is a problem of this status, whole: every member there, the same id as in the header.
    #[track_caller]
    pub fn problem(self, status: u16) -> Value {
        let answer = self.expect(status);
        assert_eq!(answer.must("content-type"), "application/problem+json", "{}", answer.text());
        let problem = answer.json();
        for member in ["type", "title", "detail", "message", "error_type", "request_id"] {
            assert!(problem[member].as_str().is_some_and(|s| !s.is_empty()), "{member} is missing in {problem}");
        }
        assert_eq!(problem["status"], status);
        assert_eq!(problem["success"], false);
        assert_eq!(problem["detail"], problem["message"]);
        assert_eq!(
            problem["request_id"].as_str(),
            answer.header("x-request-id").as_deref(),
            "one id in body and header"
        );
        let text = answer.text().to_lowercase();
        for leak in ["select ", "insert into", "sqlite", "postgres", "diesel", ".rs:", "constraint"] {
            assert!(!text.contains(leak), "an answer must not leak {leak:?}: {text}");
        }
        problem
    }

    /// A 422 whose errors name exactly these fields, in any order.
    #[track_caller]
    pub fn refused_at(self, fields: &[&str]) -> Value {
        let problem = self.problem(422);
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors: {problem}"));
        let mut named: Vec<&str> = errors.iter().map(|e| e["field"].as_str().unwrap()).collect();
        for e in errors {
            assert!(e["message"].as_str().is_some_and(|m| !m.is_empty()), "{problem}");
            assert!(e["type"].as_str().is_some_and(|m| !m.is_empty()), "{problem}");
        }
        named.sort_unstable();
        let mut wanted = fields.to_vec();
        wanted.sort_unstable();
        assert_eq!(named, wanted, "{problem}");
        problem
    }
}
