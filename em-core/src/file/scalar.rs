//! What an unquoted scalar is.

use super::tree::NodeKind;

/// The meaning of an unquoted scalar: YAML 1.2 without octal and hexadecimal numbers, so that `0123` and `0x1f` stay text.
pub(super) fn resolve(text: &str) -> NodeKind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return NodeKind::Null,
        "true" | "True" | "TRUE" => return NodeKind::Bool(true),
        "false" | "False" | "FALSE" => return NodeKind::Bool(false),
        _ => {}
    }
    if !is_number(text) {
        return NodeKind::Text(text.to_owned());
    }
    match text.parse::<i64>() {
        Ok(whole) => NodeKind::Integer(whole),
        // A number of this shape always parses; one that is too large becomes infinite.
        Err(_) => NodeKind::Real(text.parse().unwrap_or(f64::INFINITY), text.to_owned()),
    }
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let has_leading_zero =
        mantissa.len() > 1 && mantissa.starts_with('0') && !mantissa.starts_with("0.");
    let is_mantissa = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            (digits(whole) || whole.is_empty())
                && (digits(fraction) || (fraction.is_empty() && !whole.is_empty()))
        }
        None => digits(mantissa),
    };
    let is_exponent =
        exponent.is_none_or(|text| digits(text.strip_prefix(['-', '+']).unwrap_or(text)));
    is_mantissa && is_exponent && !has_leading_zero
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unquoted_scalars_mean_what_yaml_1_2_says_and_nothing_older() {
        let real = |value, text: &str| NodeKind::Real(value, text.to_owned());
        for (text, kind) in [
            ("", NodeKind::Null),
            ("true", NodeKind::Bool(true)),
            ("-3", NodeKind::Integer(-3)),
            ("1.10", real(1.1, "1.10")),
            ("1e3", real(1000.0, "1e3")),
            ("1e999", real(f64::INFINITY, "1e999")),
            ("99999999999999999999", real(1e20, "99999999999999999999")),
        ] {
            assert_eq!(resolve(text), kind, "{text}");
        }
        for text in [
            "yes", "off", "0123", "0x1f", "1_000", ".inf", ".", "e3", "1.2.3", "-", "512Mi",
        ] {
            assert_eq!(resolve(text), NodeKind::Text(text.to_owned()));
        }
    }
}
