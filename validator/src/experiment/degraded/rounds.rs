//! Which dependency is degraded, how, and on which pod.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::super::circuit::Circuit;
use crate::config::{Breaker, Dependency, Protocol};
use crate::plan::Part;

/// How long a cache is read-only.
pub(super) const READ_ONLY: Duration = Duration::from_secs(8);

/// How long a store is slow to clients that wait.
pub(super) const SLOW_FOR: Duration = Duration::from_secs(8);

/// How long old connections lead to a node that is read-only.
pub(super) const FAIL_OVER: Duration = Duration::from_secs(12);

/// How long new connections are refused: less than what fills half of a usual window with failures.
pub(super) const LIMITED: Duration = Duration::from_secs(3);

/// A circuit that opens at the last moment of a fault is seen to have opened.
pub(super) const AFTER: Duration = Duration::from_secs(1);

/// So long calls have to be stopped for it to be seen.
pub(super) const SEEN_OPEN: Duration = Duration::from_secs(4);

/// Failures go on beyond what fills the window.
const BEYOND: Duration = Duration::from_secs(2);

/// No run waits for longer until a rate that is so low has filled a window.
const LONGEST: Duration = Duration::from_mins(1);

/// One thing that happens to one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::experiment) enum Injection {
    /// Writes to the cache fail.
    ReadOnlyCache,
    /// Calls take longer, below their deadline.
    Slow,
    /// The same, and clients do not wait for them.
    AbandonedSlow,
    /// So many calls fail that the circuit has to bear it.
    FewFailures,
    /// So many that it has to open.
    ManyFailures,
    /// Calls hang, and clients do not wait for them.
    AbandonedHang,
    /// Writes over old connections are refused.
    FailOver,
    /// New connections are refused, old ones are cut.
    ConnectionLimit,
    /// Every call is answered that what it asks for is not there.
    ClientErrors,
}

impl Injection {
    /// Whether calls fail in it, so that the window has to forget them.
    pub(super) fn fails_calls(self) -> bool {
        !matches!(self, Self::ReadOnlyCache | Self::Slow)
    }

    /// The part of the experiment that it belongs to.
    fn part(self) -> Part {
        match self {
            Self::ReadOnlyCache => Part::ReadOnlyCache,
            Self::Slow => Part::SlowCalls,
            Self::AbandonedSlow | Self::AbandonedHang => Part::HangUps,
            Self::FewFailures | Self::ManyFailures | Self::ClientErrors => Part::FailingCalls,
            Self::FailOver => Part::FailOver,
            Self::ConnectionLimit => Part::ConnectionLimit,
        }
    }

    /// What is done, in words that follow the name of the dependency.
    fn told(self) -> &'static str {
        match self {
            Self::ReadOnlyCache => "with a read-only cache",
            Self::Slow => "slow",
            Self::AbandonedSlow => "slow while clients hang up",
            Self::FewFailures => "failing a few calls",
            Self::ManyFailures => "failing many",
            Self::AbandonedHang => "hanging while clients hang up",
            Self::FailOver => "failing over",
            Self::ConnectionLimit => "out of connections",
            Self::ClientErrors => "answering \"not found\"",
        }
    }

    /// Whether the circuit is open when it ends.
    fn leaves_open(self, breaker: &Circuit) -> bool {
        match self {
            Self::ManyFailures | Self::AbandonedHang => true,
            // What looks back on a few calls, or seconds, is full of refused ones.
            Self::ConnectionLimit => breaker.window <= LIMITED * 2,
            _ => false,
        }
    }

    /// How long it takes at least, what it waits for before included.
    fn least(self, breaker: Option<&Circuit>) -> Duration {
        let of = |what: fn(&Circuit) -> Duration| breaker.map_or(Duration::ZERO, what);
        let filled = |circuit: &Circuit| clean(&circuit.window) + circuit.window + BEYOND + AFTER;
        match self {
            Self::ReadOnlyCache => READ_ONLY,
            Self::Slow => SLOW_FOR,
            Self::AbandonedSlow => of(Circuit::abandoned_slow),
            Self::FewFailures | Self::ClientErrors => of(filled),
            Self::ManyFailures => of(|circuit| clean(&circuit.window) + SEEN_OPEN),
            Self::AbandonedHang => of(Circuit::abandoned_hang),
            Self::FailOver => FAIL_OVER,
            Self::ConnectionLimit => LIMITED,
        }
    }
}

/// One dependency that is degraded, before the next one is.
#[derive(Clone, Copy)]
pub(in crate::experiment) struct Round<'a> {
    /// What is done of it.
    parts: &'a BTreeSet<Part>,
    pub(super) dependency: &'a Dependency,
    /// Its declared breaker, with its times.
    pub(super) breaker: Option<(&'a Breaker, Circuit)>,
    /// A cache that is made read-only meanwhile.
    pub(super) cache: Option<&'a str>,
}

impl<'a> Round<'a> {
    fn new(dependency: &'a Dependency, requests_per_s: f64, parts: &'a BTreeSet<Part>) -> Self {
        let circuit = |breaker| (breaker, Circuit::new(breaker, requests_per_s));
        Self { parts, dependency, breaker: dependency.breaker.as_ref().map(circuit), cache: None }
    }

    /// The dependency, by name.
    pub(in crate::experiment) fn name(&self) -> &str {
        &self.dependency.name
    }

    /// How long circuits that it has opened stay open at most.
    pub(in crate::experiment) fn stays_open(&self) -> Duration {
        let opened = |(_, circuit): &&(&Breaker, Circuit)| {
            self.injections().iter().flatten().any(|one| one.leaves_open(circuit))
        };
        self.breaker.as_ref().filter(opened).map_or(Duration::ZERO, |(_, circuit)| circuit.open_for)
    }

    /// What a circuit has to bear, what opens it, and the rest. The clients' impatience comes first: calls fail in part only
    /// after it, since there is one load for all pods.
    fn injections(&self) -> [Vec<Injection>; 3] {
        use Injection::{
            AbandonedHang, AbandonedSlow, ClientErrors, ConnectionLimit, FailOver, FewFailures, ManyFailures,
            ReadOnlyCache, Slow,
        };
        let (mut bears, opens, mut rest) = match (self.dependency.protocol, self.breaker.is_some()) {
            (Protocol::Postgres, true) => {
                (vec![FewFailures, AbandonedHang], vec![ManyFailures], vec![AbandonedSlow, Slow, FailOver])
            }
            (Protocol::Postgres, false) => (vec![], vec![], vec![FailOver]),
            (Protocol::Http, true) => (
                vec![FewFailures, AbandonedHang],
                vec![ManyFailures],
                vec![AbandonedSlow, Slow, ClientErrors],
            ),
            (Protocol::Redis, true) => (vec![AbandonedHang], vec![], vec![AbandonedSlow, Slow]),
            _ => (vec![], vec![], vec![]),
        };
        if self.dependency.protocol == Protocol::Postgres {
            // Where it opens the circuit, it is some time until that is closed: such a breaker needs less for the others.
            match &self.breaker {
                Some((_, circuit)) if ConnectionLimit.leaves_open(circuit) => {
                    bears.insert(0, ConnectionLimit)
                }
                _ => rest.push(ConnectionLimit),
            }
        }
        let cache = self.cache.map(|_| ReadOnlyCache);
        let done = |one: &Injection| self.parts.contains(&one.part());
        [bears, cache.into_iter().chain(opens).collect(), rest]
            .map(|all| all.into_iter().filter(done).collect())
    }
}

impl fmt::Display for Round<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [bears, opens, rest] = self.injections();
        let told: Vec<&str> = bears.iter().chain(&opens).chain(&rest).map(|one| one.told()).collect();
        write!(f, "each pod in its own way: {} {}", self.name(), told.join(", "))
    }
}

/// The dependencies that are degraded, in turn: those with a breaker, then databases without one; the first cache
/// beside the first of them, or alone. One of which no part is done is left out.
pub(in crate::experiment) fn rounds<'a>(
    dependencies: impl Iterator<Item = &'a Dependency>,
    requests_per_s: f64,
    parts: &'a BTreeSet<Part>,
) -> Vec<Round<'a>> {
    let all: Vec<&Dependency> = dependencies.collect();
    let can = |d: &&&Dependency| d.breaker.is_some() || d.protocol == Protocol::Postgres;
    let mut chosen: Vec<&Dependency> = all.iter().filter(can).copied().collect();
    chosen.sort_by_key(|dependency| dependency.breaker.is_none());
    let cache = all.iter().find(|d| d.protocol == Protocol::Redis);
    if chosen.is_empty() {
        chosen.extend(cache);
    }
    let mut rounds: Vec<Round> = chosen.into_iter().map(|d| Round::new(d, requests_per_s, parts)).collect();
    if let Some(first) = rounds.first_mut() {
        first.cache = cache.map(|dependency| dependency.name.as_str());
    }
    rounds.retain(|round| round.injections().iter().any(|all| !all.is_empty()));
    rounds
}

/// Which pod goes through what. What does not fit side by side comes one after the other.
pub(in crate::experiment) fn assignment(round: &Round, pods: usize) -> Vec<Vec<Injection>> {
    let [bears, opens, rest] = round.injections();
    let mut assigned = match pods {
        0 => Vec::new(),
        1 => vec![[rest, bears, opens].concat()],
        2 => vec![[rest, bears].concat(), opens],
        _ => vec![bears, opens, rest],
    };
    assigned.resize(pods, Vec::new());
    assigned
}

/// How long a round takes at least: a pod whose circuit is open waits for it before what comes next.
pub(in crate::experiment) fn least(round: &Round, assigned: &[Vec<Injection>]) -> Duration {
    let circuit = round.breaker.as_ref().map(|(_, circuit)| circuit);
    let waits = |one: &Injection, is_last: bool| match circuit {
        // This one waits itself, to see calls flow again.
        Some(circuit) if one.leaves_open(circuit) && (!is_last || *one == Injection::ConnectionLimit) => {
            circuit.open_for
        }
        _ => Duration::ZERO,
    };
    let of = |injections: &Vec<Injection>| {
        let each = injections.iter().enumerate();
        each.map(|(at, one)| one.least(circuit) + waits(one, at + 1 == injections.len())).sum()
    };
    assigned.iter().map(of).max().unwrap_or_default()
}

/// How long it takes until a window holds nothing of what was before.
pub(super) fn clean(window: &Duration) -> Duration {
    *window + Duration::from_secs(1)
}

/// How long failures go on that fill what a breaker looks back on in so many seconds; none if that is too long.
pub(super) fn filled(seconds: f64) -> Option<Duration> {
    (seconds <= LONGEST.as_secs_f64()).then(|| Duration::from_secs_f64(seconds) + BEYOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::tests::header;

    fn dependencies() -> Vec<Dependency> {
        let mut all = header().plan.dependencies;
        let others = serde_json::json!([
            { "name": "cache", "service": "redis", "protocol": "redis" },
            { "name": "ledger", "service": "ledger", "protocol": "postgres" },
            { "name": "orders", "service": "orders", "protocol": "http" },
        ]);
        all.extend(serde_json::from_value::<Vec<Dependency>>(others).unwrap());
        all
    }

    #[test]
    fn every_injection_is_assigned_once_however_few_pods_there_are() {
        let all = dependencies();
        let parts = Part::all();
        let rounds = rounds(all.iter(), 30.0, &parts);
        let wanted: usize = rounds[0].injections().iter().map(Vec::len).sum();
        assert_eq!(wanted, 8);
        for pods in 1..6 {
            let assigned = assignment(&rounds[0], pods);
            assert_eq!(assigned.len(), pods);
            assert_eq!(assigned.iter().flatten().count(), wanted, "{pods} pods");
        }
        assert!(assignment(&rounds[0], 0).is_empty());
    }

    #[test]
    fn databases_and_breakers_are_degraded_and_the_cache_beside_the_first() {
        let all = dependencies();
        let told = |rounds: &[Round]| {
            rounds.iter().map(|round| (round.name().to_owned(), round.cache.is_some())).collect::<Vec<_>>()
        };
        let named = |name: &str, cache| (name.to_owned(), cache);
        let parts = Part::all();
        assert_eq!(
            told(&rounds(all.iter(), 30.0, &parts)),
            [named("postgres", true), named("ledger", false)]
        );
        assert_eq!(told(&rounds(all[1..2].iter(), 30.0, &parts)), [named("cache", true)]);
        assert!(rounds(all[3..].iter(), 30.0, &parts).is_empty(), "nothing is known of what it should do");
    }

    #[test]
    fn of_three_pods_none_is_impatient_while_calls_of_another_one_fail_in_part() {
        let all = dependencies();
        let parts = Part::all();
        let round = rounds(all.iter(), 77.0, &parts)[0];
        let assigned = assignment(&round, 3);
        assert_eq!(assigned[2][0], Injection::AbandonedSlow);
        let (_, circuit) = round.breaker.unwrap();
        assert!(
            circuit.abandoned_slow() < clean(&circuit.window),
            "it is over before the first share begins"
        );
    }

    #[test]
    fn a_breaker_that_a_few_refused_connections_open_is_given_the_time_to_close() {
        let mut all = dependencies();
        let row = serde_json::json!({
            "consecutiveFailures": 5, "deadline": "3s", "openFor": "30s", "trials": 1
        });
        all[0].breaker = Some(serde_json::from_value(row).unwrap());
        let parts = Part::all();
        let round = rounds(all.iter(), 77.0, &parts)[0];
        let least = |pods| least(&round, &assignment(&round, pods)).as_secs();
        assert_eq!(assignment(&round, 3)[0][0], Injection::ConnectionLimit);
        assert!((33..=50).contains(&least(3)), "{}", least(3));
        assert!(least(1) > 90, "{}", least(1));
    }

    #[test]
    fn three_pods_need_as_long_as_the_longest_of_them() {
        let all = dependencies();
        let parts = Part::all();
        let round = rounds(all.iter(), 30.0, &parts)[0];
        let least = |pods| least(&round, &assignment(&round, pods)).as_secs();
        assert!((30..=40).contains(&least(3)), "{}", least(3));
        assert!(least(1) > least(2) && least(2) > least(3));
    }

    #[test]
    fn what_is_not_selected_is_not_done_and_a_dependency_without_any_of_it_is_left_alone() {
        let all = dependencies();
        let selected = [Part::FailingCalls].into();
        let failing = rounds(all.iter(), 30.0, &selected);
        assert_eq!(failing.iter().map(Round::name).collect::<Vec<_>>(), ["postgres"]);
        let assigned = assignment(&failing[0], 3);
        assert_eq!(assigned, [vec![Injection::FewFailures], vec![Injection::ManyFailures], vec![]]);
        assert!(rounds(all.iter(), 30.0, &Part::QUICK.into()).is_empty());
    }
}
