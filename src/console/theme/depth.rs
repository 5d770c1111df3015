//! How many colours a terminal draws, and the nearest that it can.

use crate::model::colour::Colour;
use ratatui::style::{Color, Modifier, Style};

/// How many colours may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: modifiers and glyphs only.
    #[default]
    Mono,
    Sixteen,
    /// The 256-colour table.
    Indexed,
    True,
}

impl Depth {
    /// From `NO_COLOR` (any value that is not empty), `COLORTERM` and `TERM`.
    pub fn detect(no_color: Option<&str>, colorterm: Option<&str>, term: Option<&str>) -> Depth {
        let term = term.unwrap_or_default();
        if no_color.is_some_and(|value| !value.is_empty()) || term == "dumb" || term.starts_with("vt1") {
            return Depth::Mono;
        }
        match colorterm.unwrap_or_default() {
            "truecolor" | "24bit" => Depth::True,
            _ if term.contains("256color") || term.contains("direct") || term == "xterm-kitty" => Depth::Indexed,
            _ => Depth::Sixteen,
        }
    }

    /// A ground of this colour, and letters that can be read on what is drawn of it.
    pub fn band(self, ground: Colour) -> Style {
        let rgb = |colour: Colour| Color::Rgb(colour.red, colour.green, colour.blue);
        let drawn = self.nearest(rgb(ground));
        let seen =
            BASIC.iter().find(|(known, _)| *known == drawn).map_or(ground, |(_, (red, green, blue))| Colour::new(*red, *green, *blue));
        match self {
            Depth::Mono => Style::new().add_modifier(Modifier::REVERSED),
            _ => Style::new().bg(drawn).fg(self.nearest(rgb(seen.letters()))),
        }
    }

    /// The nearest colour that may be used.
    pub fn nearest(self, color: Color) -> Color {
        match (self, color) {
            (Depth::Mono, _) => Color::Reset,
            (Depth::Indexed, Color::Rgb(r, g, b)) => Color::Indexed(indexed(r, g, b)),
            (Depth::Sixteen, Color::Rgb(r, g, b)) => sixteen(r, g, b),
            (Depth::Sixteen, Color::Indexed(n)) => sixteen_of_indexed(n),
            (_, color) => color,
        }
    }
}

const BASIC: [(Color, (u8, u8, u8)); 16] = [
    (Color::Black, (0, 0, 0)),
    (Color::Red, (205, 0, 0)),
    (Color::Green, (0, 205, 0)),
    (Color::Yellow, (205, 205, 0)),
    (Color::Blue, (0, 0, 238)),
    (Color::Magenta, (205, 0, 205)),
    (Color::Cyan, (0, 205, 205)),
    (Color::Gray, (229, 229, 229)),
    (Color::DarkGray, (127, 127, 127)),
    (Color::LightRed, (255, 85, 85)),
    (Color::LightGreen, (85, 255, 85)),
    (Color::LightYellow, (255, 255, 85)),
    (Color::LightBlue, (92, 92, 255)),
    (Color::LightMagenta, (255, 85, 255)),
    (Color::LightCyan, (85, 255, 255)),
    (Color::White, (255, 255, 255)),
];

fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    let part = |x: u8, y: u8, weight: u32| u32::from(x.abs_diff(y)).pow(2) * weight;
    part(a.0, b.0, 3) + part(a.1, b.1, 4) + part(a.2, b.2, 2)
}

fn sixteen(r: u8, g: u8, b: u8) -> Color {
    BASIC.iter().min_by_key(|(_, rgb)| distance(*rgb, (r, g, b))).map_or(Color::Reset, |(color, _)| *color)
}

/// The colour cube (16..=231) or the grey ramp (232..=255), whichever is nearer.
fn indexed(r: u8, g: u8, b: u8) -> u8 {
    let step = |v: u8| if v < 48 { 0 } else { (v.saturating_sub(35) / 40).min(5) };
    let level = |s: u8| if s == 0 { 0 } else { 55 + s * 40 };
    let (sr, sg, sb) = (step(r), step(g), step(b));
    let cube = 16 + 36 * sr + 6 * sg + sb;
    let grey = ((u32::from(r) + u32::from(g) + u32::from(b)) / 3) as u8;
    let ramp = (grey.saturating_sub(3) / 10).min(23);
    let ramp_level = 8 + ramp * 10;
    if distance((ramp_level, ramp_level, ramp_level), (r, g, b)) < distance((level(sr), level(sg), level(sb)), (r, g, b)) {
        232 + ramp
    } else {
        cube
    }
}

fn sixteen_of_indexed(n: u8) -> Color {
    match n {
        0..=15 => BASIC.get(usize::from(n)).map_or(Color::Reset, |(color, _)| *color),
        16..=231 => {
            let n = n - 16;
            let level = |s: u8| if s == 0 { 0 } else { 55 + s * 40 };
            sixteen(level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        _ => {
            let grey = 8 + (n - 232) * 10;
            sixteen(grey, grey, grey)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides() {
        assert_eq!(Depth::detect(Some("1"), Some("truecolor"), Some("xterm-256color")), Depth::Mono);
        assert_eq!(Depth::detect(Some(""), Some("truecolor"), Some("xterm")), Depth::True);
        assert_eq!(Depth::detect(None, None, Some("screen-256color")), Depth::Indexed);
        assert_eq!(Depth::detect(None, None, Some("linux")), Depth::Sixteen);
        assert_eq!(Depth::detect(None, None, Some("dumb")), Depth::Mono);
    }

    #[test]
    fn nearest_colours() {
        assert_eq!(Depth::Indexed.nearest(Color::Rgb(255, 0, 0)), Color::Indexed(196));
        assert_eq!(Depth::Indexed.nearest(Color::Rgb(128, 128, 128)), Color::Indexed(244));
        assert_eq!(Depth::Sixteen.nearest(Color::Rgb(250, 90, 80)), Color::LightRed);
        assert_eq!(Depth::Mono.nearest(Color::Red), Color::Reset);
    }
}
