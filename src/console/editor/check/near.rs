//! Which key may be another one, mistyped.

/// Whether one key may be the other, mistyped: one slip, or two that leave nearly the same letters.
pub fn looks_like(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    let shortest = a.len().min(b.len());
    if a == b || shortest < 3 || a.len().abs_diff(b.len()) > 2 || a.len().max(b.len()) > 64 {
        return false;
    }
    let letters = |of: &[char]| of.iter().filter(|c| !c.is_ascii_digit()).copied().collect::<Vec<_>>();
    if letters(&a) == letters(&b) {
        return false; // host1 and host2 are two hosts
    }
    match distance(&a, &b) {
        1 => shortest >= 4,
        2 => shortest >= 6 && strays(&a, &b) <= 1,
        _ => false,
    }
}

/// How many letters one has more of than the other, the greater way.
fn strays(a: &[char], b: &[char]) -> usize {
    let over = |a: &[char], b: &[char]| {
        let mut left = b.to_vec();
        a.iter().filter(|c| left.iter().position(|l| l == *c).map(|at| left.swap_remove(at)).is_none()).count()
    };
    over(a, b).max(over(b, a))
}

/// Optimal string alignment distance: insertions, deletions, substitutions, neighbours swapped.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut last: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let at = |row: &[usize], n: usize| row.get(n).copied().unwrap_or(usize::MAX / 2);
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (at(&row, j) + usize::from(x != y)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            if i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x) {
                best = best.min(at(&last, j - 1) + 1);
            }
            next.push(best);
        }
        last = std::mem::replace(&mut row, next);
    }
    at(&row, b.len())
}

/// The known word that this one may be meant to be.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let letters = |of: &str| of.to_lowercase().chars().collect::<Vec<char>>();
    let mine = letters(word);
    let far = known.filter(|other| other.chars().count() <= 64).map(|other| (distance(&mine, &letters(other)), other));
    far.min().filter(|(far, _)| *far <= 2.max(mine.len() / 3) && *far < mine.len()).map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_what() {
        for (a, b) in [("grteing", "greeting"), ("db_hots", "db_host"), ("timout", "timeout")] {
            assert!(looks_like(a, b), "{a} {b}");
        }
        for (a, b) in [("db_host", "db_port"), ("host1", "host2"), ("a", "b"), ("db_host", "db_pass"), ("abc", "abcdef")] {
            assert!(!looks_like(a, b), "{a} {b}");
        }
        assert_eq!(nearest("versoin", ["volumes", "version"].into_iter()), Some("version"));
        assert_eq!(nearest("x", ["y", "volumes"].into_iter()), None);
    }
}
