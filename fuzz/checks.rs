//! What must hold for whatever bytes: the fuzz targets run it on what they invent, a test of em-core on the seeds.

#![allow(
    dead_code,
    reason = "each fuzz target uses one of these, the test all of them"
)]

use em_core::expression::{Constraint, Expression, Meaning};
use em_core::file::{self, FileContext};
use em_core::read::exposition::{Exposition, ExpositionFormat};
use em_core::template::{Escape, Template};
use em_core::value::{Quantity, Unit, Value};

/// A file is a plan whose baseline can be asked for its values, or has at least one thing wrong with it, each with a place.
pub(crate) fn file(bytes: &[u8]) {
    match file::parse(bytes, &FileContext::bare()) {
        Ok(parsed) => {
            let baseline = parsed.plan.baseline.configuration();
            if let Some(configuration) = baseline {
                // Whatever its outcome, it ends.
                let _ = em_core::assign::assign(&parsed.plan, configuration);
            }
        }
        Err(violations) => {
            assert!(!violations.is_empty(), "refused without a word");
            for violation in &violations {
                assert!(
                    violation.at.line > 0 && violation.at.column > 0,
                    "{violation}"
                );
                assert!(!violation.what.is_empty());
            }
        }
    }
}

/// The canonical spelling of an expression is the same expression; checking and evaluating it end.
pub(crate) fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let _ = Constraint::parse(text);
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(error) => {
            assert!(!error.caret().is_empty() && !error.to_string().is_empty());
            return;
        }
    };
    let canonical = expression.to_string();
    let again = Expression::parse(&canonical).expect("the canonical spelling is an expression");
    assert_eq!(again.to_string(), canonical);
    let _ = expression.check(&|_| Ok(Meaning::Number(Unit::Seconds)));
    if let Ok(value) = expression.evaluate(&|_| Some(2.0)) {
        assert!(value.is_finite());
    }
}

/// A template without placeholders is its own text; escaping never fails in an unexpected way.
pub(crate) fn template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(template) = Template::parse(text) else {
        return;
    };
    let value = Value::from("it's \"$x\" `y` \\z\n");
    for escape in [
        Escape::None,
        Escape::Shell,
        Escape::Json,
        Escape::PromQl,
        Escape::Regex,
    ] {
        let rendered = template.render(&|_| Some(value.clone()), escape);
        if template.is_constant() {
            assert_eq!(rendered.as_deref(), Ok(text));
        }
    }
}

/// A page of metrics is read or refused, in both formats.
pub(crate) fn exposition(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for format in [ExpositionFormat::Prometheus, ExpositionFormat::OpenMetrics] {
        let _ = Exposition::parse(text, format);
    }
}

/// A quantity survives its canonical spelling exactly.
pub(crate) fn quantity(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(quantity) = text.parse::<Quantity>() {
        let again: Quantity = quantity
            .to_string()
            .parse()
            .expect("it reads what it writes");
        assert_eq!(again.nanos(), quantity.nanos());
    }
}
