"""FER2013's shapes: what is read, what is refused row by row, which faces are twins, which are held out."""

import numpy as np
import pytest

from mien.datasets import dataset, ferplus, synthetic
from mien.datasets.dataset import VOTE_CATEGORIES, Problem
from mien.datasets.splits import DataSettings
from mien.errors import ExperimentError
from mien.labels import EMOTIONS
from mien.training.recipe import Recipe

HEADER = "emotion,pixels,Usage\n"
PIXELS = " ".join(["7"] * 2303 + ["8"])


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(280, seed=3)


def row(emotion="0", pixels=PIXELS, usage="Training"):
    return f"{emotion},{pixels},{usage}\n"


def table(tmp_path, text):
    path = tmp_path / "fer2013.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_written_is_read_again(tmp_path, faces):
    path = synthetic.write_fer2013(tmp_path, 280, seed=3)
    read = loading.load_faces(path)
    for part in ("pixels", "labels", "usage", "votes"):
        assert np.array_equal(getattr(read, part), getattr(faces, part)), part
    assert read.problems == ()


def test_columns_are_found_by_name_in_any_order_with_spaces_and_quotes(tmp_path):
    text = '\ufeffemotion, Usage, pixels\n3,PrivateTest,"' + " ".join(["9"] * 2303 + ["0"]) + '"\n'
    read = loading.load_faces(table(tmp_path, text))
    assert (read.labels.tolist(), read.usage.tolist()) == ([3], ["PrivateTest"])
    assert read.pixels[0, 0, 0] == 9
    assert read.pixels[0, -1, -1] == 0


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(emotion="7"), "label '7' is none of 0 to 6"),
        (row(emotion="happy"), "label 'happy' is none of 0 to 6"),
        (row(pixels="1 2 3"), "3 pixels instead of 2304"),
        (row(pixels=" ".join(["1"] * 2303 + ["256"])), "pixels outside 0 to 255"),
        (row(pixels=" ".join(["1"] * 2303 + ["-1"])), "pixels that are no numbers"),
        (row(pixels=" ".join(["1"] * 2303 + ["x"])), "pixels that are no numbers"),
        ("0,1 2", "too few columns, cut off perhaps"),
    ],
)
def test_a_bad_row_is_named_and_the_rest_is_read(tmp_path, bad, reason):
    read = loading.load_faces(table(tmp_path, HEADER + row() + bad.rstrip("\n") + "\n" + row(emotion="6")))
    assert read.problems == (Problem(2, reason),)
    assert read.labels.tolist() == [0, 6]


def test_a_file_of_something_else_is_refused(tmp_path):
    with pytest.raises(ExperimentError, match="no column emotion, pixels, usage"):
        loading.load_faces(table(tmp_path, "name,age\nada,36\n"))
    with pytest.raises(ExperimentError, match=r"no readable face.*3 pixels instead"):
        loading.load_faces(table(tmp_path, HEADER + row(pixels="1 2 3")))
    with pytest.raises(ExperimentError, match="no data at"):
        loading.load_faces(tmp_path / "absent.csv")


def test_votes_stand_in_our_order_whatever_the_column_order(tmp_path):
    path = table(tmp_path, HEADER + row())
    names = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    (tmp_path / "fer2013new.csv").write_text(f"Usage,Image name,{names}\nTraining,f.png,1,2,0,3,4,0,0,0,0,0\n")
    votes = dict(zip(VOTE_CATEGORIES, loading.load_faces(path).votes[0].tolist(), strict=True))
    assert votes == dict.fromkeys(VOTE_CATEGORIES, 0) | {"neutral": 1, "happy": 2, "sad": 3, "angry": 4}


def test_votes_of_another_length_are_named_and_left_out(tmp_path):
    path = synthetic.write_fer2013(tmp_path, 21)
    lines = (tmp_path / "fer2013new.csv").read_text().splitlines()
    (tmp_path / "fer2013new.csv").write_text("\n".join(lines[:-1]) + "\n")
    read = loading.load_faces(path)
    assert "has 20 rows and the faces are 21" in read.problems[0].reason
    assert not read.votes.any()


def test_npz_is_read_and_missing_parts_are_named(tmp_path, faces):
    given = {"pixels": faces.pixels, "emotion": faces.labels, "usage": faces.usage}
    np.savez(tmp_path / "a.npz", **given, votes=ferplus.to_ferplus_columns(faces.votes))
    assert np.array_equal(loading.load_faces(tmp_path / "a.npz").votes, faces.votes)
    np.savez(tmp_path / "b.npz", pixels=faces.pixels)
    with pytest.raises(ExperimentError, match="no emotion, usage"):
        loading.load_faces(tmp_path / "b.npz")


def test_a_split_that_was_stripped_is_named(faces):
    some = faces.take(faces.usage != "PrivateTest")
    with pytest.raises(ExperimentError, match=r"no PrivateTest faces.*PublicTest, Training"):
        some.split("PrivateTest")


def test_twins_have_the_same_number_and_only_they(faces):
    pixels = faces.pixels[[0, 1, 0, 2, 1, 0]]
    numbers = duplicates.group_duplicates(pixels)
    assert [[a == b for b in numbers] for a in numbers] == [[np.array_equal(a, b) for b in pixels] for a in pixels]


def test_without_twins_looks_across_splits_only(faces):
    usage = np.array(["Training", "PublicTest", "PublicTest", "PublicTest"])
    some = dataset.FaceDataset(faces.pixels[[0, 0, 1, 1]], faces.labels[:4], usage, faces.votes[:4])
    assert splits.mask_without_duplicates(some, "PublicTest").tolist() == [False, True, True]


def test_held_out_faces_have_no_twin_and_keep_the_proportions():
    many = synthetic.draw_faces(1400, seed=5)
    many.pixels[7:14] = many.pixels[0:7]
    many.votes[21] = [0] * 9 + [10]
    many.pixels[28] = 40
    aside = splits.sample_validation(many, 210, seed=1)
    assert aside.sum() == 210
    assert set(many.usage[aside]) == {"Training"}
    assert np.ptp(np.bincount(many.labels[aside])) <= 1
    assert not aside[[*range(14), 21, 28]].any()
    assert np.array_equal(aside, splits.sample_validation(many, 210, seed=1))
    assert not np.array_equal(aside, splits.sample_validation(many, 210, seed=2))


def test_a_class_that_is_rare_is_rare_among_the_held_out():
    many = synthetic.draw_faces(1400, seed=6)
    keep = (many.labels != EMOTIONS.index("disgust")) | (np.arange(1400) % 4 == 1)
    some = many.take(keep)
    aside = splits.sample_validation(some, 200)
    wanted = np.bincount(some.labels[some.usage == "Training"]) * 200 / (some.usage == "Training").sum()
    assert np.abs(np.bincount(some.labels[aside]) - wanted).max() <= 1


def test_dividing_keeps_test_faces_and_non_faces_out(faces):
    spoilt = dataset.FaceDataset(faces.pixels.copy(), faces.labels, faces.usage, faces.votes.copy())
    spoilt.votes[0], spoilt.pixels[1] = [0] * 9 + [10], 90
    learned, kept = splits.split_training_validation(DataSettings(validation=50), spoilt)
    training = int((faces.usage == "Training").sum())
    assert (len(kept), len(learned)) == (50, training - 50 - 2)
    assert set(learned.usage) | set(kept.usage) == {"Training"}
    with_non_faces, _ = splits.split_training_validation(DataSettings(validation=50, drop_non_faces=False), spoilt)
    assert len(with_non_faces) == len(learned) + 1


def test_vote_shares_leave_out_the_voters_who_named_none(faces):
    some = faces.take(np.arange(2))
    some.votes[:] = 0
    some.votes[0, [3, 6, 8]] = 3, 1, 6
    assert some.vote_scores()[0].tolist() == [0, 0, 0, 0.75, 0, 0, 0.25, 0]
    assert not some.vote_scores()[1].any()


def test_only_some_classes_in_their_own_order(faces):
    some = faces.only(("happy", "angry"))
    assert some.classes == ("happy", "angry")
    assert len(some) == 80
    assert [some.classes[label] for label in some.labels] == [
        EMOTIONS[label] for label in faces.labels if EMOTIONS[label] in some.classes
    ]
    assert some.take(np.arange(3)).classes == some.classes
    with pytest.raises(ExperimentError, match=r"no class 'hapy'.*Did you mean 'happy'"):
        faces.only(("hapy",))
