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
    ("sixteen", include_str!("../../../themes/sixteen.yaml")),
    ("dracula", include_str!("../../../themes/dracula.yaml")),
    ("gruvbox", include_str!("../../../themes/gruvbox.yaml")),
    ("high-contrast", include_str!("../../../themes/high-contrast.yaml")),
    ("nord", include_str!("../../../themes/nord.yaml")),
    ("solarized-dark", include_str!("../../../themes/solarized-dark.yaml")),
    ("solarized-light", include_str!("../../../themes/solarized-light.yaml")),
];

/// A theme file: named colours, and a look for each role. What it does not say is as in the theme that it extends.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    extends: Option<String>,
    palette: BTreeMap<String, String>,
    roles: BTreeMap<Role, Look>,
}

/// How long a line of themes that extend one another may be: a longer one goes round.
const LINE: usize = 8;

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
    resolve(name, &whole(name, user_dir)?, depth)
}

/// The ground that a theme is made for, and the colour of plain text on it: white on black where it names neither.
///
/// # Errors
/// No such embedded theme.
pub fn paper(name: &str) -> Result<(Color, Color)> {
    let file = whole(name, None)?;
    let color = |name: &str, other: Color| file.palette.get(name).and_then(|value| value.parse().ok()).unwrap_or(other);
    Ok((color("ground", Color::Black), color("ink", Color::Gray)))
}

/// The text of a theme. One that the user wrote over an embedded one of the same name may extend that.
fn text_of(name: &str, user_dir: Option<&Path>, embedded: bool) -> Result<String> {
    let plain = !name.is_empty() && !name.contains(['/', '\\']) && !name.starts_with('.');
    let own = user_dir.filter(|_| plain && !embedded).and_then(|dir| std::fs::read_to_string(dir.join(format!("{name}.yaml"))).ok());
    let text = own.or_else(|| EMBEDDED.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_string()));
    text.ok_or_else(|| Fault::bad(format!("there is no theme '{name}'")).next(format!("choose one of {}", names(user_dir).join(", "))))
}

/// A theme with everything that those have which it extends.
fn whole(name: &str, user_dir: Option<&Path>) -> Result<File> {
    let (mut file, mut next, mut embedded) = (File::default(), name.to_string(), false);
    for _ in 0..LINE {
        let below = parsed(&next, &text_of(&next, user_dir, embedded)?)?;
        for (color, value) in below.palette {
            file.palette.entry(color).or_insert(value);
        }
        for (role, look) in below.roles {
            file.roles.entry(role).or_insert(look);
        }
        let Some(extended) = below.extends else { return Ok(file) };
        embedded = extended == next;
        next = extended;
    }
    Err(Fault::bad(format!("theme {name} extends itself by way of {next}")).next("take one `extends:` out"))
}

fn parsed(name: &str, text: &str) -> Result<File> {
    serde_yaml::from_str(text).map_err(|error| Fault::bad(format!("theme {name}: {error}")))
}

fn resolve(name: &str, file: &File, depth: Depth) -> Result<Theme> {
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
        assert!(load("nope", None, Depth::True).unwrap_err().line().contains("dark, dracula, gruvbox, high-contrast, light, mono, nord"));
        assert!(load("../x", None, Depth::True).is_err());
        let wrong = parsed("t", "roles: {ok: {fg: '#zz'}}").unwrap();
        assert!(resolve("t", &wrong, Depth::True).unwrap_err().line().contains("#zz"));
        assert!(parsed("t", "roles: {nonsense: {fg: red}}").is_err());
    }

    #[test]
    fn the_users_file_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("dark.yaml"), "roles: {ok: {fg: '#010203'}}").unwrap();
        assert_eq!(load("dark", Some(dir.path()), Depth::True).unwrap().style(Role::Ok).fg, Some(Color::Rgb(1, 2, 3)));

        // One that extends another says only what differs, the embedded one of its own name too.
        std::fs::write(dir.path().join("dark.yaml"), "extends: dark\npalette: {green: '#010203'}").unwrap();
        let own = load("dark", Some(dir.path()), Depth::True).unwrap();
        assert_eq!(own.style(Role::Ok).fg, Some(Color::Rgb(1, 2, 3)));
        assert_eq!(own.style(Role::Wrong), load("dark", None, Depth::True).unwrap().style(Role::Wrong));
        std::fs::write(dir.path().join("a.yaml"), "extends: b").unwrap();
        std::fs::write(dir.path().join("b.yaml"), "extends: a").unwrap();
        assert!(load("a", Some(dir.path()), Depth::True).unwrap_err().line().contains("extends itself"));
    }

    fn linear([red, green, blue]: [u8; 3]) -> [f64; 3] {
        [red, green, blue].map(|part| f64::from(part) / 255.0).map(|part| match part {
            dark if dark <= 0.04045 => dark / 12.92,
            part => ((part + 0.055) / 1.055).powf(2.4),
        })
    }

    fn brightness(color: [u8; 3]) -> f64 {
        let [red, green, blue] = linear(color);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// WCAG 2.2, contrast ratio.
    fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
        let (one, other) = (brightness(one), brightness(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// A colour as who lacks one kind of cone sees it (Machado, Oliveira and Fernandes 2009, severity 1), in CIE Lab.
    fn seen(color: [u8; 3], matrix: &[[f64; 3]; 3]) -> [f64; 3] {
        let light = linear(color);
        let [red, green, blue] = matrix.map(|row| row.iter().zip(light).map(|(much, part)| much * part).sum::<f64>().clamp(0.0, 1.0));
        let root = |part: f64| if part > 0.008856 { part.cbrt() } else { 7.787 * part + 16.0 / 116.0 };
        let x = root((0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047);
        let y = root(0.2126 * red + 0.7152 * green + 0.0722 * blue);
        let z = root((0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883);
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    fn rgb(name: &str, file: &File, color: &str) -> Option<[u8; 3]> {
        let value = file.palette.get(color).unwrap_or_else(|| panic!("{name} has no {color}"));
        match value.parse::<Color>().unwrap() {
            Color::Rgb(red, green, blue) => Some([red, green, blue]),
            // The terminal's own: nobody knows it.
            _ => None,
        }
    }

    #[test]
    fn every_colour_is_read_on_every_ground() {
        for (name, _) in EMBEDDED.iter().filter(|(name, _)| !["mono", "sixteen"].contains(name)) {
            let file = whole(name, None).unwrap();
            for ink in ["ink", "grey", "green", "blue", "red", "amber", "violet", "cyan"] {
                for ground in ["ground", "bar", "select"] {
                    let ratio = contrast(rgb(name, &file, ink).unwrap(), rgb(name, &file, ground).unwrap());
                    assert!(ratio >= 4.5, "{name}: {ink} on {ground} is {ratio:.2}:1");
                }
            }
        }
    }

    #[test]
    fn states_stay_apart_for_the_colour_blind_in_the_dark_and_in_the_light() {
        let deuteranopia = [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]];
        let protanopia = [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]];
        let tritanopia = [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]];
        for name in ["dark", "light"] {
            let file = whole(name, None).unwrap();
            let states = ["green", "blue", "red", "amber"].map(|state| (state, rgb(name, &file, state).unwrap()));
            for eyes in [&deuteranopia, &protanopia, &tritanopia] {
                for (at, (one, first)) in states.iter().enumerate() {
                    for (other, second) in &states[at + 1..] {
                        let apart = seen(*first, eyes).iter().zip(seen(*second, eyes)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                        // Two that touch are told apart from about 2.3 on.
                        assert!(apart > 7.0, "{name}: {one} and {other} are {apart:.1} apart");
                    }
                }
            }
        }
    }
}
