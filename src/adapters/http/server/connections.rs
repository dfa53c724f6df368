//! All open connections, and which of them goes when there are too many.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{connection::Connection, limits::Limits};

/// How many connections beyond `max_connections` are taken, to be told so and to ask for the gateway's health.
const SURPLUS: usize = 32;
/// With more unsent bytes in all, the connection that has most of them is cut.
const MAX_UNSENT: usize = 256 << 20;

/// All open connections.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) limits: Limits,
    unsent: AtomicUsize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    all: HashMap<u64, Arc<Connection>>,
    by_address: HashMap<IpAddr, usize>,
}

/// The place of a connection among all. Given back when it is dropped: together with the socket.
#[derive(Debug)]
pub(super) struct Ticket {
    id: u64,
    pub(super) connection: Arc<Connection>,
    connections: Arc<Connections>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.connections.open().remove(self.id);
    }
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, unsent: AtomicUsize::new(0), open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from there; `None`: there is none, not even for saying so.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Ticket> {
        let address = network(peer);
        let mut open = self.open();
        let exempt = self.limits.trusted_proxies.trust(peer.to_canonical());
        let of_address = open.by_address.get(&address).copied().unwrap_or(0);
        let too_many_of_address = !exempt && of_address >= self.limits.max_connections_per_address;
        if too_many_of_address && open.close_idle(Some(address)) == 0 {
            tracing::debug!(client.address = %address, "a connection beyond max_connections_per_address was closed");
            return None;
        }
        let too_many = open.all.len() >= self.limits.max_connections;
        if too_many {
            open.close_idle(None);
            if open.all.len() >= self.limits.max_connections + SURPLUS {
                return None;
            }
        }
        let connection = Arc::new(Connection::new(address, too_many));
        open.next += 1;
        let id = open.next;
        open.all.insert(id, Arc::clone(&connection));
        *open.by_address.entry(address).or_default() += 1;
        drop(open);
        Some(Ticket { id, connection, connections: Arc::clone(self) })
    }

    /// Closes connections that are idle for longest; gives how many.
    pub(super) fn close_idle(&self) -> usize {
        self.open().close_idle(None)
    }

    /// Counts bytes that wait to be sent. If they are too many in all, whoever reads least goes.
    pub(super) fn add_unsent(&self, connection: &Connection, bytes: usize) {
        connection.add_unsent(bytes);
        let all = self.unsent.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if all <= MAX_UNSENT {
            return;
        }
        let open = self.open();
        let live = open.all.values().filter(|connection| !connection.cut.is_cancelled());
        if let Some(worst) = live.max_by_key(|connection| connection.unsent()) {
            tracing::warn!(client.address = %worst.address, unsent = worst.unsent(), "a client that does not read was cut off");
            worst.cut.cancel();
        }
    }

    pub(super) fn sub_unsent(&self, connection: &Connection, bytes: usize) {
        connection.sub_unsent(bytes);
        self.unsent.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Open {
    fn remove(&mut self, id: u64) {
        let Some(connection) = self.all.remove(&id) else { return };
        if let Some(count) = self.by_address.get_mut(&connection.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_address.remove(&connection.address);
            }
        }
    }

    /// Closes the hundredth part of all connections, or of one address's, that was idle for longest: in a flood, looking for
    /// them must not cost more than the flood.
    fn close_idle(&mut self, address: Option<IpAddr>) -> usize {
        let of_address = |connection: &&Arc<Connection>| address.is_none_or(|address| connection.address == address);
        let live = self.all.values().filter(of_address).filter(|connection| !connection.cut.is_cancelled());
        let mut idle: Vec<_> = live.filter_map(|connection| Some((connection.idle_since()?, connection))).collect();
        idle.sort_unstable_by_key(|(since, _)| *since);
        let few = (idle.len() / 100).max(1);
        idle.iter().take(few).map(|(_, connection)| connection.cut.cancel()).count()
    }
}

/// An address as connections are counted by it: a single host has all of an IPv6 /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(long) => IpAddr::V6(Ipv6Addr::from_bits(long.to_bits() & (u128::MAX << 64))),
        short @ IpAddr::V4(_) => short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(max: usize, per_address: usize) -> Arc<Connections> {
        let limits = Limits { max_connections: max, max_connections_per_address: per_address, ..Limits::default() };
        Arc::new(Connections::new(limits))
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[tokio::test]
    async fn the_longest_idle_connection_goes_for_a_new_one() {
        let all = connections(2, 2);
        let [first, second] = [1, 2].map(|last| all.admit(address(last)).unwrap());
        first.connection.begin();
        let third = all.admit(address(3)).unwrap();
        assert!(third.connection.surplus && second.connection.cut.is_cancelled());
        assert!(!first.connection.cut.is_cancelled(), "a request is under way on it");
        drop(second);
        drop(third);
        assert!(!all.admit(address(4)).unwrap().connection.surplus);
    }

    #[tokio::test]
    async fn one_address_does_not_take_every_place() {
        let all = connections(10, 2);
        let busy = [1, 1].map(|last| all.admit(address(last)).unwrap());
        for ticket in &busy {
            ticket.connection.begin();
        }
        assert!(all.admit(address(1)).is_none() && all.admit(address(2)).is_some());
        busy[0].connection.end();
        assert!(all.admit(address(1)).is_some(), "its idle one goes");
    }

    #[tokio::test]
    async fn surplus_connections_are_bounded() {
        let all = connections(1, 1_000);
        let taken: Vec<_> =
            std::iter::from_fn(|| all.admit(address(1)).inspect(|ticket| ticket.connection.begin())).collect();
        assert_eq!(taken.len(), 1 + SURPLUS);
    }

    #[tokio::test]
    async fn who_leaves_most_unread_is_cut() {
        let all = connections(10, 10);
        let [small, large] = [1, 2].map(|last| all.admit(address(last)).unwrap());
        all.add_unsent(&large.connection, MAX_UNSENT);
        assert!(!large.connection.cut.is_cancelled());
        all.add_unsent(&small.connection, 1);
        assert!(large.connection.cut.is_cancelled() && !small.connection.cut.is_cancelled());
    }
}
