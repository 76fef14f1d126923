"""``mien predict``: sources in, lines and files out."""

import csv
import io
import json
import os
import shutil
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command import command, mien, write_image, run_process, with_fakes
from fakes import FakeClassifier, FakeDetector, fake_card
from mien import Engine
from mien.labels import EMOTIONS
from mien.results import Box

EXAMPLES = Path(__file__).parents[3] / "examples"
unix = pytest.mark.skipif(sys.platform == "win32", reason="names that Windows does not allow")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


# What is printed


def test_json_is_the_result_of_the_engine(capsys):
    write_image(Path("a.png"))
    engine = with_fakes()
    assert mien("predict", "a.png", "--json", load=engine) == 0
    assert capsys.readouterr().out == engine(model="", detector="").read("a.png").to_json() + "\n"


def test_json_has_the_promised_keys(capsys):
    write_image(Path("a.png"))
    mien("predict", "a.png", "--json")
    [line] = lines(capsys)
    [face] = line["faces"]
    assert (line["source"], line["size"]) == ("a.png", [8, 8])
    assert list(face["scores"]) == list(EMOTIONS)
    assert {"box", "detection", "emotion", "scores", "uncertain", "quality", "track"} <= set(face)
    assert (face["emotion"], face["uncertain"], face["track"]) == ("angry", None, None)
    assert set(face["quality"]) == {"ok", "reason"}


def test_a_pipe_gets_one_plain_line_a_face(capsys):
    write_image(Path("a.png"), size=32)
    detector = FakeDetector(boxes=(Box(0, 0, 16, 16), Box(8, 8, 9, 9)))
    assert mien("predict", "a.png", load=with_fakes(detector=detector)) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("a.png: face 1 of 2 (16x16 at 0,0) looks angry, ")
    assert second.startswith("a.png: face 2 of 2 (9x9 at 8,8) looks angry, ")
    assert "predicted votes: " in first


def test_uncertainty_and_quality_are_told_in_words(capsys):
    write_image(Path("a.png"), value=100)
    classifier = FakeClassifier(fake_card(uncertain_below=0.99))
    mien("predict", "a.png", load=with_fakes(classifier=classifier))
    out = capsys.readouterr().out
    assert "; uncertain: no expression stands out" in out
    assert "; hard to judge: " in out


@pytest.mark.parametrize(("value", "word"), [(43, "looks disgusted"), (85, "looks afraid"), (213, "looks surprised")])
def test_what_a_face_shows_is_said_as_what_it_looks_like(value, word, capsys):
    write_image(Path("a.png"), value=value)
    mien("predict", "a.png")
    assert word in capsys.readouterr().out


def test_a_model_with_other_labels_speaks_its_own_words(capsys):
    write_image(Path("a.png"))
    classifier = FakeClassifier(fake_card(labels=("bored", "keen"), vote_labels=()))
    mien("predict", "a.png", load=with_fakes(classifier=classifier))
    assert "looks bored" in capsys.readouterr().out


def test_no_face_is_a_result(capsys):
    write_image(Path("a.png"), size=4)
    assert mien("predict", "a.png") == 0
    assert capsys.readouterr().out == "a.png: no face found\n"


def test_required_faces_are_missed(capsys):
    write_image(Path("a.png"))
    write_image(Path("b.png"), size=4)
    assert mien("predict", "a.png", "--require-face") == 0
    assert mien("predict", "a.png", "b.png", "--require-face") == 1
    assert "1 of 2 images have no face" in capsys.readouterr().err


def test_a_failed_file_is_a_line_and_the_run_goes_on(capsys):
    Path("bad.jpg").write_text("not a picture")
    write_image(Path("good.png"))
    assert mien("predict", "bad.jpg", "good.png", "gone.jpg", "--json") == 1
    bad, good, gone = lines(capsys)
    assert set(bad) == {"source", "error"}
    assert len(good["faces"]) == 1
    assert gone["source"] == "gone.jpg"
    assert "gone.jpg" in gone["error"]


def test_failures_of_a_plain_run_go_to_stderr_with_the_name_once(capsys):
    Path("bad.jpg").write_text("not a picture")
    write_image(Path("good.png"))
    assert mien("predict", "bad.jpg", "good.png") == 1
    out, err = capsys.readouterr()
    assert [line.partition(":")[0] for line in out.splitlines()] == ["good.png"]
    assert err.startswith("mien: ")
    assert err.count("bad.jpg") == 1
    assert err.count("\n") == 1


@unix
def test_a_name_with_a_newline_stays_on_its_line(capsys):
    write_image(Path("two\nlines \x1b[31m😀.png"))
    assert mien("predict", "two\nlines \x1b[31m😀.png") == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.startswith(r"two\nlines \x1b[31m😀.png: ")


def test_options_reach_the_engine():
    detector, asked = FakeDetector(), {}

    def load(**names):
        asked.update(names)
        return Engine(FakeClassifier(), detector)

    write_image(Path("a.png"))
    mien("predict", "a.png", "--min-face", 24, "--detector", "d", "--model", "m", load=load)
    assert detector.min_faces == [24]
    assert asked == {"detector": "d", "model": "m"}


def test_too_many_pixels_are_refused_on_request(capsys):
    write_image(Path("a.png"), size=20)
    assert mien("predict", "a.png", "--json", "--max-pixels", 399) == 1
    assert mien("predict", "a.png", "--json", "--max-pixels", 400) == 0
    refused, read = lines(capsys)
    assert "error" in refused
    assert read["size"] == [20, 20]


# Where pictures come from


def test_folders_are_read_through_in_natural_order(capsys):
    for name in ("p/10.png", "p/9.png", "p/sub/1.png"):
        write_image(Path(name))
    Path("p/notes.txt").write_text("no picture")
    assert mien("predict", "p", "--json") == 0
    found = [Path(line["source"]).as_posix() for line in lines(capsys)]
    assert sorted(found) == ["p/10.png", "p/9.png", "p/sub/1.png"]
    assert found.index("p/9.png") < found.index("p/10.png")


def test_globs_are_opened_for_shells_that_do_not(capsys):
    for name in ("p/a.png", "p/b.png", "p/c.jpg"):
        write_image(Path(name))
    assert mien("predict", "p/*.png", "--json") == 0
    assert [Path(line["source"]).name for line in lines(capsys)] == ["a.png", "b.png"]


def test_a_folder_without_pictures_fails_with_a_reason(capsys):
    Path("empty").mkdir()
    assert mien("predict", "empty", "--json") == 1
    [line] = lines(capsys)
    assert "empty" in line["error"]


def test_many_pictures_stream(capsys):
    """The engine asks for pictures a few at a time: the first line comes while most names are unread."""
    detector = FakeDetector()
    for i in range(60):
        write_image(Path(f"p/{i}.png"))

    class Watching(Engine):
        def read_many(self, sources, **options):
            taken = 0

            def counted():
                nonlocal taken
                for source in sources:
                    taken += 1
                    yield source

            results = super().read_many(counted(), **options)
            yield next(results)
            early.append(taken)
            yield from results

    early = []
    engine = Watching(FakeClassifier(), detector)
    assert mien("predict", "p", "--json", "--jobs", 1, load=lambda **_: engine) == 0
    assert len(lines(capsys)) == 60
    assert early[0] < 60


def test_stdin_is_a_picture():
    data = (EXAMPLES / "hopper.jpg").read_bytes()
    done = run_process("predict", "-", "--json", "--detector", "none", input=data)
    assert done.returncode == 0
    line = json.loads(done.stdout)
    assert line["source"] == "-"
    assert len(line["faces"]) == 1


def test_an_empty_stdin_is_a_failure():
    done = run_process("predict", "-", "--json", "--detector", "none", input=b"")
    assert done.returncode == 1
    assert json.loads(done.stdout)["source"] == "-"


@pytest.fixture
def site():
    """A web site with the example pictures, on this machine."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=EXAMPLES)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_address_is_fetched_when_that_is_allowed(site, capsys):
    assert mien("predict", f"{site}/hopper.jpg", f"{site}/gone.jpg", "--allow-url", "--json") == 1
    read, gone = lines(capsys)
    assert read["source"] == f"{site}/hopper.jpg"
    assert read["size"][0] > 8
    assert "404" in gone["error"]


def test_an_address_has_a_place_among_the_copies(site, capsys):
    address = f"{site}/hopper.jpg?size=small/er#top"
    assert mien("predict", address, address, "--allow-url", "--annotate", "painted", "--json") == 0
    assert sorted(path.name for path in Path("painted").iterdir()) == ["hopper-2.jpg", "hopper.jpg"]


@pytest.mark.parametrize("address", ["http://[", "http://", "https:///x.jpg", "http://\x00/", "HTTP://localhost:port/"])
def test_an_address_that_is_none_is_a_failure(address, capsys):
    assert mien("predict", address, "--allow-url", "--json", "--annotate", "painted") == 1
    [line] = lines(capsys)
    assert line["source"] == address


# Tables


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_a_row_for_each_face(capsys):
    write_image(Path("a.png"), size=32)
    write_image(Path("b.png"), value=255)
    detector = FakeDetector(boxes=(Box(0, 0, 16, 16), Box(0, 0, 8, 8)))
    assert mien("predict", "a.png", "b.png", "--csv", "out.csv", load=with_fakes(detector=detector)) == 0
    table = rows(Path("out.csv").read_text(encoding="utf-8"))
    assert [row["source"] for row in table] == ["a.png", "a.png", "b.png"]
    assert [row["face"] for row in table] == ["1", "2", "1"]
    assert float(table[0]["angry"]) > 0.7
    assert capsys.readouterr().out.count("looks") == 3


def test_csv_to_stdout_has_stdout_for_itself(capsys):
    write_image(Path("a.png"))
    Path("bad.jpg").write_text("not a picture")
    assert mien("predict", "a.png", "bad.jpg", "--csv", "-") == 1
    out, err = capsys.readouterr()
    good, bad = rows(out)
    assert (good["source"], good["error"]) == ("a.png", "")
    assert bad["source"] == "bad.jpg"
    assert "picture" in bad["error"]
    assert "looks" not in out
    assert "bad.jpg" in err


def test_a_table_that_cannot_be_written_is_said(capsys):
    write_image(Path("a.png"))
    assert mien("predict", "a.png", "--csv", "no/such/folder/out.csv") == 1
    assert "no/such/folder/out.csv" in capsys.readouterr().err


def test_an_old_table_survives_a_run_that_never_starts(capsys):
    Path("out.csv").write_text("precious")
    done = run_process("predict", "a.png", "--csv", "out.csv", "--model", "nonsense")
    assert done.returncode == 2
    assert Path("out.csv").read_text() == "precious"


# Painted copies


def pixels(path):
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def test_one_picture_is_painted_into_one_file(capsys):
    write_image(Path("a.png"), size=64)
    before = Path("a.png").read_bytes()
    detector = FakeDetector(boxes=(Box(8, 8, 40, 40),))
    assert mien("predict", "a.png", "--annotate", "painted.png", load=with_fakes(detector=detector)) == 0
    assert pixels("painted.png").shape == (64, 64, 3)
    assert pixels("painted.png").any()
    assert Path("a.png").read_bytes() == before


def test_a_folder_is_mirrored(capsys):
    for name in ("p/a.png", "p/sub/b.jpg", "p/sub/c.gif"):
        write_image(Path(name))
    assert mien("predict", "p", "--annotate", "painted") == 0
    written = sorted(path.relative_to("painted").as_posix() for path in Path("painted").rglob("*.*"))
    assert written == ["a.png", "sub/b.jpg", "sub/c.gif.png"]


def test_several_words_share_a_folder_without_clashes(capsys):
    for name in ("x/a.png", "y/a.png", "z/a.png", "z/deep/z/b.png", "w/z/c.png"):
        write_image(Path(name))
    assert mien("predict", "x/a.png", "y/a.png", "z", "w/z", "--annotate", "painted") == 0
    written = sorted(path.relative_to("painted").as_posix() for path in Path("painted").rglob("*.png"))
    assert written == ["a-2.png", "a.png", "z-2/c.png", "z/a.png", "z/deep/z/b.png"]


def test_globs_share_a_folder_without_clashes(capsys):
    for name in ("x/a.png", "y/a.png"):
        write_image(Path(name))
    assert mien("predict", "x/*.png", "y/*.png", "--annotate", "painted") == 0
    assert sorted(path.as_posix() for path in Path("painted").rglob("*.png")) == ["painted/x/a.png", "painted/y/a.png"]


@pytest.mark.parametrize("word", ["n" * 5000, "n" * 300 + "/x.jpg", "*" * 300])
def test_an_impossible_name_is_a_failure_like_any_other(word, capsys):
    assert mien("predict", word, "--json", "--annotate", "painted") == 1
    [line] = lines(capsys)
    assert line["source"] == word


def test_copies_among_the_originals_are_not_read_again(capsys):
    write_image(Path("p/a.png"))
    for _ in range(2):
        assert mien("predict", "p", "--annotate", "p/painted", "--json") == 0
        assert [line["source"] for line in lines(capsys)] == [str(Path("p/a.png"))]


@pytest.mark.parametrize("target", ["p", ".", "p/../p"])
def test_a_folder_that_holds_the_originals_is_refused(target, capsys):
    before = write_image(Path("p/a.png")).read_bytes()
    assert mien("predict", "p", "--annotate", target) == 2
    assert "originals" in capsys.readouterr().err
    assert Path("p/a.png").read_bytes() == before


@pytest.mark.parametrize("target", ["a.png", "./a.png", "same.png"])
def test_a_copy_never_takes_the_place_of_its_picture(target, capsys):
    before = write_image(Path("a.png")).read_bytes()
    os.link("a.png", "same.png")
    assert mien("predict", "a.png", "--annotate", target, "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["faces"]
    assert "is the image itself" in err
    assert Path("a.png").read_bytes() == before


def test_one_file_for_several_pictures_is_wrong_usage(capsys):
    write_image(Path("p/a.png"))
    write_image(Path("p/b.png"))
    assert mien("predict", "p", "--annotate", "out.png") == 2
    assert "several images" in capsys.readouterr().err
    assert not Path("out.png").exists()


def test_a_copy_that_fails_takes_nothing_with_it(capsys):
    write_image(Path("a.png"))
    assert mien("predict", "a.png", "--annotate", "out.xyz", "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["faces"]
    assert ".xyz" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_under_the_copies_is_said_and_the_readings_stay(capsys):
    write_image(Path("a.png"))
    Path("out.png").symlink_to("/dev/full/x.png")
    assert mien("predict", "a.png", "--annotate", "/dev/full/out.png", "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["faces"]
    assert "/dev/full" in err


# The whole thing, with the real engine


@pytest.fixture(scope="module")
def portraits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("portraits")
    shutil.copy(EXAMPLES / "portraits.jpg", folder)
    done = run_process("predict", "portraits.jpg", "--json", "--annotate", "out.jpg", "--csv", "out.csv", cwd=folder)
    return done, folder


def test_the_command_of_the_readme_reads_both_portraits(portraits):
    done, folder = portraits
    assert (done.returncode, done.stderr) == (0, b"")
    line = json.loads(done.stdout)
    assert len(line["faces"]) == 2
    assert {face["emotion"] for face in line["faces"]} <= set(EMOTIONS)
    assert (pixels(folder / "out.jpg") != pixels(folder / "portraits.jpg")).any()
    assert len(rows((folder / "out.csv").read_text(encoding="utf-8"))) == 2


def test_python_m_mien_is_mien():
    assert command("--version")[1:3] == ["-m", "mien"]
    assert run_process("--version").stdout.startswith(b"mien ")
