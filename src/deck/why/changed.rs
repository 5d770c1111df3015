//! What changed since something last ran well: version, keys of config and env, who and when; and what was done to it since.

use crate::deck::{Catalog, Deck};
use crate::model::Result;
use crate::model::record::Dispatch;
use crate::model::release::Release;
use crate::plan::change;

/// How many keys and events are told.
const MOST: usize = 12;

impl Deck {
    /// For a swarm; of a dispatch, what it was to change. Empty where nothing is known.
    pub(super) async fn changed(&self, catalog: &Catalog, swarm_id: &str, dispatch: Option<&Dispatch>) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        if swarm_id.is_empty() {
            return Ok(lines);
        }
        let runs = self.store.runs_of(swarm_id, 10).await?;
        let newest = match dispatch {
            Some(dispatch) => Some(dispatch.clone()),
            None => self.store.dispatches(Some(swarm_id), 1).await?.pop(),
        };
        let undone = newest.as_ref().filter(|newest| newest.outcome != Some(crate::model::record::Outcome::Done));
        // A dispatch that did not end well is compared with what ran before it; else what runs with what ran before that.
        let (before, after, by) = match (dispatch, undone) {
            (Some(dispatch), _) | (None, Some(dispatch)) => (dispatch.from_release.clone(), dispatch.to_release.clone(), newest.clone()),
            (None, None) => {
                let Some(current) = runs.first() else { return Ok(lines) };
                let previous = runs.iter().find(|run| run.release_id != current.release_id);
                let by = self.store.dispatch(&current.dispatch_id).await?;
                (previous.map(|run| run.release_id.clone()).unwrap_or_default(), current.release_id.clone(), by)
            }
        };
        if let Some(by) = &by {
            let why = if by.why.is_empty() { String::new() } else { format!(" ({})", by.why) };
            lines.push(format!("{} {} by {}, {}{why}", by.verb, by.number, by.who, date(by.started_ms)));
        }
        let (before, after) = (self.known_release(&before).await?, self.known_release(&after).await?);
        match (before, after) {
            (Some(before), Some(after)) if before.id != after.id => lines.extend(self.differences(&before, &after)),
            (Some(_), Some(_)) => lines.push("the same release as before".into()),
            (None, Some(after)) => lines.push(format!("the first release of it that was to run: {} {}", after.version, after.short())),
            _ => {}
        }
        lines.extend(self.done_since(catalog, swarm_id, by.as_ref().map_or(0, |by| by.started_ms)).await?);
        lines.truncate(2 * MOST);
        Ok(lines)
    }

    /// Version, commit, command, user and every key that differs, secrets as hashes.
    fn differences(&self, before: &Release, after: &Release) -> Vec<String> {
        let mut lines = Vec::new();
        let mut pair = |what: &str, old: &str, new: &str| {
            if old != new {
                lines.push(format!("{what}: {old} -> {new}"));
            }
        };
        pair("version", &before.version, &after.version);
        pair("commit", &short(&before.commit), &short(&after.commit));
        pair("command", &before.command, &after.command);
        pair("run_as", &before.run_as, &after.run_as);
        pair("buildpack", &short(&before.buildpack_commit), &short(&after.buildpack_commit));
        let changes = change::changes(Some(before), after, &|_, _| String::new(), &|key, value| self.shown(key, value));
        let rest = changes.len().saturating_sub(MOST);
        for change in changes.iter().take(MOST) {
            let of = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".into());
            lines.push(format!("{} {}: {} -> {}", change.file, change.key, of(&change.before), of(&change.after)));
        }
        if rest > 0 {
            lines.push(format!("and {rest} more keys"));
        }
        lines
    }

    /// Saves of the swarm and its ingredients, and verbs on its procs, since that dispatch.
    async fn done_since(&self, catalog: &Catalog, swarm_id: &str, since_ms: i64) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        let Ok(entry) = catalog.swarm(swarm_id) else { return Ok(lines) };
        let mut objects = vec![(entry.id.clone(), "the swarm".to_string())];
        let ingredients = catalog.ingredients_of(&entry.body).unwrap_or_default();
        objects.extend(ingredients.iter().map(|ingredient| (ingredient.id.clone(), format!("ingredient {}", ingredient.name))));
        for (id, name) in objects {
            let versions = self.store.versions(&id).await?;
            for version in versions.iter().filter(|version| version.object.changed_ms > since_ms && version.object.rev > 1).take(3) {
                let why = if version.why.is_empty() { String::new() } else { format!(" ({})", version.why) };
                lines.push(format!("since then: {} saved {name}, {}{why}", version.object.changed_by, date(version.object.changed_ms)));
            }
        }
        let procs: Vec<String> = self
            .last_world()
            .await
            .procs()
            .filter(|proc| proc.swarm.as_ref() == Some(&entry.name))
            .map(|proc| format!("{}:{}", proc.host, proc.name))
            .collect();
        for line in
            self.store.audit("", "", "", 100).await?.iter().filter(|line| line.at_ms > since_ms && procs.contains(&line.object)).take(5)
        {
            lines.push(format!("since then: {} {} of {}, {}", line.who, line.verb, line.object, date(line.at_ms)));
        }
        Ok(lines)
    }
}

fn short(text: &str) -> String {
    text.chars().take(8).collect()
}

fn date(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|at| at.strftime("%F %T UTC").to_string()).unwrap_or_default()
}
