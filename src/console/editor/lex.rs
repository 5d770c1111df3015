//! YAML as coloured tokens, one line at a time, with the little that one line tells the next. Tolerant: any text gives tokens.

/// What a token is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Space,
    Comment,
    Key,
    /// `:`, `-`, `?`, `,` and brackets.
    Punct,
    /// Quoted text.
    Quoted,
    Number,
    /// `true`, `false`, `null`, `~`.
    Word,
    /// Plain text.
    Plain,
    /// `&anchor`, `*alias`, `!tag`.
    Anchor,
    /// A block scalar's header or text.
    Block,
    /// `---`, `...`, `%YAML`.
    Directive,
}

/// A token; `start..end` are bytes of its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// What a line leaves open for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// Open brackets.
    flow: u16,
    open: Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Open {
    #[default]
    Nothing,
    Single,
    Double,
    /// A block scalar: its text is indented deeper than this (bytes).
    Block(usize),
}

impl State {
    /// Whether the next line is inside a block scalar, quotes or brackets: it holds no keys of its own.
    pub fn is_inside(self) -> bool {
        self.flow > 0 || self.open != Open::Nothing
    }
    /// Whether the next line may be text of a block scalar.
    pub fn in_block(self) -> bool {
        matches!(self.open, Open::Block(_))
    }
}

/// The tokens of a line, without its newline: contiguous, from 0 to its length; and what it leaves open.
pub fn lex_line(line: &str, state: State) -> (Vec<Token>, State) {
    let mut lexer = Lexer { line, at: 0, state, tokens: Vec::new(), column: 0 };
    lexer.run();
    (lexer.tokens, lexer.state)
}

/// The tokens of every line, and the state before each.
pub fn lex(lines: &[String]) -> Vec<(State, Vec<Token>)> {
    let mut state = State::default();
    let mut all = Vec::with_capacity(lines.len());
    for line in lines {
        let before = state;
        let (tokens, after) = lex_line(line, state);
        all.push((before, tokens));
        state = after;
    }
    all
}

struct Lexer<'a> {
    line: &'a str,
    at: usize,
    state: State,
    tokens: Vec<Token>,
    /// Where the innermost key or dash of this line begins.
    column: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or("")
    }
    fn push(&mut self, kind: Kind, len: usize) {
        let end = (self.at + len).min(self.line.len());
        if end > self.at {
            self.tokens.push(Token { kind, start: self.at, end });
            self.at = end;
        }
    }
    fn push_rest(&mut self, kind: Kind) {
        self.push(kind, self.line.len());
    }

    fn run(&mut self) {
        match self.state.open {
            Open::Block(parent) => {
                let indent = self.line.len() - self.line.trim_start_matches(' ').len();
                if self.line.trim().is_empty() || indent > parent {
                    return self.push_rest(Kind::Block);
                }
                self.state.open = Open::Nothing;
            }
            Open::Single | Open::Double => self.quoted(0),
            Open::Nothing => {}
        }
        if self.at == 0 && self.state.flow == 0 && self.starts_directive() {
            let word = if self.line.starts_with('%') { self.line.len() } else { 3 };
            self.push(Kind::Directive, word);
        }
        while self.at < self.line.len() {
            self.token();
        }
    }

    fn starts_directive(&self) -> bool {
        let marker = |m: &str| self.line.strip_prefix(m).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        self.line.starts_with('%') || marker("---") || marker("...")
    }

    fn token(&mut self) {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return };
        let second = rest.chars().nth(1);
        let breaks = second.is_none_or(char::is_whitespace);
        let flow = self.state.flow > 0;
        let after_space = self.tokens.last().is_none_or(|t| t.kind == Kind::Space);
        match first {
            c if c.is_whitespace() => {
                let len = rest.len() - rest.trim_start().len();
                self.push(Kind::Space, len);
            }
            '#' if after_space => self.push_rest(Kind::Comment),
            '-' | '?' if breaks && !flow && self.only_dashes() => {
                self.column = self.at;
                self.push(Kind::Punct, 1);
            }
            '[' | '{' if flow || self.at_value() => {
                self.state.flow = self.state.flow.saturating_add(1);
                self.push(Kind::Punct, 1);
            }
            ']' | '}' if flow => {
                self.state.flow -= 1;
                self.push(Kind::Punct, 1);
            }
            ',' if flow => self.push(Kind::Punct, 1),
            ':' if breaks || flow => self.push(Kind::Punct, 1),
            '&' | '*' | '!' if !breaks && self.at_value() => {
                let len = rest.find(|c: char| c.is_whitespace() || (flow && ",[]{}".contains(c))).unwrap_or(rest.len());
                self.push(Kind::Anchor, len);
            }
            '"' | '\'' if self.at_value() => {
                self.state.open = if first == '"' { Open::Double } else { Open::Single };
                self.quoted(1);
            }
            '|' | '>' if !flow && self.at_value() && self.is_block_header() => {
                let len = rest.find(" #").unwrap_or(rest.len());
                self.push(Kind::Block, len);
                self.state.open = Open::Block(self.column);
            }
            _ => self.plain(),
        }
    }

    /// Whether only spaces and dashes stand before here.
    fn only_dashes(&self) -> bool {
        self.tokens.iter().all(|t| matches!(t.kind, Kind::Space | Kind::Punct | Kind::Directive))
    }
    /// Whether a value may begin here: not glued to the end of another.
    fn at_value(&self) -> bool {
        self.tokens.last().is_none_or(|t| matches!(t.kind, Kind::Space | Kind::Punct | Kind::Anchor | Kind::Directive))
            && !self.tokens.iter().rfind(|t| t.kind != Kind::Space).is_some_and(|t| matches!(t.kind, Kind::Plain | Kind::Key))
    }
    fn is_block_header(&self) -> bool {
        let header = self.rest().split(" #").next().unwrap_or("").trim_end();
        header.chars().skip(1).all(|c| matches!(c, '+' | '-' | '0'..='9'))
    }

    /// Quoted text from here; `skip` bytes of opening quote.
    fn quoted(&mut self, skip: usize) {
        let double = self.state.open == Open::Double;
        let rest = self.rest();
        let mut end = None;
        let mut chars = rest.char_indices().skip_while(|(i, _)| *i < skip).peekable();
        while let Some((i, c)) = chars.next() {
            match c {
                '\\' if double => {
                    chars.next();
                }
                '"' if double => end = Some(i + 1),
                '\'' if !double && chars.peek().is_some_and(|(_, c)| *c == '\'') => {
                    chars.next();
                }
                '\'' if !double => end = Some(i + 1),
                _ => {}
            }
            if end.is_some() {
                break;
            }
        }
        match end {
            Some(len) => {
                self.state.open = Open::Nothing;
                let after = rest.get(len..).unwrap_or("").trim_start();
                let kind = if skip > 0 && is_colon(after, self.state.flow > 0) { Kind::Key } else { Kind::Quoted };
                if kind == Kind::Key && self.state.flow == 0 {
                    self.column = self.at;
                }
                self.push(kind, len);
            }
            None => self.push_rest(Kind::Quoted),
        }
    }

    /// A plain scalar from here, or a key.
    fn plain(&mut self) {
        let rest = self.rest();
        let flow = self.state.flow > 0;
        let mut end = rest.len();
        let mut before = ' ';
        for (i, c) in rest.char_indices() {
            let after = rest.get(i..).unwrap_or("");
            let stops = (c == ':' && is_colon(after, flow)) || (c == '#' && before.is_whitespace()) || (flow && ",[]{}".contains(c));
            if stops && i > 0 {
                end = i;
                break;
            }
            before = c;
        }
        let scalar = rest.get(..end).unwrap_or("").trim_end();
        let is_key = is_colon(rest.get(end..).unwrap_or(""), flow);
        let len = scalar.len().max(rest.chars().next().map_or(1, char::len_utf8));
        let kind = if is_key { Kind::Key } else { scalar_kind(scalar) };
        if is_key && !flow {
            self.column = self.at;
        }
        self.push(kind, len);
    }
}

/// Whether the text begins with the colon after a key.
fn is_colon(text: &str, flow: bool) -> bool {
    text.strip_prefix(':').is_some_and(|rest| {
        let next = rest.chars().next();
        next.is_none_or(|c| c.is_whitespace() || (flow && ",[]{}".contains(c)))
    })
}

/// What a plain scalar is (YAML 1.2 core schema).
pub fn scalar_kind(text: &str) -> Kind {
    if matches!(text, "~" | "null" | "Null" | "NULL" | "true" | "True" | "TRUE" | "false" | "False" | "FALSE") {
        return Kind::Word;
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = (digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && digits.parse::<f64>().is_ok())
        || digits.strip_prefix("0x").is_some_and(|h| !h.is_empty() && h.chars().all(|c| c.is_ascii_hexdigit()))
        || digits.strip_prefix("0o").is_some_and(|o| !o.is_empty() && o.chars().all(|c| c.is_digit(8)));
    if is_number { Kind::Number } else { Kind::Plain }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(text: &str) -> String {
        let lines: Vec<String> = text.split('\n').map(String::from).collect();
        let lexed = lex(&lines);
        lines
            .iter()
            .zip(&lexed)
            .map(|(line, (_, tokens))| {
                let parts: Vec<String> =
                    tokens.iter().filter(|t| t.kind != Kind::Space).map(|t| format!("{:?}={}", t.kind, &line[t.start..t.end])).collect();
                parts.join(" ")
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn lines_of_a_config() {
        assert_eq!(kinds("# c\ndb_host: db2 # x"), "Comment=# c\nKey=db_host Punct=: Plain=db2 Comment=# x");
        assert_eq!(kinds("url: http://a:1/b#c"), "Key=url Punct=: Plain=http://a:1/b#c");
        assert_eq!(kinds("- a: 1.5\n  \"b c\": ~"), "Punct=- Key=a Punct=: Number=1.5\nKey=\"b c\" Punct=: Word=~");
        assert_eq!(
            kinds("a: [x, {y: 'it''s'}]"),
            "Key=a Punct=: Punct=[ Plain=x Punct=, Punct={ Key=y Punct=: Quoted='it''s' Punct=} Punct=]"
        );
        assert_eq!(kinds("a: [x,\n  y]\nb: 1"), "Key=a Punct=: Punct=[ Plain=x Punct=,\nPlain=y Punct=]\nKey=b Punct=: Number=1");
        assert_eq!(
            kinds("a: |-\n  k: v\n\n  # no\nb: &x !t y"),
            "Key=a Punct=: Block=|-\nBlock=  k: v\n\nBlock=  # no\nKey=b Punct=: Anchor=&x Anchor=!t Plain=y"
        );
        assert_eq!(kinds("a: \"x\n  k: \\\" y\"\nb: it's"), "Key=a Punct=: Quoted=\"x\nQuoted=  k: \\\" y\"\nKey=b Punct=: Plain=it's");
        assert_eq!(kinds("---\nt: 12:30"), "Directive=---\nKey=t Punct=: Plain=12:30");
    }

    proptest! {
        #[test]
        fn tokens_cover_any_line_exactly(text in "(\\PC|[ \t:#'\"|>\\[\\]{},&*!?%\n-]){0,80}") {
            let lines: Vec<String> = text.split('\n').map(String::from).collect();
            for (line, (_, tokens)) in lines.iter().zip(lex(&lines)) {
                let mut at = 0;
                for token in &tokens {
                    prop_assert_eq!(token.start, at);
                    prop_assert!(token.end > token.start && line.is_char_boundary(token.end));
                    at = token.end;
                }
                prop_assert_eq!(at, line.len());
            }
        }
    }
}
