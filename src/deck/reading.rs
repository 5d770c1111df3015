//! Texts that are made when somebody asks for them: an object as YAML, what is saved against what runs, one of two against the other.

use super::look::Target;
use super::past::written;
use super::{Catalog, Deck};
use crate::model::document::{self, Kind};
use crate::model::entity::Swarm;
use crate::model::release::{Release, sorted};
use crate::model::{Fault, Result, merge, yaml_text};
use serde_json::{Value, json};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inquiry {
    /// What was written, and what `get -o yaml` says of it; secrets masked.
    Yaml(Target),
    /// What would run if this swarm (by id) were dispatched now, against what runs.
    Running(String),
    /// Two of a kind, the older or first one first.
    Compare(Target, Target),
    /// What a version of an object changed.
    Change(String, i64),
}

impl Deck {
    /// Answers with lines; a difference begins its lines with `+`, `-`, ` ` or `@@`. Secrets are keyed hashes, so that a change of one shows.
    pub async fn read(&self, inquiry: &Inquiry) -> Result<Vec<String>> {
        let catalog = self.catalog().await?;
        let text = match inquiry {
            Inquiry::Yaml(target) => self.yaml(&catalog, target).await?,
            Inquiry::Running(id) => {
                let (saved, running) = (self.comparable(&catalog, &Target::Swarm(id.clone())).await?, self.running(id).await?);
                let Some(running) = running else {
                    return Err(Fault::bad("nothing runs yet: there is nothing to compare with").next(".d dispatches it"));
                };
                self.whole_difference(&running, &saved)
            }
            Inquiry::Compare(one, other) => {
                let (one, other) = (self.comparable(&catalog, one).await?, self.comparable(&catalog, other).await?);
                self.whole_difference(&one, &other)
            }
            Inquiry::Change(id, rev) => {
                let new = self.version(id, *rev).await?;
                let old = self.store.versions(id).await?.into_iter().find(|version| version.object.rev < *rev);
                let new = if new.deleted { String::new() } else { new.object.text };
                self.whole_difference(&old.map(|old| old.object.text).unwrap_or_default(), &new)
            }
        };
        Ok(text.lines().map(str::to_string).collect())
    }

    fn whole_difference(&self, old: &str, new: &str) -> String {
        let difference = self.difference(old, new);
        if difference.is_empty() { "no difference".into() } else { difference }
    }

    async fn yaml(&self, catalog: &Catalog, target: &Target) -> Result<String> {
        let by_id = |kind: Kind, id: &str| catalog.head(kind, Some(id), "").map(|(_, name, ..)| (kind, name.to_string()));
        let object = match target {
            Target::Swarm(id) => by_id(Kind::Swarm, id),
            Target::Ingredient(id) => by_id(Kind::Ingredient, id),
            target => written(target).map(|(kind, name)| (kind, name.to_string())),
        };
        if let Some((kind, name)) = object {
            let text = document::export(&catalog.document(Some(kind), Some(&name)))?;
            let rows = self.rows(catalog, kind.section(), Some(&name)).await?;
            let rows: Vec<Value> = rows.into_iter().filter(|row| row.get("name").is_some_and(|found| *found == *name)).collect();
            return Ok(format!("# as it is written\n{}---\n# as it is\n{}", self.masked_yaml(&text), yaml_text::emit(&rows)?));
        }
        let exact = |rows: Vec<Value>, of: &[(&str, &str)]| {
            let same = |row: &Value| of.iter().all(|(key, value)| row.get(*key).is_some_and(|found| found == value));
            rows.into_iter().find(same)
        };
        let value = match target {
            Target::Host(name) => exact(self.rows(catalog, "hosts", Some(name)).await?, &[("name", name)]),
            Target::Proc(host, name) => exact(self.rows(catalog, "procs", Some(name)).await?, &[("host", host), ("name", name)]),
            Target::Build(id) => {
                let build = self.store.build(id).await?;
                build.map(|build| json!(crate::model::release::Build { env: self.secrets().mask_env(&build.env), ..build }))
            }
            Target::Dispatch(id) => Some(json!(self.dispatch_named(id).await?)),
            Target::Release(_, id) => Some(self.describe("release", id).await?),
            Target::Version(id, rev) => return Ok(self.masked_yaml(&self.version(id, *rev).await?.object.text)),
            Target::Event(seq) => self.look().events.iter().find(|event| event.seq == *seq).map(|event| json!(event)),
            Target::Audit(seq) => self.look().lists.audit.iter().find(|line| line.seq == *seq).map(|line| json!(line)),
            Target::Stray(place, name) => {
                self.look().strays.iter().find(|stray| stray.place == *place && stray.name == *name).map(|stray| json!(stray))
            }
            Target::Hold(name) => self.holds().await?.iter().find(|hold| hold.name == *name).map(|hold| json!(hold)),
            Target::Wave(number) | Target::Member(number, _) => Some(self.wave_value(&self.wave_named(&number.to_string()).await?).await?),
            Target::Uptests(id) => self.look().lists.uptests.iter().find(|run| run.id == *id).map(|run| json!(run)),
            Target::Pool(balancer, pool) | Target::Node { balancer, pool, .. } => {
                self.last_world().await.pool(balancer, pool).map(|pool| json!(pool))
            }
            _ => None,
        };
        let value = value.ok_or_else(|| Fault::bad("it is gone"))?;
        Ok(self.masked_yaml(&yaml_text::emit(&value)?))
    }

    /// What is compared of an object: what decides how it runs, in the order of its keys.
    async fn comparable(&self, catalog: &Catalog, target: &Target) -> Result<String> {
        match target {
            Target::Swarm(id) => {
                let entry = catalog.swarm(id)?;
                self.saved_text(catalog, &entry.id, &entry.body).await
            }
            Target::Release(_, id) => match self.known_release(id).await? {
                Some(release) => release_text(&release),
                None => Err(super::unknown("release", id, "releases")),
            },
            Target::Version(id, rev) => Ok(self.version(id, *rev).await?.object.text),
            Target::Dispatch(id) => {
                let dispatch = self.dispatch_named(id).await?;
                match self.known_release(&dispatch.to_release).await? {
                    Some(release) => release_text(&release),
                    None => Err(Fault::bad(format!("the release of dispatch {} is not kept", dispatch.number))),
                }
            }
            Target::Ingredient(id) => Ok(catalog.ingredient(id)?.text.clone()),
            other => match written(other).and_then(|(kind, name)| catalog.head(kind, None, name)) {
                Some((_, _, _, text)) => Ok(text.to_string()),
                None => Err(Fault::bad("there is nothing to compare of it")
                    .next("swarms, releases, dispatches, versions and objects can be compared")),
            },
        }
    }

    /// What runs of a swarm; none when nothing does.
    async fn running(&self, swarm_id: &str) -> Result<Option<String>> {
        let Some(run) = self.store.current_run(swarm_id).await? else { return Ok(None) };
        let release = self.known_release(&run.release_id).await?;
        release.map(|release| release_text(&release)).transpose()
    }

    /// A swarm as its next release would be: compiled from what is saved, over the build that runs.
    async fn saved_text(&self, catalog: &Catalog, id: &str, swarm: &Swarm) -> Result<String> {
        let run = self.store.current_run(id).await?;
        let release = match &run {
            Some(run) => self.known_release(&run.release_id).await?,
            None => None,
        };
        let build = match &release {
            Some(release) => self.store.build(&release.build).await?,
            None => None,
        };
        let env = build.map(|build| build.env).unwrap_or_default();
        let ingredients = catalog.ingredients_of(swarm)?;
        let compiled = merge::compile(&env, ingredients.iter().map(|entry| &entry.body), swarm);
        content(
            &swarm.version,
            &swarm.run_as,
            json!([swarm.mem_limit, swarm.memsw_limit]),
            &swarm.volumes,
            &json!(compiled.config),
            &json!(compiled.env),
        )
    }
}

fn release_text(release: &Release) -> Result<String> {
    let limits = json!([release.mem_limit, release.memsw_limit]);
    content(&release.version, &release.run_as, limits, &release.volumes, &json!(release.config), &json!(release.env))
}

/// Both sides of a comparison in one form.
fn content(version: &str, run_as: &str, limits: Value, volumes: &[(String, String)], config: &Value, env: &Value) -> Result<String> {
    let mut text =
        yaml_text::emit(&json!({"version": version, "run_as": run_as, "mem_limit": limits.get(0), "memsw_limit": limits.get(1)}))?;
    text.push_str(&yaml_text::emit(&json!({"volumes": volumes}))?);
    text.push_str(&yaml_text::emit(&json!({"config": sorted(config)}))?);
    text.push_str(&yaml_text::emit(&json!({"env": sorted(env)}))?);
    Ok(text)
}
