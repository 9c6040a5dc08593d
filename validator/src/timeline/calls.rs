//! Calls of each pod at each dependency, to a tenth of a second.

use std::collections::BTreeMap;

use crate::config::Protocol;
use crate::evidence::{CallFact, Evidence, Fact, Millis, Step};

/// Length of the stretches in which calls are counted.
const TENTH: Millis = 100;

/// What the middle agents counted, by dependency and pod.
#[derive(Debug, Default)]
pub struct CallView<'a> {
    by_pod: BTreeMap<&'a str, BTreeMap<&'a str, Seconds<'a>>>,
}

type Seconds<'a> = Vec<(usize, &'a CallFact)>;

/// The seconds of one pod at one dependency, in time order. A second without anything may be absent.
#[derive(Clone, Copy, Debug)]
pub struct Calls<'a> {
    seconds: &'a [(usize, &'a CallFact)],
}

impl<'a> CallView<'a> {
    pub(super) fn new(evidence: &'a Evidence) -> Self {
        let mut view = Self::default();
        for (line, fact) in evidence.numbered() {
            if let Fact::Call(call) = fact {
                let of_pod = view.by_pod.entry(&call.pod).or_default();
                of_pod.entry(&call.dependency).or_default().push((line, call));
            }
        }
        view.by_pod
            .values_mut()
            .flat_map(BTreeMap::values_mut)
            .for_each(|seconds| seconds.sort_by_key(|(_, call)| call.at));
        view
    }

    /// The calls of one pod at one dependency.
    pub fn of(&self, dependency: &str, pod: &str) -> Calls<'_> {
        let seconds = self.by_pod.get(pod).and_then(|of_pod| of_pod.get(dependency));
        Calls { seconds: seconds.map(Vec::as_slice).unwrap_or_default() }
    }

    /// The calls of one pod, one entry per dependency that it called.
    pub fn of_pod(&self, pod: &str) -> impl Iterator<Item = Calls<'_>> {
        self.by_pod.get(pod).into_iter().flat_map(BTreeMap::values).map(|seconds| Calls { seconds })
    }
}

impl<'a> Calls<'a> {
    /// Calls in the tenths of a second that lie wholly inside a window.
    pub fn within(self, (begin, end): (Millis, Millis)) -> u64 {
        let inside = self.tenths().filter(|(at, _)| *at >= begin && at + TENTH <= end);
        inside.map(|(_, calls)| u64::from(calls)).sum()
    }

    /// Calls per second of a window.
    pub fn per_s(self, window: (Millis, Millis)) -> f64 {
        self.within(window) as f64 * 1000.0 / (window.1 - window.0).max(1) as f64
    }

    /// The last tenth of a second with a call that began before a moment.
    pub fn last_before(self, moment: Millis) -> Option<Millis> {
        self.tenths().filter(|(at, calls)| *calls > 0 && *at < moment).map(|(at, _)| at).last()
    }

    /// The first tenth of a second with a call that began at or after a moment.
    pub fn first_after(self, moment: Millis) -> Option<Millis> {
        self.tenths().find(|(at, calls)| *calls > 0 && *at >= moment).map(|(at, _)| at)
    }

    /// From when on calls flow: the first call after a moment that has more than `few` calls in the 2 s after it.
    pub fn flow_after(self, moment: Millis, few: u32) -> Option<Millis> {
        let mut begins = self.tenths().filter(|(at, calls)| *calls > 0 && *at >= moment);
        begins.find(|(at, _)| self.within((*at, at + 2_000)) > u64::from(few)).map(|(at, _)| at)
    }

    /// The longest stretch without a call inside a window: how long, and when it began.
    pub fn longest_pause(self, (begin, end): (Millis, Millis)) -> (Millis, Millis) {
        let mut longest = (0, begin);
        let mut since = begin;
        let inside = self.tenths().filter(|(at, calls)| *calls > 0 && (begin..end).contains(at));
        for at in inside.map(|(at, _)| at).chain([end]) {
            if at - since > longest.0 {
                longest = (at - since, since);
            }
            since = at + TENTH;
        }
        longest
    }

    /// The most calls in one second of a window.
    pub fn most_per_second(self, window: (Millis, Millis)) -> u32 {
        self.seconds(window).map(|(_, call)| call.total()).max().unwrap_or(0)
    }

    /// The most connections opened in one second of a window.
    pub fn most_opened(self, window: (Millis, Millis)) -> u32 {
        self.seconds(window).map(|(_, call)| call.opened).max().unwrap_or(0)
    }

    /// The most connections open in a window.
    pub fn most_open(self, window: (Millis, Millis)) -> u32 {
        self.seconds(window).map(|(_, call)| call.open).max().unwrap_or(0)
    }

    /// Health pings in a window.
    pub fn pings(self, window: (Millis, Millis)) -> u64 {
        self.seconds(window).map(|(_, call)| u64::from(call.pings)).sum()
    }

    /// Lines of the seconds of a window.
    pub fn lines(self, window: (Millis, Millis)) -> impl Iterator<Item = usize> {
        self.seconds(window).map(|(line, _)| *line)
    }

    /// The seconds that touch a window, with their lines.
    pub fn seconds(self, (begin, end): (Millis, Millis)) -> impl Iterator<Item = &'a (usize, &'a CallFact)> {
        self.seconds.iter().filter(move |(_, call)| call.at + 999 >= begin && call.at <= end)
    }

    fn tenths(self) -> impl Iterator<Item = (Millis, u32)> {
        self.seconds.iter().flat_map(|(_, call)| (call.at..).step_by(TENTH as usize).zip(call.calls))
    }
}

impl super::Timeline<'_> {
    /// How many calls came to the dependencies of this protocol in a window, health pings apart.
    ///
    /// # Errors
    /// Why they are not known.
    pub fn calls_of(&self, protocol: Protocol, window: (Millis, Millis)) -> Result<u64, super::Unmeasured> {
        let asked = self.plan().dependencies.iter().filter(|d| d.protocol == protocol);
        asked.clone().try_for_each(|d| self.trust.was_read(&d.name))?;
        let of_pod = |name: &str, pod: &str| self.calls.of(name, pod).within(window);
        let calls = |name: &str| self.pods.iter().map(|pod| of_pod(name, &pod.name)).sum::<u64>();
        Ok(asked.map(|dependency| calls(&dependency.name)).sum())
    }

    /// Pods that were Ready in the quiet phase and had no connection to a dependency through its agent by then: they reach it by
    /// another way, or not at all. A connection that was opened in the roll and kept without a call stands in no second of that
    /// phase.
    pub fn unconnected(&self, dependency: &str) -> Vec<&str> {
        let Ok(quiet) = self.between(Step::Quiet, Step::Quiet) else { return Vec::new() };
        let since = self.between(Step::RollIn, Step::Quiet).unwrap_or(quiet);
        let bare = self.pods_ready_through(quiet).into_iter().filter(|pod| {
            let calls = self.calls.of(dependency, &pod.name);
            calls.most_open(since) + calls.most_opened(since) == 0
        });
        bare.map(|pod| pod.name.as_str()).collect()
    }

    /// Whether a fault in front of a dependency could break anything for every pod.
    ///
    /// # Errors
    /// Which pod had no connection there.
    pub fn came_through(&self, dependency: &str) -> Result<(), super::Unmeasured> {
        self.unconnected(dependency).first().map_or(Ok(()), |pod| {
            let why = format!("{pod} had no connection to {dependency} through its agent: see GL-E108");
            Err(super::Unmeasured::NotSeen(why))
        })
    }

    /// Calls at a dependency for each request of the quiet phase.
    ///
    /// # Errors
    /// There was no quiet phase.
    pub fn calls_per_request(&self, dependency: &str) -> Result<f64, super::Unmeasured> {
        let quiet = self.between(Step::Quiet, Step::Quiet)?;
        let pods = self.pods.iter().map(|pod| pod.name.as_str());
        let calls: u64 = pods.clone().map(|pod| self.calls.of(dependency, pod).within(quiet)).sum();
        let direct = pods.flat_map(|pod| self.load.direct_seconds(pod, quiet));
        let past: u64 = direct.map(|(_, second)| u64::from(second.due)).sum();
        Ok(calls as f64 / (self.load.all(quiet).answered + past).max(1) as f64)
    }

    /// Calls per second that each pod made at a dependency in the quiet phase; the pod with the fewest.
    pub fn quiet_calls_per_s(&self, dependency: &str) -> Result<f64, super::Unmeasured> {
        let quiet = self.between(Step::Quiet, Step::Quiet)?;
        let pods = self.pods_ready_through(quiet);
        let seconds = (quiet.1 - quiet.0).max(1) as f64 / 1000.0;
        let rates =
            pods.iter().map(|pod| self.calls.of(dependency, &pod.name).within(quiet) as f64 / seconds);
        Ok(rates.reduce(f64::min).unwrap_or(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::CallView;
    use crate::evidence::{CallFact, Evidence, Fact};
    use crate::timeline::tests::header;

    fn second(at: i64, calls: [u32; 10]) -> Fact {
        let (dependency, pod) = ("db".to_owned(), "a".to_owned());
        let (pings, set_up, opened, open, sent, received) = (0, 0, 3, 5, 0, 0);
        Fact::Call(CallFact { at, dependency, pod, calls, pings, set_up, opened, open, sent, received })
    }

    #[test]
    fn pauses_are_measured_between_calls_and_over_seconds_without_any() {
        let mut late = [0; 10];
        late[5] = 2;
        let evidence = Evidence::new(header(), vec![second(0, [1; 10]), second(4_000, late)]);
        let view = CallView::new(&evidence);
        let calls = view.of("db", "a");
        assert_eq!(calls.longest_pause((0, 5_000)), (3_500, 1_000));
        assert_eq!(calls.longest_pause((0, 10_000)), (5_400, 4_600));
        assert_eq!(calls.first_after(950), Some(4_500));
        assert_eq!(calls.last_before(4_000), Some(900));
        assert_eq!(calls.flow_after(500, 4), Some(500));
        assert_eq!(calls.flow_after(950, 4), None);
    }

    #[test]
    fn only_whole_tenths_count_in_a_window() {
        let evidence = Evidence::new(header(), vec![second(1_000, [1; 10])]);
        let view = CallView::new(&evidence);
        assert_eq!(view.of("db", "a").within((1_050, 1_450)), 3);
        assert_eq!(view.of("db", "b").within((0, 9_000)), 0);
        assert_eq!(view.of("db", "a").most_opened((0, 1_000)), 3);
    }
}
