//! The canonical form of quantities.

use std::fmt;

use super::{NANOS_PER_UNIT, Quantity, QuantityFormat};

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.pad("0");
        }
        let is_whole = self.nanos % NANOS_PER_UNIT == 0;
        let is_small = self.nanos.abs() < 1024 * NANOS_PER_UNIT;
        // A binary suffix that would round, or not be used at all, gives way to decimal ones, as in Kubernetes.
        let text = match self.format {
            QuantityFormat::Binary if is_whole && !is_small => binary(self.nanos / NANOS_PER_UNIT),
            QuantityFormat::Binary | QuantityFormat::Decimal => {
                let (number, exponent) = thousands(self.nanos);
                format!("{number}{}", decimal_suffix(exponent))
            }
            QuantityFormat::Exponent => match thousands(self.nanos) {
                (number, 0) => number.to_string(),
                (number, exponent) => format!("{number}e{exponent}"),
            },
        };
        f.pad(&text)
    }
}

/// The number and the power of ten (a multiple of three, as large as possible) whose product is `nanos` nano-units.
fn thousands(nanos: i128) -> (i128, i32) {
    let (mut number, mut exponent) = (nanos, -9);
    while number % 1000 == 0 {
        number /= 1000;
        exponent += 3;
    }
    (number, exponent)
}

fn decimal_suffix(exponent: i32) -> &'static str {
    match exponent {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        0 => "",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        // The largest value is below 10^19, so no larger power of a thousand divides it.
        _ => "E",
    }
}

fn binary(units: i128) -> String {
    let (mut number, mut power) = (units, 0);
    while number % 1024 == 0 {
        number /= 1024;
        power += 1;
    }
    let suffix = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][power];
    format!("{number}{suffix}")
}
