//! What procs say when they die, in the words of Python, Ruby, Node, Java, Go, Perl, PHP, C and the shells.

use super::signs::{Sign, Signs};
use super::{Cause, Facts};

/// How many lines before the one that shows a sign are evidence too.
const CONTEXT: usize = 2;

/// In the order in which one line is read: the more exact sign first.
pub static SIGNS: Signs = Signs::new(&[
    Sign {
        id: "app-disk-full",
        pattern: r"(?i)no space left on device|ENOSPC|disk quota exceeded",
        sentence: "it cannot write: no space is left where it writes",
        next: "free space there (df on the host says where), then restart it",
    },
    Sign {
        id: "app-read-only",
        pattern: r"(?i)read-only file system|EROFS",
        sentence: "it writes on a file system that is read-only",
        next: "have it write elsewhere, or mount that file system for writing",
    },
    Sign {
        id: "exec-format",
        pattern: r"(?i)exec format error|cannot execute binary file|wrong ELF class",
        sentence: "its program is none for this machine, or has no #! line",
        next: "build it for the hosts' processors, or begin the script with a #! line",
    },
    Sign {
        id: "bad-interpreter",
        pattern: r"bad interpreter|cannot execute: required file not found|env: .*(?:\\r|\u{240D})|\u{240D}: not found",
        sentence: "the interpreter in its program's first line is not there, or that line ends with a carriage return (Windows line ends)",
        next: "give the script Unix line ends and an interpreter that the hosts have",
    },
    Sign {
        id: "library-missing",
        pattern: r"error while loading shared libraries: ([^:\s]+)|version `([^']+)' not found|undefined symbol: (\S+)|ImportError: (\S+\.so[\w.]*): cannot open shared object|UnsatisfiedLinkError: (.+)",
        sentence: "the shared library {} is not on the host, or not in that version",
        next: "install it on the hosts, or put it into the build",
    },
    Sign {
        id: "file-missing",
        pattern: r"can't open file '([^']+)'|(?:line \d+|: \d+): ((?:\.|/)[^:\s]+): (?:No such file|not found)|cannot open (\S+): No such file|Unable to access jarfile (\S+)|Cannot find module '([./][^']*)'|Could not open input file: (\S+)|FileNotFoundError: .*'([^']+)'|@ rb_sysopen - (\S+)|ENOENT: no such file or directory, \w+ '([^']+)'|open ([^:\s]+): no such file or directory|NoSuchFileException: (\S+)",
        sentence: "the file {} is not there",
        next: "see that it is in the repository and in the place that the Procfile's command says",
    },
    Sign {
        id: "command-missing",
        pattern: r"(?:line \d+|: \d+): ([^:\s]+): (?:command )?not found|env: \W?([\w./+-]+)\W?: No such file|can't find command '([^']+)'|exec: ([\w./+-]+): not found|exec: \W?([\w./+-]+)\W?: executable file not found",
        sentence: "the command {} is not found",
        next: "put {} into the build (or its package on the hosts), or correct the Procfile's command",
    },
    Sign {
        id: "not-executable",
        pattern: r"(?:line \d+|: \d+): ((?:\.|/)[^:\s]+): (?:cannot execute: )?Permission denied|command at '([^']+)' is not executable",
        sentence: "{} has no right to be executed",
        next: "git update-index --chmod=+x on it, commit, and dispatch again",
    },
    Sign {
        id: "module-missing",
        pattern: r"ModuleNotFoundError: No module named '([^']+)'|ImportError: No module named (\S+)|Cannot find module '([^']+)'|Cannot find package '([^']+)'|cannot load such file -- (\S+)|ClassNotFoundException: (\S+)|NoClassDefFoundError: (\S+)|Could not find or load main class (\S+)|Can't locate (\S+) in @INC|[Cc]ould not find gem '([^']+)'|Could not find (\S+) in (?:any of the sources|locally installed gems)|Class \W([\w\\]+)\W not found",
        sentence: "the module {} is not there",
        next: "add {} to the app's dependencies, commit, and dispatch again",
    },
    Sign {
        id: "import-broken",
        pattern: r"ImportError: cannot import name '([^']+)'|NoSuchMethodError: (\S+)|does not provide an export named '([^']+)'",
        sentence: "a dependency is there, but in a version without {}",
        next: "pin that dependency's version, commit, and dispatch again",
    },
    Sign {
        id: "settings-unreadable",
        pattern: r"yaml\.\w+\.(\w+Error)|(JSONDecodeError)|(TOMLDecodeError)|configparser\.(\w+)|mapping values are not allowed|(Psych::SyntaxError)|(YAMLException)|in JSON at position|is not valid JSON|invalid character .* looking for beginning of value",
        sentence: "a settings file of its own cannot be read ({})",
        next: "correct that file in the repository; what swarmdeck writes is APP_SETTINGS_YAML, which is valid",
    },
    Sign {
        id: "schema-missing",
        pattern: r#"(?i)no such table: (\S+)|relation "([^"]+)" does not exist|database "([^"]+)" does not exist|unknown database '([^']+)'|table '([^']+)' doesn't exist"#,
        sentence: "{} is not in its database",
        next: "run the app's migrations, or correct the name of the database in config",
    },
    Sign {
        id: "syntax-error",
        pattern: r"^\s*(?:SyntaxError|IndentationError|TabError): (.+)|syntax error[,:]? (near .+|unexpected .+|on line .+)|PHP Parse error: +(.+)",
        sentence: "its source does not parse: {}",
        next: "correct the source, commit, and dispatch again",
    },
    Sign {
        id: "variable-missing",
        pattern: r#"KeyError: '([A-Z][A-Z0-9_]{2,})'|key not found: "([A-Z][A-Z0-9_]{2,})"|([A-Z][A-Z0-9_]{2,}): (?:unbound variable|parameter (?:null or )?not set)|(?i:environment variable|env var) \W?([A-Z][A-Z0-9_]{2,})\W? (?i:is |must be )?(?i:not set|missing|required|undefined|set)|(?i:missing (?:required )?environment variable):? \W?([A-Z][A-Z0-9_]{2,})|([A-Z][A-Z0-9_]{2,}) (?i:environment variable )?(?i:is |must be )(?i:not set|missing|required|set)"#,
        sentence: "the environment variable {} is not set",
        next: "set {} in the swarm's env or an ingredient's, then dispatch again",
    },
    Sign {
        id: "dns",
        pattern: r#"(?i)could not translate host name "([^"]+)"|ENOTFOUND (\S+)|EAI_AGAIN (\S+)|lookup (\S+?):? .*no such host|could not resolve host(?:name)?:? (\S+)|UnknownHostException: (\S+)|gaierror|name or service not known|temporary failure in name resolution|nodename nor servname"#,
        sentence: "the name {} of something that it connects to has no address",
        next: "correct the name in config or env, or the hosts' DNS",
    },
    Sign {
        id: "backend-login",
        pattern: r#"(?i)password authentication failed for user "([^"]+)"|access denied for user '([^']+)'|WRONGPASS|NOAUTH|role "([^"]+)" does not exist|no pg_hba.conf entry"#,
        sentence: "what it connects to refuses its login {}",
        next: "correct user or password in env, then dispatch again",
    },
    Sign {
        id: "tls-expired",
        pattern: r"(?i)certificate has expired|certificate_expired|CERT_HAS_EXPIRED|certificate is not yet valid|CertificateExpiredException|CertificateNotYetValidException",
        sentence: "a certificate of what it connects to has expired, or is not valid yet",
        next: "renew that certificate; see that the host's clock is right",
    },
    Sign {
        id: "tls-untrusted",
        pattern: r"(?i)self[- ]signed certificate|unable to get local issuer|signed by unknown authority|CERTIFICATE_VERIFY_FAILED|PKIX path building failed|UNABLE_TO_VERIFY|hostname mismatch",
        sentence: "a certificate of what it connects to is signed by nobody that it trusts, or for another name",
        next: "give the app the authority's certificate, or connect by the certificate's name",
    },
    Sign {
        id: "port-taken",
        pattern: r"(?i)EADDRINUSE\D*(?:.*?:(\d+))?|address already in use|address in use|port (\d+) (?:is )?already in use|java\.net\.BindException",
        sentence: "another process listens on the port {} that it wants",
        next: "make the app listen on $PORT, which is free when it starts; or stop the other process",
    },
    Sign {
        id: "port-privileged",
        pattern: r"(?i)(?:bind|listen)\b.*(?:permission denied|EACCES)|PermissionError: \[Errno 13\] Permission denied\s*$",
        sentence: "it may not listen where it wants: ports below 1024 are root's",
        next: "make the app listen on $PORT",
    },
    Sign {
        id: "backend-refused",
        pattern: r"(?i)ECONNREFUSED ([\w.:\[\]-]+)|dial tcp ([\w.:\[\]-]+): connect: connection refused|can't connect to (?:local )?mysql server on '([^']+)'|connection refused|ECONNREFUSED",
        sentence: "nothing listens where it connects to: {}",
        next: "see that the backing service runs, and that config and env name its place",
    },
    Sign {
        id: "backend-timeout",
        pattern: r"(?i)connection timed out|ETIMEDOUT|connect timeout|i/o timeout|^(?:socket\.timeout|TimeoutError): |no route to host|EHOSTUNREACH|network is unreachable|ENETUNREACH",
        sentence: "what it connects to does not answer, or cannot be reached from this host",
        next: "see that the backing service runs and that routes and firewalls let this host reach it",
    },
    Sign {
        id: "files-exhausted",
        pattern: r"(?i)too many open files|EMFILE\b|ENFILE\b",
        sentence: "it has too many files or connections open",
        next: "raise supervisord's minfds (or LimitNOFILE), or mend what leaks them",
    },
    Sign {
        id: "app-memory",
        pattern: r"\bMemoryError\b|JavaScript heap out of memory|OutOfMemoryError|(?i)cannot allocate memory|\bENOMEM\b|std::bad_alloc|runtime: out of memory|memory allocation of \d+ bytes failed",
        sentence: "it says itself that memory ran out",
        next: "give it more memory (heap size, limit, a bigger host), or fewer workers",
    },
    Sign {
        id: "threads-exhausted",
        pattern: r"(?i)can't start new thread|resource temporarily unavailable|unable to create (?:new )?native thread|fork: retry|cannot fork",
        sentence: "it may start no more processes or threads",
        next: "raise the user's limit of processes, or start fewer",
    },
    Sign {
        id: "permission-denied",
        pattern: r"(?i)permission denied:? '([^']+)'|([^:\s]+): permission denied|EACCES: permission denied, \w+ '([^']+)'|permission denied|operation not permitted|\bEACCES\b",
        sentence: "it may not do what it tries: {}",
        next: "give the user that it runs as (run_as) the right, or have it use another place",
    },
]);

pub fn find(facts: &Facts, all: &mut Vec<Cause>) {
    for proc in facts.procs.iter().filter(|proc| proc.troubled()) {
        for shown in SIGNS.shown_by(&proc.lines) {
            let from = shown.line.saturating_sub(CONTEXT);
            let context = proc.lines.get(from..=shown.line).unwrap_or_default();
            let mut cause = Cause::new(shown.sign.id, proc.place(), shown.sentence).shows(context.to_vec()).next(shown.next);
            if shown.sign.id == "port-taken"
                && let Some(holder) = proc.probe.as_ref().map(|probe| probe.port_holder.clone()).filter(|holder| !holder.is_empty())
            {
                cause = cause.shows([format!("its own port {} is held by {holder}", proc.port.unwrap_or(0))]);
            }
            if let Some(death) = proc.lives.iter().rev().find(|life| life.died()) {
                cause = cause.shows([format!("ended: {}", death.how())]);
            }
            all.push(cause);
        }
    }
}
