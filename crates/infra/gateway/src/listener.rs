//! Connections: accepted up to a limit, given a deadline for their head, drained when it is time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bartizan_access::{CertificateFault, PeerCertificate};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::framing::{Ambiguity, Framed};
use crate::gateway::Gateway;
use crate::peer::Peer;
use crate::share::{Shares, network};
use crate::tls::Tls;

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
    pub async fn serve(self, gateway: Arc<Gateway>, tls: Option<Arc<Tls>>, mut stop: watch::Receiver<bool>) {
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
            let (gateway, watcher, limits) = (gateway.clone(), draining.watcher(), self.limits);
            let tls = tls.as_ref().map(|tls| TlsAcceptor::from(tls.config()));
            tokio::spawn(async move {
                let (_permit, _share) = (permit, share);
                let (address, network) = (peer.ip(), gateway.network_word(peer.ip()));
                let from = Peer { address, network, ambiguity: Ambiguity::default(), certificate: None };
                match tls {
                    None => converse(stream, from, gateway, limits, watcher).await,
                    Some(tls) => match tokio::time::timeout(limits.head, tls.accept(stream)).await {
                        Ok(Ok(stream)) => match presented(&stream) {
                            Ok(certificate) => {
                                converse(stream, Peer { certificate, ..from }, gateway, limits, watcher).await;
                            }
                            Err(error) => tracing::debug!(%error, "a client certificate was not understood"),
                        },
                        Ok(Err(error)) => tracing::debug!(%error, "no TLS connection came about"),
                        Err(_elapsed) => tracing::debug!("a TLS handshake took too long"),
                    },
                }
            });
        }
        drop(self.socket);
        let _ = tokio::time::timeout(self.limits.drain, draining.shutdown()).await;
    }
}

/// The certificate that the client proved to have.
fn presented(stream: &TlsStream<TcpStream>) -> Result<Option<Arc<PeerCertificate>>, CertificateFault> {
    let (_, session) = stream.get_ref();
    let first = session.peer_certificates().and_then(<[_]>::first);
    first.map(|certificate| PeerCertificate::parse(certificate).map(Arc::new)).transpose()
}

/// Answers the requests of one connection until it ends.
async fn converse<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    stream: S,
    from: Peer,
    gateway: Arc<Gateway>,
    limits: ListenerLimits,
    watcher: Watcher,
) {
    let stream = Framed::new(stream, from.ambiguity.clone());
    let service = service_fn(move |request| {
        let (gateway, from) = (gateway.clone(), from.clone());
        async move { Ok::<_, std::convert::Infallible>(gateway.handle(request, &from).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(limits.head_bytes);
    if let Err(error) = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await {
        tracing::debug!(%error, "connection ended early");
    }
}
