//! Offers by WHEP, as any player makes them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Nothing on a link that works takes longer; a device that says nothing is a failure.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the device said to an offer.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The answer, or a problem.
    pub body: String,
    /// Where the connection lives; only with 201.
    pub location: Option<String>,
    /// Seconds until the next try; only with 503.
    pub retry_after: Option<String>,
    /// From the first byte of the request to the last of the answer.
    pub took: Duration,
}

/// One device.
#[derive(Clone)]
pub struct Device {
    url: String,
    token: Option<String>,
    agent: ureq::Agent,
}

impl Device {
    /// `url` as the device prints it, with the slash at its end.
    #[must_use]
    pub fn at(url: &str, token: Option<String>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        Self { url: url.trim_end_matches('/').to_owned(), token, agent: config.into() }
    }

    /// # Errors
    /// If the device cannot be reached or does not answer.
    pub fn offer(&self, sdp: &str) -> Result<Answer> {
        self.post("/whep", "application/sdp", sdp)
    }

    /// The same offer in the JSON form.
    ///
    /// # Errors
    /// If the device cannot be reached or does not answer.
    pub fn offer_in_json(&self, sdp: &str) -> Result<Answer> {
        let body = serde_json::json!({ "sdp": sdp, "type": "offer" }).to_string();
        self.post("/api/v1/webrtc/offer", "application/json", &body)
    }

    /// The token of a login.
    ///
    /// # Errors
    /// If the device refuses the password.
    pub fn log_in(&self, password: &str) -> Result<String> {
        let body = serde_json::json!({ "password": password }).to_string();
        let answer = self.post("/api/v1/login", "application/json", &body)?;
        let body: serde_json::Value = serde_json::from_str(&answer.body)?;
        Ok(body["token"].as_str().with_context(|| format!("login: {body}"))?.to_owned())
    }

    /// What the device says on a path, as text.
    ///
    /// # Errors
    /// If the device cannot be reached or does not answer.
    pub fn get(&self, path: &str) -> Result<String> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let mut response = request.header("Authorization", self.bearer()).call()?;
        Ok(response.body_mut().read_to_string()?)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token.as_deref().unwrap_or("none"))
    }

    /// Ends a connection.
    ///
    /// # Errors
    /// If the device cannot be reached or does not answer.
    pub fn leave(&self, location: &str) -> Result<u16> {
        let url = format!("{}{location}", self.url);
        let request = self.agent.delete(url).header("Authorization", self.bearer());
        Ok(request.call().context("leaving")?.status().as_u16())
    }

    fn post(&self, path: &str, kind: &str, body: &str) -> Result<Answer> {
        let begun = Instant::now();
        let request = self.agent.post(format!("{}{path}", self.url)).header("Content-Type", kind);
        let request = request.header("Authorization", self.bearer());
        let mut response = request.send(body).with_context(|| format!("POST {path}"))?;
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (location, retry_after) = (header("location"), header("retry-after"));
        let status = response.status().as_u16();
        let body = response.body_mut().read_to_string().context("reading the answer")?;
        Ok(Answer { status, body, location, retry_after, took: begun.elapsed() })
    }
}
