//! A peer that does its worst: the victim's memory hardly grows, and others are served as before.
//!
//! The foe runs in a process of its own, so that what it takes is not counted as the victim's.

mod foes;
mod nodes;

use std::{
    env, fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use foes::{BLOB, CONTROL, Foe};
use futures::{AsyncReadExt, AsyncWriteExt, future::join_all};
use libp2p::{PeerId, StreamProtocol};
use nodes::{Node, QUIC, Shelf, TCP, bytes, config, key};
use opensky_network::{Inbound, Limits, Network};
use opensky_protocol::Digest;
use tokio::{sync::Mutex, time::timeout};

/// What the victim's memory may grow by.
const GROWTH: u64 = 64 << 20;
/// How long an attack lasts.
const ATTACK: Duration = Duration::from_secs(4);
/// How often an attack is measured at most: the machine's other work can only make a call slower, so
/// the best round is what the attack does.
const ROUNDS: usize = 5;
/// Bytes by which an attack is seen to have begun. Whoever is cut off for it may not get much further.
const BEGUN: u64 = 10 << 10;
/// How long nothing of an attack may be to be seen.
const PATIENCE: Duration = Duration::from_secs(30);
/// Calls are timed to within this: timers and schedulers are no finer on a busy machine.
const GRAIN: Duration = Duration::from_millis(2);

/// One attack at a time: each is measured.
static TURN: Mutex<()> = Mutex::const_new(());

const VICTIM: u8 = 1;
const BYSTANDER: u8 = 3;

const BLOB_LENGTH: usize = 4 << 20;

fn blob() -> Vec<u8> {
    bytes(BLOB_LENGTH, 9)
}

/// What this process has in memory, in bytes.
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages = statm.split(' ').nth(1).expect("the second field");
    pages.parse::<u64>().expect("a number") * 4096
}

/// The 99th percentile of calls to the victim, and of calls to a bystander in the same time: the
/// machine's other work slows both.
async fn p99(network: &Network, time: Duration) -> [Duration; 2] {
    let (begin, mut took) = (Instant::now(), [Vec::new(), Vec::new()]);
    while begin.elapsed() < time {
        for (took, to) in took.iter_mut().zip([key(VICTIM), key(BYSTANDER)]) {
            let start = Instant::now();
            let reply = network.ask(to, b"are you there?".to_vec()).await;
            took.push(start.elapsed());
            let is_served = reply.as_deref() == Ok(b"are you there?");
            assert!(is_served, "others are served, not told {reply:?}");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    took.map(|mut took| {
        took.sort();
        took[took.len() * 99 / 100]
    })
}

struct Attack(Child);

impl Attack {
    fn start(name: &str, victim: &Node) -> Self {
        let child = Command::new(env::current_exe().expect("this test"))
            .args(["foe_in_its_own_process", "--exact", "--nocapture"])
            .env("FOE_DOES", name)
            .env("FOE_VICTIM", &victim.address)
            .stdout(Stdio::null())
            .spawn();
        Self(child.expect("the foe starts"))
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A victim that echoes, but never answers what begins with `silence`.
async fn victim(transport: &str) -> Node {
    let (shelf, _) = Shelf::of(&blob());
    let mut config = config(&[transport], &[]);
    config.limits = Limits::default();
    let mut victim = Node::with_blobs(VICTIM, config, shelf).await;
    let mut inbox = victim.inbox.take().expect("it is new");
    tokio::spawn(async move {
        let mut unanswered = Vec::new();
        while let Some(inbound) = inbox.next().await {
            match inbound {
                Inbound::Request { bytes, reply, .. } if bytes.starts_with(b"silence") => {
                    unanswered.push(reply);
                }
                Inbound::Request { bytes, reply, .. } => reply.send(bytes),
                Inbound::Announcement { verdict, .. } | Inbound::Record { verdict, .. } => {
                    verdict.accept();
                }
                _ => {}
            }
        }
    });
    victim
}

/// Waits until as much has come since `before`, and answers how much has. Gives up after a while.
async fn came_since(before: u64, enough: u64, victim: &Node) -> u64 {
    let begin = Instant::now();
    loop {
        let came = victim.received().await - before;
        if came > enough || begin.elapsed() > PATIENCE {
            return came;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn endures(attack: &str) {
    endures_over(attack, TCP).await;
}

async fn endures_over(attack: &str, transport: &str) {
    let _turn = TURN.lock().await;
    let mut rounds = Vec::new();
    while rounds.len() < ROUNDS {
        let round = Round::measure(attack, transport).await;
        println!("{attack}: {round:?}");
        assert!(round.memory < GROWTH, "{attack}: {round:?}");
        assert!(round.came > BEGUN, "{attack} came: {round:?}");
        if round.is_served_as_usual() {
            return;
        }
        rounds.push(round);
    }
    panic!("{attack}: calls took longer in each round: {rounds:#?}");
}

/// What one attack did to its victim.
#[derive(Debug)]
struct Round {
    /// Bytes that came.
    came: u64,
    /// What the victim's memory grew by, in bytes.
    memory: u64,
    /// The 99th percentile of an honest peer's calls before the attack, and during it.
    usual: Duration,
    attacked: Duration,
    /// The same of calls to a bystander during the attack.
    bystander: Duration,
}

impl Round {
    async fn measure(attack: &str, transport: &str) -> Self {
        let victim = victim(transport).await;
        let mut bystander = Node::start(BYSTANDER, config(&[transport], &[])).await;
        bystander.echo();
        let honest = Node::start(2, config(&[], &[&victim, &bystander])).await;
        // The first calls make connections.
        p99(&honest.network, Duration::from_millis(200)).await;
        let [usual, _] = p99(&honest.network, Duration::from_secs(2)).await;
        let came = victim.received().await;
        let before = resident();
        let _foe = Attack::start(attack, &victim);
        // On a busy machine it takes its time to begin.
        came_since(came, BEGUN, &victim).await;
        let watch = async {
            let mut most = 0;
            let begin = Instant::now();
            while begin.elapsed() < ATTACK {
                most = most.max(resident().saturating_sub(before));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            most
        };
        let (memory, [attacked, bystander]) = tokio::join!(watch, p99(&honest.network, ATTACK));
        Self {
            came: victim.received().await - came,
            memory,
            usual,
            attacked,
            bystander,
        }
    }

    fn is_served_as_usual(&self) -> bool {
        self.attacked < 2 * self.usual.max(self.bystander).max(GRAIN)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_streams_of_one_peer_are_endured() {
    endures("streams").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_64_mib_are_endured() {
    endures("huge").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_64_mib_are_endured_over_quic() {
    endures_over("huge", QUIC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_every_protocol_is_endured() {
    endures("garbage").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reader_that_never_reads_is_endured() {
    endures("unread").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reader_that_never_reads_is_endured_over_quic() {
    endures_over("unread", QUIC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_pile_up_are_endured() {
    endures("pending").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_without_end_are_endured() {
    endures("records").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flood_of_announcements_is_endured_and_its_peer_cut_off() {
    endures("gossip").await;
}

/// The foe, where this test was started by another one; otherwise nothing.
#[tokio::test(flavor = "multi_thread")]
async fn foe_in_its_own_process() {
    let (Ok(attack), Ok(address)) = (env::var("FOE_DOES"), env::var("FOE_VICTIM")) else {
        return;
    };
    // Whoever started it ends it sooner.
    let _ = timeout(3 * PATIENCE, attack_for_ever(&attack, address)).await;
}

async fn attack_for_ever(attack: &str, address: String) {
    if attack == "gossip" {
        return flood(address).await;
    }
    let mut foe = Foe::start(66).await;
    let victim = foe.dial(&address).await;
    loop {
        match attack {
            "streams" => open_many(&mut foe, victim).await,
            "huge" => send_huge(&mut foe, victim).await,
            "garbage" => send_garbage(&mut foe, victim).await,
            "unread" => read_nothing(&mut foe, victim).await,
            "pending" => pile_up(&mut foe, victim).await,
            "records" => put_records(&mut foe, victim).await,
            other => panic!("there is no attack {other}"),
        }
    }
}

/// Opens ten thousand streams and says on each that a long request follows.
async fn open_many(foe: &mut Foe, victim: PeerId) {
    let mut held = Vec::new();
    for _ in 0..20 {
        let opens = (0..500).map(|_| {
            let mut control = foe.control.clone();
            async move {
                let open = control.open_stream(victim, CONTROL);
                let mut stream = timeout(Duration::from_secs(1), open).await.ok()?.ok()?;
                let _ = stream.write_all(&(4u32 << 20).to_be_bytes()).await;
                let _ = stream.flush().await;
                Some(stream)
            }
        });
        held.extend(join_all(opens).await.into_iter().flatten());
        foe.redial(victim).await;
    }
}

/// Sends as long requests as it may; then says that 64 MiB follow and sends as much as is taken.
async fn send_huge(foe: &mut Foe, victim: PeerId) {
    for length in [4usize << 20, 64 << 20] {
        let sends = (0..40).map(|_| {
            let mut control = foe.control.clone();
            async move {
                let mut stream = control.open_stream(victim, CONTROL).await.ok()?;
                let _ = stream.write_all(&(length as u32).to_be_bytes()).await;
                let block = vec![1; 64 << 10];
                for _ in 0..length / block.len() {
                    stream.write_all(&block).await.ok()?;
                }
                Some(())
            }
        });
        let _ = timeout(Duration::from_secs(2), join_all(sends)).await;
        foe.redial(victim).await;
    }
}

async fn send_garbage(foe: &mut Foe, victim: PeerId) {
    let protocols = [
        "/ipfs/id/1.0.0",
        "/ipfs/id/push/1.0.0",
        "/ipfs/ping/1.0.0",
        "/opensky/test/kad/1",
        "/opensky/test/gossip/1.1.0",
        "/meshsub/1.1.0",
        "/libp2p/circuit/relay/0.2.0/hop",
        "/libp2p/circuit/relay/0.2.0/stop",
        "/libp2p/dcutr",
        "/libp2p/autonat/2/dial-request",
        "/libp2p/autonat/2/dial-back",
        "/opensky/test/control/1",
        "/opensky/test/blob/1",
    ];
    let garbage = bytes(256 << 10, 5);
    let sends = protocols.into_iter().map(|protocol| {
        let (mut control, garbage) = (foe.control.clone(), &garbage);
        async move {
            let protocol = StreamProtocol::new(protocol);
            let mut stream = control.open_stream(victim, protocol).await.ok()?;
            for block in garbage.chunks(1000) {
                stream.write_all(block).await.ok()?;
            }
            stream.flush().await.ok()
        }
    });
    let _ = timeout(Duration::from_secs(1), join_all(sends)).await;
    foe.redial(victim).await;
}

/// Asks for long echoes and for a blob, and reads none of it.
async fn read_nothing(foe: &mut Foe, victim: PeerId) {
    let mut held = Vec::new();
    let request = vec![3; 2 << 20];
    for _ in 0..40 {
        if let Ok(Some(mut stream)) =
            timeout(Duration::from_secs(1), foe.open(victim, CONTROL)).await
        {
            let send = async {
                stream
                    .write_all(&(request.len() as u32).to_be_bytes())
                    .await?;
                stream.write_all(&request).await?;
                stream.flush().await
            };
            let _ = timeout(Duration::from_secs(1), send).await;
            held.push(stream);
        }
        if let Ok(Some(mut stream)) = timeout(Duration::from_secs(1), foe.open(victim, BLOB)).await
        {
            let ask = async {
                stream.write_all(&Digest::of(&blob()).0).await?;
                for number in (0..16u64).cycle().take(10_000) {
                    stream.write_all(&number.to_be_bytes()).await?;
                }
                stream.flush().await
            };
            let _ = timeout(Duration::from_millis(200), ask).await;
            held.push(stream);
        }
    }
    foe.redial(victim).await;
}

/// Asks what is never answered, as often as it can.
async fn pile_up(foe: &mut Foe, victim: PeerId) {
    let asks = (0..200).map(|_| {
        let mut control = foe.control.clone();
        async move {
            let open = control.open_stream(victim, CONTROL);
            let mut stream = timeout(Duration::from_secs(1), open).await.ok()?.ok()?;
            let request = [&b"silence"[..], &[0; 9_000]].concat();
            stream
                .write_all(&(request.len() as u32).to_be_bytes())
                .await
                .ok()?;
            stream.write_all(&request).await.ok()?;
            stream.flush().await.ok()?;
            let mut status = [0];
            stream.read_exact(&mut status).await.ok()
        }
    });
    let _ = timeout(Duration::from_secs(2), join_all(asks)).await;
    foe.redial(victim).await;
}

/// Puts records under new keys, and claims to provide blobs, without end.
async fn put_records(foe: &mut Foe, victim: PeerId) {
    let kad = StreamProtocol::new("/opensky/test/kad/1");
    let mut number = 0u64;
    while let Ok(Some(mut stream)) =
        timeout(Duration::from_secs(1), foe.open(victim, kad.clone())).await
    {
        number += 1;
        let key = *blake3::hash(&number.to_be_bytes()).as_bytes();
        let record = [field(1, &key), field(2, &vec![7; 8000])].concat();
        let put = [field(2, &key), field(3, &record)].concat();
        let mut wire = varint(put.len() as u64);
        wire.extend(put);
        let _ = stream.write_all(&wire).await;
        let _ = stream.flush().await;
        let mut answer = [0; 64];
        let _ = timeout(Duration::from_millis(100), stream.read(&mut answer)).await;
    }
    foe.redial(victim).await;
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A field of a protobuf message that holds bytes. Type 0, a put, is the default and not written.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    field.extend(varint(bytes.len() as u64));
    field.extend(bytes);
    field
}

/// A node of ours that announces as fast as it can.
async fn flood(address: String) {
    let mut config = config(&[], &[]);
    config.bootstrap.push(address);
    let foe = Node::start(66, config).await;
    for number in 0u64.. {
        let announcement = [&number.to_be_bytes()[..], &[0; 1000]].concat();
        if foe.network.announce(announcement).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_that_says_64_mib_follow_is_cut_off_and_others_are_not() {
    let victim = victim(TCP).await;
    let mut foe = Foe::start(66).await;
    let peer = foe.dial(&victim.address).await;
    let mut stream = foe.open(peer, CONTROL).await.expect("it is taken");
    stream
        .write_all(&(64u32 << 20).to_be_bytes())
        .await
        .expect("it is read");
    let mut answer = Vec::new();
    let ended = timeout(nodes::PATIENCE, stream.read_to_end(&mut answer)).await;
    ended.expect("the victim ends it").ok();
    assert!(answer.is_empty());
    nodes::eventually(|| async {
        let connected = victim.network.status().await?.connected;
        (!connected.contains(&foe.key)).then_some(())
    })
    .await;
    foe.redial(peer).await;
    assert!(foe.open(peer, CONTROL).await.is_none(), "it stays away");
    let honest = Node::start(2, config(&[], &[&victim])).await;
    let reply = honest.network.ask(victim.key, b"hello".to_vec()).await;
    assert_eq!(reply, Ok(b"hello".to_vec()));
}
