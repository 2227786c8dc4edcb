//! Builds the contract. With no option, into `target/contract-wasm`; `--release-artifact` into
//! `contract/artifacts`; `--check` only says whether the release artifact is what the sources make.

use std::{env, error::Error, path::Path, process::ExitCode};

use pcim_deploy::{
    artifact::{MAX_CODE_BYTES, is_current, manifest},
    build::{build_contract, target_directory},
};

const USAGE: &str = "usage: build-contract [--check | --release-artifact]";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let done = match arguments.as_slice() {
        [] => build(&workspace, &target_directory(&workspace)),
        ["--release-artifact"] => build(&workspace, &workspace.join("contract/artifacts")),
        ["--check"] => check(&workspace),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  caused by: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn build(workspace: &Path, out: &Path) -> Result<bool, Box<dyn Error>> {
    let built = build_contract(workspace, out)?;
    let manifest = built.manifest;
    let how = if built.compiled {
        "compiled"
    } else {
        "unchanged"
    };
    println!("{} ({how})", out.join("pcac.wasm").display());
    println!(
        "  {} bytes, {} of {MAX_CODE_BYTES} as code",
        manifest.wasm_bytes, manifest.code_bytes
    );
    println!("  sha256 {}", manifest.sha256);
    let std = if manifest.std_rebuilt {
        "std rebuilt"
    } else {
        "std as shipped"
    };
    println!(
        "  {}, {std}, {}",
        manifest.compiler,
        manifest.wasm_opt.as_deref().unwrap_or("no wasm-opt")
    );
    Ok(true)
}

fn check(workspace: &Path) -> Result<bool, Box<dyn Error>> {
    let current = is_current(&manifest()?, workspace)?;
    if current {
        println!("contract/artifacts is what the sources make");
    } else {
        eprintln!(
            "contract/artifacts is not what the sources make; run `cargo contract --release-artifact`"
        );
    }
    Ok(current)
}
