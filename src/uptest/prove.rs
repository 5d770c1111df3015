//! Whether a proc can be called running: from two looks at it, and from its port.

use crate::hosts::Link;
use crate::hosts::procs::script;
use crate::model::world::{Proc, ProcState};
use crate::model::{Result, quote::quote, shown::shown};
use std::time::Duration;

/// What two looks say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// RUNNING for at least `settle`, the same process all the time.
    Yes,
    /// Not yet, with what it is now; look again.
    Wait(String),
    /// It will not become so by waiting.
    No(String),
}

/// Judges a proc by the first look after its start and the last. It has settled when it is RUNNING in both, with the same pid and
/// start, and runs for `settle` by its host's clock. Restarting by itself in between is a failure, not a start anew.
pub fn settled(first: Option<&Proc>, now: Option<&Proc>, settle: Duration) -> Settled {
    let Some(now) = now else { return Settled::Wait("not seen yet".into()) };
    let why = |what: &str| if now.spawn_error.is_empty() { what.to_string() } else { format!("{what}: {}", now.spawn_error) };
    match now.state {
        ProcState::Running => {}
        ProcState::Starting | ProcState::Backoff | ProcState::Unknown => return Settled::Wait(why(now.state.word())),
        ProcState::Exited => {
            return Settled::No(now.exit_status.map_or_else(|| why("it ended"), |status| format!("it ended with status {status}")));
        }
        _ => return Settled::No(why(now.state.word())),
    }
    if let Some(first) = first.filter(|first| first.state == ProcState::Running)
        && (first.pid, first.start) != (now.pid, now.start)
    {
        return Settled::No("it ended and was started again by Supervisor".into());
    }
    let uptime = Duration::from_secs(u64::try_from(now.uptime()).unwrap_or(0));
    if uptime >= settle { Settled::Yes } else { Settled::Wait(format!("runs for {}", humantime::format_duration(uptime))) }
}

/// What a port did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Yes,
    /// Why not.
    No(String),
}

const KNOCK: &str = r#"import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 3).close()
except Exception as error:
    sys.exit(str(error))
"#;

/// Whether something on the host listens on the port and takes a connection under `address`, the one that balancers use; where it
/// listens on all addresses, under 127.0.0.1 (an address that only others can see is no fault). Without python3, listening is enough.
///
/// # Errors
/// Unreachable, or the script did not run; a port that does not answer is no fault.
pub async fn port_answers(link: &dyn Link, address: &str, port: u16) -> Result<Answer> {
    let body = format!(
        r#"{prelude}[ -n "$(listening {port})" ] || {{ echo "nothing listens on port {port}"; exit 3; }}
command -v python3 >/dev/null || exit 0
knock() {{ timeout 5 python3 -c {knock} "$1" {port} 2>&1; }}
SAID=$(knock {address}) && exit 0
hex=$(printf %04X {port})
if cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$hex" '$4 == "0A" && $2 ~ ("^0+:" port "$") {{ found = 1 }} END {{ exit !found }}'; then
  knock 127.0.0.1 >/dev/null && exit 0
fi
printf '%s\n' "$SAID" | tail -n 1
exit 3"#,
        prelude = script::PRELUDE,
        knock = quote(KNOCK),
        address = quote(address),
    );
    let output = link.run(&body, Duration::from_secs(20)).await.map_err(|fault| fault.at("prove"))?;
    if output.status == 3 {
        return Ok(Answer::No(format!("port {port}: {}", shown(output.text().trim()))));
    }
    script::judge(link.host(), "prove", &output).map(|()| Answer::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::Local;
    use crate::model::world::Owner;

    fn proc(state: ProcState, pid: u32, start: i64, now: i64) -> Proc {
        Proc {
            host: "web01".into(),
            name: "n".into(),
            app: "shop".into(),
            version: "v1".into(),
            config: "prod".into(),
            release: "r".into(),
            proc: "web".into(),
            port: Some(5000),
            state,
            pid: Some(pid),
            start,
            stop: 0,
            now,
            exit_status: None,
            spawn_error: String::new(),
            description: String::new(),
            stamp: None,
            owner: Owner::Ours,
            swarm: None,
            foreign_of: None,
            routed: None,
            cpu_percent: None,
            rss_bytes: None,
            cpu: None,
        }
    }

    #[test]
    fn only_the_same_process_running_long_enough_has_settled() {
        let settle = Duration::from_secs(5);
        let first = proc(ProcState::Running, 7, 100, 101);
        assert_eq!(settled(Some(&first), Some(&proc(ProcState::Running, 7, 100, 105)), settle), Settled::Yes);
        assert!(matches!(settled(Some(&first), Some(&proc(ProcState::Running, 7, 100, 104)), settle), Settled::Wait(_)));
        assert!(matches!(settled(Some(&first), Some(&proc(ProcState::Running, 8, 102, 110)), settle), Settled::No(_)));
        assert!(matches!(settled(None, Some(&proc(ProcState::Backoff, 0, 0, 110)), settle), Settled::Wait(_)));
        for state in [ProcState::Fatal, ProcState::Exited, ProcState::Stopped, ProcState::Ghost] {
            assert!(matches!(settled(Some(&first), Some(&proc(state, 7, 100, 110)), settle), Settled::No(_)), "{state:?}");
        }
        assert!(matches!(settled(None, None, settle), Settled::Wait(_)));
    }

    #[tokio::test]
    async fn a_port_answers_or_says_why_not() {
        let link = Local::new("web01");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(port_answers(&link, "127.0.0.1", port).await.unwrap(), Answer::Yes);
        assert!(matches!(port_answers(&link, "127.0.0.2", port).await.unwrap(), Answer::No(why) if why.contains("refused")));
        drop(listener);
        assert!(matches!(port_answers(&link, "127.0.0.1", port).await.unwrap(), Answer::No(why) if why.contains("nothing listens")));
    }
}
