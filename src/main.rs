//! The `signpost` binary.

use std::path::Path;

use clap::Parser as _;
use signpost::cli::exit::{Exit, Failure, OrExit as _};
use signpost::cli::{
    Cli, Command, ModelCommand, allocator, attempt, bench, check, diagnose, installed, log, model,
    password, provision, read, run, setup_code,
};
use signpost::config;
use signpost::recognition::exchange;

fn main() {
    let cli = Cli::parse();
    let exit = match command(&cli) {
        Ok(()) => Exit::Done,
        Err(failure) => {
            failure.tell();
            failure.exit
        }
    };
    exit.end()
}

fn command(cli: &Cli) -> Result<(), Failure> {
    // Needs nothing but what it is given, and may come to harm.
    if let Command::Model(ModelCommand::Try(args)) = &cli.command {
        return attempt::attempt(args);
    }
    let config = match (&cli.command, cli.load()) {
        (Command::Check, config) => {
            // A configuration of one's own is not the service's.
            let own = cli.config.is_some();
            let service = if own { None } else { installed::Service::of_this_device() };
            return check::check(config, service.as_ref());
        }
        (Command::Provision, config) => {
            let plain = config::read(&[], Path::new("/")).or_exit(Exit::Configuration)?;
            log::start(&plain.log);
            return provision::provision(cli.config.as_deref(), config);
        }
        (_, config) => config.or_exit(Exit::Configuration)?,
    };
    let journal = log::start(&config.log);
    match &cli.command {
        Command::Run(args) => {
            allocator::settle();
            run::run(args, config, journal)
        }
        Command::Read(args) => {
            read::read(args, &exchange::active(&config.model, config.state_dir()))
        }
        Command::Bench(args) => bench::bench(args, &config),
        Command::Model(command) => model::model(command, cli.config.as_deref(), &config),
        Command::Password => password::set(&config),
        Command::Diagnose(args) => {
            let own = cli.config.is_some();
            let service = if own { None } else { installed::Service::of_this_device() };
            diagnose::diagnose(args, &config, service.as_ref())
        }
        Command::SetupCode => setup_code::tell(&config),
        Command::Check | Command::Provision => unreachable!("they have returned already"),
    }
}
