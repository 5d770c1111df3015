//! The one place where a word is quoted for a POSIX shell.

/// One word, quoted so that `sh` reads back exactly these bytes (POSIX.1-2017, 2.2.2 single-quotes).
/// NUL cannot be carried by a shell word; it is dropped.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('=') {
        return word.to_string();
    }
    format!("'{}'", word.replace('\0', "").replace('\'', r"'\''"))
}

/// An argument vector as one command line for `sh`.
pub fn command<S: AsRef<str>>(argv: &[S]) -> String {
    argv.iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_real_shell_reads_back_what_was_quoted(words in proptest::collection::vec("[^\0]{0,12}", 1..8)) {
            let script = format!("printf '%s\\0' {}", command(&words));
            let out = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
            let mut expected: Vec<u8> = Vec::new();
            for word in &words { expected.extend(word.as_bytes()); expected.push(0); }
            prop_assert_eq!(out.stdout, expected);
        }
    }
}
