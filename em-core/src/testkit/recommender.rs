//! A recommender that goes through a list.

use async_trait::async_trait;

use crate::configuration::Configuration;
use crate::fault::Fault;
use crate::plan::Plan;
use crate::port::{OpContext, PastTrial, Recommender, Suggestion};

/// Proposes the configurations of a list in their order, those already tried left out.
#[derive(Debug, Clone)]
pub struct FakeRecommender {
    list: Vec<Configuration>,
}

impl FakeRecommender {
    /// Proposes these.
    pub fn new(list: Vec<Configuration>) -> Self {
        Self { list }
    }
}

#[async_trait]
impl Recommender for FakeRecommender {
    async fn suggest(
        &self,
        _cx: &OpContext,
        _plan: &Plan,
        history: &[PastTrial],
        wanted: u32,
    ) -> Result<Suggestion, Fault> {
        let is_new = |one: &&Configuration| {
            let mut known = history
                .iter()
                .filter_map(|past| past.configuration.as_ref());
            !known.any(|past| past == *one)
        };
        let next = self.list.iter().filter(is_new).take(wanted as usize);
        let next: Vec<Configuration> = next.cloned().collect();
        if next.is_empty() {
            let why = "the list is through".to_owned();
            return Ok(Suggestion::Done { why });
        }
        Ok(Suggestion::Try(next))
    }
}
