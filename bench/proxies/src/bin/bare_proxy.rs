//! The least that a reverse proxy over hyper can do, for comparison: no key, no policy, no limit, no
//! validation, no ledger, no metrics. `bare_proxy LISTEN UPSTREAM`, one thread.

use std::convert::Infallible;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(listen), Some(upstream)) = (arguments.next(), arguments.next()) else {
        return Err("usage: bare_proxy LISTEN UPSTREAM".into());
    };
    let mut connector = hyper_util::client::legacy::connect::HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Incoming> = Client::builder(TokioExecutor::new()).build(connector);
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (client, upstream) = (client.clone(), upstream.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let (client, upstream) = (client.clone(), upstream.clone());
            async move {
                let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
                *request.uri_mut() = format!("http://{upstream}{target}").parse::<Uri>().unwrap_or_default();
                Ok::<_, Infallible>(client.request(request).await.unwrap_or_default_answer())
            }
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// An answer even where the upstream gives none.
trait OrDefault {
    fn unwrap_or_default_answer(
        self,
    ) -> hyper::Response<http_body_util::Either<Incoming, http_body_util::Empty<bytes::Bytes>>>;
}

impl<E> OrDefault for Result<hyper::Response<Incoming>, E> {
    fn unwrap_or_default_answer(
        self,
    ) -> hyper::Response<http_body_util::Either<Incoming, http_body_util::Empty<bytes::Bytes>>> {
        match self {
            Ok(answer) => answer.map(http_body_util::Either::Left),
            Err(_) => {
                let mut answer = hyper::Response::new(http_body_util::Either::Right(http_body_util::Empty::new()));
                *answer.status_mut() = hyper::StatusCode::BAD_GATEWAY;
                answer
            }
        }
    }
}
