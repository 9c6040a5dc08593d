mod budget;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};

use super::args::set;
use super::{Args, Metrics};
use budget::Budget;

/// The one place where it is decided whether a request is traced.
pub(super) struct Edge {
    heeds_parent: bool,
    root: Root,
    excess: Ratio,
    budget: Budget,
    ids: RandomIdGenerator,
    metrics: Metrics,
}

/// What happens to a request.
pub(super) enum Verdict {
    /// Spans are made, under this parent.
    Record(Context),
    /// No span is made; this context, flag 00, is passed on.
    PassOn(Context),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Root {
    Always,
    Never,
    Ratio(Ratio),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Ratio(f64);

impl Edge {
    pub(super) fn new(args: &Args, metrics: &Metrics) -> Self {
        let (heeds_parent, root) = sampler(args);
        Self {
            heeds_parent,
            root,
            excess: Ratio(args.sample_ratio),
            budget: Budget::new(args.remote_sampled_per_second),
            ids: RandomIdGenerator::default(),
            metrics: metrics.clone(),
        }
    }

    /// Decides for a request that came in with `context`, which holds the remote parent if there is one.
    pub(super) fn decide(&self, context: Context) -> Verdict {
        let span = context.span();
        let parent = span.span_context();
        if !parent.is_valid() {
            return self.decide_root(context);
        }
        let sampled = match (self.heeds_parent, parent.is_sampled()) {
            (true, true) => self.within_budget() || self.excess.keeps(parent.trace_id()),
            (true, false) => false,
            (false, _) => self.root.keeps(parent.trace_id()),
        };
        if sampled {
            return Verdict::Record(context);
        }
        if !parent.is_sampled() {
            return Verdict::PassOn(context);
        }
        let (trace, span, state) = (parent.trace_id(), parent.span_id(), parent.trace_state().clone());
        let unsampled = SpanContext::new(trace, span, TraceFlags::NOT_SAMPLED, true, state);
        Verdict::PassOn(context.with_remote_span_context(unsampled))
    }

    fn decide_root(&self, context: Context) -> Verdict {
        let trace = self.ids.new_trace_id();
        if self.root.keeps(trace) {
            return Verdict::Record(context);
        }
        let span = self.ids.new_span_id();
        let unsampled = SpanContext::new(trace, span, TraceFlags::NOT_SAMPLED, true, TraceState::default());
        Verdict::PassOn(context.with_remote_span_context(unsampled))
    }

    fn within_budget(&self) -> bool {
        let within = self.budget.take();
        if !within {
            self.metrics.over_budget.inc();
        }
        within
    }
}

fn sampler(args: &Args) -> (bool, Root) {
    let by_default = Root::Ratio(Ratio(args.sample_ratio));
    let ratio = || match set(args.otel_traces_sampler_arg.as_ref()).map(str::parse) {
        Some(Ok(ratio)) if (0.0..=1.0).contains(&ratio) => Root::Ratio(Ratio(ratio)),
        Some(_) => {
            tracing::warn!("OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1: SAMPLE_RATIO is used");
            by_default
        }
        None => by_default,
    };
    match set(args.otel_traces_sampler.as_ref()) {
        None => (true, by_default),
        Some("always_on") => (false, Root::Always),
        Some("always_off") => (false, Root::Never),
        Some("traceidratio") => (false, ratio()),
        Some("parentbased_always_on") => (true, Root::Always),
        Some("parentbased_always_off") => (true, Root::Never),
        Some("parentbased_traceidratio") => (true, ratio()),
        Some(name) => {
            tracing::warn!(name, "OTEL_TRACES_SAMPLER is not known: parentbased_traceidratio is used");
            (true, by_default)
        }
    }
}

impl Root {
    fn keeps(self, trace: TraceId) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Ratio(ratio) => ratio.keeps(trace),
        }
    }
}

impl Ratio {
    /// The rule of the specification's `TraceIdRatioBased`, so that services with the same ratio agree.
    fn keeps(self, trace: TraceId) -> bool {
        let low = u128::from_be_bytes(trace.to_bytes()) as u64 >> 1;
        (low as f64) < self.0 * (1_u64 << 63) as f64
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser as _;
    use opentelemetry::trace::SpanId;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn edge(flags: &[&str]) -> Edge {
        Edge::new(&Cli::parse_from([&["users"], flags].concat()).args, &Metrics::default())
    }

    fn remote(flags: TraceFlags) -> Context {
        // A high trace id: no small ratio keeps it.
        let parent =
            SpanContext::new(TraceId::from(u128::MAX), SpanId::from(7), flags, true, TraceState::default());
        Context::new().with_remote_span_context(parent)
    }

    fn records(edge: &Edge, context: Context) -> bool {
        matches!(edge.decide(context), Verdict::Record(_))
    }

    #[test]
    fn one_percent_of_new_traces_is_kept() {
        let edge = edge(&[]);
        let kept = (0..100_000).filter(|_| records(&edge, Context::new())).count();
        assert!((700..1_300).contains(&kept), "{kept}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_remote_flag_is_honoured_up_to_the_budget() {
        let edge = edge(&["--remote-sampled-per-second=20"]);
        let flood = |edge: &Edge| (0..1_000).filter(|_| records(edge, remote(TraceFlags::SAMPLED))).count();
        assert_eq!(flood(&edge), 20);
        assert_eq!(edge.metrics.over_budget.get(), 980);
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(flood(&edge), 10);
    }

    #[test]
    fn an_unsampled_parent_is_passed_on_with_flag_00() {
        let edge = edge(&["--sample-ratio=1"]);
        let Verdict::PassOn(context) = edge.decide(remote(TraceFlags::NOT_SAMPLED)) else {
            panic!("recorded")
        };
        let span = context.span().span_context().clone();
        assert_eq!((span.trace_id(), span.span_id()), (TraceId::from(u128::MAX), SpanId::from(7)));
        assert!(!span.is_sampled());
    }

    #[test]
    fn standard_sampler_names_are_understood() {
        assert!(records(&edge(&["--otel-traces-sampler=always_on"]), remote(TraceFlags::NOT_SAMPLED)));
        assert!(!records(&edge(&["--otel-traces-sampler=always_off"]), remote(TraceFlags::SAMPLED)));
        let half = ["--otel-traces-sampler=traceidratio", "--otel-traces-sampler-arg=0.5"];
        assert_eq!(edge(&half).root, Root::Ratio(Ratio(0.5)));
        assert!(!edge(&half).heeds_parent);
        let wrong = ["--otel-traces-sampler=traceidratio", "--otel-traces-sampler-arg=often"];
        assert_eq!(edge(&wrong).root, Root::Ratio(Ratio(0.01)), "never 100 % by a typing error");
    }
}
