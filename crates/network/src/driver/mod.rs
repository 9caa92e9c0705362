//! The task that owns the swarm: does what the handles ask, and answers for what happens.

mod begin;
mod events;
mod rate;
mod reach;
mod standing;
mod table;

use std::{
    collections::VecDeque,
    net::{IpAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, TransportError,
    core::{transport::ListenerId, upgrade},
    gossipsub,
    kad::{self, Quorum, Record, RecordKey, store::RecordStore},
    multiaddr::Protocol,
    swarm::{self, DialError, ListenError, SwarmEvent, dial_opts::DialOpts},
};
use opensky_protocol::NodeKey;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

use self::{
    begin::{Bootstrap, Circuit},
    rate::Rates,
    reach::{Reach, Stage},
    table::Table,
};
use crate::{
    behaviour::{ANNOUNCEMENT_BYTES, Behaviour, BehaviourEvent, topic},
    command::{Command, Find, Found},
    config::{Config, Exposure, Protocols, addresses, node},
    error::{AnnounceError, FindError, StartError},
    identity,
    inbound::{Inbound, Judged, Judgement, Subject},
    records::RECORD_BYTES,
    status::{Reachability, Status},
    streams::{Incoming, Open, OpenError},
    transport::{self, Traffic},
};

/// How often what is due is looked for.
const TICK: Duration = Duration::from_millis(500);
/// How often the table is filled, if nothing else does it.
const REFRESH: Duration = Duration::from_secs(5 * 60);
/// A filling that has not ended after this is stuck: it is ended and begun again.
const STUCK: Duration = Duration::from_secs(60);
/// An unused connection is kept this long: a broker asks the same peers again and again.
const IDLE: Duration = Duration::from_secs(60);
/// Streams of one connection whose protocol is not agreed on yet.
const NEGOTIATING: usize = 32;
/// How long connections may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(500);
/// Relays that a node behind NAT listens through.
const RELAYS: usize = 2;

/// The tasks of the connections, so that none outlives the network.
type Tasks = Arc<Mutex<JoinSet<()>>>;

/// The channels between the owner of the swarm and everybody else.
pub struct Channels {
    pub commands: mpsc::Receiver<Command>,
    pub inbox: mpsc::Sender<Inbound>,
    pub incoming: mpsc::Sender<Incoming>,
    pub court: mpsc::Sender<Judged>,
    pub judged: mpsc::Receiver<Judged>,
}

/// Owns the swarm.
pub struct Driver {
    swarm: Swarm<Behaviour>,
    tasks: Tasks,
    traffic: Arc<Traffic>,
    me: NodeKey,
    protocols: Protocols,
    exposure: Exposure,
    commands: mpsc::Receiver<Command>,
    inbox: mpsc::Sender<Inbound>,
    court: mpsc::Sender<Judged>,
    judged: mpsc::Receiver<Judged>,
    /// Who came and went, until the inbox has room. A peer is in it once at most.
    notices: VecDeque<Inbound>,
    reach: Reach,
    table: Table,
    rates: Rates,
    bootstrap: Vec<Bootstrap>,
    circuits: Vec<Circuit>,
    /// Addresses of peers that carry for others.
    relays: Vec<Multiaddr>,
    /// The address that a peer tried last and could not reach.
    failed_probe: Option<String>,
    filling: Option<(kad::QueryId, Instant)>,
    filled: Option<Instant>,
}

impl Driver {
    pub fn new(config: &Config, seed: &[u8; 32], channels: Channels) -> Result<Self, StartError> {
        let protocols = Protocols::of(&config.network)?;
        let bootstrap = bootstrap(&config.bootstrap)?;
        let keys = identity::keypair(seed);
        let peer = keys.public().to_peer_id();
        let traffic = Arc::<Traffic>::default();
        let (transport, relay_client) = transport::build(&keys, &traffic)?;
        let behaviour = Behaviour::new(config, &protocols, &keys, relay_client, channels.incoming)?;
        let tasks = Tasks::default();
        let mut driver = Self {
            swarm: Swarm::new(transport, behaviour, peer, swarm_config(tasks.clone())),
            tasks,
            traffic,
            me: identity::node_of(&peer).expect("our own key is ed25519"),
            protocols,
            exposure: config.exposure,
            commands: channels.commands,
            inbox: channels.inbox,
            court: channels.court,
            judged: channels.judged,
            notices: VecDeque::new(),
            reach: Reach::default(),
            table: Table::default(),
            rates: Rates::new(config.limits.announcements_per_second),
            bootstrap,
            circuits: Vec::new(),
            relays: Vec::new(),
            failed_probe: None,
            filling: None,
            filled: None,
        };
        for node in &driver.bootstrap {
            let kad = &mut driver.swarm.behaviour_mut().kad;
            kad.add_address(&node.peer, node.address.clone());
        }
        Ok(driver)
    }

    /// Listens on `texts`, and returns once every address that is not a circuit is bound.
    pub async fn listen(&mut self, texts: &[String]) -> Result<(), StartError> {
        let mut pending: Vec<(ListenerId, String)> = Vec::new();
        for (address, text) in addresses(texts)?.into_iter().zip(texts) {
            match Circuit::new(address.clone()) {
                Some(circuit) => self.circuits.push(circuit),
                None => {
                    is_free(&address).map_err(|source| StartError::Listen {
                        address: text.clone(),
                        source,
                    })?;
                    let listening = self.swarm.listen_on(address);
                    let failed = |error| listen_error(text, error);
                    pending.push((listening.map_err(failed)?, text.clone()));
                }
            }
        }
        while !pending.is_empty() {
            let event = self.swarm.select_next_some().await;
            match &event {
                SwarmEvent::NewListenAddr { listener_id, .. } => {
                    pending.retain(|(id, _)| id != listener_id);
                }
                SwarmEvent::ListenerClosed {
                    listener_id,
                    reason,
                    ..
                } => {
                    if let Some((_, address)) = pending.iter().find(|(id, _)| id == listener_id) {
                        let kind = reason.as_ref().map_or_else(std::io::Error::kind, |()| {
                            std::io::ErrorKind::NotConnected
                        });
                        return Err(StartError::Listen {
                            address: address.clone(),
                            source: kind.into(),
                        });
                    }
                }
                _ => {}
            }
            self.observe(event);
        }
        Ok(())
    }

    /// Runs until it is told to end, or until no handle is left.
    pub async fn run(mut self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let inbox = self.inbox.clone();
        loop {
            // What this node wants comes before what strangers want.
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    None | Some(Command::Shutdown) => break,
                    Some(command) => self.obey(command),
                },
                Some(judged) = self.judged.recv() => self.judge(judged),
                _ = ticks.tick() => self.tick(Instant::now()),
                Ok(room) = inbox.reserve(), if !self.notices.is_empty() => {
                    if let Some(notice) = self.notices.pop_front() {
                        room.send(notice);
                    }
                }
                event = self.swarm.select_next_some() => self.observe(event),
            }
        }
        self.end().await;
    }

    /// Lets connections say goodbye, then ends their tasks.
    async fn end(self) {
        let Self { swarm, tasks, .. } = self;
        drop(swarm);
        let mut tasks = std::mem::take(&mut *tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let goodbye = async { while tasks.join_next().await.is_some() {} };
        let _ = timeout(GOODBYE, goodbye).await;
        tasks.shutdown().await;
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open { to, open } => self.open(to, open),
            Command::Announce { bytes, reply } => {
                // Whoever gave up waiting does not mind.
                let _ = reply.send(self.announce(bytes));
            }
            Command::Find { find, reply } => self.find(find, reply),
            Command::Unprovide { digest } => {
                let kad = &mut self.swarm.behaviour_mut().kad;
                kad.stop_providing(&RecordKey::new(&digest.0));
            }
            Command::Status { reply } => {
                let _ = reply.send(self.status());
            }
            Command::Shutdown => {}
        }
    }

    fn open(&mut self, to: NodeKey, open: Open) {
        let Some(peer) = identity::peer_of(to).filter(|_| to != self.me) else {
            let _ = open.reply.send(Err(OpenError::Unreachable));
            return;
        };
        if self.swarm.is_connected(&peer) {
            self.swarm.behaviour_mut().streams.open(peer, open);
            return;
        }
        if self.reach.wait(peer, open) == Some(Stage::Known) {
            self.dial(peer, DialOpts::peer_id(peer).build());
        }
    }

    /// An attempt to reach a peer that streams wait for has failed: on to the next.
    fn dial_failed(&mut self, peer: PeerId) {
        match self.reach.stage(&peer) {
            Some(Stage::Known) if self.table.takes_look_up() => {
                let kad = &mut self.swarm.behaviour_mut().kad;
                let query = kad.get_closest_peers(peer);
                self.table.look_up(query, peer);
                self.reach.advance(&peer, Stage::LookUp);
            }
            Some(Stage::Known | Stage::Found) => self.reach.give_up(&peer),
            Some(Stage::LookUp) | None => {}
        }
    }

    /// The table knows these addresses of a peer that streams wait for.
    fn found(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) {
        if self.reach.stage(&peer) != Some(Stage::LookUp) {
            return;
        }
        self.reach.advance(&peer, Stage::Found);
        self.dial(peer, DialOpts::peer_id(peer).addresses(addresses).build());
    }

    /// Dials a peer that streams wait for.
    fn dial(&mut self, peer: PeerId, options: DialOpts) {
        match self.swarm.dial(options) {
            // Somebody else dials it already: what becomes of that is told like any other dial.
            Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => {}
            Err(_) => self.dial_failed(peer),
        }
    }

    fn announce(&mut self, bytes: Vec<u8>) -> Result<(), AnnounceError> {
        if bytes.len() > ANNOUNCEMENT_BYTES {
            return Err(AnnounceError::TooLong {
                length: bytes.len(),
                limit: ANNOUNCEMENT_BYTES,
            });
        }
        let topic = topic(&self.protocols);
        let published = self.swarm.behaviour_mut().gossip.publish(topic, bytes);
        match published {
            // Said within the last minute already, by us.
            Ok(_) | Err(gossipsub::PublishError::Duplicate) => Ok(()),
            Err(gossipsub::PublishError::NoPeersSubscribedToTopic) => Err(AnnounceError::Alone),
            Err(error) => {
                tracing::debug!(%error, "an announcement was not sent");
                Err(AnnounceError::Busy)
            }
        }
    }

    fn find(&mut self, find: Find, reply: oneshot::Sender<Result<Found, FindError>>) {
        if !self.table.takes_find() {
            let _ = reply.send(Err(FindError::Busy));
            return;
        }
        let kad = &mut self.swarm.behaviour_mut().kad;
        let query = match find {
            Find::Provide(digest) => kad.start_providing(RecordKey::new(&digest.0)),
            Find::Providers(digest) => Ok(kad.get_providers(RecordKey::new(&digest.0))),
            Find::Get(digest) => Ok(kad.get_record(RecordKey::new(&digest.0))),
            Find::Put(digest, bytes) => {
                kad.put_record(Record::new(digest.0.to_vec(), bytes), Quorum::One)
            }
        };
        match query {
            Ok(query) => self.table.find(query, reply),
            Err(_) => {
                let _ = reply.send(Err(FindError::Busy));
            }
        }
    }

    fn judge(&mut self, Judged { subject, judgement }: Judged) {
        match subject {
            Subject::Announcement { id, via } => {
                let acceptance = match judgement {
                    Judgement::Accept => gossipsub::MessageAcceptance::Accept,
                    Judgement::Reject => gossipsub::MessageAcceptance::Reject,
                };
                let gossip = &mut self.swarm.behaviour_mut().gossip;
                gossip.report_message_validation_result(&id, &via, acceptance);
            }
            Subject::Record { from, record } if judgement == Judgement::Accept => {
                let kept = self
                    .swarm
                    .behaviour_mut()
                    .kad
                    .store_mut()
                    .keep(from, record);
                if let Err(error) = kept {
                    tracing::debug!(%from, %error, "a record is not kept");
                }
            }
            Subject::Record { .. } => {}
            Subject::Peer(node) => {
                tracing::warn!(peer = %node, "cut off: it keeps to no protocol");
                if let Some(peer) = identity::peer_of(node) {
                    self.cut_off(peer, Instant::now());
                }
            }
        }
    }

    /// Ends all connections with a peer, and takes none for a while.
    fn cut_off(&mut self, peer: PeerId, now: Instant) {
        let blocked = &mut self.swarm.behaviour_mut().blocked;
        if !blocked.block_peer(peer) {
            return;
        }
        if let Some(back) = self.rates.cut_off(peer, now) {
            blocked.unblock_peer(back);
        }
    }

    fn tick(&mut self, now: Instant) {
        self.table.expire(now);
        while let Some(peer) = self.rates.pardon(now) {
            self.swarm.behaviour_mut().blocked.unblock_peer(peer);
        }
        for node in &mut self.bootstrap {
            if !self.swarm.is_connected(&node.peer) && node.again.is_due(now) {
                let dial = DialOpts::peer_id(node.peer)
                    .addresses(vec![node.address.clone()])
                    .build();
                // It is tried again later.
                let _ = self.swarm.dial(dial);
            }
        }
        self.listen_through_relays(now);
        self.fill(now);
    }

    fn listen_through_relays(&mut self, now: Instant) {
        let is_private = matches!(self.reachability(), Reachability::Private { .. });
        if is_private && self.circuits.is_empty() {
            let relays = self.relays.iter().take(RELAYS).cloned();
            self.circuits.extend(relays.filter_map(Circuit::new));
        }
        for circuit in &mut self.circuits {
            if circuit.listener.is_none() && circuit.again.is_due(now) {
                circuit.listener = self.swarm.listen_on(circuit.address.clone()).ok();
            }
        }
    }

    /// Fills the table of peers from those in it.
    fn fill(&mut self, now: Instant) {
        if let Some((query, since)) = self.filling {
            if now.duration_since(since) < STUCK {
                return;
            }
            tracing::warn!("filling the table of peers is stuck and begins again");
            if let Some(mut query) = self.swarm.behaviour_mut().kad.query_mut(&query) {
                query.finish();
            }
            self.filling = None;
            self.filled = None;
        }
        let is_due = self
            .filled
            .is_none_or(|filled| now.duration_since(filled) >= REFRESH);
        if is_due && self.swarm.connected_peers().next().is_some() {
            let query = self.swarm.behaviour_mut().kad.bootstrap().ok();
            self.filling = query.map(|query| (query, now));
        }
    }
}

fn bootstrap(texts: &[String]) -> Result<Vec<Bootstrap>, StartError> {
    let named = |text: &String| {
        let nobody = || StartError::Nobody { text: text.clone() };
        Bootstrap::new(node(text)?).ok_or_else(nobody)
    };
    texts.iter().map(named).collect()
}

/// Whether nobody listens on a TCP port. The transport would share it with whoever does, and each
/// would get some of the other's connections.
fn is_free(address: &Multiaddr) -> std::io::Result<()> {
    let mut parts = address.iter();
    let ip: IpAddr = match parts.next() {
        Some(Protocol::Ip4(ip)) => ip.into(),
        Some(Protocol::Ip6(ip)) => ip.into(),
        _ => return Ok(()),
    };
    match parts.next() {
        Some(Protocol::Tcp(port)) if port != 0 => TcpListener::bind((ip, port)).map(drop),
        _ => Ok(()),
    }
}

fn listen_error(address: &str, error: TransportError<std::io::Error>) -> StartError {
    match error {
        TransportError::Other(source) => StartError::Listen {
            address: address.to_owned(),
            source,
        },
        TransportError::MultiaddrNotSupported(_) => StartError::Address {
            text: address.to_owned(),
        },
    }
}

fn swarm_config(tasks: Tasks) -> swarm::Config {
    let spawn = move |task| {
        let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    };
    swarm::Config::with_executor(spawn)
        .with_smart_dial()
        // Of our own protocols the dialer offers one: it need not wait until that is agreed to.
        .with_substream_upgrade_protocol_override(upgrade::Version::V1Lazy)
        .with_idle_connection_timeout(IDLE)
        .with_max_negotiating_inbound_streams(NEGOTIATING)
}
