"""Messages of exceptions: three parts that read as sentences."""

from mien.errors import MienError, install_command, suggest_name


def test_message_has_one_sentence_for_each_part():
    error = MienError("photo.jpg is empty", "an image was expected", "save it again")
    assert str(error) == "photo.jpg is empty. An image was expected. Save it again."
    assert (error.happened, error.expected, error.remedy) == error.args


def test_missing_part_leaves_no_gap_and_commands_keep_their_case():
    error = MienError("no content", remedy="mien models pull yunet downloads it")
    assert str(error) == "no content. mien models pull yunet downloads it."


def test_most_similar_name_is_suggested():
    assert suggest_name("bsae", ["base", "small"]) == "Did you mean 'base'?"
    assert suggest_name("zzz", ["base"]) == ""


def test_question_mark_ends_a_sentence():
    assert str(MienError("no such model", "", "Did you mean 'base'?")) == "no such model. Did you mean 'base'?"


def test_install_command_has_the_extra():
    assert install_command() == 'pip install "."'
    assert install_command("train") == 'pip install ".[train]"'
