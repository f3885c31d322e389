//! What the operating system lets this process have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files besides connections of agents: the database, listeners, people's connections.
const OTHERS: usize = 1_000;

/// Lets this process open as many files as it may, and warns when that is less than the connections it is to take. Many
/// systems start with 1,024, for the sake of programs that this one is not.
pub fn raise_files(connections: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: maximum,
                maximum,
            },
        )
    {
        tracing::warn!(error = %error, "The limit of open files cannot be raised");
    }
    let wanted = u64::try_from(connections.saturating_add(OTHERS)).unwrap_or(u64::MAX);
    let allowed = getrlimit(Resource::Nofile).current;
    if allowed.is_some_and(|allowed| allowed < wanted) {
        tracing::info!(
            files = allowed,
            agents.connections = connections,
            "This process may open fewer files than it may have connections of agents: raise LimitNOFILE (systemd) or \
             ulimit -n for more agents"
        );
    }
}
