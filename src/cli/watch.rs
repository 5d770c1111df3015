//! `watch` and `report`: changes line by line, for screen readers and pipes; and one dispatch as a text for an incident.

use super::args::Format;
use super::print::{Report, err};
use super::signals::Signals;
use crate::deck::Deck;
use crate::model::Result;
use crate::model::record::Event;
use crate::model::shown::shown;
use serde_json::{Value, json};
use std::io::Write;

/// How many events are read at once.
const AT_ONCE: i64 = 500;

/// Tells each event, from a cursor on, without gaps; looks at the hosts meanwhile when nobody else does.
pub async fn watch(deck: &Deck, after: Option<i64>, format: Format) -> Result<Report> {
    let mut cursor = match after {
        Some(after) => after,
        None => deck.store.events_latest(1).await?.last().map_or(0, |event| event.seq),
    };
    if format == Format::Table {
        let catalog = deck.catalog().await?;
        let fleet = deck.home.config.name.clone().unwrap_or_else(|| "this fleet".into());
        let text = format!(
            "watching {fleet}: {} swarms on {} hosts; times in UTC; after event {cursor}\n",
            catalog.swarms.len(),
            catalog.hosts()?.len()
        );
        if !put(&text) {
            return Ok(Report::nothing());
        }
    }
    deck.read_seen().await?;
    let observing = tokio::spawn(deck.clone().keep_observing());
    let mut signals = Signals::heard()?;
    let mut changes = deck.store.changes();
    let result = loop {
        let events = match deck.store.events_after(cursor, AT_ONCE).await {
            Ok(events) => events,
            // A store that does not answer now is asked again; nothing is missed.
            Err(fault) => {
                err(&format!("{}\n", fault.line()));
                Vec::new()
            }
        };
        let more = events.len() as i64 == AT_ONCE;
        let mut read = true;
        for event in events {
            cursor = event.seq;
            read = read && put(&line(&event, format));
        }
        if !read {
            break Ok(Report::nothing());
        }
        if more {
            continue;
        }
        tokio::select! {
            () = changes.changed() => {}
            () = signals.any() => break Ok(Report::nothing()),
        }
    };
    observing.abort();
    result
}

/// One event as one line of plain words; with json as one value, its `seq` the cursor to go on from.
fn line(event: &Event, format: Format) -> String {
    if format != Format::Table {
        return format!("{}\n", serde_json::to_value(event).unwrap_or(Value::Null));
    }
    let at = jiff::Timestamp::from_millisecond(event.at_ms).map(|at| at.strftime("%T").to_string()).unwrap_or_default();
    let result = match event.result.as_str() {
        "failed" => "failed: ",
        "warning" => "warning: ",
        _ => "",
    };
    let place = if event.place.is_empty() || event.what.contains(&event.place) { String::new() } else { format!("{}: ", event.place) };
    let who = if event.who.is_empty() { String::new() } else { format!(", by {}", event.who) };
    let why = if event.why.is_empty() { String::new() } else { format!(", because: {}", event.why) };
    format!("{at} {}\n", shown(&format!("{result}{place}{}{who}{why}", event.what)))
}

pub async fn report(deck: &Deck, dispatch: &str) -> Result<Report> {
    let lines = deck.report(dispatch).await?;
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Ok(Report::text(text, json!({"dispatch": dispatch, "lines": lines})))
}

fn put(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_one_line_of_plain_words() {
        let event = Event {
            seq: 7,
            at_ms: 1_795_257_715_000,
            who: "op1".into(),
            what: "dispatch 412 began\x1b[2J\nx".into(),
            place: "shop-prod-web@web".into(),
            result: "failed".into(),
            why: "OPS-880".into(),
            ..Event::default()
        };
        let text = line(&event, Format::Table);
        assert!(text.starts_with("10:41:55 failed: shop-prod-web@web: dispatch 412 began"), "{text}");
        assert!(text.ends_with(", by op1, because: OPS-880\n") && !text.trim_end().contains(char::is_control), "{text:?}");
        let json = line(&event, Format::Json);
        assert!(json.contains("\"seq\":7") && json.lines().count() == 1, "{json}");
    }
}
