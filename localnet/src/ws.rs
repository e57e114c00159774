//! The WebSocket listener: JSON-RPC messages of text in, answers and notifications out.
//!
//! Not `jsonrpc-ws-server`, which surfpool uses: its thread panics, with a message on standard error, if it is stopped
//! while somebody is connecting.

use std::{net, sync::Arc, time::Duration};

use jsonrpc_pubsub::{PubSubHandler, Session};
use surfpool_core::{
    jsonrpc_core::futures::{SinkExt, StreamExt, channel::mpsc},
    rpc::{SurfpoolWebsocketMeta, SurfpoolWebsocketMiddleware},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{accept_async, tungstenite::Message};

/// The subscription methods.
pub(crate) type Methods = PubSubHandler<Option<SurfpoolWebsocketMeta>, SurfpoolWebsocketMiddleware>;

/// What a method is told about the connection that it is called on.
type Context = dyn Fn(Arc<Session>) -> SurfpoolWebsocketMeta + Send + Sync;

/// After the listener could not accept a connection (too many open files, for example): so much patience before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers everyone who connects to `listener`, on the current runtime, until that ends.
///
/// # Errors
///
/// If the listener cannot be registered with the runtime.
pub(crate) fn serve(
    listener: net::TcpListener,
    methods: Methods,
    context: impl Fn(Arc<Session>) -> SurfpoolWebsocketMeta + Send + Sync + 'static,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let methods = Arc::new(methods);
    let context: Arc<Context> = Arc::new(context);
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(converse(stream, Arc::clone(&methods), Arc::clone(&context)));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    });
    Ok(())
}

/// One connection, until either side ends it.
async fn converse(stream: TcpStream, methods: Arc<Methods>, context: Arc<Context>) {
    let Ok(socket) = accept_async(stream).await else {
        return;
    };
    let (mut to_client, mut from_client) = socket.split();
    let (notify, mut notifications) = mpsc::unbounded::<String>();
    // Subscriptions end when the session is dropped, so with this function.
    let session = Arc::new(Session::new(notify));
    loop {
        let reply = tokio::select! {
            message = from_client.next() => match message {
                // The answer to a subscription goes out before its first notification, since those wait meanwhile.
                Some(Ok(Message::Text(request))) => {
                    let meta = context(Arc::clone(&session));
                    methods.handle_request(&request, Some(meta)).await
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                // Pings are answered by the library.
                Some(Ok(_)) => None,
            },
            notification = notifications.next() => notification,
        };
        if let Some(text) = reply
            && to_client.send(Message::text(text)).await.is_err()
        {
            return;
        }
    }
}
