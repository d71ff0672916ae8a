//! How many connections one client has: it shall not take the places of all others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The share of all connections that one client may have.
const SHARE: usize = 4;

/// The clients that are connected.
pub(super) struct Guests {
    most: usize,
    connections: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection of a client, for as long as it lives.
pub(super) struct Guest {
    guests: Arc<Guests>,
    client: IpAddr,
}

impl Guests {
    pub(super) fn new(connections_max: usize) -> Arc<Self> {
        let most = connections_max.div_ceil(SHARE);
        Arc::new(Self { most, connections: Mutex::default() })
    }

    /// Counts a connection; none where its client has too many. This machine's own has no bound
    /// but that of all.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        let client = client(address);
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let count = connections.entry(client).or_default();
        if *count >= self.most && !address.is_loopback() {
            return None;
        }
        *count += 1;
        Some(Guest { guests: Arc::clone(self), client })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut connections =
            self.guests.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = connections.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.client);
            }
        }
    }
}

/// Of IPv6 the first 64 bits: a client has all the rest to itself.
fn client(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_its_share_and_gives_it_back() {
        let guests = Guests::new(8);
        let address: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::ffff".parse().unwrap();
        let first = guests.enter(address).unwrap();
        let _second = guests.enter(neighbour).unwrap();
        assert!(guests.enter(address).is_none());
        let _other = guests.enter("192.0.2.1".parse().unwrap()).unwrap();
        drop(first);
        assert!(guests.enter(address).is_some());
        let own: Vec<_> = (0..20).map(|_| guests.enter([127, 0, 0, 1].into()).unwrap()).collect();
        drop(own);
        assert_eq!(guests.connections.lock().unwrap().len(), 2);
    }
}
