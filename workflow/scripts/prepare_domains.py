"""Read the sources of all domains, hold out the missing splits and write three of each domain."""

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import write_table
from fuse_to_forget.sources.domains import read_domain, split_domains

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params, files = snakemake.params, dict(snakemake.input.items())
        data = {}
        for domain, source in zip(params.domains, params.sources, strict=True):
            prefix = f"{domain}__"
            given = {name.removeprefix(prefix): files[name] for name in files if name.startswith(prefix)}
            data[domain] = read_domain(source | given)
        sizes = dict(params.splits)
        seed = sizes.pop("seed")
        for split, frames in split_domains(data, sizes, seed).items():
            for name, (domain, frame) in zip(params.names, frames.items(), strict=True):
                metadata = {
                    "values": {"label": data[domain].label_names},
                    "description": data[domain].description,
                    "dataset": name,
                    "split": split,
                }
                write_table(frame, snakemake.output[f"{domain}_{split}"], metadata)
                print(f"{domain}, {split}: {len(frame)} texts, {frame['label'].mean():.3f} of label 1")
