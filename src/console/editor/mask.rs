//! Which part of each line is a secret, so that the text's own view and the difference do not show it.

use super::lex::{Kind, State, Token, lex};
use crate::model::secret::{MASK, Secrets};

/// For every line, the byte from which it is hidden.
pub fn hidden_from(lines: &[String], lexed: &[(State, Vec<Token>)], secrets: &Secrets) -> Vec<Option<usize>> {
    // Column of the secret key whose value goes on below.
    let mut under: Option<usize> = None;
    let mut hidden = Vec::with_capacity(lines.len());
    for (line, (state, tokens)) in lines.iter().zip(lexed) {
        let indent = line.len() - line.trim_start().len();
        if line.trim().is_empty() {
            hidden.push(None);
            continue;
        }
        let goes_on = under.is_some_and(|column| {
            (state.is_inside() && !state.in_block()) || indent > column || (indent == column && line.trim_start().starts_with("- "))
        });
        if goes_on {
            hidden.push(Some(indent));
            continue;
        }
        under = None;
        let mut from = None;
        for (n, token) in tokens.iter().enumerate() {
            let text = line.get(token.start..token.end).unwrap_or("");
            match token.kind {
                Kind::Key if secrets.is_secret_key(text) => {
                    let colon = tokens.iter().skip(n + 1).find(|t| t.kind == Kind::Punct).map_or(token.end, |t| t.end);
                    from = Some(colon + usize::from(line.get(colon..).is_some_and(|rest| rest.starts_with(' '))));
                    under = Some(token.start);
                    break;
                }
                Kind::Comment => {
                    let key = text.split(':').next().unwrap_or("");
                    if key.len() < text.len() && secrets.is_secret(key, text) {
                        from = Some(token.start + key.len() + 1);
                        break;
                    }
                }
                Kind::Plain | Kind::Quoted | Kind::Block if secrets.is_secret("", text) => {
                    from = Some(token.start);
                    break;
                }
                _ => {}
            }
        }
        hidden.push(from.filter(|at| *at < line.len()));
    }
    hidden
}

/// The lines as they may be shown.
pub fn masked(text: &str, secrets: &Secrets) -> Vec<String> {
    let lines: Vec<String> = text.split('\n').map(String::from).collect();
    let hidden = hidden_from(&lines, &lex(&lines), secrets);
    let mask = |(line, from): (&String, Option<usize>)| match from {
        Some(at) => format!("{}{MASK}", line.get(..at).unwrap_or("")),
        None => line.clone(),
    };
    lines.iter().zip(hidden).map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        let text = "db_password: hunter2 # old: hunter1\nplain: x\ntokens:\n  - hunter3\n  - a: hunter4\nkey:\n  api_key: |\n    hunter5\n  x: 1\n# secret: hunter6\nurl: postgres://u:hunter7@h/x\ninline: {a: 1, password: hunter8}\npass: \"hunter9\n  hunter10\"\nz: 2\nsecrets:\n- hunter11\nlast: 3";
        let shown = masked(text, &Secrets::default()).join("\n");
        assert!(!shown.contains("hunter"), "{shown}");
        for kept in ["plain: x", "  x: 1", "z: 2", "last: 3", "inline: {a: 1, password: ****", "db_password: ****"] {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
    }
}
