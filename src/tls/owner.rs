//! The one owner of keys and certificates: a thread that makes and renews them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;

use super::authority::{Authority, Certificate, CertificateError, Names, request};
use super::brought::{check, with_key};
use super::store::{Kept, Store};
use super::{Ask, Serving, Source, State, Tls, TlsError};
use crate::errors;

/// The clock, names and addresses are looked at so often.
const LOOK: Duration = Duration::from_secs(20);
/// Asked at the same time; each is answered within milliseconds.
const ASKS: usize = 8;

/// What the owner needs.
pub struct Settings {
    /// Keys and certificates are kept below it.
    pub state_dir: PathBuf,
    /// What the device is opened by now.
    pub names: Box<dyn Fn() -> Names + Send>,
    /// When this program was built; a clock that says less is wrong.
    pub built: SystemTime,
    /// The time.
    pub clock: fn() -> SystemTime,
}

/// A handle, and the thread behind it, which ends with the last handle.
#[derive(Debug)]
pub struct Started {
    /// For the server and the routes.
    pub tls: Tls,
    /// Joined at the end.
    pub owner: JoinHandle<()>,
}

/// Reads what was kept, makes what is missing, and goes on doing so.
///
/// # Errors
/// The system gives no thread.
pub fn start(settings: Settings) -> std::io::Result<Started> {
    let (asks, asked) = mpsc::sync_channel(ASKS);
    let store = Store::new(&settings.state_dir);
    let mut kept = store.read();
    for complaint in std::mem::take(&mut kept.complaints) {
        log::warn!("{complaint}: it is made anew");
    }
    let (publish, state) = watch::channel(State::Waiting("starting".to_owned()));
    let owner = Owner::new(settings, store, kept, publish);
    let owner = std::thread::Builder::new().name("tls".to_owned()).spawn(|| owner.run(asked))?;
    Ok(Started { tls: Tls { state, asks }, owner })
}

struct Owner {
    settings: Settings,
    store: Store,
    kept: Kept,
    publish: watch::Sender<State>,
    /// What was last said to be wrong.
    said: Option<String>,
    /// Whether something of `kept` is to be stored.
    unsaved: bool,
    /// Whether it was said that nothing can be.
    complained: bool,
}

impl Owner {
    fn new(settings: Settings, store: Store, kept: Kept, publish: watch::Sender<State>) -> Self {
        let (said, unsaved, complained) = (None, false, false);
        Self { settings, store, kept, publish, said, unsaved, complained }
    }

    fn run(mut self, asked: Receiver<Ask>) {
        loop {
            self.look();
            match asked.recv_timeout(LOOK) {
                Ok(ask) => self.answer(ask),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn answer(&mut self, ask: Ask) {
        // Who asked may have gone.
        match ask {
            Ask::Look => {}
            Ask::Offered => {
                if !self.kept.offered {
                    self.kept.offered = true;
                    self.unsaved = true;
                    self.store();
                }
            }
            Ask::Request(answer) => drop(answer.send(self.request())),
            Ask::Bring(chain, answer) => drop(answer.send(self.bring(chain))),
            Ask::Forget(answer) => {
                let forgotten = self.store.keep_brought(None).map_err(TlsError::from);
                if forgotten.is_ok() {
                    self.kept.brought = None;
                    self.look();
                }
                drop(answer.send(forgotten));
            }
            Ask::NewAuthority(answer) => {
                let made = self.replace_authority();
                self.look();
                drop(answer.send(made));
            }
        }
    }

    /// Puts into force what is right by now.
    fn look(&mut self) {
        match self.present() {
            Ok(serving) => {
                let before = match &*self.publish.borrow() {
                    State::Serving(before) => Some(before.clone()),
                    State::Waiting(_) => None,
                };
                if before.as_ref().is_some_and(|before| before.is_as(&serving)) {
                    return;
                }
                log::info!(
                    "HTTPS as {} and {} addresses, certificate SHA-256 {}, authority SHA-256 {}",
                    serving.certificate.names.host(),
                    serving.certificate.names.addresses().len(),
                    serving.certificate.fingerprint(),
                    serving.authority.fingerprint()
                );
                self.said = None;
                self.publish.send_replace(State::Serving(Arc::new(serving)));
            }
            Err(error) => {
                let why = errors::chain(&error);
                if self.said.as_ref() != Some(&why) {
                    log::warn!("no HTTPS: {why}");
                }
                self.said = Some(why.clone());
                // What is shown already goes on: an old certificate is better than none.
                if matches!(&*self.publish.borrow(), State::Waiting(_)) {
                    self.publish.send_replace(State::Waiting(why));
                }
            }
        }
    }

    fn checked(&self, now: SystemTime) -> Result<(), TlsError> {
        if now >= self.settings.built {
            return Ok(());
        }
        Err(TlsError::NotNow(
            "the clock is before the day on which this program was built: the device waits for \
             the time of its network (`timedatectl set-ntp false`, then `timedatectl set-time` set it by hand)"
                .to_owned(),
        ))
    }

    fn present(&mut self) -> Result<Serving, TlsError> {
        let (now, names) = ((self.settings.clock)(), (self.settings.names)());
        self.checked(now)?;
        if self.kept.key.is_none() {
            let key = KeyPair::generate().map_err(CertificateError::from)?;
            self.kept.key = Some(key);
            self.unsaved = true;
        }
        let replace = self.kept.authority.as_ref().is_none_or(|authority| {
            let complete = authority.signable(&names) == names;
            let Certificate { begins, ends, .. } = *authority.certificate();
            // It begins later if the clock was wrong when it was made: nobody can trust it yet.
            !authority.may_sign_for(&names)
                || (!complete && !self.kept.offered)
                || !(begins..ends).contains(&now)
        });
        if replace {
            self.count_on(new_authority(&names, now)?);
            self.unsaved = true;
        }
        let (Some(key), Some(authority)) = (&self.kept.key, &self.kept.authority) else {
            unreachable!("both were made above")
        };
        let signable = authority.signable(&names);
        let chain = |own: &Certificate| vec![CertificateDer::from(own.der.clone())];
        // Another key may have been brought, and another authority made, since it was signed.
        let good = |own: &Certificate| {
            let is_its = with_key(chain(own), key).is_ok_and(|own| own.keys_match().is_ok());
            is_its && !own.is_due(&signable, now) && authority.vouches_for(own, now)
        };
        let own = match self.kept.certificate.clone().filter(good) {
            Some(own) => own,
            None => {
                self.unsaved = true;
                authority.issue(key, &names, now)?
            }
        };
        self.kept.certificate = Some(own.clone());
        let left_out = names.addresses().difference(signable.addresses()).copied().collect();
        let brought = self.kept.brought.as_ref().map(|chain| check(chain, key, names.host(), now));
        let (brought, passed_over) = match brought {
            None => (None, None),
            Some(Ok(brought)) => (Some(brought), None),
            Some(Err(error)) => (None, Some(error.to_string())),
        };
        let (certificate, shown, source) = match brought {
            Some((certificate, shown)) => (certificate, shown, Source::Brought),
            None => {
                let shown = with_key(chain(&own), key)?;
                (own, shown, Source::Own)
            }
        };
        let authority = authority.certificate().clone();
        let offered = AtomicBool::new(self.kept.offered);
        self.store();
        Ok(Serving { authority, certificate, source, left_out, passed_over, shown, offered })
    }

    /// Stores what is not stored yet. A full disk, or one that cannot be written, keeps nobody
    /// from the device: it is tried again at the next look, and counts until the program ends.
    fn store(&mut self) {
        let Kept { authority, offered, key, certificate, .. } = &self.kept;
        let put = || {
            key.as_ref().map_or(Ok(()), |key| self.store.keep_key(key))?;
            if let Some(authority) = authority {
                self.store.keep_authority(authority)?;
                offered.then(|| self.store.keep_offered(authority)).unwrap_or(Ok(()))?;
            }
            certificate.as_ref().map_or(Ok(()), |own| self.store.keep_certificate(own))
        };
        let stored = if self.unsaved { put() } else { Ok(()) };
        self.unsaved = stored.is_err();
        if let Err(error) = stored
            && !std::mem::replace(&mut self.complained, true)
        {
            log::warn!("keys and certificates are not stored, and end with this run: {error}");
        }
    }

    fn count_on(&mut self, authority: Authority) {
        self.kept.authority = Some(authority);
        self.kept.offered = false;
        // Signed by the one before.
        self.kept.certificate = None;
    }

    fn replace_authority(&mut self) -> Result<(), TlsError> {
        let (now, names) = ((self.settings.clock)(), (self.settings.names)());
        self.checked(now)?;
        let authority = new_authority(&names, now)?;
        self.store.keep_authority(&authority)?;
        self.count_on(authority);
        Ok(())
    }

    fn request(&self) -> Result<String, TlsError> {
        let waiting = || TlsError::NotNow("there is no key yet".to_owned());
        let key = self.kept.key.as_ref().ok_or_else(waiting)?;
        Ok(request(key, &(self.settings.names)())?)
    }

    fn bring(&mut self, chain: String) -> Result<(), TlsError> {
        let waiting = || TlsError::NotNow("there is no key yet".to_owned());
        let key = self.kept.key.as_ref().ok_or_else(waiting)?;
        let now = (self.settings.clock)();
        self.checked(now)?;
        check(&chain, key, (self.settings.names)().host(), now)?;
        self.store.keep_brought(Some(&chain))?;
        self.kept.brought = Some(chain);
        self.look();
        Ok(())
    }
}

fn new_authority(names: &Names, now: SystemTime) -> Result<Authority, CertificateError> {
    Authority::new(names, KeyPair::generate()?, now)
}

impl Serving {
    fn is_as(&self, other: &Self) -> bool {
        let of = |serving: &Self| {
            let Self { authority, certificate, left_out, passed_over, .. } = serving;
            (authority.der.clone(), certificate.der.clone(), left_out.clone(), passed_over.clone())
        };
        of(self) == of(other)
    }
}

#[cfg(test)]
#[path = "owner_tests.rs"]
mod tests;
