//! A web server for tests, as well or badly behaved as each asks for.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What was asked for; names of headers in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Method and target.
    pub(crate) line: String,
    pub(crate) headers: HashMap<String, String>,
}

/// A server on a port of its own, until the test's process ends. Each connection gets one answer and is closed.
pub(crate) struct Server {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers the requests, numbered from 0, with whole answers: status line, headers, body.
    pub(crate) fn new(answer: impl Fn(usize, &Request) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that went away is no matter of the test's.
                let Ok(mut stream) = stream else { continue };
                while let Some(request) = read(&stream) {
                    let number = {
                        let mut kept = kept.lock().unwrap();
                        kept.push(request.clone());
                        kept.len() - 1
                    };
                    let _ = stream.write_all(&answer(number, &request));
                    // A proxy's answer to that is the beginning of a connection.
                    if !request.line.starts_with("CONNECT ") {
                        break;
                    }
                }
            }
        });
        Self { address, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let header = |line: String| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Some(Request { line, headers: lines.filter_map(header).collect() })
}

/// An answer with these headers, and a length that may be a lie.
pub(crate) fn answer(status: &str, headers: &[&str], length: usize, body: &[u8]) -> Vec<u8> {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A well-behaved answer: the file, or the part of it that was asked for.
pub(crate) fn file(request: &Request, etag: &str, file: &[u8]) -> Vec<u8> {
    let tag = format!("ETag: {etag}");
    let begin = request.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
    let same = request.headers.get("if-range").is_none_or(|of| of == etag);
    match begin.and_then(|begin| begin.parse::<usize>().ok()).filter(|_| same) {
        Some(begin) if begin >= file.len() => answer("416 Range Not Satisfiable", &[&tag], 0, b""),
        Some(begin) => {
            let range = format!("Content-Range: bytes {begin}-{}/{}", file.len() - 1, file.len());
            answer("206 Partial Content", &[&tag, &range], file.len() - begin, &file[begin..])
        }
        None => answer("200 OK", &[&tag], file.len(), file),
    }
}
