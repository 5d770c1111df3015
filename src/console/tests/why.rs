//! `w` on everything that lists show: a cause with what shows it, or why nothing is wrong.

use super::fixture::{NOW, command, frame, look, press, state};
use crate::console::effect::Effect;
use crate::console::msg::Msg;
use crate::console::theme::Depth;
use crate::console::update::update;
use crate::deck::look::{Look, SwarmState, Target};
use crate::deck::why::{Why, of_look};
use crate::model::release::BuildStatus;
use crate::model::world::HostState;
use std::sync::Arc;

fn why(look: &Look, target: Target) -> Why {
    of_look(look, &target).unwrap_or_else(|| panic!("{target:?} has no why"))
}

/// The ids of all causes, the first first.
fn causes(why: &Why) -> Vec<&str> {
    why.cause.iter().chain(&why.also).map(|cause| cause.id.as_str()).collect()
}

fn text(why: &Why) -> String {
    why.lines().join("\n")
}

/// Everything in the lists of a look that is not asked itself.
fn all(look: &Look) -> Vec<Target> {
    let mut all: Vec<Target> = look.apps.iter().map(|app| Target::App(app.name.clone())).collect();
    all.extend(look.buildpacks.iter().map(|pack| Target::Buildpack(pack.name.clone())));
    all.extend(look.builds.iter().map(|build| Target::Build(build.build.id.clone())));
    all.extend(look.ingredients.iter().map(|ingredient| Target::Ingredient(ingredient.id.clone())));
    all.extend(look.squads.iter().map(|squad| Target::Squad(squad.name.clone())));
    all.extend(look.balancers.iter().map(|balancer| Target::Balancer(balancer.name.clone())));
    all.extend(look.holds.iter().map(|hold| Target::Hold(hold.name.clone())));
    all.extend(look.strays.iter().map(|stray| Target::Stray(stray.place.clone(), stray.name.clone())));
    all.extend(look.lists.releases.iter().map(|release| Target::Release(release.swarm_id.clone(), release.id.clone())));
    all.extend(look.lists.uptests.iter().map(|run| Target::Uptests(run.id.clone())));
    all.extend(look.lists.waves.iter().map(|wave| Target::Wave(wave.wave.number)));
    for pool in &look.world.pools {
        all.push(Target::Pool(pool.balancer.clone(), pool.pool.clone()));
        for host in &pool.hosts {
            let node = |node: &String| Target::Node {
                balancer: pool.balancer.clone(),
                pool: pool.pool.clone(),
                host: host.host.clone(),
                node: node.clone(),
            };
            all.extend(host.nodes.keys().map(node));
        }
    }
    all
}

#[test]
fn everything_has_a_cause_that_is_shown_or_is_said_to_be_well() {
    let look = look();
    let mut kinds = std::collections::BTreeSet::new();
    for target in all(&look) {
        let why = why(&look, target.clone());
        kinds.insert(why.kind.clone());
        match &why.cause {
            Some(cause) => {
                assert!(crate::deck::why::CATALOGUE.iter().any(|(id, _)| *id == cause.id), "{}", cause.id);
                assert!(!cause.sentence.is_empty() && !cause.next.is_empty() && why.next == cause.next, "{target:?}: {cause:?}");
            }
            None => assert!(why.verdict.starts_with("nothing is wrong with it: "), "{target:?}: {}", why.verdict),
        }
        assert!(!text(&why).contains("token@"), "no password of a URL");
    }
    assert_eq!(kinds.len(), 13, "{kinds:?}");
}

#[test]
fn the_cause_is_the_true_one() {
    let mut look = look();
    // The newest build is well, so the app's cause is its swarms; then the build fails, and is what comes first.
    let app = why(&look, Target::App("shop".into()));
    assert_eq!(causes(&app), ["swarm-trouble"], "{}", text(&app));
    assert!(text(&app).contains("3 of 6 procs die at start, exit 1: KeyError 'db_host'"), "{}", text(&app));
    assert_eq!(app.next, "swarmdeck why shop-eu-web@web");
    look.builds.swap(0, 1);
    look.builds[0].build.error = "compile ended with 1: ModuleNotFoundError: No module named 'setuptools'".into();
    let app = why(&look, Target::App("shop".into()));
    assert_eq!(causes(&app).last(), Some(&"swarm-trouble"));
    assert!(text(&app).contains("setuptools") && text(&app).contains("build b2, commit 91dd0be0"), "{}", text(&app));
    let build = why(&look, Target::Build("b2".into()));
    assert_eq!((build.cause.as_ref().unwrap(), build.next.is_empty()), (app.cause.as_ref().unwrap(), false));
    assert!(text(&why(&look, Target::Build("b1".into()))).contains("nothing is wrong with it: it took 60 s"));
    let pack = why(&look, Target::Buildpack("python".into()));
    assert_eq!(pack.cause, build.cause, "the app that pins it");

    let ingredient = why(&look, Target::Ingredient("i-db".into()));
    assert_eq!((causes(&ingredient), ingredient.next.as_str()), (vec!["not-live"], "swarmdeck wave db"));
    assert!(text(&ingredient).contains("mail-prod-web@web: not live yet: ingredient db"), "{}", text(&ingredient));
    look.swarms.iter_mut().for_each(|swarm| swarm.not_live.clear());
    assert!(text(&why(&look, Target::Ingredient("i-db".into()))).contains("2 swarms use it, and all run with what it says now"));

    let squad = why(&look, Target::Squad("web".into()));
    assert_eq!(causes(&squad), ["host-away", "owed"]);
    assert!(text(&squad).contains("web03: it cannot be reached: connect timed out after 10s"), "{}", text(&squad));

    let pool = why(&look, Target::Pool("edge".into(), "shop".into()));
    assert_eq!((causes(&pool), pool.next.as_str()), (vec!["pool-edited"], "swarmdeck balancers repair shop@edge"));
    assert!(text(&pool).contains("  | -server a;") && text(&pool).contains("  | +server b;"));
    assert_eq!(causes(&why(&look, Target::Balancer("edge".into()))), ["pool-edited"]);
    let unknown = why(&look, Target::Pool("edge".into(), "other".into()));
    assert_eq!((unknown.cause, unknown.verdict.as_str()), (None, "It was not asked yet: nothing is known of it."));

    let hold = why(&look, Target::Hold("rollback-97".into()));
    assert!(
        text(&hold).contains("op1 holds it: v5.3.0 over the sale OPS-871")
            && hold.verdict.contains("keeps 1 swarm of swarm old-prod-web@web")
    );
    assert_eq!(hold.next, "swarmdeck lift rollback-97");

    let release = why(&look, Target::Release("s-shop-eu-web".into(), "41b0aabb00".into()));
    assert!(release.cause.is_none() && release.verdict.contains("9c1e77aa of v5.3.0 runs now"), "{}", release.verdict);
    assert_eq!(release.next, "swarmdeck rollback shop-eu-web@web --to 41b0aabb00");
    let run = why(&look, Target::Uptests("u2".into()));
    assert!(text(&run).contains("login failed after 0.21 s") && text(&run).contains("expected 200, got 500"), "{}", text(&run));
    let wave = why(&look, Target::Wave(7));
    assert!(text(&wave).contains("shop-eu-web@web: held by op2"), "{}", text(&wave));

    let orphan = why(&look, Target::Stray("web02".into(), "shop-v5.2.9-prod-77aa0011-web-5011".into()));
    assert!(text(&orphan).contains("no swarm owns it any more") && text(&orphan).contains("  | stamped as a proc of the swarm"));
    let known = why(&look, Target::Stray("web02".into(), "cron\x1b[31mjob".into()));
    assert!(known.cause.is_none() && known.verdict.contains("somebody said that it is known"), "{}", known.verdict);
}

#[test]
fn what_mends_it_takes_the_cause_away() {
    let mut look = look();
    look.swarms.iter_mut().for_each(|swarm| swarm.state = SwarmState::Ok);
    look.builds.iter_mut().for_each(|build| build.status = BuildStatus::Success);
    look.lists = Arc::default();
    let world = Arc::make_mut(&mut look.world);
    world.hosts.values_mut().for_each(|host| host.state = HostState::Ok);
    world.pools.iter_mut().flat_map(|pool| &mut pool.hosts).for_each(|host| host.edited_by_hand = None);
    for target in
        [Target::App("shop".into()), Target::Squad("web".into()), Target::Buildpack("python".into()), Target::Balancer("edge".into())]
    {
        assert_eq!(why(&look, target).cause, None);
    }
}

#[test]
fn w_shows_it_at_once_and_asks_where_somebody_can_be_asked() {
    let mut state = state(80, 24);
    command(&mut state, "squads");
    assert!(!press(&mut state, "w").iter().any(|effect| matches!(effect, Effect::Why { .. })), "the look says it all");
    let shown = frame(&state, Depth::True).0;
    assert!(shown.contains("CAUSE  host-away") && shown.contains("NEXT  swarmdeck why web03"), "{shown}");
    press(&mut state, "esc esc");
    command(&mut state, "balancers");
    let effects = press(&mut state, "w");
    let Some(Effect::Why { target }) = effects.iter().find(|effect| matches!(effect, Effect::Why { .. })) else { panic!("{effects:?}") };
    assert!(frame(&state, Depth::True).0.contains("CAUSE  pool-edited"));
    update(&mut state, Msg::Why { target: target.clone(), lines: Ok(vec!["balancer edge: asked anew".into()]) });
    assert!(frame(&state, Depth::True).0.contains("asked anew"));
    assert!(state.now_ms >= NOW);
}
