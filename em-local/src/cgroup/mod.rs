//! Control groups: limits, usage and the end of a whole process tree, for version 1 and version 2.
//!
//! A machine may have some controllers in version 1 and others in version 2 at once, so every
//! controller is found on its own ([`Rights`]). A [`Group`] then is one folder per hierarchy, all of
//! the same name. Nobody is moved into a group from outside: a process writes itself in before it
//! becomes the target ([`joining`]), so that not one instruction of the target runs outside its limits.

mod files;
mod group;
mod hierarchy;
mod refusal;
mod rights;

pub use files::{kill_members, members, remove_folder};
pub use group::{Group, GroupError, Limits, Usage, find_marked};
pub use refusal::Refusal;
pub use rights::{Controller, Rights, Version};

use std::path::PathBuf;

/// Joins the groups given as `$1 .. $n` before `--`, then becomes the command behind it.
const JOIN: &str =
    r#"while [ "$1" != -- ]; do echo 0 > "$1" || exit 125; shift; done; shift; exec "$@""#;

/// The command that writes itself into the `cgroup.procs` files of `join` and then becomes `command`.
///
/// A process that could not join ends with code 125 and the shell's message on its standard error.
pub fn joining(join: &[PathBuf], command: &[String]) -> Vec<String> {
    if join.is_empty() {
        return command.to_vec();
    }
    let mut words: Vec<String> = ["/bin/sh", "-c", JOIN, "em-join"]
        .map(str::to_owned)
        .to_vec();
    words.extend(join.iter().map(|file| file.to_string_lossy().into_owned()));
    words.push("--".to_owned());
    words.extend_from_slice(command);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_without_groups_stays_as_it_is() {
        let command = ["a b".to_owned(), "$HOME".to_owned()];
        assert_eq!(joining(&[], &command), command);
    }

    #[test]
    fn the_command_is_started_word_by_word_after_joining() {
        let folder = tempfile::tempdir().unwrap();
        let files = [folder.path().join("one"), folder.path().join("two three")];
        let command = ["printf", "<%s>", "a b", "--", "$HOME"].map(str::to_owned);
        let words = joining(&files, &command);
        let output = std::process::Command::new(&words[0])
            .args(&words[1..])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "<a b><--><$HOME>");
        for file in &files {
            assert_eq!(std::fs::read_to_string(file).unwrap(), "0\n");
        }
    }
}
