//! What one row says: its glyph, what the glyph means, and the text of each column.

mod balancing;
mod fleet;
mod past;
mod work;
mod written;

pub use fleet::{host_state, proc_glyph, proc_rank, swarm_rank, who_of};
pub use work::{PLACE_PHASES, dispatch_state};

use super::filter::About;
use super::find;
use super::text::{age, count};
use crate::console::state::{Kind, Pane, RowId, Scope};
use crate::console::theme::Role;
use crate::deck::look::{Look, Target};
use crate::model::world::HostState;

/// The text of one column, and what it is ordered by where that is no text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub number: Option<i64>,
}

impl Cell {
    /// Ordered by a number.
    pub fn of(text: impl Into<String>, number: i64) -> Cell {
        Cell { text: text.into(), number: Some(number) }
    }
    /// How long ago, the youngest first and never last.
    pub fn age(now_ms: i64, then_ms: i64) -> Cell {
        Cell::of(age(now_ms, then_ms), if then_ms > 0 { now_ms - then_ms } else { i64::MAX })
    }
    /// A count.
    pub fn count(number: usize) -> Cell {
        Cell::of(number.to_string(), i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell { text, number: None }
    }
}
impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell { text: text.into(), number: None }
    }
}

/// One row, ready to draw.
#[derive(Debug, Clone, Default)]
pub struct Cells {
    pub glyph: char,
    pub role: Option<Role>,
    /// One per column of its kind.
    pub cells: Vec<Cell>,
    /// For the filter.
    pub about: About,
    /// How much it needs somebody; 0 is worst.
    pub rank: u8,
}

impl Cells {
    /// With a glyph that means a state.
    pub fn new(glyph: char, rank: u8, cells: Vec<Cell>, about: About) -> Cells {
        Cells { glyph, role: (glyph != ' ').then(|| role_of(glyph)), cells, about, rank }
    }
    /// Everything that it shows, in small letters.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for cell in &self.cells {
            text.push_str(&cell.text);
            text.push(' ');
        }
        text.to_lowercase()
    }
}

/// Ranks below this are trouble.
pub const TROUBLE: u8 = 4;

/// What the row says; none when its object is gone.
pub fn cells(look: &Look, now_ms: i64, pane: &Pane, id: &RowId) -> Option<Cells> {
    match (pane.kind, &id.0) {
        (Kind::Needs, _) => need(look, now_ms, id),
        (Kind::Undo, target) => past::undo(look, now_ms, target),
        (Kind::Tree, target) => super::tree::cells(look, now_ms, pane, target),
        (_, Target::Swarm(id)) => Some(fleet::swarm(look, now_ms, find::swarm(look, id)?)),
        (Kind::Places, Target::Host(place)) => {
            let Scope::Run(run) = &pane.scope else { return None };
            Some(work::place_of(look, now_ms, find::dispatch(look, run)?, place))
        }
        (_, Target::Host(name)) => fleet::host(look, now_ms, name),
        (Kind::Squads, Target::Squad(name)) => Some(fleet::squad(look, now_ms, name)),
        (_, Target::Squad(name)) => Some(fleet::squad_head(look, name)),
        (_, Target::Proc(on, name)) => Some(fleet::proc(look, find::proc(look, on, name)?)),
        (_, Target::Build(id)) => work::build(look, now_ms, id),
        (_, Target::Dispatch(id)) => Some(work::dispatch(look, now_ms, find::dispatch(look, id)?)),
        (_, Target::Ingredient(id)) => written::ingredient(look, now_ms, id),
        (_, Target::Event(seq)) => past::event(look, *seq),
        (_, Target::Stray(place, name)) => Some(past::stray(now_ms, find::stray(look, place, name)?)),
        (_, Target::App(name)) => written::app(look, now_ms, name),
        (_, Target::Buildpack(name)) => written::buildpack(look, now_ms, name),
        (_, Target::Balancer(name)) => balancing::balancer(look, name),
        (_, Target::Pool(balancer, pool)) => Some(balancing::pool(look, balancer, pool)),
        (_, Target::Node { balancer, pool, host, node }) => balancing::node(look, balancer, pool, host, node),
        (_, Target::Release(swarm, id)) => past::release(look, now_ms, swarm, id),
        (_, Target::Uptests(id)) => past::uptests(look, now_ms, id),
        (_, Target::Hold(name)) => past::hold(look, now_ms, name),
        (_, Target::Wave(number)) => work::wave(look, now_ms, *number),
        (_, Target::Member(number, swarm)) => work::member(look, *number, swarm),
        (_, Target::Audit(seq)) => past::audit(look, *seq),
        (_, Target::Version(_, rev)) => past::version(look, now_ms, &pane.scope, *rev),
        (_, Target::Share(..) | Target::Strays | Target::Nothing) => None,
    }
}

/// The role of a state's glyph.
pub fn role_of(glyph: char) -> Role {
    match glyph {
        '*' => Role::Ok,
        '~' => Role::Moving,
        '!' => Role::Wrong,
        '?' => Role::Unseen,
        '.' => Role::Note,
        _ => Role::Off,
    }
}

fn need(look: &Look, now_ms: i64, (target, nth): &RowId) -> Option<Cells> {
    let need = look.needs.iter().filter(|need| need.target == *target).nth(usize::from(*nth))?;
    let rank = match need.glyph {
        '!' => 0,
        '?' => 1,
        '~' => 2,
        _ => 3,
    };
    let cells = vec![need.object.clone().into(), need.text.clone().into(), Cell::age(now_ms, need.since_ms)];
    Some(Cells::new(need.glyph, rank, cells, About { at_ms: need.since_ms, ..About::default() }))
}

/// Numbers for the header: hosts seen and known, procs running and wanted.
pub fn totals(look: &Look) -> (String, String, String) {
    let seen_hosts = look.world.hosts.values().filter(|host| matches!(host.state, HostState::Ok | HostState::Degraded(_))).count();
    let known = look.world.hosts.len().max(look.hosts.len());
    let ready: u32 = look.swarms.iter().map(|swarm| swarm.ready).sum();
    let wanted: u32 = look.swarms.iter().map(|swarm| swarm.size).sum();
    (
        format!("{}/{}", seen_hosts, known),
        format!("{}/{}", count(i64::from(ready)), count(i64::from(wanted))),
        count(look.swarms.len() as i64),
    )
}
