//! Output of the demo: a timeline as it happens, or one JSON document at the end.

use std::path::Path;
use std::time::{Duration, Instant};

use pcim_client::Written;
use pcim_core::{Address, B256, LoggedEvent};
use serde::Serialize;

use pcim_terminal::ui::Ui;

/// Gathers steps and times.
pub(super) struct Timeline {
    ui: Ui,
    image: String,
    started: Instant,
    /// When the step that is next to be told began.
    since: Instant,
    steps: Vec<Step>,
    times: Vec<Time>,
}

/// One thing that an actor did.
#[derive(Debug, Serialize)]
struct Step {
    actor: &'static str,
    action: String,
    tx: Option<B256>,
    gas_used: Option<u64>,
    millis: u64,
    events: Vec<LoggedEvent>,
}

/// Where the time went; for people only.
struct Time {
    what: &'static str,
    millis: u64,
}

/// The JSON document.
#[derive(Debug, Serialize)]
struct Document {
    chain_id: u64,
    contract: Address,
    image: String,
    image_digest: String,
    original_sha256: String,
    opened_sha256: String,
    steps: Vec<Step>,
}

/// The end of the story.
pub(super) struct Ending {
    pub(super) chain_id: u64,
    pub(super) contract: Address,
    /// `0x` and 64 hex digits, as the chain has it.
    pub(super) image_digest: String,
    pub(super) original_sha256: String,
    pub(super) opened_sha256: String,
}

/// What went to the chain in a step, if anything.
#[derive(Default)]
pub(super) struct OnChain {
    pub(super) tx: Option<B256>,
    pub(super) gas_used: Option<u64>,
    pub(super) events: Vec<LoggedEvent>,
}

impl From<&Written> for OnChain {
    fn from(written: &Written) -> Self {
        Self {
            tx: Some(written.mined.tx),
            gas_used: Some(written.mined.gas_used),
            events: written.mined.events.clone(),
        }
    }
}

impl Timeline {
    pub(super) fn new(ui: Ui, image: String, started: Instant) -> Self {
        Self {
            ui,
            image,
            started,
            since: started,
            steps: Vec::new(),
            times: Vec::new(),
        }
    }

    /// Tells a step that has just ended; `detail` is for people only.
    pub(super) fn step(
        &mut self,
        actor: &'static str,
        action: impl Into<String>,
        on_chain: OnChain,
        detail: &str,
    ) -> anyhow::Result<()> {
        let action = action.into();
        let millis = millis(self.since.elapsed());
        if self.steps.is_empty() {
            self.ui.line(&format!(
                "{:<12} {:<34} {:<14} {:>9} {:>6}  {}",
                "who", "what", "transaction", "gas", "ms", "events"
            ))?;
        }
        let tx = on_chain.tx.map_or(String::new(), |tx| {
            let text = tx.to_string();
            format!("{}…{}", &text[..8], &text[text.len() - 4..])
        });
        let gas = on_chain
            .gas_used
            .map_or(String::new(), |gas| gas.to_string());
        let mut said: Vec<_> = on_chain.events.iter().map(event_name).collect();
        said.extend((!detail.is_empty()).then(|| detail.to_owned()));
        self.ui.line(
            format!(
                "{actor:<12} {action:<34} {tx:<14} {gas:>9} {millis:>6}  {}",
                said.join(", ")
            )
            .trim_end(),
        )?;
        self.steps.push(Step {
            actor,
            action,
            tx: on_chain.tx,
            gas_used: on_chain.gas_used,
            millis,
            events: on_chain.events,
        });
        self.since = Instant::now();
        Ok(())
    }

    /// Notes how long something took that is no step of the story.
    pub(super) fn time(&mut self, what: &'static str, spent: Duration) {
        self.times.push(Time {
            what,
            millis: millis(spent),
        });
        self.since = Instant::now();
    }

    /// Ends the demo.
    pub(super) fn finish(mut self, told: Ending, kept: Option<&Path>) -> anyhow::Result<()> {
        let steps = self.steps.iter().map(|step| step.millis).sum();
        self.times.push(Time {
            what: "the steps above",
            millis: steps,
        });
        let total = millis(self.started.elapsed());
        let counted: u64 = self.times.iter().map(|time| time.millis).sum();
        self.times.push(Time {
            what: "everything else",
            millis: total.saturating_sub(counted),
        });
        let mut text = format!(
            "\nchain {}  contract {}\nimage {}  ({})\noriginal sha-256  {}\nopened sha-256    {}{}\n\nwhere the time went ({total} ms)\n",
            told.chain_id,
            told.contract,
            told.image_digest,
            self.image,
            told.original_sha256,
            told.opened_sha256,
            match told.original_sha256 == told.opened_sha256 {
                true => "  equal",
                false => "  de-identified",
            }
        );
        for time in &self.times {
            text.push_str(&format!("{:>7} ms  {}\n", time.millis, time.what));
        }
        if let Some(dir) = kept {
            text.push_str(&format!("\nkept in {}\n", dir.display()));
        }
        let document = Document {
            chain_id: told.chain_id,
            contract: told.contract,
            image: self.image,
            image_digest: told.image_digest,
            original_sha256: told.original_sha256,
            opened_sha256: told.opened_sha256,
            steps: self.steps,
        };
        self.ui.result(&document, &text)
    }
}

fn event_name(logged: &LoggedEvent) -> String {
    serde_json::to_value(&logged.event)
        .ok()
        .and_then(|value| Some(value.get("event")?.as_str()?.to_owned()))
        .unwrap_or_default()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
