//! `why` on real faults: procs of a real Supervisor, hosts behind a real sshd, a real nginx, real dispatches. The table is printed.

mod seeds;

use crate::support::deck::Deck as Cli;
use crate::support::fleet::{Fleet, POOL_FILE};
use crate::support::{fixture, repo, until};
use futures::StreamExt;
use seeds::{CLOCK, HOSTS, HostSeed, PREPARE, PROCS, Seed, anew};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use swarmdeck::deck::look::DispatchRequest;
use swarmdeck::deck::{Deck, Home, NoPrompt, Outside};
use swarmdeck::hosts::Pool;
use swarmdeck::hosts::procs::{self, Fence, ProcSpec};
use swarmdeck::model::Fault;
use swarmdeck::model::record::{Dispatch, Outcome};
use swarmdeck::model::release::Release;
use swarmdeck::plan::Plan;

/// How many of each forty must be named rightly.
const RIGHT: usize = 38;

/// One fault of the table: what was asked for, what must be said, a word of the evidence, and what was said.
struct Row {
    fault: String,
    cause: &'static str,
    word: &'static str,
    said: String,
    shows: bool,
}

impl Row {
    fn is_right(&self) -> bool {
        self.said == self.cause && self.shows
    }
}

fn outside() -> Outside {
    Outside {
        now_ms: || jiff::Timestamp::now().as_millisecond(),
        new_id: || uuid::Uuid::now_v7().to_string(),
        since_boot: || nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap(),
        prompt: Arc::new(NoPrompt),
        local_env: BTreeMap::new(),
    }
}

/// Asks why of `name`; again, where a busy machine let a host take too long to answer.
async fn ask(deck: &Deck, fault: &str, name: &str, cause: &'static str, word: &'static str) -> Row {
    let mut row = asked(deck, fault, name, cause, word).await;
    for _ in 0..3 {
        if row.said != "host-silent" || cause == "host-silent" {
            break;
        }
        row = asked(deck, fault, name, cause, word).await;
    }
    row
}

async fn asked(deck: &Deck, fault: &str, name: &str, cause: &'static str, word: &'static str) -> Row {
    let (said, shows) = match deck.why(name).await {
        Ok(why) => {
            let shown = why.cause.as_ref().is_some_and(|cause| format!("{} {}", cause.sentence, cause.evidence.join("\n")).contains(word));
            let right = why.cause.as_ref().is_some_and(|found| found.id == cause);
            if !right || !shown {
                eprintln!("{}\n", why.lines().join("\n"));
            }
            (why.cause.map_or_else(|| "nothing".into(), |cause| cause.id), shown)
        }
        Err(fault) => (format!("fault: {}", fault.line()), false),
    };
    Row { fault: fault.into(), cause, word, said, shows }
}

/// A plan; again, where a busy machine let a host take too long to answer.
async fn planned(deck: &Deck, request: &DispatchRequest) -> Result<Plan, Fault> {
    let mut plan = deck.plan(request, None).await;
    for _ in 0..5 {
        if !plan.as_ref().is_err_and(|fault| fault.what.contains("no answer within")) {
            break;
        }
        plan = deck.plan(request, None).await;
    }
    plan
}

/// Plans and executes; the dispatch as it ended, or none when it was refused.
async fn attempt(deck: &Deck, swarm: &str, version: Option<&str>) -> Option<Dispatch> {
    let request = DispatchRequest { swarm: swarm.into(), version: version.map(str::to_string), ..DispatchRequest::default() };
    let plan = planned(deck, &request).await.ok()?;
    deck.execute(&plan.id, "seeded").await.ok()?.done.await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_faults_on_real_hosts_are_named_with_their_evidence() {
    let names: Vec<&str> = ["web01", "web02", "lb01"].into_iter().chain(HOSTS.iter().map(|seed| seed.host)).collect();
    let Some(fleet) = Fleet::of(&names) else { return };
    let cli = Cli::new(&fleet);
    let begun = std::time::Instant::now();
    let place = tempfile::tempdir().unwrap();
    let document = document(&fleet, place.path());
    seed_hosts(&fleet);
    let group = seed_web(&fleet);
    let deck = Deck::open(Home::open(&cli.path("home")).unwrap(), outside()).await.unwrap();
    deck.apply(&document, "test", false, "").await.unwrap();
    eprintln!("hosts were seeded after {:.1} s", begun.elapsed().as_secs_f64());
    let mut rows = dispatch_faults(&deck, &fleet, &document).await;
    eprintln!("dispatches were had after {:.1} s", begun.elapsed().as_secs_f64());
    let seeded = start_seeds(&deck, &fleet, group.as_ref().map(|group| group.path.as_str())).await;
    ended(&fleet, &seeded);
    eprintln!("procs were seeded after {:.1} s", begun.elapsed().as_secs_f64());
    let procs = seeded.iter().map(|(seed, _)| ask_seed(&deck, seed));
    rows.extend(futures::stream::iter(procs).buffered(4).collect::<Vec<_>>().await);
    fleet.freeze("h001");
    let away = [("n-dns", "host-dns", "lookup"), ("n-route", "host-no-route", "No route"), ("n-refused", "host-refused", "refused")];
    let hosts = HOSTS.iter().map(|seed| (seed.host, seed.cause, seed.word)).chain(away).filter(|(host, ..)| *host != "h020" || has_cc());
    let asked = hosts.map(|(host, cause, word)| {
        let deck = &deck;
        async move { ask(deck, &format!("host {host}: {cause}"), host, cause, word).await }
    });
    rows.extend(futures::stream::iter(asked).buffered(6).collect::<Vec<_>>().await);
    eprintln!("hosts and procs were asked after {:.1} s", begun.elapsed().as_secs_f64());
    rows.extend(balancer_faults(&deck, &fleet).await);
    fleet.thaw("h001");

    for row in &rows {
        let mark = if row.is_right() { "right" } else { "WRONG" };
        eprintln!("{mark}  {:<44} -> {:<26} ({:?}{})", row.fault, row.said, row.word, if row.shows { "" } else { " is not shown" });
    }
    let right = rows.iter().filter(|row| row.is_right()).count();
    eprintln!("{right} of {} faults were named rightly, in {:.1} s", rows.len(), begun.elapsed().as_secs_f64());
    shown_on_the_command_line(&cli, &seeded);
    assert!(rows.len() >= 40 && right >= 38 && right * 40 >= RIGHT * rows.len(), "only {right} of {}", rows.len());
    deck.close().await;
}

/// Every host, app, balancer and swarm that a fault needs.
fn document(fleet: &Fleet, place: &Path) -> String {
    let serve = "exec python3 -m http.server $PORT";
    let all = ["good", "u_fails", "u_slow", "u_plain", "u_interp", "hang", "bare"];
    let procfile: String = all.iter().map(|name| format!("{name}: {serve}\n")).collect();
    let files = [
        ("web.py", 0o644, "pass\n"),
        ("Procfile", 0o644, procfile.as_str()),
        ("uptests/good/10-good", 0o755, "#!/bin/sh\nexit 0\n"),
        ("uptests/u_fails/10-fails", 0o755, "#!/bin/sh\necho '100% wrong on purpose'\nexit 1\n"),
        ("uptests/u_slow/10-slow", 0o755, "#!/bin/sh\nexec sleep 600\n"),
        ("uptests/u_plain/10-plain", 0o644, "#!/bin/sh\nexit 0\n"),
        ("uptests/u_interp/10-interp", 0o755, "#!/usr/bin/no-such-interpreter\n"),
        ("uptests/hang/10-hang", 0o755, "#!/bin/sh\nexec sleep 600\n"),
    ];
    let later = procfile.replacen(&format!("good: {serve}"), "good: exec python3 -c \"import os; os.environ['NEW_SETTING']\"", 1);
    let tested = repo::tree(place, "tested", &files, &[("v2", "Procfile", &later)]);
    let unknown = repo::tree(place, "unknown", &[("README", 0o644, "nothing\n")], &[]);
    let (plain, failing) = (repo::buildpack(place), repo::failing_buildpack(place));
    let mut text = format!(
        "buildpacks: [{{name: plain, url: {}, type: git}}, {{name: failing, url: {}, type: git}}]\napps:\n",
        plain.display(),
        failing.display()
    );
    for (app, url, pack) in [
        ("tested", tested.display().to_string(), ", buildpack: plain"),
        ("broken", tested.display().to_string(), ", buildpack: failing"),
        ("unknown", unknown.display().to_string(), ""),
        ("gone", place.join("gone.git").display().to_string(), ", buildpack: plain"),
        ("seeded", tested.display().to_string(), ", buildpack: plain"),
    ] {
        text.push_str(&format!("  - {{name: {app}, repo: {{url: {url}, type: git}}{pack}}}\n"));
    }
    text.push_str("squads:\n  - {name: none, hosts: []}\n");
    let prefix = fleet.addr("web01");
    let unrouted = format!("{}.99", prefix.rsplit_once('.').unwrap().0);
    let own = |name: &str, keys: &str| format!("  - {{name: s-{name}, hosts: [{{name: {name}, root: /apps{keys}}}]}}\n");
    text.push_str("  - {name: web, hosts: [{name: web01, address: web01, user: root, root: /apps, ports: 5000-5999}]}\n");
    text.push_str("  - {name: tiny, hosts: [{name: web02, address: web02, user: root, root: /apps, ports: 6001-6001}]}\n");
    for HostSeed { host, keys, .. } in HOSTS {
        text.push_str(&own(host, &format!(", address: {host}{keys}")));
    }
    text.push_str(&own("n-dns", ", address: nosuch.invalid, user: root"));
    text.push_str(&own("n-route", &format!(", address: {unrouted}, user: root")));
    text.push_str(&own("n-refused", ", address: web01, port: 2, user: root"));
    text.push_str("balancers:\n");
    for (name, directory, reload) in [
        ("edge", "/etc/nginx/conf.d", "nginx -s reload"),
        ("edge-reload", "/etc/nginx/conf.d", "echo the pid is gone >&2; exit 1"),
        ("edge-dir", "/etc/nginx/gone.d", "nginx -s reload"),
        ("edge-out", "/etc/nginx/pools.d", "nginx -s reload"),
        ("edge-theirs", "/etc/nginx/conf.d", "nginx -s reload"),
    ] {
        text.push_str(&format!("  - {{name: {name}, backend: nginx, hosts: [lb01], include_dir: {directory}, reload_cmd: '{reload}'}}\n"));
    }
    text.push_str("swarms:\n");
    let mut swarm = |app: &str, config: &str, proc: &str, squad: &str, more: &str| {
        text.push_str(&format!(
            "  - {{app: {app}, config_name: {config}, proc_name: {proc}, squad: {squad}, version: v1, run_as: nobody, settle: 0s, {more}}}\n"
        ));
    };
    swarm("tested", "c", "good", "web", "listens: true, pool: shop, balancer: edge, config: {greeting: hi}, env: {LOG: info}");
    for name in ["u_fails", "u_slow", "u_plain", "u_interp"] {
        swarm("tested", "c", name, "web", "listens: true, uptest_timeout: 2s");
    }
    swarm("tested", "c", "hang", "web", "listens: true, uptest_timeout: 10m");
    swarm("tested", "c", "absent", "web", "");
    swarm("tested", "c", "bare", "web", "no_uptests: refuse");
    swarm("tested", "volume", "good", "web", "volumes: [[/data, /data]]");
    swarm("tested", "nouser", "good", "web", "listens: true, env: {A: b}");
    swarm("tested", "variable", "good", "web", "env: {FROM_HOST: $NO_SUCH_HOST_VARIABLE}");
    swarm("tested", "ports", "good", "tiny", "size: 2");
    swarm("tested", "empty", "good", "none", "");
    swarm("tested", "saved", "good", "web", "config: {greeting: one}");
    swarm("tested", "moved", "good", "web", "listens: true");
    swarm("tested", "reload", "good", "web", "listens: true, pool: reload, balancer: edge-reload");
    swarm("tested", "dir", "good", "web", "pool: p1, balancer: edge-dir");
    swarm("tested", "out", "good", "web", "pool: p2, balancer: edge-out");
    swarm("tested", "theirs", "good", "web", "pool: theirs, balancer: edge-theirs");
    for app in ["broken", "unknown", "gone"] {
        swarm(app, "c", "good", "web", "");
    }
    for seed in PROCS {
        swarm("seeded", "c", seed.name, "web", if seed.ends == 0 { "listens: true" } else { "listens: false" });
    }
    text.replace(
        "config_name: nouser, proc_name: good, squad: web, version: v1, run_as: nobody",
        "config_name: nouser, proc_name: good, squad: web, version: v1, run_as: nosuchuser",
    )
}

fn has_cc() -> bool {
    Command::new("cc").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Makes each host wrong in its own way.
fn seed_hosts(fleet: &Fleet) {
    let known = std::fs::read_to_string(fleet.known_hosts()).unwrap();
    let kept: Vec<&str> = known.lines().filter(|line| !line.starts_with("h003,")).collect();
    std::fs::write(fleet.known_hosts(), kept.join("\n") + "\n").unwrap();
    std::thread::scope(|scope| {
        for seed in HOSTS {
            scope.spawn(move || fleet.text(seed.host, &format!("{PREPARE} && {{ {}\n}}", anew(seed.script))));
        }
    });
    if has_cc() {
        let dir = tempfile::tempdir().unwrap();
        let (source, library) = (dir.path().join("clock.c"), dir.path().join("clock.so"));
        std::fs::write(&source, CLOCK).unwrap();
        let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl").output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        use base64::Engine as _;
        let coded = base64::engine::general_purpose::STANDARD.encode(std::fs::read(&library).unwrap());
        fleet.text(
            "h020",
            &format!("echo {coded} | base64 -d >/usr/local/lib/clock.so && echo /usr/local/lib/clock.so >/etc/ld.so.preload"),
        );
    } else {
        eprintln!("without cc no clock is put wrong");
    }
}

/// What the procs of `web01` need to fail; the path of a memory group, where one can be made.
fn seed_web(fleet: &Fleet) -> Option<Group<'_>> {
    let common = PREPARE.split_once("&&").unwrap().0.to_string() + "&& " + PREPARE.split_once("none /apps &&").unwrap().1;
    for host in ["web01", "web02"] {
        fleet.text(host, &common);
    }
    let group = format!("/mnt/cg/why-{}", uuid::Uuid::now_v7());
    let script = format!(
        "mkdir -p /mnt/ro /mnt/cg && mount -t tmpfs -o ro none /mnt/ro
         echo 'ghosty:x:20002:20002::/:/bin/sh' >>/etc/passwd; echo 'ghosty:x:20002:' >>/etc/group
         setsid python3 -m http.server 6100 >/dev/null 2>&1 </dev/null &
         if mount -t cgroup -o memory none /mnt/cg 2>/dev/null; then mkdir {group} && echo 40M >{group}/memory.limit_in_bytes
         elif mount -t cgroup2 none /mnt/cg 2>/dev/null && grep -qw memory /mnt/cg/cgroup.subtree_control; then mkdir {group} && echo 40M >{group}/memory.max
         else exit 0; fi && chmod 666 {group}/cgroup.procs && echo made"
    );
    let made = fleet.text("web01", &script).contains("made");
    made.then_some(Group { fleet, path: group })
}

/// A memory group of the kernel's, which outlives a host: taken away however the test ends.
struct Group<'a> {
    fleet: &'a Fleet,
    path: String,
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        self.fleet.exec(
            "web01",
            &format!("supervisorctl shutdown; for n in 1 2 3 4 5 6 7 8 9 10; do rmdir {} && break; sleep 0.3; done", self.path),
        );
    }
}

/// Starts every seed as a proc of its swarm, on the real Supervisor of `web01`, and does to some what makes them wrong.
async fn start_seeds(deck: &Deck, fleet: &Fleet, group: Option<&str>) -> Vec<(&'static Seed, String)> {
    let files = ["broken.py", "settings.json", "tls.py", "expired.pem"].map(|name| {
        let text = std::fs::read_to_string(fixture("faults").join(name)).unwrap();
        format!("cat >{name} <<'END'\n{text}END\n")
    });
    let artifact = fleet.text(
        "web01",
        &format!(
            "mkdir /tmp/app && cd /tmp/app && {{\n{}printf '#!/bin/sh\\r\\necho hi\\r\\n' >start_crlf\nprintf '#!/bin/sh\\n' >start_plain\n\
             printf '\\177ELF\\001junk\\000junk' >junk\nchmod 755 start_crlf junk\nsed 's/libc\\.so\\.6/libx.so.6/g' /bin/true >no_library\nchmod 755 no_library\n}}\n\
             tar -czf ../app.tar.gz . && sum=$(sha256sum <../app.tar.gz | cut -d ' ' -f 1) && mv ../app.tar.gz /apps/builds/$sum && echo $sum",
            files.concat()
        ),
    );
    let unrouted = format!("{}.99", fleet.addr("web01").rsplit_once('.').unwrap().0);
    let catalog = deck.catalog().await.unwrap();
    let mut specs = Vec::new();
    let mut seeded = Vec::new();
    for (n, seed) in PROCS.iter().enumerate() {
        let Some(command) = with_group(seed.command, group) else {
            eprintln!("without a memory group nothing is killed for want of memory");
            continue;
        };
        let release: Release = serde_json::from_value(serde_json::json!({
            "id": "", "build": "b1", "artifact": artifact.trim(), "app": "seeded", "app_repo_url": "", "version": "v1", "commit": "c1",
            "proc_name": seed.name, "config_name": "c", "command": command.replace("UNROUTED", &unrouted), "config": {}, "env": {}, "volumes": [],
            "run_as": if seed.name == "user_gone" { "ghosty" } else { "nobody" }, "mem_limit": null, "memsw_limit": null,
            "runtime": "process", "uptests": [], "buildpack_url": "", "buildpack_commit": "", "created_ms": 1
        }))
        .unwrap();
        let release = release.sealed();
        let port = 7000 + u16::try_from(n).unwrap();
        let name = format!("seeded-v1-c-{}-{}-{port}", release.short(), seed.name);
        specs.push(ProcSpec {
            name: name.clone(),
            instance: uuid::Uuid::now_v7().to_string(),
            installation: deck.store.installation().into(),
            swarm_id: catalog.swarm(&format!("seeded-c-{}", seed.name)).unwrap().id.clone(),
            dispatch_id: "seeds".into(),
            host_name: "web01".into(),
            port,
            release,
            stop_timeout: Duration::from_secs(5),
            root: "/apps".into(),
        });
        seeded.push((seed, name));
    }
    let host = catalog.host("web01").unwrap();
    let links = Pool::new(Some(fleet.ssh_config()), Arc::new(NoPrompt));
    let link = links.link(&host).await.unwrap();
    let fence = Fence { root: "/apps".into(), installation: deck.store.installation().into(), key: "seeds".into(), epoch: 1 };
    for some in specs.chunks(6) {
        let mut started = procs::start(link.as_ref(), &fence, &host.supervisor, some).await;
        for _ in 0..5 {
            // A busy machine: what is there already stays as it is.
            if !started.as_ref().is_err_and(|fault| fault.what.contains("did not answer within")) {
                break;
            }
            started = procs::start(link.as_ref(), &fence, &host.supervisor, some).await;
        }
        started.unwrap();
    }
    links.close().await;
    let name = |of: &str| seeded.iter().find(|(seed, _)| seed.name == of).map(|(_, name)| name.clone()).unwrap();
    for of in ["frozen", "stopped", "user_gone", "app_gone"] {
        let status = format!("supervisorctl status {}", name(of));
        until(Duration::from_secs(60), of, || String::from_utf8_lossy(&fleet.exec("web01", &status).stdout).contains("RUNNING"));
    }
    let mut stopped = deck.proc_verb("stop", "web01", &name("stopped"), "lunch").await;
    for _ in 0..10 {
        // A busy machine: the host took too long to be looked at.
        if stopped.is_ok() {
            break;
        }
        stopped = deck.proc_verb("stop", "web01", &name("stopped"), "lunch").await;
    }
    stopped.unwrap();
    fleet.text("web01", &format!("kill -STOP $(supervisorctl pid {})", name("frozen")));
    fleet.text("web01", &format!("rm -rf /apps/procs/{}/app; sed -i /^ghosty/d /etc/passwd", name("app_gone")));
    for of in ["user_gone", "app_gone"] {
        fleet.exec("web01", &format!("supervisorctl restart {}", name(of)));
    }
    seeded
}

fn with_group(command: &str, group: Option<&str>) -> Option<String> {
    if !command.contains("GROUP") {
        return Some(command.into());
    }
    group.map(|group| command.replace("GROUP", group))
}

/// Waits until every seed that is to end has ended as often as it must.
fn ended(fleet: &Fleet, seeded: &[(&Seed, String)]) {
    until(Duration::from_secs(120), "every proc that dies has died", || {
        let log = fleet.text("web01", "cat /var/log/supervisor/supervisord.log");
        seeded.iter().all(|(seed, name)| log.matches(&format!("exited: {name} (")).count() >= seed.ends)
    });
    let (_, silent) = seeded.iter().find(|(seed, _)| seed.name == "no_listen").unwrap();
    let age = format!("ps -o etimes= -p $(supervisorctl pid {silent})");
    until(Duration::from_secs(60), "what listens nowhere has had its time", || {
        String::from_utf8_lossy(&fleet.exec("web01", &age).stdout).trim().parse::<u32>().is_ok_and(|age| age > 12)
    });
}

async fn ask_seed(deck: &Deck, seed: &'static Seed) -> Row {
    ask(deck, &format!("proc {}", seed.name), &format!("seeded-c-{}", seed.name), seed.cause, seed.word).await
}

/// Dispatches that fail, are refused, or are stopped.
async fn dispatch_faults(deck: &Deck, fleet: &Fleet, document: &str) -> Vec<Row> {
    // The first one builds for all, and is well.
    assert_eq!(attempt(deck, "tested-c-good", None).await.map(|dispatch| dispatch.outcome), Some(Some(Outcome::Done)));
    let well = deck.why("tested-c-good").await.unwrap();
    assert!(well.cause.is_none() && well.verdict.contains("1 of 1 procs run v1"), "{well:#?}");
    let hang = DispatchRequest { swarm: "tested-c-hang".into(), ..DispatchRequest::default() };
    let plan = planned(deck, &hang).await.unwrap();
    let hanging = deck.execute(&plan.id, "").await.unwrap();

    // Plans that the world, or somebody, overtakes.
    let of = |swarm: &str| DispatchRequest { swarm: swarm.into(), ..DispatchRequest::default() };
    let saved = planned(deck, &of("tested-saved-good")).await.unwrap();
    deck.apply(&document.replace("greeting: one", "greeting: two"), "test", false, "").await.unwrap();
    assert!(deck.execute(&saved.id, "").await.is_err());
    let moved = planned(deck, &of("tested-moved-good")).await.unwrap();
    let port = moved.start[0].port;
    fleet.text(
        "web01",
        &format!("setsid python3 -m http.server {port} >/dev/null 2>&1 </dev/null & until ss -ltn | grep -q :{port}; do sleep 0.05; done"),
    );
    assert!(deck.execute(&moved.id, "").await.is_err());

    let faults: [(&str, &'static str, &'static str); 16] = [
        ("tested-c-u_fails", "uptest-failed", "100% wrong"),
        ("tested-c-u_slow", "uptest-timeout", "10-slow"),
        ("tested-c-u_plain", "uptest-not-executable", "10-plain"),
        ("tested-c-u_interp", "uptest-interpreter", "10-interp"),
        ("tested-c-absent", "procfile-lacks", "absent"),
        ("tested-c-bare", "no-uptests", "bare"),
        ("tested-volume-good", "runtime-cannot", "/data"),
        ("tested-nouser-good", "user-missing", "nosuchuser"),
        ("tested-variable-good", "host-variable", "NO_SUCH_HOST_VARIABLE"),
        ("tested-ports-good", "ports-exhausted", "port"),
        ("tested-empty-good", "squad-empty", "none"),
        ("tested-reload-good", "reload-failed", "the pid is gone"),
        ("broken-c-good", "compile-failed", "bin/compile"),
        ("unknown-c-good", "buildpack-none", "buildpack"),
        ("gone-c-good", "repo-unreachable", "gone.git"),
        ("tested-c-good", "source-unknown", "v999"),
    ];
    let tried = faults.iter().map(|(swarm, cause, word)| async move {
        let version = (*cause == "source-unknown").then_some("v999");
        let ended = attempt(deck, swarm, version).await;
        assert!(ended.is_none_or(|dispatch| dispatch.outcome != Some(Outcome::Done)), "{swarm} was done");
        ask(deck, &format!("dispatch {swarm}"), swarm, cause, word).await
    });
    let mut rows: Vec<Row> = futures::stream::iter(tried).buffered(3).collect().await;
    rows.push(ask(deck, "dispatch of a swarm saved since", "tested-saved-good", "saved-since", "saved by").await);
    rows.push(ask(deck, "dispatch into a moved world", "tested-moved-good", "world-moved", "is taken now").await);

    // One that is under way, one that finds it so, and its end.
    let number = hanging.number.to_string();
    let mut proving = false;
    for _ in 0..1200 {
        proving = deck.dispatch_named(&number).await.unwrap().phase.word() == "prove";
        if proving {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(proving, "its uptest hangs");
    rows.push(ask(deck, "dispatch under way", &number, "under-way", "prove").await);
    let second = planned(deck, &hang).await.unwrap();
    assert!(deck.execute(&second.id, "").await.is_err());
    rows.push(ask(deck, "dispatch of a swarm that is busy", "tested-c-hang", "held", "held by").await);
    deck.cancel(&deck.dispatch_named(&number).await.unwrap()).await.unwrap();
    assert_eq!(hanging.done.await.unwrap().outcome, Some(Outcome::Undone));
    rows.push(ask(deck, "dispatch cancelled", &number, "cancelled", "cancelled by").await);

    // What changed since it last ran well: a version that needs a variable, and an edited one.
    deck.apply(&document.replace("LOG: info", "LOG: debug").replace("greeting: one", "greeting: two"), "test", false, "louder")
        .await
        .unwrap();
    let bad = attempt(deck, "tested-c-good", Some("v2")).await.unwrap();
    assert_eq!(bad.outcome, Some(Outcome::Undone));
    rows.push(ask(deck, "dispatch of a version that dies", "tested-c-good", "variable-missing", "NEW_SETTING").await);
    let why = deck.why(&bad.number.to_string()).await.unwrap();
    let changed = why.changed.join("\n");
    for line in ["version: v1 -> v2", "env LOG: info -> debug", &format!("dispatch {} by", bad.number)] {
        assert!(changed.contains(line), "{line} is not in {changed}");
    }
    rows
}

/// One nginx, made wrong in one way after the other.
async fn balancer_faults(deck: &Deck, fleet: &Fleet) -> Vec<Row> {
    let mut rows = Vec::new();
    fleet.text("lb01", &format!("cp {POOL_FILE} /tmp/pool && sed -i 's/\\(server .*[0-9]\\);/\\1 weight=3;/' {POOL_FILE}"));
    rows.push(ask(deck, "balancer: edited by hand", "edge", "pool-edited", "weight").await);
    fleet.text("lb01", &format!("cp /tmp/pool {POOL_FILE}; mkdir /etc/nginx/pools.d; printf 'upstream p2 {{\\n  server 127.0.0.1:22;\\n}}\\n' >/etc/nginx/pools.d/p2.conf"));
    rows.push(ask(deck, "balancer: not included", "edge-out", "pool-not-included", "p2.conf").await);
    fleet.text("lb01", "printf 'upstream theirs {\\n  server 127.0.0.1:22 weight=2;\\n}\\n' >/etc/nginx/conf.d/theirs.conf");
    rows.push(ask(deck, "balancer: somebody else's pool", "edge-theirs", "pool-not-ours", "adopt").await);
    rows.push(ask(deck, "balancer: no include directory", "edge-dir", "pool-dir-missing", "include_dir").await);
    fleet.text("lb01", "echo 'garbage on;' >/etc/nginx/conf.d/zz.conf");
    rows.push(ask(deck, "balancer: configuration refused", "edge", "nginx-config", "zz.conf:1").await);
    fleet.text("lb01", "rm /etc/nginx/conf.d/zz.conf");
    fleet.text("web01", "supervisorctl status | awk '/^tested-v1-c-/ { print $1 }' | xargs supervisorctl stop");
    rows.push(ask(deck, "balancer: a node that is gone", "edge", "node-out-of-reach", "connect").await);
    fleet.text("lb01", "kill $(cat /run/nginx.pid); while [ -e /run/nginx.pid ]; do sleep 0.05; done");
    rows.push(ask(deck, "balancer: nginx down", "edge", "nginx-down", "nginx.pid").await);
    rows
}

/// The same answer as text and as one JSON value, and the lives of a proc.
fn shown_on_the_command_line(cli: &Cli, seeded: &[(&Seed, String)]) {
    until(Duration::from_secs(120), "the answer as one JSON value", || {
        cli.json(&["why", "seeded-c-module"])["cause"]["id"] == "module-missing"
    });
    until(Duration::from_secs(120), "the answer as text", || {
        let text = cli.run(&["why", "seeded-c-module"]).ended(0).stdout;
        ["CAUSE  module-missing", "| ModuleNotFoundError", "NEXT  add flask_is_gone"].iter().all(|words| text.contains(words))
    });
    cli.run(&["why", "nobody-knows-this"]).refused(2, &["nobody-knows-this"]);
    assert!(cli.run(&["why"]).ended(0).stdout.lines().count() > 40);
    let (_, name) = seeded.iter().find(|(seed, _)| seed.name == "crash_loop").unwrap();
    let told = |lives: &serde_json::Value| {
        let first = &lives[0];
        lives.as_array().is_some_and(|lives| lives.len() >= 3) && first["exit_status"] == 7 && first["lines"][0] == "the moon is full"
    };
    until(Duration::from_secs(120), "its lives are described", || told(&cli.json(&["describe", "proc", name])["lives"]));
    until(Duration::from_secs(120), "its lives are told", || told(&cli.json(&["why", &format!("web01:{name}")])["lives"]));
    // One of the dispatches owes something, which is said by the exit code.
    let swept = cli.run(&["upkeep", "-o", "json"]).json();
    assert_eq!((&swept["collected"], &swept["forgotten"]["plan"]), (&0.into(), &0.into()), "{swept:#}");
}
