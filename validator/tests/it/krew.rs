//! The package for `kubectl golive`, held against what krew asks of a manifest (krew, internal/index/validation).

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const URL: &str = "https://example.com/golive/v1";

fn krew(arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/krew.sh");
    Command::new(script).args(arguments).output().unwrap()
}

/// A folder of its own with a file that stands for the binary.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("golive-krew-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("binary"), "#!/bin/sh\n").unwrap();
    folder
}

fn sha256(file: &Path) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, &std::fs::read(file).unwrap());
    digest.as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Names and rights of what an archive holds.
fn contents(archive: &Path) -> Vec<String> {
    let output = Command::new("tar").arg("-tvzf").arg(archive).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        format!("{} {}", words[0], words[words.len() - 1])
    };
    text.lines().map(line).collect()
}

#[test]
fn the_manifest_is_one_that_krew_takes_and_names_archives_that_are_there() {
    let folder = folder("made");
    let (out, binary) = (folder.join("out"), folder.join("binary"));
    let of = |platform: &str| format!("{platform}={}", binary.display());
    let arguments = [URL, out.to_str().unwrap(), &of("linux-amd64"), &of("darwin-arm64")];
    let output = krew(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(out.join("golive.yaml")).unwrap();
    let manifest: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(manifest["apiVersion"], "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!((&manifest["kind"], &manifest["metadata"]["name"]), (&"Plugin".into(), &"golive".into()));
    let spec = &manifest["spec"];
    assert_eq!(spec["version"], concat!("v", env!("CARGO_PKG_VERSION")));
    let short = spec["shortDescription"].as_str().unwrap();
    assert!(!short.is_empty() && short.len() <= 50 && !short.contains('\n'), "{short}");
    let platforms = spec["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), 2);
    for (platform, (os, arch)) in platforms.iter().zip([("linux", "amd64"), ("darwin", "arm64")]) {
        let labels = &platform["selector"]["matchLabels"];
        assert_eq!((&labels["os"], &labels["arch"]), (&os.into(), &arch.into()));
        let name = platform["uri"].as_str().unwrap().strip_prefix(&format!("{URL}/")).unwrap();
        let archive = out.join(name);
        assert_eq!(platform["sha256"], sha256(&archive));
        assert_eq!(contents(&archive), ["-rw-r--r-- LICENSE", "-rwxr-xr-x validator"]);
        assert_eq!(platform["bin"], "validator");
    }
    let first = sha256(&out.join("golive-linux-amd64.tar.gz"));
    assert!(krew(&arguments).status.success());
    assert_eq!(sha256(&out.join("golive-linux-amd64.tar.gz")), first, "the same binary, the same archive");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_cannot_be_packed_is_refused_with_what_was_expected() {
    let folder = folder("refused");
    let (out, binary) = (folder.join("out"), folder.join("binary"));
    let (out, good) = (out.to_str().unwrap(), format!("linux-amd64={}", binary.display()));
    for (arguments, told) in [
        (vec![URL, out], "too few arguments"),
        (vec!["http://example.com", out, &good], "expected https://"),
        (vec![URL, out, "plan9-amd64=x"], "expected OS-ARCH=BINARY"),
        (vec![URL, out, "linux-amd64"], "expected OS-ARCH=BINARY"),
        (vec![URL, out, "linux-amd64=missing"], "there is no file missing"),
    ] {
        let output = krew(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(told), "{arguments:?}: {said}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
