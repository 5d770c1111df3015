//! A deep look at nginx on one balancer host, for `why`: does it run, does it accept its files, does it read the pools. Reads only.

use super::script::{Place, WATCH, variables};
use crate::hosts::Link;
use crate::model::shown::shown;
use crate::model::{Result, entity};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(40);

/// What nginx says of itself on one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examined {
    pub host: String,
    /// The include directory is not there.
    pub no_directory: bool,
    /// It cannot be written to.
    pub read_only: bool,
    /// What its own test says, where it refuses its configuration.
    pub refused: Vec<String>,
    /// Its master by its pid file.
    pub master: Option<u32>,
    pub pid_file: String,
    /// Pools whose file is there and that nginx does not read.
    pub not_read: Vec<String>,
    /// Pools with a change that was cut off half way.
    pub unfinished: Vec<String>,
}

/// Looks at one host of an nginx balancer.
///
/// # Errors
/// Unreachable.
pub async fn examine(balancer: &entity::Balancer, host: &str, link: &dyn Link, pools: &[String]) -> Result<Examined> {
    let place = Place::of(balancer);
    let mut body = variables(&[("dir", place.include_dir.trim_end_matches('/')), ("test", &place.test_cmd), ("pools", &pools.join(" "))]);
    body.push_str(WATCH);
    body.push_str(
        r#"[ -d "$dir" ] || echo nodir
[ ! -d "$dir" ] || [ -w "$dir" ] || echo readonly
said=$(sh -c "$test" 2>&1 </dev/null) || printf '%s\n' "$said" | tail -n 8 | sed 's/^/refused /'
find_master && echo "master $master"
echo "pidfile $pidfile"
reads=$(dump | sed -n 's/^# configuration file \(.*\):$/\1/p')
for pool in $pools; do
  [ ! -e "$dir/$pool.conf" ] || [ -z "$reads" ] || printf '%s\n' "$reads" | grep -qF "/$pool.conf" || echo "unread $pool"
  for left in "$dir/.$pool.conf.swarmdeck-before" "$dir/.$pool.conf.swarmdeck-absent"; do
    [ ! -e "$left" ] || echo "unfinished $pool"
  done
done
exit 0
"#,
    );
    let output = link.run(&body, LIMIT).await?;
    let mut found = Examined { host: host.into(), ..Examined::default() };
    for line in output.text().lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "nodir" => found.no_directory = true,
            "readonly" => found.read_only = true,
            "refused" => found.refused.push(shown(rest)),
            "master" => found.master = rest.parse().ok(),
            "pidfile" => found.pid_file = shown(rest),
            "unread" => found.not_read.push(shown(rest)),
            "unfinished" => found.unfinished.push(shown(rest)),
            _ => {}
        }
    }
    Ok(found)
}
