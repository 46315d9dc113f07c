//! What was denied, for the person who can grant it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many different denials of one run are told: a component that tries everything is not to fill the log.
const MOST: usize = 20;

/// Collects what was denied to one set's component in one run. Cheap to clone.
#[derive(Clone, Default)]
pub(in crate::drivers::component) struct Denials(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    /// All that were told, so that each is told once.
    all: BTreeSet<String>,
    /// Those that nobody has taken yet, in the order in which they came.
    fresh: Vec<String>,
}

impl Denials {
    /// Takes what was denied since the last time: what the driver tried, and the line that would allow it.
    pub(in crate::drivers::component) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.told().fresh)
    }

    /// Records a denial, once.
    pub(super) fn tell(&self, what: String) {
        let mut told = self.told();
        if told.all.contains(&what) || told.all.len() > MOST {
            return;
        }
        if told.all.len() == MOST {
            told.all.insert(String::new());
            told.fresh.push("the driver tried more that it is not granted; the rest is not told".into());
            return;
        }
        told.all.insert(what.clone());
        told.fresh.push(what);
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_denial_is_told_once_and_not_too_many() {
        let denials = Denials::default();
        denials.tell("a".into());
        denials.clone().tell("b".into());
        denials.tell("a".into());
        assert_eq!(denials.take(), ["a", "b"]);
        denials.tell("b".into());
        assert!(denials.take().is_empty());
        (0..100).for_each(|number| denials.tell(format!("{number:03}")));
        let rest = denials.take();
        assert_eq!((rest.len(), rest[MOST - 2].as_str()), (MOST - 1, "the driver tried more that it is not granted; the rest is not told"));
    }
}
