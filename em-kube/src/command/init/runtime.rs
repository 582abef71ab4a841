//! What the Java virtual machine and Node are told in their variables.

use super::Container;

const JAVA: [&str; 2] = ["JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS"];
const NODE: &str = "NODE_OPTIONS";

/// Tunables of the runtime, where one is recognised.
pub(super) fn lines(container: &Container<'_>, has_memory: bool) -> Vec<String> {
    if is_java(container) {
        java(container, has_memory)
    } else if is_node(container) {
        node(container)
    } else {
        Vec::new()
    }
}

fn is_set(container: &Container<'_>, name: &str) -> bool {
    container.variables().any(|(known, _)| known == name)
}

/// Whether a program of this name is in the command line: by itself, by its path, or in the text of a shell.
fn is_run(container: &Container<'_>, programs: &[&str]) -> bool {
    let mut words = container.words().flat_map(str::split_whitespace);
    words.any(|word| {
        let file = word.rsplit('/').next().unwrap_or(word);
        programs.contains(&file)
    })
}

fn is_java(container: &Container<'_>) -> bool {
    JAVA.iter().any(|name| is_set(container, name)) || is_run(container, &["java"])
}

fn is_node(container: &Container<'_>) -> bool {
    is_set(container, NODE) || is_run(container, &["node", "nodejs", "npm", "yarn"])
}

/// Set from elsewhere, so that pieces of it would lose the rest.
fn is_hidden(container: &Container<'_>, name: &str) -> bool {
    is_set(container, name) && container.variable(name).is_none()
}

fn hidden(name: &str) -> Vec<String> {
    vec![format!(
        "  # {name} comes from a Secret or ConfigMap: pieces of it cannot be changed."
    )]
}

fn java(container: &Container<'_>, has_memory: bool) -> Vec<String> {
    let set = JAVA.into_iter().find(|name| is_set(container, name));
    // This one is read by every Java program, however it is started.
    let name = set.unwrap_or("JAVA_TOOL_OPTIONS");
    if is_hidden(container, name) {
        return hidden(name);
    }
    let mut lines = vec!["  # A Java virtual machine, by its variables or its command.".to_owned()];
    if has_memory {
        lines.push(format!(
            "  - {{ name: heap_percent, range: [50, 80], step: 5, apply: {{ env: {name}, piece: \"-XX:MaxRAMPercentage={{{{value}}}}.0\", replaces: '-XX:MaxRAMPercentage=\\S+|-Xmx\\S+' }} }}"
        ));
    } else {
        lines.push(
            "  # Without a limit of memory the heap is a share of the whole node's.".to_owned(),
        );
    }
    lines.push(format!(
        "  - {{ name: gc, choices: [Serial, Parallel, G1], apply: {{ env: {name}, piece: \"-XX:+Use{{{{value}}}}GC\", replaces: '-XX:[+-]Use\\w+GC' }} }}"
    ));
    lines
}

fn node(container: &Container<'_>) -> Vec<String> {
    if is_hidden(container, NODE) {
        return hidden(NODE);
    }
    let today = container.variable(NODE).and_then(old_space);
    let bytes = super::amounts::today(container, "memory");
    let limit = bytes.map(|today| today.mebibytes());
    // Never more than what the least limit of the file has room for.
    let (low, high) = match (today, limit) {
        (Some(today), _) => (today / 2, today.saturating_mul(2)),
        (None, Some(limit)) => (limit / 8, limit * 3 / 8),
        (None, None) => (512, 4096),
    };
    vec![
        "  # Node, by its variables or its command: MiB of its old space.".to_owned(),
        format!(
            "  - {{ name: old_space, range: [{}, {}], apply: {{ env: {NODE}, piece: \"--max-old-space-size={{{{value}}}}\", replaces: '--max[-_]old[-_]space[-_]size=\\S+' }} }}",
            low.max(16),
            high.max(32)
        ),
    ]
}

fn old_space(options: &str) -> Option<i64> {
    let words = options.split_whitespace();
    let mut sizes = words.filter_map(|word| {
        let word = word.replace('_', "-");
        word.strip_prefix("--max-old-space-size=")?.parse().ok()
    });
    sizes.next().filter(|size| *size > 1 && *size < 1 << 20)
}
