//! YAML text as a tree of nodes that know their place in the text; values are read by serde, places and pieces by this.

use super::Problem;
use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, StructureStyle};

/// One node and its place. `start` and `end` are byte offsets, `line` and `column` count from 1, in characters.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub start: usize,
    pub end: usize,
    pub line: usize,
    pub column: usize,
    pub kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Scalar {
        value: String,
        /// Written without quotes and not as a block.
        plain: bool,
        /// Written as a block after `|` or `>`; its place is that of its first line.
        block: bool,
    },
    Mapping {
        /// Written in braces.
        flow: bool,
        entries: Vec<(Node, Node)>,
    },
    Sequence {
        items: Vec<Node>,
    },
    Alias,
}

impl Node {
    /// The text of a scalar.
    pub fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { value, .. } => Some(value),
            _ => None,
        }
    }
    /// The entries of a mapping; none for anything else.
    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.kind {
            Kind::Mapping { entries, .. } => entries,
            _ => &[],
        }
    }
    /// The items of a sequence; none for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::Sequence { items } => items,
            _ => &[],
        }
    }
    /// The entry of a mapping with this key.
    pub fn entry(&self, key: &str) -> Option<&(Node, Node)> {
        self.entries().iter().find(|(name, _)| name.scalar() == Some(key))
    }
    /// The node nearest to a path of keys and item numbers: as far as it can be followed.
    pub fn nearest(&self, path: &[&str]) -> &Node {
        let Some((first, rest)) = path.split_first() else { return self };
        let next = match &self.kind {
            Kind::Mapping { .. } => self.entry(first).map(|(_, value)| value),
            Kind::Sequence { items } => first.parse::<usize>().ok().and_then(|n| items.get(n)),
            _ => None,
        };
        next.map_or(self, |node| node.nearest(rest))
    }
    /// Whether it is a mapping in block style.
    pub fn is_block_mapping(&self) -> bool {
        matches!(self.kind, Kind::Mapping { flow: false, .. })
    }
    /// Every scalar below, with whether it is a key.
    pub fn walk<'n>(&'n self, is_key: bool, visit: &mut dyn FnMut(&'n Node, bool)) {
        match &self.kind {
            Kind::Scalar { .. } => visit(self, is_key),
            Kind::Mapping { entries, .. } => {
                for (key, value) in entries {
                    key.walk(true, visit);
                    value.walk(false, visit);
                }
            }
            Kind::Sequence { items } => items.iter().for_each(|item| item.walk(false, visit)),
            Kind::Alias => {}
        }
    }
}

/// The first document of a text; none when there is nothing but comments.
pub fn tree(text: &str) -> Result<Option<Node>, Problem> {
    let mut parser = Parser::new_from_str(text);
    let mut open: Vec<Open> = Vec::new();
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| {
            let at = error.marker();
            Problem { line: at.line(), column: at.col() + 1, what: error.info().to_string(), fix: String::new() }
        })?;
        let range = span.byte_range().unwrap_or_default();
        let node = |kind| Node { start: range.start, end: range.end, line: span.start.line(), column: span.start.col() + 1, kind };
        let done = match event {
            Event::Scalar(value, style, ..) => {
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                node(Kind::Scalar { value: value.into_owned(), plain: style == ScalarStyle::Plain, block })
            }
            Event::Alias(_) => node(Kind::Alias),
            Event::MappingStart(style, ..) => {
                let flow = style == StructureStyle::Flow;
                open.push(Open { node: node(Kind::Mapping { flow, entries: Vec::new() }), flow, key: None });
                continue;
            }
            Event::SequenceStart(style, ..) => {
                let flow = style == StructureStyle::Flow;
                open.push(Open { node: node(Kind::Sequence { items: Vec::new() }), flow, key: None });
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => {
                let Some(mut ended) = open.pop() else { continue };
                if ended.flow {
                    ended.node.end = range.end;
                }
                ended.node
            }
            _ => continue,
        };
        match open.last_mut() {
            Some(parent) => parent.take(done),
            None => return Ok(Some(done)),
        }
    }
    Ok(None)
}

/// A collection whose end was not read yet.
struct Open {
    node: Node,
    flow: bool,
    key: Option<Node>,
}

impl Open {
    fn take(&mut self, child: Node) {
        // A block collection ends where its last child ends; the parser's own end lies at the next token.
        self.node.end = self.node.end.max(child.end);
        match (&mut self.node.kind, self.key.take()) {
            (Kind::Mapping { .. }, None) => self.key = Some(child),
            (Kind::Mapping { entries, .. }, Some(key)) => entries.push((key, child)),
            (Kind::Sequence { items, .. }, _) => items.push(child),
            _ => {}
        }
    }
}
