//! Bytes on a socket, for what no well-behaved client sends.

use super::Answer;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// A connection to the server.
pub struct Wire {
    stream: TcpStream,
    seen: Vec<u8>,
}

impl Wire {
    pub fn open(port: u16) -> Wire {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        Wire { stream, seen: Vec::new() }
    }

    /// Whether it went out: the server may have closed already.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Reads what is there within this time; false when the server has closed.
    pub fn listen(&mut self, within: Duration) -> bool {
        self.stream.set_read_timeout(Some(within)).unwrap();
        let mut chunk = [0; 65_536];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(count) => {
                self.seen.extend_from_slice(&chunk[..count]);
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => true,
            Err(_) => false,
        }
    }

    /// Reads until so many answers are whole. Fails when the server closes before or goes silent.
    #[track_caller]
    pub fn answers(&mut self, count: usize) -> Vec<Answer> {
        loop {
            let (answers, _) = parse(&self.seen);
            if answers.len() >= count {
                return answers;
            }
            let before = self.seen.len();
            let open = self.listen(Duration::from_secs(20));
            assert!(open && self.seen.len() > before, "{count} answers, not: {:?}", self.text());
        }
    }

    /// Reads until the server closes. Fails when it does not, or leaves half an answer.
    #[track_caller]
    pub fn until_closed(mut self) -> Vec<Answer> {
        loop {
            let before = self.seen.len();
            if !self.listen(Duration::from_secs(20)) {
                break;
            }
            assert!(self.seen.len() > before, "the server neither answers nor closes; so far: {:?}", self.text());
        }
        let (answers, rest) = parse(&self.seen);
        assert!(rest == 0, "the last {rest} bytes are no whole answer: {:?}", self.text());
        answers
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }
}

/// Sends all of it at once and reads until the server closes.
#[track_caller]
pub fn talk(port: u16, bytes: &[u8]) -> Vec<Answer> {
    let mut wire = Wire::open(port);
    wire.send(bytes);
    wire.until_closed()
}

/// The whole answers in these bytes, and how many bytes are left.
fn parse(bytes: &[u8]) -> (Vec<Answer>, usize) {
    let mut answers = Vec::new();
    let mut rest = bytes;
    while let Some((answer, length)) = parse_one(rest) {
        rest = &rest[length..];
        if answer.status >= 200 {
            answers.push(answer);
        }
    }
    (answers, rest.len())
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn parse_one(bytes: &[u8]) -> Option<(Answer, usize)> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap();
    assert!(status_line.starts_with("HTTP/1."), "not an answer: {status_line:?}");
    let status = status_line.split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("not a header: {line:?}"));
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value.trim()).unwrap());
    }
    let start = end + 4;
    let length = headers.get("content-length").map(|v| v.to_str().unwrap().parse::<usize>().unwrap());
    // The answer to a HEAD has a length and no body.
    let length = if bytes[start..].starts_with(b"HTTP/1.") { Some(0) } else { length };
    let (body, used) = match length {
        Some(length) if bytes.len() >= start + length => (bytes[start..start + length].to_vec(), start + length),
        Some(_) => return None,
        None if headers.get("transfer-encoding").is_some_and(|v| v == "chunked") => {
            let (body, used) = dechunk(&bytes[start..])?;
            (body, start + used)
        }
        None => (Vec::new(), start),
    };
    Some((Answer { status, headers, body }, used))
}

fn dechunk(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let line = find(&bytes[at..], b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[at..at + line]).unwrap().trim(), 16).unwrap();
        at += line + 2;
        if bytes.len() < at + size + 2 {
            return None;
        }
        body.extend_from_slice(&bytes[at..at + size]);
        at += size + 2;
        if size == 0 {
            return Some((body, at));
        }
    }
}
