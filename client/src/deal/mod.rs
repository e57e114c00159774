//! A deal and its life, as pure data and functions: no clock, no node and no file is in here.

pub mod account;
pub mod action;
pub mod address;
pub mod alike;
pub mod amount;
pub mod code;
pub mod due;
pub mod ending;
pub mod event;
pub mod evidence;
pub mod explain;
pub mod history;
pub mod instruction;
pub mod program;
pub mod receipt;
pub mod recipe;
pub mod record;
pub mod share;
mod shown;
pub mod terms;
pub mod warning;
