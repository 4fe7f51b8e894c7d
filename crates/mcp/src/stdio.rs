//! MCP over a stream of lines: one JSON text a line, as the stdio transport of every revision has it.

use std::collections::HashMap;
use std::io;

use futures_util::StreamExt as _;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};

use crate::endpoint::{Endpoint, Incoming, Outgoing, Session, Transport, Visitor};
use crate::message::Message;
use crate::params::Params;
use crate::refusal::{Id, Refusal};

/// So many requests of one stream are worked on at once; further lines wait.
const AT_ONCE: usize = 64;

/// Serves one client until it closes `input` and every request is answered. `visit` authorises each message
/// afresh; a line of more than `limit` bytes is refused.
///
/// `notifications/cancelled` drops the work of the request that it names, which then is not answered.
///
/// # Errors
/// When the stream breaks.
pub async fn serve<R, W, V, F>(
    endpoint: &Endpoint,
    input: R,
    mut output: W,
    limit: usize,
    visit: V,
) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    V: Fn() -> F,
    F: Future<Output = Result<Visitor, Refusal>>,
{
    let session = Session::default();
    let mut lines = Lines::new(BufReader::new(input), limit);
    let mut open = true;
    let mut in_flight = FuturesUnordered::new();
    let mut handles: HashMap<String, AbortHandle> = HashMap::new();
    while open || !in_flight.is_empty() {
        tokio::select! {
            // Work first: a request begins before the next line is read, so a handshake holds for what follows it.
            biased;
            Some((id, answered)) = in_flight.next(), if !in_flight.is_empty() => {
                if let Some(id) = id {
                    handles.remove::<String>(&id);
                }
                if let Ok(Outgoing { body: Some(body), .. }) = answered {
                    output.write_all(&frame(&body)).await?;
                    output.flush().await?;
                }
            }
            line = lines.next(), if open && in_flight.len() < AT_ONCE => match line? {
                None => open = false,
                Some(Line::TooLong) => {
                    let message = format!("The message is longer than {limit} bytes. Send less at once.");
                    let refused = Outgoing::from(Refusal::transport(413, message));
                    output.write_all(&frame(&refused.body.unwrap_or_default())).await?;
                    output.flush().await?;
                }
                Some(Line::Text(line)) => {
                    let id = match subject(&line) {
                        Subject::Request(id) => Some(id),
                        Subject::Cancelled(id) => {
                            if let Some(handle) = handles.remove(&id) {
                                handle.abort();
                            }
                            None
                        }
                        Subject::Notification | Subject::Other => None,
                    };
                    let (handle, registration) = AbortHandle::new_pair();
                    if let Some(id) = &id {
                        handles.insert(id.clone(), handle);
                    }
                    let answer = answer(endpoint, &session, line, visit());
                    let work = Abortable::new(answer, registration);
                    in_flight.push(async move { (id, work.await) });
                }
            }
        }
    }
    Ok(())
}

async fn answer(
    endpoint: &Endpoint,
    session: &Session,
    line: Vec<u8>,
    visit: impl Future<Output = Result<Visitor, Refusal>>,
) -> Outgoing {
    match visit.await {
        Ok(visitor) => {
            endpoint
                .handle(Incoming {
                    transport: Transport::Stream(session),
                    body: &line,
                    visitor,
                })
                .await
        }
        Err(refusal) => refused(&line, &refusal),
    }
}

/// The refusal of a message that nobody is authorised to send: under its id, and not at all for a notification.
fn refused(line: &[u8], refusal: &Refusal) -> Outgoing {
    let body = match subject(line) {
        Subject::Request(id) => Some(refusal.render(Id::Text(&id)).into()),
        Subject::Cancelled(_) | Subject::Notification => None,
        Subject::Other => Some(refusal.render(Id::Null).into()),
    };
    Outgoing {
        status: refusal.status,
        headers: &[],
        body,
    }
}

enum Subject {
    Request(String),
    Cancelled(String),
    Notification,
    Other,
}

/// What a line is about; broken ones are the endpoint's to complain about.
fn subject(line: &[u8]) -> Subject {
    let message = std::str::from_utf8(line)
        .ok()
        .and_then(|text| Message::read(text).ok());
    let Some(message) = message else {
        return Subject::Other;
    };
    match message.id {
        Some(id) => Subject::Request(id.to_owned()),
        None if message.method == "notifications/cancelled" => {
            let params = Params::read(message.params).unwrap_or_default();
            params
                .request_id()
                .map_or(Subject::Other, |id| Subject::Cancelled(id.to_owned()))
        }
        None => Subject::Notification,
    }
}

/// A message as one line. Line breaks that a peer put between the tokens of its JSON become spaces.
#[must_use]
pub fn frame(message: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(message.len() + 1);
    line.extend(message.iter().map(|byte| {
        if matches!(byte, b'\n' | b'\r') {
            b' '
        } else {
            *byte
        }
    }));
    line.push(b'\n');
    line
}

/// One line of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A message, without its line break.
    Text(Vec<u8>),
    /// A line over the limit; its bytes were dropped.
    TooLong,
}

/// The messages of a stream, one a line; blank lines are passed over.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    limit: usize,
    line: Vec<u8>,
    too_long: bool,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// Reads lines of at most `limit` bytes.
    pub fn new(input: R, limit: usize) -> Self {
        Self {
            input,
            limit,
            line: Vec::new(),
            too_long: false,
        }
    }

    /// The next line, or `None` at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the stream breaks.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let read = self.input.fill_buf().await?;
            let ended = read.is_empty();
            let end = read.iter().position(|byte| *byte == b'\n');
            let piece = &read[..end.unwrap_or(read.len())];
            if self.too_long || self.line.len() + piece.len() > self.limit {
                self.too_long = true;
                self.line.clear();
            } else {
                self.line.extend_from_slice(piece);
            }
            let used = end.map_or(read.len(), |at| at + 1);
            self.input.consume(used);
            if end.is_none() && !ended {
                continue;
            }
            if std::mem::take(&mut self.too_long) {
                return Ok(Some(Line::TooLong));
            }
            let line = std::mem::take(&mut self.line);
            if !line.trim_ascii().is_empty() {
                return Ok(Some(Line::Text(line)));
            }
            if ended {
                return Ok(None);
            }
        }
    }
}
