//! Results to stdout, everything else to stderr.

use std::io::{self, Write as _};

/// Prints a result. A reader that went away is not an error: nobody is left to tell.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// A question to stderr, whose answer is typed behind it.
pub fn ask(question: &str) {
    let mut out = io::stderr().lock();
    let _ = write!(out, "{question}");
    let _ = out.flush();
}

/// One line to stderr. Nobody reading is no reason to fail.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
