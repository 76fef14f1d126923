"""Model files: found by name or path, fetched whole or not at all, and never used when they are not what was sealed."""

import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mien.errors import FetchError, ModelDamaged, ModelError, ModelMissing
from mien.models import (
    ModelCard,
    available_models,
    checksums,
    find_model_file,
    list_models,
    pull_model,
    registry,
    resolve_model,
)
from mien.models import cache_folder as home
from mien.models.checksums import PUBLISHED_FILES, Checksum, read_checksums, resolve_embedded
from mien.models.download import install_file, stream_download
from mien.models.registry import platform_cache_folder
from tiny import tiny_model

CONTENT = bytes(range(256)) * 900


@pytest.fixture
def stocked(tmp_path, monkeypatch):
    """A home of our own, and a 'yunet' that is published with a content we know."""
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    ours = PUBLISHED_FILES["yunet"]._replace(file="yunet.onnx", seal=Checksum.of(CONTENT))
    monkeypatch.setitem(PUBLISHED_FILES, "yunet", ours)
    return tmp_path / "home"


class Publisher(BaseHTTPRequestHandler):
    """A server with every way to fail, one at each address."""

    def do_GET(self):
        getattr(self, f"send_{self.path.strip('/').replace('-', '_')}")()

    def send_whole(self, content=CONTENT, length=None):
        self.send_response(200)
        self.send_header("Content-Length", str(length or len(content)))
        self.end_headers()
        self.wfile.write(content)

    def send_unsized(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONTENT)

    def send_cut(self):
        self.send_whole(CONTENT[:50_000], len(CONTENT))

    def send_reset(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"400\r\n" + CONTENT[:100])

    def send_wrong(self):
        self.send_whole(CONTENT[::-1])

    def send_endless(self):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(CONTENT)
        except OSError:
            self.server.hung_up.set()

    def send_pointer(self):
        self.send_whole(b"version https://git-lfs.github.com/spec/v1\n")

    def send_redirect(self, to="/whole"):
        self.send_response(302)
        self.send_header("Location", to)
        self.end_headers()

    def send_loop(self):
        self.send_redirect("/loop")

    def send_elsewhere(self):
        self.send_redirect("file:///etc/passwd")

    def send_missing(self):
        self.send_error(404)

    def send_broken(self):
        self.send_error(500)

    def send_silent(self):
        self.server.closing.wait(5)

    def send_slow(self):
        self.send_response(200)
        self.end_headers()
        for at in range(0, 1000):
            if self.server.closing.wait(0.05):
                return
            try:
                self.wfile.write(CONTENT[at : at + 1])
            except OSError:
                return

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def publisher():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    server.closing, server.hung_up = threading.Event(), threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def address(publisher, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return f"http://127.0.0.1:{publisher.server_port}"


def refused(url, **limits) -> FetchError:
    with pytest.raises(FetchError) as caught:
        pull_model("yunet", url=url, **limits)
    assert "mien models pull yunet --from FILE" in caught.value.remedy
    assert caught.value.expected
    return caught.value


def test_a_published_file_is_fetched_once(stocked, address):
    assert find_model_file("yunet") is None
    path = pull_model("yunet", url=f"{address}/whole")
    assert path == stocked / "yunet.onnx"
    assert path.read_bytes() == CONTENT
    assert find_model_file("yunet") == path
    assert pull_model("yunet", url=f"{address}/missing") == path
    assert [each.name for each in stocked.iterdir()] == ["yunet.onnx"]


def test_progress_counts_to_the_whole(stocked, address):
    told = []
    pull_model("yunet", url=f"{address}/whole", progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("way", ["redirect", "unsized"])
def test_other_ways_to_send_it_whole(stocked, address, way):
    assert pull_model("yunet", url=f"{address}/{way}").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("cut", "cut off after 50,000 of 230,400 bytes"),
        ("reset", "connection was cut"),
        ("wrong", "another file"),
        ("endless", "another file"),
        ("pointer", "cut off after 43 of"),
        ("loop", "302"),
        ("elsewhere", "302"),
        ("missing", "404"),
        ("broken", "500"),
    ],
)
def test_what_does_not_arrive_whole_does_not_arrive(stocked, address, way, words):
    assert words in str(refused(f"{address}/{way}"))
    assert list(stocked.iterdir()) == [] if stocked.exists() else True
    assert find_model_file("yunet") is None


def test_an_endless_answer_is_cut_short(stocked, address, publisher):
    publisher.hung_up.clear()
    refused(f"{address}/endless")
    assert publisher.hung_up.wait(5)


def test_a_wrong_file_is_told_by_its_hash(stocked, address):
    error = refused(f"{address}/wrong")
    assert Checksum.of(CONTENT[::-1]).sha256 in error.happened
    assert Checksum.of(CONTENT).sha256 in error.expected


def test_a_silent_server_is_left(stocked, address):
    assert "fell silent" in refused(f"{address}/silent", timeout=0.2).happened


def test_a_dripping_server_is_left_at_the_deadline(stocked, address):
    start = time.monotonic()
    assert "not through after 0.4 seconds" in refused(f"{address}/slow", deadline=0.4).happened
    assert time.monotonic() - start < 3


def test_no_network(stocked):
    assert "could not be fetched" in refused("http://127.0.0.1:9/nobody").happened
    assert "could not be fetched" in refused("http://no-such-host.invalid/").happened
    assert "https://" in refused("file:///etc/passwd").happened


def test_a_failed_pull_leaves_the_good_file(stocked, address):
    path = pull_model("yunet", url=f"{address}/whole")
    path.write_bytes(b"damaged")
    refused(f"{address}/wrong")
    assert path.read_bytes() == b"damaged"
    assert pull_model("yunet", url=f"{address}/whole").read_bytes() == CONTENT


def test_a_swapped_file_in_the_cache_is_named(stocked, address):
    path = pull_model("yunet", url=f"{address}/whole")
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(ModelDamaged, match="swapped or changed") as caught:
        find_model_file("yunet")
    assert "mien models pull yunet" in caught.value.remedy
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(ModelDamaged, match="cut off"):
        find_model_file("yunet")


def test_a_file_somebody_brought_is_verified_too(stocked, tmp_path):
    brought = tmp_path / "from-a-friend"
    brought.write_bytes(CONTENT[:-1])
    with pytest.raises(FetchError, match="cut off"):
        pull_model("yunet", source=brought)
    brought.write_bytes(CONTENT)
    assert pull_model("yunet", source=brought).read_bytes() == CONTENT
    assert brought.exists()
    with pytest.raises(FetchError, match="cannot be read"):
        pull_model("yunet", source=tmp_path / "nothing")
    with pytest.raises(FetchError, match="cannot be read"):
        pull_model("yunet", source=tmp_path)


def test_a_folder_that_cannot_be_made(stocked, address):
    stocked.write_bytes(b"a file where the folder should be")
    with pytest.raises(FetchError, match="MIEN_HOME"):
        pull_model("yunet", url=f"{address}/whole")
    assert find_model_file("yunet") is None


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on file size there")
def test_no_space_leaves_nothing_behind(tmp_path):
    """A real limit stands for a full disk: writing past it fails with an error of the system."""
    (tmp_path / "brought").write_bytes(CONTENT)
    code = """
import resource, signal, sys
from pathlib import Path
from mien.errors import FetchError
from mien.models import pull_model
from mien.models.checksums import PUBLISHED
from mien.models.checksums import Seal
content = Path(sys.argv[1]).read_bytes()
PUBLISHED["yunet"] = PUBLISHED["yunet"]._replace(file="yunet.onnx", seal=Seal.of(content))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    pull_model("yunet", source=Path(sys.argv[1]))
except FetchError as error:
    print(error)
"""
    environment = {**os.environ, "MIEN_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", code, str(tmp_path / "brought")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "could not be written" in done.stdout
    assert "Make room there" in done.stdout
    assert list((tmp_path / "home").iterdir()) == []


def test_an_interrupted_pull_leaves_nothing_behind(stocked, address):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull_model("yunet", url=f"{address}/whole", progress=interrupt)
    assert list(stocked.iterdir()) == []


def test_parts_of_killed_pulls_are_swept_away_but_not_those_under_way(stocked, address):
    stocked.mkdir()
    old, young = stocked / ".mien-0a.part", stocked / ".mien-0b.part"
    for part in (old, young):
        part.write_bytes(b"part")
    os.utime(old, (0, 0))
    pull_model("yunet", url=f"{address}/whole")
    assert not old.exists()
    assert young.exists()


def test_two_pulls_at_once_do_not_meet(stocked, address):
    publication = PUBLISHED_FILES["yunet"]
    target = stocked / "yunet.onnx"
    chunks = stream_download(publication, f"{address}/whole", timeout=5, deadline=5)
    assert (
        install_file(publication, _meanwhile(chunks, lambda: pull_model("yunet", url=f"{address}/whole")), target) == target
    )
    assert target.read_bytes() == CONTENT
    assert list(stocked.iterdir()) == [target]


def _meanwhile(chunks, act):
    yield next(chunks)
    act()
    yield from chunks


def test_the_real_file_is_what_the_table_says(yunet_file, tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path))
    assert (
        pull_model("yunet", source=Path(yunet_file))
        == find_model_file("yunet")
        == tmp_path / "face_detection_yunet_2026may.onnx"
    )


def test_home_follows_the_platform(monkeypatch, tmp_path):
    user = Path.home()
    assert platform_cache_folder("linux", {}) == user / ".cache" / "mien"
    assert platform_cache_folder("linux", {"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "mien"
    assert platform_cache_folder("linux", {"XDG_CACHE_HOME": "not/absolute"}) == user / ".cache" / "mien"
    assert platform_cache_folder("darwin", {}) == user / "Library" / "Caches" / "mien"
    assert platform_cache_folder("win32", {"LOCALAPPDATA": str(tmp_path)}) == tmp_path / "mien"
    assert platform_cache_folder("win32", {}) == user / "AppData" / "Local" / "mien"
    for platform in ("linux", "darwin", "win32"):
        assert platform_cache_folder(platform, {"MIEN_HOME": "~/faces"}) == user / "faces"
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "mine"))
    assert home() == tmp_path / "mine"
    assert not home().exists()


def test_a_path_is_a_model(tmp_path, monkeypatch):
    path = tmp_path / "a b 😀.onnx"
    path.write_bytes(tiny_model())
    assert resolve_model(path) == resolve_model(str(path)) == path
    monkeypatch.chdir(tmp_path)
    assert resolve_model("a b 😀.onnx") == Path("a b 😀.onnx")


def test_a_run_folder_is_its_model(tmp_path, monkeypatch):
    run = tmp_path / "run-7"
    run.mkdir()
    with pytest.raises(ModelMissing, match=r"has no model\.onnx"):
        resolve_model(run)
    (run / "best.onnx").write_bytes(tiny_model())
    with pytest.raises(ModelMissing, match=r"best\.onnx"):
        resolve_model(run)
    (run / "model.onnx").write_bytes(tiny_model())
    assert resolve_model(run) == resolve_model(f"{run}{os.sep}") == run / "model.onnx"
    monkeypatch.chdir(tmp_path)
    assert resolve_model("run-7") == Path("run-7") / "model.onnx"


def test_missing_models_have_the_nearest_name(tmp_path):
    (tmp_path / "mine.onnx").write_bytes(tiny_model())
    with pytest.raises(ModelMissing, match=r"Did you mean 'mine\.onnx'"):
        resolve_model(tmp_path / "mein.onnx")
    name = available_models()[0]
    with pytest.raises(ModelMissing, match=f"Did you mean '{name}'"):
        resolve_model(f"{name}e")
    with pytest.raises(ModelMissing, match="mien models") as caught:
        resolve_model("zzzzzz")
    assert name in caught.value.expected
    with pytest.raises(ModelMissing, match="Did you mean 'yunet'"):
        pull_model("yunett")
    for odd in ("a" * 5000, "no\0path", "", "/"):
        with pytest.raises(ModelMissing):
            resolve_model(odd)


def test_a_detector_is_no_model():
    with pytest.raises(ModelMissing, match="is a face detector") as caught:
        resolve_model("yunet")
    assert "--detector yunet" in caught.value.remedy


def test_models_inside_the_package_need_no_pull():
    for name in read_checksums():
        assert pull_model(name) == resolve_model(name) == find_model_file(name) == checksums.WEIGHTS / f"{name}.onnx"


def test_embedded_files_are_what_was_sealed_and_what_their_cards_say():
    names = {path.stem for path in checksums.WEIGHTS.glob("*.onnx")}
    assert names == set(read_checksums()), "run python -m mien.models.checksums"
    for name in names:
        card = ModelCard.read(resolve_embedded(name))
        assert card.name == name
        assert card.license


def sealed(folder: Path) -> Path:
    folder.mkdir()
    (folder / "base.onnx").write_bytes(tiny_model())
    checksums.write_checksums(folder)
    return folder / "base.onnx"


def test_seals_are_written_and_hold(tmp_path):
    path = sealed(tmp_path / "weights")
    assert read_checksums(path.parent) == {"base": Checksum.of(tiny_model())}
    assert resolve_embedded("base", path.parent) == path


def test_swapped_and_cut_weights_are_named(tmp_path):
    path = sealed(tmp_path / "weights")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"!")
    with pytest.raises(ModelDamaged, match="'base' was swapped or changed") as caught:
        resolve_embedded("base", path.parent)
    assert Checksum.of(whole).sha256 in caught.value.expected
    assert "Install mien again" in caught.value.remedy
    path.write_bytes(whole[:-1])
    with pytest.raises(ModelDamaged, match="'base' is cut off"):
        resolve_embedded("base", path.parent)


def test_missing_weights_ask_for_a_new_installation(tmp_path):
    path = sealed(tmp_path / "weights")
    path.unlink()
    with pytest.raises(ModelMissing, match="'base' is missing") as caught:
        resolve_embedded("base", path.parent)
    assert "--force-reinstall" in caught.value.remedy
    for table in ("", "[]", '{"base.onnx": 7}', '{"base.onnx": {}}'):
        (path.parent / checksums.CHECKSUM_FILE).write_text(table)
        with pytest.raises(ModelMissing, match="without its models"):
            read_checksums(path.parent)
    with pytest.raises(ModelMissing, match="without its models"):
        read_checksums(tmp_path / "nowhere")


def offered(monkeypatch, value: str) -> None:
    points = [EntryPoint(name="theirs", value=value, group=registry.ENTRY_POINTS)]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.ENTRY_POINTS else [])


def test_other_packages_add_models(tmp_path, monkeypatch):
    (tmp_path / "theirs.onnx").write_bytes(tiny_model())
    code = "from pathlib import Path\nHERE = Path(__file__).with_name('theirs.onnx')\ndef place(): return str(HERE)\n"
    (tmp_path / "their_package.py").write_text(f"{code}nowhere = 'nowhere.onnx'\nnumber = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    for value in ("their_package:HERE", "their_package:place"):
        offered(monkeypatch, value)
        assert resolve_model("theirs") == find_model_file("theirs") == tmp_path / "theirs.onnx"
        assert available_models()[-1] == "theirs"
    for value, error in (
        ("their_package:nowhere", "is not at"),
        ("their_package:nothing", "does not load"),
        ("their_package:number", "does not load"),
        ("no_such_module:x", "does not load"),
    ):
        offered(monkeypatch, value)
        with pytest.raises(ModelError, match=error):
            resolve_model("theirs")


def test_an_installed_package_offers_its_model(tmp_path):
    """The real thing: metadata on the path, as pip leaves it."""
    info = tmp_path / "faces_of_mars-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faces-of-mars\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mien.models]\nmars = faces_of_mars:MODEL\n")
    (tmp_path / "faces_of_mars.py").write_text(f"MODEL = {str(tmp_path / 'mars.onnx')!r}\n")
    (tmp_path / "mars.onnx").write_bytes(tiny_model())
    code = "import mien; from mien.models import list_models, resolve_model; print(resolve_model('mars')); print(list_models())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(tmp_path / "mars.onnx"))
    assert "origin='faces-of-mars'" in done.stdout


def test_the_table_lists_models_and_detectors(stocked, address):
    before = {entry.name: entry for entry in list_models()}
    assert before["yunet"][1:] == ("detector", "fetched", None)
    assert [name for name in available_models() if before[name].kind != "model"] == []
    assert all(entry.path and entry.path.is_file() for entry in before.values() if entry.origin == "embedded")
    pull_model("yunet", url=f"{address}/whole")
    assert {entry.name: entry.path for entry in list_models()}["yunet"] == stocked / "yunet.onnx"
