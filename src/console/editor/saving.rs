//! Saving, and what others saved meanwhile.

use super::check::Severity;
use super::review::Review;
use super::{Editor, join};
use crate::deck::look::EditDocument;

impl Editor {
    /// Opens the difference, when there is one and it can be saved.
    pub(super) fn ask(&mut self, then_plan: bool) {
        self.check();
        if let Some(document) = self.waiting.take() {
            self.merge_saved(*document);
        }
        let error = self.problems.iter().position(|p| p.severity == Severity::Error);
        let no = |text: String| Some((text, true));
        if !self.can_write {
            self.message = no("this fleet is open to look only; the draft is kept".into());
        } else if self.saving {
            self.message = no("the last save is still under way".into());
        } else if let Some(at) = error {
            self.problem = at;
            self.go_to_problem();
            let place = self.problems.get(at).map(|p| format!("{}:{} {}", p.line, p.column, p.text)).unwrap_or_default();
            self.message = no(format!("not saved: {place}"));
        } else if !self.is_changed() && !then_plan {
            self.message = Some(("nothing to save".into(), false));
        } else {
            self.review = Some(Review::new(&self.document.text, &self.text(), then_plan, &self.secrets));
        }
    }

    /// It was saved as this revision.
    pub fn saved(&mut self, text: &str, rev: i64, who: &str, now_ms: i64) {
        self.saving = false;
        self.document.text = text.into();
        (self.document.rev, self.document.saved_by, self.document.saved_ms) = (rev, who.into(), now_ms);
        self.others = None;
        self.message = Some(("saved".into(), false));
        self.shaped = u64::MAX;
        self.shape();
        self.has_draft = false;
        if self.is_changed() {
            self.drafted = self.drafted.wrapping_sub(1); // typed on while it was saved: that is a draft
        } else {
            self.drafted = self.buffer.version;
        }
    }
    /// It was not saved, and why (one line).
    pub fn not_saved(&mut self, why: &str) {
        self.saving = false;
        self.message = Some((format!("not saved: {}", crate::model::shown::shown(why)), true));
    }
    /// `$EDITOR` ended with this text; none when it failed or changed nothing.
    pub fn external_done(&mut self, text: Option<&str>, now_ms: i64) {
        let Some(text) = text.filter(|text| *text != self.buffer.text()) else { return };
        // Editors end the last line; that alone is no change.
        let ours = self.buffer.text();
        let text = if ours.ends_with('\n') || ours.is_empty() { text } else { text.strip_suffix('\n').unwrap_or(text) };
        if text != ours {
            self.buffer.replace(text, self.buffer.cursor());
            self.edited(now_ms);
            self.check();
        }
    }

    /// Someone else saved meanwhile. Their keys come into this text where they do not clash; saving then builds on their revision.
    pub fn merge_saved(&mut self, document: EditDocument) {
        if document.rev == self.document.rev {
            return;
        }
        let who = crate::model::shown::shown(&document.saved_by);
        let ours = self.buffer.text();
        let Some(joined) = join::join(&self.document.text, &document.text, &ours) else {
            self.others = Some((format!("{who} saved here; joined as soon as this text can be read"), true));
            self.waiting = Some(Box::new(document));
            return;
        };
        let taken = joined.taken.join(", ");
        self.others = Some(match (joined.clash.as_slice(), taken.is_empty()) {
            ([], true) => (format!("{who} saved here; nothing that this text does not have"), false),
            ([], false) => (format!("{who} saved {taken} here; no clash, now in this text too"), false),
            (clash, _) => (format!("{who} saved {} here too; CLASH, saving keeps yours", clash.join(", ")), true),
        });
        self.document = document;
        if joined.text != ours {
            self.buffer.replace(&joined.text, self.buffer.cursor());
        }
        self.shaped = u64::MAX;
        self.shape();
        self.check();
    }
}
