//! What the console says of itself, for people who are not in it: every key and verb, every theme. The README holds the same.

mod gallery;

pub use gallery::svg;

use super::keys::{BINDINGS, Keymap, Where};
use super::theme;
use super::view::help_lines;
use crate::deck::verbs::VERBS;
use std::fmt::Write;

/// The keymap as the help shows it.
pub fn keys() -> String {
    help_lines(&Keymap::default()).into_iter().map(|(_, line)| line + "\n").collect()
}

/// The keymap and the verbs as tables in Markdown.
pub fn keys_markdown() -> String {
    let mut out = String::from("| where | keys | what |\n|---|---|---|\n");
    // Writing to a string does not fail.
    for place in Where::ALL {
        for binding in BINDINGS.iter().filter(|binding| binding.place == place) {
            let keys: Vec<String> = binding.keys.iter().map(|key| code(key)).collect();
            let _ = writeln!(out, "| {} | {} | {} |", place.title(), keys.join(" "), plain(binding.title));
        }
    }
    out.push_str("\n| key | on | verb | danger | what | on the command line |\n|---|---|---|---|---|---|\n");
    for verb in VERBS {
        let key = if verb.typed().is_empty() { format!(":{}", verb.id) } else { verb.typed() };
        let (on, danger) = (verb.on.word(), verb.danger.word());
        let _ = writeln!(out, "| {} | {on} | {} | {danger} | {} | {} |", code(&key), verb.id, plain(verb.title), code(verb.cli));
    }
    out
}

/// The themes that are always there, as a list in Markdown.
pub fn themes_markdown() -> String {
    let names: Vec<String> = theme::EMBEDDED.iter().map(|(name, _)| code(name)).collect();
    format!("![What each theme looks like](themes/gallery.svg)\n\n{}\n", names.join(" "))
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

/// Text in which nothing means anything to Markdown.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if "\\`*_[]<>|~#".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
