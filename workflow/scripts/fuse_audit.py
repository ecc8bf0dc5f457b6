"""Write one fused model of an audit as a checkpoint."""

from fuse_to_forget.audit.fused import write_fused
from fuse_to_forget.audit.page import read_kept
from fuse_to_forget.jobs import job
from fuse_to_forget.prediction.methods import Constituents, Use

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params, files = snakemake.params, snakemake.input
        statistics = {"gram": files.gram, "fisher": files.fisher}
        constituents = Constituents(params.checkpoints, params.base, statistics)
        table = read_kept(files.table)
        own = table[table["method"] == params.label]
        write_fused(constituents, Use(**params.use), snakemake.output.folder, own, params.seed)
