"""Look whether DVC's cache and the outputs are as they were written.

DVC trusts both: it looks at an object's name and its right to be written, and at a file's size and time. A disk that
loses bits, or a crash of the machine that cuts files off, goes unnoticed. Here every byte is hashed.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from i2moe.base.errors import InputError
from stages.forget import held
from stages.shared.base.command import run
from stages.shared.outputs import Objects, Output, lock_files, locked_stages

if TYPE_CHECKING:
    from dvc.repo import Repo

HASH = re.compile(r"[0-9a-f]{32}(\.dir)?")


def verify() -> None:
    """Hash every object of DVC's cache and every output; remove broken objects, and let DVC look at broken outputs.

    Raises:
        InputError: where anything is broken, or while DVC runs.
    """
    with held() as repo:
        objects = Objects(Path(repo.cache.legacy.path))
        known = {md5: paths for md5, paths in objects.files.items() if HASH.fullmatch(md5)}
        outputs = [
            output
            for lock in lock_files()
            for stage in locked_stages(lock.read_text(encoding="utf-8", errors="replace"), lock).values()
            for output in stage
            if output.path.exists()
        ]
        named = [(path, md5) for md5, paths in known.items() for path in paths]
        lost = [path for path, md5 in _bar(named, "cache", "object") if not is_whole(path, md5, repo)]
        changed = [output.path for output in _bar(outputs, "outputs", "output") if not is_as_written(output, repo)]
    print(f"{len(named)} objects in DVC's cache, {len(outputs)} outputs")
    for path in lost:
        path.unlink()
        print(f"{os.path.relpath(path)}: not what its name says: removed")
    for path in changed:
        touch(path)
        print(f"{path}: not what its lock file says")
    if lost or changed:
        raise InputError(
            f"{len(lost)} objects and {len(changed)} outputs were not as written: `dvc repro` makes them again"
        )


def _bar(what: list[Any], name: str, unit: str) -> "tqdm[Any]":
    return tqdm(what, desc=name, unit=unit, mininterval=1, delay=2, dynamic_ncols=True)


def is_whole(path: Path, md5: str, repo: "Repo") -> bool:
    """Return whether an object has the hash that is its name; DVC 2's hashes count line ends as those of Unix."""
    from dvc_data.hashfile.hash import file_md5

    store = repo.cache.local if path.is_relative_to(repo.cache.local.path) else repo.cache.legacy
    return bool(file_md5(str(path), repo.cache.local.fs, name=store.hash_name) == md5.removesuffix(".dir"))


def is_as_written(output: Output, repo: "Repo") -> bool:
    """Return whether a file or folder has the hash that its lock file says, without what DVC remembers of it."""
    from dvc_data.hashfile.build import build
    from dvc_data.hashfile.db.local import LocalHashFileDB

    path, local = str(output.path.absolute()), repo.cache.local
    store = LocalHashFileDB(local.fs, local.path)  # type: ignore[no-untyped-call]
    _, _, found = build(store, path, local.fs, "md5", ignore=repo.dvcignore, dry_run=True)
    return bool(found.hash_info.value == output.md5)


def touch(path: Path) -> None:
    """Give files a new time, after which DVC hashes them again; links to removed objects it misses anyway."""
    for file in [path, *path.rglob("*")]:
        if file.exists():  # else this would write an empty object
            file.touch()


if __name__ == "__main__":
    run(verify)
