//! An empty home: what this is, and three ways to begin.

use super::{Pen, header};
use crate::console::state::State;
use crate::console::theme::Role;
use ratatui::layout::{Position, Rect};

const TEXT: &[(Role, &str)] = &[
    (Role::Title, "Nothing is written down here yet."),
    (Role::Text, ""),
    (Role::Text, "swarmdeck runs apps on your own machines. It builds a version from git, starts"),
    (Role::Text, "procs on squads of hosts over SSH, proves them, routes them behind a balancer,"),
    (Role::Text, "and only then takes the old ones away. Hosts need sshd, tar and Supervisor."),
    (Role::Text, ""),
    (Role::Text, "  app       a name and a git repository     swarm  procs of one app"),
    (Role::Text, "  squad     hosts that are alike            proc   a process, a port"),
    (Role::Text, "  dispatch  a version made live: planned, shown, done, or undone as it was"),
    (Role::Text, ""),
    (Role::Title, "Begin with one of these:"),
    (Role::Focus, "  d   the demo: a small fleet on this machine, gone again with demo --down"),
    (Role::Focus, "  h   a first host: any name that ssh knows, or this machine"),
    (Role::Focus, "  a   a document: the YAML that apply -f takes; export writes the same"),
    (Role::Text, ""),
    (Role::Text, "Nothing is done before it was shown: small letters look, CAPITALS sort, and"),
    (Role::Text, "\".\" acts, always by a plan or a question. ? lists every key, q leaves."),
];

/// Draws it.
pub fn draw(pen: &mut Pen<'_>, state: &State) -> Option<Position> {
    header::draw(pen, state, "welcome");
    let Rect { x, y, width, height } = pen.area;
    let top = y + if height >= 24 { 3 } else { 1 };
    let inset = if width >= 84 { (width - 80) / 2 } else { u16::from(width >= 80) };
    let mut row = top;
    for (role, text) in TEXT {
        let wide = usize::from(width.saturating_sub(inset * 2).max(1));
        // On a narrow screen sentences are broken, tables are cut.
        let lines = if text.starts_with(' ') { vec![(*text).to_string()] } else { super::footer::wrap(text, wide) };
        for line in lines {
            if row + 2 >= y + height {
                return None;
            }
            pen.text(x + inset, row, wide as u16, &line, *role);
            row += 1;
        }
    }
    None
}
