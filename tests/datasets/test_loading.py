"""Every shape of labelled faces: what is read from it, what is named as wrong, what comes back from the cache."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mien.datasets import cache, combined, dataset, fer2013, ferplus, loading, synthetic
from mien.datasets.dataset import Problem
from mien.datasets.splits import DataSettings
from mien.datasets.splits import SourceSettings as SourceOf
from mien.errors import ExperimentError
from mien.labels import EMOTIONS
from mien.training.recipe import Recipe
from tiny import tiny_card

HEADER = "emotion,pixels,Usage\n"
PIXELS = " ".join(["7"] * 2303 + ["8"])


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("MIEN_HOME", str(folder))
    monkeypatch.setattr(loading, "WORTH_BYTES", 0)
    monkeypatch.setattr(loading, "WORTH_PICTURES", 0)
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


def foldered(root, faces, names=EMOTIONS, splits=None, file="{place}.png"):
    """The faces as pictures in folders."""
    splits = splits or {"Training": "train", "PublicTest": "test", "PrivateTest": "private"}
    for place in range(len(faces)):
        usage = str(faces.usage[place])
        folder = root / splits[usage] / names[faces.labels[place]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(faces.pixels[place]).save(folder / file.format(place=place, usage=usage))
    return root


def same(read, faces):
    """Do both hold the same faces with the same labels, in whatever order?"""

    def known(some):
        return sorted(zip((f.tobytes() for f in some.pixels), some.labels.tolist(), some.usage.tolist(), strict=True))

    return known(read) == known(faces)


# Tables


def test_a_table_is_read_with_votes_and_rows(tmp_path, faces):
    found = loading.load_dataset(synthetic.write_fer2013(tmp_path, 140, seed=3))
    for part in ("pixels", "labels", "usage", "votes"):
        assert np.array_equal(getattr(found.faces, part), getattr(faces, part)), part
    assert found.shape == "table"
    assert found.place(16) == "row 17"
    assert found.faces.problems == found.remarks == ()


@pytest.mark.parametrize(
    "text",
    [
        f"emotion, Usage, pixels\n3, PrivateTest, {PIXELS}\n",
        f'\ufeff"emotion","Usage","pixels"\r\n"3","PrivateTest","{PIXELS}"\r\n',
        f"pixels;emotion;usage\n{PIXELS};3;privatetest",
        f'emotion,pixels,Usage,note\n\n3,{PIXELS},PrivateTest,"one, two"\n',
    ],
)
def test_columns_are_found_by_name_however_they_are_written(tmp_path, text):
    found = loading.load_dataset(table(tmp_path, text, "icml_face_data.csv"))
    assert (found.faces.labels.tolist(), found.faces.usage.tolist()) == ([3], ["PrivateTest"])
    assert found.faces.pixels[0].ravel()[[0, -1]].tolist() == [7, 8]


def test_a_table_without_splits_is_all_training_and_says_so(tmp_path):
    found = loading.load_dataset(table(tmp_path, f"emotion,pixels\n2,{PIXELS}\n"))
    assert found.faces.usage.tolist() == ["Training"]
    assert "no column Usage" in found.remarks[0]


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
        ("0,1 2\n", "too few columns, cut off perhaps"),
    ],
)
def test_a_bad_row_is_named_and_the_rest_is_read(tmp_path, bad, reason):
    found = loading.load_dataset(table(tmp_path, HEADER + row() + bad + row(emotion="6")))
    assert found.faces.problems == (Problem(2, reason),)
    assert found.rows.tolist() == [1, 3]
    assert found.faces.labels.tolist() == [0, 6]


@pytest.mark.parametrize("end", [row()[:4000], row()[:-5], row()[:1], row().split(",Tr")[0]])
def test_a_last_line_that_was_cut_off_is_named_as_that(tmp_path, end):
    found = loading.load_dataset(table(tmp_path, HEADER + row() * 3 + end))
    assert found.rows.tolist() == [1, 2, 3]
    [problem] = found.faces.problems
    assert problem.row == 4
    assert problem.reason.startswith("the file is cut off in its last line")


def test_a_last_line_without_its_end_is_fine(tmp_path):
    assert len(loading.load_dataset(table(tmp_path, HEADER + row() + row().rstrip("\n")))) == 2


def test_votes_stay_with_their_faces_where_rows_are_bad(tmp_path, faces):
    path = synthetic.write_fer2013(tmp_path, 140, seed=3)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:5], "0,1 2 3,Training\n", *lines[6:]]))
    found = loading.load_dataset(path)
    assert found.rows.tolist() == [place for place in range(1, 141) if place != 5]
    assert np.array_equal(found.faces.votes, faces.votes[found.rows - 1])


def test_votes_of_more_faces_than_there_are_belong_to_the_first(tmp_path):
    """As where PrivateTest, which stands at the end, was stripped from the faces."""
    path = synthetic.write_fer2013(tmp_path, 140)
    whole = loading.load_dataset(path).faces
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-28]))
    assert np.array_equal(loading.load_dataset(path).faces.votes, whole.votes[:-28])


def test_votes_in_another_order_than_the_faces_are_left_out(tmp_path):
    path = synthetic.write_fer2013(tmp_path, 140)
    header, *lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([header, *reversed(lines)]))
    found = loading.load_dataset(path)
    assert not found.faces.votes.any()
    said = r"fer2013new.csv says \w+ of row 1, and the faces say \w+: its votes"
    assert re.search(said, found.faces.problems[0].reason)


@pytest.mark.parametrize("spoilt", ["Usage,Image name\n", "", "a,b\n1,2\n", "\x00"])
def test_votes_that_cannot_be_joined_are_named_and_left_out(tmp_path, spoilt):
    path = synthetic.write_fer2013(tmp_path, 21)
    (tmp_path / "fer2013new.csv").write_text(spoilt)
    found = loading.load_dataset(path)
    assert "its votes were not used" in found.faces.problems[0].reason
    assert len(found) == 21
    assert not found.faces.votes.any()


def test_data_in_the_place_of_a_runs_own_is_read_with_its_words_and_its_column(tmp_path):
    body = f"9,{PIXELS},Training,ada\n1,{PIXELS},Training,bob\n"
    path = table(tmp_path, f"emotion,pixels,Usage,Person\n{body}")
    recipe = Recipe(data=DataSettings(group="person", sources=(SourceOf("elsewhere.csv", {"9": "surprise"}),)))
    faces = combined.load_training_faces(recipe.data, recipe.folder, path)
    assert faces.groups.tolist() == ["0/ada", "0/bob"]
    assert [faces.classes[label] for label in faces.labels] == ["surprise", "disgust"]


def test_a_model_is_asked_about_data_with_its_column_or_without(tmp_path):
    card = tiny_card(recipe={"data": {"group": "person"}})
    body = f"0,{PIXELS},Training,ada\n1,{PIXELS},Training,bob\n"
    path = table(tmp_path, f"emotion,pixels,Usage,Person\n{body}")
    assert combined.load_evaluation_faces(card, path).groups.tolist() == ["0/ada", "0/bob"]
    other = table(tmp_path, HEADER + row("2"), name="other.csv")
    assert combined.load_evaluation_faces(card, other, {"2": "happy"}).groups is None
    assert combined.load_evaluation_faces(card, other, {"2": "happy"}).labels.tolist() == [3]


def test_a_column_can_say_who_is_who(tmp_path):
    path = table(tmp_path, f"emotion,pixels,Usage,Person\n0,{PIXELS},Training,ada\n1,{PIXELS},Training,bob\n")
    for _ in range(2):  # read, and from the cache
        assert loading.load_dataset(path, group="person").groups.tolist() == ["ada", "bob"]
    with pytest.raises(ExperimentError, match="no column 'family' to group by"):
        loading.load_dataset(path, group="family")


def test_a_label_map_speaks_for_other_peoples_numbers(tmp_path):
    path = table(tmp_path, HEADER + row("1") + row("2") + row("8"))
    found = loading.load_dataset(path, labels={"1": "surprised", "2": "Fear", "8": ""})
    assert [EMOTIONS[label] for label in found.faces.labels] == ["surprise", "fear"]
    assert found.rows.tolist() == [1, 2]
    assert found.remarks == ("The label map leaves out 1 faces.",)
    assert loading.load_dataset(path).faces.labels.tolist() == [1, 2]


def test_a_label_map_that_leads_nowhere_is_refused(tmp_path):
    path = table(tmp_path, HEADER + row("1") + row("2"))
    with pytest.raises(ExperimentError, match=r"takes '1' for 'surprize'.*leaves it out. Did you mean 'surprise'"):
        loading.load_dataset(path, labels={"1": "surprize"})
    assert len(loading.load_dataset(path, labels={"1": "3", "2": "0_Anger"})) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,age\nada,36\n", "no column emotion, pixels, usage"),
        ("pixels\n1 2\n", "no labels"),
        ("Usage,Image name,neutral,happiness\n", "votes and no faces"),
        ("", "no column"),
        (HEADER, "no rows at all"),
        (HEADER + row(pixels="1 2 3"), r"no readable face.*Row 1: 3 pixels instead"),
    ],
)
def test_a_table_of_something_else_is_refused(tmp_path, text, said):
    with pytest.raises(ExperimentError, match=said):
        loading.load_dataset(table(tmp_path, text))


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(ExperimentError, match=r"no data at.*mien data sample"):
        loading.load_dataset(tmp_path / "absent.csv")


# Numbers


@given(st.integers(0, 2**32 - 1), st.sampled_from([" ", "  "]))
@settings(max_examples=20, deadline=None)
def test_any_pixels_are_decoded(seed, gap):
    values = np.random.default_rng(seed).integers(0, 256, 2304).tolist()
    text = gap.join(map(str, values)).encode()
    for found in fer2013.decode_pixels([text, text]):
        assert found.tolist() == values


@given(st.text("0123456789 -.x", max_size=9), st.integers(0, 2304))
@settings(max_examples=60, deadline=None)
def test_whatever_stands_among_the_pixels_the_neighbours_are_read(noise, place):
    numbers = PIXELS.split()
    spoilt = " ".join([*numbers[:place], noise, *numbers[place:]])
    first, middle, last = fer2013.decode_pixels([PIXELS.encode(), spoilt.encode(), PIXELS.encode()])
    assert first.tolist() == last.tolist() == [7] * 2303 + [8]
    tokens = spoilt.split()
    good = len(tokens) == 2304 and all(each.isdigit() and int(each) < 256 for each in tokens)
    assert isinstance(middle, str) != good


# Folders


@pytest.mark.parametrize(
    "names",
    [
        EMOTIONS,
        ("anger", "disgusted", "Fearful", "happiness", "sadness", "surprised", "Neutral"),
        tuple(f"{place}_{name}" for place, name in enumerate(EMOTIONS)),
        tuple(map(str, range(7))),
    ],
)
def test_folders_in_everybodys_words(tmp_path, faces, names):
    found = loading.load_dataset(foldered(tmp_path, faces, names))
    assert same(found.faces, faces)
    assert found.shape == "folders"
    assert found.place(0) == found.names[0]
    assert (tmp_path / found.names[0]).is_file()


def test_a_validation_folder_is_the_public_test(tmp_path, faces):
    splits = {"Training": "Train", "PublicTest": "validation", "PrivateTest": "test"}
    found = loading.load_dataset(foldered(tmp_path, faces, splits=splits))
    assert same(found.faces, faces)
    assert "validation folder" in found.remarks[0]


def test_the_name_of_a_file_knows_its_split_better_than_its_folder(tmp_path, faces):
    splits = {"Training": "train", "PublicTest": "test", "PrivateTest": "test"}
    found = loading.load_dataset(foldered(tmp_path, faces, splits=splits, file="{usage}_{place}.png"))
    assert same(found.faces, faces)


def test_votes_are_joined_by_the_names_of_the_pictures(tmp_path, faces):
    foldered(tmp_path, faces, file="{usage}_{place}.png")
    dataset.write_votes(faces, tmp_path / "fer2013new.csv")
    found = loading.load_dataset(tmp_path)
    numbers = [int(name.rpartition("_")[2].removesuffix(".png")) for name in found.names]
    assert np.array_equal(found.faces.votes, faces.votes[numbers])


def test_votes_are_not_joined_to_pictures_with_other_numbers(tmp_path, faces):
    foldered(tmp_path, faces, file="{usage}_9{place}.png")
    dataset.write_votes(faces, tmp_path / "fer2013new.csv")
    assert "names other pictures" in loading.load_dataset(tmp_path).faces.problems[0].reason


def test_pictures_of_other_sides_and_colours_become_gray_faces(tmp_path):
    folder = tmp_path / "happy"
    folder.mkdir()
    Image.new("RGB", (100, 100), (255, 0, 0)).save(folder / "a.jpg", quality=100)
    found = loading.load_dataset(tmp_path)
    assert found.faces.pixels.shape == (1, 48, 48)
    assert abs(int(found.faces.pixels[0, 9, 9]) - 76) <= 2
    assert "all faces count as Training" in found.remarks[0]


def test_what_is_wrong_in_folders_is_named_and_the_rest_is_read(tmp_path, faces):
    foldered(tmp_path, faces.take(np.arange(14)))
    (tmp_path / "train" / "angry" / "broken.png").write_bytes(b"no picture")
    shutil.copytree(tmp_path / "train" / "sad", tmp_path / "train" / "bored")
    (tmp_path / "train" / "sad" / "notes.txt").write_text("passed over")
    found = loading.load_dataset(tmp_path)
    assert len(found) == 14
    reasons = [problem.reason for problem in found.faces.problems]
    assert any("'bored' names none of our expressions: 2 pictures" in reason for reason in reasons)
    assert any("train/angry/broken.png" in reason for reason in reasons)


@pytest.mark.parametrize("name", ["²", "000000000012", "9" * 20, "9" * 20 + "_x"])
def test_a_folder_whose_name_is_hardly_a_number_is_none_of_ours(tmp_path, faces, name):
    foldered(tmp_path, faces.take(np.arange(7)), names=(*EMOTIONS[:6], name))
    found = loading.load_dataset(tmp_path)
    assert sorted(set(found.faces.labels.tolist())) == list(range(6))
    assert f"'{name}' names none of our expressions" in found.faces.problems[0].reason


def test_numbers_of_people_are_no_expressions(tmp_path, faces):
    folder = tmp_path / "happiness" / "3"
    folder.mkdir(parents=True)
    Image.fromarray(faces.pixels[0]).save(folder / "1.png")
    assert loading.load_dataset(tmp_path).faces.labels.tolist() == [EMOTIONS.index("happy")]


def test_a_label_map_for_folders(tmp_path, faces):
    foldered(tmp_path, faces.take(np.arange(7)), names=("a1", "b", "c", "d", "e", "f", "g"))
    words = dict(zip(("a1", "b", "c", "d", "e", "f"), EMOTIONS, strict=False)) | {"g": ""}
    found = loading.load_dataset(tmp_path, labels=words)
    assert sorted(found.faces.labels.tolist()) == [0, 1, 2, 3, 4, 5]
    assert "leaves out 'g': 1" in found.remarks[0]


def test_folders_of_something_else_are_refused(tmp_path, faces):
    with pytest.raises(ExperimentError, match="no pictures at all"):
        loading.load_dataset(tmp_path)
    foldered(tmp_path, faces.take(np.arange(7)), names=tuple("abcdefg"))
    with pytest.raises(ExperimentError, match=r"It has a, b, c.*label map"):
        loading.load_dataset(tmp_path)


def test_a_folder_with_a_table_in_it_is_the_table(tmp_path):
    path = synthetic.write_fer2013(tmp_path, 7)
    assert loading.load_dataset(tmp_path).path == path


# Arrays


def test_arrays_with_votes_in_ferplus_order(tmp_path, faces):
    path = tmp_path / "a.npz"
    given = {"pixels": faces.pixels, "emotion": faces.labels, "usage": faces.usage}
    np.savez(path, **given, votes=ferplus.to_ferplus_columns(faces.votes))
    found = loading.load_dataset(path).faces
    assert np.array_equal(found.votes, faces.votes)
    assert np.array_equal(found.pixels, faces.pixels)


def test_arrays_in_pairs_with_shares_of_one_and_a_column_for_each_class(tmp_path, faces):
    some = faces.take(np.arange(14))
    half = np.float64(some.pixels[:7, :, :, None] / 255)
    np.savez(
        tmp_path / "a.npz",
        x_train=half, y_train=np.eye(7)[some.labels[:7]], x_test=half, y_test=some.labels[:7],
    )  # fmt: skip
    found = loading.load_dataset(tmp_path / "a.npz").faces
    assert found.usage.tolist() == ["Training"] * 7 + ["PublicTest"] * 7
    assert found.labels.tolist() == [*range(7)] * 2
    assert np.array_equal(found.pixels[7:], some.pixels[:7])


def test_names_that_an_array_brings_go_before_numbers(tmp_path, faces):
    names = sorted(EMOTIONS)
    numbers = [names.index(EMOTIONS[label]) for label in faces.labels]
    np.savez(tmp_path / "a.npz", images=faces.pixels.reshape(-1, 2304), labels=numbers, classes=names)
    assert np.array_equal(loading.load_dataset(tmp_path / "a.npz").faces.labels, faces.labels)


@pytest.mark.parametrize(
    ("arrays", "said"),
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
def test_arrays_of_something_else_are_refused(tmp_path, arrays, said):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ExperimentError, match=said):
        loading.load_dataset(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and then nothing", b"\x80\x04N."])
def test_a_damaged_archive_is_refused(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ExperimentError, match=r"a.npz cannot be read"):
        loading.load_dataset(tmp_path / "a.npz")


# Cache


def test_what_was_read_once_comes_from_the_cache(tmp_path, faces, monkeypatch):
    path = synthetic.write_fer2013(tmp_path, 140, seed=3)
    first = loading.load_dataset(path)
    monkeypatch.setattr(loading, "_read", None)
    again = loading.load_dataset(path)
    assert np.array_equal(again.faces.pixels, first.faces.pixels)
    assert np.array_equal(again.faces.votes, first.faces.votes)
    assert replace(again.faces, problems=()).usage.tolist() == first.faces.usage.tolist()
    assert again.faces.pixels.flags.writeable
    moved = tmp_path / "moved"
    moved.mkdir()
    for file in ("fer2013.csv", "fer2013new.csv"):
        shutil.copy(tmp_path / file, moved)
    assert len(loading.load_dataset(moved)) == 140


def test_problems_names_and_remarks_are_remembered(tmp_path, faces):
    foldered(tmp_path, faces.take(np.arange(7)), splits={"Training": "all"})
    (tmp_path / "all" / "sad" / "broken.png").write_bytes(b"")
    first, again = loading.load_dataset(tmp_path), loading.load_dataset(tmp_path)
    assert first.faces.problems
    for part in ("names", "remarks", "shape", "path"):
        assert getattr(again, part) == getattr(first, part)
    assert again.faces.problems == first.faces.problems


def test_a_changed_file_is_read_again(tmp_path):
    path = table(tmp_path, HEADER + row("0"))
    assert loading.load_dataset(path).faces.labels.tolist() == [0]
    table(tmp_path, HEADER + row("1"))
    assert loading.load_dataset(path).faces.labels.tolist() == [1]
    assert loading.fingerprint_source(path) != loading.fingerprint_source(table(tmp_path, HEADER + row("2")))


def test_new_votes_are_noticed(tmp_path):
    path = synthetic.write_fer2013(tmp_path, 21)
    assert loading.load_dataset(path).faces.votes.any()
    (tmp_path / "fer2013new.csv").unlink()
    assert not loading.load_dataset(path).faces.votes.any()


def test_a_damaged_cache_is_read_around(tmp_path, home):
    path = synthetic.write_fer2013(tmp_path, 21)
    loading.load_dataset(path)
    [kept] = (home / "data").glob("*.npz")
    content = kept.read_bytes()
    for damaged in (b"", content[:5000], content[:3000] + b"x" * 100 + content[3100:]):
        kept.write_bytes(damaged)
        assert len(loading.load_dataset(path)) == 21
    (home / "data" / "stamps.json").write_text("[1")
    assert len(loading.load_dataset(path)) == 21


def test_a_cache_that_cannot_be_written_costs_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("a file, not a folder")
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "taken"))
    assert len(loading.load_dataset(synthetic.write_fer2013(tmp_path, 21))) == 21


def test_what_is_read_in_a_moment_is_not_kept(tmp_path, home, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("MIEN_HOME", str(home))
    loading.load_dataset(synthetic.write_fer2013(tmp_path, 21))
    assert not list(home.rglob("*.npz"))


def test_the_cache_forgets_what_was_used_longest_ago(tmp_path, home):
    for count in range(cache.MAX_CACHED + 2):
        cache.save_arrays(f"{count}", {"a": np.arange(count)})
    assert len(list((home / "data").glob("*.npz"))) == cache.MAX_CACHED
    assert cache.load_arrays(f"{cache.MAX_CACHED + 1}")["a"].size == cache.MAX_CACHED + 1
