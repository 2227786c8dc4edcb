//! HTTP to a fork's source, from a thread of its own so that any other may wait for it.

use std::{
    sync::mpsc::{SyncSender, sync_channel},
    thread,
    time::Duration,
};

use super::fork_error::ForkError;

/// The longest answer, bytes.
const MAX_ANSWER: usize = 4 << 20;
/// The time that an answer may take, and the times that a question is asked.
const TIMEOUT: Duration = Duration::from_secs(20);
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

type Answer = Result<Vec<u8>, String>;

/// A connection to a JSON-RPC node.
pub(super) struct Transport {
    /// Without what may be secret.
    host: String,
    questions: SyncSender<(String, SyncSender<Answer>)>,
}

impl Transport {
    /// Starts the thread.
    pub(super) fn start(url: &str) -> Result<Self, ForkError> {
        let host = host(url);
        let silent = |reason: String| ForkError::Silent {
            host: host.clone(),
            reason,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| silent(error.to_string()))?;
        let client = reqwest::Client::builder().timeout(TIMEOUT).build();
        let client = client.map_err(|error| silent(error.to_string()))?;
        let (questions, asked) = sync_channel::<(String, SyncSender<Answer>)>(1);
        let to = url.to_owned();
        let serve = move || {
            for (body, reply) in asked {
                // A thread that no longer waits needs no answer.
                let _ = reply.send(runtime.block_on(tries(&client, &to, body)));
            }
        };
        let thread = thread::Builder::new().name("fork".into()).spawn(serve);
        thread.map_err(|error| silent(error.to_string()))?;
        Ok(Self { host, questions })
    }

    /// Posts a request; the body of the answer.
    pub(super) fn post(&self, body: String) -> Result<Vec<u8>, ForkError> {
        let (reply, answer) = sync_channel(1);
        let sent = self.questions.send((body, reply));
        let answer = sent.ok().and_then(|()| answer.recv().ok());
        let answer = answer.unwrap_or_else(|| Err("its thread has ended".into()));
        answer.map_err(|reason| ForkError::Silent {
            host: self.host.clone(),
            reason,
        })
    }
}

/// Scheme and host of an address; path, query and password may be keys.
fn host(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}")
}

async fn tries(client: &reqwest::Client, url: &str, body: String) -> Answer {
    let mut last = String::new();
    for nth in 0..TRIES {
        tokio::time::sleep(PAUSE * nth).await;
        match attempt(client, url, body.clone()).await {
            Ok(answer) => return Ok(answer),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn attempt(client: &reqwest::Client, url: &str, body: String) -> Answer {
    let request = client.post(url).header("content-type", "application/json");
    let sent = request.body(body).send().await;
    // The address may hold a key, so it is not repeated.
    let mut response = sent.map_err(|error| error.without_url().to_string())?;
    let mut answer = Vec::new();
    loop {
        let chunk = response.chunk().await;
        let Some(chunk) = chunk.map_err(|error| error.without_url().to_string())? else {
            break;
        };
        answer.extend_from_slice(&chunk);
        if answer.len() > MAX_ANSWER {
            return Err(format!("an answer of more than {MAX_ANSWER} bytes"));
        }
    }
    match response.status().is_success() {
        true => Ok(answer),
        false => Err(format!("status {}", response.status())),
    }
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn keys_in_an_address_are_not_shown() {
        for url in [
            "https://user:key@node.example/v2/key?key=1",
            "https://node.example/key",
            "https://node.example?key",
        ] {
            assert_eq!(host(url), "https://node.example");
        }
        assert_eq!(host("localhost:8547"), "http://localhost:8547");
    }
}
