//! Finds what is known of each place, whatever feeds it.

use super::{
    value::{Class, Via},
    walk::{Feed, Uses, Value},
};

/// Locals with a flag beside them, at most: an engine allows a function so many locals and no more.
const FLAGS: usize = 256;

/// The class of each place: the least that all its feeds agree with.
///
/// A class rises at most five times, and what its place feeds is looked at each time: linear.
pub(super) fn solve(uses: &Uses) -> Vec<Class> {
    let mut flagged = vec![false; uses.places.len()];
    for &place in uses.locals.values() {
        flagged[place as usize] = true;
    }
    let classes = rise(uses, &flagged);
    let mixed = |class: &&Class| matches!(class, Class::Mixed(_));
    if classes.iter().filter(mixed).count() <= FLAGS {
        return classes;
    }
    flagged.fill(false);
    rise(uses, &flagged)
}

/// The class of a value.
pub(super) fn class(value: Value, classes: &[Class]) -> Class {
    match value {
        Value::Known(class) => class,
        Value::Of(place) => classes[place as usize],
    }
}

/// The classes, if those places may have flags.
fn rise(uses: &Uses, flagged: &[bool]) -> Vec<Class> {
    let mut classes = uses.places.clone();
    let mut onward: Vec<Vec<&Feed>> = vec![Vec::new(); classes.len()];
    for feed in &uses.feeds {
        if let Value::Of(place) = feed.operand.value {
            onward[place as usize].push(feed);
        }
    }
    let mut open: Vec<&Feed> = uses.feeds.iter().collect();
    while let Some(feed) = open.pop() {
        let from = class(feed.operand.value, &classes);
        let place = &mut classes[feed.to as usize];
        let joined = match place.join(feed.gives(from)) {
            Class::Mixed(_) if !flagged[feed.to as usize] => Class::Settled,
            class => class,
        };
        if std::mem::replace(place, joined) != joined {
            open.extend(&onward[feed.to as usize]);
        }
    }
    classes
}

impl Feed {
    /// What becomes of a value of class `from`.
    fn gives(&self, from: Class) -> Class {
        match (self.via, from) {
            (Via::Whole, Class::Mixed(_)) if self.copied().is_some() => from,
            _ => self.via.apply(from),
        }
    }
}
