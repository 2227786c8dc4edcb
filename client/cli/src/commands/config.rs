//! `pcim config`

use clap::{Args, Subcommand};
use pcim_client::home::{Config, Home, SETTINGS, Setting};
use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::Usage;
use crate::ui::printable;

/// The commands about settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    Get(GetArgs),
    List(ConfigListArgs),
    Set(SetArgs),
}

/// Print a setting of the home
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// Its name: see `pcim config list`; also `address`, the home's account
    #[arg(value_name = "SETTING")]
    name: String,
}

/// List every setting with its value and what it is for
#[derive(Debug, Args)]
pub(crate) struct ConfigListArgs {}

/// Change a setting: it is checked by its type, and the file is replaced in one step
///
/// A list takes several values. Without a value the setting gets its default, or none. A program that runs already (`pcim node`) takes it
/// at its next start.
#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// Its name: see `pcim config list`
    #[arg(value_name = "SETTING")]
    name: String,
    /// The value, or the values of a list
    value: Vec<String>,
}

impl ConfigCommand {
    pub(crate) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let home = Home::open(&context.home_dir()?)?;
        match self {
            Self::Get(args) => args.run(context, &home),
            Self::List(args) => args.run(context, &home),
            Self::Set(args) => args.run(context, &home),
        }
    }
}

fn of(name: &str) -> anyhow::Result<&'static Setting> {
    Setting::of(name).map_err(|error| {
        let near = SETTINGS
            .iter()
            .find(|setting| setting.name.contains(name) || name.contains(setting.name));
        let near = near.map_or(String::new(), |it| format!("; do you mean `{}`?", it.name));
        Usage(format!("{}{near}", printable(&error.to_string()))).into()
    })
}

/// The values of a setting as JSON: a list, one, or `null`.
fn value(setting: &Setting, config: &Config) -> Value {
    let mut values = config.get(setting);
    match setting.is_list() {
        true => json!(values),
        false => json!(values.pop()),
    }
}

impl GetArgs {
    fn run(&self, context: &Context, home: &Home) -> anyhow::Result<()> {
        if self.name == "address" {
            let address = home.address();
            return context.ui.result(&json!(address), &address.to_string());
        }
        let (setting, config) = (of(&self.name)?, home.config());
        let text: String = config
            .get(setting)
            .iter()
            .map(|value| format!("{}\n", printable(value)))
            .collect();
        context.ui.result(&value(setting, &config), &text)
    }
}

impl ConfigListArgs {
    fn run(&self, context: &Context, home: &Home) -> anyhow::Result<()> {
        let config = home.config();
        let mut all = serde_json::Map::new();
        let mut text = String::new();
        for setting in &SETTINGS {
            all.insert(setting.name.to_owned(), value(setting, &config));
            text.push_str(&format!("{:<22}  # {}\n", setting.name, setting.about));
            for value in config.get(setting) {
                text.push_str(&format!("    {}\n", printable(&value)));
            }
        }
        context.ui.result(&all, &text)
    }
}

impl SetArgs {
    fn run(&self, context: &Context, home: &Home) -> anyhow::Result<()> {
        let setting = of(&self.name)?;
        let changed = home.config().with(setting, &self.value);
        let changed = changed.map_err(|error| Usage(error.to_string()))?;
        let joined = match (setting.name, self.value.first()) {
            ("network", Some(name)) => home.network(name)?,
            _ => None,
        };
        match (joined, setting.name) {
            // Endpoints, chain and contract are those of its file then.
            (Some(file), _) => home.join_network(&file)?,
            (None, "network") if !self.value.is_empty() => {
                let name = self.value.concat();
                return Err(pcim_client::Error::UnknownNetwork { name }.into());
            }
            (None, _) => home.set_config(changed)?,
        }
        let config = home.config();
        let mut text = format!("{} ", setting.name);
        for value in config.get(setting) {
            text.push_str(&format!(" {}", printable(&value)));
        }
        context
            .ui
            .result(&json!({ setting.name: value(setting, &config) }), &text)
    }
}
