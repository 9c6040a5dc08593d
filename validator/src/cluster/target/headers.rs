//! Values of headers that the target file only refers to.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use crate::cluster::Cluster;
use crate::config::{HeaderText, RequestSpec, SecretKey};
use crate::failure::Failure;
use crate::load::SecretHeaders;

/// Reads them; what a value is stands in no failure.
///
/// # Errors
/// Exit 2 when a Secret, its key or a file is not there; exit 3 without the right to read the Secret.
pub(super) async fn secret(cluster: &Cluster, requests: &[RequestSpec]) -> Result<SecretHeaders, Failure> {
    let mut headers = SecretHeaders::default();
    for (number, request) in requests.iter().enumerate() {
        for (name, text) in &request.headers {
            let value = match text {
                HeaderText::Plain(_) => continue,
                HeaderText::Secret { secret } => of_secret(cluster, secret).await?,
                HeaderText::File { file } => std::fs::read_to_string(file).map_err(|e| {
                    Failure::usage(format!("header `{name}`: cannot read {}: {e}", file.display()))
                })?,
            };
            // An editor's line end, and that of `echo TOKEN | base64`, belong to no token.
            headers.add(number, name, value.trim_end_matches(['\r', '\n'])).map_err(Failure::usage)?;
        }
    }
    Ok(headers)
}

async fn of_secret(cluster: &Cluster, SecretKey { name, key }: &SecretKey) -> Result<String, Failure> {
    let api: Api<Secret> = cluster.api();
    let missing = |what: String, hint: String| Failure::usage(what).hint(hint);
    let found = cluster.call(&format!("read Secret `{name}`"), api.get_opt(name)).await?;
    let data = found.ok_or_else(|| {
        missing(
            format!("no Secret `{name}` in namespace `{}`", cluster.namespace),
            format!("kubectl create secret generic {name} -n {} --from-file={key}=FILE", cluster.namespace),
        )
    })?;
    let mut data = data.data.unwrap_or_default();
    let value = data.remove(key).ok_or_else(|| {
        let keys: Vec<&str> = data.keys().map(String::as_str).collect();
        missing(format!("Secret `{name}` has no key `{key}`"), format!("its keys: {}", keys.join(", ")))
    })?;
    String::from_utf8(value.0)
        .map_err(|_| Failure::usage(format!("Secret `{name}`, key `{key}`: it is no text")))
}
