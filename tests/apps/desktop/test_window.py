"""The desktop's window on a real screen: what is to be seen, pressed and closed."""

import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fake_camera import FakeCameraDevice
from command import command, environment
from desktop import everything, opened, words_of
from video_files import EXAMPLES, write_still_video, two_faces
from mien import Engine, images
from mien.apps.desktop.style import Theme
from mien.errors import MienError
from mien.labels import label_colour
from mien.text import format_headline
from screen import one_screen, press, seen, window

PORTRAITS = EXAMPLES / "portraits.jpg"

#: The largest gap between two beats of the window's heart, in seconds.
GAP = 0.05


@pytest.fixture(scope="module")
def display():
    return one_screen()


@pytest.fixture(autouse=True)
def nothing_left():
    """Widgets that a test still had in its hands are freed here, and not in a thread of the next one."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def engine():
    return Engine.load(detector="haar")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_still_video(tmp_path_factory.mktemp("film") / "two.mp4", two_faces(), 2.4)


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A camera that does not end while a busy machine takes its time."""
    return write_still_video(tmp_path_factory.mktemp("film") / "long.mp4", two_faces(), 60.0, 15)


@pytest.fixture
def driven(display, engine):
    with opened(display, lambda *, model, detector: engine) as driven:
        yield driven


def tone(hue: str) -> list[int]:
    return [int(hue[place : place + 2], 16) for place in (1, 3, 5)]


def shows(display, hue: str) -> int:
    """How many pixels of the screen have this colour."""
    whole = np.asarray(seen(display).convert("RGB")).astype(int)
    return int((np.abs(whole - tone(hue)).max(axis=2) <= 6).sum())


# Pages


def test_empty_pages_say_what_to_do_and_keys_go_between_them(driven):
    told = {
        "Control-Key-1": ["Open a photo", "Choose photos…", "Choose a folder…", "not what a person feels"],
        "Control-Key-2": ["Before the camera opens", "read on this machine", "Start the camera"],
        "Control-Key-3": ["Open a film", "Choose a film…"],
        "Control-Key-4": ["Open a photo with a face", "Use the camera"],
        "Control-Key-5": ["Models", "Balanced accuracy", "Not to judge, sort, hire"],
    }
    for key, words in told.items():
        driven.press(key)
        driven.settle()
        assert driven.until(lambda words=words: all(word in driven.says() for word in words))


def test_a_picture_that_is_opened_shows_what_its_faces_look_like(driven, display):
    driven.answers.place = (str(PORTRAITS),)
    driven.press("Control-o")
    driven.settle()
    said = driven.says()
    neutral, happy = map(format_headline, Engine.load(detector="haar").read(PORTRAITS).readings)
    for words in ("portraits.jpg", "2 faces · 960 × 480", "Face 1 of 2", neutral, "Predicted annotator votes"):
        assert words in said
    driven.until(lambda: shows(display, label_colour("neutral")) > 1500)
    driven.press("n")
    driven.until(lambda: happy in driven.says())
    driven.until(lambda: shows(display, label_colour("happy")) > 1500)


def test_a_click_on_a_face_means_it(driven):
    driven.desk.open([PORTRAITS])
    driven.settle()
    stage = driven.window.pages["photo"].stage
    box = driven.desk.album.readings[1].face.box
    part = driven.window.viewing.view.part
    left, top = stage.corner
    place = {"x": left + round((box.x + box.width / 2) * part), "y": top + round((box.y + box.height / 2) * part)}
    assert driven.desk.album.face == 0
    stage.event_generate("<Button-1>", **place)
    assert driven.until(lambda: driven.desk.album.face == 1)


def test_a_folder_is_a_strip_that_the_keys_go_through(driven, tmp_path):
    for number in range(40):
        Image.fromarray(np.full((40, 60, 3), number * 6, np.uint8)).save(tmp_path / f"{number}.png")
    driven.answers.place = str(tmp_path)
    driven.press("Control-O")
    driven.settle()
    assert "1 of 40 pictures" in driven.says()
    strip = driven.window.pages["photo"].strip.canvas
    strip.focus_force()
    driven.root.update()
    for key in ("Right", "Right", "End"):
        strip.event_generate(f"<{key}>")
    driven.settle()
    assert "39.png" in driven.says()
    driven.until(lambda: len(strip.find_all()) < 100)
    driven.press("Prior")
    driven.settle()
    assert "38.png" in driven.says()
    assert "No face was found." in driven.says()


def test_what_cannot_be_read_says_why_and_what_to_do(driven, tmp_path):
    (tmp_path / "broken.jpg").write_text("no picture at all")
    driven.desk.open([tmp_path / "broken.jpg"])
    driven.settle()
    assert re.search(r"broken.jpg' is text, not a picture .* save it as PNG or JPEG", driven.says())


def test_the_inside_shows_maps_and_answers_questions(driven):
    driven.desk.open([PORTRAITS])
    driven.press("Control-Key-4")
    driven.settle()
    said = driven.says()
    for words in ("What it said", "Where it looked for “neutral”", "elsewhere", "Layer by layer", "maps of 22 × 22"):
        assert words in said
    page = driven.window.pages["inside"]
    field = page._fields["target"][1]
    field.current(1 + list(driven.desk.ground.labels).index("sad"))
    field.event_generate("<<ComboboxSelected>>")
    driven.settle()
    driven.until(lambda: "Where it looked for “sad”" in driven.says())
    page._layers._list.selection_set("pooled")
    pooled = Engine.load().explain(np.zeros((48, 48), np.uint8), (), "pooled").layers[0].activations
    driven.until(lambda: f"{pooled.size} numbers" in driven.says())
    page._layers._way.set("glance")
    page._layers._switch()
    driven.until(lambda: "48 × 48 pixels" in driven.says())


def test_the_layers_at_a_glance_are_gone_through_by_keys(driven):
    driven.desk.open([PORTRAITS])
    driven.desk.show("inside")
    driven.settle()
    layers = driven.window.pages["inside"]._layers
    layers._way.set("glance")
    layers._switch()
    glance = layers._glance
    driven.until(lambda: glance._rows)
    glance.focus_force()
    driven.until(lambda: glance.itemcget(glance._frame, "state") == "normal")
    framed = []
    for key in ("Down", "Down", "End"):
        glance.event_generate(f"<{key}>")
        driven.root.update()
        framed.append(glance.coords(glance._frame)[1])
        assert glance.canvasy(0) - 1 <= framed[-1] <= glance.canvasy(glance.winfo_height())
    assert framed == sorted(framed)
    glance.event_generate("<Up>")
    wanted = glance._rows[-2][1]
    glance.event_generate("<Return>")
    driven.until(lambda: layers._way.get() == "maps")
    assert driven.desk.inside.layer == wanted
    assert driven.root.focus_get() is layers._list


# The camera


def test_the_camera_is_announced_moves_is_kept_and_goes(driven, display, long):
    driven.press("Control-Key-2")
    page = driven.window.pages["camera"]
    assert "Ask those beside you first" in driven.says()
    page._source.set(str(long))
    page._mirror.set(False)
    driven.press("F5")
    driven.until(lambda: page.pane is not None)
    driven.until(lambda: "Camera on" in driven.says() and "looks " in driven.says())
    driven.press("i", "w")
    driven.until(lambda: page._states["i"].get() and page._states["w"].get())
    driven.press("s")
    driven.until(lambda: driven.desk.album.shots)
    driven.desk.ground.change(theme="dark")
    driven.until(lambda: driven.window.pages["camera"] is not page)
    page = driven.window.pages["camera"]
    driven.until(lambda: "looks " in driven.says())
    driven.press("space")
    assert driven.desk.camera.watching.paused
    driven.press("F5")
    driven.settle()
    assert driven.desk.camera.stage == "off"
    assert "Start the camera" in driven.says()
    assert "mien-camera" not in {thread.name for thread in threading.enumerate()}


def test_a_camera_that_ends_gives_the_page_back(driven, film):
    driven.desk.show("camera")
    driven.desk.camera.start(str(film), False)
    driven.until(lambda: driven.desk.camera.stage == "on")
    driven.until(lambda: driven.desk.camera.stage == "off")
    driven.settle()
    assert "Start the camera" in driven.says()


def test_a_camera_that_is_unplugged_says_so_and_is_released(display, engine):
    device = FakeCameraDevice(frames=20)
    with opened(display, lambda *, model, detector: engine, lambda source: device) as driven:
        driven.desk.show("camera")
        driven.desk.camera.start("0", False)
        driven.until(lambda: driven.desk.camera.stage == "on")
        driven.until(lambda: "stopped sending pictures" in driven.says())
        driven.settle()
        assert "Start the camera" in driven.says()
    assert device.released == 1


def test_a_camera_goes_on_after_what_nobody_foresaw_and_says_what_fails_inside(display, engine, monkeypatch):
    with opened(display, lambda *, model, detector: engine, lambda source: FakeCameraDevice()) as driven:
        driven.desk.show("camera")
        driven.desk.camera.start("0", False)
        driven.until(lambda: driven.window.pages["camera"].pane is not None)
        pane, shown = driven.window.pages["camera"].pane, []

        def show(view):
            shown.append(view.number)
            if len(shown) == 1:
                raise ZeroDivisionError("none")

        pane._show = show
        driven.until(lambda: len(shown) > 3)
        assert [type(bug) for bug in driven.window.bugs] == [ZeroDivisionError]
        driven.window.bugs.clear()
        monkeypatch.setattr(pane._insides, "error", MienError("The map cannot be drawn"))
        driven.until(lambda: "The map cannot be drawn." in driven.says())
        driven.desk.ground.say("Ready again.")
        driven.wait(0.1)
        assert "Ready again." in driven.says()
        del pane, show


def test_a_camera_that_is_drawn_while_the_window_is_built_anew_leaves_nothing_behind(display, engine):
    with opened(display, lambda *, model, detector: engine, lambda source: FakeCameraDevice()) as driven:
        driven.desk.show("camera")
        driven.desk.camera.start("0", False)
        driven.until(lambda: driven.window.pages["camera"].pane is not None)
        pane = driven.window.pages["camera"].pane
        draw = pane._draw

        def drawn(pixels):
            draw(pixels)
            # Runs when the pane lets Tk draw.
            driven.root.after_idle(driven.window._build)

        pane._draw = drawn
        driven.until(lambda: driven.window.pages["camera"].pane is not pane)
        driven.wait(0.3)
        assert driven.window.bugs == []


def test_closing_the_window_releases_the_camera(display, engine):
    device = FakeCameraDevice()
    with opened(display, lambda *, model, detector: engine, lambda source: device) as driven:
        driven.desk.show("camera")
        driven.desk.camera.start("0", False)
        driven.until(lambda: driven.desk.camera.stage == "on")
        driven.until(lambda: device.sent > 10)
        assert device.released == 0
    assert device.released == 1
    assert not {thread.name for thread in threading.enumerate()} & {"mien-camera", "mien-watching", "mien-inside"}


def test_a_camera_that_is_not_there_says_what_to_do(driven):
    driven.desk.show("camera")
    driven.window.pages["camera"]._source.set("63")
    driven.press("F5")
    driven.settle()
    assert "There is no camera 63" in driven.says()


def test_the_inside_moves_with_the_camera(driven, long):
    driven.desk.camera.start(str(long), False)
    driven.desk.show("inside")
    driven.until(lambda: driven.window._asking is not None)
    shown = []
    page = driven.window.pages["inside"]
    insight, page.insight = page.insight, lambda told: (shown.append(told), insight(told))
    driven.until(lambda: len(shown) >= 12)
    driven.desk.inside.ask(target="sad")
    driven.until(lambda: shown[-1].map.target == "sad")
    driven.desk.show("photo")
    driven.root.update()
    assert driven.window._asking is None


# Films


def test_a_film_is_read_told_and_played(driven, film, display):
    driven.answers.place = str(film)
    driven.press("Control-m")
    driven.settle()
    driven.until(lambda: "2 people · 2 events" in driven.says() and "Person 1" in driven.says())
    driven.until(lambda: shows(display, label_colour("happy")) > 5000)
    page = driven.window.pages["video"]
    page._events.selection_set(page._events.get_children()[0])
    driven.settle()
    assert driven.desk.film.at == pytest.approx(driven.desk.film.course.events[0].peak_at, abs=0.1)
    canvas = page._timeline.canvas
    canvas.event_generate("<Button-1>", x=canvas.winfo_width() // 2, y=30)
    driven.settle()
    assert driven.desk.film.at == pytest.approx(1.2, abs=0.2)
    page._play.focus_set()
    driven.root.focus_force()
    driven.root.event_generate("<space>")
    assert driven.desk.film.playing
    driven.settle()
    assert driven.desk.film.at > 2.0


def test_a_tick_hides_faces_in_what_is_saved_without_reading_again(driven, film):
    driven.desk.open([film])
    driven.settle()
    page = driven.window.pages["video"]
    [tick] = [each for each in everything(page) if "Hide faces" in "".join(words_of(each))]
    for ticked in (True, False):
        tick.invoke()
        assert driven.desk.film.hidden is ticked
    assert driven.desk.film.stage == "read"


def test_cancel_leaves_a_film_in_the_middle(driven, tmp_path):
    driven.desk.film.fps = 30.0
    driven.desk.open([write_still_video(tmp_path / "long.mp4", two_faces(), 25.0, 15)])
    driven.until(lambda: driven.desk.film.course.frames > 5)
    assert "Cancel" in driven.says()
    driven.press("Escape")
    driven.settle()
    assert "Stopped before the end" in driven.says()
    assert "Cancel" not in driven.says()
    table = driven.window.pages["video"]._events
    listed = [(int(person), label) for person, label, *_ in (table.item(row, "values") for row in table.get_children())]
    assert listed == [(event.person, event.label) for event in driven.desk.film.course.events] != []


# What is made of it


def test_results_are_copied_and_saved(driven, tmp_path):
    driven.press("Control-c")
    assert "nothing to copy yet" in driven.says()
    driven.desk.open([PORTRAITS])
    driven.settle()
    driven.press("Control-c")
    assert '"emotion": "neutral"' in driven.clipboard()
    driven.press("Control-C")
    assert driven.clipboard().startswith("source,face,x,y")
    driven.answers.place = str(tmp_path / "out.jpg")
    driven.press("Control-s")
    driven.settle()
    assert images.load_image(tmp_path / "out.jpg").pixels.shape == (480, 960, 3)
    assert "out.jpg" in driven.says()


#: Owns the clipboard as other programs do, with a picture in it.
OWNER = """
import sys, tkinter
root = tkinter.Tk()
root.withdraw()
data = open(sys.argv[1], "rb").read()
def give(offset, most):
    words = " ".join(f"0x{byte:x}" for byte in data)
    return words[int(offset):int(offset) + int(most)]
root.selection_handle(give, selection="CLIPBOARD", type="image/png", format="INTEGER")
root.selection_own(selection="CLIPBOARD")
root.update()
print("ready", flush=True)
root.mainloop()
"""


def test_a_picture_is_pasted_from_another_program(driven, display, tmp_path):
    Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(tmp_path / "small.png")
    words = [sys.executable, "-c", OWNER, str(tmp_path / "small.png")]
    with subprocess.Popen(words, env=environment(DISPLAY=display), stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout.readline() == "ready\n"
        driven.press("Control-v")
        driven.settle()
        owner.kill()
    assert "pasted picture" in driven.says()
    assert driven.desk.album.shot.result.size == (8, 8)


def test_files_are_pasted(driven):
    driven.press("Control-v")
    driven.root.clipboard_clear()
    driven.root.clipboard_append(PORTRAITS.as_uri())
    driven.press("Control-v")
    driven.settle()
    assert len(driven.desk.album.readings) == 2


def test_files_are_dropped(driven):
    pytest.importorskip("tkinterdnd2")
    assert driven.window.drops
    assert "Drop photos" in driven.says()
    script = driven.root.tk.call("bind", driven.root, "<<Drop:DND_Files>>")
    driven.root.tk.eval(str(script).replace("%D", "{{" + str(PORTRAITS) + "}}"))
    driven.settle()
    assert driven.desk.album.shot.title == "portraits.jpg"


# How it looks


def test_dark_and_light_and_large_text_keep_what_is_open(driven, display):
    driven.desk.open([PORTRAITS])
    driven.settle()
    for settings, ground in (
        ({"theme": "dark"}, "#14171b"),
        ({"text": 2.0}, "#14171b"),
        ({"theme": "light"}, "#fdfcfa"),
    ):
        driven.desk.ground.change(**settings)
        driven.settle()
        driven.until(lambda: "looks neutral" in driven.says())
        driven.until(lambda ground=ground: shows(display, ground) > 50_000)
    driven.press("Control-Key-0")
    driven.settle()
    assert driven.desk.ground.settings.text == 1.0


@pytest.mark.parametrize("text", [1.0, 2.0])
def test_no_word_is_cut_off(display, engine, text, film):
    """What stands in buttons and labels has the room it asks for, also with text of twice the size."""
    with opened(display, lambda *, model, detector: engine, text=text) as driven:
        for page in ("photo", "camera", "video", "inside", "models"):
            driven.desk.show(page)
            driven.settle()
            driven.wait(0.1)
            assert cut(driven.root) == []
        driven.desk.open([PORTRAITS, film])
        for page in ("photo", "video", "inside"):
            driven.desk.show(page)
            driven.settle()
            driven.wait(0.1)
            assert cut(driven.root) == []


def cut(root) -> list[str]:
    """The words of buttons that are narrower than their words."""
    kinds = ("TButton", "TRadiobutton", "TCheckbutton", "TMenubutton")
    shown = (each for each in everything(root) if each.winfo_viewable() and each.winfo_class() in kinds)
    return [str(each.cget("text")) for each in shown if each.winfo_width() < each.winfo_reqwidth() - 1]


def test_letters_stand_out_from_their_ground(driven):
    """By WCAG: at least 4.5 for words."""
    for theme in ("light", "dark"):
        driven.desk.ground.change(theme=theme)
        look = Theme(driven.root, driven.desk.ground.settings)
        shades, tones = look.shades, look.tones
        pairs = [
            (ink, ground)
            for ink in (shades.ink, shades.muted)
            for ground in (shades.ground, shades.panel, shades.raised)
        ]
        pairs += [(tones.on_accent, shades.accent), (shades.ink, tones.warn_ground), (tones.wrong, shades.panel)]
        assert min(contrast(*pair) for pair in pairs) >= 4.5


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(hue: str) -> float:
    parts = [value / 255 for value in tone(hue)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


# The keyboard


def test_every_command_has_its_own_keys_and_stands_in_a_menu(driven):
    commands = driven.window.menus.commands
    assert [keys for keys, many in Counter(each.keys for each in commands if each.keys).items() if many > 1] == []
    assert {each.menu for each in commands} == {"File", "Edit", "View", "Read", "Help"}
    driven.command("Keyboard")
    driven.until(lambda: "Ctrl+Shift+O" in driven.says())


def test_a_field_keeps_its_letters_and_its_clipboard(driven):
    driven.desk.open([PORTRAITS])
    driven.desk.show("camera")
    driven.settle()
    driven.root.clipboard_clear()
    driven.root.clipboard_append("rtsp://camera")
    field = driven.window.pages["camera"]._field
    field.focus_force()
    driven.root.update()
    field.delete(0, "end")
    field.event_generate("<Control-v>")
    field.event_generate("<n>")
    driven.settle()
    assert field.get() == "rtsp://cameran"
    assert [driven.desk.album.face, len(driven.desk.album.shots)] == [0, 1]


def test_pages_that_are_tall_scroll_by_keys(driven):
    driven.desk.show("models")
    driven.settle()
    driven.root.geometry("800x540")
    driven.wait(0.2)
    around = driven.window.pages["models"]._around._canvas
    assert around.yview()[0] == 0
    driven.press("Next")
    assert driven.until(lambda: around.yview()[0] > 0)
    driven.press("Prior")
    assert driven.until(lambda: around.yview()[0] == 0)


def test_what_was_said_goes_away_and_what_went_wrong_stays(driven):
    driven.desk.ground.say("Said.")
    driven.until(lambda: "Said." in driven.says())
    driven.until(lambda: "Ready." in driven.says())
    driven.desk.album.take(b"no picture", "pasted picture")
    driven.desk.save("json", Path("/nowhere/at/all.json"))
    driven.settle()
    assert "could not be written" in driven.says()


def test_tab_goes_through_everything_that_can_be_pressed(driven):
    driven.desk.open([PORTRAITS])
    driven.settle()
    driven.wait(0.1)
    driven.root.focus_force()
    reached, at = [], driven.root
    while (at := at.tk_focusNext()) not in reached and at is not driven.root:
        reached.append(at)
    words = [word.strip() for widget in reached for word in words_of(widget)]
    order = [words.index(word) for word in ("Photo", "Models", "Open…", "Look inside", "base", "haar")]
    assert order == sorted(order)
    kinds = ("TButton", "TRadiobutton", "TCheckbutton", "TMenubutton", "TCombobox")
    pressed = [each for each in everything(driven.root) if each.winfo_viewable() and each.winfo_class() in kinds]
    assert [words_of(each) for each in pressed if each not in reached] == []


def test_the_window_goes_on_after_what_nobody_foresaw(driven):
    def failing():
        raise ZeroDivisionError("none")
        yield

    for _ in range(30):
        driven.desk.ground.do(failing())
        driven.settle()
    assert "This is a bug in mien: ZeroDivisionError" in driven.says()
    assert 0 < len(driven.window.bugs) <= 20
    driven.window.bugs.clear()
    driven.desk.open([PORTRAITS])
    driven.settle()
    driven.until(lambda: "2 faces" in driven.says())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is text")
def test_a_name_that_is_no_text_is_shown(driven, tmp_path, film):
    pictures = tmp_path / os.fsdecode(b"caf\xe9.jpg"), tmp_path / os.fsdecode(b"caf\xe9.mp4")
    os.link(PORTRAITS, pictures[0])
    os.link(film, pictures[1])
    driven.desk.open(pictures)
    for page in ("photo", "inside", "video"):
        driven.desk.show(page)
        driven.settle()
    driven.until(lambda: "caf" in driven.says() and "2 people" in driven.says())
    assert driven.window.bugs == []


# It never freezes


def test_the_window_stays_awake_while_24_megapixels_are_read(driven, tmp_path):
    """The best of several tries counts: a test's machine is busy with others, and the window is not to blame."""
    whole = images.load_image(PORTRAITS).pixels
    Image.fromarray(whole).resize((6000, 4000)).save(tmp_path / "0.jpg", quality=92)
    longest = []
    for number in range(1, 6):
        os.link(tmp_path / "0.jpg", tmp_path / f"{number}.jpg")
        longest.append(beats(driven, tmp_path / f"{number}.jpg"))
        if longest[-1] < GAP:
            break
    assert min(longest) < GAP, longest
    assert driven.desk.album.shot.result.size == (6000, 4000)


def beats(driven, path: Path) -> float:
    """The longest time between two beats while the picture is read."""
    gaps, before = [], [time.perf_counter()]

    def beat() -> None:
        now = time.perf_counter()
        gaps.append(now - before[0])
        before[0] = now
        job[0] = driven.root.after(5, beat)

    job = [driven.root.after(5, beat)]
    driven.desk.open([path])
    driven.until(lambda: driven.desk.idle)
    driven.root.after_cancel(job[0])
    assert len(gaps) > 20
    return max(gaps)


# Ways in and out


def test_a_model_that_is_missing_is_a_sentence_in_the_window(display):
    from mien.apps.cli.options import load_engine

    def load(*, model, detector):
        return load_engine(model="nothing", detector=detector)

    with opened(display, load) as driven:
        assert "There is no model 'nothing'" in driven.says()


def test_what_nobody_foresaw_is_told_and_raised_at_the_end(display, engine):
    with pytest.raises(ZeroDivisionError):
        goes_on_after_a_bug(display, engine)


def goes_on_after_a_bug(display, engine):
    with opened(display, lambda *, model, detector: engine) as driven:
        driven.root.after(1, lambda: 1 / 0)
        driven.until(lambda: "This is a bug in mien: ZeroDivisionError" in driven.says())
        driven.desk.open([PORTRAITS])
        driven.settle()
        assert "looks neutral" in driven.says()


@pytest.fixture
def process(display, tmp_path):
    """``mien desktop`` with these arguments, once its window is up."""
    running = []

    def start(*arguments):
        words, home = command("desktop", *arguments), str(tmp_path / "home")
        changes = {"DISPLAY": display, "MIEN_HOME": home}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        running.append(subprocess.Popen(words, env=environment(**changes), **pipes))
        window(display, "^mien$")
        return running[-1]

    yield start
    for each in running:
        each.kill()
        each.communicate()


def test_the_command_opens_what_it_is_given_and_ctrl_q_ends_it(process, display):
    running = process(PORTRAITS, "--detector", "haar")
    end = time.monotonic() + 40
    while shows(display, label_colour("neutral")) < 1500 and time.monotonic() < end:
        time.sleep(0.1)
    press(display, "ctrl+q")
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err) == (0, b"", b"")


def test_closing_in_the_middle_of_work_ends_cleanly(process, display, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        os.link(PORTRAITS, folder / f"{number}.jpg") if number else (folder / "0.jpg").write_bytes(
            PORTRAITS.read_bytes()
        )
    running = process(folder, "--detector", "haar")
    time.sleep(1.5)
    began = time.monotonic()
    press(display, "ctrl+q")
    assert running.communicate(timeout=30) == (b"", b"")
    assert running.returncode == 0
    assert time.monotonic() - began < 10


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_a_signal_ends_it_and_releases_everything(process):
    running = process(PORTRAITS)
    time.sleep(0.5)
    running.send_signal(signal.SIGTERM)
    assert running.communicate(timeout=30) == (b"", b"")
    assert running.returncode == 143


def test_without_a_screen_one_sentence_says_what_to_do():
    told = environment()
    told.pop("DISPLAY", None)
    done = subprocess.run(command("desktop"), env=told, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"mien: There is no screen .*mien predict .*\n", done.stderr)


def test_without_tk_one_sentence_says_what_to_install():
    code = "import sys; sys.modules['tkinter'] = None; from mien.apps.cli import main; main(['desktop'])"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"mien: The window needs Tk.*python3-tk.*mien predict .*\n", done.stderr)
