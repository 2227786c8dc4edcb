//! The reference node `anvil`, where there is one.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// Names the program to use.
pub(crate) const VARIABLE: &str = "STYLUS_DEVNET_ANVIL";

/// A running anvil; dropping it ends it.
pub(crate) struct Anvil {
    child: Child,
    pub(crate) url: String,
}

impl Anvil {
    /// Starts what [`VARIABLE`] names, else the `anvil` in the search path. `None`: there is none.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        let named = env::var_os(VARIABLE).map(PathBuf::from);
        let program = named.clone().or_else(|| {
            let path = env::var_os("PATH")?;
            env::split_paths(&path)
                .map(|dir| dir.join("anvil"))
                .find(|file| file.is_file())
        });
        let Some(program) = program else {
            println!("skipped: no anvil in the search path and {VARIABLE} is not set");
            return None;
        };
        let mut child = Command::new(&program)
            .args(["--port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("Listening on ").map(str::to_owned))
            .expect("anvil says where it listens");
        // It writes on; a full pipe would stop it.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Some(Self {
            child,
            url: format!("http://{}", address.trim()),
        })
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}
impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
