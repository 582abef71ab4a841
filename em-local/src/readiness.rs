//! Is it ready? One look each; waiting is the engine's.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::output::Output;

/// One look may take this long: a target that hangs is not ready.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// What a look has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It is ready.
    Ready,
    /// Not yet, and what was seen instead.
    NotYet(String),
}

/// A GET of `path` at `authority` (`HOST:PORT`) that answers 2xx or 3xx.
pub async fn http(authority: &str, path: &str) -> Look {
    match within_limit(get_status(authority, path)).await {
        Ok(200..=399) => Look::Ready,
        Ok(status) => Look::NotYet(format!("GET http://{authority}{path} answers {status}")),
        Err(error) => Look::NotYet(format!("GET http://{authority}{path}: {error}")),
    }
}

/// `authority` (`HOST:PORT`) accepts a connection.
pub async fn tcp(authority: &str) -> Look {
    match within_limit(TcpStream::connect(authority)).await {
        Ok(_) => Look::Ready,
        Err(error) => Look::NotYet(format!("connecting to {authority}: {error}")),
    }
}

/// A line of one of the outputs contains `text`.
pub fn log(outputs: [&Output; 2], text: &str) -> Look {
    let found = outputs
        .iter()
        .any(|output| output.text().lines().any(|line| line.contains(text)));
    if found {
        return Look::Ready;
    }
    Look::NotYet(format!("no line of its output contains {text:?} yet"))
}

async fn within_limit<T>(act: impl Future<Output = io::Result<T>> + Send) -> io::Result<T> {
    tokio::time::timeout(LOOK_LIMIT, act)
        .await
        .unwrap_or_else(|_| {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no answer within {LOOK_LIMIT:?}"),
            ))
        })
}

/// Just enough HTTP for a status: the body is not looked at.
async fn get_status(authority: &str, path: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect(authority).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: em\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    let mut buffer = [0; 256];
    while !head.contains(&b'\n') && head.len() < 4096 {
        match stream.read(&mut buffer).await? {
            0 => break,
            count => head.extend_from_slice(buffer.get(..count).unwrap_or_default()),
        }
    }
    status_in(&head).ok_or_else(|| io::Error::other("the answer is not HTTP"))
}

fn status_in(head: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(head);
    let mut words = text.lines().next()?.split_ascii_whitespace();
    words
        .next()
        .filter(|version| version.starts_with("HTTP/"))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answering(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut buffer = [0; 1024];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        authority
    }

    #[tokio::test]
    async fn a_status_of_200_or_300_is_ready_and_others_are_shown() {
        let fine = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(http(&fine, "/").await, Look::Ready);
        let busy = answering("HTTP/1.1 503 Starting\r\n\r\n").await;
        let expected = format!("GET http://{busy}/x answers 503");
        assert_eq!(http(&busy, "/x").await, Look::NotYet(expected));
        let other = answering("SSH-2.0-thing\r\n").await;
        let expected = format!("GET http://{other}/: the answer is not HTTP");
        assert_eq!(http(&other, "/").await, Look::NotYet(expected));
    }

    #[tokio::test]
    async fn nobody_listening_is_not_ready() {
        let port = crate::port::take(1).unwrap()[0];
        let authority = format!("127.0.0.1:{port}");
        let Look::NotYet(why) = tcp(&authority).await else {
            panic!("nobody listens")
        };
        assert!(
            why.starts_with(&format!("connecting to {authority}: ")),
            "{why}"
        );
        assert_eq!(tcp(&answering("").await).await, Look::Ready);
    }

    #[test]
    fn a_line_in_either_output_is_ready() {
        let (out, err) = (Output::keeping(100), Output::keeping(100));
        assert!(matches!(
            log([&out, &err], "accept connections"),
            Look::NotYet(_)
        ));
        err.push(b"LOG: ready to accept connections\n");
        assert_eq!(log([&out, &err], "accept connections"), Look::Ready);
    }
}
