//! Where a webhook may lead: never into a private network. Whoever can make a webhook would otherwise reach, from
//! inside, what a firewall keeps from them. A URL is looked at when it is saved and again before each attempt, and
//! the connection goes to the very addresses that were looked at: a name cannot mean another one a moment later.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// The names that mean this machine or its network wherever they are asked for (RFC 6761, RFC 6762, RFC 8375).
const LOCAL_NAMES: [&str; 5] = ["localhost", "local", "internal", "home.arpa", "localdomain"];

const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

/// What of IPv4 is not the public internet (IANA IPv4 Special-Purpose Address Registry, multicast, reserved).
const NOT_PUBLIC_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 8),
    v4(10, 0, 0, 8),
    v4(100, 64, 0, 10),
    v4(127, 0, 0, 8),
    v4(169, 254, 0, 16),
    v4(172, 16, 0, 12),
    v4(192, 0, 0, 24),
    v4(192, 0, 2, 24),
    v4(192, 88, 99, 24),
    v4(192, 168, 0, 16),
    v4(198, 18, 0, 15),
    v4(198, 51, 100, 24),
    v4(203, 0, 113, 24),
    v4(224, 0, 0, 4),
    v4(240, 0, 0, 4),
];

/// All of IPv6 that is given out to the public internet (RFC 4291). What translates or wraps IPv4 (`::ffff:0:0/96`,
/// `64:ff9b::/96`), ULA, link-local, site-local and multicast lie outside;
const PUBLIC_V6: Ipv6Net = v6(0x2000, 0, 3);

/// and what of it is not public all the same: protocol assignments with Teredo and ORCHID, documentation, 6to4.
const NOT_PUBLIC_V6: [Ipv6Net; 4] = [v6(0x2001, 0, 23), v6(0x2001, 0xdb8, 32), v6(0x2002, 0, 16), v6(0x3fff, 0, 20)];

/// Whether an address is one of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => PUBLIC_V6.contains(&address) && !NOT_PUBLIC_V6.iter().any(|net| net.contains(&address)),
    }
}

/// Whether a URL may be that of a webhook, as far as can be said without asking for its name's addresses.
///
/// # Errors
/// What is wrong with it, after the field's name.
pub fn check_url(text: &str, allow_private: bool) -> Result<Url, String> {
    const FORM: &str = "must be a URL that begins with http:// or https://";
    // `Url` also takes `http:host` and backslashes, as browsers do.
    let begins = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    if !begins("http://") && !begins("https://") || text.contains('\\') {
        return Err(FORM.to_owned());
    }
    let url = Url::parse(text).map_err(|_| FORM.to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not have a user name or a password: deliveries are signed instead".to_owned());
    }
    let host = url.host().ok_or_else(|| FORM.to_owned())?;
    let port = url.port_or_known_default().unwrap_or_default();
    if port == 0 {
        return Err("must not have port 0".to_owned());
    }
    if allow_private {
        return Ok(url);
    }
    let private = || Err("must not lead to a private, local or reserved address".to_owned());
    match host {
        Host::Ipv4(address) if !is_public(address.into()) => return private(),
        Host::Ipv6(address) if !is_public(address.into()) => return private(),
        Host::Domain(name) if is_local_name(name) => return private(),
        _ => {}
    }
    if !matches!(port, 80 | 443 | 1_024..) {
        return Err("must have port 80, 443, or one from 1024 up".to_owned());
    }
    Ok(url)
}

fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    // A name without a dot is searched for in the networks of this machine.
    !name.contains('.') || LOCAL_NAMES.iter().any(|local| name.ends_with(&format!(".{local}")))
}

/// Finds the addresses of names for the client that delivers: all of them public, or none.
#[derive(Debug, Clone, Copy)]
pub struct Resolver {
    /// `WEBHOOK_ALLOW_PRIVATE`
    pub allow_private: bool,
}

/// A name of which an address is not public. It does not say which: the log of deliveries is no map of the network.
#[derive(Debug)]
pub struct Private;

impl std::fmt::Display for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the host has a private, local or reserved address")
    }
}

impl std::error::Error for Private {}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            // The port is the URL's.
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !allow_private && !found.iter().all(|address| is_public(address.ip())) {
                return Err(Private.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Resolver, check_url, is_public};
    use reqwest::dns::Resolve as _;

    #[test]
    fn private_and_special_addresses_are_told_from_public_ones() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860::8888",
            "2001:200::1",
            "2a00::1",
        ] {
            assert!(public.parse().is_ok_and(is_public), "{public} is public");
        }
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::ffff:127.0.0.1",
            "::8.8.8.8",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(private.parse().is_ok_and(|address| !is_public(address)), "{private} is not public");
        }
    }

    #[test]
    fn a_url_is_refused_however_its_address_is_written() {
        for good in [
            "https://example.com/hook",
            "http://example.com",
            "HTTPS://EXAMPLE.com:8443/a?b=c",
            "http://1.1.1.1/",
            "https://[2606:4700::1111]/",
            "https://bücher.example/",
            "http://example.com.:80/",
            "http://16843009/",
        ] {
            assert!(check_url(good, false).is_ok(), "{good}: {:?}", check_url(good, false));
        }
        for bad in [
            "",
            "example.com",
            "ftp://example.com",
            "file:///etc/passwd",
            "http:example.com",
            "http:\\\\example.com",
            "http://",
            "https://example.com\\@127.0.0.1/",
            "http://user@example.com/",
            "http://user:word@example.com/",
            "http://:word@example.com/",
            "http://example.com:0/",
            "http://example.com:22/",
            "http://example.com:25/",
            "http://example.com:65536/",
            "http://127.0.0.1/",
            "http://127.0.0.1./",
            "http://127.1/",
            "http://127.0.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://017700000001/",
            "http://0177.0.0.1/",
            "http://0/",
            "http://0.0.0.0/",
            "http://0x0/",
            "http://127.0.0.1:8080/",
            "http://10.1.2.3/",
            "http://169.254.169.254/latest/meta-data/",
            "http://[::]/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://[fec0::1]/",
            "http://[ff02::1]/",
            "http://[fe80::1%25eth0]/",
            "http://localhost/",
            "http://LOCALHOST/",
            "http://localhost./",
            "http://a.localhost/",
            "http://printer.local/",
            "http://intranet/",
            "http://db.internal/",
            "http://router.home.arpa/",
            "http://１２７.０.０.１/",
            "http://127。0。0。1/",
            "http://ⓛocalhost/",
            "http://%31%32%37.0.0.1/",
            "http://255.255.255.255/",
            "http://224.0.0.1/",
            "http://100.64.0.1/",
            "http://256.1.1.1/",
        ] {
            assert!(check_url(bad, false).is_err(), "{bad}");
        }
        for allowed in ["http://127.0.0.1:9/", "http://localhost:25/x", "http://[::1]:81/"] {
            assert!(check_url(allowed, true).is_ok(), "{allowed}");
        }
        for never in ["http://user@127.0.0.1/", "ftp://127.0.0.1/", "http://127.0.0.1:0/"] {
            assert!(check_url(never, true).is_err(), "{never}");
        }
    }

    #[test]
    fn a_name_is_held_to_its_addresses_when_it_is_used() -> Result<(), Box<dyn std::error::Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ask = |allow_private| {
            let name = "localhost".parse().map_err(|_| "a name")?;
            runtime.block_on(Resolver { allow_private }.resolve(name)).map(Iterator::count)
        };
        assert!(ask(false).is_err_and(|e| e.to_string().contains("private")));
        assert!(ask(true).is_ok_and(|count| count > 0));
        Ok(())
    }
}
