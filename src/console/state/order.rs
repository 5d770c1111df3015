//! The rows of a list in their order. While a filter is typed an order names some rows of a sequence that it shares, and copies none.

use super::pane::RowId;
use std::sync::Arc;

/// Rows, the first shown first.
#[derive(Debug, Clone, Default)]
pub struct Order {
    all: Arc<Vec<RowId>>,
    /// Which of them, by their places in `all`; none: every one.
    shown: Option<Vec<u32>>,
}

impl Order {
    /// Those at these places of a sequence.
    pub fn of(all: Arc<Vec<RowId>>, shown: Vec<u32>) -> Order {
        Order { all, shown: Some(shown) }
    }

    /// A whole sequence.
    pub fn whole(all: Arc<Vec<RowId>>) -> Order {
        Order { all, shown: None }
    }

    pub fn len(&self) -> usize {
        self.shown.as_ref().map_or(self.all.len(), Vec::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row of this number.
    pub fn get(&self, row: usize) -> Option<&RowId> {
        match &self.shown {
            Some(shown) => self.all.get(*shown.get(row)? as usize),
            None => self.all.get(row),
        }
    }

    pub fn last(&self) -> Option<&RowId> {
        self.get(self.len().checked_sub(1)?)
    }

    pub fn iter(&self) -> impl Iterator<Item = &RowId> {
        (0..self.len()).filter_map(|row| self.get(row))
    }

    /// The number of a row.
    pub fn position(&self, wanted: &RowId) -> Option<usize> {
        self.iter().position(|id| id == wanted)
    }
}

impl From<Vec<RowId>> for Order {
    fn from(rows: Vec<RowId>) -> Order {
        Order::whole(Arc::new(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deck::look::Target;

    #[test]
    fn some_of_a_sequence_are_as_a_list_of_their_own() {
        let all: Vec<RowId> = (0..9).map(|number| (Target::Event(number), 0)).collect();
        let (whole, some) = (Order::from(all.clone()), Order::of(Arc::new(all.clone()), vec![7, 2, 4]));
        assert_eq!(whole.iter().cloned().collect::<Vec<_>>(), all);
        assert_eq!(some.iter().map(|(target, _)| target.clone()).collect::<Vec<_>>(), [7, 2, 4].map(Target::Event));
        assert_eq!((some.len(), some.position(&all[2]), some.position(&all[3])), (3, Some(1), None));
        assert_eq!((some.get(0), some.last(), some.get(3)), (all.get(7), all.get(4), None));
        assert!(Order::default().is_empty() && Order::default().last().is_none());
    }
}
