//! A program's run: a command, its end by an interrupt, and the exit code.

use std::process::ExitCode;

use pcim_core::hint::Hints;

use crate::failure::{Failure, Interrupted};
use crate::ui::Ui;

/// Runs a command to its end, or until an interrupt if it `is_cut`, and writes its error.
///
/// `hint` gives the hints for the errors that the program alone has.
pub fn run(
    ui: Ui,
    hint: fn(&anyhow::Error) -> Option<Hints>,
    is_cut: bool,
    command: impl Future<Output = anyhow::Result<()>>,
) -> ExitCode {
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
