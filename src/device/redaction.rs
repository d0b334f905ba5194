//! Takes secrets out of text that leaves the device: log and support bundle. Pure.
//!
//! Two nets, one behind the other. What is a secret of this device is known, and found as it
//! is and as tools write it down: percent-encoded, in hexadecimal, in base64 at whatever place.
//! Secrets of the past or of others are not known, and found by what stands around them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use regex::{Captures, Regex};
use serde_json::Value;

use super::journal::SETUP_CODE;

/// What stands in place of a secret.
pub const REMOVED: &str = "(removed)";
/// A shorter secret is one only where it stands as a word: it is a part of others by chance.
const SHORTEST_PART: usize = 6;
/// Other forms of a shorter secret are found in anything.
const SHORTEST_ENCODED: usize = 5;

/// The secrets in force, ready to be looked for.
#[derive(Debug)]
pub struct Redaction {
    known: Option<AhoCorasick>,
}

impl Redaction {
    /// Of these secrets, each as it is meant (not as a file or an address writes it).
    #[must_use]
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let mut forms = BTreeSet::new();
        for secret in secrets {
            add_forms(secret.as_ref().trim(), &mut forms);
        }
        // Case does not matter: a set-up code and hexadecimal digits are written in both.
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::LeftmostLongest).ascii_case_insensitive(true);
        // Only a set of hundreds of MiB is refused; the forms of a full device are some 100 kB.
        let known = (!forms.is_empty()).then(|| builder.build(&forms).ok()).flatten();
        Self { known }
    }

    /// A text without them.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let known = self.without_known(text);
        PATTERNS.iter().fold(known.into_owned(), |text, pattern| pattern.apply(text))
    }

    /// A document without them, in names too. What stands under a name of a secret is one.
    pub fn json(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Value::Object(entries) => {
                for (name, mut value) in std::mem::take(entries) {
                    match &value {
                        Value::String(text) if is_secret(&name) && !text.is_empty() => {
                            value = REMOVED.into();
                        }
                        _ => self.json(&mut value),
                    }
                    entries.insert(self.text(&name), value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn without_known<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(known) = &self.known else { return Cow::Borrowed(text) };
        let (mut kept, mut from) = (String::new(), 0);
        for found in known.find_iter(text) {
            let word = found.len() >= SHORTEST_PART || is_word(text, found.range());
            if word {
                kept.push_str(&text[from..found.start()]);
                kept.push_str(REMOVED);
                from = found.end();
            }
        }
        match from {
            0 => Cow::Borrowed(text),
            _ => Cow::Owned(kept + &text[from..]),
        }
    }
}

/// Whether no letter or digit stands beside it.
fn is_word(text: &str, range: std::ops::Range<usize>) -> bool {
    let before = text[..range.start].chars().next_back();
    let after = text[range.end..].chars().next();
    !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
}

/// Whether a value of this name is a secret, whatever it is.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    const NAMES: [&str; 7] =
        ["credential", "password", "passwd", "secret", "token", "ice-pwd", "psk"];
    NAMES.iter().any(|known| name == *known || name.ends_with(&format!("_{known}")))
}

fn add_forms(secret: &str, forms: &mut BTreeSet<String>) {
    if secret.is_empty() {
        return;
    }
    forms.insert(secret.to_owned());
    if secret.chars().count() < SHORTEST_ENCODED {
        return;
    }
    let json = serde_json::to_string(secret).unwrap_or_default();
    forms.insert(json.trim_matches('"').to_owned());
    // As a URL writes it, and as the debugger of a language does.
    forms.insert(percent(secret, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)));
    forms.insert(percent(secret, |byte| byte.is_ascii_alphanumeric()));
    forms.insert(percent(secret, |byte| byte.is_ascii_graphic() && !b"@:/?#[]%".contains(&byte)));
    forms.insert(secret.bytes().map(|byte| format!("{byte:02x}")).collect());
    forms.extend(base64(secret));
}

fn percent(text: &str, plain: impl Fn(u8) -> bool) -> String {
    let one = |byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// What of the text's base64 is the same whatever stands before and behind it, for each of the
/// three places at which it can begin.
fn base64(text: &str) -> impl Iterator<Item = String> {
    let alphabets = [&BASE64_STANDARD_NO_PAD, &BASE64_URL_SAFE_NO_PAD];
    alphabets.into_iter().flat_map(move |alphabet| {
        (0..3).filter_map(move |place| {
            let padded = [&[0; 2][..place], text.as_bytes()].concat();
            let code = alphabet.encode(&padded);
            // Characters that hold bits of what stands before; 6 bits each of 8.
            let begin = (place * 8).div_ceil(6);
            let end = padded.len() * 8 / 6;
            code.get(begin..end).filter(|code| code.len() >= SHORTEST_PART).map(str::to_owned)
        })
    })
}

/// What a secret is recognised by that is not known; the groups `before` and `after` stay.
#[derive(Debug)]
struct Pattern {
    looks_like: Regex,
}

impl Pattern {
    fn new(looks_like: &str) -> Self {
        Self { looks_like: Regex::new(looks_like).expect("the patterns are tested") }
    }

    fn apply(&self, text: String) -> String {
        let kept = |found: &Captures<'_>, name| {
            found.name(name).map_or(String::new(), |part| part.as_str().to_owned())
        };
        let put = |found: &Captures<'_>| {
            format!("{}{REMOVED}{}", kept(found, "before"), kept(found, "after"))
        };
        match self.looks_like.replace_all(&text, put) {
            Cow::Borrowed(_) => text,
            Cow::Owned(changed) => changed,
        }
    }
}

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let setup_code = format!("(?i)(?<before>{SETUP_CODE})[A-Z0-9-]+");
    let all: [&str; 10] = [
        &setup_code,
        // Keys in PEM (RFC 7468), cut off or not.
        r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
        // Hashes of passwords, as PHC strings and as crypt(5) writes them.
        r"\$(?:argon2[a-z]*|scrypt|pbkdf2[a-z0-9-]*|y|2[aby]|5|6)\$[^\s\x22']+",
        // Who asks, in an address.
        r"(?i)(?<before>[a-z][a-z0-9+.-]*://)[^\s/?#\x22'<>]*(?<after>@)",
        // ... and in a header.
        r"(?i)(?<before>\b(?:bearer|basic|digest) )[a-z0-9+/=._~-]{6,}",
        r"(?i)(?<before>(?:__Host-)?signpost_login=)[^\s;\x22']+",
        // Tokens of this program are 64 hexadecimal digits, and so are their hashes.
        r"\b[0-9a-fA-F]{64}\b",
        // ICE's own password (RFC 8839, 5.4).
        r"(?i)(?<before>\bice-pwd:\s*)[a-z0-9+/]+",
        // name = "value" and "name":"value", in text within text too.
        r#"(?ix)(?<before>\b(?:[a-z0-9_]*_)?
            (?:credentials?|pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|psk)
            \\*["']?\s*[=:]\s*\\*["'])[^"'\\(][^"'\\]*"#,
        // name = value, name: value.
        r#"(?ix)(?<before>\b(?:[a-z0-9_]*_)?
            (?:credentials?|pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|psk)
            \s*[=:]\s*)[^\s"',;&}\\(][^\s"',;&}\\]*"#,
    ];
    all.into_iter().map(Pattern::new).collect()
});

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn without(text: &str) -> String {
        Redaction::new::<&str>([]).text(text)
    }

    #[test]
    fn what_is_no_secret_stays() {
        let redaction = Redaction::new(["hunter2-canary", "abc"]);
        for line in [
            "camera door: no picture: /dev/video0 is busy",
            "wrong passwords; further tries have to wait",
            "password file /var/lib/signpost/password cannot be read",
            "login of admin; abcde stays, and so does xabc",
            "rtsp://camera.lan:554/stream1 does not answer",
            "http://door.local/ and stun:stun.lan:3478",
        ] {
            assert_eq!(redaction.text(line), line);
        }
    }

    #[test]
    fn secrets_that_are_not_known_are_found_by_what_is_around_them() {
        for (line, secret) in [
            ("open it, set-up code 7KQ2-M901, and go", "7KQ2-M901"),
            ("rtsp://root:pa-ss@camera.lan/1: no route", "pa-ss"),
            ("turn://17000%3Aal:p%40ss@turn.lan:3478", "p%40ss"),
            ("Authorization: Bearer 0123456789abcdef", "0123456789abcdef"),
            ("authorization: basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
            ("Cookie: signpost_login=abcdef01; x=1", "abcdef01"),
            ("credential = \"s3cret-words\"", "s3cret-words"),
            ("{\"password\":\"s3cret\",\"user\":\"u\"}", "s3cret"),
            ("{\\\"password\\\":\\\"s3cret\\\"}", "s3cret"),
            ("?user=a&password=s3cret&x=1", "s3cret"),
            ("SIGNPOST_TOKEN=s3cret", "s3cret"),
            ("a=ice-ufrag:abcd\r\na=ice-pwd:3oFH7EtNsQ", "3oFH7EtNsQ"),
            ("hash $argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA is", "aGFzaA"),
            ("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMB\n-----END PRIVATE KEY-----", "MIGHAgEAMB"),
            ("-----BEGIN EC PRIVATE KEY-----\nMIGHAgEAMB", "MIGHAgEAMB"),
            (&format!("it is {}.", "0a".repeat(32)), "0a0a"),
        ] {
            let told = without(line);
            assert!(!told.contains(secret) && told.contains(REMOVED), "{line} -> {told}");
        }
        assert_eq!(without("rtsp://a:b@c/d"), "rtsp://(removed)@c/d");
        assert_eq!(without("{\"password\":\"x y\"}"), "{\"password\":\"(removed)\"}");
    }

    #[test]
    fn what_is_known_is_found_in_documents_whatever_it_is_called() {
        let redaction = Redaction::new(["p@ss \"word\""]);
        let mut document = json!({"a": ["x p@ss \"word\" y"], "p@ss \"word\"": 1,
            "credential": "***", "password": "z", "token": "", "n": 7});
        redaction.json(&mut document);
        let expected = json!({"a": ["x (removed) y"], "(removed)": 1,
            "credential": "(removed)", "password": "(removed)", "token": "", "n": 7});
        assert_eq!(document, expected);
    }

    #[test]
    fn a_short_secret_is_found_as_a_word() {
        let redaction = Redaction::new(["abc"]);
        assert_eq!(redaction.text("abc, xabc \"abc\""), "(removed), xabc \"(removed)\"");
    }

    proptest! {
        #[test]
        fn a_known_secret_is_in_no_form_that_tools_write(
            secret in "[!-~][ -~]{6,30}[!-~]", before in "\\PC{0,12}", behind in "\\PC{0,12}",
        ) {
            let redaction = Redaction::new([&secret]);
            let whole = format!("{before}{secret}{behind}");
            let told = redaction.text(&whole);
            let chance = before.contains(&secret) || REMOVED.contains(&secret);
            prop_assert!(chance || !told.contains(&secret), "{told}");
            for alphabet in [&BASE64_STANDARD_NO_PAD, &BASE64_URL_SAFE_NO_PAD] {
                let told = redaction.text(&alphabet.encode(&whole));
                prop_assert!(told.contains(REMOVED), "{told}");
            }
            let escaped = percent(&secret, |byte| byte.is_ascii_alphanumeric());
            let told = redaction.text(&format!("x={escaped}."));
            prop_assert!(!told.contains(&escaped), "{told}");
            let hex: String = secret.bytes().map(|byte| format!("{byte:02X}")).collect();
            prop_assert!(!redaction.text(&hex).contains(&hex));
        }

        #[test]
        fn no_text_panics(text in "\\PC*", secret in "\\PC*") {
            let _ = Redaction::new([secret]).text(&text);
        }
    }
}
