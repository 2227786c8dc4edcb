//! A JSON-RPC client that costs next to nothing: one kept-alive connection, blocking, no queue.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use serde_json::{Value, json};

/// A connection to a node.
pub(crate) struct Wire {
    host: String,
    stream: BufReader<TcpStream>,
}

impl Wire {
    /// Connects to `http://host:port`.
    pub(crate) fn connect(url: &str) -> io::Result<Self> {
        let host = url.trim_start_matches("http://").trim_end_matches('/');
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            host: host.into(),
            stream: BufReader::new(stream),
        })
    }

    /// Posts a body; the answer's body.
    pub(crate) fn post(&mut self, body: &str) -> io::Result<Vec<u8>> {
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut length = None;
        let mut line = String::new();
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok();
            }
        }
        let length = length.ok_or_else(|| io::Error::other("an answer of unstated length"))?;
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        Ok(answer)
    }

    /// Calls a method: its result, or its error object. Text that is no JSON, or nested too deeply to be read, is an error too.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = self.post(&request.to_string()).expect("the node answers");
        let answer = serde_json::from_slice(&answer);
        outcome(answer.unwrap_or_else(|error| json!({"error": {"message": error.to_string()}})))
    }

    /// Calls a method that must succeed.
    pub(crate) fn must(&mut self, method: &str, params: Value) -> Value {
        self.ask(method, params)
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Calls methods in one request; the results in the calls' order.
    pub(crate) fn batch(&mut self, calls: &[(&str, Value)]) -> Vec<Result<Value, Value>> {
        let request: Vec<_> = calls
            .iter()
            .enumerate()
            .map(|(id, (method, params))| {
                json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
            })
            .collect();
        let answer = self
            .post(&Value::from(request).to_string())
            .expect("the node answers");
        let mut answers: Vec<Value> =
            serde_json::from_slice(&answer).expect("the node answers a batch with an array");
        answers.sort_by_key(|answer| answer["id"].as_u64());
        assert_eq!(answers.len(), calls.len());
        answers.into_iter().map(outcome).collect()
    }
}

fn outcome(mut answer: Value) -> Result<Value, Value> {
    match answer.get_mut("error") {
        Some(error) => Err(error.take()),
        None => Ok(answer["result"].take()),
    }
}
