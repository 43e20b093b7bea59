"""What the pipeline tests of the datasets share."""

from ruamel.yaml import YAML

from tests.pipeline.test_pipeline import DVC, run


def set_params(settings):
    """Return the options of `dvc exp run` that change settings."""
    return [part for key, value in settings.items() for part in ("--set-param", f"{key}={value}")]


def planned(folder, environment, **changes):
    """Return the stages, without their files, that `dvc repro` would run with some settings changed."""
    path = folder / "params.yaml"
    before = path.read_text()
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(before)
    for key, value in changes.items():
        *blocks, last = key.split(".")
        block = params
        for name in blocks:
            block = block[name]
        block[last] = value
    if changes:
        yaml.dump(params, path)
    output = run([str(DVC), "repro", "--dry"], folder, environment)
    path.write_text(before)
    return {line.split("'")[1].split(":")[-1] for line in output.splitlines() if line.startswith("Running stage")}
