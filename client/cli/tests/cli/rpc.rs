//! A small JSON-RPC client, and a proxy that does to a program what bad networks do.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::program::PATIENCE;

/// Asks the chain.
pub(crate) fn ask(url: &str, method: &str, params: Value) -> Value {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let answer = post(url, request.to_string().as_bytes());
    let mut answer: Value = serde_json::from_slice(&answer).unwrap();
    assert!(answer.get("error").is_none(), "{method}: {answer}");
    answer["result"].take()
}

/// How many transactions an account has sent.
pub(crate) fn nonce(url: &str, address: &str) -> u64 {
    let count = ask(url, "eth_getTransactionCount", json!([address, "latest"]));
    u64::from_str_radix(count.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

/// Posts a body to `http://HOST:PORT` and returns the body of the answer.
pub(crate) fn post(url: &str, body: &[u8]) -> Vec<u8> {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    read_message(&mut stream).unwrap()
}

/// Reads an HTTP message whose length is told, and returns its body.
fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))?;
    let mut body = vec![0; length.trim().parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

fn answer(stream: &mut TcpStream, kind: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: every request is answered, and WebSockets are not spoken.
    None,
    /// Every answer is a web page.
    WebPage,
    /// Every answer is JSON, but no answer to what was asked.
    Nonsense,
    /// In every answer these hex digits stand in the place of those.
    Swap(&'static str, &'static str),
    /// No block is final but the first.
    NothingFinal,
    /// This method's request is lost on the way to the chain, and nobody answers.
    LoseRequest(&'static str),
    /// This method's request reaches the chain, and its answer is lost.
    LoseAnswer(&'static str),
}

/// Stands between a program and the chain.
pub(crate) struct Proxy {
    pub(crate) url: String,
    /// The transactions that were sent through it, as they are.
    pub(crate) sent: Arc<Mutex<Vec<Value>>>,
    lost: Receiver<()>,
}

impl Proxy {
    /// A proxy before the chain at `url`; its threads last as long as the tests.
    pub(crate) fn start(url: &str, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = format!("http://{}", listener.local_addr().unwrap());
        let (lose, lost) = channel();
        let url = url.to_owned();
        let sent: Arc<Mutex<Vec<Value>>> = Arc::default();
        let record = sent.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (url, lose, record) = (url.clone(), lose.clone(), record.clone());
                thread::spawn(move || serve(stream, &url, fault, &lose, &record));
            }
        });
        let url = own;
        Self { url, sent, lost }
    }

    /// Waits until something is lost.
    pub(crate) fn wait(&self) {
        self.lost.recv_timeout(PATIENCE).expect("never asked");
    }
}

fn serve(
    mut stream: TcpStream,
    url: &str,
    fault: Fault,
    lose: &Sender<()>,
    sent: &Mutex<Vec<Value>>,
) {
    let Some(request) = read_message(&mut stream) else {
        return;
    };
    let asked: Value = serde_json::from_slice(&request).unwrap_or_default();
    let method = asked["method"].as_str().unwrap_or_default();
    if method == "eth_sendRawTransaction" {
        sent.lock().unwrap().push(asked["params"].clone());
    }
    let (passed, answered) = match fault {
        Fault::None => (true, true),
        Fault::WebPage => {
            let _ = answer(
                &mut stream,
                "text/html",
                b"<html>Welcome to the hotel</html>",
            );
            return;
        }
        Fault::Nonsense => {
            let _ = answer(
                &mut stream,
                "application/json",
                br#"{"jsonrpc":"2.0","id":1,"result":["?"]}"#,
            );
            return;
        }
        Fault::Swap(from, to) => {
            let body = String::from_utf8(post(url, &request)).unwrap();
            let body = body.replace(from, to);
            let _ = answer(&mut stream, "application/json", body.as_bytes());
            return;
        }
        Fault::NothingFinal => {
            let request = String::from_utf8(request).unwrap();
            let request = request.replace("\"finalized\"", "\"0x0\"");
            let _ = answer(
                &mut stream,
                "application/json",
                &post(url, request.as_bytes()),
            );
            return;
        }
        Fault::LoseRequest(name) => (method != name, method != name),
        Fault::LoseAnswer(name) => (true, method != name),
    };
    let body = if passed {
        post(url, &request)
    } else {
        Vec::new()
    };
    if answered {
        let _ = answer(&mut stream, "application/json", &body);
    } else {
        let _ = lose.send(());
        // Silence, until the program has gone.
        let _ = stream.read_to_end(&mut Vec::new());
    }
}
