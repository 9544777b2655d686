//! Where a request comes from. The other end of the socket is a fact; `X-Forwarded-For` is hearsay, believed
//! only of the proxies that `TRUSTED_PROXIES` names, and of each only the one address that it added itself.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client: the other end of the socket, or, if that is a trusted proxy, the right-most
/// address of `X-Forwarded-For` (all its lines, in their order) that is none. What stands left of an address
/// that nobody trusted has vouched for, or of something that is no address, is not looked at.
pub fn client_address(peer: Option<SocketAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut known = peer?.ip().to_canonical();
    if trusted.is_empty() || !is_trusted(known, trusted) {
        return Some(known);
    }
    let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).map(|line| line.to_str().unwrap_or_default()).collect();
    for entry in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        match address(entry) {
            Some(address) => known = address,
            None => break,
        }
        if !is_trusted(known, trusted) {
            break;
        }
    }
    Some(known)
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let found = bare.parse().or_else(|_| entry.parse().map(|with_port: SocketAddr| with_port.ip()));
    found.ok().map(|address: IpAddr| address.to_canonical())
}
