"""Choose coefficients of the biased models on dev, and predict test with what was chosen."""

from pathlib import Path

from fuse_to_forget.fusion.select import write_points
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table, write_table
from fuse_to_forget.prediction.averages import Averages
from fuse_to_forget.prediction.selected import evaluated_points, predict_on_test, select_on_dev

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources.gpu):
        params, output = snakemake.params, snakemake.output
        folders = (Path(weights).parent for weights in snakemake.input.weights)
        (dev, _), (test, metadata) = read_table(snakemake.input.dev), read_table(snakemake.input.test)
        averages = Averages(
            {seed: {name: next(folders) for name in params.attributes} for seed in params.seeds},
            {"dev": dev, "test": test},
            batch_size=params.batch_size,
            max_length=params.max_length,
        )
        selection, soup = select_on_dev(averages, params.attributes, params.selection)
        write_points(evaluated_points(selection, averages.called(soup)), output.points)
        write_table(predict_on_test(averages, selection, soup), output.predictions, metadata)
