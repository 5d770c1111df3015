//! Ways in which a proc can fail, each as the command that makes it so, the cause that must be named, and a word of its evidence.

/// A proc on a real Supervisor.
pub struct Seed {
    /// Its name as a process of the Procfile.
    pub name: &'static str,
    pub command: &'static str,
    pub cause: &'static str,
    pub word: &'static str,
    /// How often it must have ended before it is asked for; 0 runs on.
    pub ends: usize,
}

const fn dies(name: &'static str, command: &'static str, cause: &'static str, word: &'static str) -> Seed {
    Seed { name, command, cause, word, ends: 1 }
}

const fn runs(name: &'static str, command: &'static str, cause: &'static str, word: &'static str) -> Seed {
    Seed { name, command, cause, word, ends: 0 }
}

/// `UNROUTED` is an address that nothing answers at, `GROUP` a memory group of 40 MiB.
pub const PROCS: &[Seed] = &[
    dies("port_taken", "exec python3 -m http.server 6100", "port-taken", "Address already in use"),
    dies("port_low", "exec python3 -c \"import socket; socket.socket().bind(('', 80))\"", "port-privileged", "Errno 13"),
    dies("denied", "exec python3 -c \"open('/etc/shadow')\"", "permission-denied", "/etc/shadow"),
    dies("module", "exec python3 -c 'import flask_is_gone'", "module-missing", "flask_is_gone"),
    dies("import", "exec python3 -c 'from os import nothing_like_it'", "import-broken", "nothing_like_it"),
    dies("library", "exec ./no_library", "library-missing", "libx.so.6"),
    dies("variable", "exec python3 -c \"import os; os.environ['DATABASE_URL']\"", "variable-missing", "DATABASE_URL"),
    dies("shell_variable", "set -u; echo \"$REDIS_URL\"", "variable-missing", "REDIS_URL"),
    dies("backend", "exec python3 -c \"import socket; socket.create_connection(('127.0.0.1', 5432))\"", "backend-refused", "refused"),
    dies("dns", "exec python3 -c \"import urllib.request as u; u.urlopen('http://db.invalid/')\"", "dns", "name resolution"),
    dies("timeout", "exec python3 -c \"import socket; socket.create_connection(('UNROUTED', 80), 2)\"", "backend-timeout", "Error"),
    dies("tls", "exec python3 tls.py", "tls-expired", "certificate has expired"),
    dies("memory", "ulimit -v 90000; exec python3 -c 'bytearray(10 ** 9)'", "app-memory", "MemoryError"),
    dies("files", "ulimit -n 12; exec python3 -c \"a = [open('/dev/null') for _ in range(99)]\"", "files-exhausted", "Too many open files"),
    dies("app_disk", "echo x >/dev/full; exit 1", "app-disk-full", "No space left"),
    dies("app_read_only", "echo x >/mnt/ro/file; exit 1", "app-read-only", "Read-only"),
    dies("exec_format", "exec ./junk", "exec-format", "Exec format"),
    dies("crlf", "./start_crlf", "bad-interpreter", "start_crlf"),
    dies("not_executable", "./start_plain", "not-executable", "Permission denied"),
    dies("command", "gunicorn_gone app:app", "command-missing", "gunicorn_gone"),
    dies("file", "exec python3 gone.py", "file-missing", "gone.py"),
    dies("syntax", "exec python3 broken.py", "syntax-error", "SyntaxError"),
    dies("settings", "exec python3 -c \"import json; json.load(open('settings.json'))\"", "settings-unreadable", "JSONDecodeError"),
    dies(
        "schema",
        "exec python3 -c \"import sqlite3; sqlite3.connect(':memory:').execute('select * from orders')\"",
        "schema-missing",
        "orders",
    ),
    dies("daemon", "sleep 1000000 & exit 0", "daemonised", "sleep"),
    dies("exits", "echo all is done", "exits-at-once", "exit status 0"),
    dies("segv", "sleep 1.2; kill -SEGV $$", "signalled", "SIGSEGV"),
    Seed { name: "crash_loop", command: "echo the moon is full; exit 7", cause: "crash-loop", word: "exit 7", ends: 3 },
    dies("oom", "echo $$ >GROUP/cgroup.procs && exec python3 -c 'x = bytearray(200 << 20)'", "oom-killed", "SIGKILL"),
    runs("wrong_port", "exec python3 -m http.server 6200", "wrong-port", "6200"),
    runs("loopback", "exec python3 -m http.server --bind 127.0.0.1 $PORT", "loopback-only", "127.0.0.1"),
    runs("frozen", "exec python3 -m http.server $PORT", "proc-frozen", "state T"),
    runs("stopped", "exec python3 -m http.server $PORT", "stopped-by-hand", "lunch"),
    runs("user_gone", "exec python3 -m http.server $PORT", "user-missing", "ghosty"),
    runs("app_gone", "exec python3 -m http.server $PORT", "app-gone", "app/"),
    runs("no_listen", "exec sleep 1000000", "no-listen", "nowhere"),
];

/// A host, named after its fault, and what makes it so there; `""` where its entry in the document does.
pub struct HostSeed {
    pub host: &'static str,
    /// Its other keys in the document.
    pub keys: &'static str,
    pub script: &'static str,
    pub cause: &'static str,
    pub word: &'static str,
}

const fn host(host: &'static str, keys: &'static str, script: &'static str, cause: &'static str, word: &'static str) -> HostSeed {
    HostSeed { host, keys, script, cause, word }
}

/// What every host of ours has; `/apps` is a file system of its own.
pub const PREPARE: &str = "mkdir -p /apps && mount -t tmpfs -o size=8m,nr_inodes=200,mode=755 none /apps &&
    mkdir -p /apps/builds /apps/images /apps/procs /apps/fence && chmod 700 /apps/builds /apps/fence &&
    sed -i 's#^files = .*#& /apps/procs/*/proc.conf#' /etc/supervisor/supervisord.conf";
const DEPLOY: &str = ", user: deploy, become: sudo";
const ROOT: &str = ", user: root";
/// Starts supervisord anew and waits for it.
const ANEW: &str = "kill $(cat /run/supervisord.pid); while [ -S /run/supervisor.sock ]; do sleep 0.05; done
    /usr/bin/python3 /usr/bin/supervisord -c /etc/supervisor/supervisord.conf; until [ -S /run/supervisor.sock ]; do sleep 0.05; done";

/// Hosts of the fleet; `ANEW` in a script is [`anew`].
pub const HOSTS: &[HostSeed] = &[
    host(
        "h002",
        ROOT,
        "rm /etc/ssh/ssh_host_ed25519_key && ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key && kill -HUP $(cat /run/sshd.pid)",
        "host-key-changed",
        "CHANGED",
    ),
    host("h003", ROOT, "true", "host-key-unknown", "not known"),
    host("h004", ROOT, "rm /root/.ssh/authorized_keys", "login-refused", "root"),
    host("h005", DEPLOY, "echo 'deploy ALL=(ALL) ALL' >/etc/sudoers.d/deploy", "sudo-password", "sudo password"),
    host("h006", DEPLOY, "rm /usr/bin/sudo", "sudo-refused", "sudo"),
    host("h007", ", user: deploy", "true", "privilege", "deploy"),
    host("h008", ROOT, "mount -o remount,ro /apps", "disk-read-only", "/apps"),
    host("h009", ROOT, "dd if=/dev/zero of=/apps/filler bs=64k 2>/dev/null; true", "disk-full", "0 KiB free"),
    host("h010", ROOT, "n=0; while touch /apps/filler-$n 2>/dev/null; do n=$((n + 1)); done", "inodes-gone", "inodes"),
    host("h011", ROOT, "kill $(cat /run/supervisord.pid)", "supervisor-down", "socket"),
    host("h012", ROOT, "rm -f /run/supervisor.sock", "supervisor-socket-missing", "socket"),
    host(
        "h013",
        ROOT,
        "printf '[program:theirs]\\nautostart=true\\n' >/etc/supervisor/conf.d/theirs.conf",
        "supervisor-file-broken",
        "theirs.conf",
    ),
    host("h014", ROOT, "sed -i 's# /apps/procs/\\*/proc.conf##' /etc/supervisor/supervisord.conf", "supervisor-include", "include"),
    host("h015", ROOT, "rm /etc/supervisor/supervisord.conf", "supervisor-conf-missing", "supervisord.conf"),
    host("h016", ROOT, "echo 2.2 >/usr/lib/python3/dist-packages/supervisor/version.txt; ANEW", "supervisor-old", "2.2"),
    host("h017", ROOT, "rm /usr/bin/python3", "tool-missing", "python3"),
    host("h018", ROOT, "rm /usr/bin/flock", "tool-missing", "flock"),
    host("h019", ROOT, "echo somebody-else >/apps/fence/installation", "installation-other", "somebody-else"),
    host("h020", ROOT, "true", "clock-off", "seconds"),
    host("h001", ROOT, "true", "host-silent", "within"),
];

/// A script of a seed, whole.
pub fn anew(script: &str) -> String {
    script.replace("ANEW", ANEW)
}

/// Every clock call of every program of a host a day ahead: what a wrong hardware clock does, without touching this machine's.
pub const CLOCK: &str = r#"#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
static int real(clockid_t id, struct timespec *at) {
  static int (*next)(clockid_t, struct timespec *);
  if (!next) next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  return next(id, at);
}
int clock_gettime(clockid_t id, struct timespec *at) {
  int result = real(id, at);
  if (result == 0 && id == CLOCK_REALTIME) at->tv_sec += 86400;
  return result;
}
time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
int gettimeofday(struct timeval *at, void *zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}
"#;
