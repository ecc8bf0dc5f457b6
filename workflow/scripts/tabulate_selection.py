"""Lay out which coefficients were chosen on dev, and what they are worth on test."""

from fuse_to_forget.bias_goals import metric_names
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table
from fuse_to_forget.scoring.bias_selection import read_selection, selection_table
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.tables.selection import write_selection

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params, output = snakemake.params, snakemake.output
        selection = read_selection(snakemake.input.points, params.attributes)
        predictions, metadata = read_table(snakemake.input.predictions)
        table = selection_table(
            selection,
            predictions,
            params.attributes,
            Bootstrap(**params.bootstrap),
            f"{metadata['dataset']}, {metadata['demographics']} demographics",
        )
        write_selection(
            table,
            selection.goal,
            metric_names(params.attributes),
            output.table,
            output.page,
            f"Coefficients chosen on dev. {selection.sentence()}",
        )
