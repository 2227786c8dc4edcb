//! Behind `cargo demo` and `cargo verify`: checks for the tools that building the dependencies needs, names the
//! package of a missing one, then hands over to cargo and says where the time went. Depends on nothing, so that it
//! is there a second after `git clone`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// A tool, why it is needed, and what to install on Debian or Ubuntu, Fedora, and macOS.
struct Tool {
    name: &'static str,
    present: fn() -> bool,
    needed_for: &'static str,
    packages: &'static str,
}

const TOOLS: [Tool; 5] = [
    Tool {
        name: "a C compiler (cc)",
        present: || runs("cc", "--version"),
        needed_for: "OpenSSL and SQLite, which are compiled from source",
        packages: "apt: build-essential, dnf: gcc, macOS: xcode-select --install",
    },
    Tool {
        name: "a C++ compiler (c++)",
        present: || runs("c++", "--version"),
        needed_for: "native parts of the dependencies",
        packages: "apt: build-essential, dnf: gcc-c++, macOS: xcode-select --install",
    },
    Tool {
        name: "perl",
        present: || runs("perl", "-v"),
        needed_for: "OpenSSL's configure script",
        packages: "apt: perl, dnf: perl, macOS: comes with the system",
    },
    Tool {
        name: "make",
        present: || runs("make", "--version"),
        needed_for: "OpenSSL's build",
        packages: "apt: make, dnf: make, macOS: xcode-select --install",
    },
    Tool {
        name: "libclang",
        present: has_libclang,
        needed_for: "the bindings of the OpenSSL backend of sequoia-openpgp",
        packages: "apt: libclang-dev, dnf: clang-devel, macOS: xcode-select --install; or set LIBCLANG_PATH",
    },
];

const USAGE: &str =
    "usage: cargo demo [OPTIONS of pcim-dev demo] | cargo verify [OPTIONS of cargo test]";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let task = arguments.next();
    let rest: Vec<String> = arguments.collect();

    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !(tool.present)()).collect();
    for tool in &missing {
        eprintln!(
            "error: {} is missing; it is needed for {}",
            tool.name, tool.needed_for
        );
        eprintln!("hint: install it ({})", tool.packages);
    }
    if !missing.is_empty() {
        return ExitCode::FAILURE;
    }

    match task.as_deref() {
        Some("demo") => demo(&rest),
        Some("verify") => finish(cargo(&["test"]).args(rest)),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// What the demo is built of: by package, so that it does not wait for what `pcim` alone needs (text detection, rarer codecs).
/// With the contract beside it the macros have the features that the tests want of them, and are compiled once for both.
const DEMO: [&str; 7] = [
    "build",
    "--package",
    "pcim-dev",
    "--package",
    "pcim-contract",
    "--bin",
    "pcim-dev",
];

/// Builds `pcim-dev`, then runs its demo; prints the two times on stderr.
fn demo(arguments: &[String]) -> ExitCode {
    let started = Instant::now();
    let built = finish(&mut cargo(&DEMO));
    let build = started.elapsed();
    if built != ExitCode::SUCCESS {
        return built;
    }
    let started = Instant::now();
    let program = match env::current_exe() {
        Ok(own) => own
            .with_file_name("pcim-dev")
            .with_extension(env::consts::EXE_EXTENSION),
        Err(error) => {
            eprintln!("error: the path of this program is not known: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ran = finish(Command::new(program).arg("demo").args(arguments));
    eprintln!(
        "build {}, demo {}",
        seconds(build),
        seconds(started.elapsed())
    );
    ran
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Cargo as the user would call it: without what `cargo run` tells this program about its own package, since build
/// scripts of dependencies watch those variables and would compile again.
fn cargo(arguments: &[&str]) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
        ]
        .iter()
        .any(|prefix| text.starts_with(prefix))
        {
            command.env_remove(&name);
        }
    }
    command
}

fn finish(command: &mut Command) -> ExitCode {
    match command.status() {
        Ok(status) => match status.code() {
            Some(code) => u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from),
            None => ExitCode::FAILURE,
        },
        Err(error) => {
            eprintln!(
                "error: {} did not start: {error}",
                command.get_program().display()
            );
            ExitCode::FAILURE
        }
    }
}

fn runs(program: &str, argument: &str) -> bool {
    Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Looks where bindgen looks: `LIBCLANG_PATH`, then `llvm-config`'s and the system's library folders.
fn has_libclang() -> bool {
    let mut folders: Vec<PathBuf> = env::var_os("LIBCLANG_PATH")
        .into_iter()
        .map(PathBuf::from)
        .collect();
    if let Ok(output) = Command::new("llvm-config").arg("--libdir").output() {
        folders.push(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    for fixed in [
        "/usr/lib",
        "/usr/lib64",
        "/usr/local/lib",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/opt/homebrew/opt/llvm/lib",
        "/Library/Developer/CommandLineTools/usr/lib",
        "/Applications/Xcode.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/lib",
    ] {
        folders.push(fixed.into());
    }
    // Debian and Fedora keep one folder a version: /usr/lib/llvm-14/lib, /usr/lib64/llvm18/lib.
    for parent in ["/usr/lib", "/usr/lib64"] {
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("llvm") {
                folders.push(entry.path().join("lib"));
            }
        }
    }
    folders.iter().any(|folder| holds_libclang(folder))
}

/// Whether a folder holds what bindgen loads. The library of the C++ interface, whose name begins alike, is another one.
fn holds_libclang(folder: &Path) -> bool {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| is_libclang(&entry.file_name().to_string_lossy()) && entry.path().is_file())
}

/// Whether this is a name of libclang: `libclang.so`, `libclang.so.1`, `libclang-14.so.1`, `libclang.dylib`.
fn is_libclang(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("libclang") else {
        return false;
    };
    let rest = match rest.strip_prefix('-') {
        Some(versioned) => {
            let end = versioned.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            // The dot before `so` is of the version's kind, too.
            let end = versioned.len() - end.len();
            let Some(version) = versioned[..end].strip_suffix('.') else {
                return false;
            };
            if version.is_empty() {
                return false;
            }
            &versioned[end - 1..]
        }
        None => rest,
    };
    rest == ".so" || rest.starts_with(".so.") || rest == ".dylib"
}

#[cfg(test)]
mod tests {
    use super::{holds_libclang, is_libclang};

    #[test]
    fn only_what_bindgen_loads_is_libclang() {
        for name in [
            "libclang.so",
            "libclang.so.1",
            "libclang.so.18.1",
            "libclang-14.so",
            "libclang-14.so.1",
            "libclang-14.0.6.so",
            "libclang-18.so.18",
            "libclang.dylib",
        ] {
            assert!(is_libclang(name), "{name}");
        }
        for name in [
            "libclang-cpp.so",
            "libclang-cpp.so.14",
            "libclang-cpp.dylib",
            "libclang-.so",
            "libclang-14",
            "libclang_rt.asan.so",
            "libclang.a",
            "libclangBasic.so",
            "libclang",
            "clang.so",
        ] {
            assert!(!is_libclang(name), "{name}");
        }
    }

    #[test]
    fn a_folder_with_the_other_library_alone_does_not_do() {
        let folder = std::env::temp_dir().join(format!("pcim-start-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        assert!(!holds_libclang(&folder));
        std::fs::write(folder.join("libclang-cpp.so.14"), "").expect("a file");
        std::fs::create_dir_all(folder.join("libclang.so")).expect("a folder");
        assert!(!holds_libclang(&folder));
        std::fs::write(folder.join("libclang-14.so.1"), "").expect("a file");
        assert!(holds_libclang(&folder));
        std::fs::remove_dir_all(&folder).expect("a folder that was made here");
        assert!(!holds_libclang(&folder));
    }
}
