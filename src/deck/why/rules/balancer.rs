//! What is wrong with a balancer and its pools.

use super::{Cause, Facts};

pub fn find(facts: &Facts, all: &mut Vec<Cause>) {
    for nginx in &facts.examined {
        let host = &nginx.host;
        if nginx.no_directory || nginx.read_only {
            let what = if nginx.no_directory { "is not there" } else { "cannot be written to" };
            all.push(
                Cause::new("pool-dir-missing", host, format!("the include directory {what}"))
                    .shows([format!("include_dir {what}")])
                    .next("make the directory, or correct include_dir"),
            );
        }
        if let Some(first) = nginx.refused.iter().find(|line| line.contains("[emerg]")).or_else(|| nginx.refused.first()) {
            all.push(
                Cause::new("nginx-config", host, format!("nginx refuses its configuration: {}", place(first)))
                    .shows(nginx.refused.clone())
                    .next("correct the file and line that it names; nginx goes on with what it has until then"),
            );
        }
        if nginx.master.is_none() {
            all.push(
                Cause::new("nginx-down", host, "nginx does not run")
                    .shows([format!("no process by {}", nginx.pid_file)])
                    .next("start nginx there; its error log says why it ended"),
            );
        }
        for pool in &nginx.not_read {
            all.push(
                Cause::new("pool-not-included", host, format!("nginx does not read the file of pool {pool}"))
                    .shows([format!("{pool}.conf is not among the files that nginx -T names")])
                    .next("include that directory's *.conf in nginx's http block"),
            );
        }
        for pool in &nginx.unfinished {
            all.push(
                Cause::new("pool-unfinished", host, format!("a change of pool {pool} was cut off half way"))
                    .shows([format!("the old file of {pool} still lies beside it")])
                    .next("swarmdeck resume, or dispatch again: that puts it right"),
            );
        }
    }
    for pool in &facts.pools {
        let place = format!("{} {}@{}", pool.host, pool.pool, pool.balancer);
        if let Some(edits) = &pool.edited {
            all.push(
                Cause::new("pool-edited", &place, format!("somebody edited the file of pool {} by hand", pool.pool))
                    .shows(edits.lines().map(str::to_string))
                    .next("the next dispatch keeps what stands beside nodes that stay; take the edit back, or dispatch"),
            );
        }
        if !pool.not_ours.is_empty() {
            all.push(
                Cause::new("pool-not-ours", &place, format!("the file of pool {} was written by somebody else", pool.pool))
                    .shows([pool.not_ours.clone()])
                    .next(format!("swarmdeck adopt pool {}@{}", pool.pool, pool.balancer)),
            );
        }
        if !pool.out_of_reach.is_empty() {
            all.push(
                Cause::new("node-out-of-reach", &place, format!("nodes of pool {} cannot be connected to from the balancer", pool.pool))
                    .shows([pool.out_of_reach.clone()])
                    .next("see that the procs run and listen at 0.0.0.0, and that routes and firewalls let the balancer reach them"),
            );
        }
        if !pool.differs.is_empty() {
            all.push(
                Cause::new("pool-disagree", &place, "the balancer's hosts do not hold the same nodes")
                    .shows([pool.differs.clone()])
                    .next("dispatch again: that brings them together"),
            );
        }
        if !pool.unread.is_empty() && !super::said::known(&pool.unread) {
            all.push(
                Cause::new("pool-unread", &place, format!("pool {} cannot be read", pool.pool))
                    .shows([pool.unread.clone()])
                    .next("look at its balancer's hosts: swarmdeck hosts check"),
            );
        }
    }
}

/// nginx's complaint without its prefix.
fn place(line: &str) -> &str {
    line.split_once("[emerg] ").map_or(line, |(_, rest)| rest)
}
