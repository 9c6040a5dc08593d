//! Where a report goes: files, stdout, a collector.

use std::io::Write;
use std::time::Duration;

use http::{Request, Uri, header};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cli::ReportArgs;
use crate::failure::Failure;
use crate::report::{Depth, Destination, Format, Report, ReportFile, trace};

/// A collector that does not take a trace of some hundred spans within this time is told of.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// Writes the reports asked for, files first and a collector last; the terminal report goes to stdout unless one of them
/// does. A reader that has seen enough (`| head -1`) changes nothing.
///
/// Returns what could not be delivered: exit 2 for a file that cannot be written, exit 3 for a collector that does not take
/// it. None of them keeps another report back, and none is a verdict: whether it is the exit code is up to the caller.
pub(super) async fn publish(report: &Report, args: &ReportArgs) -> Vec<Failure> {
    let mut undelivered: Vec<Failure> =
        args.report.iter().filter_map(|file| saved(report, file, args.depth()).err()).collect();
    undelivered.extend(print(report, args).err());
    for file in &args.report {
        if let Destination::Collector(url) = &file.to {
            undelivered.extend(send(report, url).await.err());
        }
    }
    undelivered
}

fn saved(report: &Report, file: &ReportFile, depth: Depth) -> Result<(), Failure> {
    let Destination::File(path) = &file.to else { return Ok(()) };
    let written = text(report, file, depth).and_then(|text| std::fs::write(path, text));
    written.map_err(|e| Failure::usage(format!("cannot write {}: {e}", path.display())))
}

fn print(report: &Report, args: &ReportArgs) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    match args.report.iter().find(|file| file.to == Destination::Stdout) {
        Some(file) => heard(out.write_all(&text(report, file, args.depth())?)),
        None => heard(report.print(args.depth(), &mut out)),
    }
}

/// Colour is for a terminal alone.
fn text(report: &Report, file: &ReportFile, depth: Depth) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    if file.format != Format::Terminal {
        report.write(file.format, &mut out)?;
        return Ok(out);
    }
    report.print(depth, &mut out)?;
    if file.to == Destination::Stdout {
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
async fn send(report: &Report, url: &Uri) -> Result<(), Failure> {
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

async fn exported(report: &Report, url: &Uri) -> Result<u16, String> {
    let authority = url.authority().ok_or("it names no host")?;
    let port = authority.port_u16().unwrap_or(80);
    // A resolver knows an IPv6 address without its brackets alone (RFC 3986, 3.2.2).
    let host = authority.host().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, port)).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    // It ends with the sender.
    tokio::spawn(connection);
    let path = if url.path() == "/" { "/v1/traces" } else { url.path() };
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let request = Request::post(format!("{path}{query}"))
        .header(header::HOST, authority.as_str())
        .header(header::CONTENT_TYPE, "application/x-protobuf")
        .body(Full::new(bytes::Bytes::from(trace(report).encode_to_vec())))
        .map_err(|e| e.to_string())?;
    let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
    Ok(answer.status().as_u16())
}
