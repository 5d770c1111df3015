//! Rows of what operators wrote down: apps, buildpacks, ingredients.

use super::fleet::swarm_rank;
use super::{Cell, Cells, TROUBLE};
use crate::console::rows::filter::About;
use crate::console::rows::find;
use crate::console::rows::text::or_dash;
use crate::deck::look::{Look, SwarmLook};
use crate::model::reference::without_user;

/// Who saved it, and when.
fn saved(look: &Look, now_ms: i64, id: Option<&String>) -> [Cell; 2] {
    match id.and_then(|id| look.lists.saved.get(id)) {
        Some(saved) => [or_dash(&saved.who).into(), Cell::age(now_ms, saved.at_ms)],
        None => ["-".into(), Cell::age(now_ms, 0)],
    }
}

/// The swarms of an app, the one that needs somebody most first.
pub fn swarms_of<'a>(look: &'a Look, app: &str) -> Vec<&'a SwarmLook> {
    let mut swarms: Vec<&SwarmLook> = look.swarms.iter().filter(|swarm| swarm.app == app).collect();
    swarms.sort_by_key(|swarm| swarm_rank(swarm.state));
    swarms
}

pub fn app(look: &Look, now_ms: i64, name: &str) -> Option<Cells> {
    let app = find::app(look, name)?;
    let swarms = swarms_of(look, name);
    let (glyph, state, rank) =
        swarms.first().map_or(('o', "no swarm", 5), |worst| (worst.state.glyph(), worst.state.word(), swarm_rank(worst.state)));
    let (ready, size) = swarms.iter().fold((0, 0), |(ready, size), swarm| (ready + swarm.ready, size + swarm.size));
    let build = look.builds.iter().find(|build| build.build.app == name);
    let mut cells = vec![
        name.into(),
        Cell::of(state, i64::from(rank)),
        Cell::of(format!("{ready}/{size}"), i64::from(ready) - i64::from(size)),
        Cell::count(swarms.len()),
        build.map_or_else(|| "-".into(), |build| format!("{} {}", build.build.version, build.status.word())).into(),
        app.buildpack.clone().unwrap_or_else(|| "found by asking".into()).into(),
        without_user(&app.repo.url).into(),
    ];
    cells.extend(saved(look, now_ms, app.id.as_ref()));
    let about = About { state: state.into(), app: name.into(), ..About::default() };
    Some(Cells::new(glyph, rank, cells, about))
}

pub fn buildpack(look: &Look, now_ms: i64, name: &str) -> Option<Cells> {
    let pack = find::buildpack(look, name)?;
    let url = without_user(&pack.url);
    let (place, pin) = url.split_once('#').map_or((url.as_str(), "-"), |(place, pin)| (place, pin));
    let apps: Vec<&str> = look.apps.iter().filter(|app| app.buildpack.as_deref() == Some(name)).map(|app| app.name.as_str()).collect();
    let mut cells = vec![
        name.into(),
        Cell::of(pack.order.to_string(), pack.order),
        format!("{:?}", pack.repo_type).to_lowercase().into(),
        pin.into(),
        Cell::of(or_dash(&apps.join(" ")), i64::try_from(apps.len()).unwrap_or(i64::MAX)),
        place.into(),
    ];
    cells.extend(saved(look, now_ms, pack.id.as_ref()));
    Some(Cells::new(' ', TROUBLE, cells, About { app: apps.join(" "), ..About::default() }))
}

pub fn ingredient(look: &Look, now_ms: i64, id: &str) -> Option<Cells> {
    let found = find::ingredient(look, id)?;
    let used = match found.used_by.len() {
        0 => "nobody".to_string(),
        1 => found.used_by.join(", "),
        number => format!("{number}: {}", found.used_by.join(", ")),
    };
    let cells = vec![
        found.name.clone().into(),
        Cell::count(found.keys),
        Cell::of(used, i64::try_from(found.used_by.len()).unwrap_or(i64::MAX)),
        or_dash(&found.who_changed).into(),
        Cell::age(now_ms, found.changed_ms),
    ];
    let about = About { swarm: found.used_by.join(" "), who: found.who_changed.clone(), at_ms: found.changed_ms, ..About::default() };
    Some(Cells { glyph: ' ', role: None, cells, rank: TROUBLE, about })
}
