//! Ends with exit code 42 if the input is text, and else by an index that is out of bounds.

use std::{
    io::{self, Read},
    process,
};

trait Shape {
    fn area(&self) -> f64;
}

struct Square(f64);
struct Circle(f64);

impl Shape for Square {
    fn area(&self) -> f64 {
        self.0 * self.0
    }
}

impl Shape for Circle {
    fn area(&self) -> f64 {
        self.0 * self.0 * std::f64::consts::PI
    }
}

fn main() {
    let mut input = Vec::new();
    io::stdin()
        .read_to_end(&mut input)
        .expect("standard input is there");
    let shapes: Vec<Box<dyn Shape>> = input
        .iter()
        .map(|&byte| match byte % 2 {
            0 => Box::new(Square(f64::from(byte))) as Box<dyn Shape>,
            _ => Box::new(Circle(f64::from(byte))),
        })
        .collect();
    println!("{}", shapes.iter().map(|shape| shape.area()).sum::<f64>());
    if std::str::from_utf8(&input).is_ok() {
        process::exit(42);
    }
    let past = input.len() + usize::from(input[0]);
    println!("{}", input[past]);
}
