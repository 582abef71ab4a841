//! Free TCP ports for `{{port}}`.
//!
//! Ports are taken from below the range that the kernel uses for outgoing connections. A load driver
//! opens thousands of those, and one of them could otherwise sit on the port between our look and the
//! target's `bind`.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

/// Ports below this one belong to well-known services more often than not.
const LOWEST: u16 = 15_000;

/// The ports handed out by this process and not given back yet. There is one such list per process, as
/// there is one set of ports per machine: two targets must not be given the same one.
static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// No port is free.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no free TCP port between {lowest} and {highest} on the loopback address")]
pub struct NoFreePort {
    lowest: u16,
    highest: u16,
}

/// Takes `count` ports on which nobody listens now and that were not handed out before.
pub fn take(count: usize) -> Result<Vec<u16>, NoFreePort> {
    let range = candidates();
    let (lowest, highest) = (*range.start(), *range.end());
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let free = from_own_start(range).filter(|port| !taken.contains(port) && is_free(*port));
    let found: Vec<u16> = free.take(count).collect();
    if found.len() < count {
        return Err(NoFreePort { lowest, highest });
    }
    taken.extend(&found);
    Ok(found)
}

/// Gives ports back.
pub fn give_back(ports: impl IntoIterator<Item = u16>) {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    for port in ports {
        taken.remove(&port);
    }
}

/// Whether nobody listens on a port of the loopback address.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn candidates() -> RangeInclusive<u16> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first_outgoing = text
        .split_ascii_whitespace()
        .next()
        .and_then(|first| first.parse::<u16>().ok());
    match first_outgoing {
        Some(first) if first > LOWEST + 1_000 => LOWEST..=first - 1,
        _ => LOWEST..=u16::MAX,
    }
}

/// Two managers at once start at different places, so that they rarely look at the same port.
fn from_own_start(range: RangeInclusive<u16>) -> impl Iterator<Item = u16> {
    let size = u32::from(range.end() - range.start()) + 1;
    let start = std::process::id().wrapping_mul(7_919) % size;
    let first = *range.start();
    (0..size).map(move |step| {
        let offset = (start + step) % size;
        first + u16::try_from(offset).expect("the offset lies within a range of ports")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_handed_out_once_and_lies_below_those_of_outgoing_connections() {
        let mut ports = take(3).unwrap();
        ports.extend(take(2).unwrap());
        assert!(ports.iter().all(|port| candidates().contains(port)));
        give_back(ports.clone());
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 5);
    }

    #[test]
    fn a_port_on_which_somebody_listens_is_not_free() {
        let port = take(1).unwrap()[0];
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(!is_free(port));
        drop(listener);
        assert!(is_free(port));
        give_back([port]);
    }
}
