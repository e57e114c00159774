//! `escrow listen`

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use clap::Args;
use escrow_client::{
    view,
    work::{file::replace, watch::Position},
};
use tokio::{task::spawn_blocking, time::sleep};

use super::watch::Line;
use crate::{
    context::Context,
    error::{CliError, Result},
    follow::{FollowArgs, Tell, follow},
};

/// The first and the longest pause before a command that failed is run again.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Arguments of `listen`.
#[derive(Debug, Args)]
pub struct ListenArgs {
    #[command(flatten)]
    following: FollowArgs,

    /// File that keeps what was told already; a new one begins with what happens from now on
    #[arg(long, value_name = "FILE")]
    from: PathBuf,

    /// Command for the shell, run for each event, which it gets as JSON on standard input; run again until it succeeds
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
}

/// Tells events, and keeps in a file what was told.
struct Kept<'a> {
    context: &'a Context,
    file: PathBuf,
    exec: Option<String>,
}

impl Tell for Kept<'_> {
    async fn tell(&mut self, event: &view::Event) -> Result<bool> {
        let Some(exec) = &self.exec else { return self.context.print_one(&Line(event)) };
        let (json, (mut pause, longest)) = (serde_json::to_string(event)?, PAUSES);
        loop {
            let (exec, json) = (exec.clone(), json.clone());
            let ran = spawn_blocking(move || execute(&exec, &json)).await.map_err(io::Error::other);
            match ran.and_then(|ran| ran) {
                Ok(()) => return Ok(true),
                Err(error) => self.context.note(format_args!("--exec with event {}: {error}: trying again", event.id)),
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(longest);
        }
    }

    fn keep(&mut self, position: &Position) -> Result<()> {
        replace(&self.file, &position.to_string()).map_err(|source| CliError::Write { path: self.file.clone(), source })
    }
}

/// Runs a command with a line on its standard input.
fn execute(command: &str, line: &str) -> io::Result<()> {
    let mut child = Command::new("sh").args(["-c", command]).stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not want to read it may have ended: its exit code says how it went.
        let _ = writeln!(stdin, "{line}");
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("the command failed with {status}"))) }
}

/// What the file keeps; none where there is no file yet.
fn read(path: &Path) -> Result<Option<Position>> {
    match fs::read_to_string(path) {
        Ok(text) => match text.parse() {
            Ok(position) => Ok(Some(position)),
            Err(error) => Err(CliError::Usage(format!("{}: {error}", path.display()))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(escrow_frame::Error::File { path: path.to_owned(), source }.into()),
    }
}

pub async fn run(context: &Context, args: ListenArgs) -> Result<()> {
    let ListenArgs { following, from: file, exec } = args;
    let mut kept = Kept { context, file, exec };
    let position = match read(&kept.file)? {
        Some(position) if position.subject != following.subject(context)? => {
            let path = kept.file.display();
            return Err(CliError::Usage(format!(
                "{path} keeps what was told of other escrows than you name: name those again, or a new file with --from"
            )));
        }
        Some(mut position) => {
            following.complete(context, &mut position).await?;
            position
        }
        None => following.position_now(context).await?,
    };
    // Before anything is told: a file that cannot be written is known now, and a kill before the first event loses nothing.
    kept.keep(&position)?;
    follow(context, position, &mut kept).await
}
