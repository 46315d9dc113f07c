//! In which order the sets of a tree run, and which of them side by side: a value that can be reversed and executed.
//!
//! Knows sets by their position in [`Tree::in_order`] only.

use std::thread;

use super::tree::{Set, Tree};
use crate::cancel::Cancel;

/// An order of execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The set at this position of [`Tree::in_order`].
    One(usize),
    /// One after the other.
    InTurn(Vec<Order>),
    /// At the same time, each in a thread of its own.
    SideBySide(Vec<Order>),
}

impl Order {
    /// The order of a dump: children as they are written, each before its parent's own driver.
    pub(super) fn of(tree: &Tree) -> Self {
        Self::InTurn(steps(&tree.sets, &mut 0))
    }

    /// The same from the end to the beginning: a parent's own driver first, then its children, the last first.
    pub(super) fn reversed(self) -> Self {
        let turn = |steps: Vec<Self>| steps.into_iter().rev().map(Self::reversed).collect();
        match self {
            Self::One(set) => Self::One(set),
            Self::InTurn(steps) => Self::InTurn(turn(steps)),
            Self::SideBySide(steps) => Self::SideBySide(turn(steps)),
        }
    }

    /// The sets one after the other, also those that run side by side.
    pub(super) fn sequence(&self) -> Vec<usize> {
        match self {
            Self::One(set) => vec![*set],
            Self::InTurn(steps) | Self::SideBySide(steps) => steps.iter().flat_map(Self::sequence).collect(),
        }
    }

    /// Does `work` for every set, in this order. The first that says `false` cancels `halt`, which stops what runs beside it,
    /// and nothing more is begun. Whether all said `true`.
    pub(super) fn execute(&self, halt: &Cancel, work: &(dyn Fn(usize) -> bool + Sync)) -> bool {
        match self {
            Self::One(set) => {
                let done = !halt.is_cancelled() && work(*set);
                if !done {
                    halt.cancel();
                }
                done
            }
            Self::InTurn(steps) => steps.iter().all(|step| step.execute(halt, work)),
            Self::SideBySide(steps) => thread::scope(|scope| {
                let running: Vec<_> = steps.iter().map(|step| scope.spawn(move || step.execute(halt, work))).collect();
                // All are waited for, also after one said `false`; a panic here is the engine's own, and passed on.
                let ended: Vec<bool> =
                    running.into_iter().map(|step| step.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect();
                ended.into_iter().all(|done| done)
            }),
        }
    }
}

fn steps(sets: &[Set], next: &mut usize) -> Vec<Order> {
    sets.iter().map(|set| step(set, next)).collect()
}

fn step(set: &Set, next: &mut usize) -> Order {
    let children = steps(&set.children, next);
    let children = if set.parallel { Order::SideBySide(children) } else { Order::InTurn(children) };
    if set.driver.is_none() {
        return children;
    }
    let own = Order::One(*next);
    *next += 1;
    if set.children.is_empty() { own } else { Order::InTurn(vec![children, own]) }
}
