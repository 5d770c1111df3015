//! A theme from its YAML: the embedded ones, or a file of the user's own.

use super::{Depth, Role, Theme};
use crate::model::{Fault, Result};
use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The themes that are always there, by name.
pub const EMBEDDED: &[(&str, &str)] = &[
    ("dark", include_str!("../../../themes/dark.yaml")),
    ("light", include_str!("../../../themes/light.yaml")),
    ("mono", include_str!("../../../themes/mono.yaml")),
];

/// A theme file: named colours, and a look for each role.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    palette: BTreeMap<String, String>,
    roles: BTreeMap<Role, Look>,
}

/// How a role looks.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Look {
    fg: Option<String>,
    bg: Option<String>,
    bold: bool,
    dim: bool,
    underline: bool,
    reverse: bool,
    italic: bool,
}

/// Names of every theme that can be had: embedded, and `NAME.yaml` in the user's directory.
pub fn names(user_dir: Option<&Path>) -> Vec<String> {
    let mut names: Vec<String> = EMBEDDED.iter().map(|(name, _)| (*name).to_string()).collect();
    let files = user_dir.and_then(|dir| std::fs::read_dir(dir).ok()).into_iter().flatten().flatten();
    names.extend(files.filter_map(|file| file.file_name().to_str()?.strip_suffix(".yaml").map(str::to_string)));
    names.sort();
    names.dedup();
    names
}

/// The theme called `name`, the user's own file before the embedded one.
///
/// # Errors
/// No such theme (with the list), or its YAML is wrong (with line and column).
pub fn load(name: &str, user_dir: Option<&Path>, depth: Depth) -> Result<Theme> {
    // Without colour only a theme made for that stays readable: the others' selection may be a colour alone.
    let name = if depth == Depth::Mono { "mono" } else { name };
    let plain = !name.is_empty() && !name.contains(['/', '\\']) && !name.starts_with('.');
    let own = user_dir.filter(|_| plain).and_then(|dir| std::fs::read_to_string(dir.join(format!("{name}.yaml"))).ok());
    let text = own.as_deref().or_else(|| EMBEDDED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text));
    let text = text
        .ok_or_else(|| Fault::bad(format!("there is no theme '{name}'")).next(format!("choose one of {}", names(user_dir).join(", "))))?;
    parse(name, text, depth)
}

fn parse(name: &str, text: &str, depth: Depth) -> Result<Theme> {
    let file: File = serde_yaml::from_str(text).map_err(|error| Fault::bad(format!("theme {name}: {error}")))?;
    let color = |written: &str| -> Result<Color> {
        let value = file.palette.get(written).map_or(written, String::as_str);
        let color: Color = value.parse().map_err(|_| {
            Fault::bad(format!("theme {name}: '{value}' is not a colour")).next("write #rrggbb, a name, or a name of the palette")
        })?;
        Ok(depth.nearest(color))
    };
    let mut styles = BTreeMap::new();
    for (role, look) in &file.roles {
        let mut style = Style::default();
        if let Some(fg) = &look.fg {
            style = style.fg(color(fg)?);
        }
        if let Some(bg) = &look.bg {
            style = style.bg(color(bg)?);
        }
        let modifiers = [
            (look.bold, Modifier::BOLD),
            (look.dim, Modifier::DIM),
            (look.underline, Modifier::UNDERLINED),
            (look.reverse, Modifier::REVERSED),
            (look.italic, Modifier::ITALIC),
        ];
        for (on, modifier) in modifiers {
            if on {
                style = style.add_modifier(modifier);
            }
        }
        styles.insert(*role, style);
    }
    Ok(Theme { name: name.into(), depth, styles })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_theme_names_every_role() {
        for (name, _) in EMBEDDED {
            let theme = load(name, None, Depth::True).unwrap();
            for role in Role::ALL {
                assert!(theme.styles.contains_key(&role), "{name} lacks {role:?}");
            }
        }
    }

    #[test]
    fn no_color_means_mono_and_selection_stays_visible() {
        let theme = load("dark", None, Depth::Mono).unwrap();
        assert_eq!(theme.name, "mono");
        assert!(theme.style(Role::Selection).add_modifier.contains(Modifier::REVERSED));
        for role in Role::ALL {
            let style = theme.style(role);
            assert!(matches!(style.fg, None | Some(Color::Reset)) && matches!(style.bg, None | Some(Color::Reset)), "{role:?}");
        }
    }

    #[test]
    fn errors_say_what_to_do() {
        assert!(load("nope", None, Depth::True).unwrap_err().line().contains("dark, light, mono"));
        assert!(load("../x", None, Depth::True).is_err());
        assert!(parse("t", "roles: {ok: {fg: '#zz'}}", Depth::True).unwrap_err().line().contains("#zz"));
        assert!(parse("t", "roles: {nonsense: {fg: red}}", Depth::True).is_err());
    }

    #[test]
    fn the_users_file_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("dark.yaml"), "roles: {ok: {fg: '#010203'}}").unwrap();
        assert_eq!(load("dark", Some(dir.path()), Depth::True).unwrap().style(Role::Ok).fg, Some(Color::Rgb(1, 2, 3)));
    }
}
