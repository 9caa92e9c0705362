//! A node whose API is served, and how to talk to it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    time::Duration,
};

use opensky_api::{Client, Problem};
use opensky_gateway::{Gateway, Patience};
use opensky_node::{Node, config::Bytes};
use tokio::runtime::Runtime;

use crate::{launcher, nodes::World};

/// Bytes that its store may hold.
pub const DISK: u64 = 64 << 20;

/// A node, alone in its world.
pub struct Served {
    pub runtime: Runtime,
    pub world: World,
    pub node: Node,
    pub gateway: Gateway,
    pub client: Client,
}

pub fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().expect("a runtime")
}

impl Served {
    pub fn alone() -> Self {
        Self::patiently(Patience::default())
    }

    pub fn patiently(patience: Patience) -> Self {
        let runtime = runtime();
        let (world, node, gateway) = runtime.block_on(async {
            let world = World::new(launcher());
            let mut config = world.config("alone");
            config.provide = false;
            config.api.listen = ([127, 0, 0, 1], 0).into();
            config.capacity.disk = Some(Bytes(DISK));
            let node = world.start(config).await;
            let gateway = Gateway::with_patience(node.clone(), patience).await;
            let gateway = gateway.expect("served");
            (world, node, gateway)
        });
        let client = Client::open(&node.config().data).expect("it has left its address");
        Self {
            runtime,
            world,
            node,
            gateway,
            client,
        }
    }

    pub fn folder(&self) -> &Path {
        &self.node.config().data
    }

    pub fn token(&self) -> String {
        let file = self.folder().join("api.token");
        std::fs::read_to_string(file)
            .expect("a token")
            .trim()
            .to_owned()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.client.address()).expect("it listens");
        let patience = Some(Duration::from_secs(40));
        stream.set_read_timeout(patience).expect("a patience");
        stream
    }

    /// Sends a request as it is, with the token, and reads all that comes back.
    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
        let token = self.token();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\
             authorization: Bearer {token}\r\ncontent-length: {}\r\n{headers}\r\n",
            body.len()
        );
        self.say(&[head.as_bytes(), body].concat())
    }

    /// Sends these bytes, and reads all that comes back.
    pub fn say(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect();
        // It may hang up before it has read everything.
        let _ = stream.write_all(bytes);
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        Reply::read(&reply)
    }

    pub fn end(self) {
        let Self {
            runtime,
            node,
            gateway,
            ..
        } = self;
        runtime.block_on(async {
            gateway.stop().await.expect("stopped");
            node.stop().await;
        });
    }
}

/// What came back.
pub struct Reply {
    /// 0 if nothing did.
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = bytes.split_at(end.map_or(bytes.len(), |end| end + 4));
        let head = String::from_utf8_lossy(head).to_lowercase();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Self {
            status: status.unwrap_or(0),
            body: match head.contains("transfer-encoding: chunked") {
                true => unchunked(body),
                false => body.to_vec(),
            },
            head,
        }
    }

    pub fn problem(&self) -> Problem {
        let is_problem = self.head.contains("content-type: application/problem+json");
        assert!(is_problem, "{}", self.head);
        serde_json::from_slice(&self.body).expect("a problem")
    }
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(at) = bytes.windows(2).position(|two| two == b"\r\n") {
        let len = String::from_utf8_lossy(&bytes[..at]).into_owned();
        let len = usize::from_str_radix(&len, 16).expect("a length");
        let rest = &bytes[at + 2..];
        if len == 0 || rest.len() < len + 2 {
            break;
        }
        all.extend_from_slice(&rest[..len]);
        bytes = &rest[len + 2..];
    }
    all
}
