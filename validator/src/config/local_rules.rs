//! What a target file cannot ask of a run on this machine.

use super::nearest::with_nearest;
use super::{Dependency, GoLiveCheck, HeaderText, Local, MARK, POD_NAME, Protocol, Seconds};
use crate::failure::Failure;

impl GoLiveCheck {
    /// Whether `validator local` can do what this file says. `allowed` are the dependencies of other people that may be broken.
    ///
    /// # Errors
    /// Exit 2 with the field, and what to do instead.
    pub fn for_this_machine(&self, allowed: &[String]) -> Result<(), Failure> {
        let local = &self.spec.local;
        if local.replicas == 0 {
            return Err(Failure::usage("spec.local.replicas: expected at least 1"));
        }
        whole("gracePeriod", local.grace_period)?;
        whole("minReady", local.min_ready)?;
        declared(local, &self.spec.dependencies)?;
        distinct(local)?;
        self.broken_on_purpose(allowed)?;
        self.sent_as_declared()
    }

    /// What somebody else may use gets the load's writes, and is broken, only if it is named once more.
    fn broken_on_purpose(&self, allowed: &[String]) -> Result<(), Failure> {
        let local = &self.spec.local;
        let named = |name: &&String| local.dependencies.get(*name).is_some_and(|found| found.url.is_some());
        if let Some(other) = allowed.iter().find(|name| !named(name)) {
            return Err(Failure::usage(format!("--yes-break-it {other}: spec.local names no `url` for it")));
        }
        let mut foreign = local.dependencies.iter().filter(|(_, found)| found.url.is_some());
        let Some((name, _)) = foreign.find(|(name, _)| !allowed.contains(name)) else { return Ok(()) };
        Err(Failure::usage(format!(
            "spec.local.dependencies.{name}: it has a `url`, and a run writes to it and breaks the calls of its copies"
        ))
        .hint(format!("if that hurts nobody: --yes-break-it {name}; without `url` it is a throw-away one")))
    }

    fn sent_as_declared(&self) -> Result<(), Failure> {
        for (number, request) in self.spec.traffic.requests.iter().enumerate() {
            let field = format!("spec.traffic.requests[{number}]");
            if let Some(port) = &request.port {
                return Err(Failure::usage(format!("{field}.port: {port}: a copy serves users at one port"))
                    .hint("leave the request out here, or gate it with `validator run`"));
            }
            let secret = |text: &HeaderText| matches!(text, HeaderText::Secret { .. });
            if let Some((name, _)) = request.headers.iter().find(|(_, text)| secret(text)) {
                return Err(Failure::usage(format!(
                    "{field}.headers.{name}: there is no Secret without a cluster"
                ))
                .hint(format!(
                    "say `file: PATH` in its place, or leave it out and use --header '{name}: VALUE'"
                )));
            }
        }
        Ok(())
    }
}

/// As Kubernetes has it: a part of a second would be cut off, and an end within it be too late.
fn whole(field: &str, time: Seconds) -> Result<(), Failure> {
    if time.0.fract() == 0.0 {
        return Ok(());
    }
    Err(Failure::usage(format!("spec.local.{field}: expected whole seconds, such as {:.0}s", time.0.ceil())))
}

/// Every name is that of a dependency that can be started or is named.
fn declared(local: &Local, dependencies: &[Dependency]) -> Result<(), Failure> {
    for (name, found) in &local.dependencies {
        let Some(dependency) = dependencies.iter().find(|dependency| dependency.name == *name) else {
            let names: Vec<String> = dependencies.iter().map(|d| format!("`{}`", d.name)).collect();
            let unknown = format!("unknown field `{name}`, expected one of {}", names.join(", "));
            return Err(Failure::usage(format!(
                "spec.local.dependencies: {}",
                with_nearest(unknown).trim_end()
            )));
        };
        if found.url.is_none() && matches!(dependency.protocol, Protocol::Http | Protocol::Tcp) {
            let protocol = dependency.protocol.name();
            return Err(Failure::usage(format!(
                "spec.local.dependencies.{name}: it needs its `url`: there is no throw-away one for {protocol}"
            )));
        }
    }
    Ok(())
}

/// Each variable tells a copy one thing.
fn distinct(local: &Local) -> Result<(), Failure> {
    let of = |name: &String| format!("spec.local.dependencies.{name}.variable");
    let mut told = vec![
        ("the name of each copy".to_owned(), POD_NAME),
        ("the mark of the run".to_owned(), MARK),
        ("spec.local.port".to_owned(), local.port.as_str()),
        ("spec.local.managementPort".to_owned(), local.management_port.as_str()),
    ];
    told.extend(local.dependencies.iter().map(|(name, found)| (of(name), found.variable.as_str())));
    for (at, (field, variable)) in told.iter().enumerate() {
        if let Some((first, _)) = told[..at].iter().find(|(_, other)| other == variable) {
            return Err(Failure::usage(format!("{field}: `{variable}` is the variable of {first} already"))
                .hint("give each a variable of its own, and start the service with those"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::GoLiveCheck;
    use crate::exit::Exit;

    const FILE: &str = "
apiVersion: golive.dev/v1alpha1
kind: GoLiveCheck
metadata: { name: users }
spec:
  target: { deployment: users }
  traffic: { requests: [{ get: / }] }
  dependencies: [{ name: postgres, service: postgres, protocol: postgres }, { name: mail, host: m, port: 25, protocol: tcp }]
  local:
    gracePeriod: 30s
    dependencies: { postgres: { variable: DATABASE_URL } }
";

    /// With one thing in place of another.
    fn told(before: &str, after: &str, allowed: &[&str]) -> Option<String> {
        assert!(FILE.contains(before));
        let check = GoLiveCheck::parse(&FILE.replace(before, after)).unwrap();
        let allowed: Vec<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        let failure = check.for_this_machine(&allowed).err()?;
        assert_eq!(failure.exit(), Exit::Usage);
        Some(failure.to_string())
    }

    #[test]
    fn what_cannot_be_done_here_is_refused_by_its_field() {
        assert_eq!(told("/", "/", &[]), None);
        for (before, after, wanted) in [
            ("postgres: { v", "postgers: { v", "did you mean `postgres`?"),
            ("postgres: { v", "mail: { v", "spec.local.dependencies.mail: it needs its `url`"),
            ("30s", "1500ms", "spec.local.gracePeriod: expected whole seconds, such as 2s"),
            ("gracePeriod: 30s", "minReady: 200ms", "spec.local.minReady: expected whole seconds"),
            ("gracePeriod: 30s", "replicas: 0", "spec.local.replicas: expected at least 1"),
            ("get: /", "get: /, port: admin", "spec.traffic.requests[0].port: admin"),
            (
                "get: /",
                "get: /, headers: { x-t: { secretKeyRef: { name: a, key: b } } }",
                "spec.traffic.requests[0].headers.x-t",
            ),
        ] {
            let told = told(before, after, &[]).unwrap_or_default();
            assert!(told.contains(wanted), "{after}: {told}");
        }
    }

    #[test]
    fn a_variable_that_would_have_to_say_two_things_is_refused_with_both_places() {
        for (after, places) in [
            ("gracePeriod: 30s, port: DATABASE_URL", ["dependencies.postgres.variable", "spec.local.port"]),
            ("gracePeriod: 30s, port: A, managementPort: A", ["local.managementPort", "spec.local.port"]),
            ("gracePeriod: 30s, port: POD_NAME", ["spec.local.port", "the name of each copy"]),
            ("gracePeriod: 30s, managementPort: GOLIVE_LOCAL_RUN", ["spec.local.managementPort", "the mark"]),
        ] {
            let after = after.replace(", ", "\n    ");
            let told = told("gracePeriod: 30s", &after, &[]).unwrap_or_default();
            assert!(places.iter().all(|place| told.contains(place)), "{after}: {told}");
        }
    }

    #[test]
    fn what_others_may_use_is_broken_only_with_their_leave() {
        let named = "DATABASE_URL, url: \"postgres://u@staging/users\"";
        let refused = told("DATABASE_URL", named, &[]).unwrap();
        assert!(
            refused.contains("spec.local.dependencies.postgres") && !refused.contains("staging"),
            "{refused}"
        );
        assert_eq!(told("DATABASE_URL", named, &["postgres"]), None);
        let mistaken = told("DATABASE_URL", "DATABASE_URL", &["postgres"]).unwrap();
        assert!(mistaken.contains("--yes-break-it postgres"), "{mistaken}");
    }
}
