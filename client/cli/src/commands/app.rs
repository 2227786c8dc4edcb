//! `pcim app`

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::Args;
use pcim_app::{App, Ended};
use pcim_client::Session;
use pcim_client::home::Home;
use pcim_core::private;
use serde_json::json;

use crate::contacts;
use crate::context::{Context, Stop};
use crate::serving::serve_beside;

/// The file that hands the address to the browser.
const NOTE: &str = "screen.html";
/// How long a page waits for a peer who is away, unless `--wait` says otherwise.
const WAIT: Duration = Duration::from_secs(5);
/// How long nobody may use the screen before it ends.
const IDLE: Duration = Duration::from_secs(3600);

/// Show your images and the requests for them in a browser on this machine
///
/// Pages on 127.0.0.1 alone: what waits for you, who may open what, the images themselves. The address that is printed opens
/// once, for one browser; after an hour without use, or at an interrupt, the screen ends and the keys are forgotten. Over SSH,
/// forward the port (`ssh -L N:127.0.0.1:N`, with --port N) and open the address here. Not for diagnosis.
#[derive(Debug, Args)]
pub(crate) struct AppArgs {
    /// The port on 127.0.0.1 [default: a free one]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Print the address, and open no browser
    #[arg(long)]
    no_open: bool,
}

impl AppArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let home = Home::open(&context.home_dir()?)?;
        let contacts = contacts::read(context.ui, &home.contacts_dir())?;
        let overrides = context.overrides_in(&home)?;
        let (home, keys) = context.unlock(home).await?;
        let note = home.dir().join(NOTE);
        let session = Session::open(home)?.with_overrides(overrides);
        let mut limits = context.limits();
        if !context.waits_as_said() {
            limits.fetch = WAIT;
        }
        let mut session = session.with_limits(limits);
        session.deployment()?;
        let server = serve_beside(&mut session).await?;
        let app = App::bind(session.with_keys(keys), contacts, self.port, IDLE).await?;
        let address = app.address();
        context
            .ui
            .result(&json!({ "address": address }), &format!("{address}\n"))?;
        let opened = (!self.no_open).then(|| Opened::new(&note, &address));
        let mut stop = Stop::listen();
        let ended = app.serve(async move { stop.asked().await }).await;
        drop((server, opened));
        if ended? == Ended::Idle {
            context
                .ui
                .note("an hour without use: the screen ended and the keys are forgotten; `pcim app` starts it again");
        }
        Ok(())
    }
}

/// A file of the owner's alone through which the browser comes to the address: what a program is started with, others on the
/// machine can read. It goes when it is dropped.
struct Opened(PathBuf);

impl Opened {
    fn new(note: &Path, address: &str) -> Self {
        let page = format!(
            "<!DOCTYPE html><title>PCIM</title><meta http-equiv=\"refresh\" content=\"0; url={address}\"><a href=\"{address}\">PCIM</a>"
        );
        let made = std::fs::remove_file(note).or(Ok(()));
        let made = made.and_then(|()| private::create_new(note));
        if made
            .and_then(|mut file| file.write_all(page.as_bytes()))
            .is_ok()
        {
            let opener = match cfg!(target_os = "macos") {
                true => "open",
                false => "xdg-open",
            };
            let mut command = Command::new(opener);
            command.arg(note).stdin(Stdio::null());
            // Without a browser the printed address remains.
            let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        }
        Self(note.to_owned())
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
