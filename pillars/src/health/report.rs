use serde_json::{Map, Value, json};

use super::dependency::{Standing, Status};
use super::{Health, Need};

/// What `/ready` answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Whether the answer is 200; otherwise it is 503.
    pub is_ready: bool,
    /// The body.
    pub body: Map<String, Value>,
}

impl Health {
    /// Whether the process wants traffic, and why not; with all its parts if `verbose`, for the eyes of operators.
    pub fn report(&self, verbose: bool) -> Report {
        let readiness = self.readiness();
        let mut body = Map::new();
        body.insert("status".to_owned(), readiness.as_str().into());
        if let Some(error) = readiness.error() {
            body.insert("error".to_owned(), error.into());
        }
        if verbose {
            self.describe(&mut body);
        }
        Report { is_ready: readiness.is_ready(), body }
    }

    fn describe(&self, body: &mut Map<String, Value>) {
        let vitals = &self.vitals;
        let dependencies =
            vitals.dependencies.iter().map(|each| (each.name.to_owned(), describe(&each.status())));
        body.insert("dependencies".to_owned(), dependencies.collect::<Map<_, _>>().into());
        body.insert("heartbeat_age_ms".to_owned(), (vitals.heartbeat.age().as_millis() as u64).into());
        body.extend(vitals.details.iter().map(|(name, value)| ((*name).to_owned(), value())));
    }
}

fn describe(status: &Status) -> Value {
    let (standing, error) = match &status.standing {
        Standing::Up => ("up", None),
        Standing::Unconfirmed(reason) => ("unconfirmed", Some(reason)),
        Standing::Down(reason) => ("down", Some(reason)),
    };
    let required = status.need == Need::Required;
    json!({ "status": standing, "required": required, "error": error, "age_ms": status.age.as_millis() as u64 })
}
