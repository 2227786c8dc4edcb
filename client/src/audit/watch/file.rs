//! The rules file: TOML, read once, every mistake reported with its rule.

use serde::Deserialize;

/// Most bytes of a rules file.
pub const MAX_RULES_BYTES: usize = 256 * 1024;
/// Most rules.
pub const MAX_RULES: usize = 256;
/// Most requests that one rule counts.
const MAX_COUNT: u32 = 10_000;
/// How long a command may run unless the rule says otherwise, in seconds.
const COMMAND_SECONDS: u64 = 30;
/// The longest that a rule may let a command run, in seconds.
const MAX_COMMAND_SECONDS: u64 = 3600;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The user's name for it.
    pub name: String,
    /// When it speaks.
    pub when: When,
    /// The owner of the images that it is about.
    pub scope: Scope,
    /// The action.
    pub action: Action,
}

/// When a rule speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// An event happened; one of these names, or any if there are none.
    Event(Vec<String>),
    /// One address asked this often within a number of seconds.
    ManyRequests {
        /// How often.
        count: u32,
        /// Seconds of the chain's clock.
        within: u64,
    },
    /// A requestor was found not authorized, or authorized although the access had been removed.
    UseAfterEnd,
    /// An image's approvals reached their limit.
    LimitReached,
    /// An image that this home knows as one patient's was registered by another.
    RegisteredByAnother,
    /// The consortium handed its role over.
    ConsortiumChanged,
    /// The contract's program expires within a number of seconds.
    ProgramNearExpiry {
        /// Seconds.
        within: u64,
    },
}

/// The owner of the images that a rule is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Images of this home, and requests and rights of its own.
    #[default]
    Mine,
    /// Everything on the contract.
    All,
}

/// The action of a rule that speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Tell it on standard output, or in the output file.
    pub print: bool,
    /// A program and its arguments, without a shell; empty for none.
    pub run: Vec<String>,
    /// How long it may take, in seconds.
    pub limit_seconds: u64,
    /// Take the requestor's access to the image away.
    pub revoke: bool,
}

/// Why a rules file is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Larger than [`MAX_RULES_BYTES`].
    #[error("rules of {found} bytes; at most {MAX_RULES_BYTES} are read")]
    TooLarge {
        /// Its bytes.
        found: usize,
    },
    /// Not text, not TOML, or not rules.
    #[error("not a rules file: {0}")]
    Format(String),
    /// None, or more than [`MAX_RULES`].
    #[error("{found} rules; wanted 1 to {MAX_RULES}")]
    Number {
        /// How many there are.
        found: usize,
    },
    /// A rule that makes no sense.
    #[error("rule `{rule}`: {reason}")]
    Rule {
        /// Its name.
        rule: String,
        /// The fault.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    rule: Vec<Raw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    when: String,
    #[serde(default)]
    of: Scope,
    events: Option<Vec<String>>,
    count: Option<u32>,
    within: Option<String>,
    print: Option<bool>,
    #[serde(default)]
    run: Vec<String>,
    time_limit: Option<String>,
    #[serde(default)]
    revoke: bool,
}

impl Rule {
    /// Reads a rules file.
    ///
    /// # Errors
    /// [`Error`], which names the first mistake.
    pub fn read_all(bytes: &[u8]) -> Result<Vec<Self>, Error> {
        if bytes.len() > MAX_RULES_BYTES {
            return Err(Error::TooLarge { found: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|e| Error::Format(e.to_string()))?;
        let document: Document = toml::from_str(text).map_err(|e| Error::Format(e.to_string()))?;
        let found = document.rule.len();
        if found == 0 || found > MAX_RULES {
            return Err(Error::Number { found });
        }
        let mut rules: Vec<Self> = Vec::with_capacity(found);
        for raw in document.rule {
            let rule = raw.name.clone();
            if rules.iter().any(|other| other.name == rule) {
                let reason = "there is another rule of this name".to_owned();
                return Err(Error::Rule { rule, reason });
            }
            rules.push(raw.check().map_err(|reason| Error::Rule { rule, reason })?);
        }
        Ok(rules)
    }
}

impl Raw {
    fn check(self) -> Result<Rule, String> {
        if self.name.is_empty() || self.name.len() > 100 || self.name.chars().any(char::is_control)
        {
            return Err("a name has 1 to 100 bytes and no control characters".to_owned());
        }
        let within = self.within.as_deref().map(seconds).transpose()?;
        let takes = |field: &str, given: bool, wanted: bool| match (given, wanted) {
            (true, false) => Err(format!("`{}` takes no `{field}`", self.when)),
            (false, true) => Err(format!("`{}` needs `{field}`", self.when)),
            _ => Ok(()),
        };
        let when = self.when.as_str();
        takes("count", self.count.is_some(), when == "many-requests")?;
        takes(
            "within",
            within.is_some(),
            matches!(when, "many-requests" | "program-near-expiry"),
        )?;
        if self.events.is_some() && when != "event" {
            return Err(format!("`{when}` takes no `events`"));
        }
        let (count, within) = (self.count.unwrap_or_default(), within.unwrap_or_default());
        let when = match when {
            "event" => When::Event(self.events.unwrap_or_default()),
            "many-requests" if (1..=MAX_COUNT).contains(&count) => {
                When::ManyRequests { count, within }
            }
            "many-requests" => return Err(format!("`count` is {count}; wanted 1 to {MAX_COUNT}")),
            "use-after-end" => When::UseAfterEnd,
            "limit-reached" => When::LimitReached,
            "registered-by-another" => When::RegisteredByAnother,
            "consortium-changed" => When::ConsortiumChanged,
            "program-near-expiry" => When::ProgramNearExpiry { within },
            other => {
                return Err(format!(
                    "`when` is `{other}`; wanted event, many-requests, use-after-end, limit-reached, \
                     registered-by-another, consortium-changed or program-near-expiry"
                ));
            }
        };
        if let When::Event(names) = &when
            && let Some(unknown) = names.iter().find(|name| !EVENTS.contains(&name.as_str()))
        {
            return Err(format!("the contract has no event `{unknown}`"));
        }
        let names_somebody = matches!(
            when,
            When::Event(_) | When::ManyRequests { .. } | When::UseAfterEnd
        );
        if self.revoke && (!names_somebody || self.of == Scope::All) {
            return Err("only rules about requestors of one's own images can revoke".to_owned());
        }
        let limit_seconds = self.time_limit.as_deref().map(seconds).transpose()?;
        if limit_seconds.is_some_and(|limit| limit > MAX_COMMAND_SECONDS) {
            return Err("`time_limit` is more than an hour".to_owned());
        }
        if limit_seconds.is_some() && self.run.is_empty() {
            return Err("`time_limit` is for `run`".to_owned());
        }
        if self.run.first().is_some_and(String::is_empty)
            || self.run.iter().any(|it| it.contains('\0'))
        {
            return Err("`run` is a program and its arguments".to_owned());
        }
        Ok(Rule {
            name: self.name,
            when,
            scope: self.of,
            action: Action {
                print: self.print.unwrap_or(true),
                run: self.run,
                limit_seconds: limit_seconds.unwrap_or(COMMAND_SECONDS),
                revoke: self.revoke,
            },
        })
    }
}

/// The rules' name for a log that is none of the known events.
pub(super) const UNKNOWN: &str = "Unknown";

/// The names of the contract's events.
const EVENTS: [&str; 22] = [
    UNKNOWN,
    "ContractCreated",
    "RequestedForApproval",
    "Requestaccepted",
    "Approved",
    "Requestdenied",
    "Reason",
    "AuthorizationSuccess",
    "AuthorizationFailed",
    "UserRemoved",
    "Reshared",
    "ImageResealed",
    "ApprovalLimitSet",
    "RadiologistAccredited",
    "ConsortiumTransferred",
    "ConsortiumOffered",
    "ImageImported",
    "ImageFlagged",
    "EmergencyOpened",
    "Acted",
    "AccountChanged",
    "AccountMoved",
];

/// `90s`, `45m`, `12h`, `30d`.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a length of time such as 90s, 45m, 12h or 30d");
    let factor = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    match number {
        0 => Err(wrong()),
        number => Ok(u64::from(number) * factor),
    }
}
