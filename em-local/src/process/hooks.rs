//! Commands before and after: each to its end, in order.

use std::path::PathBuf;

use super::error::ProcessError;
use crate::guard::Exit;
use crate::launch::{Guardian, Launch, Running};
use crate::mark::Mark;
use crate::user::Account;

/// How hooks are run.
#[derive(Debug, Clone)]
pub(super) struct HookRunner {
    pub(super) guardian: Guardian,
    pub(super) mark: Mark,
    pub(super) env: Vec<(String, String)>,
    pub(super) folder: PathBuf,
    pub(super) account: Option<Account>,
}

impl HookRunner {
    /// Runs the commands; those that left something running (a daemon that a setup command started)
    /// are answered, and end when they are dropped.
    pub(super) async fn run(
        &self,
        which: &'static str,
        commands: &[Vec<String>],
    ) -> Result<Vec<Running>, ProcessError> {
        let mut lingering = Vec::new();
        for command in commands {
            let running = Running::start(&self.guardian, &self.launch(command)).await?;
            let exit = running.exited().await;
            if exit != Some(Exit::Code(0)) {
                let printed =
                    [&running.stdout, &running.stderr].map(|output| output.last_lines(10));
                let printed = printed
                    .join(
                        "
",
                    )
                    .trim()
                    .to_owned();
                return Err(ProcessError::hook(which, running.command(), exit, printed));
            }
            if running.state().is_alive() && !running.members().is_empty() {
                lingering.push(running);
            } else {
                running.close().await;
            }
        }
        Ok(lingering)
    }

    fn launch(&self, command: &[String]) -> Launch {
        let command = command.to_vec();
        let command = match &self.account {
            Some(account) => account.running(command),
            None => command,
        };
        let mut launch = Launch::new(self.mark.clone(), command);
        launch.env.clone_from(&self.env);
        launch.folder = Some(self.folder.clone());
        launch
    }
}
