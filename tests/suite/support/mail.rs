//! Mail as it comes out: the folder of `.eml` files, and an SMTP server that does what it is told.

use super::{Place, wait_for};
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

/// A mail, taken apart.
#[derive(Clone, Debug)]
pub struct Received {
    /// Whole, as it came.
    pub raw: String,
    pub text: String,
    pub html: String,
}

impl Received {
    fn parse(raw: &str) -> Received {
        let raw = raw.replace("\r\n", "\n");
        let part = |kind: &str| {
            let from = raw.find(&format!("Content-Type: {kind}")).unwrap_or_else(|| panic!("no {kind} in {raw}"));
            let (head, body) = raw[from..].split_once("\n\n").unwrap();
            // A line of a link may begin with two dashes too.
            let boundary = raw.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
            let body = body.split(&format!("\n--{boundary}")).next().unwrap();
            let body = if head.contains("quoted-printable") { unquoted(body) } else { body.to_owned() };
            // Without the signature.
            body.lines().take_while(|line| line.trim_end() != "--").collect::<Vec<_>>().join("\n")
        };
        Received { text: part("text/plain"), html: part("text/html"), raw: raw.clone() }
    }

    /// A header of the mail itself.
    #[track_caller]
    pub fn header(&self, name: &str) -> String {
        let head = self.raw.split("\n\n").next().unwrap().replace("\n ", " ");
        let line = head.lines().find_map(|l| l.strip_prefix(&format!("{name}: ")).map(str::to_owned));
        line.unwrap_or_else(|| panic!("no {name} in {head}"))
    }

    /// The one address that the text has.
    #[track_caller]
    pub fn link(&self) -> String {
        let found: Vec<_> = self.text.split_whitespace().filter(|w| w.starts_with("http")).collect();
        assert_eq!(found.len(), 1, "{}", self.text);
        assert!(self.html.contains(&found[0].replace('&', "&amp;")), "the HTML has the same: {}", self.html);
        found[0].to_owned()
    }
}

/// RFC 2045, 6.7.
fn unquoted(text: &str) -> String {
    let text = text.replace("=\n", "");
    let bytes = text.as_bytes();
    let (mut out, mut i) = (Vec::new(), 0);
    while i < bytes.len() {
        if bytes[i] == b'=' {
            out.push(u8::from_str_radix(&text[i + 1..i + 3], 16).unwrap());
            i += 3;
        } else {
            out.push(bytes[i]);
            i += 1;
        }
    }
    String::from_utf8(out).unwrap()
}

/// Every mail in the folder, oldest first.
pub fn outbox(place: &Place) -> Vec<Received> {
    let Ok(files) = std::fs::read_dir(place.path("data/mail")) else { return Vec::new() };
    let mut files: Vec<_> =
        files.map(|f| f.unwrap().path()).filter(|f| f.extension().is_some_and(|e| e == "eml")).collect();
    files.sort_by_key(|f| f.metadata().unwrap().modified().unwrap());
    files.iter().map(|f| Received::parse(&std::fs::read_to_string(f).unwrap())).collect()
}

/// The mail to an address whose subject begins so, once it is there.
#[track_caller]
pub fn mail_to(place: &Place, address: &str, subject: &str) -> Received {
    wait_for(&format!("a mail {subject:?} to {address}"), Duration::from_secs(15), || {
        outbox(place)
            .into_iter()
            .rev()
            .find(|m| m.header("To").contains(address) && m.header("Subject").starts_with(subject))
    })
}

/// What the SMTP server says to a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Takes,
    /// 451: later.
    NotNow,
    /// 550: never.
    Never,
    /// Says nothing any more.
    Silent,
}

/// An SMTP server on a port of its own.
pub struct Sink {
    pub port: u16,
    mood: Arc<Mutex<Mood>>,
    mails: Arc<Mutex<Vec<Received>>>,
    /// How many mails were offered, taken or not.
    offered: Arc<Mutex<usize>>,
}

impl Sink {
    pub fn start(mood: Mood) -> Sink {
        Sink::on(TcpListener::bind("127.0.0.1:0").unwrap(), mood)
    }

    pub fn on(listener: TcpListener, mood: Mood) -> Sink {
        let sink = Sink {
            port: listener.local_addr().unwrap().port(),
            mood: Arc::new(Mutex::new(mood)),
            mails: Arc::default(),
            offered: Arc::default(),
        };
        let (mood, mails, offered) = (sink.mood.clone(), sink.mails.clone(), sink.offered.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (mood, mails, offered) = (mood.clone(), mails.clone(), offered.clone());
                std::thread::spawn(move || drop(talk(stream, &mood, &mails, &offered)));
            }
        });
        sink
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub fn mails(&self) -> Vec<Received> {
        self.mails.lock().unwrap().clone()
    }

    pub fn offered(&self) -> usize {
        *self.offered.lock().unwrap()
    }
}

/// RFC 5321, as much of it as a client needs.
fn talk(
    stream: TcpStream,
    mood: &Mutex<Mood>,
    mails: &Mutex<Vec<Received>>,
    offered: &Mutex<usize>,
) -> std::io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut lines = BufReader::new(stream).lines();
    out.write_all(b"220 sink\r\n")?;
    while let Some(line) = lines.next() {
        let line = line?;
        let verb = line.split(' ').next().unwrap().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" | "HELO" => "250 sink",
            "MAIL" => {
                *offered.lock().unwrap() += 1;
                let mood = *mood.lock().unwrap();
                match mood {
                    Mood::Takes => "250 ok",
                    Mood::NotNow => "451 later",
                    Mood::Never => "550 never",
                    Mood::Silent => loop {
                        std::thread::park();
                    },
                }
            }
            "DATA" => {
                out.write_all(b"354 go on\r\n")?;
                let mut text = String::new();
                for line in lines.by_ref() {
                    let line = line?;
                    if line == "." {
                        break;
                    }
                    text.push_str(line.strip_prefix('.').unwrap_or(&line));
                    text.push('\n');
                }
                mails.lock().unwrap().push(Received::parse(&text));
                "250 taken"
            }
            "QUIT" => {
                out.write_all(b"221 bye\r\n")?;
                return Ok(());
            }
            _ => "250 ok",
        };
        out.write_all(format!("{answer}\r\n").as_bytes())?;
    }
    Ok(())
}
