//! Connections: accepted up to a limit, given a deadline for their head, drained when it is time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, watch};

use crate::framing::{Ambiguity, Framed};
use crate::gateway::Gateway;
use crate::peer::Peer;
use crate::share::{Shares, network};

/// Connections that wait to be accepted, at least.
const LEAST_WAITING: u32 = 1024;

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub struct ListenerLimits {
    /// Connections that are open at the same time.
    pub connections: usize,
    /// Those of one address, or of one IPv6 network of 64 bits.
    pub connections_per_address: usize,
    /// Longest wait for a whole head.
    pub head: Duration,
    /// Largest head in bytes.
    pub head_bytes: usize,
    /// Longest wait for open requests when draining.
    pub drain: Duration,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_address: 1024,
            head: Duration::from_secs(5),
            head_bytes: 16 * 1024,
            drain: Duration::from_secs(10),
        }
    }
}

/// A bound address whose connections go to a gateway.
pub struct Listener {
    socket: TcpListener,
    limits: ListenerLimits,
}

impl Listener {
    /// Binds the address.
    ///
    /// # Errors
    /// The address is in use or not ours.
    pub async fn bind(address: SocketAddr, limits: ListenerLimits) -> std::io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        // As many may wait to be accepted as may be open: with less room, the kernel resets clients of a burst.
        let waiting = u32::try_from(limits.connections).unwrap_or(u32::MAX);
        Ok(Self { socket: socket.listen(waiting.max(LEAST_WAITING))?, limits })
    }

    /// The bound address, with the port that the system chose.
    ///
    /// # Errors
    /// As the system says.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop` turns true, then lets open requests end, up to the drain limit. HTTP/1.1
    /// only: each connection carries one request at a time.
    pub async fn serve(self, gateway: Arc<Gateway>, mut stop: watch::Receiver<bool>) {
        let shares = Arc::new(Shares::default());
        let open = Arc::new(Semaphore::new(self.limits.connections.max(1)));
        let draining = GracefulShutdown::new();
        loop {
            let permit = tokio::select! {
                permit = open.clone().acquire_owned() => permit,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: waiting is the only thing that helps.
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            // Closed without a word: an answer would cost more than the connection.
            let Some(share) = shares.take(network(peer.ip()), self.limits.connections_per_address) else {
                gateway.turned_away();
                continue;
            };
            let _ = stream.set_nodelay(true);
            let gateway = gateway.clone();
            let from = Peer { address: peer.ip(), ambiguity: Ambiguity::default() };
            let stream = Framed::new(stream, from.ambiguity.clone());
            let service = service_fn(move |request| {
                let (gateway, from) = (gateway.clone(), from.clone());
                async move { Ok::<_, std::convert::Infallible>(gateway.handle(request, &from).await) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(self.limits.head).max_buf_size(self.limits.head_bytes);
            let connection = draining.watch(http.serve_connection(TokioIo::new(stream), service));
            tokio::spawn(async move {
                let (_permit, _share) = (permit, share);
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "connection ended early");
                }
            });
        }
        drop(self.socket);
        let _ = tokio::time::timeout(self.limits.drain, draining.shutdown()).await;
    }
}
