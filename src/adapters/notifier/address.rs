//! Which addresses a notification may go to. The URL comes from configuration, but what its name stands
//! for is said by whoever runs that name: it must not lead teller into its own network, nor to the
//! metadata of its cloud.
//!
//! Forbidden is what no public app can have as an address, unless the app's list allows it. An IPv6
//! address with an IPv4 address in it has to be permitted as both.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;

/// Entries in an app's list: more than that is a network plan, not an exception from it.
const ALLOWED_MAX: usize = 64;

/// What no public address is in, with the word that people know it by. The first that fits names it.
const FORBIDDEN: [(&str, Range); 27] = [
    ("this network", v4(0, 0, 0, 0, 8)),
    ("private", v4(10, 0, 0, 0, 8)),
    ("shared by a carrier's customers", v4(100, 64, 0, 0, 10)),
    ("loopback", v4(127, 0, 0, 0, 8)),
    ("link-local", v4(169, 254, 0, 0, 16)),
    ("private", v4(172, 16, 0, 0, 12)),
    ("protocol assignments", v4(192, 0, 0, 0, 24)),
    ("documentation", v4(192, 0, 2, 0, 24)),
    ("private", v4(192, 168, 0, 0, 16)),
    ("benchmarking", v4(198, 18, 0, 0, 15)),
    ("documentation", v4(198, 51, 100, 0, 24)),
    ("documentation", v4(203, 0, 113, 0, 24)),
    ("multicast", v4(224, 0, 0, 0, 4)),
    ("broadcast", v4(255, 255, 255, 255, 32)),
    ("reserved", v4(240, 0, 0, 0, 4)),
    ("unspecified", v6([0; 8], 128)),
    ("loopback", v6([0, 0, 0, 0, 0, 0, 0, 1], 128)),
    ("IPv4-compatible", v6([0; 8], 96)),
    ("IPv4-mapped", v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96)),
    ("NAT64", v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96)),
    ("NAT64", v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48)),
    ("documentation", v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32)),
    ("6to4", v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16)),
    ("private", v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7)),
    ("link-local", v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10)),
    ("site-local", v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10)),
    ("multicast", v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8)),
];

/// The addresses of one family that share their first bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Range {
    is_v4: bool,
    base: u128,
    /// Bits that differ within the range.
    free: u32,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u32) -> Range {
    Range {
        is_v4: true,
        base: Ipv4Addr::new(a, b, c, d).to_bits() as u128,
        free: 32 - prefix,
    }
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], prefix: u32) -> Range {
    Range {
        is_v4: false,
        base: Ipv6Addr::new(a, b, c, d, e, f, g, h).to_bits(),
        free: 128 - prefix,
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Range {
    /// Reads `10.1.0.0/16`, or one address.
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(width), |prefix| prefix.parse().ok())?;
        Some(Self {
            is_v4: address.is_ipv4(),
            base: bits(address),
            free: width.checked_sub(prefix)?,
        })
    }

    /// Whether its base is its first address, as people expect of a range that they wrote on purpose.
    fn starts_at_its_base(self) -> bool {
        self.base.trailing_zeros() >= self.free
    }

    fn contains(self, address: IpAddr) -> bool {
        // All 128 bits may be free.
        let head = |bits: u128| bits.checked_shr(self.free).unwrap_or(0);
        self.is_v4 == address.is_ipv4() && head(bits(address)) == head(self.base)
    }
}

/// The IPv4 address to which a packet for this one may be sent on.
fn embedded(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    let bits = address.to_bits();
    let within = |range: Range| range.contains(IpAddr::V6(address));
    let inner = if within(v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16)) {
        bits >> 80
    } else if within(v6([0; 8], 96))
        || within(v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96))
        || within(v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96))
    {
        bits
    } else {
        return None;
    };
    // The last 32 bits of what is left.
    let inner = u32::try_from(inner & u128::from(u32::MAX)).ok()?;
    Some(Ipv4Addr::from_bits(inner).into())
}

/// What one app's notifications may reach besides public addresses.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct AllowList {
    ranges: Vec<Range>,
    hosts: BTreeSet<String>,
}

/// Why an address is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Refusal {
    /// What would have to be allowed.
    address: IpAddr,
    range: &'static str,
}

/// None of a host's addresses may be reached.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Forbidden {
    /// The host of the URL is an address itself.
    #[error(
        "its host {host} is in a forbidden range ({range}); if the app really is there, say allow = [\"{address}\"]"
    )]
    Literal {
        host: String,
        range: &'static str,
        address: IpAddr,
    },
    /// The host is a name.
    #[error(
        "every address of {host} is in a forbidden range ({ranges}): allow it with notify.allow"
    )]
    Name { host: String, ranges: String },
}

impl AllowList {
    /// Reads the list: ranges, addresses, and names that may stand for any address.
    ///
    /// # Errors
    /// Which entry is at fault, and how it would be written.
    pub(super) fn parse<'a>(entries: impl IntoIterator<Item = &'a String>) -> Result<Self, String> {
        let entries: Vec<&String> = entries.into_iter().collect();
        if entries.len() > ALLOWED_MAX {
            return Err(format!("expected {ALLOWED_MAX} entries at most"));
        }
        let mut list = Self::default();
        for entry in entries {
            if let Some(range) = Range::parse(entry) {
                if !range.starts_at_its_base() {
                    return Err(format!(
                        "{entry:?} has bits set beyond its prefix; did you mean one address, or a longer prefix?"
                    ));
                }
                list.ranges.push(range);
            } else if let Some(host) = host_name(entry) {
                list.hosts.insert(host);
            } else {
                return Err(format!(
                    "expected a range such as \"10.1.0.0/16\", an address, or an exact host name without a port, got {entry:?}"
                ));
            }
        }
        Ok(list)
    }

    /// Refuses a URL whose host is an address, however it was written, that may not be reached. What
    /// a name stands for is judged by the resolver, when a connection is made.
    ///
    /// # Errors
    /// [`Forbidden::Literal`].
    pub(super) fn check(&self, url: &Url) -> Result<(), Forbidden> {
        let host = url.host_str().unwrap_or_default();
        let refusal = literal(host).and_then(|address| self.refusal(address));
        refusal.map_or(Ok(()), |refusal| {
            Err(Forbidden::Literal {
                host: host.to_owned(),
                range: refusal.range,
                address: refusal.address,
            })
        })
    }

    /// Those of a name's addresses that may be reached.
    ///
    /// # Errors
    /// [`Forbidden::Name`] when there are addresses and none of them may be.
    pub(super) fn permitted(
        &self,
        host: &str,
        mut addresses: Vec<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, Forbidden> {
        if self.hosts.contains(host.trim_end_matches('.')) {
            return Ok(addresses);
        }
        let mut ranges = BTreeSet::new();
        addresses.retain(|address| match self.refusal(address.ip()) {
            Some(refusal) => {
                ranges.insert(refusal.range);
                false
            }
            None => true,
        });
        if addresses.is_empty() && !ranges.is_empty() {
            return Err(Forbidden::Name {
                host: host.to_owned(),
                ranges: ranges.into_iter().collect::<Vec<_>>().join(", "),
            });
        }
        Ok(addresses)
    }

    fn refusal(&self, address: IpAddr) -> Option<Refusal> {
        let forbidden = FORBIDDEN.iter().find(|(_, range)| range.contains(address));
        match forbidden {
            Some(&(range, _)) if !self.ranges.iter().any(|range| range.contains(address)) => {
                Some(Refusal { address, range })
            }
            _ => embedded(address).and_then(|inner| self.refusal(inner)),
        }
    }
}

/// The address that a URL's host is, if it is one. URLs have it in its usual form, whatever was written.
fn literal(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
        .parse()
        .ok()
}

/// A name as URLs have it, or nothing if this is none.
fn host_name(text: &str) -> Option<String> {
    let url = Url::parse(&format!("http://{text}/")).ok()?;
    let host = url.host_str()?.trim_end_matches('.');
    let is_name = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    // Anything else that a URL can hold would change more than its host.
    let nothing_else = url
        .as_str()
        .trim_start_matches("http://")
        .trim_end_matches(['/', '.'])
        == host;
    (is_name && nothing_else && !host.is_empty() && literal(host).is_none())
        .then(|| host.to_owned())
}

#[cfg(test)]
mod tests;
