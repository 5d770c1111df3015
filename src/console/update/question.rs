//! Keys of a host's question: nothing typed before it was on the screen is taken for its answer.

use crate::console::effect::Effect;
use crate::console::state::{Layer, State};
use crate::deck::Secret;
use crossterm::event::{KeyCode, KeyEvent};

/// How long after its first frame keys are not heard.
const DEAF_MS: i64 = 300;

/// A key of the question on top.
pub fn key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let now_ms = state.now_ms;
    let Some(Layer::Question(question)) = state.layers.last_mut() else { return Vec::new() };
    if question.painted_ms.is_none_or(|painted| now_ms < painted + DEAF_MS) {
        return Vec::new();
    }
    let ticket = question.ticket;
    let answer = match key.code {
        KeyCode::Esc => None,
        KeyCode::Enter => Some(Secret(question.field.text.clone())),
        _ => {
            question.field.key(key);
            return Vec::new();
        }
    };
    state.layers.pop();
    vec![Effect::Answer { ticket, text: answer }]
}
