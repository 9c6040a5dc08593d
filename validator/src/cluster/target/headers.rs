//! Values of headers that the target file only refers to.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use crate::cluster::Cluster;
use crate::config::{HeaderText, RequestSpec, SecretKey, text_of};
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
                HeaderText::File { file } => text_of(name, file)?,
            };
            // The line end of `echo TOKEN | base64` belongs to no token.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::secret;
    use crate::cluster::fake::Fake;
    use crate::config::RequestSpec;
    use crate::exit::Exit;

    fn requests(headers: &serde_json::Value) -> Vec<RequestSpec> {
        let all = json!([{ "get": "/open" }, { "get": "/", "headers": headers }]);
        serde_json::from_value(all).unwrap()
    }

    #[tokio::test]
    async fn a_header_is_read_from_its_secret_and_nothing_is_written() {
        let (fake, cluster) = Fake::start().await;
        let data = json!({ "bearer": "QmVhcmVyIHMzY3JldAo=" }); // `Bearer s3cret` and a line end
        fake.put(
            "/api/v1/namespaces/demo/secrets/gate",
            json!({ "metadata": { "name": "gate" }, "data": data }),
        );
        let of = |key: &str| json!({ "authorization": { "secretKeyRef": { "name": "gate", "key": key } } });
        let headers = secret(&cluster, &requests(&of("bearer"))).await.unwrap();
        let told = serde_json::to_value(&headers).unwrap();
        assert_eq!(told, json!([[], [["authorization", "Bearer s3cret"]]]));
        let missing = secret(&cluster, &requests(&of("token"))).await.unwrap_err();
        assert_eq!(missing.exit(), Exit::Usage);
        assert!(missing.to_string().contains("its keys: bearer") && !missing.to_string().contains("s3cret"));
        assert!(fake.heard().iter().all(|call| call.what.starts_with("GET ")));
    }

    #[tokio::test]
    async fn a_secret_or_a_file_that_is_not_there_is_named_with_the_next_step() {
        let (_fake, cluster) = Fake::start().await;
        let absent = json!({ "x-token": { "secretKeyRef": { "name": "absent", "key": "k" } } });
        let refused = secret(&cluster, &requests(&absent)).await.unwrap_err().to_string();
        assert!(refused.contains("kubectl create secret generic absent"), "{refused}");
        let file = json!({ "x-token": { "file": "nowhere/token" } });
        let refused = secret(&cluster, &requests(&file)).await.unwrap_err().to_string();
        assert!(refused.contains("`x-token`") && refused.contains("nowhere/token"), "{refused}");
    }
}
