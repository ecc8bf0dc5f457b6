"""Draw one biased training subset."""

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table, write_table
from fuse_to_forget.subsets.biased import biased_subset, largest_size, named_biases

if __name__ == "__main__":
    with job(snakemake.log[0]):
        settings = snakemake.params.subsets
        train, metadata = read_table(snakemake.input.train)
        biases = named_biases(settings["biases"], metadata["values"])
        size = settings["size"] or largest_size(train, biases)
        subset = biased_subset(
            train,
            snakemake.params.attribute,
            biases,
            size=size,
            seed=settings["seed"],
            values=metadata["values"],
        )
        write_table(subset, snakemake.output.subset, metadata)
        print(subset.groupby(["label", *biases]).size())
