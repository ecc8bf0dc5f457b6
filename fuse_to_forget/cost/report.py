"""The page that the command `cost` prints."""

from collections.abc import Sequence
from pathlib import Path

from fuse_to_forget.cost.plan import available_targets, merged_config, planned_jobs
from fuse_to_forget.cost.table import TFLOP, Assumed, by_rule, format_table, job_costs, without_small_rules
from fuse_to_forget.cost.throughput import MEASURED_HERE, read_throughput

NOTES = """\
hours: of all jobs one after the other, at what was measured on {device}; start of the libraries included.
Trainings with a stop rule are counted to their limit. Rules without hours run no model: not estimated.
host, GPU: memory of the largest job; without a GPU the two add up. Texts of greatest length, float32: upper bounds.
disk: what stays under results/. temporary: checkpoints of one running training, two at a time while one is replaced.
On a GPU that sustains T TFLOP/s, P PFLOP take P / (3.6 T) hours; --assume-tflops adds the column. To measure yours:
    python benchmarks/throughput.py --configfile … --output my_gpu.json      then      cost --throughput my_gpu.json"""


def cost_report(
    targets: Sequence[str],
    configfiles: Sequence[str | Path],
    throughput: str | Path | None = None,
    assumed_tflops: Sequence[float] | None = None,
) -> str:
    """Return the table of what `targets` need, by rule, as if nothing had been made yet, and how to read it.

    Without targets everything for which there are data, or a download; what is left out is said. Raises InputError if
    Snakemake makes no plan, and for a model or source of which too little is known.
    """
    config, left_out = merged_config(configfiles), []
    if not targets:
        targets, left_out = available_targets(config)
    measured = read_throughput(throughput or MEASURED_HERE)
    assumed = Assumed(*(value * TFLOP for value in assumed_tflops)) if assumed_tflops else None
    jobs = planned_jobs(targets, configfiles)
    rules = without_small_rules(by_rule(job_costs(config, jobs, measured, assumed)))
    return "\n\n".join([*left_out, format_table(rules), NOTES.format(device=measured.device)])
