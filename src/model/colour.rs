//! A colour as an operator writes it: a name that every terminal has, or `#rrggbb`.

use serde::{Deserialize, Deserializer};

/// A colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    pub red: u8,
    pub green: u8,
    pub blue: u8,
}

/// The names, with colours that letters in black or white can be read on.
const NAMED: &[(&str, Colour)] = &[
    ("red", Colour::new(0xb0, 0x10, 0x10)),
    ("orange", Colour::new(0xff, 0x9f, 0x1c)),
    ("yellow", Colour::new(0xf0, 0xd0, 0x20)),
    ("green", Colour::new(0x1b, 0x6e, 0x2d)),
    ("cyan", Colour::new(0x40, 0xc8, 0xd8)),
    ("blue", Colour::new(0x1b, 0x3f, 0xa8)),
    ("magenta", Colour::new(0x90, 0x20, 0x90)),
    ("grey", Colour::new(0x50, 0x50, 0x50)),
    ("white", Colour::new(0xf0, 0xf0, 0xf0)),
];

impl Colour {
    pub const fn new(red: u8, green: u8, blue: u8) -> Colour {
        Colour { red, green, blue }
    }

    /// From a name or `#rrggbb`.
    pub fn parse(text: &str) -> Option<Colour> {
        let named = NAMED.iter().find(|(name, _)| *name == text || (*name == "grey" && text == "gray"));
        if let Some((_, colour)) = named {
            return Some(*colour);
        }
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let number = u32::from_str_radix(digits, 16).ok()?;
        let [_, red, green, blue] = number.to_be_bytes();
        Some(Colour { red, green, blue })
    }

    /// WCAG's relative luminance, 0 to 1.
    fn luminance(self) -> f64 {
        let part = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(self.red) + 0.7152 * part(self.green) + 0.0722 * part(self.blue)
    }

    /// Black or white: what can be read on it. One of them always has a contrast of at least 4.5.
    pub fn letters(self) -> Colour {
        let light = (self.luminance() + 0.05) / 0.05;
        let dark = 1.05 / (self.luminance() + 0.05);
        if light >= dark { Colour::new(0, 0, 0) } else { Colour::new(255, 255, 255) }
    }
}

impl<'de> Deserialize<'de> for Colour {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
        Colour::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("'{text}' is no colour: write {} or \"#rrggbb\"", names.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(Colour::parse("#b01010"), Colour::parse("red"));
        assert_eq!(Colour::parse("gray"), Colour::parse("grey"));
        for wrong in ["", "reddish", "#12345", "#12345g", "b01010"] {
            assert_eq!(Colour::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn letters_can_always_be_read(red: u8, green: u8, blue: u8) {
            let ground = Colour { red, green, blue };
            let (a, b) = (ground.luminance() + 0.05, ground.letters().luminance() + 0.05);
            prop_assert!(a.max(b) / a.min(b) >= 4.5);
        }
    }
}
