//! A run through the library: a client in a thread and a runtime of its own, which dies with all that it has begun.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use escrow_client::{
    Error, EscrowClient, Executed, Order,
    send::Progress,
    sender::{Intention, Journal, Pace},
};
use solana_commitment_config::CommitmentConfig;
use solana_signer::Signer;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{
    deed::{Deed, Scene},
    judge::Told,
    schedule::{Kill, Step},
    world::BLOCK,
};

/// No run takes longer: a client that hangs is a client that fails.
pub const BOUND: Duration = Duration::from_secs(120);

/// Waiting times for blocks of 10 ms.
pub const PACE: Pace = Pace::of_blocks(BLOCK);

/// A run.
pub struct Run {
    pub urls: Vec<String>,
    pub folder: PathBuf,
    pub finalized: bool,
    /// Does not wait for what becomes of it.
    pub begins: bool,
    pub kill: Option<Kill>,
    /// Kills it from outside.
    pub killed: CancellationToken,
    /// How long whoever asks a gateway waits for a verdict.
    pub patience: Duration,
}

/// What a run told, and every text that it showed.
pub type Heard = (Told, String);

impl Run {
    /// Through the library.
    pub async fn of(self, scene: Arc<Scene>) -> Heard {
        self.dying(async move |run: &Self| run.act(&scene).await).await
    }

    /// Does it in a thread and a runtime of its own, which die with all that they have begun when the schedule says so.
    pub async fn dying(self, act: impl AsyncFnOnce(&Self) -> Heard + Send + 'static) -> Heard {
        let (tell, heard) = oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let after = match self.kill {
                Some(Kill::After(ms)) => Duration::from_millis(ms),
                _ => BOUND,
            };
            let killed = self.killed.clone();
            let run = async {
                tokio::select! {
                    biased;
                    () = killed.cancelled() => (Told::Killed, String::new()),
                    acted = tokio::time::timeout(after, act(&self)) => match acted {
                        Ok(told) => told,
                        Err(_) if after < BOUND => (Told::Killed, String::new()),
                        Err(_) => (Told::Hung, String::new()),
                    },
                }
            };
            let told = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run)));
            // Nothing of it goes on.
            runtime.shutdown_background();
            let told = told.unwrap_or_else(|panic| match panic.downcast::<Death>() {
                Ok(_) => (Told::Killed, String::new()),
                Err(panic) => resume_unwind(panic),
            });
            let _ = tell.send(told);
        });
        heard.await.expect("the client does not panic")
    }

    fn client(&self) -> Result<EscrowClient, String> {
        let commitment = if self.finalized { CommitmentConfig::finalized() } else { CommitmentConfig::confirmed() };
        let journal = Journal::open(&self.folder).map_err(|error| error.to_string())?;
        let dies_at = match self.kill {
            Some(Kill::At(step)) => Some(step),
            _ => None,
        };
        let telling = move |progress: &Progress| {
            let step = match progress {
                Progress::Signing { .. } => Step::Signing,
                Progress::Sending(_) => Step::Signed,
                Progress::Seen(_) => Step::Seen,
                Progress::Judged(_) => Step::Judged,
                _ => return,
            };
            if dies_at == Some(step) {
                // In the midst of it, without a word.
                resume_unwind(Box::new(Death));
            }
        };
        Ok(EscrowClient::of_nodes(&self.urls, commitment).at_pace(PACE).keeping(journal).telling(telling))
    }

    async fn act(&self, scene: &Scene) -> Heard {
        let client = match self.client() {
            Ok(client) => client,
            Err(error) => return (Told::NotSent(error.clone()), error),
        };
        let done = self.execute(&client, scene).await;
        let text = format!("{done:?} {}", done.as_ref().err().map(ToString::to_string).unwrap_or_default());
        let told = match done {
            Ok(executed) => Told::Done(executed.transactions.iter().map(|done| done.signature).collect()),
            Err(Error::Repetition { signature, .. }) => Told::Repeated(signature),
            Err(Error::Failed { signature, .. }) => Told::Failed(signature),
            Err(Error::Expired { signature, .. }) => Told::Expired(signature),
            Err(Error::Unknown { .. }) => Told::Unknown,
            Err(Error::Busy { .. }) => Told::Busy,
            Err(error) => Told::NotSent(error.to_string()),
        };
        (told, text)
    }
}

impl Run {
    /// As a back end does it that knows nothing but its own name for what it means.
    async fn execute(&self, client: &EscrowClient, scene: &Scene) -> escrow_client::Result<Executed> {
        if scene.deed == Deed::Submit {
            return submit(client, scene).await;
        }
        let named = client.fingerprint(&scene.actor().pubkey(), &[b"faults"]).await?;
        let begun = client.kept(named).await?.filter(Intention::is_unresolved);
        if let Some(begun) = &begun {
            match client.resume(begun).await {
                Err(Error::Expired { .. } | Error::ToBeSigned { .. }) => {}
                resumed => return resumed,
            }
        }
        let order = Order::new(named, scene.steps(client, begun.as_ref()).await?);
        match self.begins {
            true => client.begin(&order, &[scene.actor()]).await,
            false => client.execute(&order, &[scene.actor()]).await,
        }
    }
}

/// As a back end does it that keeps its own transactions.
async fn submit(client: &EscrowClient, scene: &Scene) -> escrow_client::Result<Executed> {
    let signed = {
        let mut kept = scene.signed.lock().await;
        match kept.clone() {
            Some(signed) => signed,
            None => {
                let unsigned = client.prepare(&[scene.payment()], &scene.buyer.pubkey()).await?;
                let signed = unsigned.sign(&[&scene.buyer])?.complete()?;
                kept.insert(signed).clone()
            }
        }
    };
    let ended = match client.submit(signed).await {
        Ok(submitted) => client.confirm(&submitted).await,
        Err(error) => Err(error),
    };
    if let Err(Error::Expired { .. } | Error::Failed { .. }) = &ended {
        // It is signed anew if it is still meant.
        *scene.signed.lock().await = None;
    }
    Ok(Executed { transactions: vec![ended?] })
}

/// What is thrown where a process dies.
struct Death;

/// Whether a text, or a file of the journal, has something that nobody may see.
pub fn leaks(text: &str, folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut contents = files.filter_map(|file| std::fs::read(file.path()).ok());
    text.contains(SECRET) || contents.any(|content| String::from_utf8_lossy(&content).contains(SECRET))
}

/// What all secrets begin with.
pub const SECRET: &str = "hidden-";
