//! Finds what is known of each place, whatever feeds it.

use super::{
    value::{Class, Via},
    walk::{Place, Uses, Value},
};

/// The least class of each place that all its feeds agree with.
///
/// A class rises at most three times, and its place's feeds are looked at each time: linear.
pub(super) fn solve(uses: &Uses) -> Vec<Class> {
    let mut classes = uses.places.clone();
    let mut onward: Vec<Vec<(Via, Place)>> = vec![Vec::new(); classes.len()];
    let mut risen: Vec<Place> = (0..classes.len() as Place).collect();
    for feed in &uses.feeds {
        match feed.operand.value {
            Value::Known(class) => _ = rise(&mut classes, feed.to, feed.via.apply(class)),
            Value::Of(place) => onward[place as usize].push((feed.via, feed.to)),
        }
    }
    while let Some(place) = risen.pop() {
        for &(via, to) in &onward[place as usize] {
            let class = via.apply(classes[place as usize]);
            if rise(&mut classes, to, class) {
                risen.push(to);
            }
        }
    }
    classes
}

/// The class of a value.
pub(super) fn class(value: Value, classes: &[Class]) -> Class {
    match value {
        Value::Known(class) => class,
        Value::Of(place) => classes[place as usize],
    }
}

fn rise(classes: &mut [Class], place: Place, with: Class) -> bool {
    let class = &mut classes[place as usize];
    let joined = class.join(with);
    std::mem::replace(class, joined) != joined
}
