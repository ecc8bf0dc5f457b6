"""What a plan costs, job by job and summed by rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fuse_to_forget.cost.plan import Job
from fuse_to_forget.cost.space import job_space
from fuse_to_forget.cost.throughput import Throughput
from fuse_to_forget.cost.work import Work, job_work

PFLOP, TFLOP, GB, HOUR = 1e15, 1e12, 1e9, 3600


@dataclass(frozen=True)
class Assumed:
    """Sustained operations per second (FLOP/s) that somebody assumes."""

    training: float
    prediction: float


def job_costs(
    config: Mapping[str, Any], jobs: Sequence[Job], throughput: Throughput, assumed: Assumed | None = None
) -> pd.DataFrame:
    """Return one row per job: rule, wildcards, operations, hours, bytes.

    `training` and `prediction` in FLOP; `hours` at the measured throughput, `assumed_hours` at the assumed one; `host`,
    `device`, `disk`, `temporary` in bytes. Rules that run no model have NaN hours: they are not estimated.
    Raises InputError as `job_work` does.
    """
    rows = []
    for job in jobs:
        work, space = job_work(config, job), job_space(config, job)
        rows.append(
            {
                "rule": job.rule,
                "wildcards": dict(job.wildcards),
                "training": work.training if work else 0.0,
                "prediction": work.prediction if work else 0.0,
                "hours": _hours(work, throughput) if work else float("nan"),
                "assumed_hours": _assumed_hours(work, assumed) if work and assumed else float("nan"),
                "host": space.host,
                "device": space.device,
                "disk": space.disk,
                "temporary": space.temporary,
            }
        )
    return pd.DataFrame(rows)


def _hours(work: Work, throughput: Throughput) -> float:
    rate = throughput.rate(work.objective, work.shape.width, work.length)
    seconds = work.training / rate.training + work.prediction / rate.prediction
    return (seconds + throughput.start_seconds) / HOUR


def _assumed_hours(work: Work, assumed: Assumed) -> float:
    return (work.training / assumed.training + work.prediction / assumed.prediction) / HOUR


def by_rule(costs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per rule, the longest first, and `total`: sums; of memory and temporary disk the largest job."""
    sums = {"jobs": ("rule", "size")}
    sums |= {name: (name, "sum") for name in ("training", "prediction", "disk")}
    sums |= {name: (name, _sum) for name in ("hours", "assumed_hours")}
    sums |= {name: (name, "max") for name in ("host", "device", "temporary")}
    rules = costs.groupby("rule").agg(**sums).sort_values(["hours", "jobs"], ascending=False)
    total = costs.assign(rule="total").groupby("rule").agg(**sums)
    return pd.concat([rules, total])


def without_small_rules(rules: pd.DataFrame) -> pd.DataFrame:
    """Put rules that run no model and leave less than 10 MB behind into one row, above `total`."""
    small = rules["hours"].isna() & (rules["disk"] < 0.01 * GB)
    rest, total = rules[small], rules.loc[["total"]]
    if len(rest) < 2:
        return rules
    row = rest.agg({name: "max" if name in ("host", "device", "temporary") else _sum for name in rest})
    row = row.to_frame(f"{len(rest)} other rules").T.astype(rules.dtypes)
    return pd.concat([rules[~small].drop("total"), row, total])


def _sum(column: pd.Series) -> float:
    """The sum of what is known: NaN only where nothing is."""
    return column.sum(min_count=1)


def format_table(rules: pd.DataFrame) -> str:
    """Lay the result of `by_rule` out as a Markdown table; memory and temporary disk are those of one job."""
    columns = {
        "jobs": rules["jobs"].map(str),
        "training, PFLOP": (rules["training"] / PFLOP).map(_number),
        "prediction, PFLOP": (rules["prediction"] / PFLOP).map(_number),
        "hours": rules["hours"].map(_number),
        "GPU hours, assumed": rules["assumed_hours"].map(_number),
        "host, GB": (rules["host"] / GB).map(_number),
        "GPU, GB": (rules["device"] / GB).map(_number),
        "disk, GB": (rules["disk"] / GB).map(_number),
        "temporary, GB": (rules["temporary"] / GB).map(_number),
    }
    if rules["assumed_hours"].isna().all():
        del columns["GPU hours, assumed"]
    rows = [["rule", *columns], ["---", *["---:"] * len(columns)]]
    rows += [[rule, *values] for rule, *values in zip(rules.index, *columns.values(), strict=True)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "| " + " | ".join(f"{cell:{'<' if not i else '>'}{widths[i]}}" for i, cell in enumerate(row)) + " |"
        for row in rows
    )


def _number(value: float) -> str:
    """Two significant digits are what an estimate is good for; nothing where there is nothing."""
    if not value > 0:
        return ""
    return f"{float(f'{value:.2g}'):,.0f}" if value >= 10 else f"{value:.2g}" if value >= 0.01 else "< .01"
