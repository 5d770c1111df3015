//! Chance from a seed: what is drawn for one place does not move what is drawn for another, so that a scenario may lose a part and
//! the rest goes on as it went.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// Draws by label: the n-th draw of a label is a function of (seed, label, n) alone.
pub struct Chance {
    seed: u64,
    drawn: RefCell<BTreeMap<(&'static str, u64), u64>>,
}

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance { seed, drawn: RefCell::default() }
    }
    /// The next number of a label and of whatever `of` counts (a host, a console).
    pub fn draw(&self, label: &'static str, of: u64) -> u64 {
        let mut drawn = self.drawn.borrow_mut();
        let n = drawn.entry((label, of)).or_default();
        *n += 1;
        let word = label.bytes().fold(self.seed, |mixed, byte| mix(mixed ^ u64::from(byte)));
        mix(mix(word ^ of.wrapping_mul(0x9e37_79b9)) ^ *n)
    }
    /// From `low` up to and with `high`.
    pub fn between(&self, label: &'static str, of: u64, low: u64, high: u64) -> u64 {
        low + self.draw(label, of) % (high - low + 1)
    }
    /// Once in `times`.
    pub fn once_in(&self, label: &'static str, of: u64, times: u64) -> bool {
        self.draw(label, of).is_multiple_of(times)
    }
}

/// A number that looks unlike the one before (splitmix64's end).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
