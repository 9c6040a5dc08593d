//! A target file as a run asks it that takes nothing away from users.

use super::{GoLiveCheck, Rate, Spec};
use crate::failure::Failure;

/// Requests per second at most: enough for a share of 1 % to show within a minute, and little beside any user.
const AT_MOST: Rate = Rate::new(10);

/// What is told where there is nothing to send.
const ONLY_WRITES: &str =
    "nothing can be observed: every request of the target file writes, and an observing run writes nothing";

impl Spec {
    /// Why nothing can be observed, if nothing can.
    pub fn unobservable(&self) -> Option<&'static str> {
        let reads = self.traffic.requests.iter().any(|request| request.method.is_safe());
        (!reads).then_some(ONLY_WRITES)
    }
}

impl GoLiveCheck {
    /// The same with the requests that only read (RFC 9110, 9.2.1), and at most 10 of them per second.
    ///
    /// # Errors
    /// Exit 2 where every request writes.
    pub fn gentle(&self) -> Result<Self, Failure> {
        if let Some(told) = self.spec.unobservable() {
            return Err(Failure::usage(told)
                .hint("add one that only reads to spec.traffic.requests: get, head or options"));
        }
        let mut check = self.clone();
        let traffic = &mut check.spec.traffic;
        traffic.requests.retain(|request| request.method.is_safe());
        if traffic.rate.per_second() > AT_MOST.per_second() {
            traffic.rate = AT_MOST;
        }
        Ok(check)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{GoLiveCheck, RequestSpec};
    use crate::exit::Exit;

    fn check(rate: u32, requests: &str) -> GoLiveCheck {
        let text = format!(
            "apiVersion: golive.dev/v1alpha1\nkind: GoLiveCheck\nmetadata: {{ name: users }}\n\
             spec: {{ target: {{ deployment: users }}, traffic: {{ rate: {rate}, requests: [{requests}] }} }}"
        );
        GoLiveCheck::parse(&text).unwrap()
    }

    #[test]
    fn what_writes_is_left_out_and_the_rate_is_a_gentle_one() {
        let all = "{ post: /a, json: {} }, { get: /b }, { delete: /c }, { head: /d }, { put: /e }, { options: /f }, { patch: /g }";
        let gentle = check(200, all).gentle().unwrap().spec.traffic;
        let names: Vec<String> = gentle.requests.iter().map(RequestSpec::name).collect();
        assert_eq!(names, ["GET /b", "HEAD /d", "OPTIONS /f"]);
        assert_eq!(gentle.rate.per_second().to_string(), "10");
        let slow = check(3, all).gentle().unwrap();
        assert_eq!(slow.spec.traffic.rate.per_second().to_string(), "3", "whoever declares less gets less");
    }

    #[test]
    fn where_every_request_writes_nothing_is_sent() {
        let refused = check(200, "{ post: /a, json: {} }, { delete: /c }").gentle().unwrap_err();
        assert_eq!(refused.exit(), Exit::Usage);
        assert!(refused.to_string().contains("every request of the target file writes"), "{refused}");
    }
}
