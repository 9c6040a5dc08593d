//! How long the judgement of a real run takes: reading the file, judging what was read, drawing the page. And the same of a run
//! with more than 6,000,000 requests in 50 minutes.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use golive_validator::checks::ALL;
use golive_validator::evidence::Evidence;
use golive_validator::report::{Format, Report};
use golive_validator::{evidence, judge};

#[path = "../tests/it/harness/long_run.rs"]
mod long_run;

fn page(report: &Report) -> usize {
    let mut page = Vec::new();
    report.write(Format::Html, &mut page).map_or(0, |()| page.len())
}

fn judged(criterion: &mut Criterion, name: &str, run: &Evidence) {
    criterion.bench_function(&format!("{name}/judge"), |b| b.iter(|| judge::judge(black_box(run), ALL)));
    let report = judge::judge(run, ALL);
    criterion.bench_function(&format!("{name}/page"), |b| b.iter(|| page(black_box(&report))));
}

fn judge_a_run(criterion: &mut Criterion) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/good.evidence.zst");
    let Ok(run) = evidence::read(&file) else { return };
    criterion.bench_function("evidence/read", |b| {
        b.iter(|| evidence::read(black_box(&file)));
    });
    judged(criterion, "a run", &run);
    judged(criterion, "6,000,000 requests", &long_run::six_million(run));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = judge_a_run
}
criterion_main!(benches);
