//! The local server: `dist/`, and the fetched models beside it.
//!
//! Models are read by ranges, so both answer `Range` and `HEAD` requests. Nothing here is special to this server:
//! any host of static files will do for `dist/`.

use crate::tools;
use anyhow::{Context, Result, bail};
use axum::Router;
use axum::http::{HeaderName, HeaderValue, Response};
use axum::middleware::map_response;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use tower_http::services::ServeDir;

/// How many ports are tried in all.
const PORTS_TRIED: u16 = 20;

/// Serves on localhost until the program is interrupted, and prints the address.
///
/// # Errors
/// When `dist/` holds no page, or none of the ports is free.
pub fn run(port: u16, path: &str) -> Result<()> {
    check_built()?;
    let (listener, address) = listen(port)?;
    println!("Secateur is at {}", url(address, path));
    serve(listener, path, Router::new())
}

/// Serves from a thread of its own, as long as the program runs, with more beside the page; the page's address.
///
/// # Errors
/// As [`run`].
pub fn spawn(path: &'static str, beside: Router) -> Result<String> {
    check_built()?;
    let (listener, address) = listen(0)?;
    std::thread::spawn(move || {
        if let Err(error) = serve(listener, path, beside) {
            eprintln!("error: the server ended: {error:#}");
        }
    });
    Ok(url(address, path))
}

fn check_built() -> Result<()> {
    if !tools::root().join("dist/index.html").is_file() {
        bail!("dist/ holds no page: run `cargo xtask build`");
    }
    Ok(())
}

/// The path without slashes at its ends: empty for the root.
fn mount(path: &str) -> &str {
    path.trim_matches('/')
}

fn url(address: SocketAddr, path: &str) -> String {
    let slash = if mount(path).is_empty() { "" } else { "/" };
    format!("http://{address}/{}{slash}", mount(path))
}

/// Listens on the first free port from `port` on; on any free one when it is 0.
fn listen(port: u16) -> Result<(TcpListener, SocketAddr)> {
    for candidate in port..=port.saturating_add(PORTS_TRIED - 1) {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, candidate)) {
            Ok(listener) => {
                let address = listener.local_addr()?;
                return Ok((listener, address));
            }
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                eprintln!("port {candidate} is in use, trying the next");
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot listen on port {candidate}"));
            }
        }
    }
    bail!("no free port from {port} on: choose another with --port")
}

fn serve(listener: TcpListener, path: &str, beside: Router) -> Result<()> {
    let root = tools::root();
    let site = beside
        .nest_service("/models/cache", ServeDir::new(root.join("models/cache")))
        .fallback_service(
            ServeDir::new(root.join("dist"))
                .precompressed_br()
                .precompressed_gzip(),
        )
        .layer(map_response(with_headers));
    let app = match mount(path) {
        "" => site,
        mount => Router::new().nest(&format!("/{mount}/"), site),
    };
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime
        .block_on(async { axum::serve(tokio::net::TcpListener::from_std(listener)?, app).await })?;
    Ok(())
}

/// Has the browser ask whether a file changed, since a rebuilt page must not meet yesterday's engine; and isolates the page from
/// other sites, so that it may use several threads.
async fn with_headers<B>(mut response: Response<B>) -> Response<B> {
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value| {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    };
    set("cache-control", "no-cache");
    set("cross-origin-opener-policy", "same-origin");
    set("cross-origin-embedder-policy", "require-corp");
    response
}
