//! `signpost password`: reads a password and stores its hash.

use std::io::{self, BufRead, IsTerminal};

use anyhow::{Context as _, anyhow, ensure};

use super::exit::{Exit, Failure, OrExit as _};
use crate::config::Config;
use crate::http::access::accounts::ADMINISTRATOR;
use crate::http::access::{password, setup};

/// A line longer than the longest password is cut and then refused.
const LONGEST_LINE: u64 = 4 * password::LONGEST as u64 + 2;

/// Sets the password that `config` names the file of.
pub fn set(config: &Config) -> Result<(), Failure> {
    let password = ask().or_exit(Exit::Usage)?;
    let hash = password::hash(&password, &[ADMINISTRATOR]).or_exit(Exit::Usage)?;
    let file = &config.access.password_file;
    password::write(file, &hash).or_exit(Exit::Configuration)?;
    // Its code is of no use any more, and would be if the password were lost.
    match std::fs::remove_file(setup::file(config.state_dir())) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(anyhow!("removing the set-up code: {error}")).or_exit(Exit::Configuration);
        }
        _ => {}
    }
    println!(
        "the password is set in {}; a running signpost ends all earlier logins",
        file.display()
    );
    Ok(())
}

/// From a terminal twice and without echo, else one line of standard input.
fn ask() -> anyhow::Result<String> {
    if io::stdin().is_terminal() {
        let first = rpassword::prompt_password("New password: ").context("reading the password")?;
        let again = rpassword::prompt_password("Once more: ").context("reading the password")?;
        ensure!(first == again, "the two passwords differ: nothing is changed");
        return Ok(first);
    }
    first_line(io::stdin().lock())
}

/// One line, without its end.
pub(super) fn first_line(input: impl BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    input.take(LONGEST_LINE).read_line(&mut line).context("reading the password")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn line_end_is_no_part_of_the_password_and_spaces_are() {
        assert_eq!(first_line(&b" a b \r\nrest"[..]).unwrap(), " a b ");
        assert_eq!(first_line(&b""[..]).unwrap(), "");
        assert!(first_line(&b"\xff\n"[..]).is_err());
        let endless = first_line(io::BufReader::new(io::repeat(b'x'))).unwrap();
        assert!(password::hash(&endless, &[]).is_err());
    }
}
