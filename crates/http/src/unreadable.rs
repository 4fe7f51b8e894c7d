//! Requests whose head cannot be read: too long, or no HTTP. The HTTP library answers them itself, with a bare status;
//! what is sent in its place has the shape of every refusal.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::to_bytes;
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, HeaderName};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use loggia_mcp::Outgoing;
use loggia_model::Problem;
use loggia_model::error::{CONTENT_TOO_LARGE, INVALID_PAYLOAD};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::answer::Refusal;
use crate::{entrance, mcp};

/// The largest head of a request, in bytes.
pub(crate) const MAX_HEAD: usize = 64 * 1024;
/// The most headers of a request.
pub(crate) const MAX_HEADERS: usize = 100;

/// What of a request is kept to tell its method and address.
const START: usize = 32;
/// What is still read of a request that is refused, at most: closing on unread bytes would take the answer back.
const UNREAD: usize = 1024 * 1024;

/// A connection whose bare refusals become whole ones.
pub(crate) struct Screen<S> {
    stream: S,
    /// How the request that is being read begins.
    start: Vec<u8>,
    /// What is written in place of a bare refusal, and how much of it is.
    refusal: Option<(Vec<u8>, usize)>,
}

impl<S> Screen<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            start: Vec::with_capacity(START),
            refusal: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Screen<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        let room = START - self.start.len();
        let fresh = &buf.filled()[before..];
        self.start.extend(fresh.iter().take(room));
        Poll::Ready(read)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Screen<S> {
    /// Writes the refusal that stands for `theirs` bytes.
    fn poll_refuse(&mut self, cx: &mut Context<'_>, theirs: usize) -> Poll<io::Result<usize>> {
        while let Some((text, written)) = &mut self.refusal {
            if *written == text.len() {
                self.refusal = None;
                break;
            }
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &text[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written += more,
            }
        }
        self.drain(cx);
        Poll::Ready(Ok(theirs))
    }

    fn drain(&mut self, cx: &mut Context<'_>) {
        let mut scratch = [0; 4096];
        for _ in 0..UNREAD / scratch.len() {
            let mut buf = ReadBuf::new(&mut scratch);
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut buf);
            if !matches!(read, Poll::Ready(Ok(()))) || buf.filled().is_empty() {
                return;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Screen<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.refusal.is_none() {
            self.refusal = bare(buf).map(|status| (refusal(status, &self.start), 0));
            self.start.clear();
        }
        if self.refusal.is_some() {
            return self.poll_refuse(cx, buf.len());
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A bare refusal is a head alone.
        let first = bufs.iter().find(|buf| !buf.is_empty());
        match first {
            Some(first) if self.refusal.is_some() || bare(first).is_some() => self.poll_write(cx, first),
            _ => {
                self.start.clear();
                Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The status of an answer that is not ours: ours carry the id of their request.
fn bare(head: &[u8]) -> Option<StatusCode> {
    let status = head
        .strip_prefix(b"HTTP/1.1 ")
        .or(head.strip_prefix(b"HTTP/1.0 "))?
        .get(..3)?;
    let ours = |head: &[u8]| head.windows(15).any(|bytes| bytes == b"\r\nx-request-id:");
    let status = match StatusCode::from_bytes(status).ok()? {
        // Which of the two it is depends on how the bytes arrive.
        StatusCode::URI_TOO_LONG => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        status => status,
    };
    (status.is_client_error() && !ours(head)).then_some(status)
}

/// The whole answer to a request that begins so.
fn refusal(status: StatusCode, start: &[u8]) -> Vec<u8> {
    let mut words = start.split(|byte| *byte == b' ');
    let (method, address) = (words.next(), words.next().unwrap_or_default());
    let problem = match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            let message = format!(
                "The head of the request is too long: its address and headers have at most {MAX_HEAD} bytes, and there \
                 are at most {MAX_HEADERS} headers."
            );
            Problem::new(&CONTENT_TOO_LARGE, message)
                .hint("Send a long query as JSON in the body of a SEARCH request.")
        }
        _ => Problem::new(&INVALID_PAYLOAD, "The request is not one of HTTP/1.1 (RFC 9112)."),
    };
    let of_mcp = address
        .strip_prefix(b"/mcp")
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'?' | b'/')));
    let answer = if of_mcp {
        let refusal = loggia_mcp::Refusal::transport(status.as_u16(), problem.to_string());
        mcp::written(Outgoing::from(refusal))
    } else {
        Refusal::from(problem).status(status).into_response()
    };
    rendered(answer, method != Some(b"HEAD"))
}

/// An answer as it is sent, before the connection is closed.
fn rendered(answer: Response, with_body: bool) -> Vec<u8> {
    let (mut parts, body) = answer.into_parts();
    // What is in memory already needs no waiting for.
    let body = to_bytes(body, usize::MAX)
        .now_or_never()
        .and_then(Result::ok)
        .unwrap_or_default();
    entrance::secure(&mut parts.headers);
    let mut text = format!("HTTP/1.1 {}\r\n", parts.status);
    let mut say = |name: &HeaderName, value: &str| text += &format!("{name}: {value}\r\n");
    for (name, value) in &parts.headers {
        say(name, value.to_str().unwrap_or_default());
    }
    say(&CONTENT_LENGTH, &body.len().to_string());
    say(&CONNECTION, "close");
    let mut text = (text + "\r\n").into_bytes();
    if with_body {
        text.extend(body);
    }
    text
}
