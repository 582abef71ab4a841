use super::*;

fn guarded(allowed: &[&str]) -> HostPolicy {
    HostPolicy::guarded(allowed.iter().map(|text| text.parse().unwrap()))
}

#[test]
fn whoever_asks_from_its_own_machine_asks_anybody() {
    for url in ["http://127.0.0.1:9", "http://169.254.169.254/", "nothing"] {
        assert!(HostPolicy::any().check(url).is_ok(), "{url}");
    }
}

#[test]
fn addresses_that_are_not_public_are_refused_however_they_are_written() {
    for url in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://[::1]:9/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://169.254.169.254/latest",
        "http://[fd00:ec2::254]/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://10.0.0.1/",
        "https://192.168.1.1/",
        "http://127.0.0.1./",
        "http://u:p@10.0.0.1/?x=203.0.113.1",
    ] {
        let fault = guarded(&[]).check(url).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Denied, "{url}");
        assert!(fault.message.contains("allow.datasource_hosts"), "{fault}");
        assert!(
            fault.message.contains(" is not asked: it is at "),
            "{fault}"
        );
    }
    for url in [
        "http://203.0.113.1/",
        "https://[2606:4700::1111]/",
        "http://name/",
    ] {
        assert!(guarded(&[]).check(url).is_ok(), "{url}");
    }
}

#[test]
fn a_list_means_exactly_its_hosts() {
    let policy = guarded(&["prom.example:9090", "*.corp", "127.0.0.0/8", "[::1]:80"]);
    for (url, is_asked) in [
        ("http://prom.example:9090/", true),
        ("http://PROM.example:9090/", true),
        ("http://prom.example/", false),
        ("https://a.corp/", true),
        ("https://corp/", false),
        ("http://127.0.0.1:1234/", true),
        ("http://127.1/", true),
        ("http://localhost/", false),
        ("http://[::1]/", true),
        ("https://[::1]/", false),
        ("http://203.0.113.1/", false),
        ("http://a.corp@203.0.113.1/", false),
        ("http://203.0.113.1/a.corp", false),
        ("http://203.0.113.1\\@a.corp/", false),
    ] {
        let checked = policy.check(url);
        assert_eq!(checked.is_ok(), is_asked, "{url}");
        if let Err(fault) = checked {
            assert_eq!(fault.kind, FaultKind::Denied);
            assert!(fault.message.contains("not among the hosts"), "{fault}");
        }
    }
}

#[test]
fn an_address_without_a_host_is_asked_by_nobody() {
    for url in ["nothing", "http://", "data:x", "http://?token=hush"] {
        let fault = guarded(&[]).check(url).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Invalid, "{url}");
        assert!(!fault.message.contains("hush"));
    }
}

#[tokio::test]
async fn a_name_is_judged_by_the_addresses_it_resolves_to() {
    use reqwest::dns::Resolve as _;

    let resolved = async |allowed: &[&str]| {
        let guard = guarded(allowed).guard.unwrap();
        let name = "localhost".parse().unwrap();
        Guarded::new(guard).resolve(name).await
    };
    let error = resolved(&[]).await.err().unwrap();
    let refused: &Refused = error.downcast_ref().unwrap();
    assert_eq!(refused.why, Why::Inner(Inner::Loopback));
    assert!(resolved(&["localhost"]).await.unwrap().count() > 0);
}

#[test]
fn an_address_is_known_as_one_so_that_no_name_server_is_asked_for_it() {
    for (host, is_address) in [
        ("127.0.0.1", true),
        ("[::1]", true),
        ("[::ffff:10.0.0.1]", true),
        ("localhost", false),
        ("127.0.0.1.example", false),
    ] {
        assert_eq!(literal(host).is_some(), is_address, "{host}");
    }
}
