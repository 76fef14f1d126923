"""Messages: three beats that read as sentences."""

from mien.errors import MienError, install_command, suggest_name


def test_three_beats_are_three_sentences():
    error = MienError("photo.jpg is empty", "a picture was expected", "save it again")
    assert str(error) == "photo.jpg is empty. A picture was expected. Save it again."
    assert (error.happened, error.expected, error.remedy) == error.args


def test_a_beat_that_is_not_there_leaves_no_gap():
    assert str(MienError("nothing in it", remedy="mien models pull yunet fetches it")) == (
        "nothing in it. mien models pull yunet fetches it."
    )


def test_questions_and_calls_keep_their_marks():
    assert str(MienError("no such model", "", suggest_name("bsae", ["base", "small"]))) == (
        "no such model. Did you mean 'base'?"
    )
    assert suggest_name("zzz", ["base"]) == ""


def test_the_install_command_names_the_checkout():
    assert install_command() == 'pip install "."'
    assert install_command("train") == 'pip install ".[train]"'
