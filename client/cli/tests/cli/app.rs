//! `pcim app`: what a browser is shown, and what it can have done.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::program::{Actor, Process, first_document};
use crate::stage::Stage;

/// A screen at work, and the cookie of the browser that it opened for.
struct Screen {
    process: Process,
    port: u16,
    cookie: String,
}

/// An answer.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

fn ask(port: u16, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let length = body.len();
    let form = "Content-Type: application/x-www-form-urlencoded";
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}{form}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    Answer {
        status: head[9..12].parse().unwrap(),
        head,
        body: bytes[end + 4..].to_vec(),
    }
}

impl Screen {
    fn start(actor: &Actor) -> Self {
        let mut command = actor.command();
        let mut child = command
            .args(["app", "--no-open"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = first_document(&mut child);
        let address = said["address"].as_str().unwrap();
        let rest = address.strip_prefix("http://127.0.0.1:").unwrap();
        let (port, path) = rest.split_once('/').unwrap();
        let port = port.parse().unwrap();
        let entered = ask(port, "GET", &format!("/{path}"), "", "");
        assert_eq!(entered.status, 200);
        let again = ask(port, "GET", &format!("/{path}"), "", "");
        assert_eq!(again.status, 401, "the address opens once");
        let cookie = entered.head.split("set-cookie: ").nth(1).unwrap();
        Self {
            process: Process(child),
            port,
            cookie: cookie.split(';').next().unwrap().to_owned(),
        }
    }

    fn get(&self, path: &str) -> Answer {
        let headers = format!("Cookie: {}\r\n", self.cookie);
        ask(self.port, "GET", path, &headers, "")
    }

    fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    /// Sends a form as its page does.
    fn post(&self, path: &str, fields: &[(String, String)]) -> Answer {
        let (cookie, port) = (&self.cookie, self.port);
        let headers = format!("Cookie: {cookie}\r\nOrigin: http://127.0.0.1:{port}\r\n");
        let body: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        ask(port, "POST", path, &headers, &body.join("&"))
    }

    /// Asks it to end.
    fn end(mut self) {
        let id = self.process.0.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(self.process.0.wait().unwrap().success());
    }
}

/// The hidden fields of a page's forms.
fn hidden(page: &str) -> Vec<(String, String)> {
    let inputs = page.split("<input type=\"hidden\" name=\"").skip(1);
    inputs
        .map(|input| {
            let (name, rest) = input.split_once("\" value=\"").unwrap();
            let (value, _) = rest.split_once('"').unwrap();
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

fn with(fields: &[(String, String)], name: &str, value: &str) -> Vec<(String, String)> {
    let mut fields: Vec<_> = fields.iter().filter(|it| it.0 != name).cloned().collect();
    fields.push((name.to_owned(), value.to_owned()));
    fields
}

#[test]
fn a_patient_reads_a_request_allows_it_looks_and_withdraws_it() {
    let stage = Stage::new();
    let (patient, doctor) = (stage.actor("patient"), stage.actor("doctor"));
    let image = &stage.known.image;
    let contacts = patient.home.join("contacts");
    std::fs::create_dir_all(&contacts).unwrap();
    // A name that would be markup, if anything of it were taken as such.
    std::fs::copy(stage.file("doctor.card"), contacts.join("Dr <b>Grün.card")).unwrap();
    let screen = Screen::start(&patient);
    assert_eq!(ask(screen.port, "GET", "/", "", "").status, 401);

    let home = screen.page("/");
    assert!(home.contains("One person asks to see an image."), "{home}");
    assert!(home.contains("You and one other can open it."), "{home}");
    assert!(screen.page("/people").contains("Dr &lt;b&gt;Grün"));

    let requests = screen.page("/requests");
    assert!(requests.contains("Dr &lt;b&gt;Grün"), "{requests}");
    assert!(!requests.contains("<b>"), "{requests}");
    assert!(requests.contains("To treat you"), "{requests}");
    let form = with(
        &with(&hidden(&requests), "days", "7"),
        "decision",
        "approve",
    );
    assert!(
        form.iter()
            .any(|it| *it == ("image".to_owned(), image.clone())),
        "{form:?}"
    );
    // The form of another request than the one that she read, and no form at all.
    let before = stage.nonce(&patient);
    let older = screen.post("/requests/decide", &with(&form, "requested_at", "1"));
    assert_eq!(older.status, 409, "{}", older.text());
    let endless = screen.post("/requests/decide", &with(&form, "days", "0"));
    assert_eq!(endless.status, 400, "{}", endless.text());
    assert_eq!(screen.post("/requests/decide", &[]).status, 400);
    assert_eq!(stage.nonce(&patient), before, "nothing was sent");
    let allowed = screen.post("/requests/decide", &form);
    assert_eq!(allowed.status, 303, "{}", allowed.text());
    let status = doctor.run(["requestor", "status", image]).json();
    assert_eq!(status["authorized"], true, "{status}");
    assert!(screen.page("/").contains("Nothing."));

    // Other commands of the home work beside the screen.
    let png = stage.results().join("own.png");
    patient
        .run(["view", image, "--out", png.to_str().unwrap()])
        .json();
    let picture = screen.get(&format!("/image/{image}/1/1"));
    assert_eq!(picture.status, 200);
    assert!(
        picture.head.contains("content-type: image/png"),
        "{}",
        picture.head
    );
    assert!(
        picture.head.contains("cache-control: no-store"),
        "{}",
        picture.head
    );
    assert!(
        picture.body == std::fs::read(&png).unwrap(),
        "another picture than `pcim view` makes"
    );
    let look = screen.page(&format!("/image/{image}/look"));
    assert!(look.contains("Not for diagnosis"), "{look}");
    for path in ["/image/x", "/image/x/look", "/nothing"] {
        assert_eq!(screen.get(path).status, 404, "{path}");
    }
    let fresh = &stage.known.fresh;
    for path in [
        format!("/image/{fresh}"),
        format!("/image/{image}/2/1"),
        format!("/image/{image}/1/0"),
    ] {
        assert_eq!(screen.get(&path).status, 404, "{path}");
    }

    let page = screen.page(&format!("/image/{image}"));
    assert!(
        page.contains("Stop sharing with Dr &lt;b&gt;Grün"),
        "{page}"
    );
    let reader = vec![("requestor".to_owned(), doctor.address.clone())];
    let withdrawn = screen.post(&format!("/image/{image}/withdraw"), &reader);
    assert_eq!(withdrawn.status, 303, "{}", withdrawn.text());
    let status = doctor.run(["requestor", "status", image]).json();
    assert_eq!(status["authorized"], false, "{status}");
    screen.end();
}
