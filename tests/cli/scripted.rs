//! A gate that answers what it is told to, and remembers what it was asked.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// Answers one connection after the other, each with one of the answers, then takes no more.
pub(super) struct ScriptedGate {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl ScriptedGate {
    /// Starts one on a free port. It ends with the test's process at the latest.
    pub(super) fn start(answers: impl IntoIterator<Item = String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answers, seen) = (answers.into_iter().collect::<Vec<_>>(), Arc::clone(&requests));
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                seen.lock().unwrap().push(read_request(&mut stream));
                if answer == Self::silence() {
                    // Until the other side goes away.
                    drop(stream.read(&mut [0]));
                }
                drop(stream.write_all(answer.as_bytes()));
            }
        });
        Self { url, requests }
    }

    /// An answer that does not come.
    pub(super) fn silence() -> String {
        "…".to_owned()
    }

    /// What it was asked: head and body of each request.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// A complete answer with a JSON body; the connection closes after it.
pub(super) fn answer(status: u16, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Told So\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// A header of a request.
pub(super) fn header(request: &str, name: &str) -> Option<String> {
    let head = request.split("\r\n\r\n").next()?;
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    lines.into_iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if reader.read_line(&mut request).unwrap() == 0 {
            return request;
        }
    }
    let length = header(&request, "content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    request + &String::from_utf8(body).unwrap()
}
