//! The keymap itself (`screens/keymap.txt`): small letters look, CAPITALS sort, `.` acts.

/// Where a binding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Where {
    /// Everywhere but in a text field.
    Base,
    /// A list of rows, and any text that scrolls.
    Table,
    Plan,
    Log,
    /// A question with buttons.
    Confirm,
}

impl Where {
    pub const ALL: [Where; 5] = [Where::Base, Where::Table, Where::Plan, Where::Log, Where::Confirm];
    /// Its heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Where::Base => "everywhere",
            Where::Table => "lists",
            Where::Plan => "plan",
            Where::Log => "logs",
            Where::Confirm => "questions",
        }
    }
}

/// What a key can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Down,
    Up,
    Top,
    Bottom,
    HalfDown,
    HalfUp,
    PageDown,
    PageUp,
    In,
    Out,
    Leave,
    NextPane,
    PreviousPane,
    Tab(u8),
    Palette,
    Filter,
    Find,
    Next,
    Previous,
    TroubleOnly,
    Refresh,
    Mark,
    MarkAll,
    MarkRange,
    ClearMarks,
    Undo,
    SortColumn,
    Menu,
    Describe,
    Why,
    Logs,
    Events,
    Edit,
    Copy,
    Help,
    Stop,
    Suspend,
    NextField,
    PreviousField,
    Choose,
    Accept,
    Refuse,
    AllDifferences,
    Follow,
    Pause,
    Wrap,
    Times,
    Left,
    Right,
    Tree,
    Yaml,
    History,
    Difference,
    Zoom,
    Back,
    Forward,
    DrawMark,
    /// How far back, by its number.
    Since(u8),
    OnlyThis,
    Save,
    LastLife,
    Shell,
}

impl Action {
    /// Whether it may change what runs (from a plan or a question only).
    pub fn acts(self) -> bool {
        matches!(self, Action::Accept | Action::Choose)
    }
}

/// One line of the keymap.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    pub action: Action,
    pub place: Where,
    /// Each is a key, or a chord of two with a blank between.
    pub keys: &'static [&'static str],
    pub title: &'static str,
}

const fn bind(place: Where, action: Action, keys: &'static [&'static str], title: &'static str) -> Binding {
    Binding { action, place, keys, title }
}

/// Every binding.
pub const BINDINGS: &[Binding] = &[
    bind(Where::Table, Action::Down, &["j", "down"], "down"),
    bind(Where::Table, Action::Up, &["k", "up"], "up"),
    bind(Where::Table, Action::Top, &["g g", "home"], "to the top"),
    bind(Where::Table, Action::Bottom, &["G", "end"], "to the bottom"),
    bind(Where::Table, Action::HalfDown, &["^d"], "half a page down"),
    bind(Where::Table, Action::HalfUp, &["^u"], "half a page up"),
    bind(Where::Table, Action::PageDown, &["^f", "pgdn"], "a page down"),
    bind(Where::Table, Action::PageUp, &["pgup"], "a page up"),
    bind(Where::Table, Action::In, &["enter"], "open"),
    bind(Where::Table, Action::Right, &["right"], "open; in a tree unfold"),
    bind(Where::Table, Action::Left, &["left"], "one level out; in a tree fold, or up"),
    bind(Where::Table, Action::Mark, &["space"], "mark"),
    bind(Where::Table, Action::MarkRange, &["v"], "mark a range: from here to where you go, v ends it"),
    bind(Where::Table, Action::MarkAll, &["*"], "mark all shown"),
    bind(Where::Table, Action::ClearMarks, &["\\"], "clear the marks"),
    bind(Where::Table, Action::Filter, &["/"], "filter: text, !x, ~x, state:fatal, host:web*, app:, squad:, since:2h"),
    bind(Where::Table, Action::TroubleOnly, &["!"], "trouble only"),
    bind(Where::Table, Action::SortColumn, &["o"], "sort by the next column, up, then down"),
    bind(Where::Table, Action::Menu, &["."], "act on this row: one letter, one verb"),
    bind(Where::Table, Action::Describe, &["d"], "describe: everything that is known"),
    bind(Where::Table, Action::Why, &["w"], "why is it so"),
    bind(Where::Table, Action::Logs, &["l", "f"], "logs"),
    bind(Where::Table, Action::LastLife, &["p"], "logs of its last lives"),
    bind(Where::Table, Action::Shell, &["s"], "shell: of the proc, host or build"),
    bind(Where::Table, Action::Events, &["i"], "its events"),
    bind(Where::Table, Action::Edit, &["e"], "edit"),
    bind(Where::Table, Action::Copy, &["c"], "copy the name, or the text that is shown"),
    bind(Where::Table, Action::Yaml, &["y"], "as YAML, secrets masked"),
    bind(Where::Table, Action::Difference, &["="], "difference saved/running; of two marked: compare"),
    bind(Where::Table, Action::History, &["h"], "history: its versions, and the way back"),
    bind(Where::Table, Action::Undo, &["u"], "what can be undone; never acts at once"),
    bind(Where::Table, Action::Tree, &["t"], "tree or list: app > swarm > host > proc"),
    bind(Where::Table, Action::Zoom, &["z"], "zoom: this pane alone, and back"),
    bind(Where::Base, Action::Back, &["["], "back to where you were"),
    bind(Where::Base, Action::Forward, &["]"], "forward again"),
    bind(Where::Base, Action::Out, &["esc"], "one level out"),
    bind(Where::Base, Action::Leave, &["q"], "close; at the root leave"),
    bind(Where::Base, Action::NextPane, &["tab"], "next pane"),
    bind(Where::Base, Action::PreviousPane, &["s-tab"], "previous pane"),
    bind(Where::Base, Action::Tab(1), &["1"], "the dash"),
    bind(Where::Base, Action::Tab(2), &["2"], "swarms"),
    bind(Where::Base, Action::Tab(3), &["3"], "squads and hosts"),
    bind(Where::Base, Action::Tab(4), &["4"], "procs"),
    bind(Where::Base, Action::Tab(5), &["5"], "builds"),
    bind(Where::Base, Action::Tab(6), &["6"], "dispatches"),
    bind(Where::Base, Action::Tab(7), &["7"], "ingredients"),
    bind(Where::Base, Action::Tab(8), &["8"], "events"),
    bind(Where::Base, Action::Tab(9), &["9"], "strays: what is out of place"),
    bind(Where::Base, Action::Palette, &[":"], "go to any object, do any verb"),
    bind(Where::Base, Action::Refresh, &["^r"], "observe now"),
    bind(Where::Base, Action::Help, &["?", "f1"], "help"),
    bind(Where::Base, Action::Stop, &["^c"], "stop this request; at the root leave"),
    bind(Where::Base, Action::Suspend, &["^z"], "suspend"),
    bind(Where::Plan, Action::NextField, &["tab"], "next field"),
    bind(Where::Plan, Action::PreviousField, &["s-tab"], "previous field"),
    bind(Where::Plan, Action::Choose, &["enter", "space"], "press the button that has the focus"),
    bind(Where::Plan, Action::Accept, &["y"], "carry it out (dead for 0.3 s after it was shown)"),
    bind(Where::Plan, Action::AllDifferences, &["="], "all differences"),
    bind(Where::Plan, Action::Copy, &["c"], "copy as command"),
    bind(Where::Plan, Action::Down, &["j", "down"], "scroll down"),
    bind(Where::Plan, Action::Up, &["k", "up"], "scroll up"),
    bind(Where::Log, Action::Follow, &["f"], "follow"),
    bind(Where::Log, Action::Pause, &["space"], "pause"),
    bind(Where::Log, Action::Wrap, &["w"], "wrap"),
    bind(Where::Log, Action::Times, &["t"], "times"),
    bind(Where::Log, Action::DrawMark, &["m"], "draw a line here"),
    bind(Where::Log, Action::Since(0), &["0"], "from the end on"),
    bind(Where::Log, Action::Since(1), &["1"], "since 1m ago, where lines carry times"),
    bind(Where::Log, Action::Since(2), &["2"], "since 5m ago"),
    bind(Where::Log, Action::Since(3), &["3"], "since 15m ago"),
    bind(Where::Log, Action::Since(4), &["4"], "since 1h ago"),
    bind(Where::Log, Action::Since(5), &["5"], "since 1d ago"),
    bind(Where::Log, Action::Since(6), &["6"], "all that is kept"),
    bind(Where::Log, Action::Find, &["/"], "search; tab there: show only such lines"),
    bind(Where::Log, Action::Next, &["n"], "next match"),
    bind(Where::Log, Action::Previous, &["N"], "previous match"),
    bind(Where::Log, Action::OnlyThis, &["&"], "only the proc of this line; again: all"),
    bind(Where::Log, Action::Copy, &["c"], "copy the match, else the lines in sight"),
    bind(Where::Log, Action::Save, &["^s"], "save to a file"),
    bind(Where::Log, Action::LastLife, &["p"], "logs of its last lives"),
    bind(Where::Confirm, Action::NextField, &["tab", "right", "down"], "next button"),
    bind(Where::Confirm, Action::PreviousField, &["s-tab", "left", "up"], "previous button"),
    bind(Where::Confirm, Action::Choose, &["enter"], "press the button that has the focus"),
    bind(Where::Confirm, Action::Accept, &["y"], "yes (dead for 0.3 s after it was shown)"),
    bind(Where::Confirm, Action::Refuse, &["n"], "no"),
    bind(Where::Confirm, Action::PageDown, &["pgdn"], "more of its lines"),
    bind(Where::Confirm, Action::PageUp, &["pgup"], "the lines before"),
];
