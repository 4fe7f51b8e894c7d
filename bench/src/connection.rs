//! One kept-alive HTTP/1.1 connection: cheap, so that the generator leaves the machine to the server.
//!
//! Answers must carry `Content-Length`; that is all that the measured servers send.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection and the bytes of the last answer.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A whole answer.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

/// Where an answer's parts are in the buffer.
struct Head {
    status: u16,
    body: usize,
    length: usize,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nothing listens there.
    pub(crate) async fn open(address: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            buffer: Vec::with_capacity(64 * 1024),
        })
    }

    /// Sends the bytes of one request and reads its whole answer.
    ///
    /// # Errors
    /// When the connection breaks or the answer is not HTTP with a length.
    pub(crate) async fn call(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut head = None;
        loop {
            if head.is_none() {
                head = read_head(&self.buffer)?;
            }
            if let Some(Head { status, body, length }) = head
                && self.buffer.len() >= body + length
            {
                let body = &self.buffer[body..body + length];
                return Ok(Answer { status, body });
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection in the middle of an answer");
            }
        }
    }
}

fn read_head(bytes: &[u8]) -> Result<Option<Head>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..end]).context("a head that is not text")?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|rest| rest.get(..3))
        .context("an answer that is not HTTP/1.1")?
        .parse()?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value.trim().parse());
    let length = match length {
        Some(length) => length?,
        None if status == 204 => 0,
        None => bail!("an answer without Content-Length"),
    };
    Ok(Some(Head {
        status,
        body: end + 4,
        length,
    }))
}

/// The bytes of a request with a token and an optional JSON body.
pub(crate) fn request(method: &str, path: &str, host: &str, token: &str, body: Option<&str>) -> Vec<u8> {
    let body = body.unwrap_or_default();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The `data` of an answer of the REST dialect.
///
/// # Errors
/// When the status is no success: the message holds what the server said.
pub(crate) fn data(asked: &str, answer: &Answer<'_>) -> Result<Value> {
    let said = String::from_utf8_lossy(answer.body);
    ensure!(
        (200..300).contains(&answer.status),
        "{asked}: {} {}",
        answer.status,
        said.chars().take(600).collect::<String>()
    );
    if said.is_empty() {
        return Ok(Value::Null);
    }
    let mut whole: Value = serde_json::from_str(&said).with_context(|| format!("{asked}: not JSON"))?;
    Ok(whole.get_mut("data").map(Value::take).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        assert!(read_head(b"HTTP/1.1 200 OK\r\ncontent-le").unwrap().is_none());
        let head = read_head(b"HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\n{\"a\":1}")
            .unwrap()
            .unwrap();
        assert_eq!((head.status, head.body, head.length), (404, 45, 7));
        assert!(read_head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert_eq!(
            read_head(b"HTTP/1.1 204 No Content\r\n\r\n")
                .unwrap()
                .unwrap()
                .length,
            0
        );
    }
}
