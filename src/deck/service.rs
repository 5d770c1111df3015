//! Hosts in and out of service, hosts added; notes about anything. What is written down, changed by one verb.

use super::apply::Seen;
use super::{Catalog, Deck, Entry};
use crate::model::document::{self, Kind};
use crate::model::entity::Squad;
use crate::model::record::{Audit, Event};
use crate::model::{Fault, Result};

impl Deck {
    /// Lets new procs be placed on a host, or not: its key `active`, where its squad is written. What runs there goes on.
    pub async fn host_service(&self, name: &str, active: bool, why: &str) -> Result<String> {
        let catalog = self.catalog().await?;
        let host = catalog.host(name)?;
        let word = if active { "in service" } else { "out of service" };
        if host.active == active {
            return Ok(format!("{name} is {word} already"));
        }
        let entry = squad(&catalog, &host.squad)?;
        self.put_squad(entry, &document::with_active(&entry.text, name, active)?, why).await?;
        self.told(if active { "in-service" } else { "out-of-service" }, name, "done", why).await?;
        Ok(format!("{name} is {word}{}", if active { "" } else { "; what runs there goes on, .v evacuates it" }))
    }

    /// Adds a host to a squad; with the keys of another one where `like` names it, whose squad is the default.
    pub async fn host_add(&self, name: &str, of: &str, like: &str, why: &str) -> Result<String> {
        let catalog = self.catalog().await?;
        if let Some(known) = catalog.hosts()?.into_iter().find(|host| host.name == name) {
            return Err(Fault::bad(format!("host {name} is in squad {} already", known.squad)).next("name another one"));
        }
        let like = (!like.is_empty()).then(|| catalog.host(like)).transpose()?;
        let of = match (&like, of) {
            (Some(like), "") => like.squad.clone(),
            (None, "") => return Err(Fault::bad("in which squad?").next("say --squad SQUAD, or --like HOST")),
            (_, of) => of.to_string(),
        };
        let entry = squad(&catalog, &of)?;
        self.put_squad(entry, &document::with_host(&entry.text, name, like.as_ref().map(|like| like.name.as_str()))?, why).await?;
        self.observe_soon();
        Ok(format!("host {name} is in squad {of}; look at it with .j, put what is missing on it with .p"))
    }

    async fn put_squad(&self, entry: &Entry<Squad>, text: &str, why: &str) -> Result<()> {
        let document = document::single(Kind::Squad, text, "the squad's text", Some(&entry.id))?;
        let seen = Seen { id: entry.id.clone(), rev: entry.rev };
        self.apply_document(document, "edit", Some(&seen), false, why).await.map(drop)
    }

    /// Writes a line about an object down, for everybody who looks at its events. Kinds are those of documents, and host, proc
    /// (`HOST:PROC`) and dispatch.
    pub async fn note(&self, kind: &str, name: &str, text: &str) -> Result<String> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Fault::bad("a note says something").next("swarmdeck note KIND NAME TEXT"));
        }
        let catalog = self.catalog().await?;
        let mut run = String::new();
        let place = match kind {
            "swarm" => catalog.swarm(name)?.name.clone(),
            "host" => self.any_host(name).await?.name,
            "dispatch" => {
                let dispatch = self.dispatch_named(name).await?;
                run = dispatch.id;
                dispatch.swarm
            }
            "proc" => match name.split_once(':') {
                Some((host, proc)) => {
                    catalog.host(host)?;
                    proc.to_string()
                }
                None => return Err(Fault::bad(format!("'{name}' names no proc")).next("write HOST:PROC")),
            },
            word => {
                let kind = Kind::from_word(word).ok_or_else(|| {
                    let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
                    Fault::bad(format!("there is no kind '{word}'")).next(format!("one of: host, proc, dispatch, {}", known.join(", ")))
                })?;
                let found = catalog.head(kind, None, name);
                found.map(|(_, name, ..)| name.to_string()).ok_or_else(|| super::unknown(kind.word(), name, kind.section()))?
            }
        };
        let (at_ms, who) = (self.now_ms(), self.who.clone());
        let event = Event {
            at_ms,
            kind: "note".into(),
            run: run.clone(),
            who: who.clone(),
            what: format!("note: {text}"),
            place: place.clone(),
            ..Event::default()
        };
        let object = format!("{kind} {name}");
        let audit = Audit { at_ms, who, verb: "note".into(), object, run, result: "done".into(), why: text.into(), ..Audit::default() };
        self.store.note(&[event], Some(&audit)).await?;
        self.refresh_soon();
        Ok(format!("noted at {place}"))
    }
}

fn squad<'c>(catalog: &'c Catalog, name: &str) -> Result<&'c Entry<Squad>> {
    catalog.squads.iter().find(|entry| entry.name == name).ok_or_else(|| super::unknown("squad", name, "squads"))
}

#[cfg(test)]
mod tests {
    use crate::deck::tests::{DOCUMENT, deck};

    #[tokio::test]
    async fn hosts_go_out_of_service_and_back_new_ones_come_and_notes_stay() {
        let (_dir, deck) = deck().await;
        deck.apply(&DOCUMENT.replace("hosts: []", "hosts: [{name: 'web[01-03]'}]"), "x", false, "").await.unwrap();
        let active = async |name: &str| deck.catalog().await.unwrap().host(name).unwrap().active;
        assert!(deck.host_service("web02", true, "").await.unwrap().contains("already"));
        deck.host_service("web02", false, "disk OPS-7").await.unwrap();
        assert!(!active("web02").await && active("web01").await && active("web03").await);
        deck.host_service("web02", true, "").await.unwrap();
        assert!(active("web02").await);
        assert!(deck.host_service("web08", true, "").await.is_err());
        deck.host_add("web04", "", "web02", "").await.unwrap();
        assert_eq!(deck.catalog().await.unwrap().host("web04").unwrap().squad, "web");
        assert!(deck.host_add("web04", "web", "", "").await.is_err() && deck.host_add("web05", "", "", "").await.is_err());
        deck.note("swarm", "shop-prod-web", " seen at night ").await.unwrap();
        assert!(deck.note("swarm", "none", "x").await.is_err() && deck.note("app", "shop", "  ").await.is_err());
        let said: Vec<(String, String)> =
            deck.store.audit("", "", "", 100).await.unwrap().into_iter().map(|line| (line.verb, line.object)).collect();
        for (verb, object) in [("out-of-service", "web02"), ("in-service", "web02"), ("note", "swarm shop-prod-web"), ("edit", "squad web")]
        {
            assert!(said.contains(&(verb.into(), object.into())), "{said:?}");
        }
        let events = deck.store.events_after(0, 100).await.unwrap();
        assert!(events.iter().any(|event| event.place == "shop-prod-web@web" && event.what == "note: seen at night"));
    }
}
