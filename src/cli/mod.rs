//! The command line: what can be asked, and how the program ends.

pub mod allocator;
pub mod attempt;
pub mod bench;
mod bench_live;
pub mod check;
pub mod clip;
pub mod diagnose;
pub mod exit;
pub mod installed;
pub mod log;
pub mod model;
mod owners;
pub mod password;
pub mod provision;
pub mod read;
mod reload;
pub mod run;
pub mod setup_code;
mod systemd;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, ConfigError, Layer};

/// Firmware of an edge camera: shows its picture live and reads what it signs.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Configuration file, in place of /etc/signpost/signpost.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Capture, recognise and serve the page until a signal ends it
    Run(RunArgs),
    /// Say what `run` would do, and whether it could
    Check,
    /// Read the signs in a video file, as fast as possible
    Read(ReadArgs),
    /// Measure how fast this device recognises
    Bench(BenchArgs),
    /// Check model bundles, and say which one reads
    #[command(subcommand)]
    Model(ModelCommand),
    /// Set the password of the page and the API
    #[command(long_about = "Set the password of the page and the API. It is read without echo \
        from a terminal, or as one line from standard input.")]
    Password,
    /// Tell the code that the page of a new device asks for
    SetupCode,
    /// Find out why a viewer sees nothing: go a viewer's way to a device, step by step
    #[command(long_about = "Find out why a viewer sees nothing: go a viewer's way to a device, \
        step by step, from the look-up of its name to a decoded picture and a prediction. Each \
        step passes or fails, with what it took and what to do. The password is read without \
        echo from a terminal, or as one line from standard input.")]
    Diagnose(DiagnoseArgs),
    /// Take set-up data from the boot partition, as root, before the service starts
    #[command(
        long_about = "Take set-up data from the folder signpost of the boot partition, once: \
        signpost.toml, setup-code, token, wifi.nmconnection, authority.pem and .key, \
        certificate.pem and .key, reset-password. What is taken is removed there; what is \
        wrong stays."
    )]
    Provision,
}

/// `signpost run`
#[derive(Args, Debug, Default)]
pub struct RunArgs {
    /// Where pictures come from: auto, demo, test, v4l2:/dev/DEVICE, libcamera, file:PATH or
    /// rtsp:URL
    #[arg(long)]
    pub source: Option<String>,
    /// Address to listen on, ADDRESS:PORT; port 0 takes a free one; may be repeated
    #[arg(long, value_name = "ADDR")]
    pub listen: Vec<String>,
    /// Address to listen on with TLS, ADDRESS:PORT; may be repeated
    #[arg(long, value_name = "ADDR")]
    pub listen_https: Vec<String>,
    /// Ask for no login; refused unless every listening address is loopback
    #[arg(long)]
    pub open: bool,
}

/// `signpost read`
#[derive(Args, Debug)]
pub struct ReadArgs {
    /// Video file
    pub clip: PathBuf,
    /// One JSON line for every frame and a summary, in place of the transcript
    #[arg(long)]
    pub json: bool,
    /// Folder of the model bundle, in place of the configured one
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Resample the clip to this many frames a second first
    #[arg(long, value_name = "N", value_parser = frames_per_second)]
    pub fps: Option<f64>,
}

/// `signpost model`
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Say whether a bundle is good and works on this device, or what is wrong with it
    Check {
        /// The bundle's folder
        bundle: PathBuf,
    },
    /// Have a bundle read from now on, if it is good
    #[command(long_about = "Have a bundle read from now on, if it is good. It is copied into the \
        state directory, tried, and taken up by the running service at once, else by the next \
        one; in its first minute it is put back if it fails.")]
    Use {
        /// The bundle's folder, or the name or id of one that is on this device
        bundle: PathBuf,
    },
    /// Put the archive on standard input, or a bundle of the store, up for activation
    #[command(hide = true)]
    Put {
        /// Name of a bundle of the store; none for an archive
        name: Option<String>,
    },
    /// Try a bundle in this very process
    #[command(hide = true)]
    Try(TryArgs),
}

/// `signpost model try`
#[derive(Args, Debug)]
pub struct TryArgs {
    /// The bundle's folder
    pub bundle: PathBuf,
    /// libLiteRt.so
    #[arg(long)]
    pub runtime: PathBuf,
    /// Folder of the hand models
    #[arg(long)]
    pub hands: Option<PathBuf>,
}

/// `signpost bench`
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// The figures as JSON
    #[arg(long)]
    pub json: bool,
    /// Video file to recognise, in place of the bundle's golden clip
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// Keep the figures in a file, as a baseline for later
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Tell how much of the figures in that file these are
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
}

/// `signpost diagnose`
#[derive(Args, Debug)]
pub struct DiagnoseArgs {
    /// Address of the device, as in a browser; this device if left out
    pub url: Option<String>,
    /// One JSON line for every step and a summary
    #[arg(long)]
    pub json: bool,
    /// Who logs in, in place of admin
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// File with a token, in place of user and password
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    pub token_file: Option<PathBuf>,
    /// Certificate of the authority that has signed the device's, from its page /trust
    #[arg(long, value_name = "FILE")]
    pub authority: Option<PathBuf>,
    /// Send password or token to another device without TLS too, where all can listen
    #[arg(long)]
    pub plain: bool,
}

fn frames_per_second(text: &str) -> Result<f64, String> {
    let fps: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (1.0..=120.0).contains(&fps) { Ok(fps) } else { Err("allowed is 1 to 120".to_owned()) }
}

impl Cli {
    /// The configuration with this command's arguments on top.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let arguments = match &self.command {
            Command::Run(run) => run.layers(),
            _ => Vec::new(),
        };
        config::load(self.config.as_deref(), arguments)
    }
}

impl RunArgs {
    fn layers(&self) -> Vec<Layer> {
        let source =
            self.source.iter().map(|text| Layer::argument("--source", "camera", "source", text));
        let listen = (!self.listen.is_empty())
            .then(|| Layer::argument("--listen", "http", "listen", &self.listen.join(",")));
        let https = (!self.listen_https.is_empty()).then(|| {
            let addresses = self.listen_https.join(",");
            Layer::argument("--listen-https", "http", "listen_https", &addresses)
        });
        source.chain(listen).chain(https).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_of_run_become_layers_over_everything() {
        let line =
            ["signpost", "run", "--source", "demo", "--listen", "127.0.0.1:0", "--listen=[::1]:0"];
        let cli = Cli::try_parse_from(line).unwrap();
        let Command::Run(run) = &cli.command else { panic!("run was asked") };
        let config = config::read(&run.layers(), std::path::Path::new("/")).unwrap();
        assert_eq!(config.cameras[0].source, config::Source::Demo);
        assert_eq!(config.http.listen.len(), 2);
    }

    #[test]
    fn frames_per_second_have_a_range() {
        for wrong in ["0", "-1", "NaN", "inf", "121", "x"] {
            assert!(frames_per_second(wrong).is_err(), "{wrong}");
        }
        assert_eq!(frames_per_second("12.5"), Ok(12.5));
    }
}
