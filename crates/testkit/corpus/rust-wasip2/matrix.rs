//! Solves equations whose coefficients come from standard input, and multiplies large numbers.

use std::io::{self, Read};

const SIZE: usize = 24;

fn main() -> io::Result<()> {
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input)?;
    let mut bytes = input.iter().copied().cycle();
    let mut next = || f64::from(bytes.next().unwrap_or(1)) + 0.25;
    let matrix: Vec<Vec<f64>> = (0..SIZE)
        .map(|_| (0..SIZE).map(|_| next()).collect())
        .collect();
    let right: Vec<f64> = (0..SIZE).map(|_| next()).collect();
    println!("{:?}", solve(matrix, right));

    let mut product = vec![1u32];
    for byte in input.iter().take(400) {
        multiply(&mut product, u32::from(*byte) | 1);
    }
    let digits: String = product
        .iter()
        .rev()
        .map(|part| format!("{part:08x}"))
        .collect();
    println!("{digits}");
    let wide = input.iter().fold(1u128, |wide, byte| {
        wide.wrapping_mul(0x1000_0000_0000_0000_0013b)
            .wrapping_add(u128::from(*byte))
            ^ wide >> 77
    });
    println!(
        "{wide} {} {}",
        wide % 1_000_000_007,
        wide / 0xffff_ffff_ffff
    );
    Ok(())
}

/// Gauss's elimination with pivots.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    for at in 0..SIZE {
        let pivot = (at..SIZE)
            .max_by(|&a, &b| matrix[a][at].abs().total_cmp(&matrix[b][at].abs()))
            .expect("there is a row left");
        matrix.swap(at, pivot);
        right.swap(at, pivot);
        for row in at + 1..SIZE {
            let factor = matrix[row][at] / matrix[at][at];
            for column in at..SIZE {
                let above = matrix[at][column];
                matrix[row][column] -= factor * above;
            }
            right[row] -= factor * right[at];
        }
    }
    let mut solved = vec![0.0; SIZE];
    for row in (0..SIZE).rev() {
        let known: f64 = (row + 1..SIZE)
            .map(|column| matrix[row][column] * solved[column])
            .sum();
        solved[row] = (right[row] - known) / matrix[row][row];
    }
    solved
}

fn multiply(number: &mut Vec<u32>, by: u32) {
    let mut carry = 0;
    for part in number.iter_mut() {
        let product = u64::from(*part) * u64::from(by) + carry;
        *part = product as u32;
        carry = product >> 32;
    }
    if carry > 0 {
        number.push(carry as u32);
    }
}
