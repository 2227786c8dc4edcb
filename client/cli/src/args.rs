//! The command line: global options and the tree of commands.

use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};
use serde_json::json;

use crate::commands::account::custodian::CustodianCommand;
use crate::commands::account::emergency::EmergencyCommand;
use crate::commands::account::guardian::GuardianCommand;
use crate::commands::account::moves::AccountCommand;
use crate::commands::account::recover::RecoverCommand;
use crate::commands::account::signed::SignedCommand;
use crate::commands::{
    app, audit, backup, card, completions, config, consortium, deid, deploy, device, doctor,
    follower, gateway, init, invite, man, network, node, passphrase, patient, radiologist, relay,
    report, requestor, restore, resume, search, trace, unlock, view, visit, watch,
};
use crate::context::Context;
use crate::failure::OtherProgram;
use crate::global::Global;
use crate::version;

/// What each exit code means.
const EXIT_CODES: [(u8, &str); 4] = [
    (0, "done"),
    (
        1,
        "refused or failed: the error says why, the hint what to do",
    ),
    (2, "wrong usage: nothing was tried"),
    (
        4,
        "not authorized: the patient has not approved, has denied or removed the access, or it expired",
    ),
];

/// Medical images that belong to the patient.
///
/// A radiologist seals an image to its patient; the patient registers it on a chain and decides who
/// may open it; a requestor asks, fetches and opens. Images lie encrypted in IPFS, decisions on the
/// chain.
#[derive(Debug, Parser)]
#[command(
    name = "pcim",
    version,
    long_version = version::long(),
    propagate_version = true,
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 4 not authorized (see `pcim help exit-codes`)."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(init::InitArgs),
    /// Change the passphrase
    #[command(subcommand)]
    Passphrase(passphrase::PassphraseCommand),
    Unlock(unlock::UnlockArgs),
    Lock(unlock::LockArgs),
    #[command(hide = true)]
    Agent(unlock::AgentArgs),
    Card(card::CardArgs),
    Invite(invite::InviteArgs),
    Join(invite::JoinCodeArgs),
    /// Join networks, and sign the file of one
    #[command(subcommand)]
    Network(network::NetworkCommand),
    Doctor(doctor::DoctorArgs),
    /// Read and change the home's settings
    #[command(subcommand)]
    Config(config::ConfigCommand),
    Backup(Box<backup::BackupArgs>),
    Restore(restore::RestoreArgs),
    #[command(subcommand)]
    Device(device::DeviceCommand),
    Deid(deid::DeidArgs),
    View(view::ViewArgs),
    Visit(visit::VisitArgs),
    /// Seal images to patients
    #[command(subcommand)]
    Radiologist(radiologist::RadiologistCommand),
    /// Register images and decide who may open them
    #[command(subcommand)]
    Patient(patient::PatientCommand),
    /// Ask for images, fetch and open them
    #[command(subcommand)]
    Requestor(requestor::RequestorCommand),
    Trace(trace::TraceArgs),
    Audit(Box<audit::AuditArgs>),
    Search(search::SearchArgs),
    Resume(resume::ResumeArgs),
    /// Accredit radiologists
    #[command(subcommand)]
    Consortium(consortium::ConsortiumCommand),
    /// Show who acts for a patient, hand an account over, end or finish what is pending
    #[command(subcommand)]
    Account(AccountCommand),
    /// Have guardians hand a patient's account to this home's key
    #[command(subcommand)]
    Recover(RecoverCommand),
    /// Help a patient whose guardian you are
    #[command(subcommand)]
    Guardian(GuardianCommand),
    /// Keep shares of the keys of patients' images, for emergencies
    #[command(subcommand)]
    Custodian(CustodianCommand),
    /// Rehearse an emergency with your desk and custodians
    #[command(subcommand)]
    Emergency(EmergencyCommand),
    /// Give the key of a backup that you keep to a patient's new key
    #[command(subcommand)]
    Follower(follower::FollowerCommand),
    /// List and void calls that were signed here for others to send
    #[command(subcommand)]
    Signed(SignedCommand),
    Report(report::ReportArgs),
    Watch(watch::WatchArgs),
    Relay(relay::RelayArgs),
    Node(node::NodeArgs),
    Gateway(gateway::GatewayArgs),
    App(app::AppArgs),
    Deploy(deploy::DeployArgs),
    Completions(completions::CompletionsArgs),
    #[command(hide = true)]
    Complete(completions::CompleteArgs),
    Man(man::ManArgs),
    /// List the meaning of each exit code
    #[command(name = "exit-codes", long_about = exit_codes())]
    ExitCodes,
    /// The commands of `pcim-dev`
    #[command(
        name = "demo",
        aliases = ["gas", "bench", "devnet", "faucet"],
        hide = true,
        disable_help_flag = true,
        disable_version_flag = true
    )]
    InPcimDev {
        /// Whatever follows; not looked at
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<OsString>,
    },
}

impl Command {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Init(args) => args.run(context).await,
            Self::Passphrase(command) => command.run(context).await,
            Self::Unlock(args) => args.run(context).await,
            Self::Lock(args) => args.run(context).await,
            Self::Agent(args) => args.run(context).await,
            Self::Card(args) => args.run(context).await,
            Self::Invite(args) => args.run(context).await,
            Self::Join(args) => args.run(context).await,
            Self::Network(command) => command.run(context).await,
            Self::Config(command) => command.run(context),
            Self::Doctor(args) => args.run(context).await,
            Self::Backup(args) => args.run(context).await,
            Self::Restore(args) => args.run(context).await,
            Self::Device(command) => command.run(context).await,
            Self::Deid(args) => args.run(context).await,
            Self::View(args) => args.run(context).await,
            Self::Visit(args) => args.run(context).await,
            Self::Radiologist(command) => command.run(context).await,
            Self::Patient(command) => command.run(context).await,
            Self::Requestor(command) => command.run(context).await,
            Self::Trace(args) => args.run(context).await,
            Self::Audit(args) => args.run(context).await,
            Self::Search(args) => args.run(context).await,
            Self::Resume(args) => args.run(context).await,
            Self::Consortium(command) => command.run(context).await,
            Self::Account(command) => command.run(context).await,
            Self::Recover(command) => command.run(context).await,
            Self::Guardian(command) => command.run(context).await,
            Self::Custodian(command) => command.run(context).await,
            Self::Emergency(command) => command.run(context).await,
            Self::Follower(command) => command.run(context).await,
            Self::Signed(command) => command.run(context).await,
            Self::Report(args) => args.run(context).await,
            Self::Watch(args) => args.run(context).await,
            Self::Relay(args) => args.run(context).await,
            Self::Node(args) => args.run(context).await,
            Self::Gateway(args) => args.run(context).await,
            Self::App(args) => args.run(context).await,
            Self::Deploy(args) => args.run(context).await,
            Self::Completions(args) => args.run(context),
            Self::Complete(args) => args.run(context, Cli::command()),
            Self::Man(args) => args.run(context, Cli::command()),
            Self::InPcimDev { .. } => {
                let text =
                    "`demo`, `gas`, `bench`, `devnet` and `faucet` are commands of `pcim-dev`";
                Err(OtherProgram(text.to_owned()).into())
            }
            Self::ExitCodes => {
                let codes =
                    EXIT_CODES.map(|(code, meaning)| json!({ "code": code, "meaning": meaning }));
                context.ui.result(&codes, &exit_codes())
            }
        }
    }

    /// Says whether an interrupt is the ordinary end of the command.
    pub(crate) fn ends_on_interrupt(&self) -> bool {
        match self {
            Self::Node(args) => args.serves(),
            Self::Gateway(args) => args.serves(),
            Self::Relay(args) => args.serves(),
            other => matches!(other, Self::Watch(_) | Self::App(_)),
        }
    }
}

/// A line for each exit code.
fn exit_codes() -> String {
    let lines = EXIT_CODES.map(|(code, meaning)| format!("{code}  {meaning}"));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;
    use crate::commands::completions::candidates;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    fn found(line: &str) -> Vec<String> {
        let mut root = Cli::command();
        root.build();
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        candidates(&root, &words)
    }

    #[test]
    fn commands_options_and_their_values_are_completed() {
        assert_eq!(found("pat"), ["patient"]);
        assert_eq!(found("patient app"), ["approve"]);
        assert_eq!(found("--json patient app"), ["approve"]);
        assert_eq!(found("patient approve --exp"), ["--expires"]);
        assert_eq!(found("--home x completions "), ["bash", "fish", "zsh"]);
        assert_eq!(found("init --openpgp p"), ["pq"]);
        assert_eq!(found("config set node.d"), ["node.dht"]);
        assert!(
            found("compl").iter().all(|word| word == "completions"),
            "hidden ones are not shown"
        );
        assert!(
            found("patient nonsense ").is_empty()
                || found("patient nonsense ").contains(&"images".to_owned())
        );
        assert!(found("patient open --out ").is_empty());
    }

    /// An option of a command that has a common one's name takes the common one's value, in another type.
    #[test]
    fn no_command_has_an_option_of_the_name_of_a_common_one() {
        fn own(command: &clap::Command, path: &str, common: &[&str], found: &mut Vec<String>) {
            for option in command.get_arguments() {
                let id = option.get_id().as_str();
                if common.contains(&id) {
                    found.push(format!("{path} --{id}"));
                }
            }
            for below in command.get_subcommands() {
                own(
                    below,
                    &format!("{path} {}", below.get_name()),
                    common,
                    found,
                );
            }
        }
        let root = Cli::command();
        let common: Vec<_> = root
            .get_arguments()
            .filter(|it| it.is_global_set())
            .map(|it| it.get_id().as_str())
            .collect();
        assert!(common.contains(&"wait"));
        let mut found = Vec::new();
        for command in root.get_subcommands() {
            own(command, command.get_name(), &common, &mut found);
        }
        assert_eq!(found, Vec::<String>::new());
    }
}
