//! Where a program lies, found as a shell finds it.

use std::env;
use std::path::{Path, PathBuf};

use em_core::template::Template;
use rustix::fs::{Access, access};

/// The executable file of `program`: itself when it names a path, else the first one in `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    find_in(program, &env::var_os("PATH").unwrap_or_default())
}

/// The program of a command that is not there; none where it is, or is only known in an iteration.
pub(crate) fn missing<'t>(command: &'t [Template], base: &Path) -> Option<&'t str> {
    let program = command
        .first()
        .filter(|program| program.is_constant())?
        .text();
    let found = if program.contains('/') {
        find(&base.join(program).to_string_lossy())
    } else {
        find(program)
    };
    found.is_none().then_some(program)
}

/// What is said of a program that is not there.
pub(crate) fn not_there(program: &str) -> String {
    format!("the program {program:?} is not there, or is not executable")
}

fn find_in(program: &str, path: &std::ffi::OsStr) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|file| is_executable(file));
    }
    env::split_paths(path)
        .map(|folder| folder.join(program))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.is_file() && access(file, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_the_path_and_by_its_own_path() {
        assert_eq!(
            find_in("sh", "/no:/bin".as_ref()),
            Some(PathBuf::from("/bin/sh"))
        );
        assert_eq!(find("/bin/sh"), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find_in("sh", "/no".as_ref()), None);
        assert_eq!(find("/etc/passwd"), None);
    }
}
