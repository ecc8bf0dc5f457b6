"""Predict, or read, all data of an audit with every model."""

from fuse_to_forget.audit.plan import CAUSAL
from fuse_to_forget.audit.predict import predict_examples, read_texts_with_all
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table, write_table
from fuse_to_forget.prediction.methods import Constituents, Use

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources.gpu):
        params, files = snakemake.params, snakemake.input
        statistics = {"gram": files.gram, "fisher": files.fisher}
        constituents = Constituents(params.checkpoints, params.base, statistics)
        uses = {label: Use(**use) for label, use in params.uses.items()}
        data, metadata = read_table(files.data)
        options = {"batch_size": params.batch_size, "seed": params.seed}
        if params.task == CAUSAL:
            rows = read_texts_with_all(constituents, uses, data, prefix=params.prefix, **options)
        else:
            rows = predict_examples(constituents, uses, data, max_length=params.length, **options)
        write_table(rows, snakemake.output.predictions, metadata)
