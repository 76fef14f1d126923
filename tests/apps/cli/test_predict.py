"""``mien predict``: its sources, printed results, tables and annotated copies."""

import csv
import io
import json
import os
import re
import shutil
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command import command, mien, run_process, with_fakes, write_image
from fakes import FakeClassifier, FakeDetector, fake_card
from mien import Engine
from mien.labels import EMOTIONS
from mien.results import Box

EXAMPLES = Path(__file__).parents[3] / "examples"
unix = pytest.mark.skipif(sys.platform == "win32", reason="names that Windows does not allow")


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


# Printed results


def test_json_is_the_result_of_the_engine(capsys):
    write_image(Path("a.png"))
    engine = with_fakes()
    assert mien("predict", "a.png", "--json", load=engine) == 0
    assert capsys.readouterr().out == engine(model="", detector="").read("a.png").to_json() + "\n"


def test_json_has_the_documented_keys(capsys):
    write_image(Path("a.png"))
    mien("predict", "a.png", "--json")
    [line] = lines(capsys)
    [face] = line["faces"]
    assert (line["source"], line["size"]) == ("a.png", [8, 8])
    assert list(face["scores"]) == list(EMOTIONS)
    assert {"box", "detection", "emotion", "scores", "uncertain", "quality", "track"} <= set(face)
    assert (face["emotion"], face["uncertain"], face["track"]) == ("angry", None, None)
    assert set(face["quality"]) == {"ok", "reason"}


def test_a_pipe_gets_one_plain_line_for_each_face(capsys):
    write_image(Path("a.png"), size=32)
    detector = FakeDetector(boxes=(Box(0, 0, 16, 16), Box(8, 8, 9, 9)))
    assert mien("predict", "a.png", load=with_fakes(detector=detector)) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("a.png: face 1 of 2 (16x16 at 0,0) looks angry, ")
    assert second.startswith("a.png: face 2 of 2 (9x9 at 8,8) looks angry, ")
    assert "predicted votes: " in first


def test_uncertainty_and_quality_are_in_the_plain_line(capsys):
    write_image(Path("a.png"), value=100)
    classifier = FakeClassifier(fake_card(uncertain_below=0.99))
    mien("predict", "a.png", load=with_fakes(classifier=classifier))
    out = capsys.readouterr().out
    assert "; unsure: no expression stands out" in out
    assert "; hard to judge: " in out


@pytest.mark.parametrize(("value", "word"), [(43, "looks disgusted"), (85, "looks fearful"), (213, "looks surprised")])
def test_an_expression_is_described_by_its_adjective(value, word, capsys):
    write_image(Path("a.png"), value=value)
    mien("predict", "a.png")
    assert word in capsys.readouterr().out


def test_labels_of_another_model_are_printed(capsys):
    write_image(Path("a.png"))
    classifier = FakeClassifier(fake_card(labels=("bored", "keen"), vote_labels=()))
    mien("predict", "a.png", load=with_fakes(classifier=classifier))
    assert "looks bored" in capsys.readouterr().out


def test_an_image_without_a_face_is_a_result(capsys):
    write_image(Path("a.png"), size=4)
    assert mien("predict", "a.png") == 0
    assert capsys.readouterr().out == "a.png: no face found\n"


def test_require_face_fails_for_an_image_without_a_face(capsys):
    write_image(Path("a.png"))
    write_image(Path("b.png"), size=4)
    assert mien("predict", "a.png", "--require-face") == 0
    assert mien("predict", "a.png", "b.png", "--require-face") == 1
    assert "1 of 2 images have no face" in capsys.readouterr().err


def test_a_damaged_file_is_a_line_and_the_run_continues(capsys):
    Path("bad.jpg").write_text("not an image")
    write_image(Path("good.png"))
    assert mien("predict", "bad.jpg", "good.png", "missing.jpg", "--json") == 1
    bad, good, missing = lines(capsys)
    assert set(bad) == {"source", "error"}
    assert len(good["faces"]) == 1
    assert missing["source"] == "missing.jpg"
    assert "missing.jpg" in missing["error"]


def test_failures_go_to_stderr_with_the_file_name_once(capsys):
    Path("bad.jpg").write_text("not an image")
    write_image(Path("good.png"))
    assert mien("predict", "bad.jpg", "good.png") == 1
    out, err = capsys.readouterr()
    assert [line.partition(":")[0] for line in out.splitlines()] == ["good.png"]
    assert err.startswith("mien: ")
    assert err.count("bad.jpg") == 1
    assert re.fullmatch(r"2 images, 1 face, 1 failed, \d+\.\d s", err.splitlines()[-1])
    assert err.count("\n") == 2


@unix
def test_control_characters_in_a_file_name_are_escaped(capsys):
    write_image(Path("two\nlines \x1b[31m😀.png"))
    assert mien("predict", "two\nlines \x1b[31m😀.png") == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.startswith(r"two\nlines \x1b[31m😀.png: ")


def test_model_detector_and_smallest_face_reach_the_engine():
    detector, loaded = FakeDetector(), {}

    def load(**names):
        loaded.update(names)
        return Engine(FakeClassifier(), detector)

    write_image(Path("a.png"))
    mien("predict", "a.png", "--min-face", 24, "--detector", "d", "--model", "m", "--prior", "even", load=load)
    assert detector.min_faces == [24]
    assert loaded == {"detector": "d", "model": "m", "prior": "even"}


def test_max_pixels_refuses_larger_images(capsys):
    write_image(Path("a.png"), size=20)
    assert mien("predict", "a.png", "--json", "--max-pixels", 399) == 1
    assert mien("predict", "a.png", "--json", "--max-pixels", 400) == 0
    refused, read = lines(capsys)
    assert "error" in refused
    assert read["size"] == [20, 20]


# Sources


def test_folders_are_searched_in_natural_order(capsys):
    for name in ("p/10.png", "p/9.png", "p/sub/1.png"):
        write_image(Path(name))
    Path("p/notes.txt").write_text("no picture")
    assert mien("predict", "p", "--json") == 0
    sources = [Path(line["source"]).as_posix() for line in lines(capsys)]
    assert sorted(sources) == ["p/10.png", "p/9.png", "p/sub/1.png"]
    assert sources.index("p/9.png") < sources.index("p/10.png")


def test_globs_are_expanded(capsys):
    for name in ("p/a.png", "p/b.png", "p/c.jpg"):
        write_image(Path(name))
    assert mien("predict", "p/*.png", "--json") == 0
    assert [Path(line["source"]).name for line in lines(capsys)] == ["a.png", "b.png"]


def test_a_folder_without_images_is_a_failure(capsys):
    Path("empty").mkdir()
    assert mien("predict", "empty", "--json") == 1
    [line] = lines(capsys)
    assert "empty" in line["error"]


def test_results_are_printed_before_all_images_are_read(capsys):
    """The engine reads a few images ahead: the first line is printed while most are unread."""
    detector = FakeDetector()
    for i in range(60):
        write_image(Path(f"p/{i}.png"))

    class CountingEngine(Engine):
        def read_many(self, sources, **options):
            read_count = 0

            def counted():
                nonlocal read_count
                for source in sources:
                    read_count += 1
                    yield source

            results = super().read_many(counted(), **options)
            yield next(results)
            read_before_first_result.append(read_count)
            yield from results

    read_before_first_result = []
    engine = CountingEngine(FakeClassifier(), detector)
    assert mien("predict", "p", "--json", "--jobs", 1, load=lambda **_: engine) == 0
    assert len(lines(capsys)) == 60
    assert read_before_first_result[0] < 60


def test_an_image_is_read_from_stdin():
    data = (EXAMPLES / "hopper.jpg").read_bytes()
    process = run_process("predict", "-", "--json", "--detector", "none", input=data)
    assert process.returncode == 0
    line = json.loads(process.stdout)
    assert line["source"] == "-"
    assert len(line["faces"]) == 1


@pytest.mark.full
def test_an_empty_stdin_is_a_failure():
    process = run_process("predict", "-", "--json", "--detector", "none", input=b"")
    assert process.returncode == 1
    assert json.loads(process.stdout)["source"] == "-"


@pytest.fixture
def server_url():
    """An HTTP server on this machine with the example images."""

    class QuietHandler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=EXAMPLES)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_url_is_downloaded_with_allow_url(server_url, capsys):
    assert mien("predict", f"{server_url}/hopper.jpg", f"{server_url}/missing.jpg", "--allow-url", "--json") == 1
    read, missing = lines(capsys)
    assert read["source"] == f"{server_url}/hopper.jpg"
    assert read["size"][0] > 8
    assert "404" in missing["error"]


def test_copies_of_urls_have_names_of_their_own(server_url, capsys):
    address = f"{server_url}/hopper.jpg?size=small/er#top"
    assert mien("predict", address, address, "--allow-url", "--annotate", "annotated", "--json") == 0
    assert sorted(path.name for path in Path("annotated").iterdir()) == ["hopper-2.jpg", "hopper.jpg"]


@pytest.mark.parametrize("address", ["http://[", "http://", "https:///x.jpg", "http://\x00/", "HTTP://localhost:port/"])
def test_a_malformed_url_is_a_failure(address, capsys):
    assert mien("predict", address, "--allow-url", "--json", "--annotate", "annotated") == 1
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


def test_csv_on_stdout_has_no_other_lines(capsys):
    write_image(Path("a.png"))
    Path("bad.jpg").write_text("not an image")
    assert mien("predict", "a.png", "bad.jpg", "--csv", "-") == 1
    out, err = capsys.readouterr()
    good, bad = rows(out)
    assert (good["source"], good["error"]) == ("a.png", "")
    assert bad["source"] == "bad.jpg"
    assert "expected" in bad["error"]
    assert "looks" not in out
    assert "bad.jpg" in err


def test_a_table_that_cannot_be_written_is_reported(capsys):
    write_image(Path("a.png"))
    assert mien("predict", "a.png", "--csv", "no/such/folder/out.csv") == 1
    assert "no/such/folder/out.csv" in capsys.readouterr().err


@pytest.mark.full
def test_a_table_is_not_overwritten_by_a_run_that_fails_to_start(capsys):
    Path("out.csv").write_text("precious")
    process = run_process("predict", "a.png", "--csv", "out.csv", "--model", "nonsense")
    assert process.returncode == 2
    assert Path("out.csv").read_text() == "precious"


# Annotated copies


def pixels(path):
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def test_one_image_is_annotated_into_one_file(capsys):
    write_image(Path("a.png"), size=64)
    before = Path("a.png").read_bytes()
    detector = FakeDetector(boxes=(Box(8, 8, 40, 40),))
    assert mien("predict", "a.png", "--annotate", "annotated.png", load=with_fakes(detector=detector)) == 0
    assert pixels("annotated.png").shape == (64, 64, 3)
    assert pixels("annotated.png").any()
    assert Path("a.png").read_bytes() == before


def test_copies_mirror_the_folder(capsys):
    for name in ("p/a.png", "p/sub/b.jpg", "p/sub/c.gif"):
        write_image(Path(name))
    assert mien("predict", "p", "--annotate", "annotated") == 0
    written = sorted(path.relative_to("annotated").as_posix() for path in Path("annotated").rglob("*.*"))
    assert written == ["a.png", "sub/b.jpg", "sub/c.gif.png"]


def test_copies_of_several_arguments_have_unique_names(capsys):
    for name in ("x/a.png", "y/a.png", "z/a.png", "z/deep/z/b.png", "w/z/c.png"):
        write_image(Path(name))
    assert mien("predict", "x/a.png", "y/a.png", "z", "w/z", "--annotate", "annotated") == 0
    written = sorted(path.relative_to("annotated").as_posix() for path in Path("annotated").rglob("*.png"))
    assert written == ["a-2.png", "a.png", "z-2/c.png", "z/a.png", "z/deep/z/b.png"]


def test_copies_of_several_globs_have_unique_names(capsys):
    for name in ("x/a.png", "y/a.png"):
        write_image(Path(name))
    assert mien("predict", "x/*.png", "y/*.png", "--annotate", "annotated") == 0
    assert sorted(path.as_posix() for path in Path("annotated").rglob("*.png")) == [
        "annotated/x/a.png",
        "annotated/y/a.png",
    ]


@pytest.mark.parametrize("word", ["n" * 5000, "n" * 300 + "/x.jpg", "*" * 300])
def test_an_impossible_file_name_is_a_failure(word, capsys):
    assert mien("predict", word, "--json", "--annotate", "annotated") == 1
    [line] = lines(capsys)
    assert line["source"] == word


def test_copies_below_the_source_folder_are_not_read_again(capsys):
    write_image(Path("p/a.png"))
    for _ in range(2):
        assert mien("predict", "p", "--annotate", "p/annotated", "--json") == 0
        assert [line["source"] for line in lines(capsys)] == [str(Path("p/a.png"))]


@pytest.mark.parametrize("target", ["p", ".", "p/../p"])
def test_a_folder_of_copies_that_contains_the_originals_is_refused(target, capsys):
    before = write_image(Path("p/a.png")).read_bytes()
    assert mien("predict", "p", "--annotate", target) == 2
    assert "originals" in capsys.readouterr().err
    assert Path("p/a.png").read_bytes() == before


@pytest.mark.parametrize("target", ["a.png", "./a.png", "same.png"])
def test_a_copy_never_overwrites_its_original(target, capsys):
    before = write_image(Path("a.png")).read_bytes()
    os.link("a.png", "same.png")
    assert mien("predict", "a.png", "--annotate", target, "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["faces"]
    assert "is the image itself" in err
    assert Path("a.png").read_bytes() == before


def test_one_file_for_several_images_is_a_usage_error(capsys):
    write_image(Path("p/a.png"))
    write_image(Path("p/b.png"))
    assert mien("predict", "p", "--annotate", "out.png") == 2
    assert "several images" in capsys.readouterr().err
    assert not Path("out.png").exists()


def test_a_failed_copy_does_not_stop_the_run(capsys):
    write_image(Path("a.png"))
    assert mien("predict", "a.png", "--annotate", "out.xyz", "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["faces"]
    assert ".xyz" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_for_copies_is_reported_after_the_result(capsys):
    write_image(Path("a.png"))
    Path("out.png").symlink_to("/dev/full/x.png")
    assert mien("predict", "a.png", "--annotate", "/dev/full/out.png", "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["faces"]
    assert "/dev/full" in err


# With the real engine


@pytest.fixture(scope="module")
def portraits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("portraits")
    shutil.copy(EXAMPLES / "portraits.jpg", folder)
    process = run_process("predict", "portraits.jpg", "--json", "--annotate", "out.jpg", "--csv", "out.csv", cwd=folder)
    return process, folder


def test_the_example_of_the_readme_reads_both_portraits(portraits):
    process, folder = portraits
    assert (process.returncode, process.stderr) == (0, b"")
    line = json.loads(process.stdout)
    assert len(line["faces"]) == 2
    assert {face["emotion"] for face in line["faces"]} <= set(EMOTIONS)
    assert (pixels(folder / "out.jpg") != pixels(folder / "portraits.jpg")).any()
    assert len(rows((folder / "out.csv").read_text(encoding="utf-8"))) == 2


@pytest.mark.full
def test_python_m_mien_is_the_command():
    assert command("--version")[1:3] == ["-m", "mien"]
    assert run_process("--version").stdout.startswith(b"mien ")
