// SPDX-License-Identifier: Apache-2.0
// Iterators, generics and traits: what inlining makes long chains of.
use std::collections::BTreeMap;
use std::fmt::Debug;

#[derive(Debug, Clone)]
enum Shape { Circle(f64), Square { side: f64 } }

trait Area { fn area(&self) -> f64; }

impl Area for Shape {
    fn area(&self) -> f64 {
        match self {
            Shape::Circle(r) => 3.14 * r * r,
            Shape::Square { side } => side * side,
        }
    }
}

#[inline(never)]
fn total<T: Area + Debug>(all: &[T]) -> f64 {
    all.iter().map(|s| s.area()).filter(|a| *a > 1.0).sum()
}

#[inline(never)]
fn count(words: &str) -> BTreeMap<String, usize> {
    let mut m = BTreeMap::new();
    for w in words.split_whitespace() {
        *m.entry(w.to_lowercase()).or_insert(0) += 1;
    }
    m
}

fn main() {
    let n = std::env::args().count() as f64;
    let shapes: Vec<Shape> = (0..9)
        .map(|i| match i % 2 {
            0 => Shape::Circle(n + i as f64),
            _ => Shape::Square { side: n * i as f64 },
        })
        .collect();
    println!("{} {:?} {:?}", total(&shapes), count("a B a"), shapes);
}
