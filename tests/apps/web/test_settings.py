"""Settings of the service: their sources and precedence, conversion, errors, --print-config."""

import re
import subprocess
import tomllib

import pytest

from command import command, environment, run_in_process
from mien.apps.web.settings import WebSettings, format_toml, load_settings
from mien.errors import MienError
from mien.images.decode import resolve_pixel_limit


def test_argument_overrides_variable_and_variable_overrides_file(tmp_path):
    file = tmp_path / "mien.toml"
    file.write_text('port = 1111\nthreads = 8\nhost = "0.0.0.0"\norigins = ["https://a.example"]\n')
    variables = {"MIEN_PORT": "2222", "MIEN_THREADS": "16", "MIEN_DEBUG": "1"}
    settings, sources = load_settings({"port": 3333, "model": None, "config": str(file)}, variables)
    assert (settings.port, settings.threads, settings.host) == (3333, 16, "0.0.0.0")
    assert settings.origins == ("https://a.example",)
    assert sources["port"] == "argument"
    assert sources["threads"] == "MIEN_THREADS"
    assert sources["host"] == "file mien.toml"
    assert sources["log"] == sources["model"] == "default"


def test_the_pixel_limit_is_that_of_the_command_line(monkeypatch):
    monkeypatch.delenv("MIEN_MAX_PIXELS", raising=False)
    assert WebSettings().max_pixels == resolve_pixel_limit(None)


def test_lists_in_variables_are_separated_by_commas():
    assert load_settings({}, {"MIEN_KEYS": "one, two,,"}).settings.keys == ("one", "two")
    assert load_settings({}, {"MIEN_HOSTS": ""}).settings.hosts == ()


def test_printed_settings_can_be_loaded_again():
    loaded = load_settings({"rate": 30, "origins": ("https://a.example",), "scratch": 'a"b\\c'}, {})
    text = "\n".join(format_toml(loaded))
    assert load_settings(tomllib.loads(text), {}).settings == loaded.settings


def test_keys_are_neither_printed_nor_part_of_errors():
    assert "secret" not in "\n".join(format_toml(load_settings({"keys": ("secret",)}, {})))
    with pytest.raises(MienError) as error:
        load_settings({"keys": 5}, {})
    assert "5" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prot": 1}, "Did you mean 'port'?"),
        ({"port": "many"}, "a whole number"),
        ({"port": 70_000}, "65535"),
        ({"port": 1.5}, "a whole number"),
        ({"port": True}, "a whole number"),
        ({"threads": 1}, "at least 4"),
        ({"deadline": float("nan")}, "at least 0.1"),
        ({"log": "loud"}, "auto, text, json or off"),
        ({"origins": 5}, "a list of texts"),
        ({"host": 5}, "text"),
        ({"config": "nowhere.toml"}, "cannot be read"),
    ],
)
def test_invalid_settings_are_errors(options, message):
    with pytest.raises(MienError, match=re.escape(message)):
        load_settings(options, {})


def test_file_that_is_not_toml_is_an_error(tmp_path):
    (tmp_path / "x.toml").write_text("port: 5")
    with pytest.raises(MienError, match="is not a TOML file"):
        load_settings({"config": str(tmp_path / "x.toml")}, {})


@pytest.mark.parametrize("threads", [4, 8, 24])
def test_queue_leaves_a_thread_for_rejections(threads):
    settings = WebSettings(threads=threads, workers=2, waiting=1000)
    used = settings.worker_count + settings.queue_length + settings.streams
    assert used < max(threads, settings.worker_count + settings.streams + 1)


def test_print_config_lists_every_setting(monkeypatch):
    monkeypatch.delenv("MIEN_CONFIG", raising=False)
    completed = run_in_process("serve", "--print-config", "--port", "9")
    assert completed.status == 0
    printed = tomllib.loads(completed.stdout)
    assert printed["port"] == 9
    assert set(printed) == set(WebSettings.__dataclass_fields__)


@pytest.mark.full
@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--model", "bas"], 1, "Did you mean 'base'?"),
        (["--model", "no/such.onnx"], 1, "no/such.onnx"),
        (["--detector", "harr"], 1, "Did you mean 'haar'?"),
        (["--prot", "5"], 2, "--prot"),
        (["--port", "99999"], 2, "--port"),
        (["--config", "nowhere.toml"], 1, "nowhere.toml"),
        (["--host", "256.1.1.1"], 1, "cannot listen"),
    ],
)
def test_server_that_cannot_start_prints_a_message(arguments, status, message, tmp_path):
    port = [] if "--port" in arguments else ["--port", "0"]
    completed = subprocess.run(
        command("serve", *port, *arguments),
        capture_output=True,
        text=True,
        timeout=30,
        cwd=tmp_path,
        env=environment(),
    )
    assert completed.returncode == status
    assert message in completed.stderr
    assert "Traceback" not in completed.stderr
