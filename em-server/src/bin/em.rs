//! `em`: one experiment from a file, on this machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before any thread starts: in guard mode this process is the parent of everything that a target starts.
    let mut arguments = std::env::args_os().skip(1);
    if arguments
        .next()
        .is_some_and(|first| first == em_local::guard::WORD)
    {
        let code = em_local::guard::run(arguments);
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    em_server::cli::main()
}
