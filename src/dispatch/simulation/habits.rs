//! Holds and new names, as the operators of a play give them.

use super::fleet::{entity, host_number};
use super::planning::swarm_id;
use super::sim::Sim;
use super::time::Ms;
use crate::model::document::Kind;
use crate::model::entity::Host;
use crate::model::hold::{self, Hold, HoldOn};
use crate::model::{Fault, Result};
use crate::plan::Plan;
use crate::store::{Change, Put};
use std::rc::Rc;

impl Sim {
    pub async fn hold(self: &Rc<Sim>, console: usize, swarm: usize, host: Option<usize>, during: Ms) -> Result<()> {
        let since_ms = self.now_ms();
        let (on, id) = host.map_or((HoldOn::Swarm, swarm_id(swarm)), |host| (HoldOn::Host, format!("h{host}")));
        let until_ms = if during == 0 { 0 } else { since_ms + during as i64 };
        self.ask_store(console, true, |_| {
            let mut all = self.holds.borrow_mut();
            let name = format!("hold-{}-{since_ms}", all.len());
            all.push(Hold { name, on, object: id.clone(), id, who: "op".into(), why: "said so".into(), since_ms, until_ms });
            Ok(())
        })
        .await
    }

    /// The next letter behind the name of its config.
    pub async fn rename(self: &Rc<Sim>, console: usize, swarm: usize) -> Result<()> {
        let now_ms = self.now_ms();
        self.ask_store(console, true, |store| {
            let object = store.by_id(&swarm_id(swarm)).ok_or_else(|| Fault::refused("the swarm is deleted"))?;
            let (former, now) = (self.swarm(swarm)?.0, format!(r#""config_name":"prod{swarm}x"#));
            let body = object.body.replacen(&format!(r#""config_name":"prod{swarm}"#), &now, 1);
            let name = format!("shop-{}x-web@web", former.config_name);
            let put = Put { id: Some(object.id), kind: Kind::Swarm, name, text: object.text, body, expected: Some(object.rev) };
            store.apply(&[Change::Put(put)], "op", now_ms).map(drop)
        })
        .await
    }

    /// Hosts as they are for placing: one that is held takes nothing.
    pub async fn hosts_for_placing(self: &Rc<Sim>, console: usize) -> Result<Vec<Host>> {
        let holds = self.ask_store(console, false, |_| Ok(self.holds.borrow().clone())).await?;
        let placed = |host: usize| {
            let host = entity(host, self.fleet.borrow().hosts[host].active);
            Host { active: host.active && hold::over_host(&holds, &host.id, self.now_ms()).is_none(), ..host }
        };
        Ok((0..self.scenario.hosts).map(placed).collect())
    }

    fn holds_over(&self, plan: &Plan, now_ms: i64) -> Vec<Hold> {
        let all = self.holds.borrow();
        let over_swarm = hold::over_swarm(&all, &plan.swarm_id, "web", now_ms);
        let hosts = plan.touched_hosts().into_iter().filter_map(|host| host_number(&host));
        let over_hosts = hosts.filter_map(|host| hold::over_host(&all, &format!("h{host}"), now_ms));
        over_swarm.into_iter().chain(over_hosts).cloned().collect()
    }

    /// What a dispatch does about holds: the names of those that it lifts, or the refusal.
    pub async fn lifting(self: &Rc<Sim>, console: usize, plan: &Plan, lifts: bool) -> Result<Vec<String>> {
        let holds = self.ask_store(console, false, |_| Ok(self.holds_over(plan, self.now_ms()))).await?;
        let holds: Vec<&Hold> = holds.iter().collect();
        let named: Vec<String> = holds.iter().filter(|_| lifts).map(|hold| hold.name.clone()).collect();
        Ok(hold::lifted(&holds, &named, &plan.swarm)?.into_iter().map(|hold| hold.name.clone()).collect())
    }

    pub fn lift(&self, names: &[String]) {
        self.holds.borrow_mut().retain(|hold| !names.contains(&hold.name));
    }

    /// A hold that was there when the lease was taken, and was not lifted by name, lets nothing begin.
    pub fn judge_holds(&self, plan: &Plan, under_lease_ms: i64) {
        let stays = self.holds_over(plan, self.now_ms()).into_iter().find(|hold| hold.since_ms < under_lease_ms);
        if let Some(hold) = stays {
            self.truth.borrow_mut().break_promise("what is held is left alone", format!("{} begins under {hold:?}", plan.id));
        }
    }
}
