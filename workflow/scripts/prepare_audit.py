"""Check the user's models and read the data that they are audited on."""

from fuse_to_forget.audit.models import check_models
from fuse_to_forget.audit.plan import DataSet
from fuse_to_forget.audit.reading import read_data
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import write_table

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        classes = check_models(params.checkpoints, params.base, params.task, params.length, params.labels)
        sets = {name: DataSet(**own) for name, own in params.data.items()}
        frame = read_data(sets, params.base, classes, params.length)
        print(frame["dataset"].value_counts(sort=False).to_string())
        write_table(frame, snakemake.output.data, {"classes": classes})
