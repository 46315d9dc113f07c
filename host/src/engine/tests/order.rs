//! The order of execution as a value: nested, reversed, and stopped half way.

use super::fake::{Place, group, parent, tree};
use crate::cancel::Cancel;
use crate::engine::order::Order;

#[test]
fn children_come_before_their_parent_and_after_it_in_reverse() {
    use Order::{InTurn, One, SideBySide};
    let place = Place::new();
    let both = parent(place.fake("a").set(), vec![place.fake("a/x").set(), place.fake("a/y").set()]);
    let order = Order::of(&tree(vec![both, group("g", true, vec![place.fake("g/p").set(), place.fake("g/q").set()])]));
    assert_eq!(order.sequence(), [0, 1, 2, 3, 4]);
    let expected = InTurn(vec![InTurn(vec![InTurn(vec![One(0), One(1)]), One(2)]), SideBySide(vec![One(3), One(4)])]);
    assert_eq!(order, expected);
    let reversed = InTurn(vec![SideBySide(vec![One(4), One(3)]), InTurn(vec![One(2), InTurn(vec![One(1), One(0)])])]);
    assert_eq!(order.reversed(), reversed);
}

#[test]
fn nothing_is_begun_after_the_first_that_says_no() {
    let order = Order::InTurn((0..5).map(Order::One).collect());
    let (halt, begun) = (Cancel::new(), std::sync::Mutex::new(Vec::new()));
    let done = order.execute(&halt, &|set| {
        begun.lock().unwrap().push(set);
        set != 2
    });
    assert!(!done && halt.is_cancelled());
    assert_eq!(begun.into_inner().unwrap(), [0, 1, 2]);
}
