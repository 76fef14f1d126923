"""Loading of labelled faces: tables, folders of images, arrays, FER+ votes, and the cache."""

import re
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mien.datasets import dataset, fer2013, ferplus, loading, synthetic
from mien.datasets.dataset import Problem
from mien.datasets.splits import DataSettings, SourceSettings
from mien.errors import ExperimentError
from mien.labels import EMOTIONS
from tiny import tiny_card

HEADER = "emotion,pixels,Usage\n"
PIXELS = " ".join(["7"] * 2303 + ["8"])


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("MIEN_HOME", str(folder))
    monkeypatch.setattr(loading, "CACHE_MIN_BYTES", 0)
    monkeypatch.setattr(loading, "CACHE_MIN_IMAGES", 0)
    return folder


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(140, seed=3)


def row(emotion="0", pixels=PIXELS, usage="Training"):
    return f"{emotion},{pixels},{usage}\n"


def table(tmp_path, text, name="fer2013.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def write_images(root, faces, names=EMOTIONS, splits=None, file="{index}.png"):
    """Write the faces as images in folders."""
    splits = splits or {"Training": "train", "PublicTest": "test", "PrivateTest": "private"}
    for index in range(len(faces)):
        usage = str(faces.usage[index])
        folder = root / splits[usage] / names[faces.labels[index]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(faces.pixels[index]).save(folder / file.format(index=index, usage=usage))
    return root


def sorted_faces(faces):
    """Faces with labels and splits, in an order that does not depend on that of the files."""
    pixels = (face.tobytes() for face in faces.pixels)
    return sorted(zip(pixels, faces.labels.tolist(), faces.usage.tolist(), strict=True))


# Tables


def test_table_is_loaded_with_votes_and_row_numbers(tmp_path, faces):
    loaded = loading.load_dataset(synthetic.write_fer2013(tmp_path, 140, seed=3))
    for name in ("pixels", "labels", "usage", "votes"):
        assert np.array_equal(getattr(loaded.faces, name), getattr(faces, name)), name
    assert loaded.kind == "table"
    assert loaded.location(16) == "row 17"
    assert loaded.faces.problems == loaded.remarks == ()


@pytest.mark.parametrize(
    "text",
    [
        f"emotion, Usage, pixels\n3, PrivateTest, {PIXELS}\n",
        f'\ufeff"emotion","Usage","pixels"\r\n"3","PrivateTest","{PIXELS}"\r\n',
        f"pixels;emotion;usage\n{PIXELS};3;privatetest",
        f'emotion,pixels,Usage,note\n\n3,{PIXELS},PrivateTest,"one, two"\n',
    ],
)
def test_columns_are_matched_by_name_in_any_order_with_spaces_and_quotes(tmp_path, text):
    loaded = loading.load_dataset(table(tmp_path, text, "icml_face_data.csv"))
    assert (loaded.faces.labels.tolist(), loaded.faces.usage.tolist()) == ([3], ["PrivateTest"])
    assert loaded.faces.pixels[0].ravel()[[0, -1]].tolist() == [7, 8]


def test_table_without_splits_is_all_training_with_a_remark(tmp_path):
    loaded = loading.load_dataset(table(tmp_path, f"emotion,pixels\n2,{PIXELS}\n"))
    assert loaded.faces.usage.tolist() == ["Training"]
    assert "no column Usage" in loaded.remarks[0]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(emotion="7"), "label '7' is none of 0 to 6"),
        (row(emotion=""), "label '' is none of 0 to 6"),
        (row(emotion="-1"), "label '-1' is none of 0 to 6"),
        (row(emotion="²"), "label '²' is none of 0 to 6"),
        (row(emotion="٣"), "label '٣' is none of 0 to 6"),
        (row(emotion="000000000012"), "label '000000000012' is none of 0 to 6"),
        pytest.param(row(emotion="9" * 5000), f"label '{'9' * 5000}' is none of 0 to 6", id="endless"),
        (row(pixels="1 2 3"), "3 pixels instead of 2304"),
        (row(pixels=""), "0 pixels instead of 2304"),
        (row(pixels=PIXELS + " 8"), "2305 pixels instead of 2304"),
        (row(pixels=" ".join(["1"] * 2303 + ["256"])), "pixels outside 0 to 255"),
        (row(pixels=" ".join(["1"] * 2303 + ["9" * 5000])), "pixels outside 0 to 255"),
        (row(pixels=" ".join(["1"] * 2303 + ["-1"])), "pixels that are no numbers"),
        (row(pixels=" ".join(["1"] * 2303 + ["1.5"])), "pixels that are no numbers"),
        (row(pixels=" ".join(["1"] * 2303 + ["é"])), "pixels that are no numbers"),
        ("0,1 2\n", "too few columns, perhaps cut off"),
    ],
)
def test_bad_row_becomes_a_problem_and_the_rest_is_loaded(tmp_path, bad, reason):
    loaded = loading.load_dataset(table(tmp_path, HEADER + row() + bad + row(emotion="6")))
    assert loaded.faces.problems == (Problem(2, reason),)
    assert loaded.rows.tolist() == [1, 3]
    assert loaded.faces.labels.tolist() == [0, 6]


@pytest.mark.parametrize("end", [row()[:4000], row()[:-5], row()[:1], row().split(",Tr")[0]])
def test_truncated_last_line_is_reported_as_cut_off(tmp_path, end):
    loaded = loading.load_dataset(table(tmp_path, HEADER + row() * 3 + end))
    assert loaded.rows.tolist() == [1, 2, 3]
    [problem] = loaded.faces.problems
    assert problem.row == 4
    assert problem.reason.startswith("the file is cut off in its last line")


def test_last_line_without_line_end_is_loaded(tmp_path):
    assert len(loading.load_dataset(table(tmp_path, HEADER + row() + row().rstrip("\n")))) == 2


def test_votes_stay_with_their_faces_when_a_row_is_bad(tmp_path, faces):
    path = synthetic.write_fer2013(tmp_path, 140, seed=3)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:5], "0,1 2 3,Training\n", *lines[6:]]))
    loaded = loading.load_dataset(path)
    assert loaded.rows.tolist() == [number for number in range(1, 141) if number != 5]
    assert np.array_equal(loaded.faces.votes, faces.votes[loaded.rows - 1])


def test_more_votes_than_faces_belong_to_the_first_faces(tmp_path):
    """As where PrivateTest, which is at the end, was removed from the faces."""
    path = synthetic.write_fer2013(tmp_path, 140)
    whole = loading.load_dataset(path).faces
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-28]))
    assert np.array_equal(loading.load_dataset(path).faces.votes, whole.votes[:-28])


def test_votes_in_another_order_than_the_faces_are_not_used(tmp_path):
    path = synthetic.write_fer2013(tmp_path, 140)
    header, *lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([header, *reversed(lines)]))
    loaded = loading.load_dataset(path)
    assert not loaded.faces.votes.any()
    reason = r"fer2013new.csv says \w+ of row 1, and the faces say \w+: its votes"
    assert re.search(reason, loaded.faces.problems[0].reason)


@pytest.mark.parametrize("damaged", ["Usage,Image name\n", "", "a,b\n1,2\n", "\x00"])
def test_unreadable_votes_become_a_problem(tmp_path, damaged):
    path = synthetic.write_fer2013(tmp_path, 21)
    (tmp_path / "fer2013new.csv").write_text(damaged)
    loaded = loading.load_dataset(path)
    assert "its votes were not used" in loaded.faces.problems[0].reason
    assert len(loaded) == 21
    assert not loaded.faces.votes.any()


def test_other_data_of_a_run_is_loaded_with_its_label_map_and_group_column(tmp_path):
    body = f"9,{PIXELS},Training,ada\n1,{PIXELS},Training,bob\n"
    path = table(tmp_path, f"emotion,pixels,Usage,Person\n{body}")
    settings = DataSettings(group="person", sources=(SourceSettings("elsewhere.csv", {"9": "surprise"}),))
    faces = loading.load_training_faces(settings, tmp_path, path)
    assert faces.groups.tolist() == ["0/ada", "0/bob"]
    assert [faces.classes[label] for label in faces.labels] == ["surprise", "disgust"]


def test_evaluation_data_is_loaded_with_the_group_column_of_the_recipe_or_without(tmp_path):
    card = tiny_card(recipe={"data": {"group": "person"}})
    body = f"0,{PIXELS},Training,ada\n1,{PIXELS},Training,bob\n"
    path = table(tmp_path, f"emotion,pixels,Usage,Person\n{body}")
    assert loading.load_evaluation_faces(card, path).groups.tolist() == ["0/ada", "0/bob"]
    other = table(tmp_path, HEADER + row("2"), name="other.csv")
    assert loading.load_evaluation_faces(card, other, {"2": "happy"}).groups is None
    assert loading.load_evaluation_faces(card, other, {"2": "happy"}).labels.tolist() == [3]


def test_group_column_is_loaded_and_cached(tmp_path):
    path = table(tmp_path, f"emotion,pixels,Usage,Person\n0,{PIXELS},Training,ada\n1,{PIXELS},Training,bob\n")
    for _ in range(2):  # read, and from the cache
        assert loading.load_dataset(path, group="person").faces.groups.tolist() == ["ada", "bob"]
    with pytest.raises(ExperimentError, match="no column 'family' to group by"):
        loading.load_dataset(path, group="family")


def test_label_map_maps_numbers(tmp_path):
    path = table(tmp_path, HEADER + row("1") + row("2") + row("8"))
    loaded = loading.load_dataset(path, labels={"1": "surprised", "2": "Fear", "8": ""})
    assert [EMOTIONS[label] for label in loaded.faces.labels] == ["surprise", "fear"]
    assert loaded.rows.tolist() == [1, 2]
    assert loaded.remarks == ("The label map excludes 1 faces.",)
    assert loading.load_dataset(path).faces.labels.tolist() == [1, 2]


def test_label_map_to_an_unknown_label_is_an_error(tmp_path):
    path = table(tmp_path, HEADER + row("1") + row("2"))
    with pytest.raises(ExperimentError, match=r"maps '1' to 'surprize'.*excludes the class. Did you mean 'surprise'"):
        loading.load_dataset(path, labels={"1": "surprize"})
    assert len(loading.load_dataset(path, labels={"1": "3", "2": "0_Anger"})) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,age\nada,36\n", "no column emotion, pixels, usage"),
        ("pixels\n1 2\n", "no labels"),
        ("Usage,Image name,neutral,happiness\n", "votes and no faces"),
        ("", "no column"),
        (HEADER, "no rows at all"),
        (HEADER + row(pixels="1 2 3"), r"no readable face.*Row 1: 3 pixels instead"),
    ],
)
def test_other_table_is_an_error(tmp_path, text, message):
    with pytest.raises(ExperimentError, match=message):
        loading.load_dataset(table(tmp_path, text))


def test_missing_path_is_an_error(tmp_path):
    with pytest.raises(ExperimentError, match=r"no data at.*mien data sample"):
        loading.load_dataset(tmp_path / "absent.csv")


# Numbers


@given(st.integers(0, 2**32 - 1), st.sampled_from([" ", "  "]))
@settings(max_examples=20, deadline=None)
def test_any_pixels_are_decoded(seed, gap):
    values = np.random.default_rng(seed).integers(0, 256, 2304).tolist()
    text = gap.join(map(str, values)).encode()
    for pixels in fer2013.decode_pixels([text, text]):
        assert pixels.tolist() == values


@given(st.text("0123456789 -.x", max_size=9), st.integers(0, 2304))
@settings(max_examples=40, deadline=None)
def test_damaged_cell_does_not_affect_its_neighbours(noise, index):
    numbers = PIXELS.split()
    damaged = " ".join([*numbers[:index], noise, *numbers[index:]])
    first, middle, last = fer2013.decode_pixels([PIXELS.encode(), damaged.encode(), PIXELS.encode()])
    assert first.tolist() == last.tolist() == [7] * 2303 + [8]
    tokens = damaged.split()
    good = len(tokens) == 2304 and all(each.isdigit() and int(each) < 256 for each in tokens)
    assert isinstance(middle, str) != good


# Folders


@pytest.mark.parametrize(
    "names",
    [
        EMOTIONS,
        ("anger", "disgusted", "Fearful", "happiness", "sadness", "surprised", "Neutral"),
        tuple(f"{number}_{name}" for number, name in enumerate(EMOTIONS)),
        tuple(map(str, range(7))),
    ],
)
def test_folder_names_with_many_spellings(tmp_path, faces, names):
    loaded = loading.load_dataset(write_images(tmp_path, faces, names))
    assert sorted_faces(loaded.faces) == sorted_faces(faces)
    assert loaded.kind == "folders"
    assert loaded.location(0) == loaded.names[0]
    assert (tmp_path / loaded.names[0]).is_file()


def test_validation_folder_is_public_test(tmp_path, faces):
    splits = {"Training": "Train", "PublicTest": "validation", "PrivateTest": "test"}
    loaded = loading.load_dataset(write_images(tmp_path, faces, splits=splits))
    assert sorted_faces(loaded.faces) == sorted_faces(faces)
    assert "validation folder" in loaded.remarks[0]


def test_split_in_a_file_name_overrides_the_folder(tmp_path, faces):
    splits = {"Training": "train", "PublicTest": "test", "PrivateTest": "test"}
    loaded = loading.load_dataset(write_images(tmp_path, faces, splits=splits, file="{usage}_{index}.png"))
    assert sorted_faces(loaded.faces) == sorted_faces(faces)


def test_votes_are_matched_by_image_name(tmp_path, faces):
    write_images(tmp_path, faces, file="{usage}_{index}.png")
    dataset.write_votes(faces, tmp_path / "fer2013new.csv")
    loaded = loading.load_dataset(tmp_path)
    numbers = [int(name.rpartition("_")[2].removesuffix(".png")) for name in loaded.names]
    assert np.array_equal(loaded.faces.votes, faces.votes[numbers])


def test_votes_are_not_used_for_images_with_other_numbers(tmp_path, faces):
    write_images(tmp_path, faces, file="{usage}_9{index}.png")
    dataset.write_votes(faces, tmp_path / "fer2013new.csv")
    assert "names other images" in loading.load_dataset(tmp_path).faces.problems[0].reason


def test_colour_images_of_other_sizes_become_gray_faces(tmp_path):
    folder = tmp_path / "happy"
    folder.mkdir()
    Image.new("RGB", (100, 100), (255, 0, 0)).save(folder / "a.jpg", quality=100)
    loaded = loading.load_dataset(tmp_path)
    assert loaded.faces.pixels.shape == (1, 48, 48)
    assert abs(int(loaded.faces.pixels[0, 9, 9]) - 76) <= 2
    assert "all faces count as Training" in loaded.remarks[0]


def test_unknown_folders_and_damaged_images_become_problems(tmp_path, faces):
    write_images(tmp_path, faces.take(np.arange(14)))
    (tmp_path / "train" / "angry" / "broken.png").write_bytes(b"no image")
    shutil.copytree(tmp_path / "train" / "sad", tmp_path / "train" / "bored")
    (tmp_path / "train" / "sad" / "notes.txt").write_text("ignored")
    loaded = loading.load_dataset(tmp_path)
    assert len(loaded) == 14
    reasons = [problem.reason for problem in loaded.faces.problems]
    assert any("'bored' names none of our expressions: 2 images" in reason for reason in reasons)
    assert any("train/angry/broken.png" in reason for reason in reasons)


@pytest.mark.parametrize("name", ["²", "000000000012", "9" * 20, "9" * 20 + "_x"])
def test_folder_name_that_is_no_plain_number_is_unknown(tmp_path, faces, name):
    write_images(tmp_path, faces.take(np.arange(7)), names=(*EMOTIONS[:6], name))
    loaded = loading.load_dataset(tmp_path)
    assert sorted(set(loaded.faces.labels.tolist())) == list(range(6))
    assert f"'{name}' names none of our expressions" in loaded.faces.problems[0].reason


def test_number_of_a_person_below_an_expression_is_no_label(tmp_path, faces):
    folder = tmp_path / "happiness" / "3"
    folder.mkdir(parents=True)
    Image.fromarray(faces.pixels[0]).save(folder / "1.png")
    assert loading.load_dataset(tmp_path).faces.labels.tolist() == [EMOTIONS.index("happy")]


def test_label_map_maps_folder_names(tmp_path, faces):
    write_images(tmp_path, faces.take(np.arange(7)), names=("a1", "b", "c", "d", "e", "f", "g"))
    label_map = dict(zip(("a1", "b", "c", "d", "e", "f"), EMOTIONS, strict=False)) | {"g": ""}
    loaded = loading.load_dataset(tmp_path, labels=label_map)
    assert sorted(loaded.faces.labels.tolist()) == [0, 1, 2, 3, 4, 5]
    assert "excludes 'g': 1" in loaded.remarks[0]


def test_folders_without_expressions_are_an_error(tmp_path, faces):
    with pytest.raises(ExperimentError, match="no images at all"):
        loading.load_dataset(tmp_path)
    write_images(tmp_path, faces.take(np.arange(7)), names=tuple("abcdefg"))
    with pytest.raises(ExperimentError, match=r"It has a, b, c.*label map"):
        loading.load_dataset(tmp_path)


def test_table_in_a_folder_is_loaded(tmp_path):
    path = synthetic.write_fer2013(tmp_path, 7)
    assert loading.load_dataset(tmp_path).path == path


# Arrays


def test_arrays_with_votes_in_ferplus_order(tmp_path, faces):
    path = tmp_path / "a.npz"
    arrays = {"pixels": faces.pixels, "emotion": faces.labels, "usage": faces.usage}
    np.savez(path, **arrays, votes=ferplus.to_ferplus_columns(faces.votes))
    loaded = loading.load_dataset(path).faces
    assert np.array_equal(loaded.votes, faces.votes)
    assert np.array_equal(loaded.pixels, faces.pixels)


def test_arrays_in_pairs_with_pixels_up_to_one_and_one_hot_labels(tmp_path, faces):
    some = faces.take(np.arange(14))
    half = np.float64(some.pixels[:7, :, :, None] / 255)
    np.savez(
        tmp_path / "a.npz",
        x_train=half, y_train=np.eye(7)[some.labels[:7]], x_test=half, y_test=some.labels[:7],
    )  # fmt: skip
    loaded = loading.load_dataset(tmp_path / "a.npz").faces
    assert loaded.usage.tolist() == ["Training"] * 7 + ["PublicTest"] * 7
    assert loaded.labels.tolist() == [*range(7)] * 2
    assert np.array_equal(loaded.pixels[7:], some.pixels[:7])


def test_class_names_in_an_npz_go_before_numbers(tmp_path, faces):
    names = sorted(EMOTIONS)
    numbers = [names.index(EMOTIONS[label]) for label in faces.labels]
    np.savez(tmp_path / "a.npz", images=faces.pixels.reshape(-1, 2304), labels=numbers, classes=names)
    assert np.array_equal(loading.load_dataset(tmp_path / "a.npz").faces.labels, faces.labels)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pixels": np.zeros((2, 48, 48), np.uint8)}, "no emotion, usage"),
        ({"pixels": np.zeros((2, 9), np.uint8), "emotion": [0, 1]}, "2 x 9"),
        ({"pixels": np.full((2, 2304), 300), "emotion": [0, 1]}, "outside 0 to 255"),
        ({"pixels": np.full((2, 2304), np.nan), "emotion": [0, 1]}, "NaN"),
        ({"pixels": np.zeros((2, 2304), np.uint8), "emotion": [0]}, "2, 1 and 1"),
        ({"pixels": np.zeros((1, 2304), np.uint8), "emotion": [9]}, "[Ll]abel '9'"),
        ({"pixels": np.array([["a"]]), "emotion": [0]}, "kind"),
    ],
)
def test_other_arrays_are_an_error(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ExperimentError, match=message):
        loading.load_dataset(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and then nothing", b"\x80\x04N."])
def test_damaged_npz_is_an_error(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ExperimentError, match=r"a.npz cannot be read"):
        loading.load_dataset(tmp_path / "a.npz")


# Cache


def test_second_load_comes_from_the_cache(tmp_path):
    path = synthetic.write_fer2013(tmp_path, 140, seed=3)
    reports = []
    first = loading.load_dataset(path, progress=lambda *report: reports.append(report))
    assert reports
    reports.clear()
    again = loading.load_dataset(path, progress=lambda *report: reports.append(report))
    assert reports == []
    assert np.array_equal(again.faces.pixels, first.faces.pixels)
    assert np.array_equal(again.faces.votes, first.faces.votes)
    assert again.faces.usage.tolist() == first.faces.usage.tolist()
    assert again.faces.pixels.flags.writeable
    moved = tmp_path / "moved"
    moved.mkdir()
    for file in ("fer2013.csv", "fer2013new.csv"):
        shutil.copy(tmp_path / file, moved)
    assert len(loading.load_dataset(moved)) == 140


def test_cache_stores_problems_names_and_remarks(tmp_path, faces):
    write_images(tmp_path, faces.take(np.arange(7)), splits={"Training": "all"})
    (tmp_path / "all" / "sad" / "broken.png").write_bytes(b"")
    first, again = loading.load_dataset(tmp_path), loading.load_dataset(tmp_path)
    assert first.faces.problems
    for part in ("names", "remarks", "kind", "path"):
        assert getattr(again, part) == getattr(first, part)
    assert again.faces.problems == first.faces.problems


def test_changed_file_is_read_again(tmp_path):
    path = table(tmp_path, HEADER + row("0"))
    assert loading.load_dataset(path).faces.labels.tolist() == [0]
    table(tmp_path, HEADER + row("1"))
    assert loading.load_dataset(path).faces.labels.tolist() == [1]


def test_removed_votes_are_noticed(tmp_path):
    path = synthetic.write_fer2013(tmp_path, 21)
    assert loading.load_dataset(path).faces.votes.any()
    (tmp_path / "fer2013new.csv").unlink()
    assert not loading.load_dataset(path).faces.votes.any()


def test_damaged_cache_is_ignored(tmp_path, home):
    path = synthetic.write_fer2013(tmp_path, 21)
    loading.load_dataset(path)
    [file] = (home / "data").glob("*.npz")
    content = file.read_bytes()
    for damaged in (b"", content[:5000], content[:3000] + b"x" * 100 + content[3100:]):
        file.write_bytes(damaged)
        assert len(loading.load_dataset(path)) == 21
    (home / "data" / "stamps.json").write_text("[1")
    assert len(loading.load_dataset(path)) == 21


def test_unwritable_cache_is_ignored(tmp_path, monkeypatch):
    (tmp_path / "home").write_text("a file, not a folder")
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    assert len(loading.load_dataset(synthetic.write_fer2013(tmp_path, 21))) == 21


def test_small_sources_are_not_cached(tmp_path, home, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("MIEN_HOME", str(home))
    loading.load_dataset(synthetic.write_fer2013(tmp_path, 21))
    assert not list(home.rglob("*.npz"))


def test_cache_deletes_the_least_recently_used(tmp_path, home):
    for count in range(loading.MAX_CACHED + 2):
        loading.save_cached_arrays(f"{count}", {"a": np.arange(count)})
    assert len(list((home / "data").glob("*.npz"))) == loading.MAX_CACHED
    assert loading.load_cached_arrays(f"{loading.MAX_CACHED + 1}")["a"].size == loading.MAX_CACHED + 1
