//! A server that does what gateways and networks do to a request, and counts what it got.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is done with one request.
#[derive(Clone)]
pub(crate) enum Then {
    /// Answer with status, further header lines and body.
    Answer(u16, &'static str, String),
    /// Read it and never answer.
    Hang,
    /// Read it and close the connection.
    Close,
    /// Answer half of what was announced, then close.
    BreakOff,
}

/// One request as it arrived.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) line: String,
    pub(crate) headers: String,
    pub(crate) body: String,
}

/// A server on this machine that follows a script, one line per request; after its end everything hangs.
pub(crate) struct Server {
    pub(crate) base: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    pub(crate) async fn start(script: Vec<Then>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let (log, mut script) = (Arc::clone(&received), script.into_iter());
        tokio::spawn(async move {
            let mut hanging = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(request) = read(&mut stream).await else { continue };
                log.lock().unwrap().push(request);
                match script.next().unwrap_or(Then::Hang) {
                    Then::Answer(status, headers, body) => {
                        let head = format!(
                            "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
                            body.len()
                        );
                        stream.write_all(head.as_bytes()).await.unwrap();
                        stream.write_all(body.as_bytes()).await.unwrap();
                    }
                    Then::BreakOff => {
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":\"").await.unwrap();
                    }
                    Then::Hang => hanging.push(stream),
                    Then::Close => {}
                }
            }
        });
        Self { base, received }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8(bytes.clone()).ok()?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            let (line, headers) = head.split_once("\r\n")?;
            return Some(Received { line: line.to_owned(), headers: headers.to_owned(), body: body.to_owned() });
        }
    }
}
