//! Saving, and what others saved meanwhile.

use super::check::Severity;
use super::review::{Line, Review};
use super::{Editor, EditorAct, Offered, join, users};
use crate::deck::look::{Draft, EditDocument, EditSaved};
use crate::model::document::Kind as Object;
use crate::model::{Fault, Result};

impl Editor {
    /// Opens the difference, when there is one and it can be saved; of a whole object what it means is asked for first.
    pub(super) fn ask(&mut self, then_plan: bool) -> Vec<EditorAct> {
        self.check();
        if let Some(document) = self.waiting.take().or_else(|| self.newer.take()) {
            self.merge_saved(*document);
        }
        let error = self.problems.iter().position(|p| p.severity == Severity::Error);
        let is_new = self.is_new();
        let no = |text: String| Some((text, true));
        if !self.can_write {
            self.message = no("READ-ONLY: the draft is kept; :write 15m WHY outside the editor lifts that".into());
        } else if self.saving || self.trying.is_some() {
            self.message = no("the last save is still under way".into());
        } else if let Some(at) = error {
            self.problem = at;
            self.go_to_problem();
            let place = self.problems.get(at).map(|p| format!("{}:{} {}", p.line, p.column, p.text)).unwrap_or_default();
            self.message = no(format!("not saved: {place}"));
        } else if then_plan && !self.plans() {
            let what =
                if self.document.target.kind() == Object::Ingredient { "no swarm uses it" } else { "a swarm or an ingredient is planned" };
            self.message = no(format!("there is nothing to plan: {what}; ^s saves"));
        } else if !self.is_changed() && !then_plan && !is_new {
            self.message = Some(("nothing to save".into(), false));
        } else if self.document.target.whole().is_some() && (self.is_changed() || is_new) {
            self.trying = Some((self.buffer.version, then_plan));
            self.message = Some(("looking what this means".into(), false));
            return vec![EditorAct::Try { text: self.text(), rev: self.document.rev }];
        } else {
            self.review(then_plan, &[]);
        }
        Vec::new()
    }

    /// What saving a whole object would mean, or why it cannot be saved.
    pub fn tried(&mut self, result: Result<Vec<String>>) {
        let Some((version, then_plan)) = self.trying.take() else { return };
        match result {
            _ if version != self.buffer.version => self.message = Some(("the text changed meanwhile; save again".into(), true)),
            Ok(notices) => {
                self.message = None;
                self.review(then_plan, &notices);
            }
            Err(fault) => self.refused(&fault),
        }
    }

    /// Opens the difference. An ingredient's says what it means for each swarm.
    fn review(&mut self, then_plan: bool, notices: &[String]) {
        self.completion = None;
        let mut notes: Vec<Line> = Vec::new();
        for notice in notices {
            notes.extend(wrapped(notice).into_iter().enumerate().map(|(n, text)| Line { sign: if n == 0 { '!' } else { ' ' }, text }));
        }
        if !self.impact.is_empty() {
            let (change, hidden) = users::counts(&self.impact);
            let untouched = self.impact.len() - change - hidden;
            let swarms = super::view::plural(self.impact.len(), "swarm");
            notes.push(Line { sign: '@', text: format!("used by {swarms}: {change} change, {hidden} overridden, {untouched} untouched") });
            notes.extend(users::lines(&self.impact).into_iter().map(|text| Line { sign: '.', text }));
        }
        let plans = self.plans() && (self.impact.is_empty() || users::counts(&self.impact).0 > 0);
        let is_new = self.is_new();
        let saved = if is_new { "" } else { &self.document.text };
        self.review = Some(Review::save(saved, &self.text(), then_plan, plans, notes, &self.secrets));
    }

    /// It was saved.
    pub fn saved(&mut self, text: &str, saved: &EditSaved, who: &str, now_ms: i64) {
        self.saving = false;
        self.document.text = text.into();
        self.document.title.clone_from(&saved.title);
        self.document.target = saved.target.clone();
        (self.document.rev, self.document.saved_by, self.document.saved_ms) = (saved.rev, who.into(), now_ms);
        (self.others, self.newer, self.behind) = (None, None, false);
        self.clashes.clear();
        self.message = Some((crate::model::shown::shown(&saved.said), false));
        self.checked = u64::MAX;
        self.check();
        self.shaped = u64::MAX;
        self.shape();
        self.has_draft = false;
        if self.is_changed() {
            self.drafted = self.drafted.wrapping_sub(1); // typed on while it was saved: that is a draft
        } else {
            self.drafted = self.buffer.version;
        }
    }
    /// It was not saved, and why; `behind`: what somebody else saved is asked for.
    pub fn not_saved(&mut self, fault: &Fault, behind: bool) {
        (self.saving, self.trying, self.behind) = (false, None, behind);
        self.refused(fault);
    }

    /// The document as it is saved now. What others changed comes in when this text is saved; at once after a save that was refused.
    pub fn fresh(&mut self, document: EditDocument) {
        if document.rev == self.document.rev {
            return;
        }
        if std::mem::take(&mut self.behind) {
            return self.merge_saved(document);
        }
        self.newer = Some(Box::new(document));
        self.look_at_newer();
    }

    /// Says what somebody else saved meanwhile, and whether it clashes with the text as it is.
    pub(super) fn look_at_newer(&mut self) {
        let Some(newer) = &self.newer else { return };
        let who = crate::model::shown::shown(&newer.saved_by);
        self.others = Some(match join::join(&self.document.text, &newer.text, &self.buffer.text()) {
            None => (format!("{who} saved here; joined as soon as this text can be read"), true),
            Some(joined) if joined.clash.is_empty() && joined.taken.is_empty() => {
                (format!("{who} saved here; nothing that this text does not have"), false)
            }
            Some(joined) if joined.clash.is_empty() => {
                (format!("{who} saved {} here; no clash, merged when you save", joined.taken.join(", ")), false)
            }
            Some(joined) => {
                let clash: Vec<String> = joined.clash.iter().map(join::Clash::dotted).collect();
                (format!("{who} saved {} here too; CLASH, shown when you save", clash.join(", ")), true)
            }
        });
    }

    fn refused(&mut self, fault: &Fault) {
        let line = crate::model::shown::shown(&fault.line());
        self.message = Some((format!("not saved: {}", line.strip_prefix("text:").unwrap_or(&line)), true));
    }

    /// A draft from an earlier session is offered, joined with what was saved since.
    pub fn offer_draft(&mut self, draft: &Draft, kept_ms: i64, now_ms: i64) {
        if draft.text == self.document.text {
            return;
        }
        let who = crate::model::shown::shown(&self.document.saved_by);
        let saved = super::view::age(now_ms - self.document.saved_ms);
        let mut offered = Offered { text: draft.text.clone(), clashes: Vec::new(), since: None };
        if draft.base != self.document.text {
            match join::join(&draft.base, &self.document.text, &draft.text) {
                Some(joined) => {
                    let keys: Vec<String> = joined.taken.iter().cloned().chain(joined.clash.iter().map(join::Clash::dotted)).collect();
                    let clash = match joined.clash.len() {
                        0 => "no clash".to_string(),
                        n => format!("{n} of them changed in the draft too: CLASH"),
                    };
                    let text = if keys.is_empty() {
                        format!("since it was begun {who} saved comments or order, {saved} ago")
                    } else {
                        format!("since it was begun {who} saved {}, {saved} ago; {clash}", keys.join(", "))
                    };
                    offered.since = Some((text, !joined.clash.is_empty()));
                    offered.clashes = joined.clash.into_iter().map(|clash| (clash, who.clone())).collect();
                    offered.text = joined.text;
                }
                None => {
                    let text = format!(
                        "since it was begun {who} saved here, {saved} ago; the draft cannot be read, so it is not joined: compare them"
                    );
                    offered.since = Some((text, true));
                }
            }
        }
        let notes = offered.since.iter().flat_map(|(text, clash)| {
            let sign = if *clash { '!' } else { '.' };
            wrapped(text).into_iter().enumerate().map(move |(n, text)| Line { sign: if n == 0 { sign } else { ' ' }, text })
        });
        let age = super::view::age(now_ms - kept_ms);
        self.review = Some(Review::draft(&age, &self.document.text, &offered.text, notes.collect(), &self.secrets));
        (self.offered, self.has_draft, self.draft_ms) = (Some(offered), true, Some(kept_ms));
    }

    /// The draft into the text, as one edit: `^u` takes it back.
    pub(super) fn take_draft(&mut self, now_ms: i64) {
        self.review = None;
        let Some(offered) = self.offered.take() else { return };
        self.buffer.replace(&offered.text, self.buffer.cursor());
        (self.clashes, self.others) = (offered.clashes, offered.since);
        self.message = Some(("your draft; ^u takes it back".into(), false));
        self.edited(now_ms);
        self.check();
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
        let clashing: Vec<String> = joined.clash.iter().map(join::Clash::dotted).collect();
        self.others = Some(match (clashing.as_slice(), taken.is_empty()) {
            ([], true) => (format!("{who} saved here; nothing that this text does not have"), false),
            ([], false) => (format!("{who} saved {taken} here; no clash, now in this text too"), false),
            (clash, true) => (format!("{who} saved {} here too; CLASH, saving keeps yours", clash.join(", ")), true),
            (clash, false) => (format!("{who} saved {} here too; CLASH, saving keeps yours; {taken} came in", clash.join(", ")), true),
        });
        self.clashes.retain(|(old, _)| !joined.clash.iter().any(|new| new.path == old.path));
        self.clashes.extend(joined.clash.into_iter().map(|clash| (clash, who.clone())));
        self.document = document;
        if joined.text != ours {
            self.buffer.replace(&joined.text, self.buffer.cursor());
        }
        (self.shaped, self.checked) = (u64::MAX, u64::MAX);
        self.shape();
        self.check();
    }
}

/// A notice in lines that 60 columns have room for.
fn wrapped(text: &str) -> Vec<String> {
    super::view_panes::wrap(&crate::model::shown::shown(text), 56)
}
