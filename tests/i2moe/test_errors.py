"""What errors call a file whose own name they must not say."""

from i2moe.base.errors import numbered


def test_a_file_has_its_number_among_those_that_ls_lists(tmp_path):
    for name in (".DS_Store", "B.nii", "a.nii", "z.nii"):
        (tmp_path / name).touch()
    assert numbered(tmp_path / "a.nii") == f"{tmp_path}: file 2 of 3 by name"
    assert numbered(tmp_path / "c.nii") == f"{tmp_path}: a file that would be number 3 by name"
    assert numbered(tmp_path / "gone/a.nii") == f"{tmp_path / 'gone'}: a file that would be number 1 by name"
