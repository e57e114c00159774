//! What the keeper tells those who watch over it: whether it is well, and its figures, over HTTP on this machine alone.

use std::{
    fmt::Write,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use escrow_client::{
    EscrowClient,
    work::keep::{Cost, Counters},
};
use tokio::net::TcpListener;

/// What is known after a pass.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// What was done since the keeper began.
    pub counters: Counters,
    /// Of how many escrows it remembers something.
    pub remembered: usize,
    /// What was spent today.
    pub spent: Cost,
    /// What may be.
    pub budget: Cost,
    /// Why the last pass failed, if it did.
    pub trouble: Option<String>,
}

/// Told by the keeper, asked over HTTP.
pub struct Monitor {
    client: EscrowClient,
    /// How long it may be silent.
    patience: Duration,
    told: Mutex<(Instant, Figures)>,
}

impl Monitor {
    /// It is well until so long after the last pass that succeeded.
    pub fn new(client: EscrowClient, patience: Duration, budget: Cost) -> Arc<Self> {
        let figures = Figures { budget, ..Figures::default() };
        Arc::new(Self { client, patience, told: Mutex::new((Instant::now(), figures)) })
    }

    /// A pass is over.
    pub fn tell(&self, figures: Figures) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, _) = *told;
        let last = if figures.trouble.is_none() { Instant::now() } else { last };
        *told = (last, figures);
    }

    fn told(&self) -> (Duration, Figures) {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        (told.0.elapsed(), told.1.clone())
    }

    /// Answers at this address for as long as the process runs. Returns where that is, if any port would do.
    pub async fn listen(self: Arc<Self>, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let routes = Router::new().route("/healthz", get(health)).route("/metrics", get(metrics)).with_state(self);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(address)
    }
}

async fn health(State(monitor): State<Arc<Monitor>>) -> impl IntoResponse {
    let (silent, Figures { trouble, .. }) = monitor.told();
    if silent <= monitor.patience {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    let trouble = trouble.unwrap_or_else(|| "a pass has not ended".to_owned());
    (StatusCode::SERVICE_UNAVAILABLE, format!("nothing has succeeded for {} s: {trouble}\n", silent.as_secs()))
}

async fn metrics(State(monitor): State<Arc<Monitor>>) -> impl IntoResponse {
    let (silent, figures) = monitor.told();
    let requests = monitor.client.counts().requests;
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text(&figures, silent, &requests))
}

/// The figures as Prometheus reads them.
fn text(figures: &Figures, silent: Duration, requests: &[(String, usize)]) -> String {
    let Figures { counters, remembered, spent, budget, .. } = figures;
    let Counters {
        passes,
        read,
        expired,
        withdrawn,
        closed,
        cancelled,
        landed,
        failed,
        never,
        unknown,
        token_accounts,
        fees,
        refused,
    } = *counters;
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
        // A string takes whatever is written to it.
        let _ = writeln!(text, "# HELP escrow_keeper_{name} {help}\n# TYPE escrow_keeper_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "escrow_keeper_{name}{labels} {value}");
        }
    };
    let one = |value: u64| [(String::new(), value)];
    let by = |label: &str, of: &str, value: u64| (format!("{{{label}=\"{of}\"}}"), value);
    let count = |some: usize| u64::try_from(some).unwrap_or(u64::MAX);
    family("passes_total", "counter", "Passes.", &one(passes));
    family("escrows_read_total", "counter", "Escrows read because something was due.", &one(read));
    let actions = [
        by("kind", "expire", expired),
        by("kind", "withdraw", withdrawn),
        by("kind", "close", closed),
        by("kind", "cancel", cancelled),
    ];
    family("actions_total", "counter", "Actions that were executed.", &actions);
    let outcomes = [
        by("outcome", "landed", landed),
        by("outcome", "failed", failed),
        by("outcome", "never", never),
        by("outcome", "unknown", unknown),
    ];
    family("transactions_total", "counter", "Transactions, by what became of them.", &outcomes);
    family("fees_lamports_total", "counter", "Lamports paid as fees.", &one(fees));
    family("token_accounts_total", "counter", "Token accounts made for others.", &one(token_accounts));
    family("over_budget_total", "counter", "Transactions that the budget did not allow.", &one(refused));
    family("spent_lamports", "gauge", "Lamports spent or set aside today.", &one(spent.lamports));
    family("budget_lamports", "gauge", "Lamports that may be spent in a day.", &one(budget.lamports));
    family("remembered", "gauge", "Escrows of which something is remembered.", &one(count(*remembered)));
    family("silent_seconds", "gauge", "Seconds since a pass has succeeded.", &one(silent.as_secs()));
    // Nodes' names are addresses without what might be a secret.
    let requests: Vec<_> = requests.iter().map(|(node, sent)| by("node", &escaped(node), count(*sent))).collect();
    family("requests_total", "counter", "Requests that a node was sent.", &requests);
    text
}

/// As a label's value may stand between quotation marks.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write as _},
        net::TcpStream,
    };

    use solana_commitment_config::CommitmentConfig;

    use super::*;

    /// What a keeper that may be silent for so long answers, after it was told this.
    fn health(patience: Duration, trouble: Option<&str>) -> String {
        let client = EscrowClient::new("http://127.0.0.1:1", CommitmentConfig::confirmed());
        let monitor = Monitor::new(client, patience, Cost::default());
        monitor.tell(Figures { trouble: trouble.map(str::to_owned), ..Figures::default() });
        std::thread::sleep(Duration::from_millis(5));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let address = runtime.block_on(monitor.listen(SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /healthz HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn it_is_well_until_nothing_has_succeeded_for_too_long() {
        let hour = Duration::from_secs(3_600);
        assert!(health(hour, None).starts_with("HTTP/1.1 200"));
        assert!(health(hour, Some("no node answers")).starts_with("HTTP/1.1 200"), "it may yet succeed");
        let ill = health(Duration::from_millis(1), Some("no node answers"));
        assert!(ill.starts_with("HTTP/1.1 503") && ill.contains("no node answers"), "{ill}");
        let stuck = health(Duration::from_millis(1), None);
        assert!(stuck.starts_with("HTTP/1.1 503") && stuck.contains("a pass has not ended"), "{stuck}");
    }
}
