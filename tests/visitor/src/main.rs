//! Viewers that do not decode, and visitors that behave badly: what the chaos
//! programs start in a visitor's namespace. Each figure is a line of JSON.

#![allow(
    clippy::unwrap_used,
    reason = "the peer is shared with the tests, where a panic is a result"
)]
#![allow(dead_code, reason = "the tests use more of the peer than this")]

#[path = "../../peer/receiver.rs"]
mod receiver;

mod bare;
mod cycles;
mod hostile;
mod messages;
mod reads;
mod rude;
mod watch;
mod whep;

use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use whep::Device;

#[derive(Parser)]
struct Arguments {
    /// Of a login, for a device that asks for one.
    #[arg(long, env = "SIGNPOST_TOKEN", global = true)]
    token: Option<String>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Prints the token of a login.
    Login { url: String, password: String },
    /// Prints what the device says on a path.
    Get { url: String, path: String },
    /// Viewers that count their pictures.
    Watch {
        /// As the device prints it.
        url: String,
        /// How many.
        #[arg(long, default_value_t = 1)]
        viewers: usize,
        /// For how long.
        #[arg(long, default_value_t = 60.0)]
        seconds: f64,
        /// Leaves after this many pictures.
        #[arg(long)]
        pictures: Option<u64>,
        /// Answers no keepalive.
        #[arg(long)]
        silent: bool,
        /// Sends no transport-wide feedback.
        #[arg(long)]
        reports_alone: bool,
    },
    /// A viewer who decodes the picture and waits until a text is read.
    Read {
        /// As the device prints it.
        url: String,
        text: String,
        #[arg(long, default_value_t = 120.0)]
        seconds: f64,
    },
    /// Visitors who come and go.
    Cycles {
        /// As the device prints it.
        url: String,
        #[arg(long)]
        count: u32,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// The same without signpost: two bare webrtcbins in this process.
    Bare {
        #[arg(long)]
        count: u32,
    },
    /// 10,000 offers a minute.
    Offers {
        url: String,
        #[arg(long)]
        seconds: f64,
    },
    /// One offer in each form, which prints the answers.
    Ask { url: String },
    /// An offer that nobody follows up.
    Abandon { url: String },
    /// Requests whose bodies never end.
    Loris {
        /// HOST:PORT
        address: String,
        #[arg(long, default_value_t = 50)]
        many: usize,
        #[arg(long)]
        seconds: f64,
    },
    /// Random and hostile requests, without a login.
    Hostile {
        /// HOST:PORT
        address: String,
        /// Requests a second.
        #[arg(long, default_value_t = 1000.0)]
        rate: f64,
        #[arg(long)]
        seconds: f64,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Too many data-channel messages.
    Messages {
        url: String,
        #[arg(long)]
        bytes: u64,
        #[arg(long)]
        seconds: f64,
    },
    /// Messages on a channel that the visitor closed.
    Closed {
        url: String,
        #[arg(long)]
        seconds: f64,
    },
}

fn main() {
    match visit() {
        Ok(()) => end(0),
        Err(error) => {
            eprintln!("Error: {error:?}");
            end(1)
        }
    }
}

/// Ends the process without the libraries' exit handlers: a thread of GLib that ends just
/// then uses what OpenSSL's frees (its issue 6214), and the visitor would have crashed.
fn end(code: i32) -> ! {
    // Who closed standard output wants nothing more of it.
    let _ = std::io::stdout().flush();
    signal_hook::low_level::exit(code)
}

fn visit() -> Result<()> {
    let Arguments { token, what } = Arguments::parse();
    let at = |url: &str| Device::at(url, token.clone());
    match what {
        What::Login { url, password } => {
            let token = at(&url).log_in(&password)?;
            watch::print(&serde_json::json!({ "event": "login", "token": token }));
            Ok(())
        }
        What::Get { url, path } => {
            println!("{}", at(&url).get(&path)?);
            Ok(())
        }
        What::Watch { url, viewers, seconds, pictures, silent, reports_alone } => {
            let duration = Duration::from_secs_f64(seconds);
            let visit = watch::Visit { duration, pictures, silent, reports_alone };
            watch::watch(&at(&url), viewers, visit)
        }
        What::Read { url, text, seconds } => {
            reads::read(&at(&url), &text, Duration::from_secs_f64(seconds))
        }
        What::Cycles { url, count, seed } => cycles::cycles(&url, &at(&url), count, seed),
        What::Bare { count } => bare::cycles(count),
        What::Offers { url, seconds } => {
            rude::offers(&at(&url), Duration::from_secs_f64(seconds));
            Ok(())
        }
        What::Ask { url } => watch::ask(&at(&url)),
        What::Abandon { url } => watch::abandon(&at(&url)),
        What::Loris { address, many, seconds } => {
            let token = token.unwrap_or_default();
            rude::loris(&address, &token, many, Duration::from_secs_f64(seconds))
        }
        What::Hostile { address, rate, seconds, seed } => {
            hostile::hostile(&address, rate, Duration::from_secs_f64(seconds), seed);
            Ok(())
        }
        What::Messages { url, bytes, seconds } => {
            messages::flood(&at(&url), bytes, Duration::from_secs_f64(seconds))
        }
        What::Closed { url, seconds } => {
            messages::after_closing(&at(&url), Duration::from_secs_f64(seconds))
        }
    }
}
