//! A datasource: how many visitors wait. It has no history, so the engine looks while it measures.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::port::{Answer, Asked, Clock, Datasource, OpContext, Sampling};

use crate::Office;

/// The line of an office.
#[derive(Debug)]
pub struct Line {
    office: Office,
    clock: Arc<dyn Clock>,
}

impl Line {
    /// The line of this office.
    pub fn new(office: &Office, clock: Arc<dyn Clock>) -> Self {
        let office = office.clone();
        Self { office, clock }
    }
}

#[async_trait]
impl Datasource for Line {
    async fn query(&self, _: &OpContext, asked: &Asked, _: Window) -> Result<Answer, Fault> {
        match asked.text.as_str() {
            "waiting" => {
                let waiting = self.office.counter()?.waiting();
                Ok(Answer::look(self.clock.now(), waiting.into()))
            }
            other => {
                let message = format!("the line knows \"waiting\", not {other:?}");
                Err(Fault::new(FaultKind::Invalid, message))
            }
        }
    }

    fn sampling(&self) -> Option<Sampling> {
        let every = Duration::from_millis(5);
        Some(Sampling { every })
    }
}
