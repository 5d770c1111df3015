//! What Supervisor says about itself and its processes, over its unix socket on a host.

use super::xmlrpc::{self, Answer, Value};
use crate::hosts::Link;
use crate::model::{Fault, Result};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use indexmap::IndexMap;
use std::time::Duration;

/// How long one question may take.
pub const LIMIT: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const ANSWER_MAX: usize = 16 << 20;

/// One process as Supervisor reports it (`supervisor.getProcessInfo`). Texts are as the host sent them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    pub name: String,
    pub group: String,
    /// Supervisor's process state code: 0 STOPPED, 10 STARTING, 20 RUNNING, 30 BACKOFF, 40 STOPPING, 100 EXITED, 200 FATAL, 1000 UNKNOWN.
    pub state: i64,
    pub statename: String,
    /// `None` when no process runs.
    pub pid: Option<u32>,
    pub exitstatus: i64,
    pub spawnerr: String,
    /// Seconds since 1970 on the host's clock; 0 when it never was started (stopped).
    pub start: i64,
    pub stop: i64,
    /// The host's clock at the answer.
    pub now: i64,
    /// The file of its standard output; empty when there is none.
    pub logfile: String,
    pub description: String,
}

/// Supervisor's own state (`supervisor.getState`) and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// `RUNNING`, `RESTARTING`, `SHUTDOWN` or `FATAL`.
    pub state: String,
    pub version: String,
}

/// All processes that Supervisor knows on the host, ours or not.
pub async fn processes(link: &dyn Link, socket: &str) -> Result<Vec<Process>> {
    let value = call(link, socket, "supervisor.getAllProcessInfo", &[]).await?;
    let list = value.array().ok_or_else(|| strange(link, "a list of processes was due"))?;
    list.iter().map(|item| process(item).ok_or_else(|| strange(link, "a process without its fields"))).collect()
}

/// Supervisor's state and version.
pub async fn state(link: &dyn Link, socket: &str) -> Result<Daemon> {
    let calls = [("supervisor.getState", vec![]), ("supervisor.getSupervisorVersion", vec![])];
    let answers = multicall(link, socket, &calls).await?;
    let [Answer::Value(state), Answer::Value(version)] = answers.as_slice() else { return Err(strange(link, "its state was due")) };
    match (state.get("statename").and_then(Value::text), version.text()) {
        (Some(state), Some(version)) => Ok(Daemon { state: state.into(), version: version.into() }),
        _ => Err(strange(link, "its state was due")),
    }
}

/// Several questions in one round trip; each has its own answer or fault, in order.
pub async fn multicall(link: &dyn Link, socket: &str, calls: &[(&str, Vec<Value>)]) -> Result<Vec<Answer>> {
    let calls = calls.iter().map(|(method, params)| {
        Value::Struct(IndexMap::from([
            ("methodName".to_string(), Value::Text((*method).to_string())),
            ("params".to_string(), Value::Array(params.clone())),
        ]))
    });
    let calls: Vec<Value> = calls.collect();
    let count = calls.len();
    match call(link, socket, "system.multicall", &[Value::Array(calls)]).await? {
        // Supervisor answers with the values themselves, other servers (as the convention has it) with lists of one.
        Value::Array(values) if values.len() == count => Ok(values.into_iter().map(single).collect()),
        _ => Err(strange(link, "as many answers as questions were due")),
    }
}

/// One call. A fault that Supervisor names comes back as a failed [`Fault`] with its words.
pub async fn call(link: &dyn Link, socket: &str, method: &str, params: &[Value]) -> Result<Value> {
    let asked = ask(link, socket, xmlrpc::call(method, params));
    let body = tokio::time::timeout(LIMIT, asked).await.map_err(|_| {
        Fault::unreachable(format!("Supervisor did not answer within {} s", LIMIT.as_secs())).on(link.host()).next(next(socket))
    })??;
    match xmlrpc::answer(&String::from_utf8_lossy(&body)) {
        Ok(Answer::Value(value)) => Ok(value),
        Ok(Answer::Fault(code, text)) => Err(Fault::failed(format!("Supervisor refused {method}: {text} ({code})")).on(link.host())),
        Err(why) => Err(strange(link, &why)),
    }
}

async fn ask(link: &dyn Link, socket: &str, call: String) -> Result<Bytes> {
    let stream = link.socket(socket).await?;
    let lost = |error: hyper::Error| {
        if error.is_parse() {
            strange(link, "not even HTTP")
        } else {
            Fault::unreachable(format!("Supervisor's socket {socket} broke: {error}")).on(link.host()).next(next(socket))
        }
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let request = hyper::Request::post("/RPC2")
        .header("Host", "localhost")
        .header("Content-Type", "text/xml")
        .header("Connection", "close")
        .body(Full::new(Bytes::from(call)))
        .map_err(|error| Fault::failed(format!("a request could not be made: {error}")))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(lost)?;
        let status = response.status();
        if status == hyper::StatusCode::UNAUTHORIZED {
            let fault = Fault::refused(format!("Supervisor wants a user name and password on its socket {socket}"));
            return Err(fault.on(link.host()).next("take username and password out of [unix_http_server]; the socket's mode guards it"));
        }
        if !status.is_success() {
            return Err(strange(link, &format!("HTTP status {status}")));
        }
        let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
        Ok(body.map_err(|error| strange(link, &format!("a broken answer: {error}")))?.to_bytes())
    };
    tokio::pin!(exchange);
    tokio::pin!(connection);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = &mut connection => match ended {
            Err(error) => Err(lost(error)),
            // The connection may be done before its answer was taken over.
            Ok(()) => exchange.await,
        },
    }
}

fn single(value: Value) -> Answer {
    if let Some((code, text)) = value.fault() {
        return Answer::Fault(code, text.to_string());
    }
    Answer::Value(value)
}

fn process(value: &Value) -> Option<Process> {
    let text = |name: &str| value.get(name).and_then(Value::text).unwrap_or_default().to_string();
    let number = |name: &str| value.get(name).and_then(Value::int).unwrap_or_default();
    Some(Process {
        name: value.get("name")?.text()?.to_string(),
        group: value.get("group")?.text()?.to_string(),
        state: value.get("state")?.int()?,
        statename: value.get("statename")?.text()?.to_string(),
        pid: u32::try_from(number("pid")).ok().filter(|pid| *pid != 0),
        exitstatus: number("exitstatus"),
        spawnerr: text("spawnerr"),
        start: number("start"),
        stop: number("stop"),
        now: number("now"),
        logfile: text("stdout_logfile"),
        description: text("description"),
    })
}

fn strange(link: &dyn Link, why: &str) -> Fault {
    Fault::failed(format!("Supervisor answered something that is not XML-RPC ({why})"))
        .on(link.host())
        .next("look at which program listens on Supervisor's socket there")
}

fn next(socket: &str) -> String {
    format!("see on the host whether supervisord runs and owns {socket}: swarmdeck hosts check")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::Local;
    use std::process::{Child, Command};
    use std::time::Instant;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A real supervisord in a temporary directory.
    struct Supervisor {
        dir: tempfile::TempDir,
        child: Child,
    }

    impl Supervisor {
        async fn start(programs: &str) -> Supervisor {
            let dir = tempfile::tempdir().unwrap();
            let at = dir.path().display();
            let conf = format!(
                "[unix_http_server]\nfile={at}/s.sock\n[supervisord]\nlogfile={at}/d.log\npidfile={at}/d.pid\nchildlogdir={at}\nnodaemon=true\n\
                 [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n{programs}"
            );
            std::fs::write(dir.path().join("s.conf"), conf).unwrap();
            let child = Command::new("/usr/bin/supervisord")
                .args(["-n", "-c"])
                .arg(dir.path().join("s.conf"))
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            let one = Supervisor { dir, child };
            let begun = Instant::now();
            while state(&Local::new("here"), &one.socket()).await.is_err() {
                assert!(begun.elapsed() < Duration::from_secs(30), "supervisord did not come up");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            one
        }
        fn socket(&self) -> String {
            self.dir.path().join("s.sock").display().to_string()
        }
    }

    impl Drop for Supervisor {
        fn drop(&mut self) {
            let id = nix::unistd::Pid::from_raw(self.child.id() as i32);
            let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
            let _ = self.child.wait();
        }
    }

    #[tokio::test]
    async fn a_real_supervisor_tells_its_processes() {
        let programs = "[program:web]\ncommand=sleep 600\nstartsecs=0\n[program:off]\ncommand=sleep 600\nautostart=false\n[program:none]\ncommand=/no/such/file\n";
        let daemon = Supervisor::start(programs).await;
        let link = Local::new("here");
        let begun = Instant::now();
        let list = loop {
            let list = processes(&link, &daemon.socket()).await.unwrap();
            if list.iter().any(|p| p.name == "web" && p.statename == "RUNNING")
                && list.iter().any(|p| p.name == "none" && !p.spawnerr.is_empty())
            {
                break list;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{list:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let find = |name: &str| list.iter().find(|process| process.name == name).unwrap();
        let pid = find("web").pid.unwrap();
        assert!(std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap().split('\0').eq(["sleep", "600", ""]));
        assert_eq!((find("off").state, find("off").pid, find("off").statename.as_str()), (0, None, "STOPPED"));
        assert!(find("web").now >= find("web").start && find("web").start > 1_500_000_000);
        assert!(std::path::Path::new(&find("web").logfile).exists());

        assert_eq!(state(&link, &daemon.socket()).await.unwrap().state, "RUNNING");
        let named = vec![Value::Text("nobody".into())];
        let answers = multicall(&link, &daemon.socket(), &[("supervisor.getState", vec![]), ("supervisor.getProcessInfo", named.clone())])
            .await
            .unwrap();
        assert!(matches!(answers.as_slice(), [Answer::Value(_), Answer::Fault(10, _)]), "{answers:?}");
        let fault = call(&link, &daemon.socket(), "supervisor.getProcessInfo", &named).await.unwrap_err();
        assert!(fault.line().contains("BAD_NAME"), "{fault}");
    }

    async fn answering(answer: &'static [u8]) -> Fault {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(answer).await;
        });
        let fault = processes(&Local::new("web01"), &path.display().to_string()).await.unwrap_err();
        server.await.unwrap();
        fault
    }

    #[tokio::test]
    async fn garbage_is_named_with_its_host() {
        for answer in [
            &b"SSH-2.0-x\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\xfe\x00",
            b"HTTP/1.1 500 Boom\r\nContent-Length: 0\r\n\r\n",
        ] {
            let line = answering(answer).await.line();
            assert!(line.contains("web01: Supervisor answered something that is not XML-RPC"), "{line}");
        }
        let line = answering(b"").await.line();
        assert!(line.contains("socket") && line.contains("broke"), "{line}");
        let line = processes(&Local::new("web01"), "/no/such/socket").await.unwrap_err().line();
        assert!(line.contains("web01") && line.contains("/no/such/socket"), "{line}");
    }
}
