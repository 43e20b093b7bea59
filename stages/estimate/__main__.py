"""Print what `dvc repro` will train, which of it was done before, and how long and how large that may be."""

import time
from collections import defaultdict
from datetime import timedelta
from typing import Annotated

import typer

from stages.estimate.measure import Measured, measure, side_by_side
from stages.estimate.plan import Job, jobs, missing_features, stages_of
from stages.settings.params import Params, load_params
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.train import SEEDS_AT_ONCE

Steps = Annotated[int, typer.Option(min=1, help="training steps to measure of each model")]
GIGABYTE = 1e9


def estimate(steps: Steps = 10) -> None:
    """Print the plan, then measure some training steps of each dataset and model, and print time and disk space."""
    params = load_params()
    plan = jobs(params)
    print_plan(params, plan)
    missing = {dataset: why for dataset in params.run.datasets if (why := missing_features(dataset))}
    for dataset, why in missing.items():
        print(f"{dataset}: no estimate without its features: {why}")
    if missing:
        print("run `dvc repro reference` for the features of all datasets, then this again")
    measurable = [job for job in plan if job.seeds and job.dataset not in missing]
    if measurable:
        print_estimate(params, measurable, steps)
    elif not missing:
        print("nothing is to be trained")


def print_plan(params: Params, plan: list[Job]) -> None:
    """Print the number of stages, and each training that is to do or done."""
    stages = ", ".join(f"{count} {kind}" for kind, count in stages_of(params).items())
    done = sum(len(job.done) for job in plan)
    total = done + sum(len(job.seeds) for job in plan)
    print(f"stages besides cohorts and features: {stages}")
    print(f"trainings: {total}, of which {done} were done before")
    for dataset in params.run.datasets:
        print(f"{params.label(dataset)}:")
        models = defaultdict(list)
        for job in plan:
            if job.dataset == dataset:
                models[_listed(job.seeds), _listed(job.done)].append(job.model)
        for (seeds, before), names in models.items():
            print(f"  seeds to train: {seeds}; done before: {before}; of {', '.join(names)}")


def print_estimate(params: Params, plan: list[Job], steps: int) -> None:
    """Measure each job, print a line for it, and the sums."""
    started = time.perf_counter()
    import torch

    from i2moe.data import FeatureSet
    from i2moe.inference import choose_device
    from i2moe.training import Hardware

    start_up = time.perf_counter() - started  # what each train stage imports
    hardware = Hardware(**params.train.model_dump())
    on_cpu = choose_device(hardware.accelerator).type == "cpu" and hardware.num_processes == 1
    torch.set_num_threads(max(1, torch.get_num_threads() // SEEDS_AT_ONCE))
    print(f"estimate from up to {steps} training steps of each model here; a train stage starts in {start_up:.1f} s")
    total, margin, disk, peak = 0.0, 0.0, 0, 0
    for dataset in dict.fromkeys(job.dataset for job in plan):
        features = FeatureSet(paths.features(dataset), paths.cohort(dataset))
        print(f"{params.label(dataset)}: {len(features.table)} samples")
        for job in (job for job in plan if job.dataset == dataset):
            measured = measure(features, job, hardware, steps)
            seconds, spread = (
                side_by_side(one, len(job.seeds), on_cpu=on_cpu, threads=torch.get_num_threads())
                for one in measured.seconds(job)
            )
            total, margin = total + start_up + seconds, margin + spread
            disk += len(job.seeds) * (measured.weights + measured.predictions)
            peak = max(peak, (min(len(job.seeds), SEEDS_AT_ONCE) if on_cpu else 1) * measured.checkpoints)
            print(f"  {job.model}: {words(job, measured)}: {_time(seconds)} ± {_time(spread)}")
    print(
        f"training, an estimate: {_time(total)} ± {_time(margin)} (quartiles of the steps; another load of the machine "
        "is not in it)\n"
        f"disk, an estimate: {2 * disk / GIGABYTE:.2f} GB of weights and predictions, in the workspace and in DVC's "
        f"cache; {peak / GIGABYTE:.2f} GB of checkpoints while a model trains\n"
        "not in it: cohorts, features, evaluation, explanations, comparisons, the report and DVC's own time"
    )


def words(job: Job, measured: Measured) -> str:
    """Say what trainings consist of."""
    return f"seeds {len(job.seeds)} × epochs {job.config.epochs} × steps {measured.steps} × {measured.step:.4f} s"


def _listed(seeds: list[int]) -> str:
    return ", ".join(map(str, seeds)) or "none"


def _time(seconds: float) -> str:
    """Write hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds)))


if __name__ == "__main__":
    run(estimate)
