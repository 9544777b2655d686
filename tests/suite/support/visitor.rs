//! A person at a browser without JavaScript: cookies, pages, forms.

use super::{
    Answer, Server, Who,
    html::{Form, Page},
    server::PASSWORD,
};
use std::{collections::BTreeMap, sync::Mutex};

pub struct Visitor<'a> {
    pub server: &'a Server,
    pub cookies: Mutex<BTreeMap<String, String>>,
    /// How the browser names itself.
    pub agent: Option<String>,
}

/// A page as it came.
pub struct Shown {
    pub answer: Answer,
    pub page: Page,
}

impl Shown {
    fn new(answer: Answer) -> Shown {
        let page = Page::parse(&answer.text());
        Shown { answer, page }
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Shown {
        assert_eq!(self.answer.status, status, "{:?}\n{}", self.answer.headers, self.page.text());
        self
    }

    #[track_caller]
    pub fn says(&self, words: &str) -> &Shown {
        let text = self.page.text();
        assert!(text.to_lowercase().contains(&words.to_lowercase()), "the page does not say {words:?}: {text}");
        self
    }

    /// Where a successful post leads to.
    #[track_caller]
    pub fn leads_to(&self) -> String {
        assert_eq!(self.answer.status, 303, "{:?}\n{}", self.answer.headers, self.page.text());
        self.answer.must("location")
    }
}

impl<'a> Visitor<'a> {
    pub fn stranger(server: &'a Server) -> Visitor<'a> {
        Visitor { server, cookies: Mutex::default(), agent: None }
    }

    /// In a browser that names itself so.
    pub fn in_browser(server: &'a Server, agent: &str) -> Visitor<'a> {
        Visitor { agent: Some(agent.into()), ..Visitor::stranger(server) }
    }

    /// Signed in through the form.
    #[track_caller]
    pub fn signed_in(server: &'a Server, who: Who) -> Visitor<'a> {
        let visitor = Visitor::stranger(server);
        let shown = visitor.sign_in(who.username(), PASSWORD);
        shown.leads_to();
        visitor
    }

    pub fn sign_in(&self, username: &str, password: &str) -> Shown {
        let mut form = self.get("/admin/login").expect(200).page.form("/admin/login");
        form.set("username", username).set("password", password);
        self.submit(&form)
    }

    pub fn get(&self, path: &str) -> Shown {
        self.send("GET", path, None)
    }

    /// Sends a form as it stands.
    #[track_caller]
    pub fn submit(&self, form: &Form) -> Shown {
        assert_eq!(form.method, "post");
        self.post(&form.action, &form.fields)
    }

    pub fn post(&self, path: &str, fields: &[(String, String)]) -> Shown {
        self.send("POST", path, Some(fields))
    }

    /// Opens a page, changes fields of its form, sends it.
    #[track_caller]
    pub fn fill_in(&self, path: &str, changes: &[(&str, &str)]) -> Shown {
        let mut form = self.get(path).expect(200).page.form(path);
        for (name, value) in changes {
            form.set(name, value);
        }
        self.submit(&form)
    }

    pub fn cookie_header(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        cookies.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("; ")
    }

    fn send(&self, method: &str, path: &str, fields: Option<&[(String, String)]>) -> Shown {
        let mut call = self.server.call(method, path).header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        if let Some(agent) = &self.agent {
            call = call.header("user-agent", agent.as_str());
        }
        let cookies = self.cookie_header();
        if !cookies.is_empty() {
            call = call.header("cookie", cookies);
        }
        if let Some(fields) = fields {
            call = call.form(fields).header("origin", &self.server.url).header("sec-fetch-site", "same-origin");
        }
        let answer = call.send();
        let mut jar = self.cookies.lock().unwrap();
        for set in answer.headers.get_all("set-cookie") {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() || set.to_lowercase().contains("max-age=0") {
                jar.remove(name);
            } else {
                jar.insert(name.into(), value.into());
            }
        }
        drop(jar);
        Shown::new(answer)
    }
}
