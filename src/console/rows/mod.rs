//! What lists show: columns and cells of each kind of object, their order, and the filter. Pure; asked for visible rows only.

pub mod cells;
mod columns;
mod filter;
pub mod find;
mod natural;
mod order;
mod procs;
pub mod text;
pub mod tree;
mod viewed;

pub use cells::{Cells, cells, proc_glyph};
pub use columns::{Column, chosen, columns, fit};
pub use filter::Filter;
pub use order::{Ordered, order};
pub use procs::Prepared;
pub use viewed::in_view;
