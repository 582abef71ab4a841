//! Wire formats on their own: from the body of a successful answer to series, without a server.
//!
//! For recorded answers, for measuring the decoders, and for feeding them what nobody would send.

use em_core::fault::Fault;
use em_core::port::Series;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use crate::prometheus;
use crate::remote::Reply;

/// Who is named in messages about an answer that nobody sent.
const NOBODY: &str = "the recorded answer";

/// An answer of Prometheus' query API, of any result type.
///
/// # Errors
/// `Malformed` where it is none; `Invalid` and `Unavailable` where the server says so in it.
pub fn prometheus(body: Vec<u8>) -> Result<Vec<Series>, Fault> {
    Ok(prometheus::judge(NOBODY, &reply(body), false)?.series)
}

fn reply(body: Vec<u8>) -> Reply {
    Reply {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body,
    }
}
