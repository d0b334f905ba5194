//! A network with a middle: moves packets between the namespace of a device and
//! those of its visitors, and does on the way what networks do. Commands come on
//! the standard input, a line each (see command.rs); its end ends the program.
//!
//! In user space, because not every kernel that runs these tests has netem.

mod command;
mod link;
mod middle;
mod tunnel;

use std::io::BufRead as _;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use anyhow::{Context, Error, Result};
use clap::Parser;
use tun_rs::SyncDevice;

use link::Link;
use middle::{Event, Middle, Visitor};

/// Packets between the readers and the middle: what a TUN device itself queues.
const WAITING: usize = 512;

/// Longest packet; the devices' MTU is 1500.
const PACKET_BYTES: usize = 1500;

/// The device's address.
const DEVICE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

#[derive(Parser)]
struct Arguments {
    /// Decides what is lost.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A process in the device's namespace.
    #[arg(long)]
    device: u32,
    /// NAME:PID:ADDRESS of a visitor.
    #[arg(long = "visitor", required = true)]
    visitors: Vec<Place>,
}

#[derive(Clone)]
struct Place {
    name: String,
    pid: u32,
    address: Ipv4Addr,
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().context("NAME:PID:ADDRESS is expected");
        Ok(Self { name: part()?.to_owned(), pid: part()?.parse()?, address: part()?.parse()? })
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let (post, events) = sync_channel(WAITING);
    let device = Arc::new(tunnel::open(arguments.device, DEVICE)?);
    read_packets(Arc::clone(&device), post.clone(), Event::FromDevice);
    let mut visitors = Vec::new();
    for (number, place) in arguments.visitors.into_iter().enumerate() {
        let tunnel = Arc::new(tunnel::open(place.pid, place.address)?);
        let from = move |packet| Event::FromVisitor(number, packet);
        read_packets(Arc::clone(&tunnel), post.clone(), from);
        let seed = arguments.seed.wrapping_mul(1000).wrapping_add(2 * number as u64);
        let (down, up) = (Link::new(seed), Link::new(seed + 1));
        visitors.push((Visitor { name: place.name, tunnel, down, up }, place.address));
    }
    thread::spawn(move || read_commands(&post));
    println!("ready");
    Middle::new(device, visitors).run(&events);
    Ok(())
}

fn read_packets(
    tunnel: Arc<SyncDevice>,
    post: SyncSender<Event>,
    event: impl Fn(Vec<u8>) -> Event + Send + 'static,
) {
    thread::spawn(move || {
        let mut buffer = [0; PACKET_BYTES];
        while let Ok(length) = tunnel.recv(&mut buffer) {
            if post.send(event(buffer[..length].to_vec())).is_err() {
                break;
            }
        }
    });
}

fn read_commands(post: &SyncSender<Event>) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match command::parse(&line) {
            Ok(command) => drop(post.send(Event::Command(Some(command)))),
            Err(error) => println!("error: {error}"),
        }
    }
    let _ = post.send(Event::Command(None));
}
