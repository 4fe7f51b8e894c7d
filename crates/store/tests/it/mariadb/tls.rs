//! TLS as `sslmode` asks for it, to a server with a certificate of its own.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use loggia_servers::{Server, mariadb_alone};
use loggia_store::{Options, Store};

use super::suite::world::options;

/// Makes an authority, and the certificate of a server at `localhost` that it has signed, in a folder.
const MAKE: &str = "set -e; cd \"$1\"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$2 -keyout $2.key -out $2.pem -addext basicConstraints=critical,CA:TRUE
openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr
printf 'subjectAltName=DNS:localhost' > names
openssl x509 -req -in server.csr -CA $2.pem -CAkey $2.key -CAcreateserial -days 2 -extfile names -out server.crt
chmod 600 server.key; chown --reference=. server.key server.crt";

fn make(folder: &Path, authority: &str) {
    let made = Command::new("sh")
        .args(["-c", MAKE, "make"])
        .arg(folder)
        .arg(authority)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// A server with a certificate; its address without `sslmode`.
fn secured() -> Option<(Server, String)> {
    let mut server = mariadb_alone()?;
    make(server.folder(), "other");
    make(server.folder(), "ours");
    let folder = server.folder().display();
    let arguments = format!("--ssl-cert={folder}/server.crt\n--ssl-key={folder}/server.key\n");
    std::fs::write(server.folder().join("arguments"), arguments).unwrap();
    server.kill();
    server.start();
    let base = server.url().split_once('?').unwrap().0.to_owned();
    Some((server, base))
}

fn at(url: String) -> Options {
    let mut options = options(&url);
    options.remote.starting = Duration::ZERO;
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_trusted_as_far_as_was_asked() {
    let Some((mut server, by_address)) = secured() else {
        return;
    };
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let root = |name: &str| format!("sslrootcert={}/{name}.pem", server.folder().display());
    let (ours, other) = (root("ours"), root("other"));
    for (url, says) in [
        (format!("{by_address}?sslmode=disable"), "without TLS"),
        (format!("{by_address}?sslmode=prefer"), "not checked"),
        (format!("{by_address}?sslmode=require"), "not checked"),
        (format!("{by_address}?sslmode=verify-ca&{ours}"), "authority"),
        (
            format!("{by_name}?sslmode=verify-full&{ours}"),
            "the server's certificate checked",
        ),
    ] {
        let about = Store::examine(at(url.clone())).await.unwrap().about.unwrap();
        assert!(about.contains(says), "{url}: {about}");
        drop(Store::open(at(url)).await.unwrap());
    }
    for url in [
        format!("{by_address}?sslmode=verify-full&{ours}"),
        format!("{by_name}?sslmode=verify-full&{other}"),
        format!("{by_name}?sslmode=verify-ca&{other}"),
        format!("{by_name}?sslmode=verify-full"),
    ] {
        let error = Store::open(at(url.clone())).await.unwrap_err();
        assert!(error.to_string().contains("TLS"), "{url}: {error:?}");
    }
    // A server without TLS is not spoken to where TLS is required, and is where it is only preferred.
    std::fs::write(server.folder().join("arguments"), "--skip-ssl\n").unwrap();
    server.kill();
    server.start();
    let error = Store::open(at(format!("{by_address}?sslmode=require"))).await;
    assert!(error.unwrap_err().to_string().contains("TLS"));
    drop(Store::open(at(by_address)).await.unwrap());
}
