//! A TUN device in a network namespace that somebody else holds.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::thread;

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tun_rs::{DeviceBuilder, SyncDevice};

/// The device's name in each namespace; scenarios address it with `ip`.
pub const NAME: &str = "cable";

/// All addresses lie in 192.0.2.0/24 (RFC 5737).
const PREFIX: u8 = 24;

/// Opens a device in the namespace of process `pid`, up and with `address`.
///
/// # Errors
/// Without the right to enter the namespace or to open the device.
pub fn open(pid: u32, address: Ipv4Addr) -> Result<SyncDevice> {
    // A thread of its own, because it stays in the namespace; the device does not care.
    let opened = thread::spawn(move || {
        let path = format!("/proc/{pid}/ns/net");
        let namespace = File::open(&path).with_context(|| format!("opening {path}"))?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .with_context(|| format!("entering {path}"))?;
        let device = DeviceBuilder::new().name(NAME).ipv4(address, PREFIX, None).build_sync();
        device.with_context(|| format!("opening /dev/net/tun for {address}"))
    });
    opened.join().expect("opening a device does not panic")
}
