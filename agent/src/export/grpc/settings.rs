//! Where and how to send: `--otlp` and the environment variables of the
//! OTLP exporter specification
//! (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>).
//! The one for traces wins over the general one; `--otlp` wins over both.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tonic::metadata::{Ascii, MetadataKey, MetadataValue};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity, Uri};

/// How long one attempt may take, unless set.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long it may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How to reach a collector.
#[derive(Clone, Debug)]
pub struct Settings {
    /// As given, for messages.
    pub url: String,
    /// With TLS set up, where the URL asks for it.
    pub endpoint: Endpoint,
    /// Sent with each request.
    pub headers: Vec<(MetadataKey<Ascii>, MetadataValue<Ascii>)>,
    /// Of one attempt.
    pub timeout: Duration,
    /// Whether requests are compressed with gzip.
    pub gzip: bool,
    /// Whether the agent shows no certificate of its own to a collector that is
    /// reached by TLS.
    pub anonymous_tls: bool,
}

impl Settings {
    /// From `--otlp` and the environment, which `variable` reads; `None` if
    /// neither names a collector.
    pub fn new(
        url: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>> {
        let setting = |name: &str| {
            [
                format!("OTEL_EXPORTER_OTLP_TRACES_{name}"),
                format!("OTEL_EXPORTER_OTLP_{name}"),
            ]
            .into_iter()
            .find_map(|name| {
                let value = variable(&name).filter(|value| !value.trim().is_empty())?;
                Some((name, value.trim().to_owned()))
            })
        };
        let (source, url) = match (url, setting("ENDPOINT")) {
            (Some(url), _) => ("--otlp".to_owned(), url.to_owned()),
            (None, Some(found)) => found,
            (None, None) => return Ok(None),
        };
        if let Some((name, protocol)) = setting("PROTOCOL")
            && protocol != "grpc"
        {
            bail!("{name} is {protocol}, but wirespan sends OTLP over gRPC only: set it to grpc");
        }
        let endpoint = endpoint(&url, &setting).with_context(|| format!("{source} is {url}"))?;
        let tls = endpoint.uri().scheme_str() == Some("https");
        Ok(Some(Self {
            anonymous_tls: tls && setting("CLIENT_CERTIFICATE").is_none(),
            endpoint,
            url,
            headers: setting("HEADERS").map_or_else(
                || Ok(Vec::new()),
                |(name, value)| headers(&value).with_context(|| name),
            )?,
            timeout: setting("TIMEOUT").map_or(Ok(TIMEOUT), |(name, value)| {
                timeout(&value).with_context(|| format!("{name} is {value}"))
            })?,
            gzip: setting("COMPRESSION").map_or(Ok(false), |(name, value)| {
                gzip(&value).with_context(|| format!("{name} is {value}"))
            })?,
        }))
    }
}

type Setting<'a> = dyn Fn(&str) -> Option<(String, String)> + 'a;

fn endpoint(url: &str, setting: &Setting<'_>) -> Result<Endpoint> {
    let uri: Uri = url.parse().context("not a URL")?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => bail!("say http:// (plain) or https:// (TLS), as in http://localhost:4317"),
    };
    let endpoint = Endpoint::from(uri)
        .user_agent(concat!("wirespan/", env!("CARGO_PKG_VERSION")))?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true);
    if !tls {
        return Ok(endpoint);
    }
    endpoint
        .tls_config(tls_config(setting)?)
        .context("TLS cannot be set up")
}

fn tls_config(setting: &Setting<'_>) -> Result<ClientTlsConfig> {
    let file = |name: &str| -> Result<Option<Vec<u8>>> {
        let Some((name, path)) = setting(name) else {
            return Ok(None);
        };
        let pem = std::fs::read(&path).with_context(|| format!("{name}: cannot read {path}"))?;
        Ok(Some(pem))
    };
    let mut tls = match file("CERTIFICATE")? {
        Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
        None => ClientTlsConfig::new().with_native_roots(),
    };
    match (file("CLIENT_CERTIFICATE")?, file("CLIENT_KEY")?) {
        (Some(certificate), Some(key)) => tls = tls.identity(Identity::from_pem(certificate, key)),
        (None, None) => {}
        _ => bail!(
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY go together"
        ),
    }
    Ok(tls)
}

/// `key=value,key2=value2`, values percent-encoded.
fn headers(list: &str) -> Result<Vec<(MetadataKey<Ascii>, MetadataValue<Ascii>)>> {
    pairs(list)?
        .into_iter()
        .map(|(key, value)| {
            // A value may be a secret: errors name the key only.
            let name = key
                .to_ascii_lowercase()
                .parse()
                .map_err(|_| anyhow::anyhow!("{key:?} is not the name of a header"))?;
            let value = value
                .parse()
                .map_err(|_| anyhow::anyhow!("the value of {key} cannot be sent in a header"))?;
            Ok((name, value))
        })
        .collect()
}

/// The pairs of a list such as `OTEL_RESOURCE_ATTRIBUTES`:
/// `key=value,key2=value2`, values percent-encoded (W3C Baggage).
pub fn pairs(list: &str) -> Result<Vec<(String, String)>> {
    list.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair
                .split_once('=')
                .context("not of the form key=value,key2=value2")?;
            Ok((key.trim().to_owned(), percent_decoded(value.trim())))
        })
        .collect()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let decoded = (first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = if decoded.is_some() {
            &after[2..]
        } else {
            after
        };
        bytes.push(decoded.unwrap_or(first));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn timeout(value: &str) -> Result<Duration> {
    match value.parse() {
        Ok(0) | Err(_) => bail!("not a number of milliseconds above 0"),
        Ok(millis) => Ok(Duration::from_millis(millis)),
    }
}

fn gzip(value: &str) -> Result<bool> {
    match value {
        "gzip" => Ok(true),
        "none" => Ok(false),
        _ => bail!("say gzip or none"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: Option<&str>, variables: &[(&str, &str)]) -> Result<Option<Settings>> {
        Settings::new(url, |name| {
            variables
                .iter()
                .find(|(found, _)| *found == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_nearest_setting_wins() {
        assert!(settings(None, &[]).unwrap().is_none());
        let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:1");
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://b:2");
        let url = |url, variables: &[_]| settings(url, variables).unwrap().unwrap().url;
        assert_eq!(url(None, &[general]), "http://a:1");
        assert_eq!(url(None, &[general, traces]), "http://b:2");
        assert_eq!(url(Some("http://c:3"), &[general, traces]), "http://c:3");
    }

    #[test]
    fn companions_are_read() {
        let found = settings(
            Some("http://a:1"),
            &[
                (
                    "OTEL_EXPORTER_OTLP_HEADERS",
                    "Authorization=Bearer%20x, k=v=w",
                ),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ],
        );
        let found = found.unwrap().unwrap();
        let headers: Vec<_> = found
            .headers
            .iter()
            .map(|(key, value)| (key.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!(headers, [("authorization", "Bearer x"), ("k", "v=w")]);
        assert_eq!(found.timeout, Duration::from_millis(2500));
        assert!(found.gzip);
    }

    #[test]
    fn what_is_wrong_is_named() {
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
        let cases: [Case<'_>; 8] = [
            ("localhost:4317", &[], "http://"),
            ("http://", &[], "not a URL"),
            (
                "http://a",
                &[("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")],
                "OTEL_EXPORTER_OTLP_TIMEOUT",
            ),
            (
                "http://a",
                &[("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd")],
                "gzip or none",
            ),
            (
                "http://a",
                &[("OTEL_EXPORTER_OTLP_HEADERS", "secret")],
                "key=value",
            ),
            (
                "http://a",
                &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")],
                "gRPC only",
            ),
            (
                "https://a",
                &[("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere")],
                "cannot read /nowhere",
            ),
            (
                "https://a",
                &[("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/dev/null")],
                "go together",
            ),
        ];
        for (url, variables, expected) in cases {
            let error = settings(Some(url), variables).unwrap_err();
            let text = format!("{error:#}");
            assert!(text.contains(expected), "{url}: {text}");
        }
    }
}
