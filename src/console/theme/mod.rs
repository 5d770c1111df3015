//! What a semantic role looks like: themes are YAML, colours fall back to what the terminal can draw.

mod depth;
mod load;

pub use depth::Depth;
pub use load::{EMBEDDED, load, names, paper};

use crate::model::colour::Colour;
use ratatui::style::{Modifier, Style};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a piece of text means; views name roles, never colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// What everything else is drawn on: a colour for text that has none, and the ground; both the terminal's own when not named.
    Ground,
    /// Plain text.
    Text,
    /// Section rules and their titles.
    Title,
    /// The first line of a screen, and the fleet's name in it.
    Header,
    Fleet,
    Footer,
    /// What is less important.
    Dim,
    Ok,
    Moving,
    Wrong,
    Unseen,
    Off,
    Note,
    /// The row that has the cursor.
    Selection,
    /// The pane or field that has the focus.
    Focus,
    Marked,
    /// A button, and the one that has the focus.
    Button,
    ButtonFocus,
    Input,
    /// What a search or fuzzy match hit.
    Match,
    Border,
    /// YAML and key names in help.
    Key,
    String,
    Number,
    Comment,
    Punctuation,
    Error,
    Warning,
    LineNumber,
    DiffAdd,
    DiffRemove,
    DiffHunk,
    Secret,
    /// A message at the foot of the screen.
    Toast,
    ToastError,
}

impl Role {
    /// Every role, for tests and galleries.
    pub const ALL: [Role; 35] = [
        Role::Ground,
        Role::Text,
        Role::Title,
        Role::Header,
        Role::Fleet,
        Role::Footer,
        Role::Dim,
        Role::Ok,
        Role::Moving,
        Role::Wrong,
        Role::Unseen,
        Role::Off,
        Role::Note,
        Role::Selection,
        Role::Focus,
        Role::Marked,
        Role::Button,
        Role::ButtonFocus,
        Role::Input,
        Role::Match,
        Role::Border,
        Role::Key,
        Role::String,
        Role::Number,
        Role::Comment,
        Role::Punctuation,
        Role::Error,
        Role::Warning,
        Role::LineNumber,
        Role::DiffAdd,
        Role::DiffRemove,
        Role::DiffHunk,
        Role::Secret,
        Role::Toast,
        Role::ToastError,
    ];
}

/// A theme, resolved for the terminal at hand.
#[derive(Debug, Clone, Default)]
pub struct Theme {
    pub name: String,
    pub depth: Depth,
    styles: BTreeMap<Role, Style>,
}

impl Theme {
    /// How a role looks; roles that the theme does not name look like plain text.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(&role).copied().unwrap_or_default()
    }

    /// With the first line of every screen in the fleet's own colour; without colours it is reversed.
    #[must_use]
    pub fn with_band(mut self, band: Option<Colour>) -> Theme {
        if let Some(band) = band {
            let style = self.depth.band(band);
            self.styles.insert(Role::Header, style);
            self.styles.insert(Role::Fleet, style.add_modifier(Modifier::BOLD));
        }
        self
    }
}
