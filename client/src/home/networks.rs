//! The networks that a home knows: a network file each, in the folder `networks`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Config, Error, Home, Result, io_at};
use crate::papers::network::{MAX_NETWORK_BYTES, NetworkFile, is_name};
use pcim_core::private;

/// The folder of network files.
const NETWORKS: &str = "networks";
/// Most networks of a home.
const MAX_NETWORKS: usize = 64;

impl Home {
    fn network_path(&self, name: &str) -> PathBuf {
        self.dir.join(NETWORKS).join(format!("{name}.json"))
    }

    /// Reads the file of a network that the home knows by this name; `None` if it knows none.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Network`]
    pub fn network(&self, name: &str) -> Result<Option<NetworkFile>> {
        if !is_name(name) {
            return Ok(None);
        }
        let path = self.network_path(name);
        let json = match private::read_limited(&path, MAX_NETWORK_BYTES) {
            Ok(json) => json,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_at(&path)(error)),
        };
        let file = NetworkFile::read(&json).map_err(|source| Error::Network {
            path,
            source: Box::new(source),
        })?;
        Ok(Some(file))
    }

    /// Lists the names of the networks that the home knows, sorted.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn networks(&self) -> Result<Vec<String>> {
        Self::networks_in(&self.dir)
    }

    /// Lists the names of the networks that the home in `dir` knows, which need not be open.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn networks_in(dir: &Path) -> Result<Vec<String>> {
        let path = dir.join(NETWORKS);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_at(&path)(error)),
        };
        let mut names = Vec::new();
        for entry in entries.take(MAX_NETWORKS) {
            let file = entry.map_err(io_at(&path))?.file_name();
            let name = file.to_str().and_then(|file| file.strip_suffix(".json"));
            names.extend(name.filter(|name| is_name(name)).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Joins a network whose file was verified, or renews it, and makes it the home's own: its configuration names the network,
    /// and no endpoint, chain or contract beside it.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Network`]
    pub fn join_network(&self, file: &NetworkFile) -> Result<()> {
        let path = self.network_path(&file.name);
        let folder = self.dir.join(NETWORKS);
        let json = file.to_json().map_err(|source| Error::Network {
            path: path.clone(),
            source: Box::new(source),
        })?;
        if !folder.is_dir() {
            private::create_dir(&folder).map_err(io_at(&folder))?;
        }
        private::replace(&path, &json).map_err(io_at(&path))?;
        self.set_config(Config {
            network: Some(file.name.clone()),
            rpc_url: None,
            insecure_rpc: false,
            ws_url: None,
            chain_id: None,
            contract: None,
            ..Config::clone(&self.config())
        })
    }

    /// Forgets a network; false if the home did not know it. Its images stay.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn leave_network(&self, name: &str) -> Result<bool> {
        let config = self.config();
        if config.network.as_deref() == Some(name) {
            self.set_config(Config {
                network: None,
                ..Config::clone(&config)
            })?;
        }
        if !is_name(name) {
            return Ok(false);
        }
        let path = self.network_path(name);
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io_at(&path)(error)),
        }
    }
}
