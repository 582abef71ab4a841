//! The Service of a copy.

use em_core::plan::ServiceRef;
use serde_json::{Value as Json, json};

use crate::change::Container;
use crate::mark;

/// A Service as the live one is, or one for the ports of the container. None: there is nothing to reach.
pub(super) fn copy(
    live: Option<&Json>,
    workload: &Json,
    container: &Container,
    clone: &str,
) -> Option<Json> {
    let ports = if let Some(live) = live {
        live.pointer("/spec/ports")?
            .as_array()?
            .iter()
            .map(of_service)
            .collect()
    } else {
        let ports = container.place().key("ports");
        let ports = ports.get(workload)?.as_array()?;
        ports.iter().filter_map(of_container).collect::<Vec<_>>()
    };
    if ports.is_empty() {
        return None;
    }
    Some(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "spec": { "type": "ClusterIP", "selector": { mark::CLONE: clone }, "ports": ports },
    }))
}

/// Without what only one Service of the cluster can have.
fn of_service(port: &Json) -> Json {
    let mut port = port.clone();
    if let Some(map) = port.as_object_mut() {
        map.shift_remove("nodePort");
    }
    port
}

fn of_container(port: &Json) -> Option<Json> {
    let number = port.get("containerPort")?;
    let mut copy = json!({ "port": number, "targetPort": number });
    for key in ["name", "protocol"] {
        if let Some(value) = port.get(key) {
            copy[key] = value.clone();
        }
    }
    if copy.get("name").is_none() {
        copy["name"] = json!(format!("port-{number}"));
    }
    Some(copy)
}

/// The number of the port that is meant: the named one, else the only one. An error says what there is.
pub fn port_of(service: &Json, wanted: Option<&ServiceRef>) -> Result<u16, String> {
    let ports = service.pointer("/spec/ports").and_then(Json::as_array);
    let ports = ports.map_or(&[][..], Vec::as_slice);
    let number = |port: &Json| u16::try_from(port.get("port")?.as_u64()?).ok();
    let name = |port: &Json| {
        port.get("name")
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let asked = wanted.and_then(|wanted| wanted.port.as_deref());
    let found = match (asked, ports) {
        (Some(asked), ports) => ports.iter().find(|port| {
            name(port) == asked || number(port).is_some_and(|n| n.to_string() == asked)
        }),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    if let Some(number) = found.and_then(number) {
        return Ok(number);
    }
    let has: Vec<String> = ports
        .iter()
        .filter_map(|port| {
            Some(
                format!("{} {}", name(port), number(port)?)
                    .trim()
                    .to_owned(),
            )
        })
        .collect();
    let has = if has.is_empty() {
        "none".to_owned()
    } else {
        has.join(", ")
    };
    Err(match asked {
        Some(asked) => format!("the Service has no port {asked} (it has {has})"),
        None => format!("the Service has the ports {has} (say which one: service: NAME:PORT)"),
    })
}
