//! A tiny HTTP server that answers JSON-RPC as a test tells it to, faults included.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The answer to one request.
#[derive(Clone)]
pub(super) enum Reply {
    /// A result, for the request's own id.
    Result(Value),
    /// A JSON-RPC error: code, message, data.
    Error(i64, String, Option<Vec<u8>>),
    /// A raw body with this status.
    Http(u16, String),
    /// Hangs up without an answer.
    Close,
    /// Never answers.
    Silence,
}

/// The server; it stops when it is dropped.
pub(super) struct Fake {
    pub(super) url: String,
    /// Every request so far: method and parameters.
    pub(super) seen: Arc<Mutex<Vec<(String, Value)>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Fake {
    pub(super) async fn always(reply: Reply) -> Self {
        Self::new(move |_, _| reply.clone()).await
    }

    pub(super) async fn new(answer: impl FnMut(&str, &Value) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (seen.clone(), Arc::new(Mutex::new(answer)));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, answer) = (log.clone(), answer.clone());
                tokio::spawn(async move {
                    serve(stream, |method, params| {
                        log.lock().unwrap().push((method.into(), params.clone()));
                        (answer.lock().unwrap())(method, params)
                    })
                    .await;
                });
            }
        });
        Self { url, seen, task }
    }

    /// How often a method was called.
    pub(super) fn count(&self, method: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(name, _)| name == method).count()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves one request and closes the connection.
async fn serve(mut stream: TcpStream, mut answer: impl FnMut(&str, &Value) -> Reply) {
    let mut bytes = Vec::new();
    let request: Value = loop {
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.unwrap_or(0);
        if n == 0 {
            return;
        }
        bytes.extend_from_slice(&chunk[..n]);
        let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
            continue;
        };
        if let Ok(request) = serde_json::from_slice(&bytes[end + 4..]) {
            break request;
        }
    };
    let id = &request["id"];
    let method = request["method"].as_str().unwrap();
    let (status, body) = match answer(method, &request["params"]) {
        Reply::Result(result) => (
            200,
            json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string(),
        ),
        Reply::Error(code, message, data) => {
            let mut error = json!({"code": code, "message": message});
            if let Some(data) = data {
                error["data"] = json!(format!("0x{}", hex::encode(data)));
            }
            (
                200,
                json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string(),
            )
        }
        Reply::Http(status, body) => (status, body),
        Reply::Close => return,
        Reply::Silence => {
            std::future::pending::<()>().await;
            return;
        }
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
}
