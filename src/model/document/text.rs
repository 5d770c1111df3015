//! The operator's own text of one item, taken from a document and put into one.

use super::{Item, Written};
use crate::model::Result;
use crate::model::yaml_text::{Node, dedent, indent, last_line, lines, margin, set_scalar};
use serde_json::Value;

/// The text of item `number` of a section as a block mapping at the margin; none when it is not in block style.
/// Comments above its dash are its own, and so are those after it that stand as deep as its keys.
pub fn own(text: &str, (key, section): &(Node, Node), number: usize) -> Option<String> {
    let item = section.items().get(number)?;
    if !item.is_block_mapping() {
        return None;
    }
    let all = lines(text);
    let depth = item.column - 1;
    let first = all.get(item.line - 1)?;
    // Before the first key there is only the dash.
    if !first.get(..depth)?.trim_start_matches(' ').starts_with('-') || first.get(..depth)?.trim() != "-" {
        return None;
    }
    let comment = |line: &&str| line.trim_start().starts_with('#');
    // Between the section's key, or the item before, and the dash.
    let above = number.checked_sub(1).and_then(|before| section.items().get(before)).map_or(key.line, |before| end(text, before));
    let above = all.get(above.min(item.line - 1)..item.line - 1)?;
    let mut out: String = above.iter().skip_while(|line| !comment(line)).map(|line| format!("{}\n", line.trim())).collect();
    out.push_str(first.get(depth..)?);
    for line in all.get(item.line..end(text, item))? {
        if margin(line) < depth && !line.trim().is_empty() && !comment(line) {
            return None;
        }
        out.push_str(line.get(margin(line).min(depth)..).unwrap_or("\n"));
    }
    Some(format!("{}\n", out.trim_end()))
}

/// The number of the lines up to the end of an item, with the comments after it that stand as deep as its keys.
fn end(text: &str, item: &Node) -> usize {
    let mut end = last_line(text, item);
    for (number, line) in lines(text).iter().enumerate().skip(end) {
        match line.trim_start() {
            "" => {}
            rest if rest.starts_with('#') && margin(line) >= item.column - 1 => end = number + 1,
            _ => break,
        }
    }
    end
}

/// Adds a section of a document; nothing when there are no items.
pub fn section<T: Item>(out: &mut String, items: &[Written<T>]) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    out.push_str(T::KIND.section());
    out.push_str(":\n");
    for item in items {
        let text = with_id(&item.text, item.body.id())?;
        let text = dedent(&text);
        let (comments, keys): (Vec<&str>, Vec<&str>) = {
            let all = lines(&text);
            let at = all.iter().position(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')).unwrap_or(all.len());
            (all.iter().take(at).copied().collect(), all.iter().skip(at).copied().collect())
        };
        out.push_str(&indent(&comments.concat(), 2));
        let keys = indent(&keys.concat(), 4);
        out.push_str("  - ");
        out.push_str(keys.get(4..).unwrap_or("{}\n"));
    }
    Ok(())
}

/// The text with the item's id as its first key, unless it is there.
fn with_id(text: &str, id: Option<&str>) -> Result<String> {
    let Some(id) = id else { return Ok(text.to_string()) };
    let set = set_scalar(text, "id", &Value::String(id.to_string()))?;
    let Some(added) = set.strip_prefix(text) else { return Ok(set) };
    let all = lines(text);
    let at = all.iter().position(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')).unwrap_or(all.len());
    let (comments, keys) = all.split_at(at);
    Ok(format!("{}{added}{}", comments.concat(), keys.concat()))
}
