//! A server elsewhere that webhooks are sent to: keeps what it was sent, and answers as it is told to.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use super::wait_for;

/// One request.
#[derive(Clone, Debug)]
pub struct Received {
    pub line: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Received {
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }

    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn event(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    /// Which of its signatures are those of this secret, computed anew.
    pub fn signed_by(&self, secret: &str) -> Vec<bool> {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        assert!((24..=64).contains(&key.len()), "as long as the specification asks for");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.{}", self.id(), self.header("webhook-timestamp"), self.body).as_bytes());
        let right = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.header("webhook-signature").split(' ').map(|signature| signature == right).collect()
    }
}

/// What it answers.
#[derive(Clone, Debug)]
pub enum Reply {
    Status(u16),
    Whole {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// Nothing, and keeps the connection.
    Nothing,
}

type Answers = Box<dyn FnMut(&Received) -> Reply + Send>;

struct State {
    received: Vec<Received>,
    answers: Answers,
}

pub struct Receiver {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    pub fn new(answers: impl FnMut(&Received) -> Reply + Send + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { received: Vec::new(), answers: Box::new(answers) }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let state = shared.clone();
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Receiver { port, state }
    }

    /// One that is content with everything.
    pub fn content() -> Receiver {
        Receiver::new(|_| Reply::Status(204))
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    pub fn answer(&self, answers: impl FnMut(&Received) -> Reply + Send + 'static) {
        self.state.lock().unwrap().answers = Box::new(answers);
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    /// Waits for so many requests at least.
    #[track_caller]
    pub fn wait(&self, count: usize) -> Vec<Received> {
        wait_for(&format!("{count} deliveries"), Duration::from_secs(100), || {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    let mut kept = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut headers = HashMap::new();
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or(0) == 0 {
                return;
            }
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let received = Received { line: line.trim_end().to_owned(), headers, body: String::from_utf8(body).unwrap() };
        let reply = {
            let mut state = state.lock().unwrap();
            state.received.push(received.clone());
            (state.answers)(&received)
        };
        let (status, headers, body) = match reply {
            Reply::Status(status) => (status, Vec::new(), Vec::new()),
            Reply::Whole { status, headers, body } => (status, headers, body),
            Reply::Nothing => {
                kept.push(writer.try_clone().unwrap());
                continue;
            }
        };
        let mut head = format!("HTTP/1.1 {status} Said\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if status != 204 {
            head += &format!("content-length: {}\r\n", body.len());
        }
        let sent = writer.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| writer.write_all(&body));
        if sent.is_err() {
            return;
        }
    }
}
