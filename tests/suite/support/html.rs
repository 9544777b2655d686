//! Reads a page as a browser without JavaScript would: elements, text, forms and what they would send.

use std::collections::HashMap;

#[derive(Clone, Debug)]
pub enum Piece {
    Open { name: String, attributes: HashMap<String, String> },
    Close(String),
    Text(String),
}

#[derive(Clone, Debug)]
pub struct Page {
    pub pieces: Vec<Piece>,
    pub source: String,
}

/// A form: where it goes and the fields a browser would send, as they stand.
#[derive(Clone, Debug)]
pub struct Form {
    pub action: String,
    pub method: String,
    pub fields: Vec<(String, String)>,
    /// The submit buttons that have a name.
    pub buttons: Vec<(String, String)>,
    /// Every check box and radio, ticked or not.
    pub choices: Vec<(String, String)>,
}

impl Form {
    pub fn set(&mut self, name: &str, value: &str) -> &mut Form {
        match self.fields.iter_mut().find(|(n, _)| n == name) {
            Some(field) => field.1 = value.into(),
            None => self.fields.push((name.into(), value.into())),
        }
        self
    }

    pub fn add(&mut self, name: &str, value: &str) -> &mut Form {
        self.fields.push((name.into(), value.into()));
        self
    }

    pub fn remove(&mut self, name: &str) -> &mut Form {
        self.fields.retain(|(n, _)| n != name);
        self
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

const VOID: [&str; 10] = ["input", "br", "hr", "img", "meta", "link", "source", "wbr", "col", "base"];

impl Page {
    pub fn parse(source: &str) -> Page {
        let mut pieces = Vec::new();
        let mut rest = source;
        while !rest.is_empty() {
            let Some(at) = rest.find('<') else {
                pieces.push(Piece::Text(decode(rest)));
                break;
            };
            if at > 0 {
                pieces.push(Piece::Text(decode(&rest[..at])));
                rest = &rest[at..];
            }
            if let Some(comment) = rest.strip_prefix("<!--") {
                rest = comment.split_once("-->").map_or("", |(_, r)| r);
            } else if rest.starts_with("<!") {
                rest = rest.split_once('>').map_or("", |(_, r)| r);
            } else if let Some(close) = rest.strip_prefix("</") {
                let (name, after) = close.split_once('>').unwrap_or((close, ""));
                pieces.push(Piece::Close(name.trim().to_lowercase()));
                rest = after;
            } else {
                let (name, attributes, after) = open_tag(&rest[1..]);
                rest = after;
                if name == "script" || name == "style" {
                    rest = rest.split_once(&format!("</{name}>")).map_or("", |(_, r)| r);
                }
                let void = VOID.contains(&name.as_str());
                pieces.push(Piece::Open { name: name.clone(), attributes });
                if void || name == "script" || name == "style" {
                    pieces.push(Piece::Close(name));
                }
            }
        }
        Page { pieces, source: source.into() }
    }

    /// Each element of that name: where it begins and its attributes.
    pub fn elements<'a>(&'a self, wanted: &'a str) -> impl Iterator<Item = (usize, &'a HashMap<String, String>)> {
        self.pieces.iter().enumerate().filter_map(move |(at, piece)| match piece {
            Piece::Open { name, attributes } if name == wanted || wanted == "*" => Some((at, attributes)),
            _ => None,
        })
    }

    /// What is inside the element that begins at `at`.
    fn inside(&self, at: usize) -> &[Piece] {
        let Piece::Open { name, .. } = &self.pieces[at] else { panic!("no element begins at {at}") };
        let mut depth = 0;
        for (i, piece) in self.pieces.iter().enumerate().skip(at) {
            match piece {
                Piece::Open { name: n, .. } if n == name => depth += 1,
                Piece::Close(n) if n == name => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return &self.pieces[at + 1..i];
            }
        }
        &self.pieces[at + 1..]
    }

    pub fn text_at(&self, at: usize) -> String {
        text_of(self.inside(at))
    }

    /// All that can be read.
    pub fn text(&self) -> String {
        text_of(&self.pieces)
    }

    /// The text of the first element of that name.
    pub fn text_in(&self, name: &str) -> Option<String> {
        self.elements(name).next().map(|(at, _)| self.text_at(at))
    }

    pub fn by_id(&self, id: &str) -> Option<String> {
        self.elements("*").find(|(_, a)| a.get("id").is_some_and(|i| i == id)).map(|(at, _)| self.text_at(at))
    }

    pub fn links(&self) -> Vec<String> {
        self.elements("a").filter_map(|(_, a)| a.get("href").cloned()).collect()
    }

    /// The rows of the page's table, each cell's text.
    pub fn table(&self) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        for (at, _) in self.elements("tr") {
            let row = Page { pieces: self.inside(at).to_vec(), source: String::new() };
            if row.elements("td").next().is_some() {
                let cells = row.elements("*").filter(
                    |(c, _)| matches!(&row.pieces[*c], Piece::Open { name, .. } if name == "td" || name == "th"),
                );
                rows.push(cells.map(|(c, _)| row.text_at(c)).collect());
            }
        }
        rows
    }

    /// What the page says at a field that it refuses; nothing when the field is not marked.
    pub fn error_at(&self, field: &str) -> Option<String> {
        let (_, attributes) = ["input", "select", "textarea"]
            .iter()
            .flat_map(|tag| self.elements(tag))
            .find(|(_, a)| a.get("name").is_some_and(|n| n == field) && a.get("type").is_none_or(|t| t != "hidden"))?;
        if attributes.get("aria-invalid").is_none_or(|v| v != "true") {
            return None;
        }
        let ids =
            attributes.get("aria-describedby").unwrap_or_else(|| panic!("{field} is invalid but described by nothing"));
        let said: Vec<String> = ids.split_whitespace().filter_map(|id| self.by_id(id)).collect();
        assert!(!said.is_empty(), "aria-describedby of {field} points to nothing: {ids}");
        Some(said.join(" "))
    }

    pub fn forms(&self) -> Vec<Form> {
        self.elements("form").map(|(at, attributes)| self.form_at(at, attributes)).collect()
    }

    /// The form that is sent to this path.
    #[track_caller]
    pub fn form(&self, action: &str) -> Form {
        let found = self.forms().into_iter().find(|f| f.action.split('?').next() == Some(action));
        found.unwrap_or_else(|| {
            let all: Vec<String> = self.forms().into_iter().map(|f| f.action).collect();
            panic!("no form for {action}; there are {all:?} in\n{}", self.source)
        })
    }

    fn form_at(&self, at: usize, attributes: &HashMap<String, String>) -> Form {
        let id = attributes.get("id").cloned();
        let mut form = Form {
            action: attributes.get("action").cloned().unwrap_or_default(),
            method: attributes.get("method").map_or("get".into(), |m| m.to_lowercase()),
            fields: Vec::new(),
            buttons: Vec::new(),
            choices: Vec::new(),
        };
        let own = at + 1..at + 1 + self.inside(at).len();
        let mut select: Option<(String, bool)> = None;
        for (i, piece) in self.pieces.iter().enumerate() {
            let Piece::Open { name, attributes: a } = piece else {
                if matches!(piece, Piece::Close(n) if n == "select") {
                    select = None;
                }
                continue;
            };
            let belongs = match a.get("form") {
                Some(named) => Some(named) == id.as_ref(),
                None => own.contains(&i),
            };
            if name == "option" {
                if let Some((field, chosen)) = &mut select {
                    let value = a.get("value").cloned().unwrap_or_else(|| self.text_at(i));
                    let picked = a.contains_key("selected");
                    if picked || !*chosen && !form.fields.iter().any(|(n, _)| n == field) {
                        form.fields.retain(|(n, _)| n != field);
                        form.fields.push((field.clone(), value));
                        *chosen |= picked;
                    }
                }
                continue;
            }
            if !belongs || a.contains_key("disabled") {
                continue;
            }
            let Some(field) = a.get("name").cloned() else { continue };
            let value = a.get("value").cloned();
            match (name.as_str(), a.get("type").map(String::as_str).unwrap_or("text")) {
                ("button", _) | ("input", "submit") => form.buttons.push((field, value.unwrap_or_default())),
                ("input", "checkbox" | "radio") => {
                    let value = value.unwrap_or("on".into());
                    form.choices.push((field.clone(), value.clone()));
                    if a.contains_key("checked") {
                        form.fields.push((field, value));
                    }
                }
                ("input", _) => form.fields.push((field, value.unwrap_or_default())),
                ("textarea", _) => {
                    let text: String = self
                        .inside(i)
                        .iter()
                        .filter_map(|p| if let Piece::Text(t) = p { Some(t.as_str()) } else { None })
                        .collect();
                    form.fields.push((field, text.strip_prefix('\n').unwrap_or(&text).into()));
                }
                ("select", _) => select = Some((field, false)),
                _ => {}
            }
        }
        form
    }
}

fn text_of(pieces: &[Piece]) -> String {
    let words = pieces.iter().filter_map(|p| if let Piece::Text(t) = p { Some(t.split_whitespace()) } else { None });
    words.flatten().collect::<Vec<_>>().join(" ")
}

fn open_tag(text: &str) -> (String, HashMap<String, String>, &str) {
    let end = text.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(text.len());
    let (name, mut rest) = (text[..end].to_lowercase(), &text[end..]);
    let mut attributes = HashMap::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return (name, attributes, after);
        }
        if rest.is_empty() {
            return (name, attributes, rest);
        }
        let end = rest.find(|c: char| c.is_whitespace() || "=>/".contains(c)).unwrap_or(rest.len());
        let key = rest[..end].to_lowercase();
        rest = rest[end..].trim_start();
        let Some(value) = rest.strip_prefix('=').map(str::trim_start) else {
            attributes.insert(key, String::new());
            continue;
        };
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
            _ => value.split_at(value.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(value.len())),
        };
        attributes.insert(key, decode(value));
        rest = after;
    }
}

pub fn decode(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(';').filter(|e| *e < 10);
        let Some(end) = end else {
            out.push('&');
            rest = &rest[1..];
            continue;
        };
        match &rest[1..end] {
            "amp" => out.push('&'),
            "lt" => out.push('<'),
            "gt" => out.push('>'),
            "quot" => out.push('"'),
            "apos" => out.push('\''),
            "nbsp" => out.push(' '),
            entity => {
                let number = entity.strip_prefix('#').and_then(|n| match n.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok(),
                    None => n.parse().ok(),
                });
                match number.and_then(char::from_u32) {
                    Some(c) => out.push(c),
                    None => out.push_str(&rest[..=end]),
                }
            }
        }
        rest = &rest[end + 1..];
    }
    out + rest
}

#[test]
fn a_form_is_read_as_a_browser_would_send_it() {
    let page = Page::parse(
        r#"<form id=f action="/x?a=1" method=post><input name=a value="1 &amp; &#x27;2&quot;"><input type=checkbox name=c value=yes checked>
        <input type=checkbox name=d><select name=s><option value=1>one<option value=2 selected>two</select><textarea name=t>
one
</textarea><button name=go value=1>Go</button></form><input name=b form=f value=2><input name=z value=3>"#,
    );
    let form = page.form("/x");
    let fields: Vec<_> = form.fields.iter().map(|(n, v)| format!("{n}={v}")).collect();
    assert_eq!(fields, ["a=1 & '2\"", "c=yes", "s=2", "t=one\n", "b=2"]);
    assert_eq!(form.method, "post");
    assert_eq!(form.buttons, [("go".to_owned(), "1".to_owned())]);
}
