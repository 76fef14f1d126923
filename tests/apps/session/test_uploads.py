"""Limits and names of uploaded files."""

from pathlib import Path

import numpy as np
import pytest

from mien.apps.session.uploads import MB, Upload, check_image_size, check_video_size, hide_server_paths
from mien.errors import OutputError, SourceTooLarge, SourceUnreadable
from web import image_bytes


def test_upload_decodes_to_rgb():
    pixels = Upload("a.png", image_bytes(4, 3, value=7)).decode_image(1000)
    np.testing.assert_array_equal(pixels, np.full((3, 4, 3), 7, np.uint8))


def test_decoding_errors_have_the_name_of_the_upload():
    with pytest.raises(SourceUnreadable, match=r"'a\.png'"):
        Upload("a.png", b"text").decode_image(1000)
    with pytest.raises(SourceTooLarge, match=r"'a\.png'"):
        Upload("a.png", image_bytes(40, 30)).decode_image(1000)


def test_errors_do_not_tell_a_visitor_to_change_the_settings_of_the_server():
    with pytest.raises(SourceTooLarge) as caught:
        Upload("a.png", image_bytes(40, 30)).decode_image(1000)
    assert "MIEN_" not in str(caught.value)
    assert "max_pixels" not in str(caught.value)
    assert str(caught.value).endswith("Send a smaller one.")


def test_upload_with_an_error_raises_it_for_every_use():
    upload = Upload("a.png", b"", SourceUnreadable("not received"))
    for use in (lambda: upload.decode_image(1000), upload.video_bytes):
        with pytest.raises(SourceUnreadable, match="not received"):
            use()


def test_sizes_are_limited_and_an_empty_video_is_rejected():
    check_image_size("a.png", 20 * MB)
    check_video_size("a.mp4", 1)
    with pytest.raises(SourceTooLarge, match=r"'a\.png' is a file of 21 MB\. An image of at most 20 MB was expected"):
        check_image_size("a.png", 21 * MB)
    with pytest.raises(SourceTooLarge, match="A video of at most 2 MB"):
        check_video_size("a.mp4", 3 * MB, 2 * MB)
    with pytest.raises(SourceUnreadable, match=r"'a\.mp4' is empty"):
        check_video_size("a.mp4", 0)


def test_errors_name_the_clients_file_and_no_folder_of_the_server():
    source, folder = Path("/srv/uploads/x1/source"), Path("/srv/results/x2")
    error = OutputError(f"'{source}' is cut off, '{folder / 'faces.csv'}' was not written", "b", f"See {source}")
    hidden = hide_server_paths(error, source, "beach.mp4", folder)
    assert type(hidden) is OutputError
    assert (hidden.happened, hidden.remedy) == ("'beach.mp4' is cut off, 'faces.csv' was not written", "See beach.mp4")
