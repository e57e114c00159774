//! Ports that stay ours while nobody listens on them.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
};

use tokio::net::{TcpListener, TcpSocket};

use crate::{Error, Result};

/// Pairs of neighbouring ports that are tried.
const ATTEMPTS: u32 = 64;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A port.
pub(super) struct Port {
    pub(super) address: SocketAddr,
    /// Bound and never listening: where a node is down its connections are refused, and the port is nobody else's.
    /// Only Linux tells such a socket from one that listens.
    _guard: Option<TcpSocket>,
}

impl Port {
    /// Takes a port; 0 is any free one.
    fn take(address: SocketAddr) -> io::Result<Self> {
        if address.port() != 0 {
            // Sockets that share their port would not notice others that do, such as a validator.
            drop(StdListener::bind(address)?);
        }
        // Without SO_REUSEADDR, which would let others bind a port on which nobody listens.
        let guard = shared(address, false)?;
        let address = guard.local_addr()?;
        Ok(Self { address, _guard: cfg!(target_os = "linux").then_some(guard) })
    }

    pub(super) fn listen(&self) -> io::Result<TcpListener> {
        shared(self.address, true)?.listen(BACKLOG)
    }
}

fn shared(address: SocketAddr, reuse: bool) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(reuse)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

type Open = (Port, TcpListener);

/// Listens on this port and the next one. Neighbours, because Solana's tools derive the WebSocket's port from the other.
pub(super) fn pair(address: SocketAddr) -> Result<(Open, Open)> {
    let mut attempts = ATTEMPTS;
    loop {
        match try_pair(address) {
            Err(Error::Bind { .. }) if address.port() == 0 && attempts > 0 => attempts = attempts.saturating_sub(1),
            result => return result,
        }
    }
}

fn try_pair(address: SocketAddr) -> Result<(Open, Open)> {
    let open = |address: SocketAddr| {
        let opened = Port::take(address).and_then(|port| Ok((port.listen()?, port)));
        opened.map(|(listener, port)| (port, listener)).map_err(|source| Error::Bind { address, source })
    };
    let first = open(address)?;
    let next = first.0.address.port().checked_add(1);
    let next =
        next.ok_or_else(|| Error::Bind { address: first.0.address, source: io::ErrorKind::AddrNotAvailable.into() })?;
    Ok((first, open(SocketAddr::new(address.ip(), next))?))
}
