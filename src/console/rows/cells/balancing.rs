//! Rows of balancers, their pools, and the nodes of a pool on each balancer host.

use super::{Cell, Cells};
use crate::console::rows::filter::About;
use crate::console::rows::find;
use crate::console::rows::text::or_dash;
use crate::deck::look::Look;
use crate::model::world::{NodeState, PoolSeen};

/// A pool's glyph, word and what is to be said, and how much it needs somebody.
fn state(seen: Option<&PoolSeen>) -> (char, &'static str, String, u8) {
    let Some(seen) = seen else { return ('o', "not asked", String::new(), 5) };
    let edited = seen.hosts.iter().find_map(|host| host.edited_by_hand.as_ref().map(|edit| format!("{}: {}", host.host, edit.what)));
    let away = seen.hosts.iter().find_map(|host| host.away.as_ref().map(|why| format!("{}: {why}", host.host)));
    let owed = seen.hosts.iter().find_map(|host| host.owed.as_ref().map(|what| format!("{}: {what}", host.host)));
    if let Some(text) = edited {
        return ('!', "edited", format!("edited by hand on {text}"), 0);
    }
    if let Some(text) = away {
        return ('?', "away", text, 1);
    }
    if let Some(text) = seen.trouble.first().cloned().or(owed) {
        return ('!', "trouble", text, 0);
    }
    if !seen.taken_out().is_empty() {
        return ('.', "taken out", format!("taken out: {}", seen.taken_out().into_iter().collect::<Vec<_>>().join(" ")), 3);
    }
    if seen.nodes.is_empty() { ('o', "empty", String::new(), 5) } else { ('*', "ok", String::new(), 4) }
}

pub fn balancer(look: &Look, name: &str) -> Option<Cells> {
    let balancer = find::balancer(look, name)?;
    let pools = find::pools(look, Some(name));
    let worst = pools.iter().map(|(balancer, pool)| state(look.world.pool(balancer, pool))).min_by_key(|(.., rank)| *rank);
    let (glyph, word, note, rank) = worst.unwrap_or(('o', "no pools", String::new(), 5));
    let nodes: usize = pools.iter().filter_map(|(balancer, pool)| look.world.pool(balancer, pool)).map(|seen| seen.nodes.len()).sum();
    let cells = vec![
        name.into(),
        Cell::of(word, i64::from(rank)),
        balancer.backend.clone().into(),
        Cell::count(balancer.hosts.len()),
        Cell::count(pools.len()),
        Cell::count(nodes),
        or_dash(&note).into(),
    ];
    Some(Cells::new(glyph, rank, cells, About { state: word.into(), kind: balancer.backend.clone(), ..About::default() }))
}

pub fn pool(look: &Look, balancer: &str, pool: &str) -> Cells {
    let seen = look.world.pool(balancer, pool);
    let (glyph, word, note, rank) = state(seen);
    let count = |wanted: NodeState| {
        let nodes = seen.iter().flat_map(|seen| &seen.hosts).flat_map(|host| &host.nodes);
        nodes.filter(|(_, state)| **state == wanted).map(|(node, _)| node).collect::<std::collections::BTreeSet<_>>().len()
    };
    let up = seen.map_or(0, |seen| seen.nodes.len());
    let connections: Option<u32> = seen.and_then(|seen| {
        let counted: Vec<u32> = seen.hosts.iter().flat_map(|host| host.connections.values().copied()).collect();
        (!counted.is_empty()).then(|| counted.iter().sum())
    });
    let swarm = find::swarm_of_pool(look, balancer, pool);
    let hosts: Vec<&str> = seen.iter().flat_map(|seen| &seen.hosts).map(|host| host.host.as_str()).collect();
    let cells = vec![
        pool.into(),
        balancer.into(),
        Cell::of(word, i64::from(rank)),
        Cell::count(up),
        Cell::count(count(NodeState::Draining)),
        Cell::count(count(NodeState::Down)),
        Cell::of(connections.map_or_else(|| "-".into(), |count| count.to_string()), connections.map_or(-1, i64::from)),
        swarm.map_or_else(|| "-".into(), |swarm| find::called(look, swarm)).into(),
        or_dash(&note).into(),
    ];
    let about = About {
        state: word.into(),
        host: hosts.join(" "),
        app: swarm.map(|swarm| swarm.app.clone()).unwrap_or_default(),
        squad: swarm.map(|swarm| swarm.squad.clone()).unwrap_or_default(),
        swarm: swarm.map(|swarm| swarm.short.clone()).unwrap_or_default(),
        ..About::default()
    };
    Cells::new(glyph, rank, cells, about)
}

pub fn node(look: &Look, balancer: &str, pool: &str, host: &str, node: &str) -> Option<Cells> {
    let seen = look.world.pool(balancer, pool)?;
    let on = seen.hosts.iter().find(|on| on.host == host);
    let node_state = on.and_then(|on| on.nodes.get(node)).copied();
    let away = on.is_some_and(|on| on.away.is_some());
    let (glyph, word, rank) = match node_state {
        _ if away => ('?', "not seen", 1),
        Some(NodeState::Up) => ('*', "up", 4),
        Some(NodeState::Draining) => ('~', "draining", 2),
        Some(NodeState::Down) => ('o', "down", 3),
        None => ('!', "missing", 0),
    };
    let connections = on.and_then(|on| on.connections.get(node)).copied();
    let proc = find::proc_of_node(look, node);
    let cells = vec![
        node.into(),
        or_dash(host).into(),
        Cell::of(word, i64::from(rank)),
        Cell::of(connections.map_or_else(|| "-".into(), |count| count.to_string()), connections.map_or(-1, i64::from)),
        proc.map_or("nobody's", |proc| proc.state.word()).into(),
        proc.map_or("-", |proc| proc.name.as_str()).into(),
    ];
    let about = About { state: word.into(), host: host.into(), ..About::default() };
    Some(Cells::new(glyph, rank, cells, about))
}
