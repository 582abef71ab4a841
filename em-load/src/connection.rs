//! One keep-alive connection and one exchange on it.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Response, body::Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::outcome::ErrorClass;
use crate::request::RequestTemplate;

/// An open HTTP/1.1 connection. Its protocol engine runs as a task of its own on the local set
/// and ends when the connection is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    engine: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // After a time-out the answer must not keep the socket open.
        self.engine.abort();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExchangeError {
    /// It did not even begin, because the connection had been closed meanwhile; the request may
    /// go out on a fresh one.
    Unsent,
    Failed(ErrorClass),
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, ErrorClass> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| class_of_connect(&error))?;
        // Small requests must not wait for the acknowledgement of earlier ones.
        stream.set_nodelay(true).map_err(|_| ErrorClass::Connect)?;
        let (sender, engine) = handshake(TokioIo::new(stream))
            .await
            .map_err(|_| ErrorClass::Connect)?;
        let engine = tokio::task::spawn_local(async move {
            // A broken connection shows at the request that is on it.
            let _ = engine.await;
        });
        Ok(Self { sender, engine })
    }

    /// Whether another request may be sent: the target may have closed the connection.
    pub(crate) async fn is_reusable(&mut self) -> bool {
        !self.sender.is_closed() && self.sender.ready().await.is_ok()
    }

    /// Sends the request and reads the whole answer.
    pub(crate) async fn exchange(
        &mut self,
        template: &RequestTemplate,
    ) -> Result<(), ExchangeError> {
        let response = match self.sender.try_send_request(template.build()).await {
            Ok(response) => response,
            Err(mut refused) => {
                return Err(match refused.take_message() {
                    Some(_) => ExchangeError::Unsent,
                    None => ExchangeError::Failed(class_of(refused.error())),
                });
            }
        };
        let status = response.status().as_u16();
        drain(response).await.map_err(ExchangeError::Failed)?;
        if template.is_accepted(status) {
            Ok(())
        } else {
            Err(ExchangeError::Failed(ErrorClass::Status))
        }
    }
}

async fn drain(response: Response<Incoming>) -> Result<(), ErrorClass> {
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        frame.map_err(|error| class_of(&error))?;
    }
    Ok(())
}

fn class_of_connect(error: &std::io::Error) -> ErrorClass {
    if error.kind() == std::io::ErrorKind::ConnectionRefused {
        ErrorClass::Refused
    } else {
        ErrorClass::Connect
    }
}

fn class_of(error: &hyper::Error) -> ErrorClass {
    if error.is_parse() {
        ErrorClass::Protocol
    } else {
        ErrorClass::Broken
    }
}
