//! What only a human can answer is answered, and not long ago.

use crate::check::{Area, Check, Finding, Severity};
use crate::config::{Answer, Day, Question};
use crate::plan::Needs;
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-R006",
    slug: "questions-are-answered",
    area: Area::Release,
    severity: Severity::Minor,
    why: "No experiment finds out whether there is a runbook, or who is called at night.",
    how: "Each question of the policy must have an answer in the target file (`spec.answers`), with a link and a name, that is not older than the policy says on the day of the run. Nobody opens the link.",
    remedy: "Add the answer, or look at it again and give it today's date.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let plan = timeline.plan();
    let (questions, today) = (&plan.policy.spec.questions, Day::of(timeline.evidence.header.started));
    if questions.is_empty() {
        return Finding::skipped("the policy asks nothing of humans");
    }
    let open: Vec<String> =
        questions.iter().filter_map(|question| wrong(question, &plan.answers, today)).collect();
    let all = questions.len();
    if open.is_empty() {
        return Finding::pass(format!("{all} of {all} questions are answered"));
    }
    Finding::fail(format!("{} of {all} questions have no valid answer", open.len())).details(open)
}

fn wrong(question: &Question, answers: &[Answer], today: Day) -> Option<String> {
    let Question { id, ask, valid_for_days } = question;
    let Some(answer) = answers.iter().find(|answer| answer.question == *id) else {
        return Some(format!("{id}: not answered ({ask})"));
    };
    let until = answer.date.after(*valid_for_days);
    if answer.date > today {
        return Some(format!("{id}: answered on {}, which is still to come", answer.date));
    }
    (until < today).then(|| format!("{id}: answered on {} by {}, good until {until}", answer.date, answer.by))
}
