//! The import boundaries of the house: which floor may know which, and what the pure rooms may never touch.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room of `src/` with the rooms it may use, from the ground up (`lib.rs`, ARCHITECTURE.md).
const FLOORS: [(&str, &[&str]); 13] = [
    ("model", &[]),
    ("plan", &["model"]),
    ("store", &["model"]),
    ("hosts", &["model"]),
    ("balancers", &["model", "plan", "store", "hosts"]),
    ("build", &["model", "plan", "store", "hosts"]),
    ("fleet", &["model", "plan", "store", "hosts", "balancers"]),
    ("uptest", &["model", "plan", "store", "hosts"]),
    ("dispatch", &["model", "plan", "store", "hosts", "balancers", "build", "fleet", "uptest"]),
    ("upkeep", &["model", "plan", "store", "hosts", "balancers", "build", "fleet", "uptest", "dispatch"]),
    ("deck", &["model", "plan", "store", "hosts", "balancers", "build", "fleet", "uptest", "dispatch", "upkeep"]),
    ("cli", &["model", "plan", "deck"]),
    ("console", &["model", "plan", "deck"]),
];
/// Clock, disk, network, randomness and the async world are handed to these; they never reach for them.
const PURE: [&str; 5] = ["model/", "plan/", "dispatch/machine", "console/update", "console/view"];
const IMPURE: [&str; 11] = [
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "tokio",
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "rand",
    "RandomState",
];

/// Every file of `src/`, as its path below it and its text without what `#[cfg(test)]` opens at the end of it.
fn sources() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut left, mut found): (Vec<PathBuf>, Vec<_>) = (vec![src.clone()], Vec::new());
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// The code of a file: comments, and tests that stand at its end, left out.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Whether `word` stands in `code` as a whole name or path, not as a piece of another.
fn mentions(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let (before, after) = (code[..at].chars().next_back(), code[at + word.len()..].chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// The rooms that a piece of code names through `crate::`, `use crate::{a, b::c}` included.
fn rooms(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, path) in code.match_indices("crate::") {
        let rest = &code[at + path.len()..];
        if !rest.starts_with('{') {
            found.push(rest.chars().take_while(|character| is_word(*character)).collect());
            continue;
        }
        // The names at the first level of the braces.
        let (mut depth, mut name, mut at_name) = (0, String::new(), true);
        for character in rest.chars() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => at_name = true,
                character if is_word(character) && depth == 1 && at_name => name.push(character),
                _ => at_name = at_name && name.is_empty(),
            }
            if (!at_name || depth == 0) && !name.is_empty() || (character == ',' && !name.is_empty()) {
                found.push(std::mem::take(&mut name));
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

fn imports_above(file: &str, text: &str) -> Vec<String> {
    let own = file.split(['/', '.']).next().unwrap_or_default();
    let Some((_, allowed)) = FLOORS.iter().find(|(room, _)| *room == own) else { return Vec::new() };
    let named = rooms(&code(text));
    let is_room = |name: &String| FLOORS.iter().any(|(room, _)| room == name);
    named
        .into_iter()
        .filter(|name| is_room(name) && name != own && !allowed.contains(&name.as_str()))
        .map(|name| format!("{file} uses crate::{name}"))
        .collect()
}

fn impurities(file: &str, text: &str) -> Vec<String> {
    if !PURE.iter().any(|room| file.starts_with(room)) || file.ends_with("tests.rs") || file.contains("/tests/") {
        return Vec::new();
    }
    let code = code(text);
    IMPURE.iter().filter(|word| mentions(&code, word)).map(|word| format!("{file} is pure and mentions {word}")).collect()
}

#[test]
fn no_room_uses_what_stands_above_or_beside_it() {
    let sources = sources();
    assert!(sources.len() > 15, "the sources were not found");
    let wrong: Vec<_> = sources.iter().flat_map(|(file, text)| imports_above(file, text)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_room_of_the_house_is_on_a_floor() {
    for (file, _) in sources() {
        let room = file.split(['/', '.']).next().unwrap_or_default();
        assert!(["lib", "main"].contains(&room) || FLOORS.iter().any(|(known, _)| *known == room), "{file} is on no floor");
    }
}

#[test]
fn every_file_opens_with_the_line_that_says_its_subject() {
    let silent: Vec<_> = sources().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(file, _)| file).collect();
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

#[test]
fn pure_rooms_touch_no_clock_disk_network_or_randomness() {
    let wrong: Vec<_> = sources().iter().flat_map(|(file, text)| impurities(file, text)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_rules_see_what_breaks_them() {
    assert_eq!(imports_above("plan/mod.rs", "use crate::store::Store;\n"), ["plan/mod.rs uses crate::store"]);
    assert_eq!(imports_above("model/x.rs", "fn f() { crate::hosts::Link::run() }\n"), ["model/x.rs uses crate::hosts"]);
    assert_eq!(imports_above("cli/x.rs", "use crate::{model::{Fault, hosts}, console, deck::Deck};\n"), ["cli/x.rs uses crate::console"]);
    assert_eq!(imports_above("build/x.rs", "use crate::{\n    fleet::World,\n    model,\n};\n"), ["build/x.rs uses crate::fleet"]);
    assert!(imports_above("deck/x.rs", "use crate::{dispatch, store::Store};\n// crate::cli does the rest\n").is_empty());
    assert_eq!(impurities("plan/x.rs", "let now = std::time::Instant::now();\n"), ["plan/x.rs is pure and mentions Instant::now"]);
    assert_eq!(impurities("console/update/x.rs", "use tokio::spawn;\n"), ["console/update/x.rs is pure and mentions tokio"]);
    assert!(impurities("plan/x.rs", "fn operand() {} // the clock: Instant::now\n").is_empty());
    assert!(impurities("hosts/x.rs", "use tokio::spawn;\n").is_empty());
}
