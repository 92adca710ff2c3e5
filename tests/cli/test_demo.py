FILES = [
    "acetone.png", "acetone.top", "acetone.gro", "acetone.prmtop", "acetone.inpcrd",
    "acetone_system.xml", "box.pdb", "records.csv", "trajectory.dcd",
]  # fmt: skip


def test_demo_leaves_files_of_every_engine_and_a_figure(bytepol, tmp_path):
    folder = tmp_path / "demo"
    arguments = ["demo", "--output", folder, "--molecules", 60, "--json"]
    finished = bytepol(*arguments, "--steps", 4)
    assert finished.code == 0, finished.messages
    assert all((folder / name).stat().st_size > 0 for name in FILES)
    assert (folder / "acetone.png").read_bytes().startswith(b"\x89PNG")
    assert finished.document["last"]["step"] == 4
    assert 0.6 < finished.document["last"]["density"] < 0.9
    again = bytepol(*arguments, "--steps", 6)
    assert again.code == 0, again.messages
    assert again.document["last"]["step"] == 6
    other = bytepol("demo", "--output", folder, "--molecules", 61)
    assert other.code == 1
    assert other.messages.startswith("OutputExistsError")
