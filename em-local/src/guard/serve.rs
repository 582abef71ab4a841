//! The guard process itself: plain threads, no runtime, so that it costs nothing beside a measurement.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitOptions, WaitStatus, getpid, set_child_subreaper, wait};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use super::protocol::{Exit, Instructions, Report, Request};
use crate::cgroup;
use crate::cores;
use crate::stop::{SignalName, send_to_children, send_to_descendants};

/// Between the polite and the final signal once the manager is gone.
const GRACE_WITHOUT_MANAGER: Duration = Duration::from_secs(1);
/// Between two rounds of killing, while something is still there.
const KILL_AGAIN: Duration = Duration::from_millis(20);

/// Runs the guard until its manager is gone and the tree has ended; the exit code for the process.
///
/// Call it before any other thread is started and leave with what it returns. The arguments after
/// [`super::WORD`] are for the eyes of whoever reads the process table and are ignored.
pub fn run(_arguments: impl Iterator<Item = OsString>) -> i32 {
    match Guard::start() {
        Ok(Some(guard)) => guard.watch(),
        Ok(None) => 1,
        Err(error) => {
            // The manager is not there to be told, so the terminal is the only place left.
            let _ = writeln!(
                io::stderr(),
                "a guard is started by its manager, which holds the other end of its standard input: {error}"
            );
            2
        }
    }
}

enum Event {
    Ended(Pid, Exit),
    Empty,
    Asked(Request),
    ManagerGone,
}

struct Guard {
    me: u32,
    main: u32,
    instructions: Instructions,
    channel: UnixStream,
    events: Receiver<Event>,
    stopping: bool,
    leaving: bool,
    empty: bool,
    kill_at: Option<Instant>,
}

impl Guard {
    /// Reads the instructions and starts the tree; `None` when that failed and was reported.
    fn start() -> io::Result<Option<Self>> {
        let mut channel =
            UnixStream::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?);
        set_child_subreaper(Some(getpid()))?;
        let mut lines = BufReader::new(channel.try_clone()?);
        let mut first = String::new();
        lines.read_line(&mut first)?;
        let instructions: Instructions = serde_json::from_str(&first)?;
        hear_ignored_signals()?;
        let main = match spawn(&instructions) {
            Ok(main) => main,
            Err(why) => {
                report(&mut channel, &Report::Failed { why });
                return Ok(None);
            }
        };
        let_go_of_outputs()?;
        report(&mut channel, &Report::Started { pid: main });
        let (sender, events) = sync_channel(64);
        let asked = sender.clone();
        thread::spawn(move || listen(lines, &asked));
        thread::spawn(move || reap(&sender));
        Ok(Some(Self {
            me: std::process::id(),
            main,
            instructions,
            channel,
            events,
            stopping: false,
            leaving: false,
            empty: false,
            kill_at: None,
        }))
    }

    fn watch(mut self) -> i32 {
        while !(self.leaving && self.empty) {
            match self.next() {
                Ok(Event::Ended(pid, exit)) => self.ended(pid, exit),
                Ok(Event::Empty) => {
                    self.empty = true;
                    self.kill_at = None;
                    report(&mut self.channel, &Report::Empty);
                }
                Ok(Event::Asked(request)) => self.asked(&request),
                Ok(Event::ManagerGone) | Err(RecvTimeoutError::Disconnected) => self.manager_gone(),
                Err(RecvTimeoutError::Timeout) => self.kill(),
            }
        }
        clear_away(&self.instructions);
        0
    }

    fn next(&self) -> Result<Event, RecvTimeoutError> {
        match self.kill_at {
            Some(at) => self
                .events
                .recv_timeout(at.saturating_duration_since(Instant::now())),
            None => self
                .events
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn ended(&mut self, pid: Pid, exit: Exit) {
        if u32::try_from(pid.as_raw_nonzero().get()) == Ok(self.main) {
            report(&mut self.channel, &Report::Exited { exit });
        }
        if self.stopping {
            // Whoever lost its parent just now has become a child of ours and was not asked yet.
            send_to_children(self.me, SignalName::TERM);
        }
    }

    fn asked(&mut self, request: &Request) {
        match request {
            Request::Signal { signal } => {
                if let Ok(signal) = signal.parse() {
                    send_to_children(self.me, signal);
                }
            }
            Request::Stop { signal, grace_ms } => {
                self.stopping = true;
                send_to_children(self.me, signal.parse().unwrap_or(SignalName::TERM));
                self.kill_after(Duration::from_millis(*grace_ms));
            }
        }
    }

    fn manager_gone(&mut self) {
        self.leaving = true;
        if !self.empty {
            send_to_descendants(self.me, SignalName::TERM);
            self.kill_after(GRACE_WITHOUT_MANAGER);
        }
    }

    /// Never later than what was promised before.
    fn kill_after(&mut self, grace: Duration) {
        if self.empty {
            return;
        }
        let at = Instant::now() + grace;
        self.kill_at = Some(self.kill_at.map_or(at, |earlier| earlier.min(at)));
    }

    fn kill(&mut self) {
        for group in &self.instructions.groups {
            cgroup::kill_members(group);
        }
        send_to_descendants(self.me, SignalName::KILL);
        self.kill_at = Some(Instant::now() + KILL_AGAIN);
    }
}

/// Starts the first process in a process group of its own, so that a signal typed at the manager's
/// terminal does not reach it.
fn spawn(instructions: &Instructions) -> Result<u32, String> {
    if !instructions.cpus.is_empty() {
        cores::pin_this_process(&instructions.cpus).map_err(|error| {
            format!(
                "failed to pin the process to CPUs {:?}: {error}",
                instructions.cpus
            )
        })?;
    }
    let words = cgroup::joining(&instructions.join, &instructions.command);
    let Some((program, arguments)) = words.split_first() else {
        return Err("the command is empty".to_owned());
    };
    let input =
        match &instructions.input {
            Some(file) => Stdio::from(fs::File::open(file).map_err(|error| {
                format!("failed to open {} as its input: {error}", file.display())
            })?),
            None => Stdio::null(),
        };
    let mut command = Command::new(program);
    let env = instructions.env.iter().map(|(name, value)| (name, value));
    command
        .args(arguments)
        .envs(env)
        .stdin(input)
        .process_group(0);
    if let Some(folder) = &instructions.folder {
        command.current_dir(folder);
    }
    // The handle is dropped on purpose: every child is waited for in `reap`.
    command
        .spawn()
        .map(|child| child.id())
        .map_err(|error| format!("failed to start {program:?}: {error}"))
}

/// Signals by which a target may be asked to end.
const ASKING: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// A shell's `&` and `nohup` leave signals ignored, and an ignored signal stays so in every program that
/// is started from there: a target could not be asked to end by it. A signal that is handled is the
/// default again in what is started, and for the guard itself handled by doing nothing is as ignored.
fn hear_ignored_signals() -> io::Result<()> {
    let status = fs::read_to_string("/proc/self/status")?;
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    for signal in ASKING {
        if ignored.unwrap_or_default() & (1 << (signal - 1)) != 0 {
            signal_hook::flag::register(signal, Arc::default())?;
        }
    }
    Ok(())
}

/// The outputs belong to the tree: their readers see the end when its last process has gone.
fn let_go_of_outputs() -> io::Result<()> {
    let nowhere = fs::OpenOptions::new().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    rustix::stdio::dup2_stderr(&nowhere)?;
    Ok(())
}

/// Waits for children, adopted ones too, until there is none left.
fn reap(events: &SyncSender<Event>) {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) => {
                if let Some(exit) = exit_of(status)
                    && events.send(Event::Ended(pid, exit)).is_err()
                {
                    return;
                }
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            // No child, hence no descendant: whatever is below always has a way up to us.
            Err(_) => {
                let _ = events.send(Event::Empty);
                return;
            }
        }
    }
}

fn exit_of(status: WaitStatus) -> Option<Exit> {
    status
        .exit_status()
        .map(Exit::Code)
        .or_else(|| status.terminating_signal().map(Exit::Signal))
}

fn listen(lines: BufReader<UnixStream>, events: &SyncSender<Event>) {
    for line in lines.lines() {
        let Ok(line) = line else { break };
        if let Ok(request) = serde_json::from_str(&line)
            && events.send(Event::Asked(request)).is_err()
        {
            return;
        }
    }
    let _ = events.send(Event::ManagerGone);
}

/// A report that cannot be delivered means that the manager is gone, which `listen` notices as well.
fn report(channel: &mut UnixStream, report: &Report) {
    if let Ok(mut line) = serde_json::to_string(report) {
        line.push('\n');
        let _ = channel.write_all(line.as_bytes());
    }
}

fn clear_away(instructions: &Instructions) {
    for group in &instructions.groups {
        cgroup::remove_folder(group);
    }
    for folder in &instructions.folders {
        let _ = fs::remove_dir_all(folder);
    }
}
