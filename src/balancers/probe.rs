//! The probe through a balancer host: one script that makes the requests there, and what its answer means.

use super::Links;
use super::all_or_none::{all, on_each};
use super::pool::Asks;
use crate::model::probe::{Probe, Request};
use crate::model::quote::quote;
use crate::model::{Fault, Result};
use std::time::Duration;

const NOT_GOOD: i32 = 21;
const CANNOT_ASK: i32 = 22;
/// How long one request may take.
const REQUEST_SECONDS: u64 = 10;

/// Asks through every host at once. bash (which Debian's base system has) or python3 makes the request; a host with neither is a
/// fault that says so, because what is asked for must not be passed over.
pub(super) async fn through(links: &Links, probe: &Probe, asks: Asks) -> Result<String> {
    let request = probe.request()?;
    let (most, every) = match asks {
        Asks::Any(most) => (most.max(1), false),
        Asks::Each(most) => (most.max(1), true),
    };
    let body = script(&request, most, every);
    let limit = Duration::from_secs(REQUEST_SECONDS * u64::from(most) + 30);
    let answers = on_each(links, |_, link| {
        let body = &body;
        async move {
            let output = link.run(body, limit).await?;
            let said = output.text().trim().to_string();
            match output.status {
                0 => Ok(said),
                NOT_GOOD => Err(Fault::failed(format!("asked through this host, {} answers: {said}", probe.url))
                    .next("ask it there by hand; look at the balancer's error log and at the procs' logs")),
                CANNOT_ASK => Err(Fault::failed("this host has neither bash nor python3, so nothing can be asked through it")
                    .next("install one of them, or take `probe:` out of the swarm")),
                status => Err(Fault::failed(format!("the probe ended with {status}: {}", String::from_utf8_lossy(&output.stderr).trim()))),
            }
        }
    });
    let said: Vec<String> = all(answers.await)?.into_iter().map(|(host, said)| format!("{host}: {said}")).collect();
    Ok(said.join("; "))
}

/// The path and the name stand in the environment, so that no list of processes shows them.
fn script(request: &Request, most: u32, every: bool) -> String {
    let variable = |name: &str, value: &str| format!("export {name}={}\n", quote(value));
    [
        variable("probe_address", &request.address),
        variable("probe_port", &request.port.to_string()),
        variable("probe_path", &request.path),
        variable("probe_name", &request.name),
        format!("most={most} every={} limit={REQUEST_SECONDS}\n", u8::from(every)),
        ASK.to_string(),
    ]
    .concat()
}

const ASK: &str = r#"
if command -v bash >/dev/null; then
  ask() {
    timeout "$limit" bash -c 'exec 3<>"/dev/tcp/$probe_address/$probe_port" || exit 1
      printf "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: swarmdeck\r\nAccept: */*\r\nConnection: close\r\n\r\n" "$probe_path" "$probe_name" >&3
      IFS= read -r -n 200 line <&3; printf "%s\n" "$line"' 2>&1
  }
elif command -v python3 >/dev/null; then
  ask() {
    timeout "$limit" python3 -c 'import os, socket
e = os.environ
s = socket.create_connection((e["probe_address"], int(e["probe_port"])))
s.sendall(("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: swarmdeck\r\nAccept: */*\r\nConnection: close\r\n\r\n" % (e["probe_path"], e["probe_name"])).encode())
print(s.makefile("rb").readline(200).decode("latin-1"))' 2>&1 | grep . | tail -n 1
  }
else exit 22; fi
asked=0 good=0
while [ "$asked" -lt "$most" ]; do
  asked=$((asked + 1))
  answer=$(ask | tr -d '\r\000')
  case $answer in
    'HTTP/1.'[01]' '[123][0-9][0-9]*) good=$((good + 1)); [ "$every" = 1 ] || break ;;
    *) bad=${answer:-no answer within $limit s}; [ "$every" = 0 ] || break ;;
  esac
done
if [ "$every" = 1 ]; then enough=$most; else enough=1; fi
if [ "$good" = "$enough" ]; then
  echo "$good of $asked requests answered"
else
  printf '%s\n' "$bad" | head -c 300
  exit 21
fi
"#;
