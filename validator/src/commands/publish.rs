//! Where a report goes: files, stdout, a collector.

use std::io::Write;
use std::time::Duration;

use http::{Request, header};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cli::ReportArgs;
use crate::failure::Failure;
use crate::report::{Destination, Format, Report, ReportFile, trace};

/// A collector that does not take a trace of some hundred spans within this time is told of.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// Writes the reports asked for; the terminal report goes to stdout unless one of them does. A reader that has seen
/// enough (`| head -1`) changes neither: the verdict is the exit code.
///
/// # Errors
/// Exit 2 for a file that cannot be written, exit 3 for a collector that does not take it.
pub(super) async fn publish(report: &Report, args: &ReportArgs) -> Result<(), Failure> {
    let mut is_taken = false;
    for file in &args.report {
        match &file.to {
            Destination::File(path) => {
                let cannot =
                    |e: std::io::Error| Failure::usage(format!("cannot write {}: {e}", path.display()));
                std::fs::write(path, text(report, file).map_err(cannot)?).map_err(cannot)?;
            }
            Destination::Stdout => {
                is_taken = true;
                heard(anstream::stdout().lock().write_all(&text(report, file)?))?;
            }
            Destination::Collector(url) => send(report, url).await?,
        }
    }
    if is_taken { Ok(()) } else { heard(report.print(args.depth(), &mut anstream::stdout().lock())) }
}

/// Colour is for a terminal alone.
fn text(report: &Report, file: &ReportFile) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    report.write(file.format, &mut out)?;
    if file.format != Format::Terminal || file.to == Destination::Stdout {
        return Ok(out);
    }
    let mut plain = anstream::StripStream::new(Vec::new());
    plain.write_all(&out)?;
    Ok(plain.into_inner())
}

fn heard(written: std::io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// One request of OTLP over HTTP (OpenTelemetry protocol specification); a base gets `/v1/traces`.
async fn send(report: &Report, url: &str) -> Result<(), Failure> {
    let failed = |why: String| {
        Failure::environment(format!("--report otlp={url}: {why}"))
            .hint("expected a collector's port for OTLP over plain HTTP, such as http://localhost:4318")
    };
    let sent = timeout(SEND_WITHIN, exported(report, url)).await;
    match sent {
        Ok(Ok(status)) if (200..300).contains(&status) => Ok(()),
        Ok(Ok(status)) => Err(failed(format!("answered {status}"))),
        Ok(Err(why)) => Err(failed(why)),
        Err(_) => Err(failed("no answer within 10 s".into())),
    }
}

async fn exported(report: &Report, url: &str) -> Result<u16, String> {
    let uri: http::Uri = url.parse().map_err(|e| format!("{e}"))?;
    let authority = uri.authority().ok_or("it names no host")?;
    let port = authority.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((authority.host(), port)).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    // It ends with the sender.
    tokio::spawn(connection);
    let path = if uri.path() == "/" { "/v1/traces" } else { uri.path() };
    let request = Request::post(path)
        .header(header::HOST, authority.as_str())
        .header(header::CONTENT_TYPE, "application/x-protobuf")
        .body(Full::new(bytes::Bytes::from(trace(report).encode_to_vec())))
        .map_err(|e| e.to_string())?;
    let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
    Ok(answer.status().as_u16())
}
