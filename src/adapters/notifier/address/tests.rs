//! The ranges, each at its edges, and what an app's list makes of them.

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn range_of(text: &str) -> Option<&'static str> {
    AllowList::default()
        .refusal(ip(text))
        .map(|refusal| refusal.range)
}

fn list(entries: &[&str]) -> AllowList {
    let entries: Vec<String> = entries.iter().map(|&entry| entry.to_owned()).collect();
    AllowList::parse(&entries).expect("a legal list")
}

/// Range, first and last address in it, the neighbours outside with the range that they are in.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    Option<(&'static str, Option<&'static str>)>,
    Option<(&'static str, Option<&'static str>)>,
);

const ROWS: [Row; 27] = [
    (
        "this network",
        "0.0.0.0",
        "0.255.255.255",
        None,
        Some(("1.0.0.0", None)),
    ),
    (
        "private",
        "10.0.0.0",
        "10.255.255.255",
        Some(("9.255.255.255", None)),
        Some(("11.0.0.0", None)),
    ),
    (
        "shared by a carrier's customers",
        "100.64.0.0",
        "100.127.255.255",
        Some(("100.63.255.255", None)),
        Some(("100.128.0.0", None)),
    ),
    (
        "loopback",
        "127.0.0.0",
        "127.255.255.255",
        Some(("126.255.255.255", None)),
        Some(("128.0.0.0", None)),
    ),
    (
        "link-local",
        "169.254.0.0",
        "169.254.255.255",
        Some(("169.253.255.255", None)),
        Some(("169.255.0.0", None)),
    ),
    (
        "private",
        "172.16.0.0",
        "172.31.255.255",
        Some(("172.15.255.255", None)),
        Some(("172.32.0.0", None)),
    ),
    (
        "protocol assignments",
        "192.0.0.0",
        "192.0.0.255",
        Some(("191.255.255.255", None)),
        Some(("192.0.1.0", None)),
    ),
    (
        "documentation",
        "192.0.2.0",
        "192.0.2.255",
        Some(("192.0.1.255", None)),
        Some(("192.0.3.0", None)),
    ),
    (
        "private",
        "192.168.0.0",
        "192.168.255.255",
        Some(("192.167.255.255", None)),
        Some(("192.169.0.0", None)),
    ),
    (
        "benchmarking",
        "198.18.0.0",
        "198.19.255.255",
        Some(("198.17.255.255", None)),
        Some(("198.20.0.0", None)),
    ),
    (
        "documentation",
        "198.51.100.0",
        "198.51.100.255",
        Some(("198.51.99.255", None)),
        Some(("198.51.101.0", None)),
    ),
    (
        "documentation",
        "203.0.113.0",
        "203.0.113.255",
        Some(("203.0.112.255", None)),
        Some(("203.0.114.0", None)),
    ),
    (
        "multicast",
        "224.0.0.0",
        "239.255.255.255",
        Some(("223.255.255.255", None)),
        Some(("240.0.0.0", Some("reserved"))),
    ),
    (
        "reserved",
        "240.0.0.0",
        "255.255.255.254",
        Some(("239.255.255.255", Some("multicast"))),
        Some(("255.255.255.255", Some("broadcast"))),
    ),
    (
        "broadcast",
        "255.255.255.255",
        "255.255.255.255",
        Some(("255.255.255.254", Some("reserved"))),
        None,
    ),
    (
        "unspecified",
        "::",
        "::",
        None,
        Some(("::1", Some("loopback"))),
    ),
    (
        "loopback",
        "::1",
        "::1",
        Some(("::", Some("unspecified"))),
        Some(("::2", Some("IPv4-compatible"))),
    ),
    (
        "IPv4-compatible",
        "::2",
        "::ffff:ffff",
        Some(("::1", Some("loopback"))),
        Some(("::1:0:0", None)),
    ),
    (
        "IPv4-mapped",
        "::ffff:0.0.0.0",
        "::ffff:255.255.255.255",
        Some(("::fffe:ffff:ffff", None)),
        Some(("::1:0:0:0", None)),
    ),
    (
        "NAT64",
        "64:ff9b::",
        "64:ff9b::ffff:ffff",
        Some(("64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", None)),
        Some(("64:ff9b::1:0:0", None)),
    ),
    (
        "NAT64",
        "64:ff9b:1::",
        "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
        Some(("64:ff9b:0:ffff:ffff:ffff:ffff:ffff", None)),
        Some(("64:ff9b:2::", None)),
    ),
    (
        "documentation",
        "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        Some(("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", None)),
        Some(("2001:db9::", None)),
    ),
    (
        "6to4",
        "2002::",
        "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        Some(("2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None)),
        Some(("2003::", None)),
    ),
    (
        "private",
        "fc00::",
        "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        Some(("fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None)),
        Some(("fe00::", None)),
    ),
    (
        "link-local",
        "fe80::",
        "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        Some(("fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None)),
        Some(("fec0::", Some("site-local"))),
    ),
    (
        "site-local",
        "fec0::",
        "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        Some((
            "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            Some("link-local"),
        )),
        Some(("ff00::", Some("multicast"))),
    ),
    (
        "multicast",
        "ff00::",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        Some((
            "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            Some("site-local"),
        )),
        None,
    ),
];

#[test]
fn every_range_ends_where_it_should() {
    assert_eq!(ROWS.len(), FORBIDDEN.len(), "a row per range");
    for (name, first, last, before, after) in ROWS {
        for inside in [first, last] {
            assert_eq!(range_of(inside), Some(name), "{inside}");
        }
        for (outside, expected) in before.into_iter().chain(after) {
            assert_eq!(
                range_of(outside),
                expected,
                "{outside}, beside {name} {first}"
            );
        }
    }
    for public in ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111"] {
        assert_eq!(range_of(public), None, "{public}");
    }
}

#[test]
fn an_address_within_an_address_is_judged_too() {
    // Allowing a form does not allow what it may hide.
    let forms = list(&["::ffff:0:0/96", "64:ff9b::/96", "2002::/16", "::/96"]);
    for (hidden, range) in [
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("64:ff9b::169.254.169.254", "link-local"),
        ("::192.168.0.1", "private"),
        ("2002:7f00:1::", "loopback"),
        ("2002:a00:1:1:2:3:4:5", "private"),
    ] {
        let refusal = forms.refusal(ip(hidden)).expect("refused");
        assert_eq!(refusal.range, range, "{hidden}");
        assert!(refusal.address.is_ipv4(), "{hidden}");
    }
    for public in ["::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::"] {
        assert_eq!(forms.refusal(ip(public)), None, "{public}");
    }
    let both = list(&["::ffff:0:0/96", "127.0.0.0/8"]);
    assert_eq!(both.refusal(ip("::ffff:127.0.0.1")), None);
    assert_eq!(
        list(&["::/0", "0.0.0.0/0"]).refusal(ip("::ffff:127.0.0.1")),
        None
    );
}

#[test]
fn what_is_listed_is_allowed_and_nothing_beside_it() {
    let list = list(&["10.1.0.0/16", "127.0.0.1", "fd00::/8"]);
    for allowed in ["10.1.0.0", "10.1.255.255", "127.0.0.1", "fd12::1"] {
        assert_eq!(list.refusal(ip(allowed)), None, "{allowed}");
    }
    for refused in ["10.0.255.255", "10.2.0.0", "127.0.0.2", "fc00::1", "::1"] {
        assert!(list.refusal(ip(refused)).is_some(), "{refused}");
    }
}

#[test]
fn a_literal_host_is_judged_however_it_is_written() {
    let check = |list: &AllowList, url: &str| {
        list.check(&Url::parse(url).expect("a URL"))
            .map_err(|forbidden| forbidden.to_string())
    };
    for (url, host, range) in [
        ("http://127.0.0.1:80/x", "127.0.0.1", "loopback"),
        ("http://0x7f.1/", "127.0.0.1", "loopback"),
        ("http://2130706433/", "127.0.0.1", "loopback"),
        ("http://0177.0.0.1/", "127.0.0.1", "loopback"),
        ("http://127.1./", "127.0.0.1", "loopback"),
        ("http://%31%32%37.0.0.1/", "127.0.0.1", "loopback"),
        ("http://０x7f.1/", "127.0.0.1", "loopback"),
        ("http://0/", "0.0.0.0", "this network"),
        (
            "https://user@169.254.169.254/latest/meta-data",
            "169.254.169.254",
            "link-local",
        ),
        ("http://[::1]:8080/", "[::1]", "loopback"),
        (
            "http://[::ffff:127.0.0.1]/",
            "[::ffff:7f00:1]",
            "IPv4-mapped",
        ),
    ] {
        let said = check(&AllowList::default(), url).expect_err(url);
        let expected = format!("its host {host} is in a forbidden range ({range}); ");
        assert!(said.starts_with(&expected), "{url}: {said}");
        assert!(
            !said.contains("meta-data") && !said.contains("user"),
            "{said}"
        );
    }
    assert_eq!(check(&AllowList::default(), "http://1.1.1.1/"), Ok(()));
    assert_eq!(check(&AllowList::default(), "http://localhost/"), Ok(()));
    assert_eq!(check(&list(&["127.0.0.0/8"]), "http://0x7f.1/"), Ok(()));
    // A name in the list allows no address that is written out.
    assert!(check(&list(&["localhost"]), "http://127.0.0.1/").is_err());
    let said = check(&AllowList::default(), "http://[fd00::1]/").expect_err("private");
    assert!(said.ends_with("say allow = [\"fd00::1\"]"), "{said}");
}

#[test]
fn of_a_name_s_addresses_the_forbidden_ones_are_dropped() {
    let at = |text: &str| SocketAddr::new(ip(text), 0);
    let mixed = vec![
        at("127.0.0.1"),
        at("1.1.1.1"),
        at("fe80::1"),
        at("10.0.0.1"),
    ];
    let permitted = AllowList::default().permitted("app.example", mixed.clone());
    assert_eq!(permitted, Ok(vec![at("1.1.1.1")]));
    let permitted = list(&["10.0.0.0/8"]).permitted("app.example", mixed.clone());
    assert_eq!(permitted, Ok(vec![at("1.1.1.1"), at("10.0.0.1")]));
    let by_name = list(&["App.Example"]);
    assert_eq!(
        by_name.permitted("app.example", mixed.clone()),
        Ok(mixed.clone())
    );
    assert_eq!(by_name.permitted("app.example.", mixed.clone()), Ok(mixed));
    let inside = vec![at("127.0.0.1"), at("::1"), at("10.0.0.1")];
    for host in ["other.app.example", "app.example.org"] {
        let said = by_name
            .permitted(host, inside.clone())
            .expect_err("all are");
        assert_eq!(
            said.to_string(),
            format!(
                "every address of {host} is in a forbidden range (loopback, private): allow it with notify.allow"
            )
        );
    }
    assert_eq!(
        AllowList::default().permitted("nowhere", vec![]),
        Ok(vec![])
    );
}

#[test]
fn an_entry_that_is_neither_range_nor_name_is_refused() {
    for entry in [
        "",
        "10.1.0.0/33",
        "10.1/16",
        "::/129",
        "10.0.0.0/-1",
        "app.internal:8443",
        "http://app.internal",
        "user@app.internal",
        "app.internal/path",
        "*.internal",
        "0x7f.1",
        "[::1]",
        "a b",
        ".",
    ] {
        let said = AllowList::parse(&[entry.to_owned()]).expect_err(entry);
        assert!(said.contains("expected a range such as"), "{entry}: {said}");
    }
    let said = AllowList::parse(&["10.1.2.0/16".to_owned()]).expect_err("bits beyond");
    assert!(said.contains("bits set beyond its prefix"), "{said}");
    assert!(AllowList::parse(&vec!["10.0.0.1".to_owned(); 64]).is_ok());
    assert!(AllowList::parse(&vec!["10.0.0.1".to_owned(); 65]).is_err());
}
