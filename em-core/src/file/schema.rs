//! The JSON Schema of the file, for editors.

use serde_json::Value;

const TEXT: &str = include_str!("schema.json");

/// The JSON Schema (draft 2020-12) of the experiment file: editors complete and check keys with it. It holds every key that the
/// reader knows; what one part of a file means for another is the reader's to say.
pub fn schema() -> Value {
    serde_json::from_str(TEXT).expect("a test reads it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::{
        access, apply, datasource, experiment, kubernetes, load, measurement, metric, objective,
        output, pods, process, search, simulated, target, tunable, vendor,
    };

    /// The schemas' keywords as far as this one uses them.
    fn holds(schema: &Value, value: &Value, root: &Value) -> bool {
        let all = schema.as_object().unwrap().iter();
        all.into_iter().all(|(keyword, rule)| {
            let list = || rule.as_array().unwrap().iter();
            let fits = |rule: &&Value| holds(rule, value, root);
            let length = value.as_array().map(Vec::len);
            match keyword.as_str() {
                "$ref" => holds(resolved(rule, root), value, root),
                "anyOf" => list().any(|rule| fits(&rule)),
                "oneOf" => list().filter(fits).count() == 1,
                "enum" => list().any(|one| one == value),
                "const" => rule == value,
                "type" => rule.as_array().map_or_else(
                    || is(rule, value),
                    |types| types.iter().any(|one| is(one, value)),
                ),
                "required" => value
                    .as_object()
                    .is_none_or(|map| list().all(|key| map.contains_key(key.as_str().unwrap()))),
                "properties" => entries(value)
                    .all(|(key, value)| rule.get(key).is_none_or(|rule| holds(rule, value, root))),
                "additionalProperties" => entries(value).all(|(key, value)| {
                    let known = schema.get("properties").and_then(|all| all.get(key));
                    let is_free =
                        key.starts_with("x-") && schema.get("patternProperties").is_some();
                    let fits = rule.is_object() && holds(rule, value, root);
                    known.is_some() || is_free || fits
                }),
                "items" => length.is_none_or(|_| {
                    value
                        .as_array()
                        .unwrap()
                        .iter()
                        .all(|one| holds(rule, one, root))
                }),
                "minItems" => length.is_none_or(|n| n as u64 >= rule.as_u64().unwrap()),
                "maxItems" => length.is_none_or(|n| n as u64 <= rule.as_u64().unwrap()),
                "minimum" => value.as_f64().is_none_or(|n| n >= rule.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|n| n <= rule.as_f64().unwrap()),
                "exclusiveMinimum" => value.as_f64().is_none_or(|n| n > rule.as_f64().unwrap()),
                "pattern" => value.as_str().is_none_or(|text| {
                    regex::Regex::new(rule.as_str().unwrap())
                        .unwrap()
                        .is_match(text)
                }),
                "minProperties" => entries(value).count() as u64 >= rule.as_u64().unwrap(),
                "$schema" | "$defs" | "title" | "description" | "format" | "patternProperties" => {
                    true
                }
                other => panic!("keyword {other} is not checked"),
            }
        })
    }

    fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
        value.as_object().into_iter().flatten()
    }

    fn is(kind: &Value, value: &Value) -> bool {
        match kind.as_str().unwrap() {
            "string" => value.is_string(),
            "number" => value.is_number(),
            "integer" => value.is_i64() || value.is_u64(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("type {other} is not checked"),
        }
    }

    fn resolved<'r>(reference: &Value, root: &'r Value) -> &'r Value {
        let path = reference.as_str().unwrap().strip_prefix('#').unwrap();
        root.pointer(path).unwrap_or_else(|| panic!("{path}"))
    }

    fn shortest() -> Value {
        serde_json::json!({
            "name": "demo",
            "target": {"kind": "process", "command": ["{{em}}", "demo", "--port", "{{port}}"]},
            "tunables": [
                {"name": "workers", "range": [1, 16], "default": 2, "apply": {"env": "WORKERS"}},
                {"name": "cache", "choices": ["lru", "none"], "default": "lru", "apply": {"arg": "--cache={{value}}"}},
            ],
            "load": {"kind": "http", "url": "http://{{address}}/"},
            "objective": {"minimize": "load.response_time.p99"},
            "budget": {"trials": 20},
        })
    }

    #[test]
    fn files_that_are_plans_follow_the_schema_and_broken_ones_do_not() {
        let schema = schema();
        let full = include_str!("../../tests/files/full.json");
        let full: Value = serde_json::from_str(full).unwrap();
        assert!(holds(&schema, &full, &schema));
        let cluster = include_str!("../../tests/files/cluster.json");
        let cluster: Value = serde_json::from_str(cluster).unwrap();
        assert!(holds(&schema, &cluster, &schema));
        assert!(holds(&schema, &shortest(), &schema));
        for (path, value) in [
            ("/name", serde_json::json!("a b")),
            ("/target/kind", serde_json::json!("nomad")),
            ("/target/command", serde_json::json!("sleep 1")),
            ("/tunables/0/range", serde_json::json!([1])),
            ("/load", serde_json::json!({"kind": "http"})),
            ("/objective", serde_json::json!({"minimise": "x"})),
            ("/budget/trials", serde_json::json!("many")),
        ] {
            let mut broken = shortest();
            *broken.pointer_mut(path).unwrap() = value;
            assert!(!holds(&schema, &broken, &schema), "{path}");
        }
        for (path, value) in [
            ("/target/policy", serde_json::json!("release")),
            ("/target/workload", serde_json::json!("checkout")),
            ("/target/ready", serde_json::json!({"path": "$.x"})),
            ("/target/slots", serde_json::json!(0)),
            ("/target/hooks/before", serde_json::json!(["warm"])),
            ("/tunables/0/apply/replicas", serde_json::json!(3)),
            ("/tunables/1/apply/of", serde_json::json!("all")),
        ] {
            let mut broken = cluster.clone();
            *broken.pointer_mut(path).unwrap() = value;
            assert!(!holds(&schema, &broken, &schema), "{path}");
        }
    }

    /// The keys of the schema at this place, in one alternative where there are several.
    fn keys(schema: &Value, path: &str) -> Vec<String> {
        let place = schema.pointer(path).unwrap_or_else(|| panic!("{path}"));
        let mut keys: Vec<String> = place["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        keys.sort();
        keys
    }

    #[test]
    fn the_schema_has_exactly_the_keys_that_the_reader_knows() {
        let schema = schema();
        let check = |path: &str, known: &[&str]| {
            let mut known: Vec<&str> = known.to_vec();
            known.sort_unstable();
            assert_eq!(keys(&schema, path), known, "{path}");
        };
        check("", &experiment::KEYS);
        check("/$defs/target/oneOf/0", &process::KEYS);
        check("/$defs/target/oneOf/1", &target::COMMAND_KEYS);
        check("/$defs/target/oneOf/3", &simulated::KEYS);
        check("/$defs/target/oneOf/4", &target::CUSTOM_KEYS);
        let cluster = "/$defs/target/oneOf/5";
        check(cluster, &kubernetes::KEYS);
        let within = |key: &str| format!("{cluster}/properties/{key}");
        check(&within("clones"), &kubernetes::CLONE_KEYS);
        check(&within("prices"), &kubernetes::PRICE_KEYS);
        check(&within("hooks"), &pods::HOOK_KEYS);
        check("/$defs/tunable", &tunable::KEYS);
        check("/$defs/apply/anyOf/0", &apply::KEYS);
        check("/$defs/output", &output::KEYS);
        check("/$defs/metric", &metric::KEYS);
        check("/$defs/objective", &objective::KEYS);
        check("/$defs/measurement", &measurement::KEYS);
        check("/properties/search", &search::KEYS);
        check("/properties/budget", &measurement::BUDGET_KEYS);
        check("/properties/timeouts", &measurement::TIMEOUT_KEYS);
        check("/properties/retries", &measurement::RETRY_KEYS);
        for (index, (_, known)) in load::KINDS.iter().enumerate() {
            check(&format!("/$defs/load/oneOf/{index}"), known);
        }
        check("/$defs/auth", &access::AUTH_KEYS);
        check("/$defs/auth/properties/basic", &access::BASIC_KEYS);
        check("/$defs/auth/properties/oauth2", &access::OAUTH2_KEYS);
        check("/$defs/auth/properties/sigv4", &access::SIGV4_KEYS);
        check("/$defs/tls", &access::TLS_KEYS);
        for (index, (_, known)) in datasource::DATASOURCE_KEYS.iter().enumerate() {
            check(&format!("/$defs/datasource/oneOf/{index}"), known);
        }
        let time = "/$defs/datasource/oneOf/6/properties/time";
        check(time, &vendor::JSON_TIME_KEYS);
    }
}
