//! What the server spends on connections at most.

use std::time::Duration;

use super::super::client_address::TrustedProxies;

/// What is left of the file descriptors for the database, log files and outgoing calls.
const OTHER_DESCRIPTORS: u64 = 128;
/// Used where the system does not say how many descriptors there are.
const FALLBACK_DESCRIPTORS: u64 = 1_024;
/// More connections than this need a number in the config.
const MAX_DEFAULT_CONNECTIONS: u64 = 100_000;

/// What the server spends on connections at most.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How many connections are open at once. Beyond it the one that was idle for longest is closed for a new one.
    pub max_connections: usize,
    /// The same from one address, IPv6 by /64; [`trusted_proxies`](Self::trusted_proxies) are exempt.
    pub max_connections_per_address: usize,
    /// Whose connections are many people's.
    pub trusted_proxies: TrustedProxies,
    /// How long a client may read nothing of what it has asked for.
    pub stall_timeout: Duration,
    /// How long a connection may be without a request: before its first, and between two.
    pub idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self::of_descriptors(FALLBACK_DESCRIPTORS)
    }
}

impl Limits {
    /// Raises the process's soft limit of file descriptors to the hard one, and takes as many connections as that has room
    /// for.
    pub fn of_process() -> Self {
        let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
            tracing::warn!(error = %error, "the limit of open files cannot be raised");
            FALLBACK_DESCRIPTORS
        });
        Self::of_descriptors(descriptors)
    }

    fn of_descriptors(descriptors: u64) -> Self {
        let connections = descriptors.saturating_sub(OTHER_DESCRIPTORS).clamp(16, MAX_DEFAULT_CONNECTIONS);
        let max_connections = usize::try_from(connections).unwrap_or(usize::MAX);
        Self {
            max_connections,
            max_connections_per_address: (max_connections / 2).max(1),
            trusted_proxies: TrustedProxies::default(),
            stall_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(30),
        }
    }
}
