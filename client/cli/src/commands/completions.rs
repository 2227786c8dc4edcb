//! `pcim completions`, and the hidden command that the shells ask

use clap::{Arg, Args, Command, ValueEnum};
use pcim_client::home::SETTINGS;
use serde_json::json;

use crate::context::Context;
use crate::names;

/// Print a script that completes commands, options, names and ids in a shell
///
/// Put it where the shell reads such scripts: bash `~/.local/share/bash-completion/completions/pcim`, zsh a file `_pcim` in a folder of
/// `$fpath`, fish `~/.config/fish/completions/pcim.fish`. The names of contacts, networks and settings and the ids of images are
/// those of the home that the command line is about.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// A shell that is known here.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// The words of a command line, the last of which is not whole.
#[derive(Debug, Args)]
pub(crate) struct CompleteArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

const BASH: &str = r#"_pcim() {
    local IFS=$'\n'
    COMPREPLY=($(pcim complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _pcim pcim
"#;
const ZSH: &str = r#"#compdef pcim
_pcim() {
    local -a found
    found=("${(@f)$(pcim complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n $found[1] ]]; then compadd -a found; else _files; fi
}
compdef _pcim pcim
"#;
const FISH: &str = "complete -c pcim -a '(pcim complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'\n";

impl CompletionsArgs {
    pub(crate) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let script = match self.shell {
            Shell::Bash => BASH,
            Shell::Zsh => ZSH,
            Shell::Fish => FISH,
        };
        context.ui.result(&json!({ "script": script }), script)
    }
}

impl CompleteArgs {
    pub(crate) fn run(&self, context: &Context, mut root: Command) -> anyhow::Result<()> {
        root.build();
        let found = candidates(&root, &self.words);
        context.ui.result(&found, &found.join("\n"))
    }
}

/// The words that the last one may become.
pub(crate) fn candidates(root: &Command, words: &[String]) -> Vec<String> {
    let Some((current, before)) = words.split_last() else {
        return Vec::new();
    };
    let (mut command, mut place) = (root, 0);
    // The option whose value comes next.
    let mut open: Option<&Arg> = None;
    for word in before {
        if open.take().is_some() {
            continue;
        }
        if let Some(name) = word.strip_prefix("--") {
            let named = command
                .get_arguments()
                .find(|arg| arg.get_long() == Some(name));
            open = named.filter(|arg| arg.get_action().takes_values());
        } else if let Some(sub) = command.find_subcommand(word) {
            (command, place) = (sub, 0);
        } else if !word.starts_with('-') {
            place += 1;
        }
    }
    let mut found = match open {
        Some(option) => values(option),
        None if current.starts_with('-') => {
            let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
            let long = shown.filter_map(Arg::get_long);
            long.map(|name| format!("--{name}")).collect()
        }
        None => {
            let subs = command.get_subcommands().filter(|sub| !sub.is_hide_set());
            let mut found: Vec<_> = subs.map(|sub| sub.get_name().to_owned()).collect();
            let mut positionals = command.get_positionals();
            let many = command.get_positionals().last();
            found.extend(
                positionals
                    .nth(place)
                    .or(many)
                    .map(values)
                    .unwrap_or_default(),
            );
            found
        }
    };
    found.retain(|word| word.starts_with(current.as_str()));
    found.sort();
    found.dedup();
    found
}

/// Values that an argument may have, as far as they are known. Paths are the shell's own business.
fn values(arg: &Arg) -> Vec<String> {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let names = possible.iter().filter(|value| !value.is_hide_set());
        return names.map(|value| value.get_name().to_owned()).collect();
    }
    let kinds = arg.get_value_names().unwrap_or_default();
    let is = |wanted: &str| {
        kinds
            .iter()
            .any(|kind| kind.split(['|', ' ']).any(|it| it == wanted))
    };
    let mut found = Vec::new();
    if is("IMAGE") || is("DIGEST") || arg.get_id() == "image" {
        found.extend(names::images());
    }
    if is("CARD") || is("ADDRESS") || is("REQUESTOR") {
        found.extend(names::contacts().into_iter().map(|(name, _)| name));
    }
    if is("NETWORK") || arg.get_id() == "network" {
        found.extend(names::networks());
    }
    if is("SETTING") {
        found.extend(SETTINGS.iter().map(|setting| setting.name.to_owned()));
    }
    found
}
