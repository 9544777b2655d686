//! A wire to PostgreSQL or to Redis that can be cut, silenced and mended while the server runs.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Bytes pass.
    Whole,
    /// What is connected is cut; what connects is closed at once.
    Cut,
    /// Connections stay and are taken, but nothing passes: a machine that vanished.
    Silent,
}

struct State {
    wire: Wire,
    open: Vec<TcpStream>,
}

pub struct Proxy {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    pub fn to(target: String) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { wire: Wire::Whole, open: Vec::new() }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let mut now = shared.lock().unwrap();
                if now.wire == Wire::Cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&target) else { continue };
                now.open.push(client.try_clone().unwrap());
                now.open.push(server.try_clone().unwrap());
                drop(now);
                let (c, s) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (one, other) = (shared.clone(), shared.clone());
                std::thread::spawn(move || pass(client, server, one));
                std::thread::spawn(move || pass(s, c, other));
            }
        });
        Proxy { port, state }
    }

    pub fn set(&self, wire: Wire) {
        let mut state = self.state.lock().unwrap();
        state.wire = wire;
        if wire != Wire::Silent {
            // What was silent cannot be made whole again: bytes were lost.
            for stream in state.open.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, state: Arc<Mutex<State>>) {
    let mut buffer = [0; 16_384];
    while let Ok(n) = from.read(&mut buffer) {
        if n == 0 {
            break;
        }
        if state.lock().unwrap().wire == Wire::Silent {
            continue;
        }
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
