//! What our own steps say when they fail: connecting, planning, building, starting, routing.

use super::signs::{Sign, Signs};
use super::{Cause, Facts};
use crate::model::world::HostState;

/// In the order in which one sentence is read.
pub static SIGNS: Signs = Signs::new(&[
    Sign {
        id: "ssh-config",
        pattern: r"ssh does not accept its configuration|ProxyJump .* is not|its ProxyCommand|ssh -G .* took longer",
        sentence: "ssh cannot use its own configuration for this host",
        next: "ssh -G HOST says the same; correct ~/.ssh/config",
    },
    Sign {
        id: "jump-host",
        pattern: r"its jump host cannot reach (\S+):",
        sentence: "its jump host cannot connect to {}",
        next: "see from the jump host that it is up and listens",
    },
    Sign {
        id: "host-dns",
        pattern: r"failed to lookup address|Name or service not known|Temporary failure in name resolution",
        sentence: "its name has no address",
        next: "correct `address:` of the host, HostName in ssh_config, or DNS",
    },
    Sign {
        id: "host-no-route",
        pattern: r"No route to host|Network is unreachable|Host is unreachable",
        sentence: "the network has no way to it",
        next: "see that it is up, and the route to it; then swarmdeck hosts check it",
    },
    Sign {
        id: "host-refused",
        pattern: r"(\S+) does not answer: Connection refused",
        sentence: "nothing listens at {}: sshd is down there, or has another port",
        next: "start sshd there, or correct `port:` of the host",
    },
    Sign {
        id: "host-key-changed",
        pattern: r"its host key CHANGED|is revoked by",
        sentence: "it sends another host key than is known: made anew, or somebody is in between",
        next: "ask who made it anew; only then ssh-keygen -R it",
    },
    Sign {
        id: "host-key-unknown",
        pattern: r"host key of (\S+),|its host key .* is (?:not known|still unknown)|the unknown host key",
        sentence: "its host key is not known here",
        next: "log in once with ssh and compare the fingerprint, or add it to known_hosts",
    },
    Sign {
        id: "sudo-password",
        pattern: r"asks for the sudo password of (\S+?);|sudo refused the password",
        sentence: "sudo there asks for the password of {}, and nobody is here to type it",
        next: "allow the user sudo without a password there, or run this with a terminal",
    },
    Sign {
        id: "login-refused",
        pattern: r"login as (\S+) was refused|hung up during login as (\S+)|asks for the (?:password|passphrase) of (\S+?);",
        sentence: "it does not let {} in with any of our keys",
        next: "log in once with ssh -v, which says which key it wants",
    },
    Sign {
        id: "sudo-refused",
        pattern: r"(\S+) may not use sudo there",
        sentence: "{} may not become root there",
        next: "allow it in sudoers, or set become: none and user: root",
    },
    Sign {
        id: "host-silent",
        pattern: r"(?:does not answer|no answer|gave no answer) within|Connection timed out|did not end within",
        sentence: "it does not answer in time: off, frozen, or behind a firewall that drops",
        next: "look at its console or its network; what runs on it is not moved",
    },
    Sign { id: "disk-full", pattern: r"the disk is full", sentence: "its disk is full", next: "free space there, then try again" },
    Sign {
        id: "world-moved",
        pattern: r"the world moved since the plan was made: (.+)",
        sentence: "after the plan was made this changed: {}",
        next: "plan again",
    },
    Sign {
        id: "saved-since",
        pattern: r"was saved by (\S+) after the plan",
        sentence: "{} saved the swarm after the plan was made",
        next: "plan again",
    },
    Sign {
        id: "on-hold",
        pattern: r"(?i)on hold|is held since|hold (?:of|by) |has a hold",
        sentence: "it is on hold",
        next: "swarmdeck lift it, if its reason is gone",
    },
    Sign {
        id: "held",
        pattern: r"is held by (.+)",
        sentence: "another dispatch is under way: held by {}",
        next: "wait for it, or cancel it: swarmdeck get dispatches",
    },
    Sign {
        id: "lease-lost",
        pattern: r"the lease was lost|the lease \S+ was last renewed|lost its lease|somebody else took over|another holder has taken over",
        sentence: "another process took it over, or its own lease was not renewed in time",
        next: "swarmdeck get dispatches shows who has it now",
    },
    Sign {
        id: "installation-other",
        pattern: r"belongs to installation '?([^',]+)",
        sentence: "the host belongs to another installation, {}",
        next: "swarmdeck hosts claim it, if that installation no longer works with it",
    },
    Sign {
        id: "source-unknown",
        pattern: r"there is no tag, branch or revision `([^`]+)`",
        sentence: "the repository has no tag, branch or revision {}",
        next: "push it, or dispatch another version",
    },
    Sign {
        id: "compile-failed",
        pattern: r"bin/compile ended with (.+)",
        sentence: "the buildpack could not build it: bin/compile ended with {}",
        next: "its log is kept: swarmdeck describe build",
    },
    Sign {
        id: "buildpack-none",
        pattern: r"no buildpack knows this app|there are no buildpacks|there is no buildpack `([^`]+)`",
        sentence: "no buildpack knows this app",
        next: "pin one with `buildpack:`, or add what it detects (requirements.txt, package.json …)",
    },
    Sign {
        id: "build-timeout",
        pattern: r"(?:the build|resolving) took longer than (\S+)",
        sentence: "the build took longer than {}",
        next: "its log shows where it hung; build_limit in config.yaml allows more",
    },
    Sign {
        id: "procfile-lacks",
        pattern: r"the Procfile has no `([^`]+)`|the app has no (Procfile)|the (Procfile) is empty",
        sentence: "the Procfile has no process {}",
        next: "add the line to the Procfile, or change proc_name",
    },
    Sign {
        id: "repo-unreachable",
        pattern: r"^repository (\S+): ",
        sentence: "the repository {} cannot be read",
        next: "check that this user can read it, with the same URL by hand",
    },
    Sign {
        id: "no-uptests",
        pattern: r"has no uptests for (\S+) and",
        sentence: "the swarm says `no_uptests: refuse`, and the app has no uptests for {}",
        next: "add executables in uptests/PROC/, or say no_uptests: warn",
    },
    Sign {
        id: "runtime-cannot",
        pattern: r"the runtime \S+ (cannot .+|is not known)",
        sentence: "what the swarm asks for is more than its runtime can do: it {}",
        next: "take it out of the swarm, or choose a runtime that has containers",
    },
    Sign {
        id: "ports-exhausted",
        pattern: r"no free port is left",
        sentence: "no free port is left on any host of the squad",
        next: "widen `ports:` of the hosts, or retire what holds them: swarmdeck get procs",
    },
    Sign {
        id: "squad-empty",
        pattern: r"squad (\S+) has no hosts|no host of squad (\S+) can take procs",
        sentence: "squad {} has no host that can take procs",
        next: "add hosts to it, or bring its hosts back",
    },
    Sign {
        id: "host-absent",
        pattern: r"were last seen on it and it cannot be asked|it has never been seen, so nobody knows",
        sentence: "a host of the squad cannot be asked, and what runs on it is not known",
        next: "bring it back (swarmdeck hosts check), or take it out of the squad",
    },
    Sign {
        id: "user-missing",
        pattern: r"there is no user '([^']+)' on this host",
        sentence: "the user {} that it is to run as is not on the host",
        next: "make that user there, or change run_as",
    },
    Sign {
        id: "host-variable",
        pattern: r"environment variable \S+ is to be this host's (\S+), which",
        sentence: "env asks for the host's own variable {}, which it does not have",
        next: "set it in /etc/environment there, or write $$NAME for that text",
    },
    Sign {
        id: "port-stranger",
        pattern: r"port (\d+) is taken by a stranger",
        sentence: "a stranger listens on port {}",
        next: "dispatch again: another port is chosen",
    },
    Sign {
        id: "artifact-lost",
        pattern: r"the artifact \S+ is not on this host|artifact \S+ is not in the store|cannot be unpacked|is damaged|artifact of release \S+ is not kept",
        sentence: "the build's artifact is gone or damaged",
        next: "build the version again: swarmdeck build APP VERSION --again",
    },
    Sign {
        id: "supervisor-file-broken",
        pattern: r"Supervisor cannot read its files(?:, because of (\S+?):)?",
        sentence: "supervisord cannot read its files, because of {}",
        next: "mend or move away that file; nothing of ours is in it",
    },
    Sign {
        id: "supervisor-include",
        pattern: r"Supervisor does not read (\S+)",
        sentence: "supervisord.conf does not include {}",
        next: "swarmdeck hosts provision puts that into its configuration",
    },
    Sign {
        id: "supervisor-down",
        pattern: r"Supervisor does not answer|Supervisor's socket|the socket \S+ does not open",
        sentence: "Supervisor does not answer there",
        next: "swarmdeck hosts check says what is missing",
    },
    Sign {
        id: "nginx-config",
        pattern: r"nginx refuses its configuration; nothing was changed: (.+)",
        sentence: "nginx refuses its configuration: {}",
        next: "correct what it names (file and line); nothing was changed",
    },
    Sign {
        id: "nginx-down",
        pattern: r"nginx does not run",
        sentence: "nginx does not run",
        next: "start nginx on the balancer host, then try again",
    },
    Sign {
        id: "reload-failed",
        pattern: r"nginx was not reloaded(?:; .*is as before: (.+))?|did not take up",
        sentence: "nginx was not reloaded: {}",
        next: "see why the balancer's reload_cmd fails; the pool is as before",
    },
    Sign {
        id: "pool-owned",
        pattern: r"the pool \S+ belongs to another swarm",
        sentence: "the pool belongs to another swarm",
        next: "choose another pool",
    },
    Sign {
        id: "pool-not-ours",
        pattern: r"the file of pool \S+ is not ours|was written by somebody else",
        sentence: "somebody else wrote the pool's file",
        next: "swarmdeck adopt pool POOL@BALANCER, or name another pool",
    },
    Sign {
        id: "pool-not-included",
        pattern: r"nginx does not include (\S+)",
        sentence: "nginx does not read {}",
        next: "include that directory's *.conf in nginx's http block",
    },
    Sign {
        id: "pool-unfinished",
        pattern: r"a change of a pool was cut off",
        sentence: "a change of the pool was cut off half way",
        next: "dispatch again: that puts it right",
    },
    Sign {
        id: "pool-dir-missing",
        pattern: r"cannot be written or read: (.+)",
        sentence: "the pool's file cannot be written or read: {}",
        next: "look at the directory, its rights and the disk",
    },
    Sign {
        id: "node-out-of-reach",
        pattern: r"cannot connect to ([\d.:\[\]a-f ]+)",
        sentence: "the balancer cannot connect to {}",
        next: "see that routes and firewalls let it reach the squad's hosts, and that the app does not listen on 127.0.0.1 only",
    },
    Sign { id: "cancelled", pattern: r"cancelled by (\S+)", sentence: "{} cancelled it", next: "dispatch again when it may go on" },
    Sign {
        id: "loopback-only",
        pattern: r"runs but its port does not answer: port (\d+): .*refused",
        sentence: "it listened on port {} of 127.0.0.1 only, where no balancer reaches it",
        next: "have the app bind 0.0.0.0 (or ::)",
    },
    Sign {
        id: "no-listen",
        pattern: r"runs but its port does not answer",
        sentence: "it ran and did not listen on its port",
        next: "make the app listen on $PORT at 0.0.0.0, or say `listens: false`",
    },
]);

pub fn find(facts: &Facts, all: &mut Vec<Cause>) {
    for host in &facts.hosts {
        let HostState::Unreachable(why) = &host.state else { continue };
        let found = shown(&host.name, "", why, "", all);
        if !found {
            all.push(
                Cause::new("host-silent", &host.name, "it cannot be reached")
                    .shows([why.clone()])
                    .next(format!("swarmdeck hosts check {}", host.name)),
            );
        }
    }
    for said in &facts.said {
        let place = if said.host.is_empty() { said.by.clone() } else { format!("{} ({})", said.host, said.by) };
        shown(&place, &said.by, &said.text, &said.next, all);
    }
}

/// Adds what one sentence means; false when no sign matches. The step's own advice is better than the table's.
fn shown(place: &str, by: &str, text: &str, next: &str, all: &mut Vec<Cause>) -> bool {
    let lines = [text.to_string()];
    let mut any = false;
    for shown in SIGNS.shown_by(&lines) {
        let evidence = if by.is_empty() { text.to_string() } else { format!("{by}: {text}") };
        let next = if next.is_empty() { shown.next } else { next.to_string() };
        all.push(Cause::new(shown.sign.id, place, shown.sentence).shows([evidence]).next(next));
        any = true;
    }
    any
}

/// Whether a sentence of ours has a cause of its own in the table.
pub fn known(text: &str) -> bool {
    !SIGNS.shown_by(&[text.to_string()]).is_empty()
}
