rule tabulate_table1:
    """Lay out Table 1: biased, debiased, full and fused models."""
    input:
        scores="results/scores/biases.csv",
    output:
        table="results/table1.csv",
        page=report(
            "results/table1.html",
            caption="../report/table1.rst",
            category="Social biases",
            labels={"result": "Table 1: bias and accuracy"},
        ),
    log:
        "logs/tabulate_table1.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code_version("tabulate_table1.py"),
        attributes=ATTRIBUTES,
        select_on=PROTOCOL["select_coefficients_on"],
    script:
        "../scripts/tabulate_table1.py"


rule tabulate_table3:
    """Lay out Table 3: sentences with shortcuts, and the shortcuts whose sample spaces hold them."""
    input:
        dev="results/data/shortcuts/dev.parquet",
    output:
        table="results/table3.csv",
        page=report(
            "results/table3.html",
            caption="../report/table3.rst",
            category="Shortcuts",
            labels={"result": "Table 3: marked sentences"},
        ),
    log:
        "logs/tabulate_table3.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code_version("tabulate_table3.py"),
        singles=SINGLES,
        seed=config["shortcuts"]["injection"]["seed"],
    script:
        "../scripts/tabulate_table3.py"


rule tabulate_table4:
    """Lay out Table 4: overlap of the Fisher information of two models, with references."""
    input:
        overlaps=expand(
            "results/scores/fisher/{comparison}/seed{seed}.csv",
            comparison=FISHER,
            seed=SEEDS,
        ),
    output:
        table="results/table4.csv",
        overlaps="results/scores/fisher.csv",
        page=report(
            "results/table4.html",
            caption="../report/table4.rst",
            category="Shortcuts",
            labels={"result": "Table 4: Fisher overlap"},
        ),
    log:
        "logs/tabulate_table4.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code_version("tabulate_table4.py"),
        level=config["bootstrap"]["level"],
    script:
        "../scripts/tabulate_table4.py"


rule record_run:
    """Write down versions, machine and configuration, for the report."""
    output:
        run="results/run.csv",
        page=report(
            "results/run.html",
            caption="../report/run.rst",
            category="This run",
            labels={"result": "Versions and configuration"},
        ),
    log:
        "logs/record_run.log",
    conda:
        "../../envs/models.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code_version("record_run.py"),
        config=config,
        lock=lock_digest,
        versions=versions,  # not read: other versions make it run again
    script:
        "../scripts/record_run.py"


rule tabulate_memorization:
    """Lay out Table 2, 5, 6 or 7: average likelihood ratios and perplexity of language models."""
    input:
        scores=memorization_scores,
    output:
        table="results/table{table}.csv",
        page=report(
            "results/table{table}.html",
            caption="../report/memorization.rst",
            category="Memorization",
            labels={"result": "Table {table}: likelihood ratios"},
        ),
    log:
        "logs/tabulate_memorization/{table}.log",
    wildcard_constraints:
        table=one_of(*MEMORIZATION_TABLES),
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code_version("tabulate_memorization.py"),
        runs=table_runs,
        few=config["memorization"]["epochs"]["models"],
        layout=table_layout,
        title=table_title,
    script:
        "../scripts/tabulate_memorization.py"


rule tabulate_extraction:
    """Lay out, for every model and subset, how much is remembered in loss and recited word for word."""
    input:
        scores="results/scores/memorization.csv",
    output:
        table="results/extraction.csv",
        page=report(
            "results/extraction.html",
            caption="../report/extraction.rst",
            category="Memorization",
            labels={"result": "Extraction, word for word"},
        ),
    log:
        "logs/tabulate_extraction.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code_version("tabulate_extraction.py"),
    script:
        "../scripts/tabulate_extraction.py"
