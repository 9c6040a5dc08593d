//! What a reviewer would say of a policy that is valid.

use crate::checks;
use crate::config::{Day, GoLivePolicy, Limits, Waiver};
use crate::severity::Severity;

/// A waiver that ends within this time is told before it blocks somebody.
const SOON_DAYS: u32 = 14;

/// One that ends later than this is no exception any more.
const LONG_DAYS: u32 = 366;

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// How bad it is: what gates here ends `validator policy lint` with exit 1.
    pub severity: Severity,
    /// The field of the policy.
    pub field: String,
    /// What is to be said.
    pub text: String,
}

/// Reviews a policy on a day; the worst comes first.
pub fn review(policy: &GoLivePolicy, today: Day) -> Vec<Remark> {
    let spec = &policy.spec;
    let mut remarks: Vec<Remark> =
        spec.waivers.iter().enumerate().flat_map(|(at, waiver)| of_waiver(at, waiver, today)).collect();
    remarks.extend(twice(&spec.waivers));
    remarks.extend(spec.severity.iter().filter_map(|(code, severity)| {
        let own = checks::find(code.as_str())?.severity;
        let lowered = own.gates() && !severity.gates();
        lowered.then(|| {
            remark(
                Severity::Minor,
                format!("spec.severity.{code}"),
                format!(
                    "a failure was {own} and gated; as {severity} it gates nobody. A waiver would have an end"
                ),
            )
        })
    }));
    remarks.extend(of_limits(&spec.limits));
    remarks.sort_by_key(|remark| remark.severity);
    remarks
}

fn remark(severity: Severity, field: String, text: impl Into<String>) -> Remark {
    Remark { severity, field, text: text.into() }
}

fn of_waiver(at: usize, waiver: &Waiver, today: Day) -> Vec<Remark> {
    let Waiver { check, scope, owner, approver, until, .. } = waiver;
    let field = |name: &str| format!("spec.waivers[{at}].{name}");
    let mut remarks = Vec::new();
    if *until < today {
        let told =
            format!("the waiver of {check} ended on {until}: repair it ({owner}) or remove the waiver");
        remarks.push(remark(Severity::Major, field("until"), told));
    } else if *until < today.after(SOON_DAYS) {
        let told = format!("the waiver of {check} ends on {until}; {owner} has until then");
        remarks.push(remark(Severity::Minor, field("until"), told));
    } else if *until > today.after(LONG_DAYS) {
        let told = format!("the waiver of {check} holds until {until}, for more than a year: that is a rule");
        remarks.push(remark(Severity::Minor, field("until"), told));
    }
    if owner.as_str().eq_ignore_ascii_case(approver.as_str()) {
        let told = format!("{owner} allows a failure to himself: expected somebody else");
        remarks.push(remark(Severity::Minor, field("approver"), told));
    }
    if scope.is_everybody() {
        let told =
            format!("{check} may fail everywhere: name namespaces or deployments, or weigh it by severity");
        remarks.push(remark(Severity::Minor, field("scope"), told));
    }
    remarks
}

/// Waivers of which only the first can do anything.
fn twice(waivers: &[Waiver]) -> Vec<Remark> {
    let same = |one: &Waiver, other: &Waiver| one.check == other.check && one.scope == other.scope;
    let repeated = waivers.iter().enumerate().filter(|(at, one)| waivers[..*at].iter().any(|w| same(w, one)));
    repeated
        .map(|(at, one)| {
            let told = format!("{} has a waiver for {} already", one.check, one.scope);
            remark(Severity::Minor, format!("spec.waivers[{at}]"), told)
        })
        .collect()
}

/// Limits that are not the built-in ones: nobody may have meant them.
fn of_limits(limits: &Limits) -> Vec<Remark> {
    let (all, usual) = (limits.figures(), Limits::default().figures());
    let changed = all.into_iter().zip(usual).filter(|((_, is), (_, usual))| is.total_cmp(usual).is_ne());
    changed
        .map(|((name, is), (_, usual))| {
            remark(Severity::Info, format!("spec.limits.{name}"), format!("{is}, built in: {usual}"))
        })
        .collect()
}
