//! A number in an object of the cluster.

use em_core::read::json_path::JsonPath;
use serde_json::Value as Json;

use super::pods::number;

/// The number at a path of an object: a number, or an amount such as `250m`. None: nothing is there, it is no
/// number, or the path names several places.
pub fn field(object: &Json, path: &JsonPath) -> Option<f64> {
    let found = path.find(object);
    let [(_, value)] = found.as_slice() else {
        return None;
    };
    number(value).filter(|number| number.is_finite())
}
