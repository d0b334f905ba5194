//! Where the runtime library, the hand models and the bundle lie.
//!
//! What the configuration names is taken as it is. Only its default, the installed place, is
//! where a search starts: then comes the checkout that the binary stands in, then the cache
//! folder that `./dev` fills.

use std::path::{Path, PathBuf};

use super::ModelError;

/// A thing to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `libLiteRt.so`.
    Runtime,
    /// The folder with MediaPipe's two hand models.
    Hands,
    /// The folder of the bundle that reads signs.
    Bundle,
}

impl Wanted {
    fn words(self) -> &'static str {
        match self {
            Self::Runtime => "runtime library libLiteRt.so",
            Self::Hands => "hand models of MediaPipe",
            Self::Bundle => "model bundle fingerspelling",
        }
    }

    /// The environment variable of the configuration key.
    fn variable(self) -> &'static str {
        match self {
            Self::Runtime => "SIGNPOST_MODEL__RUNTIME",
            Self::Hands => "SIGNPOST_MODEL__HANDS",
            Self::Bundle => "SIGNPOST_MODEL__BUNDLE",
        }
    }

    /// Whether a place has it; a folder without its files does not count.
    fn is_at(self, place: &Path) -> bool {
        match self {
            Self::Runtime => place.is_file(),
            Self::Hands => place.join("palm_detection_full.tflite").is_file(),
            Self::Bundle => place.join("manifest.toml").is_file(),
        }
    }
}

/// The folders that are searched, in order. The caller fills in the machine's own, so that
/// the search can be tested.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// `/` on a device, another root in tests.
    pub root: PathBuf,
    /// The running program, `target/release/signpost` in a checkout.
    pub program: Option<PathBuf>,
    /// `${XDG_CACHE_HOME:-~/.cache}/signpost`.
    pub cache: Option<PathBuf>,
}

impl Places {
    /// This machine's.
    pub fn of_this_machine() -> Self {
        let folder =
            |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
        Self {
            root: PathBuf::from("/"),
            program: std::env::current_exe().ok(),
            cache: cache.map(|path| path.join("signpost")),
        }
    }

    /// Finds a thing: at `configured` alone, or, if that is the installed place, at the first
    /// place that has it.
    ///
    /// # Errors
    /// [`ModelError::NotFound`] with every place that was tried.
    pub fn find(&self, wanted: Wanted, configured: &Path) -> Result<PathBuf, ModelError> {
        let mut looked = self.candidates(wanted);
        if looked.first().is_none_or(|installed| installed != configured) {
            looked = vec![configured.to_owned()];
        }
        match looked.iter().find(|path| wanted.is_at(path)) {
            Some(path) => Ok(path.clone()),
            None => Err(ModelError::NotFound {
                what: wanted.words(),
                variable: wanted.variable(),
                looked,
            }),
        }
    }

    fn candidates(&self, wanted: Wanted) -> Vec<PathBuf> {
        let share = self.root.join("usr/share/signpost/models");
        let models = self.checkout().map(|checkout| checkout.join("models"));
        let cache = |name: &str| self.cache.as_ref().map(|cache| cache.join(name));
        let places = match wanted {
            Wanted::Runtime => {
                vec![
                    Some(self.root.join("usr/lib/signpost/libLiteRt.so")),
                    cache("litert/libLiteRt.so"),
                ]
            }
            Wanted::Hands => {
                vec![Some(share.join("hands")), models.map(|m| m.join("hands")), cache("hands")]
            }
            Wanted::Bundle => {
                vec![Some(share.join("fingerspelling")), models.map(|m| m.join("fingerspelling"))]
            }
        };
        places.into_iter().flatten().collect()
    }

    /// The checkout whose `target/<profile>/` (or `deps/` and `examples/` below it) holds the program.
    fn checkout(&self) -> Option<PathBuf> {
        let target = self.program.as_ref()?.ancestors().find(|path| path.ends_with("target"))?;
        target.parent().map(Path::to_owned)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }

    fn installed(places: &Places, wanted: Wanted) -> PathBuf {
        places.candidates(wanted)[0].clone()
    }

    fn places(root: &Path) -> Places {
        Places {
            root: root.to_owned(),
            program: Some(root.join("checkout/target/release/deps/test-1")),
            cache: Some(root.join("cache/signpost")),
        }
    }

    #[test]
    fn installed_comes_before_checkout_before_cache() {
        let folder = tempfile::tempdir().unwrap();
        let places = places(folder.path());
        for place in
            ["cache/signpost/hands", "checkout/models/hands", "usr/share/signpost/models/hands"]
        {
            touch(&folder.path().join(place).join("palm_detection_full.tflite"));
            assert_eq!(
                places.find(Wanted::Hands, &installed(&places, Wanted::Hands)).unwrap(),
                folder.path().join(place)
            );
        }
    }

    #[test]
    fn a_folder_without_its_files_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        touch(&folder.path().join("checkout/models/hands/manifest.toml"));
        let places = places(folder.path());
        assert!(places.find(Wanted::Hands, &installed(&places, Wanted::Hands)).is_err());
    }

    #[test]
    fn what_is_configured_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let places = places(folder.path());
        touch(&folder.path().join("cache/signpost/litert/libLiteRt.so"));
        assert!(places.find(Wanted::Runtime, &installed(&places, Wanted::Runtime)).is_ok());
        let error = places.find(Wanted::Runtime, Path::new("none.so")).unwrap_err().to_string();
        assert!(error.contains("looked in none.so;"), "{error}");
    }

    #[test]
    fn the_configuration_starts_at_the_installed_places() {
        let model = crate::config::read(&[], Path::new("/")).unwrap().model;
        let places = Places { root: "/".into(), ..Places::default() };
        let defaults = [
            (Wanted::Runtime, model.runtime),
            (Wanted::Hands, model.hands),
            (Wanted::Bundle, model.bundle),
        ];
        for (wanted, default) in defaults {
            assert_eq!(installed(&places, wanted), default);
        }
    }

    #[test]
    fn the_error_names_the_places_and_the_way_out() {
        let places = Places { root: "/r".into(), ..Places::default() };
        let error = places
            .find(Wanted::Bundle, &installed(&places, Wanted::Bundle))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "model bundle fingerspelling: not found; looked in /r/usr/share/signpost/models/fingerspelling; \
             run ./dev to install it, or set SIGNPOST_MODEL__BUNDLE"
        );
    }
}
