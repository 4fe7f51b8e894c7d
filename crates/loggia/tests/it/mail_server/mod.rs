//! A mail server (RFC 5321) with STARTTLS (RFC 3207) and AUTH PLAIN (RFC 4616), which keeps what it is given. Its
//! certificate is for `localhost`, by an authority that nobody trusts but who is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const CERTIFICATE: &[u8] = include_bytes!("server.pem");
const KEY: &[u8] = include_bytes!("server.key");
/// `AUTH PLAIN` of the name `ada` and the password `p@ss-of-the-mailbox`.
const LOGIN: &str = "AGFkYQBwQHNzLW9mLXRoZS1tYWlsYm94";

/// What is out of the ordinary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Nothing.
    Kind,
    /// It offers no TLS.
    Plain,
    /// It speaks TLS from the first byte.
    Wrapped,
    /// It knows no recipient.
    KnowsNobody,
    /// It accepts connections and says nothing.
    Silent,
    /// It repeats what it refuses.
    Parrot,
}

/// A letter as it was given.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
    /// Whether it came by TLS.
    pub(crate) by_tls: bool,
    /// Whether the right name and password were shown.
    pub(crate) signed_in: bool,
}

/// A mail server on a free port, until the test ends.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    letters: mpsc::Receiver<Letter>,
}

/// The authority that its certificate is by.
pub(crate) fn authority() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/mail_server/authority.pem")
}

impl MailServer {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, letters) = mpsc::channel();
        std::thread::spawn(move || {
            let mut silenced = Vec::new();
            for stream in listener.incoming().map_while(Result::ok) {
                match manner {
                    Manner::Silent => silenced.push(stream),
                    Manner::Wrapped => drop(talk(tls(stream), manner, true, &sender)),
                    _ => {
                        if let Ok(Some(stream)) = talk(stream, manner, false, &sender) {
                            drop(talk(tls(stream), manner, true, &sender));
                        }
                    }
                }
            }
        });
        Self { port, letters }
    }

    /// The next letter; waits for it.
    pub(crate) fn letter(&self) -> Letter {
        self.letters.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    /// Whether none has come.
    pub(crate) fn is_empty(&self) -> bool {
        self.letters.try_recv().is_err()
    }
}

fn tls(stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let connection = ServerConnection::new(Arc::new(config)).unwrap();
    StreamOwned::new(connection, stream)
}

/// One conversation; answers the connection where it goes on by TLS.
fn talk<S: Read + Write>(
    stream: S,
    manner: Manner,
    by_tls: bool,
    letters: &mpsc::Sender<Letter>,
) -> std::io::Result<Option<S>> {
    let mut stream = BufReader::new(stream);
    let mut letter = Letter {
        from: String::new(),
        to: Vec::new(),
        text: String::new(),
        by_tls,
        signed_in: false,
    };
    // After STARTTLS there is no second greeting.
    if !by_tls || manner == Manner::Wrapped {
        write!(stream.get_mut(), "220 localhost\r\n")?;
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        let (verb, rest) = line.split_once([' ', ':']).unwrap_or((line, ""));
        let answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" if by_tls => "250-localhost\r\n250 AUTH PLAIN".to_owned(),
            "EHLO" if manner == Manner::Plain => "250 localhost".to_owned(),
            "EHLO" => "250-localhost\r\n250 STARTTLS".to_owned(),
            "STARTTLS" => {
                write!(stream.get_mut(), "220 Go on\r\n")?;
                return Ok(Some(stream.into_inner()));
            }
            "AUTH" if manner == Manner::Parrot => format!("535 I do not know {line:?}"),
            "AUTH" if rest == format!("PLAIN {LOGIN}") => {
                letter.signed_in = true;
                "235 Welcome".to_owned()
            }
            "AUTH" => "535 Wrong".to_owned(),
            "MAIL" => {
                letter.from = rest.to_owned();
                "250 Fine".to_owned()
            }
            "RCPT" if manner == Manner::KnowsNobody => "550 Nobody of this name".to_owned(),
            "RCPT" => {
                letter.to.push(rest.to_owned());
                "250 Fine".to_owned()
            }
            "DATA" => {
                write!(stream.get_mut(), "354 Go on\r\n")?;
                letter.text = data(&mut stream)?;
                // Nobody waits for it any more where the test has ended.
                let _ = letters.send(letter.clone());
                "250 Fine".to_owned()
            }
            "QUIT" => {
                write!(stream.get_mut(), "221 Bye\r\n")?;
                return Ok(None);
            }
            _ => "500 What?".to_owned(),
        };
        write!(stream.get_mut(), "{answer}\r\n")?;
        stream.get_mut().flush()?;
    }
}

/// The text of a letter, up to the line with a dot (RFC 5321 §4.5.2).
fn data(stream: &mut impl BufRead) -> std::io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 || line == ".\r\n" {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
