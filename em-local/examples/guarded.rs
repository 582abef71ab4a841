//! The smallest embedder with a guard: runs a command until it ends or until this program is gone.
//!
//! `cargo run -p em-local --example guarded -- sleep 60`, then kill it with `kill -9`: the command is
//! gone a moment later, with everything it started.
//!
//! Options come as environment variables: `GUARDED_MARK` (the mark to carry), `GUARDED_GROUP=1` (a
//! cgroup around it), `GUARDED_DELETE` (a folder to delete at the end), `GUARDED_SHELL=1` (the shell
//! guard instead).
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

use std::error::Error;
use std::process::ExitCode;

use em_local::cgroup::{Group, Limits, Rights};
use em_local::guard;
use em_local::launch::{Guardian, Launch, Running};
use em_local::mark::Mark;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.next_if(|first| first == guard::WORD).is_some() {
        std::process::exit(guard::run(arguments));
    }
    let command = arguments
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = runtime
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(command)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Vec<String>) -> Result<(), Box<dyn Error>> {
    let option = |name: &str| std::env::var(name).ok();
    let mark: Mark = option("GUARDED_MARK")
        .as_deref()
        .unwrap_or("example.1.guarded")
        .parse()?;
    let mut launch = Launch::new(mark.clone(), command);
    if option("GUARDED_GROUP").is_some() {
        let limits = Limits::default();
        launch.group = Some(Group::create(
            &Rights::survey(),
            &mark.folder_name(),
            &limits,
        )?);
    }
    launch.delete = option("GUARDED_DELETE")
        .into_iter()
        .map(Into::into)
        .collect();
    let guardian = match option("GUARDED_SHELL") {
        Some(_) => Guardian::ProcessGroup,
        None => Guardian::this_executable()?,
    };
    let running = Running::start(&guardian, &launch).await?;
    println!("started {}", running.main().unwrap_or_default());
    let exit = running.exited().await;
    print!("{}", running.stdout.text());
    println!(
        "{}",
        exit.map_or_else(|| "guard lost".to_owned(), |exit| exit.to_string())
    );
    Ok(())
}
