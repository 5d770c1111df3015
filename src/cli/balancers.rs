//! Pools on the command line: what they hold host by host, and the verbs on one, each shown before it is done.

use super::args::{BalancerCommand, Yes};
use super::confirmed_or_stopped;
use super::print::{Report, err};
use crate::deck::{Deck, PoolVerb};
use crate::model::Result;
use crate::model::shown::shown;
use serde_json::json;

pub async fn run(deck: &Deck, command: Option<BalancerCommand>) -> Result<Report> {
    let (pool, verb, yes) = match command {
        None => {
            let columns = &["balancer", "pool", "host", "state", "up", "draining", "down", "connections"];
            return Ok(Report::table(deck.list_pools().await?, columns));
        }
        Some(BalancerCommand::Repair { pool, yes }) => (pool, PoolVerb::Repair, yes),
        Some(BalancerCommand::Drain { pool, node, yes }) => (pool, PoolVerb::Drain(node), yes),
        Some(BalancerCommand::PutBack { pool, node, yes }) => (pool, PoolVerb::PutBack(node), yes),
    };
    on_pool(deck, &pool, verb, &yes).await
}

/// Shows what a verb does to a pool, asks, and does it.
pub async fn on_pool(deck: &Deck, pool: &str, verb: PoolVerb, yes: &Yes) -> Result<Report> {
    let plan = deck.pool_plan(pool, verb).await?;
    let (object, word) = (plan.object(), plan.verb.word());
    err(&format!("{word} {object}\n"));
    plan.lines.iter().for_each(|line| err(&format!("  {}\n", shown(line))));
    let protected = deck.protected(&deck.touched_by_pool(&plan.balancer, &plan.pool).await?).await?;
    confirmed_or_stopped(format!("{word} {object}?"), yes, protected).await?;
    let said = deck.pool_do(&plan, &yes.why).await?;
    let value = json!({"pool": plan.pool, "balancer": plan.balancer, "verb": word, "plan": plan.lines, "done": said});
    Ok(Report::text(format!("{object}: {said}\n"), value))
}
