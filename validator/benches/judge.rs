//! How long the judgement of a real run takes: reading the file, and judging what was read.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use golive_validator::checks::ALL;
use golive_validator::{evidence, judge};

fn judge_a_run(criterion: &mut Criterion) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/good.evidence.zst");
    let Ok(run) = evidence::read(&file) else { return };
    criterion.bench_function("evidence/read", |b| {
        b.iter(|| evidence::read(black_box(&file)));
    });
    criterion.bench_function("judge/all checks", |b| {
        b.iter(|| judge::judge(black_box(&run), ALL));
    });
}

criterion_group!(benches, judge_a_run);
criterion_main!(benches);
