//! Bytes of a log put together to lines; a line of any length is harmless: its beginning is kept, and it is said what was left out.

/// What is kept of one line, bytes.
pub const LINE_MAX: usize = 16 << 10;

/// Puts bytes together to lines.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    part: Vec<u8>,
    /// Bytes of the present line that were left out.
    left_out: u64,
}

impl Lines {
    /// Takes bytes; answers with the lines that are whole now, without their ends.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            let room = LINE_MAX.saturating_sub(self.part.len());
            let kept = text.get(..room).unwrap_or(text);
            self.part.extend_from_slice(kept);
            self.left_out += (text.len() - kept.len()) as u64;
            if ends {
                lines.push(self.take());
            }
        }
        lines
    }

    /// What there is of a line that has no end yet.
    pub fn rest(&mut self) -> Option<String> {
        (!self.part.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        let part = std::mem::take(&mut self.part);
        let mut text = String::from_utf8_lossy(&part).into_owned();
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            text.push_str(&format!(" -- cut here, {left_out} bytes more"));
        } else if text.ends_with('\r') {
            text.pop();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ten_megabytes_without_an_end_are_a_line_that_is_cut() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; 64 << 10];
        for _ in 0..160 {
            assert!(lines.push(&piece).is_empty());
            assert!(lines.part.capacity() <= 2 * LINE_MAX);
        }
        let line = lines.push(b"end\nnext\r\n");
        assert_eq!(line.get(1).map(String::as_str), Some("next"));
        let cut = line.first().unwrap();
        assert!(
            cut.starts_with("xxx") && cut.ends_with(&format!("cut here, {} bytes more", (160 << 16) + 3 - LINE_MAX)),
            "{}",
            &cut[LINE_MAX..]
        );
        assert_eq!(lines.rest(), None);
    }

    proptest! {
        #[test]
        fn however_it_arrives_the_lines_are_the_same(text in "[a-z\n]{0,80}", cuts in prop::collection::vec(0usize..80, 0..6)) {
            let mut all = Lines::default();
            let mut whole = all.push(text.as_bytes());
            whole.extend(all.rest());
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let mut lines = Lines::default();
            let mut pieces: Vec<String> = cuts.windows(2).flat_map(|cut| lines.push(&text.as_bytes()[cut[0]..cut[1]])).collect();
            pieces.extend(lines.rest());
            prop_assert_eq!(whole, pieces);
        }
    }
}
