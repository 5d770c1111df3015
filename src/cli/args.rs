//! The command line: every verb with the name that it has everywhere (DESIGN part 7).

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A terminal operations console that is a platform-as-a-service. Without a command it opens the console.
#[derive(Debug, Parser)]
#[command(name = "swarmdeck", version, about, max_term_width = 100)]
pub struct Cli {
    /// Where it keeps what it knows [default: /etc/swarmdeck/config.yaml's home, else your data directory].
    #[arg(long, global = true, env = "SWARMDECK_HOME", value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// How results are printed; with json, stdout holds exactly one value.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub output: Format,
    /// ASCII only on screen.
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Theme of the console: dark, light, mono, or one of your own.
    #[arg(long, global = true, value_name = "NAME")]
    pub theme: Option<String>,
    /// Change something although this fleet is read-only, for this command; why is written down.
    #[arg(long, global = true, value_name = "WHY")]
    pub write: Option<String>,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
    Yaml,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try it: own hosts, own nginx, a real dispatch, in a home of its own.
    Demo(Demo),
    /// Make a home.
    Init {
        /// One home for several users of this Unix group.
        #[arg(long, value_name = "GROUP")]
        shared: Option<String>,
        /// Where; the same as --home.
        dir: Option<PathBuf>,
    },
    /// List what there is.
    Get {
        /// procs, swarms, hosts, squads, apps, buildpacks, ingredients, balancers, pools, builds, releases, dispatches, waves, uptests,
        /// holds, strays, audit.
        kind: String,
        /// Only those whose name holds this.
        name: Option<String>,
    },
    /// Everything about one thing.
    Describe { kind: String, name: String },
    /// Create or change what a document names; deletes nothing.
    Apply {
        /// The document; `-` is standard input.
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
        /// Only show what would change.
        #[arg(long)]
        dry_run: bool,
        #[arg(short = 'm', long = "message", default_value = "")]
        why: String,
    },
    /// Write everything as a document that `apply` takes, secrets included; audited.
    Export {
        /// Only this kind.
        kind: Option<String>,
        name: Option<String>,
    },
    /// Delete an object; refused while procs run or others refer to it.
    Delete {
        kind: String,
        name: String,
        #[arg(short = 'm', long = "message", default_value = "")]
        why: String,
    },
    /// Edit in $EDITOR: a swarm's or ingredient's config, its env, or the whole of any object; or make a new one.
    Edit(EditArgs),
    /// Show exactly what a dispatch would do; it is kept, so that `dispatch --plan ID` does just that.
    Plan(DispatchArgs),
    /// Make a version live: build, prove, route, drain, retire.
    #[command(alias = "swarm")]
    Dispatch(DispatchArgs),
    /// Dispatch every swarm that uses an ingredient, as one wave.
    Wave {
        ingredient: String,
        /// After the first one, so many at a time [default: 4].
        #[arg(long, value_name = "N")]
        at_once: Option<usize>,
        #[command(flatten)]
        go: Go,
    },
    /// Back to the release that ran before; needs no build. It leaves a hold, which the next dispatch lifts by name.
    Rollback {
        /// A swarm; or `wave` and the wave's number.
        swarm: String,
        /// The number of a wave, after `wave`.
        #[arg(value_name = "NUMBER")]
        wave: Option<String>,
        /// To this release instead.
        #[arg(long, value_name = "RELEASE")]
        to: Option<String>,
        #[command(flatten)]
        go: Go,
    },
    /// Carry an interrupted dispatch to its end (all of them without a number).
    Resume {
        /// A dispatch's number; or `wave` and the wave's number.
        dispatch: Option<String>,
        /// The number of a wave, after `wave`.
        #[arg(value_name = "NUMBER")]
        wave: Option<String>,
        /// Take it over from the process that hands it over.
        #[arg(long, hide = true)]
        unattended: bool,
        #[command(flatten)]
        go: Go,
    },
    /// Nobody dispatches it until the hold is lifted, or its end has come.
    Hold(HoldArgs),
    /// Lift a hold by its name.
    Lift {
        hold: String,
        #[arg(short = 'm', long = "message", default_value = "")]
        why: String,
    },
    /// The holds that count now.
    Holds,
    /// Cancel a dispatch that is under way, which is undone; or a build.
    Cancel {
        /// A dispatch's number, or a build.
        dispatch: String,
        #[command(flatten)]
        named: Named,
    },
    /// Change how many procs a swarm has.
    Size {
        swarm: String,
        size: u32,
        #[command(flatten)]
        go: Go,
    },
    /// Build a version of an app now.
    Build {
        app: String,
        version: String,
        /// Even where a build could be reused.
        #[arg(long)]
        again: bool,
    },
    /// Start a stopped proc.
    Start(ProcArgs),
    /// Stop a proc.
    Stop(ProcArgs),
    /// Restart a proc (HOST PROC), or a whole swarm (SWARM): new procs of the same release, batch by batch, before the old ones go.
    Restart {
        /// A host, or a swarm.
        on: String,
        proc: Option<String>,
        #[command(flatten)]
        go: Go,
    },
    /// Promote the canary of a dispatch: the other procs follow.
    Promote {
        dispatch: String,
        #[command(flatten)]
        named: Named,
    },
    /// Go on without a host that does not answer; what it may hold of the dispatch is owed.
    GoOn {
        dispatch: String,
        host: String,
        #[command(flatten)]
        named: Named,
    },
    /// Wait longer for hosts that do not answer.
    Wait {
        dispatch: String,
        /// 5m
        #[arg(value_parser = humantime::parse_duration)]
        more: std::time::Duration,
    },
    /// Stop and remove a proc, without draining it.
    Destroy(ProcArgs),
    /// Run a swarm's uptests now.
    Uptest { swarm: String },
    /// What procs said: of a proc, a swarm, a host, a squad or a dispatch, put into one order.
    Logs(LogArgs),
    /// A shell: in the environment of a proc (HOST:PROC), on a host, or in the tree that a build made.
    Shell { target: String },
    /// Run a command as a proc runs: its release's environment, directory and user. Ends with the command's exit status.
    Run(RunArgs),
    /// What happened.
    Events {
        /// Only those after this number.
        #[arg(long, default_value_t = 0)]
        after: i64,
        #[arg(short, long)]
        follow: bool,
        /// Only of this dispatch.
        #[arg(long)]
        dispatch: Option<String>,
        /// The type: swarm, host, edit, uptest …
        #[arg(long = "type", value_name = "KIND")]
        kind: Option<String>,
        #[command(flatten)]
        wanted: Wanted,
    },
    /// Tell what happens, a line of plain words each, as it happens: for screen readers, pipes and other programs.
    Watch {
        /// From the event after this number on, without gaps; else what happens from now on.
        #[arg(long, value_name = "NUMBER")]
        after: Option<i64>,
    },
    /// One dispatch as a text for an incident: who, why, plan, steps, what failed, evidence, what happened around it.
    Report { dispatch: String },
    /// Who did what.
    Audit {
        /// The type: dispatch, edit, apply, hold …
        #[arg(long, value_name = "VERB")]
        verb: Option<String>,
        #[command(flatten)]
        wanted: Wanted,
    },
    /// Every version of an object: who saved it when and why; with a version, what that changed.
    History {
        /// swarm, app, squad, ingredient, buildpack or balancer.
        kind: String,
        name: String,
        version: Option<i64>,
    },
    /// Write an object down again as it was at a version; what runs stays as it is until it is dispatched.
    Revert {
        kind: String,
        name: String,
        version: i64,
        #[command(flatten)]
        yes: Yes,
    },
    /// Write a line about something, for everybody who looks at it.
    Note {
        /// swarm, host, proc, dispatch, squad, app, buildpack, ingredient or balancer.
        kind: String,
        /// Its name; a proc is HOST:PROC.
        name: String,
        #[arg(required = true)]
        text: Vec<String>,
    },
    /// What can be undone, newest first, each with the command that takes it back.
    Undo,
    /// Hosts: what they are missing, and putting it there.
    Hosts {
        #[command(subcommand)]
        command: Option<HostCommand>,
    },
    /// Take over what somebody else made, or what lost its swarm; what runs goes on as it is.
    Adopt {
        #[command(subcommand)]
        what: Adopt,
    },
    /// What is out of place, with the evidence: orphans, foreign procs, ghosts, stray nodes and port leases.
    Strays {
        /// Those too that were said to be known.
        #[arg(long)]
        all: bool,
    },
    /// Out of its pool, drained, its evidence kept, stopped, removed: a proc, a stray node or a stray port lease.
    Retire {
        /// A host, or POOL@BALANCER, as `strays` says.
        place: String,
        /// A proc, a node, or port-NUMBER.
        name: String,
        /// Although it is somebody else's.
        #[arg(long)]
        anyway: bool,
        #[command(flatten)]
        yes: Yes,
    },
    /// Remember something out of place as known: no trouble any more; its port still counts as used.
    Ignore {
        place: String,
        name: String,
        /// Show it as trouble again.
        #[arg(long)]
        take_back: bool,
        #[arg(short = 'm', long = "message", default_value = "")]
        why: String,
    },
    /// Pools on their balancer hosts: nodes, connections, edits by hand; and what is done to one.
    Balancers {
        #[command(subcommand)]
        command: Option<BalancerCommand>,
    },
    /// Why something is as it is: the cause, the evidence, what changed, what to do next.
    Why {
        /// Swarm, proc (or HOST:PROC), host, balancer or dispatch; without one, everything that can be found.
        name: Option<String>,
    },
    /// Finish or undo what an earlier process left behind, fetch what removed procs left, forget what is old; once.
    Upkeep {
        /// Again and again, until it is stopped.
        #[arg(short, long)]
        follow: bool,
    },
    /// Every key and verb of the console.
    Keys {
        /// As tables in Markdown.
        #[arg(long)]
        markdown: bool,
    },
    /// The console's themes, your own too.
    Themes {
        /// A picture of those that are always there.
        #[arg(long)]
        svg: bool,
    },
    /// Shell completions.
    Completions { shell: clap_complete::Shell },
}

impl Command {
    /// Whether it changes something, reveals a secret or gives a shell: what a fleet that is read-only bars. What only carries to its end what was
    /// confirmed before is none of it.
    pub fn changes(&self) -> bool {
        match self {
            Command::Demo(_)
            | Command::Init { .. }
            | Command::Get { .. }
            | Command::Describe { .. }
            | Command::Apply { dry_run: true, .. }
            | Command::Plan(_)
            | Command::Holds
            | Command::Undo
            | Command::Logs(_)
            | Command::Events { .. }
            | Command::Watch { .. }
            | Command::Report { .. }
            | Command::Audit { .. }
            | Command::History { .. }
            | Command::Hosts { command: None | Some(HostCommand::Check { .. }) }
            | Command::Strays { .. }
            | Command::Balancers { command: None }
            | Command::Why { .. }
            | Command::Upkeep { .. }
            | Command::Resume { unattended: true, .. }
            | Command::Keys { .. }
            | Command::Themes { .. }
            | Command::Completions { .. } => false,
            Command::Apply { .. }
            | Command::Export { .. }
            | Command::Delete { .. }
            | Command::Note { .. }
            | Command::Edit(_)
            | Command::Dispatch(_)
            | Command::Wave { .. }
            | Command::Rollback { .. }
            | Command::Resume { .. }
            | Command::Hold(_)
            | Command::Lift { .. }
            | Command::Cancel { .. }
            | Command::Size { .. }
            | Command::Build { .. }
            | Command::Start(_)
            | Command::Stop(_)
            | Command::Restart { .. }
            | Command::Promote { .. }
            | Command::GoOn { .. }
            | Command::Wait { .. }
            | Command::Destroy(_)
            | Command::Uptest { .. }
            | Command::Shell { .. }
            | Command::Run(_)
            | Command::Revert { .. }
            | Command::Hosts { .. }
            | Command::Adopt { .. }
            | Command::Retire { .. }
            | Command::Ignore { .. }
            | Command::Balancers { .. } => true,
        }
    }
}

/// Which events or audit lines are wanted.
#[derive(Debug, Args)]
pub struct Wanted {
    #[arg(long)]
    pub who: Option<String>,
    /// Words that the line must hold: what it is about.
    #[arg(long)]
    pub object: Option<String>,
    /// What concerns this app.
    #[arg(long)]
    pub app: Option<String>,
    /// From then on: 2h, 14:00, 2026-11-20.
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Up to then.
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    /// Write all of it to this new file, one JSON value a line.
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
}

/// Of `edit`.
#[derive(Debug, clap::Args)]
pub struct EditArgs {
    /// swarm, ingredient, app, squad, host, buildpack or balancer.
    pub kind: String,
    pub name: Option<String>,
    /// The env of a swarm or ingredient.
    #[arg(long, conflicts_with_all = ["whole", "new", "like"])]
    pub env: bool,
    /// A swarm or ingredient as a whole; other kinds always are.
    #[arg(long, conflicts_with_all = ["new", "like"])]
    pub whole: bool,
    /// A new one: begins with what it must have, and in comments what it may have.
    #[arg(long)]
    pub new: bool,
    /// A new one like this one.
    #[arg(long, value_name = "NAME")]
    pub like: Option<String>,
    #[command(flatten)]
    pub yes: Yes,
}

/// Of `hosts`.
#[derive(Debug, Subcommand)]
pub enum HostCommand {
    /// What is missing on a host.
    Check { name: String },
    /// Put it there; restarts nothing that runs.
    Provision {
        name: String,
        #[command(flatten)]
        named: Named,
    },
    /// Take a host over from another installation; says first which one has it.
    Claim {
        name: String,
        #[command(flatten)]
        yes: Yes,
    },
    /// Let new procs be placed on it again.
    InService {
        name: String,
        #[arg(short = 'm', long = "message", value_name = "WHY", default_value = "")]
        why: String,
    },
    /// No new procs are placed on it; what runs goes on.
    OutOfService {
        name: String,
        #[arg(short = 'm', long = "message", value_name = "WHY", default_value = "")]
        why: String,
    },
    /// Write another host into a squad.
    Add {
        name: String,
        /// Into this squad [default: that of --like].
        #[arg(long, required_unless_present = "like")]
        squad: Option<String>,
        /// With the keys of this host, but for its id and its address.
        #[arg(long, value_name = "HOST")]
        like: Option<String>,
        #[arg(short = 'm', long = "message", value_name = "WHY", default_value = "")]
        why: String,
    },
    /// Replace every proc of ours on a host by new ones elsewhere; of several swarms as one wave.
    Evacuate {
        name: String,
        #[command(flatten)]
        go: Go,
    },
    /// Replace the procs of a host that does not answer: its nodes leave the pools, and it owes their retirement.
    #[command(name = "re-place")]
    RePlace {
        name: String,
        #[command(flatten)]
        go: Go,
    },
}

/// Of `balancers`.
#[derive(Debug, Subcommand)]
pub enum BalancerCommand {
    /// Go back to what we last wrote to a pool, where somebody edited it since.
    Repair {
        /// POOL@BALANCER, or POOL.
        pool: String,
        #[command(flatten)]
        yes: Yes,
    },
    /// Take a node out of a pool: it gets nothing new, and goes on with what it has.
    Drain {
        /// POOL@BALANCER, or POOL.
        pool: String,
        /// HOST:PORT.
        node: String,
        #[command(flatten)]
        yes: Yes,
    },
    /// Put back a node that was taken out.
    PutBack {
        /// POOL@BALANCER, or POOL.
        pool: String,
        /// HOST:PORT.
        node: String,
        #[command(flatten)]
        yes: Yes,
    },
}

/// Of `adopt`.
#[derive(Debug, Subcommand)]
pub enum Adopt {
    /// A pool that an operator or another tool wrote, or that another swarm has: its nodes stay, dispatches may change it from then on.
    Pool {
        /// POOL@BALANCER, or POOL.
        name: String,
        #[command(flatten)]
        yes: Yes,
    },
    /// An orphan or foreign proc, into the swarm that it was deployed as, or another one.
    Proc {
        host: String,
        proc: String,
        /// Into this swarm.
        #[arg(long, value_name = "SWARM")]
        swarm: Option<String>,
        /// Although it is somebody else's, or not what the swarm is.
        #[arg(long)]
        anyway: bool,
        #[command(flatten)]
        yes: Yes,
    },
    /// Every proc of a host that was deployed as a swarm of its squad: a host that Velociraptor set up, its procs in place.
    Host {
        host: String,
        /// Although they are somebody else's.
        #[arg(long)]
        anyway: bool,
        #[command(flatten)]
        yes: Yes,
    },
}

/// Of `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Without a screen: v1, v2, roll back, under requests all the time.
    #[arg(long, conflicts_with = "down")]
    pub headless: bool,
    /// Stop and remove everything that the demo made.
    #[arg(long)]
    pub down: bool,
}

/// Of `plan` and `dispatch`.
#[derive(Debug, Args)]
pub struct DispatchArgs {
    /// app-config-proc, with @squad when that is ambiguous.
    /// Several are one wave: one plan, the first alone, then --at-once at a time, stopped at the first failure.
    #[arg(required_unless_present = "plan")]
    pub swarms: Vec<String>,
    /// Tag, branch, bookmark or revision [default: the swarm's own].
    #[arg(long, allow_hyphen_values = true)]
    pub version: Option<String>,
    #[arg(long)]
    pub size: Option<u32>,
    /// Build again even where a build could be reused.
    #[arg(long)]
    pub rebuild: bool,
    /// Leave procs of the swarm's earlier names as they are.
    #[arg(long)]
    pub leave_orphans: bool,
    /// Execute this stored plan.
    #[arg(long, value_name = "ID", conflicts_with_all = ["version", "size", "rebuild", "leave_orphans"])]
    pub plan: Option<String>,
    /// Of several swarms: so many at a time after the first [default: 4].
    #[arg(long, value_name = "N")]
    pub at_once: Option<usize>,
    #[command(flatten)]
    pub go: Go,
}

/// What every verb that dispatches takes.
#[derive(Debug, Args)]
pub struct Go {
    /// What to do when somebody else is at the swarm.
    #[arg(long, value_enum, default_value_t = Busy::Refuse)]
    pub on_busy: Busy,
    /// Lift this hold of the swarm, and go.
    #[arg(long, value_name = "HOLD")]
    pub lift: Vec<String>,
    #[command(flatten)]
    pub yes: Yes,
}

/// When somebody else is at the swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Busy {
    /// Say who, why and at which step (exit 3).
    Refuse,
    /// Wait until it has ended.
    Wait,
    /// Cancel it, wait until it is undone, then go.
    Supersede,
}

/// Of `hold`.
#[derive(Debug, Args)]
pub struct HoldArgs {
    /// swarm, squad, host or fleet.
    pub what: String,
    /// Its name; the fleet has none.
    pub name: Option<String>,
    /// Until it ends by itself: 2h, 3d.
    #[arg(long = "for", value_name = "SPAN", conflicts_with = "until")]
    pub after: Option<String>,
    /// Until this time: 2026-11-22T18:00Z, or 18:00 (UTC).
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Why; others will read it.
    #[arg(short = 'm', long = "message", value_name = "WHY", default_value = "")]
    pub why: String,
}

/// Of `logs`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// HOST:PROC, a swarm, a host, a squad, a dispatch's number, or a build.
    pub target: String,
    /// The proc, when the target is its host.
    pub proc: Option<String>,
    /// And what comes, replacements of procs included.
    #[arg(short, long)]
    pub follow: bool,
    /// Only since then, where lines carry times: 15m, 2h, 2026-11-21T10:00:00Z, or all that is kept.
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// The last so many lines of what there is.
    #[arg(short = 'n', long, value_name = "N")]
    pub lines: Option<usize>,
    /// Only lines that match this regular expression.
    #[arg(long, value_name = "REGEX")]
    pub grep: Option<String>,
    /// Of a proc's last lives instead: how each ended, and the lines before its end.
    #[arg(short = 'p', long)]
    pub last_life: bool,
}

/// Of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// HOST:PROC, or a swarm.
    pub target: String,
    /// On each running proc of the swarm, not on one.
    #[arg(long)]
    pub all: bool,
    /// Why; kept in the audit.
    #[arg(short = 'm', long = "message", value_name = "WHY", default_value = "")]
    pub why: String,
    #[command(flatten)]
    pub named: Named,
    /// The command and its arguments, after `--`.
    #[arg(last = true, required = true)]
    pub argv: Vec<String>,
}

/// Of a proc's verbs.
#[derive(Debug, Args)]
pub struct ProcArgs {
    pub host: String,
    pub proc: String,
    #[command(flatten)]
    pub yes: Yes,
}

/// What every verb with a plan takes.
#[derive(Debug, Clone, Args)]
pub struct Yes {
    /// Without asking.
    #[arg(short, long)]
    pub yes: bool,
    /// Why; kept in the audit.
    #[arg(short = 'm', long = "message", value_name = "WHY", default_value = "")]
    pub why: String,
    #[command(flatten)]
    pub named: Named,
}

/// The name of what is protected (`protect: true`), in place of typing it.
#[derive(Debug, Clone, Default, Args)]
pub struct Named {
    /// Name what is protected (fleet, squad, host or swarm): --yes is not enough there.
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_command_can_be_read() {
        Cli::command().debug_assert();
        let read = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap();
        let cli = read("swarmdeck dispatch shop -y --confirm shop-prod-web --write OPS-1");
        assert_eq!(cli.write.as_deref(), Some("OPS-1"));
        assert!(matches!(cli.command, Some(Command::Dispatch(args)) if args.go.yes.named.confirm.as_deref() == Some("shop-prod-web")));
        let changes = |line: &str| read(line).command.is_some_and(|command| command.changes());
        for looks in [
            "swarmdeck get swarms",
            "swarmdeck plan shop",
            "swarmdeck apply -f x --dry-run",
            "swarmdeck hosts check web01",
            "swarmdeck upkeep",
        ] {
            assert!(!changes(looks), "{looks}");
        }
        for acts in [
            "swarmdeck export",
            "swarmdeck shell web01",
            "swarmdeck run web01:x -- true",
            "swarmdeck hosts provision web01",
            "swarmdeck resume 4",
        ] {
            assert!(changes(acts), "{acts}");
        }
    }
}
