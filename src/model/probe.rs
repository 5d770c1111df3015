//! The request that is made through a balancer after routing: where it goes, under which name, and what counts as an answer.

use super::{Fault, Result};
use serde::{Deserialize, Serialize};

/// `probe:` of a swarm. It is made on every balancer host, by that host, so `url` is as the host itself sees it
/// (`http://127.0.0.1/health`); any status below 400 is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// `http://host[:port][/path]`.
    pub url: String,
    /// The name that the request asks for (its `Host:` header); the URL's own where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// A probe taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub address: String,
    pub port: u16,
    pub path: String,
    pub name: String,
}

impl Probe {
    /// Where the request goes and what it says; refused when it could be anything but one plain request.
    pub fn request(&self) -> Result<Request> {
        let wrong = |what: &str| Fault::bad(format!("the probe '{}' {what}", self.url)).next("write http://127.0.0.1/health");
        if self.url.starts_with("https://") {
            return Err(wrong("asks for https: it is made on the balancer host itself and reads plain http"));
        }
        let rest = self.url.strip_prefix("http://").ok_or_else(|| wrong("is not an http:// URL"))?;
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        if authority.contains('@') {
            return Err(wrong("names a user; a probe has no password"));
        }
        if !plain(path) || path.contains('#') {
            return Err(wrong("has a path that cannot stand in a request"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().ok().filter(|port| *port > 0).ok_or_else(|| wrong("has no sound port"))?)
            }
            _ => (authority, 80),
        };
        let address = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(address) => address.parse::<core::net::Ipv6Addr>().map_err(|_| wrong("has no sound address"))?.to_string(),
            None if is_name(host) => host.to_string(),
            None => return Err(wrong("has no sound host")),
        };
        let name = match &self.host {
            Some(name) if name.split_once(':').map_or(is_name(name), |(host, port)| is_name(host) && port.parse::<u16>().is_ok()) => {
                name.clone()
            }
            Some(name) => return Err(Fault::bad(format!("the probe's host '{name}' is not a name")).next("write shop.example")),
            None => authority.to_string(),
        };
        Ok(Request { address, port, path: path.to_string(), name })
    }
}

fn plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_name(host: &str) -> bool {
    !host.is_empty() && !host.starts_with(['-', '.']) && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str, host: Option<&str>) -> Result<Request> {
        Probe { url: url.into(), host: host.map(str::to_string) }.request()
    }

    #[test]
    fn a_probe_is_one_plain_request() {
        let parts =
            |address: &str, port, path: &str, name: &str| Request { address: address.into(), port, path: path.into(), name: name.into() };
        assert_eq!(request("http://127.0.0.1", None).unwrap(), parts("127.0.0.1", 80, "/", "127.0.0.1"));
        assert_eq!(request("http://shop.example:8080/a?b=c", None).unwrap(), parts("shop.example", 8080, "/a?b=c", "shop.example:8080"));
        assert_eq!(request("http://[::1]:81/x", Some("shop.example")).unwrap(), parts("::1", 81, "/x", "shop.example"));
        assert_eq!(request("http://[::1]/x", None).unwrap(), parts("::1", 80, "/x", "[::1]"));
        for bad in [
            "https://shop/",
            "shop/",
            "http://",
            "http:///x",
            "http://a b/",
            "http://a/x y",
            "http://a/\r\nX: y",
            "http://u:p@a/",
            "http://a:0/",
            "http://a:x/",
            "http://-a/",
            "http://[x]/",
            "http://a/#b",
        ] {
            assert!(request(bad, None).is_err(), "{bad}");
        }
        for bad in ["", "a b", "a\r\nX: y", "a:b"] {
            assert!(request("http://a/", Some(bad)).is_err(), "{bad}");
        }
    }
}
