//! Whether the node that the proxy plays is alive.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

/// The node's present state.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct State {
    /// How often it died.
    deaths: u64,
    down: Down,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Down {
    #[default]
    No,
    Until(Instant),
    ForGood,
}

impl State {
    /// It dies, for so long; without a time, for good.
    pub(super) fn die(&mut self, time: Option<Duration>) {
        self.deaths = self.deaths.saturating_add(1);
        // A time that is too long to be added is for good, too.
        self.down = time.and_then(|time| Instant::now().checked_add(time)).map_or(Down::ForGood, Down::Until);
    }

    pub(super) fn come_back(&mut self) {
        self.down = Down::No;
    }
}

/// What ends when the node dies, or the proxy.
#[derive(Clone)]
pub(super) struct Life {
    state: watch::Receiver<State>,
    deaths: u64,
    cancel: CancellationToken,
}

impl Life {
    pub(super) fn new(state: watch::Receiver<State>, cancel: CancellationToken) -> Self {
        let deaths = state.borrow().deaths;
        Self { state, deaths, cancel }
    }

    /// Waits for the end.
    pub(super) async fn ends(&mut self) {
        let deaths = self.deaths;
        tokio::select! {
            _ = self.state.wait_for(|state| state.deaths != deaths) => {}
            () = self.cancel.cancelled() => {}
        }
    }
}

/// Waits until the node is alive, and brings it back when its time has come.
pub(super) async fn until_back(state: &watch::Sender<State>) {
    let mut changes = state.subscribe();
    loop {
        let seen = *changes.borrow_and_update();
        match seen.down {
            Down::No => return,
            Down::Until(time) => {
                tokio::select! {
                    () = tokio::time::sleep_until(time) => {
                        state.send_if_modified(|state| {
                            let same = *state == seen;
                            if same {
                                state.come_back();
                            }
                            same
                        });
                    }
                    _ = changes.changed() => {}
                }
            }
            Down::ForGood => {
                // The sender is borrowed, so it is there.
                let _ = changes.changed().await;
            }
        }
    }
}
