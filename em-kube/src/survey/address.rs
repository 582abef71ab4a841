//! What looks like the address of a queue or a database, or like the switch of an election.

/// Ends of the names of variables and flags that hold addresses.
const ENDS: [&str; 16] = [
    "URL",
    "URI",
    "DSN",
    "HOST",
    "HOSTS",
    "HOSTNAME",
    "ADDR",
    "ADDRESS",
    "ADDRESSES",
    "ENDPOINT",
    "ENDPOINTS",
    "BROKER",
    "BROKERS",
    "SERVERS",
    "CONNECTION_STRING",
    "NODES",
];

/// Schemes of addresses of what keeps state.
const SCHEMES: [&str; 20] = [
    "postgres",
    "postgresql",
    "mysql",
    "mariadb",
    "sqlserver",
    "oracle",
    "jdbc",
    "mongodb",
    "mongodb+srv",
    "redis",
    "rediss",
    "amqp",
    "amqps",
    "kafka",
    "nats",
    "mqtt",
    "mqtts",
    "cassandra",
    "memcached",
    "s3",
];

/// Hosts that are the pod itself.
const OWN: [&str; 5] = ["localhost", "127.0.0.1", "0.0.0.0", "::1", "[::1]"];

/// Whether a name is one that addresses have: `DB_HOST`, `db-url`, `BROKERS`.
pub(super) fn is_named_like_one(name: &str) -> bool {
    let name = name.to_ascii_uppercase().replace(['-', '.'], "_");
    ENDS.iter().any(|end| {
        let rest = name.strip_suffix(end);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
    }) || matches!(name.as_str(), "PGHOST" | "MYSQL_HOST" | "KAFKA_BOOTSTRAP")
}

/// Whether a value, or else its name, leads out of the pod.
pub(super) fn is_address(name: &str, value: &str) -> bool {
    let value = value.trim();
    if value.is_empty() || is_own(value) {
        return false;
    }
    let scheme = value
        .split_once(':')
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    let has_scheme = scheme.is_some_and(|scheme| SCHEMES.contains(&scheme.as_str()));
    let is_number = value.parse::<f64>().is_ok();
    let is_truth = matches!(
        value.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no"
    );
    has_scheme || is_host_and_port(value) || (is_named_like_one(name) && !is_number && !is_truth)
}

/// Whether what the value names is the pod itself: an address to listen at, or its own loopback.
fn is_own(value: &str) -> bool {
    let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
    let place = rest.split(['/', '?']).next().unwrap_or(rest);
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    host.is_empty() || OWN.contains(&host)
}

/// `host:port`, also several of them.
fn is_host_and_port(value: &str) -> bool {
    value.split(',').all(|one| {
        let Some((host, port)) = one.trim().rsplit_once(':') else {
            return false;
        };
        let is_host = host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
        let has_name = host.contains(|c: char| c.is_ascii_alphabetic()) || host.contains('.');
        is_host && has_name && port.len() >= 2 && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

/// Whether it is the switch of an election of a leader that is on.
pub(super) fn is_election(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['_', '.'], "-");
    let is_off = matches!(
        value.to_ascii_lowercase().as_str(),
        "false" | "0" | "no" | "off"
    );
    (name.contains("leader-elect") || name.contains("leaderelect")) && !is_off
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_known_by_name_scheme_and_form() {
        for (name, value) in [
            ("DB_URL", "jdbc:postgresql://db/shop"),
            ("X", "postgres://u:p@db/shop"),
            ("X", "kafka-0:9092,kafka-1:9092"),
            ("KAFKA_BROKERS", "kafka"),
            ("db-host", "10.2.3.4"),
            ("CATALOG_URL", "http://catalog:8080"),
            ("HOST", "db"),
        ] {
            assert!(is_address(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("LISTEN_ADDR", ":8080"),
            ("LISTEN_ADDR", "0.0.0.0:8080"),
            ("SIDECAR_URL", "http://localhost:15000/x"),
            ("CACHE_URL", "redis://127.0.0.1:6379"),
            ("WORKERS", "4"),
            ("USE_HOST", "true"),
            ("GHOST", "boo"),
            ("TIME", "12:30:00"),
            ("RATIO", "1:10"),
        ] {
            assert!(!is_address(name, value), "{name}={value}");
        }
    }

    #[test]
    fn elections_are_known_by_name_unless_they_are_off() {
        assert!(is_election("leader-elect", ""));
        assert!(is_election("LEADER_ELECTION_ENABLED", "true"));
        assert!(!is_election("leader-elect", "false"));
        assert!(!is_election("LEADER", "true"));
    }
}
