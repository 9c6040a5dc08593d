//! `--report FORMAT=PATH`: what is written where.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use http::Uri;

/// A format a report can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Plain text of at most 80 columns.
    Terminal,
    /// JSON with a schema version.
    Json,
    /// JUnit XML: a suite per area, a case per check.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
    /// A comment on a pull request.
    Markdown,
    /// One page without any other file.
    Html,
    /// The run as an OpenTelemetry trace: protobuf to a collector, JSON into a file.
    Otlp,
}

/// Where a report goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// In place of the terminal report.
    Stdout,
    /// A file.
    File(PathBuf),
    /// A collector's URL, of plain HTTP and without user and password; of a trace alone.
    Collector(Uri),
}

/// `FORMAT=PATH` of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFile {
    /// The format.
    pub format: Format,
    /// Where it goes.
    pub to: Destination,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Terminal, Self::Html, Self::Json, Self::Junit, Self::Sarif, Self::Markdown, Self::Otlp];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Sarif => "sarif",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Otlp => "otlp",
        }
    }
}

impl ReportFile {
    /// The file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match &self.to {
            Destination::Stdout | Destination::Collector(_) => None,
            Destination::File(path) => Some(path),
        }
    }
}

impl FromStr for ReportFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = Format::ALL.map(Format::name).join(", ");
        let (name, path) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}`: expected FORMAT=PATH, such as html=report.html"))?;
        let format = Format::ALL.into_iter().find(|format| format.name() == name);
        let format = format.ok_or_else(|| format!("`{name}`: expected one of {names}"))?;
        let to = match path {
            "" => return Err(format!("`{text}`: expected a path after `=`, or - for stdout")),
            "-" => Destination::Stdout,
            url if format == Format::Otlp && url.contains("://") => Destination::Collector(collector(url)?),
            path => Destination::File(path.into()),
        };
        Ok(Self { format, to })
    }
}

/// What would go out unencrypted in place of encrypted is refused here, before a run begins; no message repeats a password.
fn collector(url: &str) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|e| format!("the URL of otlp=: {e}"))?;
    let authority = uri.authority().ok_or("the URL of otlp= names no host")?;
    match uri.scheme_str() {
        _ if authority.as_str().contains('@') => {
            Err("the URL of otlp= holds a user: expected a collector that takes traces without one".into())
        }
        Some("http") => Ok(uri),
        other => Err(format!(
            "otlp= over {}: expected plain http, such as a collector of one's own at http://localhost:4318",
            other.unwrap_or("nothing")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{Destination, Format, ReportFile};

    #[test]
    fn every_format_is_known_by_its_name_and_a_dash_is_stdout() {
        for format in Format::ALL {
            let parsed: ReportFile = format!("{}=-", format.name()).parse().unwrap();
            assert_eq!(parsed, ReportFile { format, to: Destination::Stdout });
        }
        let sent: ReportFile = "otlp=http://localhost:4318".parse().unwrap();
        assert_eq!(sent.to, Destination::Collector("http://localhost:4318".parse().unwrap()));
        assert_eq!("html=a=b".parse::<ReportFile>().unwrap().path().unwrap().to_str(), Some("a=b"));
        for (wrong, told) in
            [("html", "FORMAT=PATH"), ("html=", "a path after"), ("pdf=x", "one of terminal, html")]
        {
            assert!(wrong.parse::<ReportFile>().unwrap_err().contains(told), "{wrong}");
        }
    }
    #[test]
    fn a_trace_is_never_sent_in_clear_text_to_where_tls_was_asked_for() {
        for url in ["https://collector:4318", "grpc://collector:4317", "http://me:hunter2@collector:4318"] {
            let told = format!("otlp={url}").parse::<ReportFile>().unwrap_err();
            assert!(told.contains("expected") && !told.contains("hunter2"), "{told}");
        }
        for url in ["http://[::1]:4318", "http://collector/v1/traces?tenant=a"] {
            assert!(format!("otlp={url}").parse::<ReportFile>().is_ok(), "{url}");
        }
    }
}
