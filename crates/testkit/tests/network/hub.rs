//! A switch in this process, and cables from it to network namespaces: every frame goes through here, as
//! late as it is told to, and some are lost. Packets of all protocols are really late and really lost, and
//! the kernel needs nothing for it but TAP devices.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

use crate::apart::run;

const TUN: &str = "/dev/net/tun";
/// Frames that are on one cable at once, at most: what comes on top of that is lost, as on a real one.
const ON_THE_WAY: usize = 8_192;
/// Longer than any frame of these devices.
const FRAME: usize = 2_048;

/// How all cables are: both ways alike.
#[derive(Clone, Copy, Debug)]
pub struct Quality {
    /// How long a frame is on one cable. Between two nodes there are two of them.
    pub delay: Duration,
    /// Of 100 frames on one cable, how many are lost.
    pub loss: u64,
}

impl Quality {
    pub const GOOD: Self = Self {
        delay: Duration::ZERO,
        loss: 0,
    };
}

/// The switch. What it does ends with the process.
pub struct Hub {
    cables: Arc<[Cable]>,
    shared: Arc<Shared>,
}

struct Cable {
    name: String,
    device: File,
    /// What is on the way to the device, and when it is there.
    way: SyncSender<(Instant, Arc<[u8]>)>,
    is_cut: AtomicBool,
}

#[derive(Default)]
struct Shared {
    delay: AtomicU64,
    loss: AtomicU64,
    carried: AtomicU64,
    lost: AtomicU64,
}

/// Why there can be no hub, if there is a reason.
pub fn obstacle() -> Option<String> {
    if let Err(error) = run("ip -V") {
        return Some(format!("{error}: the package iproute2 has it"));
    }
    let device = File::options().read(true).write(true).open(TUN);
    device.err().map(|error| format!("{TUN}: {error}"))
}

/// Where a namespace of that name is.
pub fn namespace(name: &str) -> String {
    format!("/run/netns/{name}")
}

impl Hub {
    /// Lays one cable to this namespace, and one to each of these, which it makes. Each end has an
    /// address of one network of 256.
    pub fn lay(here: Ipv4Addr, others: &[(&str, Ipv4Addr)]) -> Self {
        // Names of namespaces are files: these are gone with this process, too.
        must("mount -t tmpfs tmpfs /run");
        must("mkdir /run/netns");
        must("ip link set lo up");
        let (first, way) = cable(0, "", here);
        let (mut cables, mut ways) = (vec![first], vec![way]);
        for (number, (name, address)) in (1..).zip(others) {
            must(&format!("ip netns add {name}"));
            must(&format!("ip -n {name} link set lo up"));
            let (cable, way) = cable(number, name, *address);
            cables.push(cable);
            ways.push(way);
        }
        let hub = Self {
            cables: cables.into(),
            shared: Arc::default(),
        };
        for (number, way) in ways.into_iter().enumerate() {
            let (cables, shared) = (hub.cables.clone(), hub.shared.clone());
            thread::spawn(move || shared.carry(&cables, number));
            let cables = hub.cables.clone();
            thread::spawn(move || deliver(&cables[number].device, &way));
        }
        hub
    }

    /// All cables are like that from now on.
    pub fn set(&self, quality: Quality) {
        let delay = quality.delay.as_micros() as u64;
        self.shared.delay.store(delay, Relaxed);
        self.shared.loss.store(quality.loss, Relaxed);
    }

    /// Cuts the cable to a namespace: nothing comes through, and nobody is told.
    pub fn cut(&self, name: &str) {
        self.to(name).is_cut.store(true, Relaxed);
    }

    pub fn mend(&self, name: &str) {
        self.to(name).is_cut.store(false, Relaxed);
    }

    fn to(&self, name: &str) -> &Cable {
        let mut cables = self.cables.iter();
        cables.find(|cable| cable.name == name).unwrap()
    }

    /// How many frames have come through so far, and how many have not.
    pub fn count(&self) -> (u64, u64) {
        let Shared { carried, lost, .. } = &*self.shared;
        (carried.load(Relaxed), lost.load(Relaxed))
    }
}

impl Shared {
    /// Takes frames from one cable to where they are for.
    fn carry(&self, cables: &[Cable], from: usize) {
        let mut dice = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(from as u64 + 1);
        let mut frame = [0; FRAME];
        while let Ok(len) = (&cables[from].device).read(&mut frame) {
            let way = 2 * Duration::from_micros(self.delay.load(Relaxed));
            let due = Instant::now() + way;
            let bytes: Arc<[u8]> = frame[..len].into();
            let others = (0_u8..).zip(cables);
            for (number, to) in others {
                if usize::from(number) == from || !is_for(&bytes, number) {
                    continue;
                }
                let is_lost = [&cables[from], to].iter().any(|cable| {
                    let drawn = draw(&mut dice) % 100 < self.loss.load(Relaxed);
                    drawn || cable.is_cut.load(Relaxed)
                });
                let is_under_way = !is_lost && to.way.try_send((due, bytes.clone())).is_ok();
                let counted = match is_under_way {
                    true => &self.carried,
                    false => &self.lost,
                };
                counted.fetch_add(1, Relaxed);
            }
        }
    }
}

/// Puts what is on a cable where it ends, each frame at its time.
fn deliver(device: &File, way: &Receiver<(Instant, Arc<[u8]>)>) {
    let mut device = device;
    for (due, frame) in way {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // Fails while nobody has switched the other end on.
        let _ = device.write(&frame);
    }
}

/// The hardware address at the end of a cable.
fn hardware(number: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, number]
}

/// Whether a frame is for the end of that cable, or for all.
fn is_for(frame: &[u8], to: u8) -> bool {
    let is_for_all = frame.first().is_some_and(|byte| byte & 1 == 1);
    is_for_all || frame.starts_with(&hardware(to))
}

fn draw(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state >> 33
}

fn must(line: &str) {
    run(line).unwrap();
}

type Way = Receiver<(Instant, Arc<[u8]>)>;

/// A cable to the namespace of that name, or to this one if there is no name.
fn cable(number: u8, name: &str, address: Ipv4Addr) -> (Cable, Way) {
    let link = format!("cable{number}");
    let device = tap(&link).unwrap();
    let hardware = hardware(number).map(|byte| format!("{byte:02x}"));
    let hardware = hardware.join(":");
    must(&format!("ip link set {link} address {hardware}"));
    let place = match name {
        "" => String::new(),
        name => {
            must(&format!("ip link set {link} netns {name}"));
            format!("-n {name} ")
        }
    };
    must(&format!("ip {place}addr add {address}/24 dev {link}"));
    must(&format!("ip {place}link set {link} up"));
    let (way, end) = sync_channel(ON_THE_WAY);
    let cable = Cable {
        name: name.into(),
        device,
        way,
        is_cut: AtomicBool::new(false),
    };
    (cable, end)
}

/// `struct ifreq`, as far as this takes it.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// `TUNSETIFF`, and `IFF_TAP | IFF_NO_PI`: frames, with nothing before them.
const SET: Opcode = opcode::write::<i32>(b'T', 202);
const FRAMES: u16 = 0x0002 | 0x1000;

/// Makes a network device whose wire is this file.
#[allow(unsafe_code)]
fn tap(name: &str) -> io::Result<File> {
    let device = File::options().read(true).write(true).open(TUN)?;
    let mut request = Request {
        name: [0; 16],
        flags: FRAMES,
        rest: [0; 22],
    };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: the call reads and writes one `struct ifreq`, of 40 bytes, and `Request` has that many.
    unsafe { ioctl(&device, Updater::<SET, Request>::new(&mut request))? };
    Ok(device)
}
