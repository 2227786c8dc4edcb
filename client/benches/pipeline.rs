//! `cargo bench`: the figures of `pcim-dev bench`. Arguments after `--`: `study`, `large`, and a number of runs.

use std::env;

use pcim_client::bench::{self, Plan};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let plan = Plan {
        dir: env::current_dir()?,
        runs: arguments
            .iter()
            .find_map(|word| word.parse().ok())
            .unwrap_or(5),
        study: has("study"),
        large: has("large"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(bench::run(&plan, |what| eprintln!("measuring {what}")))?;
    print!("{report}");
    Ok(())
}
