//! The order of text in which `web9` comes before `web10`.

use std::cmp::Ordering;

/// Compares without making anything: runs of digits as numbers, all else by small letters.
pub fn natural(one: &str, other: &str) -> Ordering {
    // Thousands of procs have the same version.
    if one == other {
        return Ordering::Equal;
    }
    let (mut a, mut b) = (one.bytes().peekable(), other.bytes().peekable());
    loop {
        match (a.peek().copied(), b.peek().copied()) {
            (None, None) => return one.cmp(other),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (left, right) = (number(&mut a), number(&mut b));
                if left != right {
                    return left.cmp(&right);
                }
            }
            (Some(x), Some(y)) => {
                let (x, y) = (x.to_ascii_lowercase(), y.to_ascii_lowercase());
                if x != y {
                    return x.cmp(&y);
                }
                a.next();
                b.next();
            }
        }
    }
}

/// Takes a run of digits; what is too long for a number counts as the greatest.
fn number(bytes: &mut std::iter::Peekable<std::str::Bytes<'_>>) -> u64 {
    let mut value = 0u64;
    while let Some(digit) = bytes.next_if(u8::is_ascii_digit) {
        value = value.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_count() {
        let mut names = vec!["web10", "Web9", "web09", "db1", "web1a", "web", "10", "9"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["9", "10", "db1", "web", "web1a", "Web9", "web09", "web10"]);
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in "[a-cA-C0-9]{0,6}", b in "[a-cA-C0-9]{0,6}", c in "[a-cA-C0-9]{0,6}") {
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            prop_assert_eq!(natural(&a, &b) == Ordering::Equal, a == b);
            if natural(&a, &b) != Ordering::Greater && natural(&b, &c) != Ordering::Greater {
                prop_assert_ne!(natural(&a, &c), Ordering::Greater);
            }
        }
    }
}
