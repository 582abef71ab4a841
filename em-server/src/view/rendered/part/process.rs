//! A process: its environment, command, files and limits, and the commands around it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use em_core::plan::{Plan, ProcessSpec};
use em_local::fill::{Places, Values};
use em_local::process::{Rendered, RenderedReady, ports_of, render, render_once};

use super::{Part, shell_word, variables};

pub(super) fn parts(
    plan: &Plan,
    spec: &ProcessSpec,
    values: &Values,
    places: &Places,
) -> Result<Vec<Part>> {
    let rendered = render(plan, spec, values, places)?;
    let mut parts = Vec::new();
    let once = render_once("target.setup.once", &spec.setup.once, places)?;
    parts.extend(hooks("setup, once", once));
    parts.extend(hooks("setup", rendered.setup.clone()));
    if !rendered.env.is_empty() {
        let variables = variables(&rendered.env, &rendered.secret);
        parts.push(Part::words("environment", variables));
    }
    parts.push(Part::words("command", rendered.command.clone()));
    for ((_, content), name) in rendered.files.iter().zip(spec.files.keys()) {
        let lines = content.lines().map(str::to_owned).collect();
        parts.push(Part::lines(format!("file {name}"), lines));
    }
    parts.extend(limits(&rendered));
    parts.push(Part::words("ready when", ready(&rendered.ready)));
    parts.extend(hooks("teardown", rendered.teardown));
    let once = render_once("target.teardown.once", &spec.teardown.once, places)?;
    parts.extend(hooks("teardown, once", once));
    Ok(parts)
}

/// Several commands are numbered, so that one can be compared with its like.
fn hooks(name: &str, commands: Vec<Vec<String>>) -> Vec<Part> {
    let many = commands.len() > 1;
    let numbered = (1..).zip(commands);
    numbered
        .map(|(number, command)| {
            let name = if many {
                format!("{name} {number}")
            } else {
                name.to_owned()
            };
            Part::words(name, command)
        })
        .collect()
}

fn limits(rendered: &Rendered) -> Option<Part> {
    let cpu = rendered.limits.cpu.map(|cpu| format!("cpu={cpu}"));
    let memory = rendered.limits.memory_bytes;
    let memory = memory.map(|bytes| format!("memory={bytes}"));
    let limits: Vec<String> = cpu.into_iter().chain(memory).collect();
    (!limits.is_empty()).then(|| Part::words("limits", limits))
}

fn ready(ready: &RenderedReady) -> Vec<String> {
    let text = |text: String| text.split(' ').map(str::to_owned).collect();
    match ready {
        RenderedReady::Http { authority, path } => text(format!("GET http://{authority}{path}")),
        RenderedReady::Tcp(authority) => text(format!("{authority} accepts connections")),
        RenderedReady::Command(command) => command.clone(),
        RenderedReady::Log(line) => {
            let mut words: Vec<String> = text("it prints".to_owned());
            words.push(line.clone());
            words
        }
        RenderedReady::Started => text("it runs".to_owned()),
    }
}

/// The line for a shell, then every file.
pub(in crate::view::rendered) fn line_and_files(
    plan: &Plan,
    spec: &ProcessSpec,
    values: &Values,
    base: &Path,
    executable: &Path,
) -> Result<String> {
    let rendered = render(plan, spec, values, &places(plan, spec, base, executable))?;
    let words = variables(&rendered.env, &rendered.secret);
    let words = words.iter().chain(&rendered.command);
    let words: Vec<String> = words.map(|word| shell_word(word)).collect();
    let mut text = format!("  {}\n", words.join(" "));
    for (path, content) in &rendered.files {
        writeln!(text, "    {}:", path.display())?;
        for line in content.lines() {
            writeln!(text, "      {line}")?;
        }
    }
    Ok(text)
}

/// Ports are drawn when something is started; until then they stand as 0.
pub(super) fn places(plan: &Plan, spec: &ProcessSpec, base: &Path, executable: &Path) -> Places {
    let ports = ports_of(plan, spec).into_iter().map(|name| (name, 0));
    let files: BTreeMap<String, PathBuf> = spec
        .files
        .iter()
        .map(|(name, file)| {
            let own = file.path.file_name().unwrap_or_default();
            (name.clone(), Path::new("RUN_FOLDER").join(own))
        })
        .collect();
    Places {
        executable: executable.to_owned(),
        ports: ports.collect(),
        address: None,
        files,
        trial: 0,
        iteration: 0,
        base: base.to_owned(),
    }
}
