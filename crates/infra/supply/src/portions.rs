//! Long inventories judged by all cores. Portions keep their order, so the result does not depend on how
//! many there are.

use std::num::NonZeroUsize;

use bartizan_core::Component;

/// Components that one thread judges faster than another one is started.
const PORTION: usize = 256;

/// Calls `judge` on consecutive portions of the inventory, at the same time, and returns what it said in
/// their order.
pub(crate) fn in_portions<T: Send>(components: &[Component], judge: impl Fn(&[Component]) -> T + Sync) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let portions = components.len().div_ceil(PORTION).clamp(1, cores);
    if portions == 1 {
        return vec![judge(components)];
    }
    let judge = &judge;
    let mut parts = components.chunks(components.len().div_ceil(portions));
    let first = parts.next().unwrap_or_default();
    std::thread::scope(|scope| {
        let others: Vec<_> = parts.map(|part| scope.spawn(move || judge(part))).collect();
        let mut said = vec![judge(first)];
        // A panic in one portion is a panic of the whole.
        said.extend(
            others.into_iter().map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))),
        );
        said
    })
}

#[cfg(test)]
mod tests {
    use bartizan_core::{ComponentKind, Location, Position};

    use super::*;

    #[test]
    fn what_is_said_stands_in_the_order_of_the_inventory() {
        let place = Location { path: "x".to_owned(), position: Position::Whole };
        for length in [0, 1, 255, 256, 257, 1000] {
            let components: Vec<Component> = (0..length)
                .map(|number: usize| Component::new(ComponentKind::Library, &number.to_string(), place.clone()))
                .collect();
            let names = |part: &[Component]| part.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
            let said: Vec<String> = in_portions(&components, names).into_iter().flatten().collect();
            assert_eq!(said, names(&components));
        }
    }
}
