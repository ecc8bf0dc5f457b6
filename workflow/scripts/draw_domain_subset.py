"""Write what one model of the domain study is trained on, and what its training is watched on."""

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_tables, write_table
from fuse_to_forget.subsets.domains import non_iid_sample, skewed_part

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        train, metadata = read_tables(snakemake.input.train)
        dev, _ = read_tables(snakemake.input.dev)
        drawn = params.drawn
        if drawn:
            train = non_iid_sample(train, drawn["size"], params.seed)
        if "part" in drawn:
            train = skewed_part(train, drawn["part"], drawn["skew"], params.seed)
        write_table(train, snakemake.output.train, metadata)
        write_table(dev, snakemake.output.dev, metadata)
        print(train.groupby(["dataset", "label"]).size())
