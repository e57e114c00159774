//! One connection of a client.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    Shared,
    asked::Asked,
    body::Payload,
    exchange::exchange,
    life::Life,
    reply::{Raw, Reply},
};

/// A node of a cluster takes 50 KB.
const MAX_REQUEST: usize = 1024 * 1024;

/// How long a client may take to read the end of an answer that is followed by the end of the connection.
const MAX_WRITE: Duration = Duration::from_secs(60);

/// The connection is to be taken out of HTTP's hands.
#[derive(Debug)]
struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is needed for something that is not HTTP")
    }
}

impl std::error::Error for Interrupted {}

/// Answers what comes on this connection, until its end.
pub(super) async fn serve(shared: Arc<Shared>, mut life: Life, stream: TcpStream, number: u64) {
    // Answers are written at once: what waits is the plan's.
    let _ = stream.set_nodelay(true);
    let raw: Mutex<Option<Raw>> = Mutex::new(None);
    let service = service_fn(|request| answer(&shared, request, number, &raw));
    let mut connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    let served = tokio::select! {
        served = &mut connection => Some(served),
        () = life.ends() => None,
    };
    let end = match served {
        Some(Ok(())) => return,
        // Whatever else went wrong, the connection is of no use any more.
        Some(Err(_)) => raw.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default(),
        None => Raw { reset: true, ..Raw::default() },
    };
    let mut stream = connection.into_parts().io.into_inner();
    let until_then = async {
        let written = tokio::time::timeout(MAX_WRITE, stream.write_all(&end.bytes)).await;
        if matches!(written, Ok(Ok(()))) && !end.open.is_zero() {
            let _ = tokio::time::timeout(end.open, until_client_leaves(&mut stream)).await;
        }
        if !end.reset {
            let _ = tokio::time::timeout(MAX_WRITE, close(&mut stream)).await;
        }
    };
    let died = tokio::select! {
        () = until_then => false,
        () = life.ends() => true,
    };
    if end.reset || died {
        let _ = stream.set_zero_linger();
    }
}

/// Reads what still comes, and throws it away.
async fn until_client_leaves(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
}

/// Closes a connection so that everything written arrives. The client is heard to the end, because what is not read
/// turns the end into a reset.
async fn close(stream: &mut TcpStream) {
    if stream.shutdown().await.is_ok() {
        until_client_leaves(stream).await;
    }
}

async fn answer(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    connection: u64,
    raw: &Mutex<Option<Raw>>,
) -> Result<Response<Payload>, Interrupted> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_REQUEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Ok(too_large()),
        // The client broke off.
        Err(_) => return Err(Interrupted),
    };
    let asked = Asked { method: parts.method, uri: parts.uri, headers: parts.headers, body, connection };
    let own = Arc::clone(shared);
    // What a client has sent whole is done, as by a node, also if the client is gone by then.
    let reply = shared.spawn(async move { exchange(&own, asked).await }).await;
    match reply.ok().flatten() {
        Some(Reply::Http(response)) => Ok(response),
        Some(Reply::Raw(bytes)) => {
            *raw.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
            Err(Interrupted)
        }
        None => Err(Interrupted),
    }
}

fn too_large() -> Response<Payload> {
    let text = format!("a request may have {MAX_REQUEST} bytes");
    let mut response = Response::new(Payload::Whole(Bytes::from(text)));
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response
}
