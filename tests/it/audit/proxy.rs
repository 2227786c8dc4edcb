//! A provider between the index and the devnet, with the faults that providers have.

use std::sync::Arc;

use ethers::providers::{Http, Provider, RpcError};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a provider answers in the place of the node.
pub(super) enum Answer {
    /// The node's result, or another one.
    Result(Value),
    /// A JSON-RPC error.
    Error(i64, &'static str),
    /// HTTP status 429.
    Busy,
}

type Fault = dyn Fn(&str, &Value, Value) -> Answer + Send + Sync;

pub(super) struct Proxy {
    pub(super) url: String,
    server: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Starts a provider in front of a node; `fault` is given the method, its parameters and the node's result.
pub(super) async fn start(
    node: String,
    fault: impl Fn(&str, &Value, Value) -> Answer + Send + Sync + 'static,
) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let fault: Arc<Fault> = Arc::new(fault);
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (node, fault) = (node.clone(), fault.clone());
            tokio::spawn(async move {
                let node = Provider::<Http>::try_from(node).unwrap();
                let _ = serve(stream, &node, &*fault).await;
            });
        }
    });
    Proxy { url, server }
}

async fn serve(mut stream: TcpStream, node: &Provider<Http>, fault: &Fault) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let (head, length) = loop {
            let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length:"))
                    .and_then(|length| length.trim().parse::<usize>().ok());
                break (end + 4, length.unwrap_or(0));
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        };
        while bytes.len() < head + length {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        }
        let request: Value = serde_json::from_slice(&bytes[head..head + length])?;
        bytes.drain(..head + length);
        let (status, body) = answer(&request, node, fault).await;
        let response = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nretry-after: 0\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(response.as_bytes()).await?;
    }
}

async fn answer(request: &Value, node: &Provider<Http>, fault: &Fault) -> (&'static str, String) {
    let method = request["method"].as_str().unwrap();
    let result: Result<Value, _> = node.request(method, request["params"].clone()).await;
    let mut response = json!({"jsonrpc": "2.0", "id": request["id"]});
    match result {
        Ok(result) => match fault(method, &request["params"], result) {
            Answer::Result(result) => response["result"] = result,
            Answer::Error(code, message) => {
                response["error"] = json!({"code": code, "message": message});
            }
            Answer::Busy => return ("429 Too Many Requests", String::new()),
        },
        Err(error) => {
            let error = error.as_error_response().unwrap();
            response["error"] =
                json!({"code": error.code, "message": error.message, "data": error.data});
        }
    }
    ("200 OK", response.to_string())
}
