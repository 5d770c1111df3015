//! An operator's YAML text as others may see it: secret values as keyed hashes, so that a change shows and the value does not.

use super::Deck;
use crate::model::secret::keyed_hash;
use crate::plan::Shown;

impl Deck {
    /// A value as a plan shows it.
    pub(super) fn shown(&self, key: &str, value: &str) -> Shown {
        if self.secrets.is_secret(key, value) {
            Shown { text: format!("#{}", keyed_hash(self.store.installation_key(), value)), secret: true }
        } else {
            Shown { text: value.to_string(), secret: false }
        }
    }

    /// The rule for what is secret.
    pub fn secrets(&self) -> &crate::model::secret::Secrets {
        &self.secrets
    }

    /// A YAML text with the values of secret keys as `****#hash`, in block and flow style, in what goes on below the key, and in comments.
    /// What follows a secret in the same line goes with it.
    pub(super) fn masked_yaml(&self, text: &str) -> String {
        let mut out = String::new();
        // The column of the secret key whose value may go on below.
        let mut inside: Option<usize> = None;
        for line in text.split_inclusive('\n') {
            let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
            let indent = line.len() - line.trim_start().len();
            let below = inside.is_some_and(|column| indent > column || (indent == column && line.trim_start().starts_with("- ")));
            if below && !line.trim().is_empty() {
                out.push_str(&format!("{:indent$}{}{end}", "", self.hidden(line.trim())));
                continue;
            }
            if !line.trim().is_empty() {
                let secret = self.secret_in(line);
                inside = secret.filter(|_| !line.trim_start().starts_with('#')).map(|(key, _)| key);
                if let Some((_, value)) = secret {
                    let (before, value) = line.split_at(value);
                    out.push_str(before);
                    if !value.trim().is_empty() {
                        out.push_str(&format!(" {}", self.hidden(value.trim())));
                    }
                    out.push_str(end);
                    continue;
                }
            }
            out.push_str(line);
            out.push_str(end);
        }
        self.secrets.mask_text(&out)
    }

    fn hidden(&self, value: &str) -> String {
        format!("****#{}", keyed_hash(self.store.installation_key(), value))
    }

    /// Where the first secret key of a line begins, and where its value does.
    fn secret_in(&self, line: &str) -> Option<(usize, usize)> {
        let colons = line.match_indices(':').map(|(at, _)| at);
        colons.filter(|at| line.get(at + 1..).is_some_and(|after| after.is_empty() || after.starts_with([' ', '\t']))).find_map(|colon| {
            let before = line.get(..colon)?;
            let begin = before.rfind(['{', '}', ',', '[', ':', '#']).map_or(0, |at| at + 1);
            let mut begin = begin + before.get(begin..)?.len() - before.get(begin..)?.trim_start().len();
            while let Some(rest) = before.get(begin..)?.strip_prefix("- ") {
                begin = before.len() - rest.trim_start().len();
            }
            let key = before.get(begin..)?.trim().trim_matches(['"', '\'']);
            // In braces what goes on may stand anywhere below the line's own margin.
            let column = if before.get(..begin)?.contains(['{', '[']) { line.len() - line.trim_start().len() } else { begin };
            self.secrets.is_secret_key(key).then_some((column, colon + 1))
        })
    }
}
