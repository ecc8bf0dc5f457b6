rule prepare_domains:
    """Bring the text of all domains into the common schema, in splits that share none."""
    input:
        unpack(domain_source_inputs),
    output:
        **prepared_domains(),
    log:
        "logs/prepare_domains.log",
    cache: CACHE
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
    params:
        code=code_version("prepare_domains.py"),
        domains=list(DOMAINS.names),
        names=list(DOMAIN_SOURCES.values()),
        sources=[config["sources"][source] for source in DOMAIN_SOURCES.values()],
        contents=domain_source_contents,
        splits=config["domains"]["splits"],
    script:
        "../scripts/prepare_domains.py"


rule draw_domain_subset:
    """Put together what one model is trained on: a domain, a skewed part of one, or all of them."""
    input:
        train=subset_domains("train"),
        dev=subset_domains("dev"),
    output:
        train="results/subsets/domains/{model}.parquet",
        dev="results/subsets/domains/{model}_dev.parquet",
    log:
        "logs/draw_domain_subset/{model}.log",
    wildcard_constraints:
        model=one_of(*MODELS["domains"]),
    cache: CACHE
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(30),
    params:
        code=code_version("draw_domain_subset.py"),
        model="{model}",
        drawn=drawn_part,
        seed=config["domains"]["splits"]["seed"],
    script:
        "../scripts/draw_domain_subset.py"


rule draw_head:
    """Draw the classification head that several models start from, on top of the base model."""
    input:
        base=base_model_of("domains"),
        train=domain_files("train", DOMAINS.names[:1]),
    output:
        **checkpoint_files("results/models/domains/head/seed{seed}"),
    log:
        "logs/draw_head/seed{seed}.log",
    cache: CACHE
    conda:
        "../../envs/models.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(30),
    params:
        code=code_version("draw_head.py"),
        seed=job_seed("draw_head"),
    script:
        "../scripts/draw_head.py"


rule score_domains:
    """Score merged, single and full models in and out of their domains, with bootstrap intervals."""
    input:
        methods=domain_predictions("methods"),
        models=domain_predictions("models"),
    output:
        scores="results/scores/domains.csv",
        settings="results/scores/domain_settings.csv",
    log:
        "logs/score_domains.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(8000),
        runtime=per_attempt(60),
    params:
        code=code_version("score_domains.py"),
        study=domain_study,
        methods=DOMAIN_METHODS,
        average=domains.simple_average(config),
        bootstrap=config["bootstrap"],
    script:
        "../scripts/score_domains.py"


rule judge_domain_claims:
    """Judge what is claimed of RegMean, and of merging for other domains, by what was measured."""
    input:
        scores="results/scores/domains.csv",
        settings="results/scores/domain_settings.csv",
    output:
        claims="results/claims/domains.csv",
        page=report(
            "results/claims/domains.html",
            caption="../report/claims_domains.rst",
            category="Domains",
            labels={"result": "Claims"},
        ),
    log:
        "logs/judge_claims/domains.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code_version("judge_domain_claims.py"),
        study=domain_study,
        regmean=domains.regmean_uses(config),
        average=domains.simple_average(config),
    script:
        "../scripts/judge_domain_claims.py"


rule tabulate_domains:
    """Lay out the domain table: methods by setting, in-domain and out-of-domain."""
    input:
        settings="results/scores/domain_settings.csv",
    output:
        table="results/table_domains.csv",
        page=report(
            "results/table_domains.html",
            caption="../report/table_domains.rst",
            category="Domains",
            labels={"result": "Merged models, in and out of domain"},
        ),
    log:
        "logs/tabulate_domains.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code_version("tabulate_domains.py"),
        average=domains.simple_average(config),
    script:
        "../scripts/tabulate_domains.py"


rule plot_domains:
    """Draw balanced accuracy in and out of domain by the number of models that are merged."""
    input:
        settings="results/scores/domain_settings.csv",
    output:
        pdf="results/figure_domains.pdf",
        png=report(
            "results/figure_domains.png",
            caption="../report/figure_domains.rst",
            category="Domains",
            labels={"result": "By number of models"},
        ),
    log:
        "logs/plot_domains.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    params:
        code=code_version("plot_domains.py"),
        heads=list(DOMAINS.heads),
        methods=DOMAIN_METHODS,
        level=config["bootstrap"]["level"],
    script:
        "../scripts/plot_domains.py"
