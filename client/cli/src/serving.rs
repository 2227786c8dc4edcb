//! A node that serves the home's other commands while a long one runs.

use std::time::Duration;

use pcim_client::{Error, Session};

/// How old blocks that nothing pins must be before another process of the home may have them deleted.
const GRACE: Duration = Duration::from_secs(3600);

/// Starts the home's node and serves others with it, unless the home's daemon runs and does. Other processes may open the home
/// from now on.
pub(crate) async fn serve_beside(
    session: &mut Session,
) -> anyhow::Result<Option<pcim_node::Server>> {
    match session.serve(GRACE).await {
        Ok(server) => Ok(server),
        Err(Error::Node(pcim_node::Error::RepoLocked { .. })) => {
            session.node().await?;
            session.let_others_in();
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
