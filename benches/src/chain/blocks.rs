//! The chain's own JSON-RPC: blocks are made when they are asked for, and say how full they are.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Instant,
};

use opensky_protocol::Digest;
use parity_scale_codec::{Compact, Decode as _};
use serde_json::{Value, json};

use super::{LOOK, PATIENCE, party::Party};
use crate::Error;

/// Where a block keeps how much of it is used: hashes of `System` and `BlockWeight`.
const WEIGHT: &str = "0x26aa394eea5630e07c48ae0c9558cef734abf5cb34d6244378cddbf18e849d96";
/// What transactions may take of a block: three quarters of two seconds, in picoseconds, and of a proof of 5 MiB
/// (`chain/runtime/src/configs.rs`).
const ROOM: Used = Used {
    time: 1_500_000_000_000,
    proof: (5 << 20) / 4 * 3,
};

pub struct Blocks {
    port: u16,
}

/// What the transactions of a block take of it.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    time: u64,
    proof: u64,
}

impl Used {
    /// The larger one of both fractions, of what there is for transactions.
    pub fn fraction(self) -> f64 {
        let [time, proof] = self.fractions();
        time.max(proof)
    }

    /// Of the time, and of the proof.
    pub fn fractions(self) -> [f64; 2] {
        [
            self.time as f64 / ROOM.time as f64,
            self.proof as f64 / ROOM.proof as f64,
        ]
    }
}

impl Blocks {
    /// Those of the chain at `ws://127.0.0.1:PORT`.
    pub fn at(url: &str) -> Result<Self, Error> {
        let port = url.rsplit(':').next().unwrap_or_default();
        Ok(Self {
            port: port.trim_end_matches('/').parse()?,
        })
    }

    /// Makes blocks until all of these are decided.
    pub async fn seal_until(&self, party: &Party, intents: &[Digest]) -> Result<(), Error> {
        let until = Instant::now() + PATIENCE;
        for intent in intents {
            while party.fee(intent).await?.is_none() {
                if Instant::now() > until {
                    return Err("the chain decides nothing".into());
                }
                if self.pending()? > 0 {
                    self.seal()?;
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// Waits until so many transactions wait for a block.
    pub async fn wait_for_pool(&self, wanted: usize) -> Result<(), Error> {
        let until = Instant::now() + PATIENCE;
        while self.pending()? < wanted {
            if Instant::now() > until {
                return Err("not all transactions were sent".into());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// How many transactions wait.
    pub fn pending(&self) -> Result<usize, Error> {
        let pending = self.ask("author_pendingExtrinsics", json!([]))?;
        Ok(pending.as_array().map_or(0, Vec::len))
    }

    /// Makes the next block, and answers its number.
    pub fn seal(&self) -> Result<u64, Error> {
        self.ask("engine_createBlock", json!([true, true, null]))?;
        self.last()
    }

    /// The number of the last block.
    pub fn last(&self) -> Result<u64, Error> {
        let header = self.ask("chain_getHeader", json!([]))?;
        let number = header["number"].as_str().unwrap_or_default();
        Ok(u64::from_str_radix(number.trim_start_matches("0x"), 16)?)
    }

    /// What the transactions of a block take of it.
    pub fn used(&self, block: u64) -> Result<Used, Error> {
        let bytes = self.stored(WEIGHT, block)?;
        let (time, proof) = <(Compact<u64>, Compact<u64>)>::decode(&mut &bytes[..])?;
        Ok(Used {
            time: time.0,
            proof: proof.0,
        })
    }

    fn stored(&self, key: &str, block: u64) -> Result<Vec<u8>, Error> {
        let hash = self.ask("chain_getBlockHash", json!([block]))?;
        let stored = self.ask("state_getStorage", json!([key, hash]))?;
        let digits = stored.as_str().ok_or("a block keeps nothing there")?;
        let digits = digits.trim_start_matches("0x").as_bytes();
        let bytes = digits.chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair)?;
            Ok(u8::from_str_radix(pair, 16)?)
        });
        bytes.collect()
    }

    fn ask(&self, method: &str, params: Value) -> Result<Value, Error> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        let head = format!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all((head + &body).as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
        let answer: Value = serde_json::from_str(body)?;
        match answer.get("result") {
            Some(result) => Ok(result.clone()),
            None => Err(format!("{method}: {answer}").into()),
        }
    }
}
