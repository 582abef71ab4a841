//! Small HTTP servers of tests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use anyhow::{Context as _, Result};

/// Serves on a free port of the loopback interface for as long as the process lives, one request after
/// the other. `answer` gets a whole request, head and body, and gives a status line such as `200 OK`
/// and a body. Answers where it is.
///
/// # Errors
/// When no port can be had.
pub fn serve(
    mut answer: impl FnMut(&str) -> (&'static str, String) + Send + 'static,
) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("failed to find a free port")?;
    let address = listener
        .local_addr()
        .context("failed to find a free port")?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever breaks off has heard enough.
            drop(exchange(stream, &mut answer));
        }
    });
    Ok(format!("http://{address}"))
}

fn exchange(
    stream: TcpStream,
    answer: &mut impl FnMut(&str) -> (&'static str, String),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut request, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        let read = reader.read_line(&mut line)?;
        if read == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
        request.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    request.push_str(&String::from_utf8_lossy(&body));
    let (status, body) = answer(&request);
    let length = body.len();
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
