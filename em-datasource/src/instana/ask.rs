//! Questions, page by page, and what the server tells of itself.

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::port::OpContext;
use serde::Deserialize;

use super::InstanaDatasource;
use super::decode::{Page, Read};
use super::inquiry::{Endpoint, Inquiry, Turn};
use super::judge::Judge;
use super::spacing::Cut;
use crate::remote::{Content, Question, Reply};

/// More pages are not one metric any more.
const MOST_PAGES: u64 = 50;
/// The infrastructure is told of no more snapshots, and does not say that there are others.
const MOST_SNAPSHOTS: usize = 30;

/// All pages of an answer.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) series: Vec<Read>,
    /// What the answer is about, where the server tells.
    pub(super) frame: Option<Window>,
    pub(super) warnings: Vec<String>,
    pub(super) status: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    image_tag: Option<String>,
}

impl InstanaDatasource {
    /// Everything that there is about a part of the window.
    pub(super) async fn found(
        &self,
        cx: &OpContext,
        inquiry: &Inquiry,
        frame: Window,
        cut: &Cut,
    ) -> Result<Found, Fault> {
        let malformed = |why: String| {
            let message = format!("{} {why}", self.remote.shown());
            Fault::new(FaultKind::Malformed, message)
        };
        let mut found = Found::default();
        let mut turn = Turn::Page(1);
        for number in 1..=MOST_PAGES {
            let body = inquiry.body(frame, cut.width(), &turn);
            let path = inquiry.endpoint.path();
            let reply = self.send(cx, path, Content::Json(&body)).await?;
            let page = self.judge().page(&reply)?;
            found.status = Some(reply.status.as_u16());
            let next = next(&page, inquiry, number).map_err(malformed)?;
            found.add(page, inquiry).map_err(malformed)?;
            match next {
                Some(next) => turn = next,
                None => return Ok(found),
            }
        }
        let message = format!(
            "the answer goes on after {} series: narrow the query down",
            found.series.len()
        );
        Err(Fault::new(FaultKind::Invalid, message))
    }

    /// Its version, where it tells, and its clock minus ours.
    pub(super) async fn version(
        &self,
        cx: &OpContext,
    ) -> Result<(Option<String>, Option<i64>), Fault> {
        let before = self.now();
        let path = "/api/instana/version";
        let reply = self.send(cx, path, Content::Query(&[])).await?;
        let skew = reply.skew(before, self.now());
        let version: Version = self.judge().read(&reply)?;
        Ok((version.image_tag.filter(|tag| !tag.is_empty()), skew))
    }

    /// Whether it answers about itself.
    pub(super) async fn health(&self, cx: &OpContext) -> Result<(), Fault> {
        let path = "/api/instana/health";
        self.send(cx, path, Content::Query(&[])).await?;
        Ok(())
    }

    fn judge(&self) -> Judge<'_> {
        Judge {
            server: self.remote.shown(),
            now: self.now(),
        }
    }

    async fn send(&self, cx: &OpContext, path: &str, content: Content<'_>) -> Result<Reply, Fault> {
        let token = self.token.resolve()?;
        let proof = format!("apiToken {}", token.expose());
        let question = Question {
            path,
            content,
            headers: &[("authorization", proof)],
        };
        self.remote.put(cx, &question).await
    }
}

impl Found {
    pub(super) fn add(&mut self, page: Page, inquiry: &Inquiry) -> Result<(), String> {
        if let Some(told) = page.frame()? {
            // Pages are about the same; where they are not, about what all of them tell.
            let before = self.frame.unwrap_or(told);
            self.frame = Some(Window {
                start: before.start.max(told.start),
                end: before.end.min(told.end),
            });
        }
        let read = page.read(inquiry)?;
        if inquiry.endpoint == Endpoint::Infrastructure && read.len() >= MOST_SNAPSHOTS {
            self.warnings.push(format!(
                "{} snapshots came back, and the server tells of no more at once: narrow the query \
                 down, or group by tags (type)",
                read.len()
            ));
        }
        self.series.extend(read);
        Ok(())
    }
}

/// Where the answer goes on after page `number`.
pub(super) fn next(page: &Page, inquiry: &Inquiry, number: u64) -> Result<Option<Turn>, String> {
    let Some((_, size)) = inquiry.pages() else {
        return Ok(None);
    };
    let count = page.items.as_ref().map_or(0, Vec::len) as u64;
    if inquiry.endpoint == Endpoint::Groups {
        return match (page.can_load_more.unwrap_or_default(), &page.next) {
            (false, _) => Ok(None),
            (true, Some(cursor)) if !cursor.is_null() => Ok(Some(Turn::Cursor(cursor.clone()))),
            (true, _) => Err("says that there is more, and not how to go on".to_owned()),
        };
    }
    let size = page.size.filter(|size| *size > 0).unwrap_or(size);
    let has_more = match page.total_hits {
        Some(total) => number.saturating_mul(size) < total,
        None => count >= size,
    };
    match (has_more, page.total_hits) {
        (false, _) => Ok(None),
        (true, Some(total)) if count == 0 => {
            Err(format!("says that there are {total}, and stops before"))
        }
        (true, _) => Ok(Some(Turn::Page(number + 1))),
    }
}
