//! The load: one thread, connections that stay open over loopback, one request at a time on each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::cpu;
use super::server::Running;

/// Requests before anything is counted: connections, caches and branch predictors.
const WARM_UP: Duration = Duration::from_millis(400);
/// How long requests under way may take when the time is over.
const LAST_ANSWERS: Duration = Duration::from_secs(20);

/// What differs from one request to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vary {
    Nothing,
    /// A number from 1 to this, spread evenly.
    Id(u64),
    /// Ten digits that never come again.
    Serial,
}

/// A request, made once and sent often.
#[derive(Debug)]
pub struct Request {
    head: Vec<u8>,
    vary: Vary,
    tail: Vec<u8>,
    sent: AtomicU64,
}

impl Request {
    fn new(head: String, vary: Vary, tail: String) -> Arc<Self> {
        Arc::new(Self { head: head.into_bytes(), vary, tail: tail.into_bytes(), sent: AtomicU64::new(1) })
    }

    /// Always the same.
    pub fn get(target: &str, token: &str) -> Arc<Self> {
        Self::new(format!("GET {target}"), Vary::Nothing, format!(" HTTP/1.1\r\n{}\r\n", headers(token)))
    }

    /// One of the things below `path`, by their ids from 1 on.
    pub fn get_any(path: &str, ids: u64, token: &str) -> Arc<Self> {
        Self::new(format!("GET {path}/"), Vary::Id(ids), format!(" HTTP/1.1\r\n{}\r\n", headers(token)))
    }

    /// A JSON body, with ten digits of its own in each between `before` and `after`.
    pub fn post(path: &str, before: &str, after: &str, token: &str) -> Arc<Self> {
        let length = before.len() + 10 + after.len();
        let own = headers(token);
        Self::new(
            format!(
                "POST {path} HTTP/1.1\r\n{own}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{before}"
            ),
            Vary::Serial,
            after.to_owned(),
        )
    }

    /// A JSON body, always the same, from somebody who is not signed in.
    pub fn repeat(path: &str, body: &str) -> Arc<Self> {
        let (own, length) = (headers(""), body.len());
        let head =
            format!("POST {path} HTTP/1.1\r\n{own}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
        Self::new(head, Vary::Nothing, body.to_owned())
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.head);
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        match self.vary {
            Vary::Nothing => {}
            Vary::Id(most) => out.extend_from_slice((spread(number) % most + 1).to_string().as_bytes()),
            Vary::Serial => out.extend_from_slice(format!("{number:010}").as_bytes()),
        }
        out.extend_from_slice(&self.tail);
    }
}

fn headers(token: &str) -> String {
    let bearer = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    format!("Host: localhost\r\n{bearer}")
}

/// Numbers in a row become numbers all over the place (SplitMix64).
fn spread(number: u64) -> u64 {
    let z = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// What came of a load.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Answers of 2xx.
    pub answers: u64,
    /// Others.
    pub failures: u64,
    /// In which time.
    pub elapsed: Duration,
    /// How long each answer took, in microseconds.
    pub latencies: Vec<u32>,
    /// The server's CPU time.
    pub cpu: Duration,
    /// Good answers a second in each turn.
    pub turns: Vec<f64>,
}

impl Sample {
    /// Takes another turn's in.
    pub fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.failures += other.failures;
        self.elapsed += other.elapsed;
        self.latencies.extend(other.latencies);
        self.cpu += other.cpu;
    }

    /// Takes another turn's in, as a turn.
    pub fn add_turn(&mut self, turn: Self) {
        self.turns.push(turn.rate());
        self.add(turn);
    }

    /// Its rate to another's: the middle one of the turns that they took one after the other, so that a
    /// moment in which the machine was busy elsewhere does not count.
    pub fn ratio_to(&self, other: &Self) -> f64 {
        let mut ratios: Vec<f64> = self.turns.iter().zip(&other.turns).map(|(a, b)| a / b.max(1e-9)).collect();
        ratios.sort_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied().unwrap_or_else(|| self.rate() / other.rate().max(1e-9))
    }

    /// Good answers a second.
    pub fn rate(&self) -> f64 {
        self.answers as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// The server's CPU time for each good answer, in microseconds.
    pub fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / (self.answers.max(1)) as f64
    }

    /// The time, in milliseconds, within which so much of all answers came: 0.5 for the median.
    pub fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        let at = (last as f64 * part).round() as usize;
        sorted.get(at).map_or(0.0, |micros| f64::from(*micros) / 1e3)
    }
}

/// Which part of a run it is; all clients look at it after each answer.
#[derive(Debug)]
struct Phase(AtomicU8);

impl Phase {
    const WARMING: u8 = 0;
    const COUNTING: u8 = 1;
    const OVER: u8 = 2;

    fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, phase: u8) {
        self.0.store(phase, Ordering::Relaxed);
    }
}

/// So many clients with the same request.
#[derive(Debug, Clone)]
pub struct Load {
    /// What they send.
    pub request: Arc<Request>,
    /// How many there are.
    pub clients: usize,
}

impl Load {
    /// Puts it on a server for a time.
    pub fn run(&self, on: &Running, time: Duration) -> anyhow::Result<Sample> {
        self.run_beside(on, time, None).map(|(own, _)| own)
    }

    /// The same while another load is on, of which the good and the bad answers are counted.
    pub fn run_beside(&self, on: &Running, time: Duration, other: Option<&Self>) -> anyhow::Result<(Sample, Sample)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (address, process) = (on.address, on.pid());
        let run = async move {
            let phase = Arc::new(Phase(AtomicU8::new(Phase::WARMING)));
            let mut beside = other.map(|other| other.spawn(address, &phase));
            if beside.is_some() {
                // Until it is really there.
                tokio::time::sleep(WARM_UP).await;
            }
            let mut clients = self.spawn(address, &phase);
            tokio::time::sleep(WARM_UP).await;
            let (begun, before) = (Instant::now(), cpu::time(process)?);
            phase.set(Phase::COUNTING);
            tokio::time::sleep(time).await;
            phase.set(Phase::OVER);
            let (elapsed, after) = (begun.elapsed(), cpu::time(process)?);
            let mut own = gather(&mut clients).await?;
            let mut theirs = match &mut beside {
                Some(clients) => gather(clients).await?,
                None => Sample::default(),
            };
            (own.elapsed, own.cpu) = (elapsed, after.saturating_sub(before));
            theirs.elapsed = elapsed;
            Ok((own, theirs))
        };
        runtime.block_on(run)
    }

    fn spawn(&self, address: SocketAddr, phase: &Arc<Phase>) -> JoinSet<anyhow::Result<Sample>> {
        let mut clients = JoinSet::new();
        for _ in 0..self.clients {
            clients.spawn(client(address, Arc::clone(&self.request), Arc::clone(phase)));
        }
        clients
    }
}

async fn gather(clients: &mut JoinSet<anyhow::Result<Sample>>) -> anyhow::Result<Sample> {
    let all = async {
        let mut sample = Sample::default();
        while let Some(client) = clients.join_next().await {
            sample.add(client??);
        }
        Ok(sample)
    };
    tokio::time::timeout(LAST_ANSWERS, all).await.context("the last answers do not come")?
}

async fn client(address: SocketAddr, request: Arc<Request>, phase: Arc<Phase>) -> anyhow::Result<Sample> {
    let mut stream = TcpStream::connect(address).await.context("the server takes no connection")?;
    stream.set_nodelay(true)?;
    let mut sample = Sample::default();
    let mut out = Vec::with_capacity(1_024);
    let mut answer = Vec::with_capacity(64 * 1_024);
    let mut begun = Instant::now();
    loop {
        request.write(&mut out);
        stream.write_all(&out).await.context("a request cannot be sent")?;
        let status = read_answer(&mut stream, &mut answer).await?;
        let now = Instant::now();
        match (phase.get(), status) {
            (Phase::WARMING, _) => {}
            (Phase::COUNTING, 200..=299) => {
                sample.answers += 1;
                let micros = now.duration_since(begun).as_micros();
                sample.latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
            }
            (Phase::COUNTING, _) => sample.failures += 1,
            _ => return Ok(sample),
        }
        begun = now;
    }
}

/// Reads one whole answer; its status.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> anyhow::Result<u16> {
    answer.clear();
    let mut head = None;
    loop {
        let read = stream.read_buf(answer).await.context("an answer cannot be read")?;
        anyhow::ensure!(read > 0, "the server cut the connection");
        head = head.or_else(|| Head::parse(answer));
        if let Some(head) = head
            && answer.len() >= head.whole
        {
            return Ok(head.status);
        }
    }
}

/// What must be known of an answer to read it.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// Where the body begins.
    pub body: usize,
    /// The bytes of head and body together.
    pub whole: usize,
}

impl Head {
    /// `None` while it is not all there.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut status = 0;
        let mut length = 0;
        let mut at = 0;
        for (n, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            at += line.len();
            if n == 0 {
                status = number(line.get(9..12)?);
            } else if line == b"\r\n" {
                return Some(Self { status: u16::try_from(status).ok()?, body: at, whole: at + length });
            } else if let Some((name, value)) = line.split_at_checked(15)
                && name.eq_ignore_ascii_case(b"content-length:")
            {
                length = number(value.trim_ascii());
            }
        }
        None
    }
}

fn number(digits: &[u8]) -> usize {
    digits.iter().fold(0, |n, b| n * 10 + usize::from(b.saturating_sub(b'0')))
}
