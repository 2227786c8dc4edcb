//! A program's run: a command, its end by an interrupt, and the exit code.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
use nix::sys::prctl::set_dumpable;
use pcim_core::hint::Hints;

use crate::failure::{Failure, Interrupted};
use crate::ui::Ui;
use crate::warnings::Warnings;

/// Runs a command to its end, or until an interrupt if it `is_cut`, and writes its error.
///
/// `hint` gives the hints for the errors that the program alone has.
pub fn run(
    ui: Ui,
    hint: fn(&anyhow::Error) -> Option<Hints>,
    is_cut: bool,
    command: impl Future<Output = anyhow::Result<()>>,
) -> ExitCode {
    keep_out_of_dumps(ui);
    // Another one can only be there if a program set it for itself.
    let _ = tracing::subscriber::set_global_default(Warnings(ui));
    let fail = |error: &anyhow::Error| Failure::of(error).with_hints(hint(error)).tell(ui);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let result = runtime.block_on(async {
        tokio::select! {
            result = command => result,
            () = interrupted(), if is_cut => Err(Interrupted.into()),
        }
    });
    // Waits for work on other threads, so that no temporary file stays behind.
    drop(runtime);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Has the system write no core file of this process, and let no other process of the user look into its memory.
fn keep_out_of_dumps(ui: Ui) {
    #[cfg(unix)]
    if let Err(error) = rlimit::setrlimit(rlimit::Resource::CORE, 0, 0) {
        ui.note(&format!("note: core files cannot be switched off: {error}"));
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = set_dumpable(false) {
        ui.note(&format!(
            "note: memory dumps cannot be switched off: {error}"
        ));
    }
}

/// Returns when the user or the system asks the program to end.
pub async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without signals the program cannot be asked.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
