//! Hosts that may be asked, as a list names them.

use std::net::IpAddr;
use std::str::FromStr;

/// Hosts by name, by the end of their names, by address or by network; with one port, or all.
///
/// A name means the host that a file names so, whatever its addresses. An address or a network
/// means hosts that a file names by address.
///
/// ```
/// use em_datasource::HostPattern;
/// for text in ["prom.example", "*.example", "10.0.0.7", "10.0.0.0/8", "prom.example:9090", "[fd00::1]:80"] {
///     text.parse::<HostPattern>()?;
/// }
/// # Ok::<(), em_datasource::HostPatternError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    host: Host,
    /// None: any.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Name(String),
    /// The end of a name, with its dot.
    End(String),
    /// An address, of which so many bits count.
    Network(IpAddr, u8),
}

/// A text that names no hosts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} names no host: {problem} (write NAME, *.NAME, ADDRESS or ADDRESS/BITS, and :PORT where only one is meant)"
)]
pub struct HostPatternError {
    text: String,
    problem: &'static str,
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        let error = |problem| HostPatternError {
            text: text.to_owned(),
            problem,
        };
        let (host, port) = parts(text).ok_or_else(|| error("a ] is missing or out of place"))?;
        let port = port.map(str::parse::<u16>).transpose();
        let port = port.map_err(|_| error("a port is a number up to 65535"))?;
        let host = match (host.parse(), host.split_once('/')) {
            (Ok(address), _) => whole(address),
            (_, Some((address, bits))) => network(address, bits)
                .ok_or_else(|| error("a network is an address and its bits, such as 10.0.0.0/8"))?,
            _ => {
                named(host).ok_or_else(|| error("a name is letters, digits, '-', '_' and dots"))?
            }
        };
        Ok(Self { host, port })
    }
}

impl HostPattern {
    /// Whether it means the host of this name.
    pub(super) fn has_name(&self, name: &str, port: Option<u16>) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let is_it = match &self.host {
            Host::Name(known) => name == *known,
            Host::End(end) => name.len() > end.len() && name.ends_with(end.as_str()),
            Host::Network(..) => false,
        };
        is_it && self.has_port(port)
    }

    /// Whether it means the host of this address.
    pub(super) fn has_address(&self, address: IpAddr, port: Option<u16>) -> bool {
        let Host::Network(network, bits) = self.host else {
            return false;
        };
        let is_it = match (network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let apart = u32::from(network) ^ u32::from(address);
                apart.leading_zeros() >= u32::from(bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let apart = u128::from(network) ^ u128::from(address);
                apart.leading_zeros() >= u32::from(bits)
            }
            _ => false,
        };
        is_it && self.has_port(port)
    }

    fn has_port(&self, port: Option<u16>) -> bool {
        self.port.is_none() || self.port == port
    }
}

/// The host, and the port where there is one. An address of version 6 has colons of its own.
fn parts(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest {
            "" => Some((host, None)),
            rest => Some((host, Some(rest.strip_prefix(':')?))),
        };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => Some((host, Some(port))),
        _ => Some((text, None)),
    }
}

fn whole(address: IpAddr) -> Host {
    let address = address.to_canonical();
    Host::Network(address, if address.is_ipv4() { 32 } else { 128 })
}

fn network(address: &str, bits: &str) -> Option<Host> {
    let (address, bits): (IpAddr, u8) = (address.parse().ok()?, bits.parse().ok()?);
    let most = if address.is_ipv4() { 32 } else { 128 };
    (bits <= most).then_some(Host::Network(address, bits))
}

fn named(text: &str) -> Option<Host> {
    let text = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let (name, is_end) = match text.strip_prefix("*.") {
        Some(name) => (name, true),
        None => (text.as_str(), false),
    };
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_label = |label: &str| !label.is_empty() && label.chars().all(is_letter);
    // URLs read a number as an address, so that no host has such a name.
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.starts_with("0x") || last.chars().all(|c| c.is_ascii_digit());
    if !name.split('.').all(is_label) || is_number {
        return None;
    }
    Some(if is_end {
        Host::End(format!(".{name}"))
    } else {
        Host::Name(name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_means_the_host_that_is_called_so() {
        for (text, name, port, is_meant) in [
            ("prom.example", "prom.example", 80, true),
            ("Prom.Example.", "prom.example", 80, true),
            ("prom.example", "prom.example.", 80, true),
            ("prom.example", "a.prom.example", 80, false),
            ("prom.example", "prom.example.evil", 80, false),
            ("prom.example:9090", "prom.example", 9090, true),
            ("prom.example:9090", "prom.example", 80, false),
            ("*.example", "a.example", 80, true),
            ("*.example", "a.b.example", 80, true),
            ("*.example", "example", 80, false),
            ("*.example", ".example", 80, false),
            ("*.example", "badexample", 80, false),
            ("*.example:1", "a.example", 2, false),
            ("10.0.0.0/8", "prom.example", 80, false),
        ] {
            let is_it = pattern(text).has_name(name, Some(port));
            assert_eq!(is_it, is_meant, "{text} {name}:{port}");
        }
    }

    #[test]
    fn a_network_means_the_hosts_of_its_addresses() {
        for (text, address, port, is_meant) in [
            ("10.0.0.7", "10.0.0.7", 80, true),
            ("10.0.0.7", "10.0.0.8", 80, false),
            ("10.0.0.7:81", "10.0.0.7", 80, false),
            ("10.0.0.0/8", "10.255.0.1", 80, true),
            ("10.0.0.0/8", "11.0.0.1", 80, false),
            ("10.0.0.0/8:80", "10.0.0.1", 80, true),
            ("10.0.0.0/8:80", "10.0.0.1", 81, false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", 80, true),
            ("::ffff:10.0.0.1", "10.0.0.1", 80, true),
            ("0.0.0.0/0", "203.0.113.1", 80, true),
            ("0.0.0.0/0", "::1", 80, false),
            ("fd00::/8", "fdff::1", 80, true),
            ("fd00::/8", "fc00::1", 80, false),
            ("[fd00::1]:80", "fd00::1", 80, true),
            ("[fd00::/8]:80", "fd00::1", 81, false),
            ("::1", "::1", 80, true),
            ("localhost", "127.0.0.1", 80, false),
        ] {
            let is_it = pattern(text).has_address(address.parse().unwrap(), Some(port));
            assert_eq!(is_it, is_meant, "{text} {address}:{port}");
        }
    }

    #[test]
    fn what_names_no_host_is_refused() {
        for text in [
            "",
            "*",
            "*.",
            "a..b",
            "a b",
            "http://a",
            "a/b",
            "10.0.0.0/33",
            "fd00::/129",
            "a:b",
            "a:70000",
            "[::1",
            "[::1]80",
            "127.1",
            "2130706433",
            "0x7f.0x1",
            "a.*",
            "über",
        ] {
            let error = text.parse::<HostPattern>().unwrap_err();
            assert!(error.to_string().contains("names no host"), "{text}");
        }
    }
}
