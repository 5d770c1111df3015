//! The driver writes before it acts, ends when it may not write, and leaves when it is told to.

use super::super::machine::{Rules, steps};
use super::*;
use crate::plan::{Plan, PlannedProc};
use std::sync::Mutex;

#[derive(Default)]
struct Seen {
    lines: Mutex<Vec<String>>,
    fail_write: Option<usize>,
    fail_step: Option<Phase>,
    hang: Option<Phase>,
}

#[async_trait]
impl Journal for Seen {
    async fn write(&self, records: &[Step], _run: &Run) -> Result<()> {
        let mut lines = self.lines.lock().unwrap();
        if self.fail_write.is_some_and(|n| lines.iter().filter(|line| line.starts_with("write")).count() >= n) {
            return Err(Fault::failed("No space left on device"));
        }
        let states: Vec<String> = records.iter().map(|step| format!("{} {:?}", step.phase.word(), step.state)).collect();
        lines.push(format!("write {}", states.join(", ")));
        Ok(())
    }
    fn may_act(&self) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Hands for Seen {
    async fn carry(&self, step: &StepName, _lost: &BTreeSet<String>, mut give_up: watch::Receiver<bool>) -> Result<String> {
        self.lines.lock().unwrap().push(format!("do {}", step.phase.word()));
        if step.phase == Phase::Drain && *give_up.borrow() {
            return Err(Fault::interrupted("nobody waits any more"));
        }
        if self.hang == Some(step.phase) {
            give_up.wait_for(|gone| *gone).await.ok();
            return Err(Fault::interrupted("gave up"));
        }
        if self.fail_step == Some(step.phase) { Err(Fault::failed("no")) } else { Ok("ok".into()) }
    }
    async fn undo(&self, step: &StepName, _lost: &BTreeSet<String>) -> Result<String> {
        self.lines.lock().unwrap().push(format!("undo {}", step.phase.word()));
        Ok("undone".into())
    }
}

fn run() -> Run {
    let proc = PlannedProc {
        host: "web1".into(),
        name: "p".into(),
        port: 5000,
        node: "n".into(),
        instance: "i".into(),
        pid: None,
        release: "r".into(),
        batch: 0,
    };
    Run::new(Rules::default(), steps(&Plan { start: vec![proc], ..Plan::default() }), false, None)
}

async fn play(seen: Seen, wish: Option<Wish>) -> (Ended, Vec<String>) {
    let seen = Arc::new(seen);
    let (sender, receiver) = mpsc::channel(1);
    if let Some(wish) = wish {
        sender.send(wish).await.unwrap();
    }
    let ended = drive(run(), seen.clone(), seen.clone(), &|| 7, receiver).await;
    let lines = seen.lines.lock().unwrap().clone();
    (ended, lines)
}

#[tokio::test]
async fn every_step_is_written_before_it_is_done() {
    let (ended, lines) = play(Seen::default(), None).await;
    assert_eq!(ended.outcome, Outcome::Done);
    for phase in ["fence", "distribute", "start", "prove"] {
        let intent = lines.iter().position(|line| line.starts_with("write") && line.contains(&format!("{phase} Intent"))).unwrap();
        let act = lines.iter().position(|line| line == &format!("do {phase}")).unwrap();
        assert!(intent < act, "{lines:?}");
    }
}

#[tokio::test]
async fn a_full_disk_stops_it_and_nothing_unwritten_is_done() {
    let (ended, lines) = play(Seen { fail_write: Some(2), ..Seen::default() }, None).await;
    assert_eq!(ended.outcome, Outcome::Interrupted);
    assert!(ended.fault.unwrap().what.contains("No space"));
    assert!(!lines.contains(&"do start".to_string()), "{lines:?}");
}

#[tokio::test]
async fn a_failed_step_is_undone() {
    let (ended, lines) = play(Seen { fail_step: Some(Phase::Prove), ..Seen::default() }, None).await;
    assert_eq!(ended.outcome, Outcome::Undone);
    assert!(lines.contains(&"undo start".to_string()), "{lines:?}");
    assert_eq!(ended.fault.unwrap().step.as_deref(), Some("prove"));
}

#[tokio::test]
async fn a_cancel_ends_a_wait_and_undoes() {
    let (ended, _) =
        play(Seen { hang: Some(Phase::Prove), ..Seen::default() }, Some(Wish::Undo(Fault::interrupted("cancelled by op1")))).await;
    assert_eq!(ended.outcome, Outcome::Undone);
    let (ended, lines) = play(Seen { hang: Some(Phase::Prove), ..Seen::default() }, Some(Wish::Leave)).await;
    assert_eq!(ended.outcome, Outcome::Interrupted);
    assert!(!lines.iter().any(|line| line.starts_with("undo")), "{lines:?}");
}

#[tokio::test]
async fn a_pool_that_is_still_to_be_written_on_the_way_back_is_waited_for() {
    let proc = |batch: u32| PlannedProc {
        host: format!("web{batch}"),
        name: "p".into(),
        port: 5000,
        node: format!("n{batch}"),
        instance: "i".into(),
        pid: None,
        release: "r".into(),
        batch,
    };
    let pool = crate::plan::PoolChange { before: vec!["n0".into()], after: vec!["n1".into()], ..Default::default() };
    let both = vec![proc(0), proc(1)];
    let plan = Plan { start: both.clone(), retire: both, in_place: true, pool: Some(pool), ..Plan::default() };
    let mut all = steps(&plan);
    for step in &mut all {
        step.state = match (step.batch, step.phase) {
            (0, _) | (1, Phase::Retire | Phase::Start) => StepState::Done,
            (1, Phase::Drain) => StepState::Failed,
            _ => StepState::Pending,
        };
    }
    let seen = Arc::new(Seen::default());
    let (_wishes, receiver) = mpsc::channel(1);
    let ended = drive(Run::new(Rules::default(), all, true, None), seen.clone(), seen.clone(), &|| 7, receiver).await;
    assert_eq!((ended.outcome, ended.run.debts()), (Outcome::Failed, Vec::new()));
    let acts: Vec<String> = seen.lines.lock().unwrap().iter().filter(|line| !line.starts_with("write")).cloned().collect();
    assert_eq!(acts, ["undo start", "do drain"]);
}
