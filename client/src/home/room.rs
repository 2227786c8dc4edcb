//! How much room there is for a home.

use super::{Home, Result, io_at};

impl Home {
    /// Tells how many bytes its file system has left for it; `None` where the system does not tell.
    ///
    /// # Errors
    /// [`super::Error::Io`]
    pub fn free_bytes(&self) -> Result<Option<u64>> {
        #[cfg(target_os = "linux")]
        {
            let found = rustix::fs::statvfs(&self.dir).map_err(std::io::Error::from);
            let found = found.map_err(io_at(&self.dir))?;
            Ok(Some(found.f_bavail.saturating_mul(found.f_frsize)))
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = io_at;
            Ok(None)
        }
    }
}
