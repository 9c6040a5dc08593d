mod budget;

use opentelemetry::Context;
use opentelemetry::trace::{
    SpanBuilder, SpanContext, TraceContextExt as _, TraceFlags, TraceId, TraceState, Tracer as _,
};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator, SdkTracer};

use super::ids::Ids;
use super::span::RootSpan;
use super::{Config, Metrics};
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
    /// Spans are made, from here on.
    Record(Origin),
    /// No span is made; this context, flag 00, is passed on.
    PassOn(Context),
}

/// Where the spans of a request that is sampled begin.
pub(super) struct Origin {
    parent: Context,
    /// Of a new trace: those who decide by its id, further down, are to decide as was done here.
    trace: Option<TraceId>,
}

impl Origin {
    /// Starts the first span; returns the context of what happens inside of it.
    pub(super) fn enter(&self, tracer: &SdkTracer, builder: SpanBuilder) -> Context {
        let span = Ids::hand_over(self.trace, || tracer.build_with_context(builder, &self.parent));
        RootSpan::enter(&self.parent.with_span(span))
    }
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
    pub(super) fn new(config: &Config, metrics: &Metrics) -> Self {
        let (heeds_parent, root) = sampler(config);
        Self {
            heeds_parent,
            root,
            excess: if let Root::Ratio(ratio) = root { ratio } else { Ratio(config.sample_ratio) },
            budget: Budget::new(config.remote_sampled_per_second),
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
            // By an id of our own: callers choose theirs, and would choose one that every ratio keeps.
            (true, true) => self.within_budget() || self.excess.keeps(self.ids.new_trace_id()),
            (true, false) => false,
            (false, _) => self.root.keeps(parent.trace_id()),
        };
        if sampled {
            return Verdict::Record(Origin { parent: context, trace: None });
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
            return Verdict::Record(Origin { parent: context, trace: Some(trace) });
        }
        let span = self.ids.new_span_id();
        let unsampled = SpanContext::new(trace, span, TraceFlags::NOT_SAMPLED, true, TraceState::default());
        Verdict::PassOn(context.with_remote_span_context(unsampled))
    }

    fn within_budget(&self) -> bool {
        let within = self.budget.take();
        if !within {
            self.metrics.over_budget();
        }
        within
    }
}

fn sampler(config: &Config) -> (bool, Root) {
    let by_default = Root::Ratio(Ratio(config.sample_ratio));
    let ratio = || match config.sampler_arg.as_deref().map(str::parse) {
        Some(Ok(ratio)) if (0.0..=1.0).contains(&ratio) => Root::Ratio(Ratio(ratio)),
        Some(_) => {
            tracing::warn!("OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1: SAMPLE_RATIO is used");
            by_default
        }
        None => by_default,
    };
    match config.sampler.as_deref() {
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

    use opentelemetry::trace::SpanId;

    use super::*;

    fn edge(config: impl FnOnce(Config) -> Config) -> Edge {
        Edge::new(&config(Config::new("test", "1")), &Metrics::default())
    }

    fn sampler(name: &str, argument: Option<&str>) -> Edge {
        edge(|config| match argument {
            Some(argument) => config.sampler(name).sampler_arg(argument),
            None => config.sampler(name),
        })
    }

    fn remote(flags: TraceFlags) -> Context {
        // A high trace id: no small ratio keeps it.
        in_trace(TraceId::from(u128::MAX), flags)
    }

    fn in_trace(trace: TraceId, flags: TraceFlags) -> Context {
        let parent = SpanContext::new(trace, SpanId::from(7), flags, true, TraceState::default());
        Context::new().with_remote_span_context(parent)
    }

    fn records(edge: &Edge, context: Context) -> bool {
        matches!(edge.decide(context), Verdict::Record(_))
    }

    #[test]
    fn one_percent_of_new_traces_is_kept() {
        let edge = edge(|config| config);
        let kept = (0..100_000).filter(|_| records(&edge, Context::new())).count();
        assert!((700..1_300).contains(&kept), "{kept}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_remote_flag_is_honoured_up_to_the_budget() {
        let edge = edge(|config| config.sample_ratio(0.0).remote_sampled_per_second(20));
        let flood = |edge: &Edge| (0..1_000).filter(|_| records(edge, remote(TraceFlags::SAMPLED))).count();
        assert_eq!(flood(&edge), 20);
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(flood(&edge), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn no_id_that_a_caller_chooses_is_kept_beyond_the_budget() {
        // Every ratio above zero keeps this one.
        let chosen = || in_trace(TraceId::from(1_u128 << 64), TraceFlags::SAMPLED);
        let kept = |edge: &Edge| (0..10_000).filter(|_| records(edge, chosen())).count();
        let by_default = kept(&edge(|config| config.sample_ratio(0.01).remote_sampled_per_second(20)));
        assert!((21..300).contains(&by_default), "{by_default} of 10,000 at 1 %");
        let named = |config: Config| {
            config.sampler("parentbased_traceidratio").sampler_arg("0.5").remote_sampled_per_second(0)
        };
        let half = kept(&edge(named));
        assert!((4_000..6_000).contains(&half), "{half} of 10,000 at the ratio of OTEL_TRACES_SAMPLER_ARG");
    }

    #[test]
    fn an_unsampled_parent_is_passed_on_with_flag_00() {
        let edge = edge(|config| config.sample_ratio(1.0));
        let Verdict::PassOn(context) = edge.decide(remote(TraceFlags::NOT_SAMPLED)) else {
            panic!("recorded")
        };
        let span = context.span().span_context().clone();
        assert_eq!((span.trace_id(), span.span_id()), (TraceId::from(u128::MAX), SpanId::from(7)));
        assert!(!span.is_sampled());
    }

    #[test]
    fn standard_sampler_names_are_understood() {
        assert!(records(&sampler("always_on", None), remote(TraceFlags::NOT_SAMPLED)));
        assert!(!records(&sampler("always_off", None), remote(TraceFlags::SAMPLED)));
        assert_eq!(sampler("traceidratio", Some("0.5")).root, Root::Ratio(Ratio(0.5)));
        assert!(!sampler("traceidratio", Some("0.5")).heeds_parent);
        let wrong = sampler("traceidratio", Some("often"));
        assert_eq!(wrong.root, Root::Ratio(Ratio(0.01)), "never 100 % by a typing error");
    }
}
