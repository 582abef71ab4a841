//! The grammar of quantities, and what people write instead.

use std::str::FromStr;

use super::{Quantity, QuantityError, QuantityFormat};

/// More characters than any quantity needs; keeps the arithmetic inside 128 bits and error texts short.
const LONGEST_TEXT: usize = 64;

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > LONGEST_TEXT {
            let start: String = text.chars().take(20).collect();
            return Err(malformed(
                &format!("{start}..."),
                " (longer than 64 characters)",
            ));
        }
        read(text).map_err(|misfit| match misfit {
            Misfit::Grammar => malformed(text, &hint(text)),
            Misfit::Large => QuantityError::TooLarge { text: text.into() },
            Misfit::Fine => QuantityError::TooFine { text: text.into() },
        })
    }
}

fn read(text: &str) -> Result<Quantity, Misfit> {
    let parts = Parts::of(text).ok_or(Misfit::Grammar)?;
    let suffix = Suffix::parse(parts.suffix).ok_or(Misfit::Grammar)?;
    let unsigned = nanos(&parts, suffix)?;
    let signed = if parts.negative { -unsigned } else { unsigned };
    Quantity::bounded(signed, suffix.format()).ok_or(Misfit::Large)
}

/// Why a text has no value.
enum Misfit {
    Grammar,
    Large,
    Fine,
}

/// A text cut at sign, point and suffix.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (whole, rest) = split_digits(unsigned);
        let (fraction, suffix) = rest.strip_prefix('.').map_or(("", rest), split_digits);
        (!(whole.is_empty() && fraction.is_empty())).then_some(Self {
            negative,
            whole,
            fraction,
            suffix,
        })
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

#[derive(Clone, Copy)]
enum Suffix {
    Ten {
        exponent: i32,
        format: QuantityFormat,
    },
    Two {
        exponent: u32,
    },
}

impl Suffix {
    fn parse(text: &str) -> Option<Self> {
        let decimal = |exponent| Self::Ten {
            exponent,
            format: QuantityFormat::Decimal,
        };
        Some(match text {
            "n" => decimal(-9),
            "u" => decimal(-6),
            "m" => decimal(-3),
            "" => decimal(0),
            "k" => decimal(3),
            "M" => decimal(6),
            "G" => decimal(9),
            "T" => decimal(12),
            "P" => decimal(15),
            "E" => decimal(18),
            "Ki" => Self::Two { exponent: 10 },
            "Mi" => Self::Two { exponent: 20 },
            "Gi" => Self::Two { exponent: 30 },
            "Ti" => Self::Two { exponent: 40 },
            "Pi" => Self::Two { exponent: 50 },
            "Ei" => Self::Two { exponent: 60 },
            other => Self::Ten {
                exponent: signed_digits(other.strip_prefix(['e', 'E'])?)?,
                format: QuantityFormat::Exponent,
            },
        })
    }

    fn format(self) -> QuantityFormat {
        match self {
            Self::Ten { format, .. } => format,
            Self::Two { .. } => QuantityFormat::Binary,
        }
    }
}

fn signed_digits(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    // An exponent beyond all bounds is still an exponent: it saturates, and the value is judged too large or too fine.
    is_number.then(|| {
        let size = digits.parse().unwrap_or(i32::MAX / 2).min(i32::MAX / 2);
        if text.starts_with('-') { -size } else { size }
    })
}

/// The unsigned value in nano-units.
fn nanos(parts: &Parts<'_>, suffix: Suffix) -> Result<i128, Misfit> {
    // Trailing zeros of the fraction change nothing, so they must not make a value "too fine".
    let fraction = parts.fraction.trim_end_matches('0');
    let whole = parts.whole.trim_start_matches('0');
    let digits = format!("0{whole}{fraction}");
    let is_large = whole.len() > 20;
    let mantissa: i128 = digits.parse().map_err(|_| {
        if is_large {
            Misfit::Large
        } else {
            Misfit::Fine
        }
    })?;
    let places = i32::try_from(fraction.len()).map_err(|_| Misfit::Fine)?;
    match suffix {
        Suffix::Ten { exponent, .. } => times_power_of_ten(mantissa, exponent - places + 9),
        Suffix::Two { exponent } => {
            let scaled = mantissa.checked_mul(1 << exponent).ok_or(Misfit::Large)?;
            times_power_of_ten(scaled, 9 - places)
        }
    }
}

fn times_power_of_ten(mantissa: i128, exponent: i32) -> Result<i128, Misfit> {
    if mantissa == 0 {
        return Ok(0);
    }
    let power = 10_i128.checked_pow(exponent.unsigned_abs());
    if exponent >= 0 {
        return power
            .and_then(|power| mantissa.checked_mul(power))
            .ok_or(Misfit::Large);
    }
    let power = power.ok_or(Misfit::Fine)?;
    if mantissa % power == 0 {
        Ok(mantissa / power)
    } else {
        Err(Misfit::Fine)
    }
}

fn malformed(text: &str, hint: &str) -> QuantityError {
    QuantityError::Malformed {
        text: text.into(),
        hint: hint.into(),
    }
}

fn hint(text: &str) -> String {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return " (it is empty)".into();
    }
    if trimmed != text || trimmed.contains(' ') {
        let joined: String = text.split_whitespace().collect();
        return match read(&joined) {
            Ok(_) => format!(" (no spaces: write {joined:?})"),
            Err(_) => " (no spaces, please)".into(),
        };
    }
    let number_end = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(number_end);
    let Some(meant) = meant_suffix(suffix) else {
        return String::new();
    };
    match read(&format!("{number}{meant}")) {
        Ok(_) => format!(" (did you mean \"{number}{meant}\"?)"),
        Err(_) => String::new(),
    }
}

fn meant_suffix(suffix: &str) -> Option<&'static str> {
    Some(match suffix.to_ascii_lowercase().as_str() {
        "b" | "byte" | "bytes" | "core" | "cores" | "cpu" | "cpus" => "",
        "k" | "kb" | "ki" | "kib" => "Ki",
        "mb" | "mi" | "mib" => "Mi",
        "g" | "gb" | "gi" | "gib" => "Gi",
        "t" | "tb" | "ti" | "tib" => "Ti",
        "p" | "pb" | "pi" | "pib" => "Pi",
        "millicore" | "millicores" | "mcpu" => "m",
        _ => return None,
    })
}
