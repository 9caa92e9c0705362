//! `wasi:sockets`: every function is there, as programs import them whether they use them or not,
//! and none leads anywhere. No socket can be made, so no method of one is ever called.

use wasmtime::{
    Error,
    component::{ComponentType, Lift, Linker, Lower, Resource},
};

use super::{
    VERSION,
    io::{Failure, InputStream, OutputStream, Pollable},
};
use crate::{
    host::{Call, Host, Interface, Record, Recorder, Stop, bind::wit_enum},
    profile::Rules,
};

wit_enum! {
    /// `wasi:sockets/network.error-code`.
    enum ErrorCode {
        Unknown = "unknown",
        AccessDenied = "access-denied",
        NotSupported = "not-supported",
        InvalidArgument = "invalid-argument",
        OutOfMemory = "out-of-memory",
        Timeout = "timeout",
        ConcurrencyConflict = "concurrency-conflict",
        NotInProgress = "not-in-progress",
        WouldBlock = "would-block",
        InvalidState = "invalid-state",
        NewSocketLimit = "new-socket-limit",
        AddressNotBindable = "address-not-bindable",
        AddressInUse = "address-in-use",
        RemoteUnreachable = "remote-unreachable",
        ConnectionRefused = "connection-refused",
        ConnectionReset = "connection-reset",
        ConnectionAborted = "connection-aborted",
        DatagramTooLarge = "datagram-too-large",
        NameUnresolvable = "name-unresolvable",
        TemporaryResolverFailure = "temporary-resolver-failure",
        PermanentResolverFailure = "permanent-resolver-failure",
    }
}

wit_enum! {
    /// `wasi:sockets/network.ip-address-family`.
    enum Family { Ipv4 = "ipv4", Ipv6 = "ipv6" }
}

wit_enum! {
    /// `wasi:sockets/tcp.shutdown-type`.
    enum Shutdown { Receive = "receive", Send = "send", Both = "both" }
}

type Ipv4 = (u8, u8, u8, u8);
type Ipv6 = (u16, u16, u16, u16, u16, u16, u16, u16);

/// `wasi:sockets/network.ip-address`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
#[allow(dead_code)]
enum Address {
    #[component(name = "ipv4")]
    V4(Ipv4),
    #[component(name = "ipv6")]
    V6(Ipv6),
}

/// `wasi:sockets/network.ipv4-socket-address`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Ipv4SocketAddress {
    #[component(name = "port")]
    port: u16,
    #[component(name = "address")]
    address: Ipv4,
}

/// `wasi:sockets/network.ipv6-socket-address`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Ipv6SocketAddress {
    #[component(name = "port")]
    port: u16,
    #[component(name = "flow-info")]
    flow_info: u32,
    #[component(name = "address")]
    address: Ipv6,
    #[component(name = "scope-id")]
    scope_id: u32,
}

/// `wasi:sockets/network.ip-socket-address`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum SocketAddress {
    #[component(name = "ipv4")]
    V4(Ipv4SocketAddress),
    #[component(name = "ipv6")]
    V6(Ipv6SocketAddress),
}

/// `wasi:sockets/udp.incoming-datagram`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct IncomingDatagram {
    #[component(name = "data")]
    data: Vec<u8>,
    #[component(name = "remote-address")]
    remote_address: SocketAddress,
}

/// `wasi:sockets/udp.outgoing-datagram`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct OutgoingDatagram {
    #[component(name = "data")]
    data: Vec<u8>,
    #[component(name = "remote-address")]
    remote_address: Option<SocketAddress>,
}

/// The host's side of `network`: a name for what is not there.
struct Network;
/// The host's side of `tcp-socket`, of which there is none.
struct Tcp;
/// The host's side of `udp-socket`, of which there is none.
struct Udp;
/// The host's side of `incoming-datagram-stream`, of which there is none.
struct Incoming;
/// The host's side of `outgoing-datagram-stream`, of which there is none.
struct Outgoing;
/// The host's side of `resolve-address-stream`, of which there is none.
struct Resolved;

/// The answer to everything.
fn denied<P, T>(_: &mut Call<'_>, _: P) -> Result<(Result<T, ErrorCode>,), Error> {
    Ok((Err(ErrorCode::AccessDenied),))
}

/// For methods without an error to answer with.
fn impossible<P, R>(_: &mut Call<'_>, _: P) -> Result<R, Error> {
    Err(Stop::Trap("a method of a socket that was never made").into())
}

pub(super) fn define(linker: &mut Linker<Host>, rules: &'static Rules) -> wasmtime::Result<()> {
    let mut network = Interface::new(linker, "wasi:sockets/network", VERSION, rules)?;
    network.resource::<Network>("network")?;
    network.func("network-error-code", |_, (_,): (Resource<Failure>,)| {
        Ok((None::<ErrorCode>,))
    })?;
    let mut instance = Interface::new(linker, "wasi:sockets/instance-network", VERSION, rules)?;
    instance.func("instance-network", |call, ()| Ok((call.keep(Network)?,)))?;
    lookup(&mut Interface::new(
        linker,
        "wasi:sockets/ip-name-lookup",
        VERSION,
        rules,
    )?)?;
    tcp(&mut Interface::new(
        linker,
        "wasi:sockets/tcp",
        VERSION,
        rules,
    )?)?;
    let mut create = Interface::new(linker, "wasi:sockets/tcp-create-socket", VERSION, rules)?;
    create.func("create-tcp-socket", denied::<(Family,), Resource<Tcp>>)?;
    udp(&mut Interface::new(
        linker,
        "wasi:sockets/udp",
        VERSION,
        rules,
    )?)?;
    let mut create = Interface::new(linker, "wasi:sockets/udp-create-socket", VERSION, rules)?;
    create.func("create-udp-socket", denied::<(Family,), Resource<Udp>>)
}

fn lookup(lookup: &mut Interface<'_>) -> wasmtime::Result<()> {
    type This = (Resource<Resolved>,);
    lookup.resource::<Resolved>("resolve-address-stream")?;
    lookup.func(
        "[method]resolve-address-stream.resolve-next-address",
        denied::<This, Option<Address>>,
    )?;
    lookup.func(
        "[method]resolve-address-stream.subscribe",
        impossible::<This, (Resource<Pollable>,)>,
    )?;
    lookup.func(
        "resolve-addresses",
        denied::<(Resource<Network>, String), Resource<Resolved>>,
    )
}

fn tcp(tcp: &mut Interface<'_>) -> wasmtime::Result<()> {
    type This = (Resource<Tcp>,);
    type Streams = (Resource<InputStream>, Resource<OutputStream>);
    type Accepted = (Resource<Tcp>, Resource<InputStream>, Resource<OutputStream>);
    type To = (Resource<Tcp>, Resource<Network>, SocketAddress);
    tcp.resource::<Tcp>("tcp-socket")?;
    for name in ["start-bind", "start-connect"] {
        tcp.func(&method("tcp-socket", name), denied::<To, ()>)?;
    }
    for name in ["finish-bind", "start-listen", "finish-listen"] {
        tcp.func(&method("tcp-socket", name), denied::<This, ()>)?;
    }
    tcp.func("[method]tcp-socket.finish-connect", denied::<This, Streams>)?;
    tcp.func("[method]tcp-socket.accept", denied::<This, Accepted>)?;
    for name in ["local-address", "remote-address"] {
        tcp.func(&method("tcp-socket", name), denied::<This, SocketAddress>)?;
    }
    tcp.func(
        "[method]tcp-socket.is-listening",
        impossible::<This, (bool,)>,
    )?;
    tcp.func(
        "[method]tcp-socket.address-family",
        impossible::<This, (Family,)>,
    )?;
    tcp.func(
        "[method]tcp-socket.keep-alive-enabled",
        denied::<This, bool>,
    )?;
    tcp.func(
        "[method]tcp-socket.set-keep-alive-enabled",
        denied::<(Resource<Tcp>, bool), ()>,
    )?;
    tcp.func("[method]tcp-socket.keep-alive-count", denied::<This, u32>)?;
    tcp.func(
        "[method]tcp-socket.set-keep-alive-count",
        denied::<(Resource<Tcp>, u32), ()>,
    )?;
    tcp.func("[method]tcp-socket.hop-limit", denied::<This, u8>)?;
    tcp.func(
        "[method]tcp-socket.set-hop-limit",
        denied::<(Resource<Tcp>, u8), ()>,
    )?;
    for name in [
        "keep-alive-idle-time",
        "keep-alive-interval",
        "receive-buffer-size",
        "send-buffer-size",
    ] {
        tcp.func(&method("tcp-socket", name), denied::<This, u64>)?;
        let set = format!("set-{name}");
        tcp.func(
            &method("tcp-socket", &set),
            denied::<(Resource<Tcp>, u64), ()>,
        )?;
    }
    tcp.func(
        "[method]tcp-socket.set-listen-backlog-size",
        denied::<(Resource<Tcp>, u64), ()>,
    )?;
    tcp.func(
        "[method]tcp-socket.subscribe",
        impossible::<This, (Resource<Pollable>,)>,
    )?;
    tcp.func(
        "[method]tcp-socket.shutdown",
        denied::<(Resource<Tcp>, Shutdown), ()>,
    )
}

fn udp(udp: &mut Interface<'_>) -> wasmtime::Result<()> {
    type This = (Resource<Udp>,);
    type To = (Resource<Udp>, Resource<Network>, SocketAddress);
    udp.resource::<Udp>("udp-socket")?;
    udp.resource::<Incoming>("incoming-datagram-stream")?;
    udp.resource::<Outgoing>("outgoing-datagram-stream")?;
    udp.func("[method]udp-socket.start-bind", denied::<To, ()>)?;
    udp.func("[method]udp-socket.finish-bind", denied::<This, ()>)?;
    udp.func(
        "[method]udp-socket.stream",
        denied::<(Resource<Udp>, Option<SocketAddress>), (Resource<Incoming>, Resource<Outgoing>)>,
    )?;
    for name in ["local-address", "remote-address"] {
        udp.func(&method("udp-socket", name), denied::<This, SocketAddress>)?;
    }
    udp.func(
        "[method]udp-socket.address-family",
        impossible::<This, (Family,)>,
    )?;
    udp.func("[method]udp-socket.unicast-hop-limit", denied::<This, u8>)?;
    udp.func(
        "[method]udp-socket.set-unicast-hop-limit",
        denied::<(Resource<Udp>, u8), ()>,
    )?;
    for name in ["receive-buffer-size", "send-buffer-size"] {
        udp.func(&method("udp-socket", name), denied::<This, u64>)?;
        let set = format!("set-{name}");
        udp.func(
            &method("udp-socket", &set),
            denied::<(Resource<Udp>, u64), ()>,
        )?;
    }
    udp.func(
        "[method]udp-socket.subscribe",
        impossible::<This, (Resource<Pollable>,)>,
    )?;
    datagrams(udp)
}

fn datagrams(udp: &mut Interface<'_>) -> wasmtime::Result<()> {
    type Receive = (Resource<Incoming>, u64);
    type Send = (Resource<Outgoing>, Vec<OutgoingDatagram>);
    udp.func(
        "[method]incoming-datagram-stream.receive",
        denied::<Receive, Vec<IncomingDatagram>>,
    )?;
    udp.func(
        "[method]incoming-datagram-stream.subscribe",
        impossible::<(Resource<Incoming>,), (Resource<Pollable>,)>,
    )?;
    udp.func(
        "[method]outgoing-datagram-stream.check-send",
        denied::<(Resource<Outgoing>,), u64>,
    )?;
    udp.func("[method]outgoing-datagram-stream.send", denied::<Send, u64>)?;
    udp.func(
        "[method]outgoing-datagram-stream.subscribe",
        impossible::<(Resource<Outgoing>,), (Resource<Pollable>,)>,
    )
}

fn method(resource: &str, name: &str) -> String {
    format!("[method]{resource}.{name}")
}

impl Record for Address {
    fn record(&self, to: &mut Recorder) {
        match self {
            Self::V4(address) => (0_u8, *address).record(to),
            Self::V6(address) => (1_u8, *address).record(to),
        }
    }
}

impl Record for SocketAddress {
    fn record(&self, to: &mut Recorder) {
        match self {
            Self::V4(it) => (0_u8, it.port, it.address).record(to),
            Self::V6(it) => {
                (1_u8, it.port, it.flow_info, it.address, it.scope_id).record(to);
            }
        }
    }
}

impl Record for IncomingDatagram {
    fn record(&self, to: &mut Recorder) {
        self.data.record(to);
        self.remote_address.record(to);
    }
}

impl Record for OutgoingDatagram {
    fn record(&self, to: &mut Recorder) {
        self.data.record(to);
        self.remote_address.record(to);
    }
}

crate::host::record::lists!(IncomingDatagram, OutgoingDatagram);
