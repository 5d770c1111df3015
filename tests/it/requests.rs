//! Deploy after deploy through a real nginx while requests of every kind go on: none may fail.
//! Ten of them; `SWARMDECK_DEPLOYS=100 tests/run --test it requests:: -- --nocapture` plays a hundred.

use crate::support::deck::{Deck, Requests};
use crate::support::fleet::Fleet;

#[test]
fn deploys_in_a_row_lose_no_request() {
    let Some(fleet) = Fleet::of(&["web01", "web02", "lb01"]) else { return };
    let deploys: usize = std::env::var("SWARMDECK_DEPLOYS").map_or(10, |count| count.parse().expect("SWARMDECK_DEPLOYS is a number"));
    let mut deck = Deck::ready(&fleet, &["web01", "web02"]);
    deck.document = deck.with("    settle: 1s\n", "    settle: 200ms\n");
    deck.apply(&deck.document).ended(0);
    deck.done(&["--version", "v1"]);
    let requests = Requests::of_all_kinds(&fleet);
    for n in 1..=deploys {
        let version = if n % 2 == 1 { "v2" } else { "v1" };
        requests.also(version);
        deck.done(&["--version", version]);
        requests.only(version);
        requests.none_failed(&format!("deploy {n} of {deploys}, to {version}"));
    }
    requests.end();
}
