//! Where new procs go, and on which ports (VR-40, VR-41; DESIGN part 4 "plan").

use crate::model::units::Ports;
use crate::model::{Fault, Result};
use std::collections::BTreeSet;

/// What a host has to offer.
#[derive(Debug, Clone)]
pub struct Room {
    pub host: String,
    pub address: String,
    /// Procs of this swarm that stay or are already placed here.
    pub own: usize,
    /// Procs of anybody.
    pub all: usize,
    pub memory_free: u64,
    pub ports: Ports,
    /// Ports of Supervisor's procs, of listeners, of other dispatches' leases.
    pub used: BTreeSet<u16>,
}

/// Places `missing` procs one by one, each where there are fewest of this swarm, then fewest procs, then most free memory;
/// counted anew after each. Ports start at a place in the range that depends on `seed`, so that a port that was just given up
/// is not taken again at once. Returns (host, address, port).
pub fn place(rooms: &mut [Room], missing: usize, seed: &str) -> Result<Vec<(String, String, u16)>> {
    let mut placed = Vec::new();
    for _ in 0..missing {
        let full = |room: &Room| free_port(room, seed).is_none();
        let best = rooms.iter_mut().min_by(|a, b| {
            (full(a), a.own, a.all, std::cmp::Reverse(a.memory_free), &a.host).cmp(&(
                full(b),
                b.own,
                b.all,
                std::cmp::Reverse(b.memory_free),
                &b.host,
            ))
        });
        let port = best.as_deref().and_then(|room| free_port(room, seed));
        let (Some(room), Some(port)) = (best, port) else {
            return Err(Fault::refused(format!("no free port is left on any host: {} procs could not be placed", missing - placed.len()))
                .at("plan")
                .next("widen `ports:` of the hosts, or retire procs (swarmdeck get procs shows who has which port)"));
        };
        room.used.insert(port);
        room.own += 1;
        room.all += 1;
        placed.push((room.host.clone(), room.address.clone(), port));
    }
    Ok(placed)
}

/// The first free port at or after the place that the seed gives, around the range once.
fn free_port(room: &Room, seed: &str) -> Option<u16> {
    let size = u32::from(room.ports.last - room.ports.first) + 1;
    let at = seed.bytes().chain(room.host.bytes()).fold(2_166_136_261_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619))
        % size;
    (0..size)
        .filter_map(|step| u16::try_from((at + step) % size).ok())
        .map(|offset| room.ports.first + offset)
        .find(|port| !room.used.contains(port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn room(n: usize, own: usize, all: usize, used: BTreeSet<u16>) -> Room {
        Room {
            host: format!("web{n:02}"),
            address: format!("10.0.0.{n}"),
            own,
            all,
            memory_free: 0,
            ports: Ports { first: 5000, last: 5009 },
            used,
        }
    }

    proptest! {
        #[test]
        fn no_port_is_given_twice_and_the_spread_is_even(
            hosts in proptest::collection::vec((0usize..3, 0usize..20, proptest::collection::btree_set(4990u16..5020, 0..8)), 1..6),
            missing in 0usize..40,
            seed in "[a-z0-9]{1,8}",
        ) {
            let mut rooms: Vec<Room> = hosts.iter().enumerate().map(|(n, (own, all, used))| room(n, *own, *all, used.clone())).collect();
            let before = rooms.clone();
            let free: usize = rooms.iter().map(|room| (5000..=5009u16).filter(|port| !room.used.contains(port)).count()).sum();
            match place(&mut rooms, missing, &seed) {
                Err(_) => prop_assert!(missing > free),
                Ok(placed) => {
                    prop_assert_eq!(placed.len(), missing);
                    let distinct: BTreeSet<_> = placed.iter().map(|(host, _, port)| (host.clone(), *port)).collect();
                    prop_assert_eq!(distinct.len(), missing);
                    for (host, _, port) in &placed {
                        let room = before.iter().find(|room| &room.host == host).unwrap();
                        prop_assert!((5000..=5009).contains(port) && !room.used.contains(port));
                    }
                    // A host that got one although another has two fewer of this swarm had no alternative with a free port.
                    for taker in rooms.iter().filter(|room| placed.iter().any(|(host, ..)| host == &room.host)) {
                        for other in &rooms {
                            let has_room = (5000..=5009u16).any(|port| !other.used.contains(&port));
                            prop_assert!(!has_room || taker.own <= other.own + 1, "{} got one too many", taker.host);
                        }
                    }
                }
            }
        }
    }
}
