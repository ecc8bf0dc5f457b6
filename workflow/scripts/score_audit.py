"""Measure what fused models kept and what they forgot."""

from fuse_to_forget.audit.kept import kept_and_forgotten
from fuse_to_forget.audit.measure import measure
from fuse_to_forget.audit.page import write_audit
from fuse_to_forget.audit.plan import DataSet
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table
from fuse_to_forget.scoring.bootstrap import Bootstrap

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params, output = snakemake.params, snakemake.output
        predictions, _ = read_table(snakemake.input.predictions)
        sets = {name: DataSet(**own) for name, own in params.data.items()}
        measured = measure(predictions, sets, params.task, Bootstrap(**params.bootstrap))
        table, summary = kept_and_forgotten(measured, sets, params.models, params.labels, params.left_out)
        for label, reason in params.left_out.items():
            print(f"{label} is left out: {reason}.")
        write_audit(table, summary, output.table, output.summary, output.page)
